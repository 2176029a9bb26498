"""Load nights into a PostgreSQL warehouse whose history grows: a night must cost by its size, not by the history's.

    .venv/bin/python benchmarks/nights.py [--plays 1 10 30] [--users 20000] [--runs 3] [--server URL]

The history is made in the tables: a load of a few days is copied into the past, with other keys and times, until the
warehouse holds so many millions of plays. Then `sparkify etl`, a whole process, loads in turn: the next day; a day that
is delivered again with one record changed; and songs that match no play. Each is timed against a warehouse of
the smallest history. Without --server, a temporary server is started, as in the tests.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import psycopg
from tests.support.postgres import Server, server

LOADED = 5  # days of the load that is copied into the past
CASES = ("a night", "a day again", "1,000 songs")
COPIES = (
    """insert into songplays
    select (ts - {days} * 86400000::bigint) || '-' || session_id || '-' || item_in_session || '-' || user_id,
        start_time - {days} * interval '1 day', user_id, level, song_id, artist_id, session_id, item_in_session,
        location, user_agent, track_id
    from (select *, split_part(songplay_id, '-', 1)::bigint as ts from songplays) as p
    where start_time >= '{first}'""",
    """insert into page_views
    select (ts - {days} * 86400000::bigint) || '-' || session_id || '-' || item_in_session || '-'
            || coalesce(user_id, ''), start_time - {days} * interval '1 day', user_id, level, page, auth, method,
        status, session_id, item_in_session, location, user_agent
    from (select *, split_part(page_view_id, '-', 1)::bigint as ts from page_views) as v
    where start_time >= '{first}'""",
    """insert into time select start_time - {days} * interval '1 day', hour, day, week, month, year, weekday
    from time where start_time >= '{first}'""",
)


def main() -> None:
    """Generate, fill the histories, run in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plays", type=float, nargs="+", default=[1, 10, 30], help="millions of plays")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--server", metavar="URL", help="a server on which the login can create databases")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder,
        nullcontext(Server(options.server)) if options.server else server() as running,
    ):
        generate(Path(folder), options)
        first: dict[str, float] = {}
        for plays in sorted(options.plays):
            with running.database() as url:
                found = fill(Path(folder), url, round(plays * 1e6))
                times = measure(Path(folder), url, options.runs)
            print(f"{found:,} plays")
            for case in CASES:
                taken = statistics.median(times[case])
                print(f"  {case:12} {taken:6.2f} s   {taken / first.setdefault(case, taken):.2f} times the first")


def sparkify(*arguments: str) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "sparkify", *arguments], check=True, stdout=subprocess.DEVNULL)


def generate(folder: Path, options: argparse.Namespace) -> None:
    """Write the days to load first, and set aside one day for each run."""
    days = LOADED + options.runs + 1
    sparkify("generate", "--out", str(folder), "--users", str(options.users), "--days", str(days), "--songs", "5000")
    (folder / "nights").mkdir()
    for log in sorted((folder / "log_data").rglob("*.json"))[LOADED:]:
        log.rename(folder / "nights" / log.name)


def fill(folder: Path, url: str, plays: int) -> int:
    """Load the first days, and copy them into the past until there are so many plays; return their number."""
    load(folder, url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set search_path to sparkify")
        first, loaded = connection.execute("select min(start_time), count(*) from songplays").fetchone() or (None, 0)
        for copy in range(1, -(-plays // loaded)):
            for sql in COPIES:
                connection.execute(sql.format(days=copy * LOADED, first=first.date()).encode())
        connection.execute("vacuum analyze")
        return int(loaded * max(1, -(-plays // loaded)))


def load(folder: Path, url: str) -> float:
    """Run etl; return its seconds."""
    started = time.perf_counter()
    sparkify(
        "etl", "--warehouse", url, "--log-data", str(folder / "log_data"), "--song-data", str(folder / "song_data")
    )
    return time.perf_counter() - started


def measure(folder: Path, url: str, runs: int) -> dict[str, list[float]]:
    """Time each case so many times, after a first time that only warms files and server."""
    times: dict[str, list[float]] = {case: [] for case in CASES}
    delivered = []
    for turn, night in enumerate(sorted((folder / "nights").iterdir())):
        log = folder / "log_data" / night.name
        os.link(night, log)
        delivered.append(log)
        times["a night"].append(load(folder, url))
        log.unlink()
        first, _, rest = night.read_text().partition("\n")
        log.write_text(json.dumps(json.loads(first) | {"userAgent": f"corrected {turn}"}) + "\n" + rest)
        times["a day again"].append(load(folder, url))
        for number in range(1000):
            path = folder / "song_data" / f"late-{turn}-{number}.json"
            path.write_text(json.dumps(song(f"SOLATE{turn}X{number}")))
            delivered.append(path)
        times["1,000 songs"].append(load(folder, url))
    for path in delivered:
        path.unlink()
    return {case: taken[1 : runs + 1] for case, taken in times.items()}


def song(song_id: str) -> dict[str, object]:
    """Return a song record that no play matches."""
    return {
        "song_id": song_id, "artist_id": f"AR{song_id}", "artist_name": f"Late {song_id}", "title": song_id,
        "num_songs": 1, "duration": 200.5, "year": 2000, "artist_location": "", "artist_latitude": None,
        "artist_longitude": None,
    }  # fmt: skip


if __name__ == "__main__":
    main()
