"""From staging to the star schema: deduplicate the batch, then add and change rows, table by table."""

from collections.abc import Sequence

from sparkify.pipeline import contradictions
from sparkify.sql import loader, model
from sparkify.sql.period import ALL_OF_TIME, EVER, Period, limited
from sparkify.staging.contract import CONTRACTS
from sparkify.warehouse.base import Warehouse

Changed = dict[str, int]
"""Table → rows that a batch added or changed."""

# Columns of staging are compared, as in decided_events.sql: computing event_id for every row is slower.
_HAS_KEY = """
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
"""


def transform(warehouse: Warehouse, run_id: str, periods: Sequence[Period]) -> tuple[Changed, bool]:
    """Publish the staged batch of a run, whose events are of some periods, to catalogue, dimensions and facts.

    Return also whether plays of other times have changed, because songs match their tracks.
    """
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
        replaced = _deduplicate_events(warehouse, run_id, periods)
    changed["tracks"], known_tracks = _upsert(warehouse, "tracks")
    if known_tracks:  # rare without new songs, and scanning every play is expensive
        _match_known_plays(warehouse)
    if events:
        for table in ("songplays", "page_views", "time"):
            changed[table] = _insert(warehouse, table, periods)
    if replaced:
        with warehouse.by_index():
            _delete_unused(warehouse, "tracks", "songplays", "track_id in (select track_id from replaced_tracks)")
    return changed, bool(known_tracks)


def statements(table: str, warehouse: type[Warehouse]) -> list[str]:
    """Return the statements by which a batch adds and changes rows of a table."""
    select = loader.read(f"transform/{table}", warehouse.engine)
    if table in ("songplays", "page_views", "time"):
        return [f"insert into {table} {select}"]
    name = f"new_{table}"
    return [f"create temp table {name} as {select}", *_replace(table), f"drop table {warehouse.temporary}{name}"]


def _replace(table: str) -> tuple[str, str]:
    """Return the statements that replace the rows of a table by those of new_<table> with the same keys."""
    key = model.KEYS[table]
    return (
        f"delete from {table} using new_{table} as n where {table}.{key} = n.{key}",
        f"insert into {table} select * from new_{table}",
    )


def _create_from_file(warehouse: Warehouse, name: str, periods: Sequence[Period] = ALL_OF_TIME) -> None:
    """Create the temporary table that a file in sql/deduplicate defines."""
    warehouse.create_temporary(name, limited(loader.read(f"deduplicate/{name}", warehouse.engine), periods))


def _insert(warehouse: Warehouse, table: str, periods: Sequence[Period]) -> int:
    """Insert the new rows of the batch; return their number."""
    [insert] = statements(table, type(warehouse))
    added = warehouse.execute(limited(insert, periods))
    if added:
        warehouse.optimize(table, added)
    return added


def _upsert(warehouse: Warehouse, table: str) -> tuple[int, int]:
    """Insert the rows of the batch, and replace those with the same keys; return the numbers inserted and replaced."""
    delete, insert = _replace(table)
    warehouse.create_temporary(f"new_{table}", loader.read(f"transform/{table}", warehouse.engine))
    replaced = warehouse.execute(delete)
    changed = warehouse.execute(insert)
    if changed:
        warehouse.optimize(table, changed)
    return changed, replaced


def _deduplicate_songs(warehouse: Warehouse, run_id: str) -> None:
    """Mark the staged song records that are duplicates, and reject those that a later record contradicts."""
    _create_from_file(warehouse, "marked_songs")
    contradictions.find_lost_before(
        warehouse, "songs", "(select * from marked_songs where place = 1 and not duplicate)", "song_id"
    )
    _create_from_file(warehouse, "contradicting_songs")
    columns = ", ".join([*(field.name for field in CONTRACTS["songs"].fields), "file_id", "position", "duplicate"])
    warehouse.execute("delete from staging_songs")
    warehouse.execute(f"insert into staging_songs select {columns} from marked_songs")
    if warehouse.value("select count(*) from contradicting_songs"):
        contradictions.reject(warehouse, "songs", "contradicting_songs", run_id)
        warehouse.execute(
            "delete from staging_songs using contradicting_songs as c"
            " where staging_songs.file_id = c.file_id and staging_songs.position = c.position"
        )


def _deduplicate_events(warehouse: Warehouse, run_id: str, periods: Sequence[Period]) -> int:
    """Mark duplicate events, reject contradicting ones, delete replaced facts; return the number of replaced plays."""
    _create_from_file(warehouse, "known_events", periods)
    # Nearly all redelivered events equal the known ones. The keys of the others are contested, as seen below.
    warehouse.execute(f"update staging_events set duplicate = true from known_events as k where {_HAS_KEY}")
    _create_from_file(warehouse, "contested_keys")
    if not warehouse.value("select count(*) from contested_keys"):
        return 0
    columns = "staging_events.*, k.event_id, k.is_play"
    contested = f"(select {columns} from staging_events join contested_keys as k on {_HAS_KEY})"
    contradictions.find_lost_before(warehouse, "events", contested, "event_id, is_play")
    _create_from_file(warehouse, "decided_events", periods)
    _create_from_file(warehouse, "replaced_tracks", periods)
    warehouse.execute(f"delete from staging_events using contested_keys as k where {_HAS_KEY}")
    decided = loader.read("deduplicate/decided_rows", warehouse.engine)
    warehouse.execute(f"insert into staging_events {decided}")
    contradictions.reject(warehouse, "events", "(select * from decided_events where contradicts)", run_id)
    _delete_replaced(warehouse, "page_views", "not d.is_play", periods)
    return _delete_replaced(warehouse, "songplays", "d.is_play", periods)


def _delete_replaced(warehouse: Warehouse, table: str, kind: str, periods: Sequence[Period]) -> int:
    """Delete the rows of a fact that events of the batch replace; return their number."""
    same_key = f"{table}.{model.KEYS[table]} = d.event_id"
    delete = f"delete from {table} using decided_events as d where d.replaces and {kind} and {same_key}"
    return warehouse.execute(limited(f"{delete} and {table}.{EVER}", periods))


def _delete_unused(warehouse: Warehouse, table: str, used_by: str, condition: str = "true") -> None:
    """Delete the rows of a table that meet a condition, and whose keys another table does not use."""
    key = model.KEYS[table]
    # PostgreSQL would run "not in" row by row, since the other table can exceed its working memory.
    unused = f"not exists (select 1 from {used_by} as u where u.{key} = {table}.{key})"
    warehouse.execute(f"delete from {table} where {condition} and {unused}")


def _match_known_plays(warehouse: Warehouse) -> None:
    """Copy the new matches of tracks to their known plays."""
    with warehouse.by_index():
        warehouse.execute(
            "update songplays set song_id = n.song_id, artist_id = n.artist_id"
            " from new_tracks as n where songplays.track_id = n.track_id"
        )
