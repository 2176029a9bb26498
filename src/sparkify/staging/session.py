"""What one reading of a batch shares: the connection, its settings, progress, and what was found beside the rows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import duckdb

from sparkify.sources.listing import Kind
from sparkify.staging.contract import CONTRACTS
from sparkify.staging.jsonpaths import JsonPaths

Progress = Callable[[int, int], None]
"""Called with the number of further bytes and further records that have been read."""

Left = list[bytes]
"""Lines of a file that are left to the exact path; all its other lines are staged."""


@dataclass
class Findings:
    """What was found in a batch of files beside its rows."""

    skipped: dict[str, str] = field(default_factory=dict)  # path → why the file was left out
    unknown_keys: dict[Kind, set[str]] = field(default_factory=lambda: {kind: set() for kind in CONTRACTS})


class Session:
    """The reading of one batch into the staging tables of an embedded DuckDB."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, progress: Progress, json_paths: JsonPaths | None = None
    ) -> None:
        self.run = connection.execute
        self.json_paths = json_paths  # of the logs
        self.findings = Findings()
        self._progress = progress
        self._one_at_a_time = Lock()

    def advance(self, size: int, records: int) -> None:
        """Report further bytes and records, from one thread at a time."""
        with self._one_at_a_time:
            self._progress(size, records)

    def rows(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Run one SELECT; return its rows."""
        return self.run(sql, parameters).fetchall()

    def changed(self, sql: str) -> int:
        """Run one statement; return how many rows it inserted or changed."""
        [rows] = self.run(sql).fetchone() or [0]
        return int(rows)

    def forget_events(self, files: Collection[int]) -> None:
        """Delete the staged events of some files."""
        if files:
            self.run(f"delete from staging_events where file_id in ({', '.join(map(str, files))})")
