"""The state of reading one batch: the connection, its settings, the progress, and findings other than rows."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

import duckdb

from sparkify.sources.listing import Kind
from sparkify.staging.contract import CONTRACTS, Contract
from sparkify.staging.jsonpaths import JsonPaths

Progress = Callable[[int, int], None]
"""A function that is called with the number of further bytes and further records read."""

FallbackLines = list[bytes]
"""The lines of a file that fall back to the exact path; the fast path has staged all its other lines."""


class UnknownKey(NamedTuple):
    """Where a key outside the contract was found."""

    records: int
    first_file: str

    def plus(self, other: "UnknownKey") -> "UnknownKey":
        """Add the records of a later batch."""
        return UnknownKey(self.records + other.records, self.first_file)


UnknownKeys = dict[str, UnknownKey]


@dataclass
class Findings:
    """The skipped files and notable contents of a batch."""

    skipped: dict[str, str] = field(default_factory=dict)  # path → why the file was skipped
    unknown_keys: dict[Kind, UnknownKeys] = field(default_factory=lambda: {kind: {} for kind in CONTRACTS})
    is_sampled: bool = False  # whether the unknown keys of large logs are those of a sample
    implausible: Counter[str] = field(default_factory=Counter)  # field → values that became null
    ahead: int = 0  # events that are later than the clock


class Session:
    """The reading of one batch into the staging tables of an embedded DuckDB."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        progress: Progress,
        contracts: dict[Kind, Contract],
        json_paths: JsonPaths | None = None,
    ) -> None:
        self.run = connection.execute
        self.contracts = contracts
        self.json_paths = json_paths  # of the logs
        self.findings = Findings()
        self._progress = progress
        self._lock = Lock()

    def advance(self, size: int, records: int) -> None:
        """Report further bytes and records, from one thread at a time."""
        with self._lock:
            self._progress(size, records)

    def rows(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Run one SELECT; return its rows."""
        return self.run(sql, parameters).fetchall()

    def changed(self, sql: str) -> int:
        """Run one statement; return the number of rows that it inserted or changed."""
        [rows] = self.run(sql).fetchone() or [0]
        return int(rows)

    def count_keys(self, shapes: str) -> dict[str, tuple[int, str]]:
        """Return each key with its number of records and the first file; `shapes` has keys, records and file_id."""
        counted = self.rows(
            "select key, records, path from (select key, sum(records) as records, min(file_id) as first"
            f" from (select unnest(list_distinct(keys)) as key, records, file_id from {shapes}) as named"
            " group by key) as keys"
            " join staging_files on file_id = first order by key"
        )
        return {key: (int(records), path) for key, records, path in counted}

    def delete_events(self, files: Collection[int]) -> None:
        """Delete the staged events of some files, given their numbers."""
        if files:
            self.run(f"delete from staging_events where file_id in ({', '.join(map(str, files))})")
