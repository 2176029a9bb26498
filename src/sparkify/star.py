"""From staging to the star: settle what is a duplicate, then add and change rows, table by table."""

from __future__ import annotations

from sparkify import queries, tables
from sparkify.engines.base import Engine

ORDER = ("catalogue", "songs", "artists", "users", "tracks", "songplays", "page_views", "time")
"""The tables in the order in which a batch goes into them, each from the star file of its name."""

Changed = dict[str, int]
"""Table → how many of its rows a batch added or changed."""

_HAS_KEY = """
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
"""


def publish(engine: Engine) -> Changed:
    """Bring the star up to date with what is staged."""
    changed: Changed = dict.fromkeys(ORDER, 0)
    songs, events = (engine.value(f"select count(*) from {table}") for table in ("staging_songs", "staging_events"))
    if songs:
        _settle_songs(engine)
        for table in ("catalogue", "songs", "artists"):
            changed[table], _ = _upsert(engine, table)
        engine.execute("delete from artists where artist_id not in (select artist_id from catalogue)")
    replaced = 0
    if events:
        # Before duplicates go: of two events with one key, the user may be in the one that does not stand.
        changed["users"], _ = _upsert(engine, "users")
        replaced = _settle_events(engine)
    changed["tracks"], known_tracks = _upsert(engine, "tracks")
    if known_tracks:  # nearly never without songs, and to look through all plays takes the longer the more there are
        _match_known_plays(engine)
    if events:
        for table in ("songplays", "page_views", "time"):
            changed[table] = _insert(engine, table)
    if replaced:
        engine.execute("delete from tracks where track_id not in (select track_id from songplays)")
    return changed


def _make(engine: Engine, table: str, select: str) -> None:
    """Make a temporary table of a SELECT."""
    engine.execute(f"drop table if exists {engine.temporary}{table}")
    engine.execute(f"create temp table {table} as {select}")


def _insert(engine: Engine, table: str) -> int:
    """Add the rows that a star file gives, none of which the table has."""
    added = engine.execute(f"insert into {table} {queries.read(f'star/{table}', engine.name)}")
    if added:
        engine.analyze(table)
    return added


def _upsert(engine: Engine, table: str) -> tuple[int, int]:
    """Put the rows that a star file gives in the place of those with the same keys; return how many, and of those."""
    key = tables.KEYS[table]
    _make(engine, f"new_{table}", queries.read(f"star/{table}", engine.name))
    replaced = engine.execute(f"delete from {table} using new_{table} as n where {table}.{key} = n.{key}")
    changed = engine.execute(f"insert into {table} select * from new_{table}")
    if changed:
        engine.analyze(table)
    return changed, replaced


def _settle_songs(engine: Engine) -> None:
    """Mark the staged song records that change nothing."""
    _make(engine, "settled_songs", queries.read("settle/settled_songs", engine.name))
    engine.execute("delete from staging_songs")
    engine.execute("insert into staging_songs select * from settled_songs")


def _settle_events(engine: Engine) -> int:
    """Mark the staged events that change nothing, and take out what others replace; return how many plays go."""
    _make(engine, "known_events", queries.read("settle/known_events", engine.name))
    # Nearly all that comes again says the same again. Where it does not, its key is contested, and settled below.
    engine.execute(f"update staging_events set duplicate = true from known_events as k where {_HAS_KEY}")
    _make(engine, "contested_keys", queries.read("settle/contested_keys", engine.name))
    if not engine.value("select count(*) from contested_keys"):
        return 0
    _make(engine, "settled_events", queries.read("settle/settled_events", engine.name))
    engine.execute(f"delete from staging_events using contested_keys as k where {_HAS_KEY}")
    engine.execute(f"insert into staging_events {queries.read('settle/settled_rows', engine.name)}")
    engine.execute(
        "delete from page_views using settled_events as s"
        " where s.replaces and not s.is_play and page_views.page_view_id = s.event_id"
    )
    return engine.execute(
        "delete from songplays using settled_events as s"
        " where s.replaces and s.is_play and songplays.songplay_id = s.event_id"
    )


def _match_known_plays(engine: Engine) -> int:
    """Tell the plays that are known what the catalogue now says of their tracks."""
    return engine.execute(
        "update songplays set song_id = n.song_id, artist_id = n.artist_id"
        " from new_tracks as n where songplays.track_id = n.track_id"
    )
