"""DuckDB's own one-statement load of the logs: 18 typed columns into a file, default settings. No star, no checks.

    python duckdb_ctas.py load LOGS SONGS OUT    SONGS is not read
    python duckdb_ctas.py count OUT

Types are given, as DuckDB's documentation of JSON loading advises where they are known: nothing has to be guessed.
"""

from __future__ import annotations

import json
import sys

import duckdb

TYPES = {
    "artist": "VARCHAR",
    "auth": "VARCHAR",
    "firstName": "VARCHAR",
    "gender": "VARCHAR",
    "itemInSession": "BIGINT",
    "lastName": "VARCHAR",
    "length": "DOUBLE",
    "level": "VARCHAR",
    "location": "VARCHAR",
    "method": "VARCHAR",
    "page": "VARCHAR",
    "registration": "DOUBLE",
    "sessionId": "BIGINT",
    "song": "VARCHAR",
    "status": "BIGINT",
    "ts": "BIGINT",
    "userAgent": "VARCHAR",
    "userId": "VARCHAR",
}


def load(logs: str, songs: str, out: str) -> None:  # noqa: ARG001 - every rival is given both
    """Load the logs into one table."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in TYPES.items())
    with duckdb.connect(out) as connection:
        connection.execute(
            f"create table events as select * from read_json('{logs}/**/*.json', columns = {{{columns}}})"
        )


def count(out: str) -> None:
    """Print how many rows there are."""
    with duckdb.connect(out, read_only=True) as connection:
        [events] = connection.execute("select count(*) from events").fetchone() or [0]
    print(json.dumps({"events": events}))


if __name__ == "__main__":
    what, *places = sys.argv[1:]
    load(*places) if what == "load" else count(*places)
