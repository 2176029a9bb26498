"""The SQL of the fast path: parse and validate log files line by line; doubtful lines become fallback lines."""

from collections.abc import Iterator, Mapping, Sequence

from sparkify.sources.records import MAX_RECORD
from sparkify.sql.quoting import literal, quoted
from sparkify.staging import validation
from sparkify.staging.contract import LAST_MILLISECOND, PLAY, Contract, Field, Required, Type

FALLBACK = "fallback_line"
"""The column that staging_events has on the fast path: the unchanged line if its record is not staged, else null."""

_DUCKDB_TYPES = {
    Type.TEXT: "VARCHAR",
    Type.INTEGER: "DOUBLE",  # An integer type would round 2.7 to 3.
    Type.TIMESTAMP: "DOUBLE",
    Type.NUMBER: "DOUBLE",
    Type.DURATION: "DOUBLE",
}
_MAX_EXACT = 2**53  # from here on, a DOUBLE may represent several whole numbers
# Values that from_json accepts as text or a number and the contract does not: a list, an object, a boolean, NaN and
# infinity as Python writes them, and number-like texts such as +5 and 1_000.
_ODD_VALUE = r""":\s*(\[|\{|true|false|-?[NnIi][aAnN][nNfF]|"[-.0-9eE\s]*[+_])"""
# The conditions under which the exact path reads a line as from_json_strict does.
_IS_ORDINARY = " and ".join(
    [
        # Otherwise the line could be part of a multi-line record.
        "starts_with(line, '{')",
        "ends_with(line, '}')",
        f"strlen(line) <= {MAX_RECORD}",
        # A trailing comma. Further inside the line, it would be in an odd value.
        *(f"not ends_with(line, {literal(before + '}')})" for before in ", \t\r"),
        # NUL, which no database stores, and other control characters, which may be mojibake.
        *(f"not contains(line, '\\u00{digit}')" for digit in "01"),
        f"not regexp_matches(line, '{_ODD_VALUE}')",
    ]
)


def insert_lines(contract: Contract, files: Mapping[str, int], *, lenient: bool) -> str:
    """Return the statement that inserts a row for each line of files (path on disk → file_id), even an empty one.

    The row holds the line's record or, if the exact path could reject it or read it differently, the line itself in
    the column FALLBACK. So no line is lost.
    `lenient` affects only the speed: it parses clean files more slowly and wrong types faster, and most records with
    missing keys do not fall back.
    A line that is not UTF-8 makes the statement fail.
    """
    values = ", ".join(f"{_value(field)} as {quoted(field.name)}" for field in contract.fields)
    names = ", ".join(quoted(field.name) for field in contract.fields)
    fields = ", ".join(f"fields.{quoted(field.name)} as {quoted(field.name)}" for field in contract.fields)
    doubts = " or ".join(["is_unparsed", *(doubt for field in contract.fields for doubt in _doubts(field))])
    parse = _parse_leniently if lenient else _parse_strictly
    lines = parse(contract, f"(select line, filename from {_lines(list(files))})")
    paths = ", ".join(map(literal, files))
    return (
        f"insert into {contract.table} ({names}, file_id, duplicate, {FALLBACK})"
        f" select {values}, files.file_id, false, case when {doubts} then coalesce(line, '') end"
        # The structure becomes columns first, because each access to a field of it is slow.
        f" from (select line, filename, fields is null as is_unparsed, {fields}"
        f" from {lines} as lines) as records"
        f" join (select unnest([{paths}]) as path, unnest({list(files.values())}) as file_id) as files"
        " on files.path = records.filename"
    )


def count_lines(contract: Contract, lines: str) -> str:
    """Return the SELECT of file_id and its numbers of lines, lines parsed leniently, and lines that require this.

    `lines` is the SQL of a relation with the columns file_id and line.
    """
    strict = f"(select file_id, line, fields as strict_fields from {_parse_strictly(contract, lines)})"
    unusual = f"count(*) filter ({_IS_ORDINARY} and strict_fields is null)"
    return (
        f"select file_id, count(*), count(fields), {unusual} from {_parse_leniently(contract, strict)} group by file_id"
    )


def _parse_strictly(contract: Contract, lines: str) -> str:
    """Return the SQL of lines and their typed fields, null unless a line has each key exactly once.

    A key that is missing, repeated, or spelled in another case is an error. After an error, DuckDB parses the 2,000
    lines around it again one by one, which takes six times as long.
    """
    parsed = f"from_json_strict(case when {_IS_ORDINARY} then line end, {_structure(contract)})"
    return f"(select *, try({parsed}) as fields from {lines})"


def _parse_leniently(contract: Contract, lines: str) -> str:
    """Return the SQL of lines and their typed fields, null for doubtful lines; missing keys are accepted.

    from_json raises no errors. So each null is verified, and a line with more keys than fields must not repeat one.
    """
    parsed = f"from_json(case when {_IS_ORDINARY} and json_valid(line) then line end, {_structure(contract)})"
    found = " + ".join(_count_key(field) for field in contract.fields)
    is_certain = "found = len(keys) or (found < len(keys) and len(list_distinct(keys)) = len(keys))"
    return (
        f"(select * exclude (found, keys) replace (case when {is_certain} then fields end as fields)"
        f" from (select *, {found} as found, json_keys(case when fields is not null then line end) as keys"
        f" from (select *, {parsed} as fields from {lines})))"
    )


def _count_key(field: Field) -> str:
    """Return the SQL of 1 if a line has the key of a field, 0 if it has not, and null if that is uncertain.

    It has not if the name occurs nowhere in the line, in any case, and no letter is written as an escape.
    """
    name = field.name
    return (
        f"case when fields.{quoted(name)} is not null then 1"
        f""" when contains(line, '"{name}":null') or contains(line, '"{name}": null') then 1"""
        f""" when not contains(lower(line), '"{name.lower()}"')"""
        " and not regexp_matches(line, '\\\\u00[4-7]') then 0 end"
    )


def _structure(contract: Contract) -> str:
    columns = ", ".join(f'"{field.name}": "{_DUCKDB_TYPES[field.type]}"' for field in contract.fields)
    return literal(f"{{{columns}}}")


def _lines(paths: Sequence[str]) -> str:
    """Return the SQL of the lines of files, each with its path."""
    return (
        f"read_csv([{', '.join(map(literal, paths))}], columns = {{'line': 'varchar'}}, auto_detect = false,"
        # Any delimiter other than the newline would be silently dropped from the end of a line.
        " filename = true, header = false, delim = '\n', quote = '', escape = '', compression = 'none',"
        # The default, 16 lines of maximum size, is too large: only one or two threads would read a file.
        f" max_line_size = {MAX_RECORD}, buffer_size = {2 * MAX_RECORD}, hive_partitioning = false)"
    )


def _value(field: Field) -> str:
    name = quoted(field.name)
    if field.type is Type.TEXT:
        return validation.text(name)
    if field.type in (Type.INTEGER, Type.TIMESTAMP):
        return f"try_cast({name} as bigint)"
    return f"{name} + 0.0"  # turns -0.0 into 0.0


def _doubts(field: Field) -> Iterator[str]:
    """Yield the SQL conditions that make a field's value doubtful; they are null for an allowed null."""
    name = quoted(field.name)
    if field.required is Required.ALWAYS:
        yield f"{_value(field)} is null"
    elif field.required is Required.IN_PLAYS:
        yield f"({validation.text('page')} = '{PLAY}' and {_value(field)} is null)"
    match field.type:
        case Type.TEXT:
            yield f"strlen({name}) > {field.width}"
            yield validation.may_be_float(name)
            if field.values:
                yield f"nullif({name}, '') not in ({validation.literals(field.values)})"
        case Type.INTEGER:
            yield f"not (abs({name}) < {_MAX_EXACT} and {name} = floor({name}))"
        case Type.TIMESTAMP:
            in_range = f"{name} between {field.first_millisecond} and {LAST_MILLISECOND}"
            yield f"not ({in_range} and {name} = floor({name}))"
        case _:
            yield f"not ({name} >= 0 and {name} < 1e15)"
