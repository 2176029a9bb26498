"""What the tests share: a warehouse of each engine, filled by the pipeline as a user would fill it."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.postgres import Server, server
from tests.realdata import real_data

from sparkify import checks, config, engines, pipeline, tables
from sparkify.pipeline import Options, Summary

ENGINES = ("duckdb", "postgresql")

Row = tuple[Any, ...]


class Silent:
    """A narrator that only remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Remember a line."""
        self.lines.append(line)

    def start(self, files: int, size: int) -> None:
        """Take no notice."""

    def advance(self, size: int, records: int) -> None:
        """Take no notice."""


class Warehouse:
    """A warehouse under test, and the two folders that it is filled from."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.log_data = folder / "log_data"
        self.song_data = folder / "song_data"
        self.log_data.mkdir(parents=True)
        self.song_data.mkdir()
        self.said: list[str] = []

    def etl(self, log_data: Path | str | None = None, song_data: Path | str | None = None, **options: Any) -> Summary:
        """Run the pipeline over the two folders; keyword arguments are those of `Options`."""
        settings = config.load(
            environ={},
            log_data=str(log_data or self.log_data),
            song_data=str(song_data or self.song_data),
            warehouse=self.url,
        )
        narrator = Silent()
        try:
            return pipeline.etl(settings, Options(**options), narrator)
        finally:
            self.said = narrator.lines

    def query(self, sql: str) -> list[Row]:
        """Run a SELECT."""
        with engines.connect(self.url, read_only=True) as engine:
            return engine.rows(sql)

    def execute(self, sql: str) -> int:
        """Change the warehouse behind the pipeline's back."""
        with engines.connect(self.url) as engine:
            return engine.execute(sql)

    def contents(self) -> dict[str, list[Row]]:
        """Return every row of every table that does not depend on when or how often the files were loaded."""
        selects = {table: f"select * from {table}" for table in tables.ALL if table != "etl_runs"}
        selects["etl_files"] = "select source, path from etl_files"
        selects["rejected_records"] = "select source, file, line, reason, record from rejected_records"
        with engines.connect(self.url, read_only=True) as engine:
            return {table: sorted(engine.rows(select), key=repr) for table, select in selects.items()}

    def failed_checks(self) -> list[str]:
        """Return the names of the checks that fail on the whole warehouse."""
        with engines.connect(self.url, read_only=True) as engine:
            checks.set_period(engine)
            return list(checks.offences(engine))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Start one PostgreSQL server for all tests."""
    with server() as running:
        yield running


@pytest.fixture(params=ENGINES)
def make_warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Warehouse]]:
    """Make warehouses, as many as the test wants: empty ones with folders of their own, or copies of another."""
    running = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with ExitStack() as made:
        numbers = itertools.count(1)

        def make(copied: Warehouse | None = None) -> Warehouse:
            folder = tmp_path / f"warehouse-{next(numbers)}"
            file = folder / "sparkify.duckdb"
            template = copied.url if copied else None
            url = made.enter_context(running.database(template)) if running else f"duckdb:///{file}"
            new = Warehouse(url, folder)
            if copied:
                new.log_data, new.song_data = copied.log_data, copied.song_data
                if not running:
                    shutil.copy(copied.url.removeprefix("duckdb:///"), file)
            return new

        yield make


@pytest.fixture
def warehouse(make_warehouse: Callable[[], Warehouse]) -> Warehouse:
    """Make one empty warehouse."""
    return make_warehouse()


@pytest.fixture(scope="session")
def real() -> Path:
    """Return the folder of the real data, or leave the test out where there is none."""
    folder = real_data()
    if folder is None:
        if os.environ.get("CI"):
            pytest.fail("the real data is missing: put it into ../shared/data, or set SPARKIFY_REAL_DATA")
        pytest.skip("no real data: put it into ../shared/data, or set SPARKIFY_REAL_DATA")
    return folder
