"""The usual course project, on DuckDB: pandas reads file by file, and every row is a separate INSERT.

    python student.py load LOGS SONGS OUT    SONGS: a folder of one-song files
    python student.py count OUT

As in common submissions, there is one transaction per file, values are bound, primary keys are declared, and one SELECT
per play finds its song.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
import pandas as pd

TABLES = (
    "create table songplays (songplay_id bigint primary key, start_time timestamp, user_id varchar, level varchar,"
    " song_id varchar, artist_id varchar, session_id bigint, location varchar, user_agent varchar)",
    "create table users (user_id varchar primary key, first_name varchar, last_name varchar, gender varchar,"
    " level varchar)",
    "create table songs (song_id varchar primary key, title varchar, artist_id varchar, year integer, duration double)",
    "create table artists (artist_id varchar primary key, name varchar, location varchar, latitude double,"
    " longitude double)",
    "create table time (start_time timestamp primary key, hour integer, day integer, week integer, month integer,"
    " year integer, weekday integer)",
)
FIND_SONG = (
    "select s.song_id, s.artist_id from songs s join artists a on a.artist_id = s.artist_id"
    " where s.title = ? and a.name = ? and s.duration = ?"
)


def load(logs: str, songs: str, out: str) -> None:
    """Build the five tables, row by row."""
    with duckdb.connect(out) as connection:
        for table in TABLES:
            connection.execute(table)
        for path in sorted(Path(songs).rglob("*.json")):
            load_song(connection, path)
        plays = 0
        for path in sorted(Path(logs).rglob("*.json")):
            connection.begin()
            plays = load_log(connection, path, plays)
            connection.commit()


def load_song(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Insert a song and its artist."""
    frame = pd.read_json(path, lines=True)
    connection.begin()
    for row in frame.astype(object).where(frame.notna(), None).itertuples():
        connection.execute(
            "insert into songs values (?, ?, ?, ?, ?) on conflict do nothing",
            [row.song_id, row.title, row.artist_id, row.year, row.duration],
        )
        connection.execute(
            "insert into artists values (?, ?, ?, ?, ?) on conflict do nothing",
            [row.artist_id, row.artist_name, row.artist_location, row.artist_latitude, row.artist_longitude],
        )
    connection.commit()


def load_log(connection: duckdb.DuckDBPyConnection, path: Path, plays: int) -> int:
    """Insert the plays of a file, their times and their users; return the number of plays so far."""
    frame = pd.read_json(path, lines=True, convert_dates=False, dtype={"userId": str})
    frame = frame[frame["page"] == "NextSong"]
    moments = pd.to_datetime(frame["ts"], unit="ms")
    for moment in moments:
        connection.execute(
            "insert into time values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
            [
                moment.to_pydatetime(),
                moment.hour,
                moment.day,
                moment.week,
                moment.month,
                moment.year,
                moment.weekday(),
            ],
        )
    for row in frame.itertuples():
        connection.execute(
            "insert into users values (?, ?, ?, ?, ?) on conflict (user_id) do update set level = excluded.level",
            [row.userId, row.firstName, row.lastName, row.gender, row.level],
        )
    for row, moment in zip(frame.itertuples(), moments, strict=True):
        found = connection.execute(FIND_SONG, [row.song, row.artist, row.length]).fetchone()
        plays += 1
        song_id, artist_id = found or (None, None)
        connection.execute(
            "insert into songplays values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                plays,
                moment.to_pydatetime(),
                row.userId,
                row.level,
                song_id,
                artist_id,
                row.sessionId,
                row.location,
                row.userAgent,
            ],
        )
    return plays


def count(out: str) -> None:
    """Print the row count of each table, but not of matched plays: those depend on the first insert of an artist."""
    with duckdb.connect(out, read_only=True) as connection:
        counts = {
            table: (connection.execute(f"select count(*) from {table}").fetchone() or [0])[0]
            for table in ("songplays", "users", "songs", "artists", "time")
        }
    print(json.dumps(counts))


if __name__ == "__main__":
    what, *places = sys.argv[1:]
    load(*places) if what == "load" else count(*places)
