"""The benchmarks: each case is a row of CASES and of RESULTS.md, each series is a table of scaling.md."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.data import DAYS, NEW_DAYS, Delivery, Source, files_of
from benchmarks.sides import Counts, Etl, Rival, Side, environment, read_all, remove

STEPS = (1, 2, 4, 8)
"""The sizes of a series, in times the data or the history of its first measurement."""


class Bench:
    """The benchmark's workspace: the data, the warehouses filled beforehand, and the warehouses of each turn."""

    def __init__(self, scratch: Path, *, scale: float, days: int = DAYS) -> None:
        self.scratch = scratch
        self.source = Source(scratch, scale=scale, days=days)
        self.empty = self.source.empty
        self._turn = scratch / "turn"
        shutil.rmtree(self._turn, ignore_errors=True)  # filled warehouses depend on the code
        self._turn.mkdir()

    def etl(self, logs: Path, songs: Path, onto: Path | None = None, name: str = "ours") -> Etl:
        """Return a load by sparkify. Two loads of one pair need different names."""
        return Etl(self._turn / f"{name}.duckdb", logs, songs, onto)

    def rival(self, script: str, needs: str, logs: Path, songs: Path, way: str = "load") -> Rival:
        """Return a load by a rival, in the environment that `needs` names, or else in this one."""
        python = environment(self.scratch, needs) if needs else sys.executable
        return Rival(script, python, logs, songs, self._turn / "rival.out", way)

    def filled(self, name: str, logs: Path, songs: Path) -> Path:
        """Return a warehouse filled with these files; fill it on the first call."""
        warehouse = self._turn / f"filled-{name}.duckdb"
        if not warehouse.exists():
            command = Etl(warehouse, logs, songs).command()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return warehouse

    def full(self) -> Path:
        """Return a warehouse filled with the large set."""
        large = self.source.large()
        return self.filled("full", large.logs, large.songs)

    def arriving(self, songs: Path) -> tuple[Path, Path]:
        """Return a folder with all days, and a warehouse that has loaded all but the last."""
        folder = self._turn / f"arriving-{songs.name}"
        remove(folder)
        folder.mkdir()
        *known, last = files_of(self.source.large().logs)
        for path in known:
            (folder / path.name).hardlink_to(path)
        warehouse = self.filled(f"but-one-{songs.name}", folder, songs)
        (folder / last.name).hardlink_to(last)
        return folder, warehouse


@dataclass(frozen=True)
class Target:
    """The target of a case at scale 1."""

    of: Literal["ratio", "seconds", "peak"]
    limit: float  # times, seconds, bytes
    at_least: bool = False  # the limit is a minimum, not a maximum

    def is_met(self, value: float) -> bool:
        """Return whether a value meets the target."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Pair:
    """Two sides that run in turn, and the counts that sparkify must reach, if not the counts of the other side."""

    ours: Side
    other: Side | None = None
    expected: Callable[[], Counts] | None = None


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    ours: str  # the load by sparkify
    other: str  # the rival; "" for none
    make: Callable[[Bench, Delivery], Pair]
    targets: tuple[Target, ...] = ()
    of_rival: bool = False  # the ratio is rival to sparkify (times slower), instead of sparkify to rival
    smoke: bool = False
    turns: int | None = None  # at most
    sizes: tuple[int, ...] = ()  # numbers of events for a slow rival, extrapolated to the large set


@dataclass(frozen=True)
class Series:
    """One load at several sizes of the data, or on top of several lengths of history."""

    name: str
    title: str
    grows: Literal["data", "history"]
    unit: str
    make: Callable[[Bench, int], tuple[float, Side]]  # step → size in that unit, and the load


MEMORY = Target("peak", 1.5e9)


def at_most(times: float) -> Target:
    """Return the target that sparkify takes at most so many times as long as the other side."""
    return Target("ratio", times)


def slower(times: float) -> tuple[Target, ...]:
    """Return the target that the rival is at least so many times slower."""
    return (Target("ratio", times, at_least=True),)


# Loads of the cases


def load_logs(bench: Bench, large: Delivery) -> Pair:
    """Load the logs; the rival is DuckDB's own statement."""
    rival = bench.rival("duckdb_alone.py", "", large.logs, bench.empty)
    return Pair(bench.etl(large.logs, bench.empty), rival)


def load_unvalidated(bench: Bench, large: Delivery) -> Pair:
    """Load the logs; the rival is a script that builds the same tables without validation."""
    return Pair(
        bench.etl(large.logs, bench.empty), bench.rival("duckdb_alone.py", "", large.logs, bench.empty, "load-star")
    )


def load_all(bench: Bench, large: Delivery) -> Pair:
    """Load logs and catalogue; the rival is the same statement, which reads the logs only."""
    return Pair(bench.etl(large.logs, large.songs), load_logs(bench, large).other)


def load_against(
    script: str, needs: str, bench: Bench, large: Delivery, *, joined: bool = False, way: str = "load"
) -> Pair:
    """Load logs and catalogue; the rival builds five tables."""
    songs = bench.source.joined(large.songs) if joined else large.songs
    return Pair(bench.etl(large.logs, large.songs), bench.rival(script, needs, large.logs, songs, way))


def load_four_times(bench: Bench, large: Delivery) -> Pair:
    """Load four times the logs, and the catalogue; compare with the large set."""
    return Pair(bench.etl(bench.source.logs(4), large.songs), bench.etl(large.logs, large.songs, name="other"), dict)


def load_a_day(bench: Bench, large: Delivery, *, catalogue: bool) -> Pair:
    """Load one more day; compare with a load of all days."""
    songs = large.songs if catalogue else bench.empty
    folder, warehouse = bench.arriving(songs)
    return Pair(bench.etl(folder, songs, warehouse), bench.etl(large.logs, songs, name="other"))


def load_nothing(bench: Bench, large: Delivery) -> Pair:
    """Run when there are no new files."""
    ours = bench.etl(large.logs, large.songs, bench.full())
    return Pair(ours, None, Etl(bench.full(), large.logs, large.songs).count)


def load_songs(bench: Bench, large: Delivery) -> Pair:
    """Load the catalogue alone; the rival reads the files and discards them."""
    return Pair(bench.etl(bench.empty, large.songs), read_all(large.songs))


def load_ten_times_the_songs(bench: Bench, large: Delivery) -> Pair:
    """Load ten times the catalogue; compare with the catalogue."""
    songs = bench.source.catalogue(10 * bench.source.songs)
    return Pair(bench.etl(bench.empty, songs), bench.etl(bench.empty, large.songs, name="other"), dict)


def load_again(bench: Bench, large: Delivery) -> Pair:
    """Load a known week under new file names; compare with a new week."""
    again = bench.etl(bench.source.renamed_days(NEW_DAYS), bench.empty, bench.full())
    new = bench.etl(bench.source.next_days(NEW_DAYS), bench.empty, bench.full(), name="other")
    return Pair(again, new, Etl(bench.full(), large.logs, large.songs).count)


def load_broken(how: str, bench: Bench, large: Delivery) -> Pair:
    """Load logs with bad lines; compare with the same logs without them."""
    broken = bench.source.broken(large.logs, how)
    ours, other = bench.etl(broken, bench.empty), bench.etl(large.logs, bench.empty, name="other")
    return Pair(ours, other, (lambda: {"events": 0}) if how == "every-line" else None)


def load_odd(bench: Bench, large: Delivery) -> Pair:
    """Load the generator's logs with 1 % of dirty records; compare with clean logs."""
    dirty = bench.source.large(dirty=0.01)
    return Pair(bench.etl(dirty.logs, bench.empty), bench.etl(large.logs, bench.empty, name="other"))


def load_late_songs(bench: Bench, large: Delivery) -> Pair:
    """Load the catalogue after the logs; compare with a load of both at once."""
    without = bench.filled("logs", large.logs, bench.empty)
    return Pair(bench.etl(large.logs, large.songs, without), bench.etl(large.logs, large.songs, name="other"))


CHDB, DBT, SPARK = ("chdb_star.py", "chdb"), ("dbt_duckdb/load.py", "dbt_duckdb"), ("spark_star.py", "spark")
CTAS = "DuckDB's `CREATE TABLE AS SELECT * FROM read_json`, 18 typed columns"
FIRST = "the first load"
AS_FAST = at_most(1.1)  # as fast as the other side: a tenth is noise

CASES = (
    Case("logs", "first load, the logs alone", CTAS, load_logs, (at_most(1.3),), smoke=True),
    Case("first", "first load, logs and catalogue", CTAS, load_all, (at_most(1.3), MEMORY), smoke=True),
    Case(
        "star",
        "first load, the logs alone",
        "a DuckDB script that builds the same tables without validation",
        load_unvalidated,
    ),
    Case("chdb", "first load", "chdb", partial(load_against, *CHDB), slower(1), of_rival=True),
    Case("dbt", "first load", "dbt-duckdb", partial(load_against, *DBT), slower(3), of_rival=True),
    Case("spark", "first load", "Spark, local", partial(load_against, *SPARK), slower(6), of_rival=True),
    Case(
        "chdb-joined",
        "first load",
        "chdb, with the catalogue joined into one file beforehand",
        partial(load_against, *CHDB, joined=True),
        of_rival=True,
    ),
    Case(
        "dbt-joined",
        "first load",
        "dbt-duckdb, with the catalogue joined into one file beforehand",
        partial(load_against, *DBT, joined=True),
        of_rival=True,
    ),
    Case(
        "spark-joined",
        "first load",
        "Spark, local, with the catalogue joined into one file beforehand",
        partial(load_against, *SPARK, joined=True),
        of_rival=True,
    ),
    Case(
        "dlt-arrow",
        "first load",
        "dlt into DuckDB, with Arrow tables from a custom reader",
        partial(load_against, "dlt_star.py", "dlt", way="load-arrow"),
        of_rival=True,
        turns=2,
    ),
    Case(
        "dlt",
        "first load",
        "dlt into DuckDB, with its own reader",
        partial(load_against, "dlt_star.py", "dlt"),
        slower(80),
        of_rival=True,
        turns=2,
        sizes=(50_000, 100_000),
    ),
    Case(
        "student",
        "first load",
        "pandas and row inserts into DuckDB",
        partial(load_against, "student.py", "student"),
        of_rival=True,
        turns=2,
        sizes=(5_000, 10_000),
    ),
    Case(
        "nightly",
        f"the last day, on top of the others ({DAYS - 1} at full scale)",
        f"{FIRST}, the logs alone",
        partial(load_a_day, catalogue=False),
        (at_most(1 / 15),),
        smoke=True,
    ),
    Case(
        "nightly-catalogue",
        "the same, with the whole catalogue in the listed folders",
        f"{FIRST}, logs and catalogue",
        partial(load_a_day, catalogue=True),
        (at_most(1 / 15),),
    ),
    Case("nothing", "a run with nothing new", "", load_nothing, (Target("seconds", 1.5),), smoke=True),
    Case(
        "songs",
        "first load, the catalogue alone: one file per song",
        "`find | xargs -P4 cat > /dev/null`",
        load_songs,
        (at_most(2.5),),
        smoke=True,
    ),
    Case(
        "ten-songs",
        "first load of ten times the catalogue",
        "the catalogue once",
        load_ten_times_the_songs,
        (at_most(11),),
        turns=2,
    ),
    Case(
        "four-times",
        "first load of four times the logs, and the catalogue",
        FIRST,
        load_four_times,
        (at_most(4.4), MEMORY),
        turns=2,
    ),
    Case(
        "again",
        "a week of known files under new names, all duplicates",
        "a week of new files",
        load_again,
        (AS_FAST,),
        smoke=True,
    ),
    Case(
        "bad-lines",
        "logs with 1 % of broken lines in every file",
        "clean logs",
        partial(load_broken, "1-percent"),
        (at_most(1.5),),
        smoke=True,
    ),
    Case("odd", "logs from `generate --dirty 0.01`", "clean logs", load_odd, (at_most(1.5),)),
    Case("one-bad-line", "logs with one broken line per file", "clean logs", partial(load_broken, "one-line")),
    Case("only-bad-lines", "logs of broken lines only", "clean logs", partial(load_broken, "every-line")),
    Case("late-songs", "the catalogue, after all the plays", FIRST, load_late_songs, (at_most(1),)),
)


# Loads of the series


def more_logs(bench: Bench, step: int, how: str = "") -> tuple[float, Side]:
    """Load 1 to 8 halves of the large set's logs; of broken logs, a quarter of that."""
    times = step / 8 if how else step / 2
    logs = bench.source.logs(times)
    size = sum(path.stat().st_size for path in files_of(logs)) / 1e6
    return size, bench.etl(bench.source.broken(logs, how) if how else logs, bench.empty)


def more_songs(bench: Bench, step: int) -> tuple[float, Side]:
    """Load 1 to 8 eighths of the large set's catalogue."""
    songs = bench.source.songs * step // 8
    return songs, bench.etl(bench.empty, bench.source.catalogue(songs))


def more_known_files(bench: Bench, step: int) -> tuple[float, Side]:
    """Run without new files when 1 to 8 eighths of the large set's catalogue are loaded."""
    songs = bench.source.songs * step // 8
    folder = bench.source.catalogue(songs)
    return songs, bench.etl(bench.empty, folder, bench.filled(f"songs-{step}", bench.empty, folder))


def history(bench: Bench, step: int, *, catalogue: bool = True) -> tuple[int, Path]:
    """Return a number of days, 1 to 8 eighths of the large set's, and a warehouse with them."""
    days = max(1, bench.source.days * step // 8)
    songs = bench.source.large().songs if catalogue else bench.empty
    return days, bench.filled(f"history-{days}-{catalogue}", bench.source.first_days(days), songs)


def a_day_onto(bench: Bench, step: int) -> tuple[float, Side]:
    """Load a day on top of a history."""
    days, warehouse = history(bench, step)
    return days, bench.etl(bench.source.next_days(1), bench.empty, warehouse)


def known_days_onto(bench: Bench, step: int) -> tuple[float, Side]:
    """Load the first days of a history again, as many as the shortest history has."""
    days, warehouse = history(bench, step)
    return days, bench.etl(bench.source.renamed_days(min(NEW_DAYS, history(bench, 1)[0])), bench.empty, warehouse)


def songs_onto(bench: Bench, step: int) -> tuple[float, Side]:
    """Load the whole catalogue on top of a history without one."""
    days, warehouse = history(bench, step, catalogue=False)
    return days, bench.etl(bench.empty, bench.source.large().songs, warehouse)


SERIES = (
    Series("logs", "First load of logs", "data", "MB", more_logs),
    Series(
        "one-bad-line",
        "First load of logs with one broken line per file (MB without it)",
        "data",
        "MB",
        partial(more_logs, how="one-line"),
    ),
    Series(
        "only-bad-lines",
        "First load of logs of broken lines only (MB before they were cut in half)",
        "data",
        "MB",
        partial(more_logs, how="every-line"),
    ),
    Series("songs", "First load of a catalogue, one file per song", "data", "files", more_songs),
    Series("known-files", "A run with nothing new, by known files", "data", "files", more_known_files),
    Series("day", "One day, on top of earlier days", "history", "days", a_day_onto),
    Series("again", "Known days under new names, on top of earlier days", "history", "days", known_days_onto),
    Series("late-songs", "The whole catalogue, after days of plays", "history", "days", songs_onto),
)
