"""Load generated logs into PostgreSQL; the rival is PostgreSQL's own COPY with hand-written INSERTs.

    .venv/bin/python benchmarks/postgres.py [--events 300000] [--songs 0] [--runs 3] [--server URL]

The rival starts from a CSV file prepared beforehand, in the server's own format. Its columns are the same, already
typed, repaired and deduplicated. The rival runs COPY into one unindexed table, then one plain INSERT … SELECT per table
of the star schema. It has no JSON, no ledger and no checks. Sparkify starts from the JSON files. Both are whole
processes and run in turn. Without --server, a temporary server is started, as in the tests.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.support.postgres import Server, server

RIVAL = """
import sys, psycopg
with psycopg.connect(sys.argv[1]) as connection:
    connection.execute('''create table events (artist text, auth text, first_name text, gender text, item bigint,
        last_name text, length double precision, level text, location text, method text, page text,
        registration bigint, session_id bigint, song text, status bigint, ts bigint, user_agent text, user_id text)''')
    with open(sys.argv[2], "rb") as rows, connection.cursor().copy("copy events from stdin (format csv)") as copy:
        while chunk := rows.read(1 << 18):
            copy.write(chunk)
    connection.execute("analyze events")
    moment = "timestamp '1970-01-01' + ts / 1000.0 * interval '1 second'"
    key = "ts || '-' || session_id || '-' || item || '-' || coalesce(user_id, '')"
    connection.execute('''create table tracks as select md5(song || artist || coalesce(length::text, '')) as track_id,
        song, artist, length from (select distinct song, artist, length from events where page = 'NextSong') as t''')
    connection.execute(f'''create table songplays as select {key} as songplay_id, {moment} as start_time, user_id,
        level, session_id, location, user_agent, t.track_id from events as e
        join tracks as t on t.song = e.song and t.artist = e.artist and coalesce(t.length, -1) = coalesce(e.length, -1)
        where page = 'NextSong' ''')
    connection.execute(f'''create table page_views as select {key} as page_view_id, {moment} as start_time, user_id,
        level, page, auth, method, status, session_id, location, user_agent from events where page <> 'NextSong' ''')
    connection.execute('''create table users as select distinct on (user_id) user_id, first_name, last_name, gender,
        level, ts from events where user_id is not null order by user_id, ts desc, item desc''')
    connection.execute(f'''create table time as select start_time, extract(hour from start_time) as hour,
        extract(day from start_time) as day, extract(week from start_time) as week,
        extract(month from start_time) as month, extract(year from start_time) as year,
        extract(dow from start_time) as weekday from (select distinct {moment} as start_time from events) as t''')
"""
EVENTS_A_USER_AND_DAY = 2.8
DAYS = 30


def main() -> None:
    """Generate, prepare, run in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--songs", type=int, default=0, help="songs to generate; about five times as many are played")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--server", metavar="URL", help="a server on which the login can create databases")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder,
        nullcontext(Server(options.server)) if options.server else server() as running,
    ):
        measure(Path(folder), running, options)


def prepare(logs: Path, csv: Path) -> None:
    """Write the logs to the CSV file that the rival starts from."""
    columns = (
        "artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page,"
        " registration::bigint, sessionId, song, status, ts, userAgent, nullif(userId::varchar, '')"
    )
    with duckdb.connect() as connection:
        connection.execute(f"copy (select {columns} from '{logs}/**/*.json') to '{csv}' (format csv, header false)")


def measure(folder: Path, running: Server, options: argparse.Namespace) -> None:
    """Time both loads."""
    data = folder / "data"
    users = max(1, round(options.events / DAYS / EVENTS_A_USER_AND_DAY))
    sparkify = [sys.executable, "-m", "sparkify"]
    made = ["generate", "--out", str(data), "--users", str(users), "--days", str(DAYS), "--songs", str(options.songs)]
    subprocess.run([*sparkify, *made], check=True)
    nothing = folder / "nothing"
    nothing.mkdir()
    csv = folder / "events.csv"
    prepare(data / "log_data", csv)
    times: dict[str, list[float]] = {"rival": [], "ours": []}
    rows: dict[str, str] = {}
    folders = ["--log-data", str(data / "log_data"), "--song-data", str(nothing)]
    etl = [*sparkify, "etl", "--allow-empty", *folders, "--warehouse"]
    for turn in range(options.runs + 1):
        for name in times:
            with running.database() as url:
                command = [*etl, url] if name == "ours" else [sys.executable, "-c", RIVAL, url, str(csv)]
                started = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                if turn:  # the first turn only warms files and server
                    times[name].append(time.perf_counter() - started)
                schema = "sparkify" if name == "ours" else "public"
                rows[name] = count(url, schema)
    if rows["ours"] != rows["rival"]:
        raise SystemExit(f"The row counts differ: sparkify {rows['ours']}; rival {rows['rival']}.")
    ratio = statistics.median(ours / rival for ours, rival in zip(times["ours"], times["rival"], strict=True))
    print(f"{rows['ours']}; medians of {options.runs} whole processes")
    print(f"COPY of prepared CSV, hand-written INSERTs {statistics.median(times['rival']):6.2f} s")
    print(
        f"sparkify etl from JSON                     {statistics.median(times['ours']):6.2f} s   {ratio:.2f} times that"
    )


def count(url: str, schema: str) -> str:
    """Return the row count of each table that both sides create."""
    import psycopg

    with psycopg.connect(url) as connection:
        tables = ("songplays", "page_views", "users", "time", "tracks")
        found = {
            table: connection.execute(f"select count(*) from {schema}.{table}".encode()).fetchone() for table in tables
        }
    return ", ".join(f"{number[0]:,} {table}" for table, number in found.items() if number)


if __name__ == "__main__":
    main()
