"""What Redshift's documentation lists: reserved words, types, functions, parameters, encodings."""

from __future__ import annotations


def listed(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


RESERVED = listed(
    """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary
    blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials cross current_date
    current_time current_timestamp current_user current_user_id default deferrable deflate defrag delta delta32k desc
    disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false for foreign freeze
    from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect
    interval into is isnull join language leading left like limit localtime localtimestamp lun luns lzo lzop minus
    mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
    overlaps parallel partition percent permissions placing primary raw readratio recover references rejectlog resort
    respect restore right select session_user similar snapshot some sysdate system table tag tdes text255 text32k then
    timestamp to top trailing true truncatecolumns union unique user using verbose wallet when where with without
    """
)
"""Words that must be quoted to serve as names ("Reserved words")."""

SYSTEM_COLUMNS = frozenset({"oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
"""Names that no column may have ("Unsupported PostgreSQL features": system columns)."""

TYPES = {
    "smallint": "smallint", "int2": "smallint", "integer": "integer", "int": "integer", "int4": "integer",
    "bigint": "bigint", "int8": "bigint", "decimal": "numeric", "numeric": "numeric", "real": "real",
    "float4": "real", "double": "double precision", "float8": "double precision", "float": "double precision",
    "boolean": "boolean", "bool": "boolean", "char": "char", "character": "char", "nchar": "char", "bpchar": "char",
    "varchar": "varchar", "nvarchar": "varchar", "text": "varchar", "date": "date", "timestamp": "timestamp",
    "timestamptz": "timestamptz", "time": "time", "timetz": "timetz",
}  # fmt: skip
"""The types of columns, and what they are on the real server ("Data types"). Left out, since nothing here can hold
them alike: SUPER, VARBYTE, HLLSKETCH, GEOMETRY, GEOGRAPHY, INTERVAL."""

ENCODINGS = listed("auto az64 bytedict delta delta32k lzo mostly8 mostly16 mostly32 raw runlength text255 text32k zstd")
"""Compression encodings ("CREATE TABLE": ENCODE)."""

PARAMETERS = listed(
    """
    analyze_threshold_percent cast_super_null_on_error client_encoding datestyle default_geometry_encoding
    describe_field_name_in_uppercase downcase_delimited_identifier enable_case_sensitive_identifier
    enable_case_sensitive_super_attribute enable_numeric_rounding enable_result_cache_for_session enable_vacuum_boost
    error_on_nondeterministic_update extra_float_digits interval_forbid_composite_literals json_serialization_enable
    json_serialization_parse_nested_strings max_concurrency_scaling_clusters max_cursor_result_set_size
    mv_enable_aqmv_for_session navigate_super_null_on_error parse_super_null_on_error pg_federation_repeatable_read
    query_group search_path spectrum_enable_pseudo_columns spectrum_query_maxerror statement_timeout
    stored_proc_log_min_messages timezone use_fips_ssl wlm_query_slot_count
    """
)
"""The parameters of SET ("Configuration reference")."""

PARAMETERS_OF_POSTGRES = listed("client_encoding datestyle extra_float_digits search_path statement_timeout timezone")
"""The parameters that the real server has with the same meaning."""

LEADER_ONLY = listed(
    """
    current_schema current_schemas has_database_privilege has_schema_privilege has_table_privilege age current_time
    current_timestamp localtime isfinite now getbit get_byte set_bit set_byte to_ascii
    """
)
"""Functions that run on the leader node alone, in a query of no table or of catalog tables ("Leader node-only
functions")."""

FUNCTIONS = LEADER_ONLY | listed(
    """
    any_value approximate avg bit_and bit_or bool_and bool_or count listagg max median min percentile_cont
    percentile_disc stddev stddev_pop stddev_samp sum var_pop var_samp variance
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank ratio_to_report row_number
    case coalesce decode greatest least nullif nvl nvl2
    add_months convert_timezone date_cmp date_cmp_timestamp date_part date_part_year date_trunc dateadd datediff
    extract getdate last_day months_between next_day timeofday timezone to_timestamp trunc sysdate
    abs acos asin atan atan2 cbrt ceil ceiling cos cot degrees dexp dlog1 dlog10 exp floor ln log mod pi power radians
    random round sign sin sqrt tan
    ascii bpcharcmp btrim bttext_pattern_cmp char_length character_length charindex chr collate concat crc32
    difference func_sha1 initcap left len length lower lpad ltrim md5 octet_length octetindex position quote_ident
    quote_literal regexp_count regexp_instr regexp_replace regexp_substr repeat replace replicate reverse right rpad
    rtrim sha sha1 sha2 soundex split_part strpos strtol substr substring textlen translate trim upper
    can_json_parse is_valid_json is_valid_json_array json_array_length json_extract_array_element_text
    json_extract_path_text json_parse json_serialize
    cast convert text_to_int_alt text_to_numeric_alt to_char to_date to_hex to_number try_cast
    checksum farmfingerprint64 farmhash64 fnv_hash murmur3_32_hash
    current_aws_account current_database current_namespace current_setting current_user current_user_id db_collation
    has_assumerole_privilege pg_backend_pid pg_cancel_backend pg_get_cols pg_last_copy_count pg_last_copy_id
    pg_last_query_id pg_last_unload_count pg_last_unload_id pg_terminate_backend session_user set_config slice_num
    user user_is_member_of version
    """
)
"""Documented functions ("SQL functions reference"), except those of SUPER, spatial data, HyperLogLog and UDFs."""

NOT_CALLS = listed(
    """
    all and any as between by check cross distinct distkey else except exists filter from full having ilike in inner
    insert intersect into is join key left like limit minus not on or order outer over partition references returning
    right rows select set similar some sortkey table then top union unique using values when where with within group
    interleaved compound unload explain update delete
    """
)
"""Words that an opening parenthesis may follow without a function call."""
