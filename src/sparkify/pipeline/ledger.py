"""The ledger: the loaded version of each file, the run that loaded it, and the outcome of its records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from sparkify.config import Rules
from sparkify.sources.listing import SourceFile
from sparkify.sql import loader
from sparkify.warehouse.base import Known, Warehouse, now
from sparkify.warehouse.install import LAYOUT, contract_version


def _run_id() -> str:
    return f"{now():%Y%m%dT%H%M%S.%f}-{uuid4().hex[:6]}"  # sorts by start time


@dataclass(frozen=True)
class Counts:
    """The outcome of the records read: read = loaded + duplicates + rejected, for events and for songs."""

    files: int = 0
    bytes: int = 0
    events_read: int = 0
    songplays: int = 0
    page_views: int = 0
    events_duplicate: int = 0
    events_rejected: int = 0
    songs_read: int = 0
    songs: int = 0
    songs_duplicate: int = 0
    songs_rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the sum of each count."""
        return Counts(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    @property
    def read(self) -> int:
        """All records read."""
        return self.events_read + self.songs_read

    @property
    def rejected(self) -> int:
        """All records rejected."""
        return self.events_rejected + self.songs_rejected


@dataclass(frozen=True)
class Run:
    """A run of the pipeline, with its counts so far."""

    id: str = field(default_factory=_run_id)
    started_at: datetime = field(default_factory=now)
    counts: Counts = Counts()

    def plus(self, counts: Counts) -> Run:
        """Return the run with the counts of one more batch added."""
        return replace(self, counts=self.counts + counts)


_LOADED = """
select f.source, f.path, l.version
from staging_files as f
left join etl_files as l on l.source = f.source and l.path = f.path
"""


def loaded(warehouse: Warehouse) -> Known:
    """Return the last loaded version of each file, by kind and path."""
    return warehouse.loaded_files() if warehouse.has_tables() else {}


def pending(files: Iterable[SourceFile], known: Known) -> list[SourceFile]:
    """Return the files whose current version has not been loaded."""
    return [file for file in files if known.get((file.kind, file.path)) != file.version]


def is_current(warehouse: Warehouse, known: Known) -> bool:
    """Return whether `known` has the last loaded version of each file of the batch in the staging tables."""
    return all(known.get((source, path)) == version for source, path, version in warehouse.rows(_LOADED))


def lost(published: Known, before: Known, rebuilt: Known, listed: Known) -> list[str]:
    """Return the paths of the published files whose rows a rebuild would lose.

    `before` is the ledger when the rebuild began. A file that had been deleted by then is left out on purpose; one
    that another run has published since must be rebuilt in that version, or in the one that is listed now.
    """

    def is_lost(file: tuple[str, str], version: str) -> bool:
        if before.get(file) == version:
            return file in listed and file not in rebuilt
        return rebuilt.get(file) not in (version, listed.get(file, version))

    return [file[1] for file, version in published.items() if is_lost(file, version)]


def has(warehouse: Warehouse, run: Run) -> bool:
    """Return whether the ledger has the run, including its last batch."""
    sql = "select count(*) from etl_runs where run_id = ? and files = ?"
    return bool(warehouse.value(sql, [run.id, run.counts.files]))


def record(warehouse: Warehouse, run: Run, rules: Rules) -> None:
    """Write the staged batch and the run so far to the ledger, in place of earlier versions of the same files."""
    earlier = "select 1 from staging_files as f where f.source = {0}.source and f.path = {0}.{1}"
    warehouse.execute(f"delete from etl_files where exists ({earlier.format('etl_files', 'path')})")
    warehouse.execute(f"delete from rejected_records where exists ({earlier.format('rejected_records', 'file')})")
    finished_at = now()
    warehouse.execute(
        f"insert into etl_files {loader.read('ledger/loaded_files', warehouse.engine)}", [run.id, finished_at]
    )
    warehouse.execute(
        f"insert into rejected_records {loader.read('ledger/rejected_records', warehouse.engine)}", [run.id]
    )
    warehouse.execute("delete from etl_runs where run_id = ?", [run.id])
    values = [run.id, run.started_at, finished_at, *asdict(run.counts).values(), LAYOUT, contract_version(rules)]
    warehouse.execute(f"insert into etl_runs values ({', '.join('?' * len(values))})", values)
