"""dlt into DuckDB: dlt loads both sources, then SQL builds the original's five tables.

    python dlt_star.py load LOGS SONGS OUT           with dlt's filesystem source and JSON Lines reader
    python dlt_star.py load-arrow LOGS SONGS OUT     with pyarrow's reader, whose tables need no normalization
    python dlt_star.py count OUT

`load` follows dlt's documentation for JSON Lines files, with large pages and all cores for normalization ("Optimizing
dlt"). `load-arrow` follows its documentation for existing tables ("Arrow Table / Pandas"); it requires custom code that
lists, reads and types. Both use Parquet between dlt's steps, drop page views while reading, and transform with the
destination's SQL client.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

CORES = {
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "20000",
    "NORMALIZE__WORKERS": str(os.cpu_count()),
    "NORMALIZE__START_METHOD": "spawn",
}
SETTINGS = {
    "NORMALIZE__LOADER_FILE_FORMAT": "parquet",
    "LOAD__WORKERS": str(os.cpu_count()),
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}
PAGE = 10_000
LOGS = {
    "artist": "string",
    "firstName": "string",
    "gender": "string",
    "lastName": "string",
    "length": "float64",
    "level": "string",
    "location": "string",
    "page": "string",
    "sessionId": "int64",
    "song": "string",
    "ts": "int64",
    "userAgent": "string",
    "userId": "string",
}
SONGS = {
    "artist_id": "string",
    "artist_latitude": "float64",
    "artist_longitude": "float64",
    "artist_location": "string",
    "artist_name": "string",
    "song_id": "string",
    "title": "string",
    "duration": "float64",
    "year": "int64",
}

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
    """Load with dlt's own reader, then build the five tables."""
    os.environ.update(CORES)
    from dlt.sources.filesystem import filesystem, read_jsonl

    def lines(name: str, place: str, keep: Callable[[Any], bool] | None = None) -> Any:
        folder, pattern = (place, "**/*.json") if Path(place).is_dir() else (str(Path(place).parent), Path(place).name)
        read = filesystem(bucket_url=Path(folder).as_uri(), file_glob=pattern) | read_jsonl(chunksize=PAGE)
        if keep:
            read.add_filter(keep)
        return read.with_name(name)

    plays = lines("plays", logs, lambda event: event["page"] == "NextSong")
    build([plays, lines("catalogue", songs)], out)


def load_arrow(logs: str, songs: str, out: str) -> None:
    """Load Arrow tables with dlt, then build the five tables."""
    import dlt
    import pyarrow.compute
    import pyarrow.json

    def read(content: Any, types: dict[str, str]) -> Any:
        schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in types.items()])
        rules = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        return pyarrow.json.read_json(content, parse_options=rules)

    def plays() -> Iterator[Any]:
        for path in sorted(Path(logs).rglob("*.json")):
            yield read(path, LOGS).filter(pyarrow.compute.field("page") == "NextSong").drop_columns(["page"])

    def catalogue() -> Iterator[Any]:
        paths = sorted(Path(songs).rglob("*.json"))
        for start in range(0, len(paths), PAGE):
            yield read(io.BytesIO(b"\n".join(path.read_bytes() for path in paths[start : start + PAGE])), SONGS)

    build([dlt.resource(plays, name="plays"), dlt.resource(catalogue, name="catalogue")], out)


def build(resources: list[Any], out: str) -> None:
    """Load the plays and the catalogue, then build the star schema."""
    os.environ.update(SETTINGS)
    import dlt

    pipeline = dlt.pipeline(
        "star", pipelines_dir=f"{out}.pipelines", destination=dlt.destinations.duckdb(out), dataset_name="staging"
    )
    pipeline.run(resources, write_disposition="replace")
    with pipeline.sql_client() as client:
        for table, select in STAR.items():
            client.execute_sql(f"create table main.{table} as {select.format(staging='staging')}")


def count(out: str) -> None:
    """Print the row count of each table."""
    with duckdb.connect(out, read_only=True) as connection:
        selects = {table: f"select count(*) from main.{table}" for table in STAR}
        selects["matched plays"] = "select count(song_id) from main.songplays"
        counts = {name: (connection.execute(select).fetchone() or [0])[0] for name, select in selects.items()}
    print(json.dumps(counts))


if __name__ == "__main__":  # dlt's workers import this file
    what, *places = sys.argv[1:]
    commands: dict[str, Callable[..., None]] = {"load": load, "load-arrow": load_arrow, "count": count}
    commands[what](*places)
