"""dbt with DuckDB: the project beside this file builds the original's five tables, one model each.

    python load.py load LOGS SONGS OUT    SONGS: a folder of one-song files, or one file with one song per line
    python load.py count OUT

Types are explicit, independent models run on four threads, and the logs are read once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import duckdb

PROJECT = Path(__file__).parent


def load(logs: str, songs: str, out: str) -> None:
    """Run the dbt project."""
    os.environ["STAR_OUT"] = out
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    from dbt.cli.main import dbtRunner

    variables = {
        "logs": f"{logs}/**/*.json",
        "songs": f"{songs}/**/*.json" if Path(songs).is_dir() else songs,
    }
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    made = ["--target-path", f"{out}.target", "--log-path", f"{out}.logs", "--no-partial-parse"]
    result = dbtRunner().invoke(["run", *folders, *made, "--vars", json.dumps(variables)])
    if not result.success:
        sys.exit(f"dbt run failed: {result.exception or result.result}")


def count(out: str) -> None:
    """Print the row count of each table."""
    with duckdb.connect(out, read_only=True) as connection:
        selects = {
            table: f"select count(*) from {table}" for table in ("songplays", "users", "songs", "artists", "time")
        }
        selects["matched plays"] = "select count(song_id) from songplays"
        counts = {name: (connection.execute(select).fetchone() or [0])[0] for name, select in selects.items()}
    print(json.dumps(counts))


if __name__ == "__main__":
    what, *places = sys.argv[1:]
    load(*places) if what == "load" else count(*places)
