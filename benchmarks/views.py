"""Query each whole view; the rival is a plain statement that counts distinct listeners and plays per day.

    .venv/bin/python benchmarks/views.py [--users 6200] [--days 60] [--songs 2000] [--runs 5]

On DuckDB, in turn, after one turn to warm the file. All rows are fetched; of `events`, one column is aggregated. Prints
medians and ratios to that statement.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse

RIVAL = "select cast(start_time as date), count(distinct user_id), count(*) from songplays group by 1"


def main() -> None:
    """Generate and load the data, run the queries, print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=6200)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--songs", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        measure(Path(folder), options)


def filled(folder: Path, users: int, days: int, songs: int) -> str:
    """Return the URL of a warehouse in a folder, with generated data."""
    url, data = f"duckdb:///{folder / 'sparkify.duckdb'}", folder / "data"
    size = ["--users", str(users), "--days", str(days), "--songs", str(songs)]
    sources = ["--log-data", str(data / "log_data"), "--song-data", str(data / "song_data"), "--warehouse", url]
    for command in (["generate", "--out", str(data), *size], ["etl", *sources]):
        subprocess.run([sys.executable, "-m", "sparkify", *command], check=True, stdout=subprocess.DEVNULL)
    return url


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Time the views on a generated warehouse."""
    url = filled(folder, options.users, options.days, options.songs)
    asked = {"by hand": RIVAL, **{view: f"select * from {view}" for view in model.VIEWS}}
    asked["events"] = "select max(item_in_session) from events"  # fetching a million rows would time Python
    times: dict[str, list[float]] = {name: [] for name in asked}
    with open_warehouse(url, read_only=True) as engine:
        events = engine.value("select count(*) from events")
        for turn in range(options.runs + 1):
            for name, sql in asked.items():
                started = time.perf_counter()
                engine.rows(sql)
                if turn:
                    times[name].append(time.perf_counter() - started)
    print(f"{events:,} events; medians of {options.runs}")
    for name, taken in times.items():
        ratio = statistics.median(ours / rival for ours, rival in zip(taken, times["by hand"], strict=True))
        print(f"{name:20} {statistics.median(taken):7.3f} s  {ratio:6.1f} times the plain statement")


if __name__ == "__main__":
    main()
