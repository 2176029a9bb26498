"""The pipeline, top to bottom: list, read, publish, check, record."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sparkify import checks, dictionary, engines, jsonpaths, ledger, queries, sources, star, tables, views
from sparkify.config import Config
from sparkify.engines.base import Engine
from sparkify.errors import CommitUnknown, SourceError, StillNeeded, Transient, WarehouseError
from sparkify.ledger import Counts, Run
from sparkify.reader import STAGING, Reading
from sparkify.sources import Kind, SourceFile

BATCH_SIZE = 1 << 30

PAUSES = (1, 5, 25)
"""Seconds before each new try of a batch that failed for a reason that can pass: a restart of a cluster takes some."""


@dataclass(frozen=True)
class Limit:
    """How many records may be rejected: a number, or a share of those read."""

    number: float
    is_share: bool = False

    def is_passed(self, rejected: int, read: int) -> bool:
        """Tell whether more have been rejected than may be."""
        return rejected > (self.number * read if self.is_share else self.number)


@dataclass(frozen=True)
class Options:
    """How a run is to go."""

    full_refresh: bool = False
    max_rejected: Limit | None = None
    skip_bad_files: bool = False
    batch_size: int = BATCH_SIZE  # bytes of files in one transaction
    keep_staging: bool = False


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    run: Run
    warehouse: str
    files_listed: int
    batches: int
    changed: dict[str, int]  # table → rows added or changed
    rows: dict[str, int]  # table → rows it has now
    skipped: dict[str, str]  # path of a file that could not be read → why
    unknown_keys: dict[str, list[str]]  # kind of record → keys outside its contract
    seconds: float
    star: tuple[str, ...] = (*tables.FACTS, *tables.DIMENSIONS)


class Narrator(Protocol):
    """Told how a run goes, as it goes."""

    def say(self, line: str) -> None:
        """Hear of something that happened."""

    def start(self, files: int, size: int) -> None:
        """Hear how much there is to read: a number of files and their bytes."""

    def advance(self, size: int, records: int) -> None:
        """Hear that more bytes and records have been read."""


@dataclass
class Progress:
    """What a run has done so far."""

    run: Run
    batches: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unknown_keys: dict[str, set[str]] = field(default_factory=dict)

    def add(self, run: Run, changed: star.Changed) -> None:
        """Take a batch that is published into account."""
        self.run = run
        self.batches += 1
        for table, rows in changed.items():
            self.changed[table] = self.changed.get(table, 0) + rows

    def hear(self, reading: Reading, narrator: Narrator) -> None:
        """Take what was found while reading into account."""
        for path, reason in reading.skipped.items():
            narrator.say(f"Skipped: {reason}")
            self.skipped[path] = reason
        for kind, keys in reading.unknown_keys.items():
            self.unknown_keys.setdefault(kind, set()).update(keys)


def create_tables(engine: Engine) -> None:
    """Drop every table and view of the warehouse and create it anew, empty."""
    try:
        with engine.alone(), engine.transaction():
            views.drop(engine)
            for view in queries.names("staging"):
                engine.execute(f"drop view if exists {view}")
            for table in (*STAGING, *tables.ALL):
                engine.execute(f"drop table if exists {table}")
            engine.create_tables(tables.ALL)
    except StillNeeded as error:
        raise WarehouseError(
            f"{error}\nNothing was dropped. Drop what stands on our tables, run again, and make it anew;"
            " or rebuild them with `sparkify etl --full-refresh`, which leaves it standing."
        ) from error
    create_missing_tables(engine)


def create_missing_tables(engine: Engine) -> None:
    """Create the tables and views that are not there, and say in the warehouse's comments what they hold.

    Raise WarehouseError, before anything is created, where a table of one of these names is not ours.
    """
    with engine.alone():
        stands = engine.comments()
        if wrong := dictionary.lacking(stands):
            table, columns = next(iter(wrong.items()))
            raise WarehouseError(
                f"{engine.label}: its table {table} is not one of ours: it has no {columns[0]}."
                " Name another warehouse, or rename the table."
            )
        engine.create_tables(table for table in tables.ALL if (table, "") not in stands)
        views.create_missing(engine)
        dictionary.comment(engine)


def list_sources(config: Config, narrator: Narrator) -> list[SourceFile]:
    """List the files of the catalogue and the logs, in the order in which they are loaded."""
    files: list[SourceFile] = []
    roots: tuple[tuple[Kind, str], ...] = (("songs", config.song_data), ("events", config.log_data))
    for kind, root in roots:
        found = sources.list_files(kind, root, config.aws)
        if not found:
            narrator.say(f"{root}: holds no .json or .json.gz file")
        files += found
    return files


def plan(config: Config, options: Options, narrator: Narrator) -> list[SourceFile]:
    """Return the files that a run would load. Changes nothing, and makes no warehouse where there is none."""
    jsonpaths.load(config)
    files = list_sources(config, narrator)
    if options.full_refresh or not engines.exists(config.warehouse_url):
        return files
    with engines.connect(config.warehouse_url, config, read_only=True) as engine:
        return ledger.pending(files, ledger.loaded(engine))


def etl(config: Config, options: Options, narrator: Narrator) -> Summary:
    """Load what has not been loaded yet: stage it, transform it, check it, and publish it with its ledger."""
    engines.exists(config.warehouse_url)  # a URL that names no warehouse is told before anything is done
    jsonpaths.load(config)  # and so are paths that lead nowhere
    files = list_sources(config, narrator)  # and so is a missing folder, before a warehouse is made
    with engines.connect(config.warehouse_url, config) as engine:
        create_missing_tables(engine)
        progress = Progress(Run())
        if options.full_refresh:
            before = ledger.kinds(engine)
            _refuse_to_empty(engine, before - {file.kind for file in files}, ".json or .json.gz file", config)
            with engine.rebuild() as fresh:
                fresh.create_tables(tables.ALL)
                _load_all(fresh, files, options, narrator, progress)
                _refuse_to_empty(engine, before - ledger.kinds(fresh), "file that can be read", config)
            dictionary.comment(engine)  # the tables that took over may have none
        else:
            _load_all(engine, files, options, narrator, progress)
        return _summary(engine, len(files), progress)


def _refuse_to_empty(engine: Engine, lost: set[str], what_is_there: str, config: Config) -> None:
    """Raise SourceError where a rebuild would lose all that the warehouse has of a kind, songs or events."""
    roots: dict[Kind, str] = {"songs": config.song_data, "events": config.log_data}
    for kind in (kind for kind in roots if kind in lost):
        raise SourceError(
            f"{roots[kind]}: holds no {what_is_there}, so a full refresh would drop the {kind} that {engine.label} has."
            " Name a folder that does; to drop all, run `sparkify create-tables`."
        )


def _load_all(
    engine: Engine, files: Sequence[SourceFile], options: Options, narrator: Narrator, progress: Progress
) -> None:
    known = ledger.loaded(engine)
    pending = ledger.pending(files, known)
    narrator.start(len(pending), sum(file.size for file in pending))
    for batch in sources.batches(pending, options.batch_size):
        # Asked for every batch: where another run got in, it may have loaded files of the later ones too.
        while (left := ledger.pending(batch, known)) and not _load_at_last(
            engine, left, known, options, narrator, progress
        ):
            known = ledger.loaded(engine)
    if options.keep_staging and progress.batches:
        engine.keep_staging()


def _load_at_last(
    engine: Engine,
    batch: Sequence[SourceFile],
    known: ledger.Known,
    options: Options,
    narrator: Narrator,
    progress: Progress,
) -> bool:
    """Load a batch as `load_batch` does, and again if what kept it from being published can pass."""
    for pause in PAUSES:
        try:
            return load_batch(engine, batch, known, options, narrator, progress)
        except Transient as error:
            narrator.say(f"{error} Nothing of the batch is published; trying again in {pause} s.")
            time.sleep(pause)
            engine.reconnect()
    return load_batch(engine, batch, known, options, narrator, progress)


def load_batch(
    engine: Engine,
    batch: Sequence[SourceFile],
    known: ledger.Known,
    options: Options,
    narrator: Narrator,
    progress: Progress,
) -> bool:
    """Publish what a batch changes, or nothing at all; return False if another run has loaded some of it meanwhile."""
    redelivered = frozenset(file for file in batch if (file.kind, file.path) in known)
    reading = engine.prepare(batch, redelivered, narrator.advance, skip_bad_files=options.skip_bad_files)
    if reading.skipped and all(file.path in reading.skipped for file in batch):  # there is nothing to publish
        progress.hear(reading, narrator)
        return True
    try:
        for other in engine.other_runs():
            narrator.say(f"Waiting for another run: {other}.")
        with engine.transaction():
            if engine.lock_ledger() and ledger.versions(ledger.loaded(engine), batch) != ledger.versions(known, batch):
                return False
            engine.copy()
            _refuse_too_many(engine, options, progress)
            changed = star.publish(engine)
            run = progress.run.plus(_count(engine, changed))
            ledger.record(engine, run)
            checks.set_period(engine, _PERIOD)
            checks.run_all(engine)
    except CommitUnknown:
        engine.reconnect()
        if not ledger.has(engine, run):
            raise
        narrator.say("The connection was lost while committing; the ledger says that the batch is published.")
    progress.add(run, changed)
    progress.hear(reading, narrator)
    return True


# All of time when songs came, since they may have changed any play; else the time of the batch.
_PERIOD = """
select
    case when songs > 0 then timestamp '0001-01-01' else first_time end as first_time,
    case when songs > 0 then timestamp '9999-12-31 23:59:59.999' else last_time end as last_time
from (select min(start_time) as first_time, max(start_time) as last_time from staged_events) as events
cross join (select count(*) as songs from staging_songs where not duplicate) as songs
"""


def _count(engine: Engine, changed: star.Changed) -> Counts:
    """Count what was read, what became rows, and what did not."""
    files = {
        source: (number, size, read)
        for source, number, size, read in engine.rows(
            "select source, count(*), sum(size), sum(read) from staging_files group by source"
        )
    }
    rejected: dict[str, int] = dict(
        engine.rows(
            "select f.source, count(*) from staging_rejects as r join staging_files as f on f.file_id = r.file_id"
            " group by f.source"
        )
    )
    return Counts(
        files=sum(number for number, _, _ in files.values()),
        bytes=int(sum(size for _, size, _ in files.values())),
        events_read=int(files.get("events", (0, 0, 0))[2]),
        songplays=changed["songplays"],
        page_views=changed["page_views"],
        events_duplicate=engine.value("select count(*) from staging_events where duplicate"),
        events_rejected=rejected.get("events", 0),
        songs_read=int(files.get("songs", (0, 0, 0))[2]),
        songs=changed["songs"],
        songs_duplicate=engine.value("select count(*) from staging_songs where duplicate"),
        songs_rejected=rejected.get("songs", 0),
    )


def _refuse_too_many(engine: Engine, options: Options, progress: Progress) -> None:
    """Fail when more records have been rejected than the options allow."""
    if options.max_rejected is None:
        return
    [(read,)] = engine.rows("select coalesce(sum(read), 0) from staging_files")
    rejects = engine.rows(
        "select f.path, r.line, r.reason, count(*) over () from staging_rejects as r"
        " join staging_files as f on f.file_id = r.file_id order by f.path, r.line limit 5"
    )
    rejected = progress.run.counts.rejected + (rejects[0][3] if rejects else 0)
    read = progress.run.counts.read + int(read)
    if options.max_rejected.is_passed(rejected, read):
        shown = "".join(f"\n  {path}:{line}: {reason}" for path, line, reason, _ in rejects)
        published = progress.batches and not options.full_refresh
        earlier = " The batches before this one are published." if published else ""
        raise SourceError(
            f"{rejected:,} of {read:,} records were rejected, more than --max-rejected allows."
            f" Mend them or raise the limit; nothing of this batch was published.{earlier}{shown}"
        )


def _summary(engine: Engine, listed: int, progress: Progress) -> Summary:
    return Summary(
        run=progress.run,
        warehouse=engine.label,
        files_listed=listed,
        batches=progress.batches,
        changed=progress.changed,
        rows=count_rows(engine),
        skipped=progress.skipped,
        unknown_keys={kind: sorted(keys) for kind, keys in progress.unknown_keys.items() if keys},
        seconds=(ledger.now() - progress.run.started_at).total_seconds(),
    )


def count_rows(engine: Engine) -> dict[str, int]:
    """Return how many rows each table has."""
    return {table: engine.value(f"select count(*) from {table}") for table in tables.ALL}
