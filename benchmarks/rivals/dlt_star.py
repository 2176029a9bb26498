"""dlt into DuckDB: its filesystem source loads both sources, then SQL makes the five tables of the original.

    python dlt_star.py load LOGS SONGS OUT    SONGS: a folder of one-song files, or one file with a song a line
    python dlt_star.py count OUT

As dlt's documentation advises: its own reader of JSON lines, large pages (its page on performance), Parquet between
its steps, files cut so that the normalizing can use every core, and transformations by the destination's SQL client.
Page views are dropped as they are read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

SETTINGS = {
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "20000",
    "NORMALIZE__WORKERS": str(os.cpu_count()),
    "NORMALIZE__START_METHOD": "spawn",
    "NORMALIZE__LOADER_FILE_FORMAT": "parquet",
    "LOAD__WORKERS": str(os.cpu_count()),
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}
PAGE = 10_000

STAR = {
    "songs": "select song_id, title, artist_id, nullif(year, 0) as year, duration from {staging}.catalogue",
    "artists": "select artist_id, any_value(artist_name) as name, any_value(artist_location) as location,"
    " any_value(artist_latitude) as latitude, any_value(artist_longitude) as longitude"
    " from {staging}.catalogue group by artist_id",
    "users": "select user_id, arg_max(first_name, ts) as first_name, arg_max(last_name, ts) as last_name,"
    " arg_max(gender, ts) as gender, arg_max(level, ts) as level from {staging}.plays group by user_id",
    "time": "select start_time, hour(start_time) as hour, day(start_time) as day, week(start_time) as week,"
    " month(start_time) as month, year(start_time) as year, dayofweek(start_time) as weekday"
    " from (select distinct make_timestamp(ts * 1000) as start_time from {staging}.plays)",
    "songplays": "select row_number() over () as songplay_id, make_timestamp(p.ts * 1000) as start_time, p.user_id,"
    " p.level, s.song_id, s.artist_id, p.session_id, p.location, p.user_agent from {staging}.plays as p"
    " left join {staging}.catalogue as s"
    " on s.title = p.song and s.artist_name = p.artist and s.duration = p.length",
}


def load(logs: str, songs: str, out: str) -> None:
    """Load with dlt, then build the five tables."""
    os.environ.update(SETTINGS)
    import dlt
    from dlt.sources.filesystem import filesystem, read_jsonl

    def lines(name: str, place: str, keep: Callable[[Any], bool] | None = None) -> Any:
        folder, pattern = (place, "**/*.json") if Path(place).is_dir() else (str(Path(place).parent), Path(place).name)
        read = filesystem(bucket_url=Path(folder).as_uri(), file_glob=pattern) | read_jsonl(chunksize=PAGE)
        if keep:
            read.add_filter(keep)
        return read.with_name(name)

    pipeline = dlt.pipeline(
        "star", pipelines_dir=f"{out}.pipelines", destination=dlt.destinations.duckdb(out), dataset_name="staging"
    )
    plays = lines("plays", logs, lambda event: event["page"] == "NextSong")
    pipeline.run([plays, lines("catalogue", songs)], write_disposition="replace")
    with pipeline.sql_client() as client:
        for table, select in STAR.items():
            client.execute_sql(f"create table main.{table} as {select.format(staging='staging')}")


def count(out: str) -> None:
    """Print how many rows each table has."""
    with duckdb.connect(out, read_only=True) as connection:
        selects = {table: f"select count(*) from main.{table}" for table in STAR}
        selects["matched plays"] = "select count(song_id) from main.songplays"
        counts = {name: (connection.execute(select).fetchone() or [0])[0] for name, select in selects.items()}
    print(json.dumps(counts))


if __name__ == "__main__":  # dlt's workers import this file
    what, *places = sys.argv[1:]
    load(*places) if what == "load" else count(*places)
