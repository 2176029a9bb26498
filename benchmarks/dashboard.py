"""Make pages of the dashboard; the rival is a plain statement that counts distinct listeners and plays per day.

    .venv/bin/python -m benchmarks.dashboard [--users 20000] [--days 105] [--songs 5000]

On DuckDB, one page after the other, as a visitor asks for them: the first, then other filters. Prints the time of each
page, and its ratio to that statement. The defaults generate five million plays, which takes 4 GB of disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from benchmarks.views import RIVAL, filled

from sparkify import config
from sparkify.report.dashboard import Pages
from sparkify.sql.selection import EVERYTHING, Selection
from sparkify.warehouse.connect import open_warehouse

ARTIST = "select artist_name from top_artists order by plays desc, artist_name limit 1"
USER = "select user_id from songplays group by user_id order by count(*) desc, user_id limit 1"


def main() -> None:
    """Generate and load the data, make the pages, print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=105)
    parser.add_argument("--songs", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        measure(filled(Path(folder), options.users, options.days, options.songs))


def measure(url: str) -> None:
    """Time the pages of a warehouse."""
    with open_warehouse(url, read_only=True) as engine:
        engine.rows(RIVAL)
        started = time.perf_counter()
        engine.rows(RIVAL)
        by_hand = time.perf_counter() - started
        [(first, last, plays)] = engine.rows("select min(start_time), max(start_time), count(*) from songplays")
        artist, user = engine.value(ARTIST), engine.value(USER)
    month = Selection(last.date() - timedelta(days=29), last.date())
    asked = {
        "first page": EVERYTHING,
        "last 30 days": month,
        "without the first 14 days": Selection(first.date() + timedelta(days=14)),
        "an artist": Selection(artist=artist),
        "an artist, 30 days": replace(month, artist=artist),
        "a listener": Selection(user=user),
        "level paid": Selection(level="paid"),
    }
    pages = Pages(config.load(environ={}, warehouse=url))
    print(f"{plays:,} plays; the plain statement takes {by_hand:.2f} s")
    for name, selection in asked.items():
        started = time.perf_counter()
        pages.get(selection)
        taken = time.perf_counter() - started
        print(f"{name:26} {taken:6.2f} s  {taken / by_hand:6.1f} times the plain statement")


if __name__ == "__main__":
    main()
