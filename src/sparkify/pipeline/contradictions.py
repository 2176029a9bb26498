"""Records that lose against another with their key: keep them, and recognize them when their files come again."""

from collections.abc import Mapping
from types import MappingProxyType

from sparkify.sources.listing import Kind
from sparkify.staging.contract import CONTRACTS, Type
from sparkify.warehouse.base import Warehouse

_REASONS: dict[Kind, str] = {
    "events": "contradicts another event with the same key",
    "songs": "contradicts a later record of the same song",
}
"""Kind → the reason of a record that loses against another with its key."""

_KEYS: dict[Kind, tuple[str, ...]] = {
    "events": (
        """rtrim(split_part(split_part(record, '"ts": ', 2), ',', 1), '}')""",
        """rtrim(split_part(split_part(record, '"sessionId": ', 2), ',', 1), '}')""",
        """rtrim(split_part(split_part(record, '"itemInSession": ', 2), ',', 1), '}')""",
        """split_part(split_part(record, '"userId": "', 2), '"', 1)""",
        """case when record like '%"page": "NextSong"%' then 'play' else 'view' end""",
    ),
    "songs": ("""split_part(split_part(record, '"song_id": "', 2), '"', 1)""",),
}
"""Kind → the SQL of the parts of the key of a record as JSON; inside a text, a quotation mark is escaped."""

_NOT_STORED: dict[str, str] = {
    **dict.fromkeys(("firstName", "lastName", "gender", "registration", "num_songs"), "true"),
    **dict.fromkeys(("auth", "method", "status"), "is_play"),
    **dict.fromkeys(("song", "artist", "length"), "not is_play"),
}
"""Field → when neither a fact nor the catalogue stores it."""


def find_lost_before(warehouse: Warehouse, kind: Kind, staged: str, key: str) -> None:
    """Create the temporary table lost_<kind>: the staged records whose file has lost against another about their key.

    Such a file corrects a record that is not in the warehouse. Its record was rejected with the file's name, or, if it
    was loaded and lost to a later one, without a name; in that case what facts store of it must be equal. This run
    judges it again.
    """
    name = f"lost_{kind}"
    redelivered = "file_id in (select file_id from staging_files where redelivered)"
    if not warehouse.value("select count(*) from staging_files where redelivered"):
        redelivered = "false"  # so that no engine compares every record with every rejected one
    compared = " || '-' || ".join(_KEYS[kind])
    select = f"""
        select distinct s.file_id, {key}, s.record
        from (
            select file_id, {key}, record, {compared} as compared
            from (
                select file_id, {key}, {_as_json(kind, _NOT_STORED)} as record
                from {staged} as r
                where {redelivered}
            ) as texts
        ) as s
        join staging_files as f on f.file_id = s.file_id
        join (
            select file, record, {compared} as compared
            from rejected_records
            where source = '{kind}' and reason = '{_REASONS[kind]}'
        ) as r on r.compared = s.compared and (r.file = f.path or (r.file is null and r.record = s.record))
    """
    warehouse.create_temporary(name, select)
    warehouse.execute(
        f"delete from rejected_records using {name} as l where rejected_records.file is null"
        f" and rejected_records.source = '{kind}' and rejected_records.reason = '{_REASONS[kind]}'"
        " and rejected_records.record = l.record"
    )


def reject(warehouse: Warehouse, kind: Kind, contradicting: str, run_id: str) -> None:
    """Reject the records of a relation: the staged ones, and rows of the warehouse, whose file is unknown.

    An earlier run has counted the latter as loaded, so this run does not count them.
    """
    outcome = f"cast(null as bigint), '{_REASONS[kind]}', {_as_json(kind)}"
    warehouse.execute(
        f"insert into staging_rejects select file_id, {outcome} from {contradicting} as r where file_id is not null"
    )
    warehouse.execute(
        f"insert into rejected_records select '{kind}', cast(null as varchar(4096)), {outcome}, cast(? as varchar(40))"
        f" from {contradicting} as r where file_id is null",
        [run_id],
    )


def _as_json(kind: Kind, left_out: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the SQL of a staged record as JSON, in which rare control characters are not escaped.

    `left_out` maps fields to the conditions under which they are left out.
    """
    pairs = []
    for field in CONTRACTS[kind].fields:
        text = f"cast({field.name} as varchar)"
        if field.type is Type.TEXT:
            text = field.name
            # In a literal, a backslash would be an escape on Redshift.
            for code, escape in ((92, "chr(92)"), (34, "'\"'"), (9, "'t'"), (10, "'n'"), (13, "'r'")):
                text = f"replace({text}, chr({code}), chr(92) || {escape})"
            text = f"""'"' || {text} || '"'"""
        elif field.type in (Type.NUMBER, Type.DURATION):  # engines write 12.0 in different ways
            whole = f"cast(cast({field.name} as bigint) as varchar)"
            text = f"case when {field.name} = floor({field.name}) then {whole} else {text} end"
        if field.name in left_out:
            text = f"case when not ({left_out[field.name]}) then {text} end"
        pairs.append(f"""coalesce(', "{field.name}": ' || {text}, '')""")
    joined = "\n    || ".join(pairs)
    return f"'{{' || substring(\n    {joined}\n    from 3\n) || '}}'"
