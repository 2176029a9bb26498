"""The options of a run, its progress, and its summary."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, Protocol

from sparkify.config import Aws, Limit, Rules
from sparkify.pipeline.ledger import Run
from sparkify.pipeline.transform import Changed
from sparkify.sql import model
from sparkify.sql.period import Day
from sparkify.staging.jsonpaths import JsonPaths
from sparkify.staging.session import Findings, UnknownKeys


@dataclass(frozen=True)
class Options:
    """The options of a run."""

    full_refresh: bool = False
    allow_empty: bool = False  # of one kind, songs or events
    max_rejected: Limit | None = None
    skip_bad_files: bool = False
    follow_links: bool = False  # out of the source folders
    batch_size: int | None = None  # bytes of files per transaction; None: what suits the engine
    keep_staging: bool = False


class Matches(NamedTuple):
    """The plays at the times of a run's events, and how many of them match the catalogue."""

    plays: int
    with_song: int
    with_artist: int


@dataclass(frozen=True)
class Summary:
    """The result of a run."""

    run: Run
    warehouse: str
    files_listed: int
    batches: int
    changed: dict[str, int]  # table → rows added or changed
    matches: Matches
    skipped: dict[str, str]  # path of an unreadable file or folder → reason
    not_read: dict[str, int]  # suffix → files with it, which are not read
    unknown_keys: dict[str, UnknownKeys]  # by kind of record
    is_sampled: bool  # whether those of large logs are those of a sample, so that their numbers are the least
    implausible: dict[str, int]  # field of a song → values that became null
    ahead: int  # events that are later than the clock
    seconds: float
    star: tuple[str, ...] = (*model.FACTS, *model.DIMENSIONS)


class Narrator(Protocol):
    """A receiver of the events of a run, as they happen."""

    def say(self, line: str) -> None:
        """Receive a message for people."""

    def start(self, files: int, size: int) -> None:
        """Receive the number of files to read, and their size in bytes."""

    def advance(self, size: int, records: int) -> None:
        """Receive the number of bytes and records read since the last call."""


@dataclass
class Progress:
    """The state of a run that its batches share, and their results so far."""

    options: Options
    narrator: Narrator
    aws: Aws = field(default_factory=Aws)
    rules: Rules = field(default_factory=Rules)
    json_paths: JsonPaths | None = None  # for the logs
    run: Run = field(default_factory=Run)
    batches: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    days: dict[date, Day] = field(default_factory=dict)  # of the events of published batches
    refused: dict[str, int] = field(default_factory=dict)  # kind → records that break the contract
    skipped: dict[str, str] = field(default_factory=dict)
    unknown_keys: dict[str, UnknownKeys] = field(default_factory=dict)
    is_sampled: bool = False
    implausible: Counter[str] = field(default_factory=Counter)
    ahead: int = 0

    def add_batch(self, run: Run, changed: Changed, refused: Mapping[str, int], days: Sequence[Day]) -> None:
        """Add the counts and the days of a published batch."""
        self.run = run
        self.batches += 1
        for total, numbers in ((self.changed, changed), (self.refused, refused)):
            for name, number in numbers.items():
                total[name] = total.get(name, 0) + number
        for day, first, last in days:
            _, earliest, latest = self.days.get(day, (day, first, last))
            self.days[day] = day, min(first, earliest), max(last, latest)

    def skip(self, skipped: Mapping[str, str]) -> None:
        """Add and report files and folders that are skipped."""
        for path, reason in skipped.items():
            self.narrator.say(f"Skipped: {reason}")
            self.skipped[path] = reason

    def add_findings(self, findings: Findings) -> None:
        """Add the findings of a batch, and report the skipped files."""
        self.skip(findings.skipped)
        self.is_sampled |= findings.is_sampled
        self.implausible += findings.implausible
        self.ahead += findings.ahead
        for kind, keys in findings.unknown_keys.items():
            before = self.unknown_keys.setdefault(kind, {})
            for key, found in keys.items():
                before[key] = before[key].plus(found) if key in before else found
