"""First load of generated logs against DuckDB's own one-statement load of the same files.

    .venv/bin/python benchmarks/first_load.py [--events 1000000] [--songs 20000] [--runs 5]

Both are whole processes, started in turn, warm files. The rival stores the 18 typed columns in a DuckDB file with
default settings: no star, no ledger, no checks, no keys. Ours loads the logs with an empty catalogue folder, and then,
timed apart, the one-song files. Prints medians and the ratio.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RIVAL = """
import duckdb, sys
types = {"itemInSession": "BIGINT", "length": "DOUBLE", "registration": "DOUBLE", "sessionId": "BIGINT",
         "status": "BIGINT", "ts": "BIGINT"}
names = "artist auth firstName gender itemInSession lastName length level location method page registration sessionId"
names = (names + " song status ts userAgent userId").split()
columns = ", ".join(f"'{name}': '{types.get(name, 'VARCHAR')}'" for name in names)
with duckdb.connect(sys.argv[2]) as connection:
    connection.execute(
        f"create table events as select * from read_json('{sys.argv[1]}/**/*.json', columns = {{{columns}}})"
    )
"""
EVENTS_A_USER_AND_DAY = 2.8
DAYS = 30


def main() -> None:
    """Generate, run in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--songs", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        measure(Path(folder), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Time both loads over the same files."""
    data = folder / "data"
    users = max(1, round(options.events / DAYS / EVENTS_A_USER_AND_DAY))
    sparkify = [sys.executable, "-m", "sparkify"]
    made = ["generate", "--out", str(data), "--users", str(users), "--days", str(DAYS), "--songs", str(options.songs)]
    subprocess.run([*sparkify, *made], check=True)
    logs, songs, nothing = data / "log_data", data / "song_data", folder / "nothing"
    nothing.mkdir()
    size = sum(path.stat().st_size for path in logs.rglob("*.json"))
    print(f"{size / 1e6:,.0f} MB of logs, {options.songs:,} song files; medians of {options.runs} whole processes")

    def etl(log_data: Path, song_data: Path) -> list[str]:
        warehouse = f"duckdb:///{folder / 'ours.duckdb'}"
        return [*sparkify, "etl", "--log-data", str(log_data), "--song-data", str(song_data), "--warehouse", warehouse]

    rival = [sys.executable, "-c", RIVAL, str(logs), str(folder / "rival.duckdb")]
    times: dict[str, list[float]] = {"rival": [], "ours": [], "songs": []}
    for turn in range(options.runs + 1):
        for name, command in (("rival", rival), ("ours", etl(logs, nothing)), ("songs", etl(nothing, songs))):
            if name != "songs":
                for old in folder.glob(f"{name}.duckdb*"):
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if turn:  # the first turn warms the files
                times[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(ours / rival for ours, rival in zip(times["ours"], times["rival"], strict=True))
    print(f"DuckDB's CREATE TABLE AS SELECT * FROM read_json  {medians['rival']:6.2f} s")
    print(f"sparkify etl, the whole star                      {medians['ours']:6.2f} s   {ratio:.2f} times the rival")
    print(f"sparkify etl, {options.songs:,} one-song files onto that      {medians['songs']:6.2f} s")


if __name__ == "__main__":
    main()
