"""DuckDB alone: load the logs into one table with one statement, or into the tables that sparkify builds.

    python duckdb_alone.py load LOGS SONGS OUT         one table of 18 typed columns, default settings
    python duckdb_alone.py load-star LOGS SONGS OUT    five tables with keys, through temporary staging
    python duckdb_alone.py count OUT

SONGS is not read. Types are explicit, as DuckDB's documentation of JSON loading advises for known types, so DuckDB does
not infer them. `load-star` does not validate records, and has no contract, ledger, quarantine, repair or checks. The
extra time of sparkify is the price of these. Its keys are sparkify's, but the key of a track is simpler.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import duckdb

TYPES = {
    "artist": "VARCHAR",
    "auth": "VARCHAR",
    "firstName": "VARCHAR",
    "gender": "VARCHAR",
    "itemInSession": "BIGINT",
    "lastName": "VARCHAR",
    "length": "DOUBLE",
    "level": "VARCHAR",
    "location": "VARCHAR",
    "method": "VARCHAR",
    "page": "VARCHAR",
    "registration": "DOUBLE",
    "sessionId": "BIGINT",
    "song": "VARCHAR",
    "status": "BIGINT",
    "ts": "BIGINT",
    "userAgent": "VARCHAR",
    "userId": "VARCHAR",
}

STAR = {
    "users": (
        "select userId as user_id, unnest(max_by(struct_pack(first_name := firstName, last_name := lastName,"
        " gender := gender, level := level, registered_at := epoch_ms(registration::bigint)), ts)),"
        " epoch_ms(max(ts)) as last_seen_at from staged where userId is not null group by userId"
    ),
    "tracks": (
        "select md5(concat_ws(':', song, artist, length)) as track_id, song as title, artist as artist_name,"
        " length as duration from (select distinct song, artist, length from staged where page = 'NextSong')"
    ),
    "songplays": (
        "select concat_ws('-', ts, sessionId, itemInSession, coalesce(userId, '')) as songplay_id,"
        " epoch_ms(ts) as start_time, userId as user_id, level, null::varchar as song_id, null::varchar as artist_id,"
        " sessionId as session_id, location, userAgent as user_agent, track_id from staged"
        " join tracks on title = song and artist_name = artist and coalesce(duration, -1) = coalesce(length, -1)"
        " where page = 'NextSong'"
    ),
    "page_views": (
        "select concat_ws('-', ts, sessionId, itemInSession, coalesce(userId, '')) as page_view_id,"
        " epoch_ms(ts) as start_time, userId as user_id, level, page, auth, method, status, sessionId as session_id,"
        " location, userAgent as user_agent from staged where page <> 'NextSong'"
    ),
    "time": (
        "select start_time, hour(start_time) as hour, day(start_time) as day, week(start_time) as week,"
        " month(start_time) as month, year(start_time) as year, dayofweek(start_time) as weekday"
        " from (select distinct epoch_ms(ts) as start_time from staged)"
    ),
}


def source(logs: str) -> str:
    """Return the SQL that reads the events."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in TYPES.items())
    return f"read_json('{logs}/**/*.json', columns = {{{columns}}})"


def load(logs: str, songs: str, out: str) -> None:  # noqa: ARG001 - every rival receives both
    """Load the logs into one table."""
    with duckdb.connect(out) as connection:
        connection.execute(f"create table events as select * from {source(logs)}")


def load_star(logs: str, songs: str, out: str) -> None:  # noqa: ARG001 - every rival receives both
    """Load the logs into five tables."""
    with duckdb.connect(out) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"create temp table staged as select * from {source(logs)}")
        connection.execute("begin")
        for table, select in STAR.items():
            connection.execute(f"create table {table} as {select}")
        connection.execute(
            "create view events as select start_time from songplays union all select start_time from page_views"
        )
        connection.execute("commit")


def count(out: str) -> None:
    """Print the number of events."""
    with duckdb.connect(out, read_only=True) as connection:
        [events] = connection.execute("select count(*) from events").fetchone() or [0]
    print(json.dumps({"events": events}))


WAYS: dict[str, Callable[..., None]] = {"load": load, "load-star": load_star, "count": count}

if __name__ == "__main__":
    way, *places = sys.argv[1:]
    WAYS[way](*places)
