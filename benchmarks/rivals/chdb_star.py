"""Embedded ClickHouse (chdb): build the original's five tables as MergeTree tables in a folder.

    python chdb_star.py load LOGS SONGS OUT    SONGS: a folder of one-song files, or one file with one song per line
    python chdb_star.py count OUT

The logs are read once, with explicit types, into an in-memory table of the plays and the required columns. The star
schema is built from that table. Sorting keys are the columns that queries filter by, as ClickHouse's documentation of
MergeTree advises.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import chdb

LOGS = (
    "artist Nullable(String), firstName Nullable(String), gender Nullable(String), lastName Nullable(String),"
    " length Nullable(Float64), level Nullable(String), location Nullable(String), page String, sessionId Int64,"
    " song Nullable(String), ts Int64, userAgent Nullable(String), userId String"
)
SONGS = (
    "artist_id String, artist_latitude Nullable(Float64), artist_longitude Nullable(Float64),"
    " artist_location Nullable(String), artist_name String, song_id String, title String, duration Float64, year Int32"
)
STATEMENTS = (
    "create table plays engine = Memory as select * except page from file('{logs}', JSONEachRow, '{LOGS}')"
    " where page = 'NextSong'",
    "create table catalogue engine = Memory as select * from file('{songs}', JSONEachRow, '{SONGS}')",
    "create table songs engine = MergeTree order by song_id as"
    " select song_id, title, artist_id, nullIf(year, 0) as year, duration from catalogue",
    "create table artists engine = MergeTree order by artist_id as"
    " select artist_id, any(artist_name) as name, any(artist_location) as location,"
    " any(artist_latitude) as latitude, any(artist_longitude) as longitude from catalogue group by artist_id",
    "create table users engine = MergeTree order by user_id as"
    " select userId as user_id, argMax(firstName, ts) as first_name, argMax(lastName, ts) as last_name,"
    " argMax(gender, ts) as gender, argMax(level, ts) as level from plays group by userId",
    "create table time engine = MergeTree order by start_time as"
    " select start_time, toHour(start_time) as hour, toDayOfMonth(start_time) as day, toISOWeek(start_time) as week,"
    " toMonth(start_time) as month, toYear(start_time) as year, toDayOfWeek(start_time) as weekday"
    " from (select distinct fromUnixTimestamp64Milli(ts, 'UTC') as start_time from plays)",
    "create table songplays engine = MergeTree order by start_time as"
    " select generateUUIDv7() as songplay_id, fromUnixTimestamp64Milli(p.ts, 'UTC') as start_time,"
    " p.userId as user_id, p.level as level, s.song_id as song_id, s.artist_id as artist_id,"
    " p.sessionId as session_id, p.location as location, p.userAgent as user_agent"
    " from plays as p left join catalogue as s"
    " on p.song = s.title and p.artist = s.artist_name and p.length = s.duration settings join_use_nulls = 1",
    "drop table plays",
    "drop table catalogue",
)


def load(logs: str, songs: str, out: str) -> None:
    """Build the five tables."""
    sources = {
        "logs": f"{logs}/**/*.json",
        "songs": f"{songs}/**/*.json" if Path(songs).is_dir() else songs,
        "LOGS": LOGS,
        "SONGS": SONGS,
    }
    connection = chdb.connect(out)
    for statement in STATEMENTS:
        connection.query(statement.format(**sources))
    connection.close()


def count(out: str) -> None:
    """Print the row count of each table."""
    connection = chdb.connect(out)
    counts = {
        table: int(str(connection.query(f"select count() from {table}", "TSV")))
        for table in ("songplays", "users", "songs", "artists", "time")
    }
    counts["matched plays"] = int(str(connection.query("select count(song_id) from songplays", "TSV")))
    connection.close()
    print(json.dumps(counts))


if __name__ == "__main__":
    what, *places = sys.argv[1:]
    load(*places) if what == "load" else count(*places)
