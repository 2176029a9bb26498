"""From staging to the star schema: deduplicate the batch, then add and change rows, table by table."""

from __future__ import annotations

from sparkify.sql import loader, model
from sparkify.warehouse.base import Warehouse

Changed = dict[str, int]
"""Table → how many of its rows a batch added or changed."""

_HAS_KEY = """
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
"""


def transform(warehouse: Warehouse) -> Changed:
    """Bring catalogue, dimensions and facts up to date with what is staged."""
    changed: Changed = dict.fromkeys(model.ORDER, 0)
    songs, events = (warehouse.value(f"select count(*) from {table}") for table in ("staging_songs", "staging_events"))
    if songs:
        _deduplicate_songs(warehouse)
        for table in ("catalogue", "songs", "artists"):
            changed[table], _ = _upsert(warehouse, table)
        warehouse.execute("delete from artists where artist_id not in (select artist_id from catalogue)")
    replaced = 0
    if events:
        # Before duplicates go: of two events with one key, the latest state of the user may be in the duplicate.
        changed["users"], _ = _upsert(warehouse, "users")
        replaced = _deduplicate_events(warehouse)
    changed["tracks"], known_tracks = _upsert(warehouse, "tracks")
    if known_tracks:  # rare without new songs, and scanning every play is expensive
        _match_known_plays(warehouse)
    if events:
        for table in ("songplays", "page_views", "time"):
            changed[table] = _insert(warehouse, table)
    if replaced:
        warehouse.execute("delete from tracks where track_id not in (select track_id from songplays)")
    return changed


def statements(table: str, warehouse: type[Warehouse]) -> list[str]:
    """Return the statements with which a batch adds and changes the rows of a table."""
    select = loader.read(f"transform/{table}", warehouse.engine)
    if table in ("songplays", "page_views", "time"):
        return [f"insert into {table} {select}"]
    return [*_create(f"new_{table}", select, warehouse.temporary), *_replace(table)]


def _create(table: str, select: str, temporary: str) -> tuple[str, str]:
    """Return the statements that create a temporary table from a SELECT."""
    return f"drop table if exists {temporary}{table}", f"create temp table {table} as {select}"


def _replace(table: str) -> tuple[str, str]:
    """Return the statements that put the rows of new_<table> in the place of those with the same keys."""
    key = model.KEYS[table]
    return (
        f"delete from {table} using new_{table} as n where {table}.{key} = n.{key}",
        f"insert into {table} select * from new_{table}",
    )


def _make(warehouse: Warehouse, name: str) -> None:
    """Create the temporary table of a file of sql/deduplicate."""
    for statement in _create(name, loader.read(f"deduplicate/{name}", warehouse.engine), warehouse.temporary):
        warehouse.execute(statement)


def _insert(warehouse: Warehouse, table: str) -> int:
    """Add the batch's rows, none of which the table has; return how many."""
    [insert] = statements(table, type(warehouse))
    added = warehouse.execute(insert)
    if added:
        warehouse.analyze(table)
    return added


def _upsert(warehouse: Warehouse, table: str) -> tuple[int, int]:
    """Add the batch's rows, or put them in the place of those with the same keys; return how many, and how many of these."""
    drop, create, delete, insert = statements(table, type(warehouse))
    warehouse.execute(drop)
    warehouse.execute(create)
    replaced = warehouse.execute(delete)
    changed = warehouse.execute(insert)
    if changed:
        warehouse.analyze(table)
    return changed, replaced


def _deduplicate_songs(warehouse: Warehouse) -> None:
    """Mark the staged song records that change nothing."""
    _make(warehouse, "marked_songs")
    warehouse.execute("delete from staging_songs")
    warehouse.execute("insert into staging_songs select * from marked_songs")


def _deduplicate_events(warehouse: Warehouse) -> int:
    """Mark the staged events that change nothing, and delete facts that others replace; return how many plays."""
    _make(warehouse, "known_events")
    # Nearly all redelivered events are equal to the known ones. Where they differ, the key is contested; see below.
    warehouse.execute(f"update staging_events set duplicate = true from known_events as k where {_HAS_KEY}")
    _make(warehouse, "contested_keys")
    if not warehouse.value("select count(*) from contested_keys"):
        return 0
    _make(warehouse, "decided_events")
    warehouse.execute(f"delete from staging_events using contested_keys as k where {_HAS_KEY}")
    decided = loader.read("deduplicate/decided_rows", warehouse.engine)
    warehouse.execute(f"insert into staging_events {decided}")
    warehouse.execute(
        "delete from page_views using decided_events as d"
        " where d.replaces and not d.is_play and page_views.page_view_id = d.event_id"
    )
    return warehouse.execute(
        "delete from songplays using decided_events as d"
        " where d.replaces and d.is_play and songplays.songplay_id = d.event_id"
    )


def _match_known_plays(warehouse: Warehouse) -> None:
    """Copy to known plays what the catalogue now knows of their tracks."""
    warehouse.execute(
        "update songplays set song_id = n.song_id, artist_id = n.artist_id"
        " from new_tracks as n where songplays.track_id = n.track_id"
    )
