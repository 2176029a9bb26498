"""Write staging tables to files for COPY, and quarantine the rows that COPY rejects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkify.sql import loader
from sparkify.sql.quoting import literal

if TYPE_CHECKING:
    import duckdb

SLICES_UNKNOWN = 8
"""Assumed number of slices of a Serverless workgroup, which does not report it."""

LOAD_ERRORS = """
select trim(file_name), line_number, trim(column_name), trim(error_message), trim(column_length)
from sys_load_error_detail
where query_id = pg_last_copy_id()
order by file_name, line_number
"""
"""The SELECT of the rows that the last COPY rejected."""

LoadError = tuple[str, int, str, str, str | None]
"""A row of LOAD_ERRORS: file, line, column, message, length of the column in bytes."""

_ROWS_PER_FILE = 500_000  # about 20 MB compressed; the guide advises 1 MB to 1 GB ("Loading data files")
_ROWS_WORTH_SPLITTING = 10_000
_LONGEST_RECORD = 16_000  # characters kept of a rejected record: at four bytes each, they fit varchar(65535)
_COLUMNS = {
    "staging_events": "*, cast(length as varchar) as length_text",
    "staging_rejects": (
        f"* replace (case when strlen(record) > {4 * _LONGEST_RECORD} then left(record, {_LONGEST_RECORD})"
        " || ' … (' || strlen(record) || ' bytes in all)' else record end as record)"
    ),
}
_RECORD_TABLES = ("staging_events", "staging_songs")
_ADDED = ("file_id", "position", "duplicate", "length_text")  # columns of staging that no source record has


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return the number of rows of a table in the embedded database."""
    [rows] = connection.execute(f"select count(*) from {table}").fetchone() or [0]
    return int(rows)


def write_parts(
    connection: duckdb.DuckDBPyConnection, table: str, folder: Path, slices: int, first: int = 0
) -> list[Path]:
    """Write a staging table to compressed files of equal size, whose number is a multiple of the slices.

    The files are numbered from `first`.
    """
    rows = count_rows(connection, table)
    number = slices * -(-rows // (slices * _ROWS_PER_FILE)) if rows >= _ROWS_WORTH_SPLITTING else 1
    parts = [folder / f"{table}.{first + part}.json.gz" for part in range(number if rows else 0)]
    for part, path in enumerate(parts):
        connection.execute(
            f"copy (select {_COLUMNS.get(table, '*')} from {table} where rowid % {number} = {part})"
            f" to {literal(str(path))} (format json, compression gzip)"
        )
    return parts


def create_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    """Create an empty staging_rejects in the embedded database, for the rows that COPY rejects."""
    connection.execute("drop table if exists temp.staging_rejects")
    connection.execute(loader.read("tables/staging_rejects", "duckdb"))


def can_quarantine(table: str, rejected: int, errors: Sequence[LoadError], parts: Collection[str]) -> bool:
    """Return whether every rejected row is a record whose part and line are known."""
    return table in _RECORD_TABLES and len(errors) == rejected and all(part in parts for part, *_ in errors)


def quarantine(connection: duckdb.DuckDBPyConnection, errors: Iterable[LoadError], part: Path) -> None:
    """Add the rows of a part that COPY rejected to staging_rejects, with their text as staged and COPY's reason.

    The errors are in the order of their lines.
    """
    with gzip.open(part, "rt", encoding="utf-8") as lines:
        numbered = enumerate(lines, 1)
        for _, line, column, message, length in errors:
            row: dict[str, Any] = json.loads(next(text for number, text in numbered if number == line))
            field = next((key for key in row if key.lower() == column.lower()), column)
            record = {key: value for key, value in row.items() if key not in _ADDED}
            connection.execute(
                "insert into staging_rejects values (?, null, ?, ?)",
                [row["file_id"], f"{field}: {_reason(message, length)}"[:200], json.dumps(record, ensure_ascii=False)],
            )


def _reason(message: str, length: str | None) -> str:
    """Translate a message of COPY into that of the contract ("Load error reference", the guide)."""
    if "exceeds DDL length" in message:
        return f"longer than {length} bytes"
    if "Invalid digit" in message:
        return "not a whole number"
    if "Overflow" in message:
        return "out of range"
    return message
