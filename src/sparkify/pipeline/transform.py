"""From staging to the star schema: deduplicate the batch, then add and change rows, table by table."""

from sparkify.sources.listing import Kind
from sparkify.sql import loader, model
from sparkify.staging.contract import CONTRACTS, Type
from sparkify.warehouse.base import Warehouse

Changed = dict[str, int]
"""Table → rows that a batch added or changed."""

_CONTRADICTS: dict[Kind, str] = {
    "events": "contradicts another event with the same key",
    "songs": "contradicts a later record of the same song",
}
"""Kind → the reason of a record that loses against another with its key."""

# Columns of staging are compared, as in decided_events.sql: computing event_id for every row is slower.
_HAS_KEY = """
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
"""


def transform(warehouse: Warehouse, run_id: str) -> Changed:
    """Publish the staged batch of a run to catalogue, dimensions and facts."""
    changed: Changed = dict.fromkeys(model.ORDER, 0)
    songs, events = (warehouse.value(f"select count(*) from {table}") for table in ("staging_songs", "staging_events"))
    if songs:
        _deduplicate_songs(warehouse, run_id)
        for table in ("catalogue", "songs", "artists"):
            changed[table], _ = _upsert(warehouse, table)
        _delete_unused(warehouse, "artists", "catalogue")
    replaced = 0
    if events:
        # Users come before deduplication, since the latest state of a user may be in a duplicate event.
        changed["users"], _ = _upsert(warehouse, "users")
        replaced = _deduplicate_events(warehouse, run_id)
    changed["tracks"], known_tracks = _upsert(warehouse, "tracks")
    if known_tracks:  # rare without new songs, and scanning every play is expensive
        _match_known_plays(warehouse)
    if events:
        for table in ("songplays", "page_views", "time"):
            changed[table] = _insert(warehouse, table)
    if replaced:
        _delete_unused(warehouse, "tracks", "songplays")
    return changed


def statements(table: str, warehouse: type[Warehouse]) -> list[str]:
    """Return the statements by which a batch adds and changes rows of a table."""
    select = loader.read(f"transform/{table}", warehouse.engine)
    if table in ("songplays", "page_views", "time"):
        return [f"insert into {table} {select}"]
    return [*_create(f"new_{table}", select, warehouse.temporary), *_replace(table)]


def _create(table: str, select: str, temporary: str) -> tuple[str, str]:
    """Return the statements that create a temporary table from a SELECT."""
    return f"drop table if exists {temporary}{table}", f"create temp table {table} as {select}"


def _replace(table: str) -> tuple[str, str]:
    """Return the statements that replace the rows of a table by those of new_<table> with the same keys."""
    key = model.KEYS[table]
    return (
        f"delete from {table} using new_{table} as n where {table}.{key} = n.{key}",
        f"insert into {table} select * from new_{table}",
    )


def _create_from_file(warehouse: Warehouse, name: str) -> None:
    """Create the temporary table that a file in sql/deduplicate defines."""
    for statement in _create(name, loader.read(f"deduplicate/{name}", warehouse.engine), warehouse.temporary):
        warehouse.execute(statement)


def _insert(warehouse: Warehouse, table: str) -> int:
    """Insert the new rows of the batch; return their number."""
    [insert] = statements(table, type(warehouse))
    added = warehouse.execute(insert)
    if added:
        warehouse.analyze(table)
    return added


def _upsert(warehouse: Warehouse, table: str) -> tuple[int, int]:
    """Insert the rows of the batch, and replace those with the same keys; return the numbers inserted and replaced."""
    drop, create, delete, insert = statements(table, type(warehouse))
    warehouse.execute(drop)
    warehouse.execute(create)
    replaced = warehouse.execute(delete)
    changed = warehouse.execute(insert)
    if changed:
        warehouse.analyze(table)
    return changed, replaced


def _deduplicate_songs(warehouse: Warehouse, run_id: str) -> None:
    """Mark the staged song records that are duplicates, and reject those that a later record contradicts."""
    _create_from_file(warehouse, "marked_songs")
    _create_from_file(warehouse, "contradicting_songs")
    columns = ", ".join([*(field.name for field in CONTRACTS["songs"].fields), "file_id", "position", "duplicate"])
    warehouse.execute("delete from staging_songs")
    warehouse.execute(f"insert into staging_songs select {columns} from marked_songs")
    if warehouse.value("select count(*) from contradicting_songs"):
        _reject(warehouse, "songs", "contradicting_songs", run_id)
        warehouse.execute(
            "delete from staging_songs using contradicting_songs as c"
            " where staging_songs.file_id = c.file_id and staging_songs.position = c.position"
        )


def _deduplicate_events(warehouse: Warehouse, run_id: str) -> int:
    """Mark duplicate events, reject contradicting ones, delete replaced facts; return the number of replaced plays."""
    _create_from_file(warehouse, "known_events")
    # Nearly all redelivered events equal the known ones. The keys of the others are contested, as seen below.
    warehouse.execute(f"update staging_events set duplicate = true from known_events as k where {_HAS_KEY}")
    _create_from_file(warehouse, "contested_keys")
    if not warehouse.value("select count(*) from contested_keys"):
        return 0
    _create_from_file(warehouse, "decided_events")
    warehouse.execute(f"delete from staging_events using contested_keys as k where {_HAS_KEY}")
    decided = loader.read("deduplicate/decided_rows", warehouse.engine)
    warehouse.execute(f"insert into staging_events {decided}")
    _reject(warehouse, "events", "(select * from decided_events where contradicts)", run_id)
    warehouse.execute(
        "delete from page_views using decided_events as d"
        " where d.replaces and not d.is_play and page_views.page_view_id = d.event_id"
    )
    return warehouse.execute(
        "delete from songplays using decided_events as d"
        " where d.replaces and d.is_play and songplays.songplay_id = d.event_id"
    )


def _reject(warehouse: Warehouse, kind: Kind, contradicting: str, run_id: str) -> None:
    """Reject the records of a relation: the staged ones, and rows of the warehouse, whose file is unknown.

    An earlier run has counted the latter as loaded, so this run does not count them.
    """
    outcome = f"cast(null as bigint), '{_CONTRADICTS[kind]}', {_as_json(kind)}"
    warehouse.execute(
        f"insert into staging_rejects select file_id, {outcome} from {contradicting} as r where file_id is not null"
    )
    warehouse.execute(
        f"insert into rejected_records select '{kind}', cast(null as varchar(4096)), {outcome}, cast(? as varchar(40))"
        f" from {contradicting} as r where file_id is null",
        [run_id],
    )


def _as_json(kind: Kind) -> str:
    """Return the SQL of a staged record as JSON, in which rare control characters are not escaped."""
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
        pairs.append(f"""coalesce(', "{field.name}": ' || {text}, '')""")
    joined = "\n    || ".join(pairs)
    return f"'{{' || substring(\n    {joined}\n    from 3\n) || '}}'"


def _delete_unused(warehouse: Warehouse, table: str, used_by: str) -> None:
    """Delete the rows of a table whose keys another table does not use."""
    key = model.KEYS[table]
    # PostgreSQL would run "not in" row by row, since the other table can exceed its working memory.
    unused = f"not exists (select 1 from {used_by} as u where u.{key} = {table}.{key})"
    warehouse.execute(f"delete from {table} where {unused}")


def _match_known_plays(warehouse: Warehouse) -> None:
    """Copy the new matches of tracks to their known plays."""
    warehouse.execute(
        "update songplays set song_id = n.song_id, artist_id = n.artist_id"
        " from new_tracks as n where songplays.track_id = n.track_id"
    )
