"""A warehouse under test, filled by the pipeline as a user would fill it."""

from __future__ import annotations

import itertools
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from sparkify import config
from sparkify.pipeline import checks
from sparkify.pipeline.progress import Options, Summary
from sparkify.pipeline.run import etl
from sparkify.sql import model
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_missing_tables

Row = tuple[Any, ...]


class Recorder:
    """A narrator that keeps its lines and shows nothing."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)

    def start(self, files: int, size: int) -> None:
        """Show no progress."""

    def advance(self, size: int, records: int) -> None:
        """Show no progress."""


class Sandbox:
    """A warehouse under test, and the two folders that it is filled from."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.environ: Mapping[str, str] = {}
        self.log_data = folder / "log_data"
        self.song_data = folder / "song_data"
        self.log_data.mkdir(parents=True)
        self.song_data.mkdir()
        self.narration: list[str] = []

    def etl(self, log_data: Path | str | None = None, song_data: Path | str | None = None, **options: Any) -> Summary:
        """Run the pipeline over the two folders; keyword arguments are those of `Options`.

        Unlike on the command line, one of the folders can be empty.
        """
        settings = config.load(
            environ=self.environ,
            log_data=str(log_data or self.log_data),
            song_data=str(song_data or self.song_data),
            warehouse=self.url,
        )
        narrator = Recorder()
        try:
            return etl(settings, Options(**{"allow_empty": True} | options), narrator)
        finally:
            self.narration = narrator.lines

    @contextmanager
    def reading(self) -> Iterator[Warehouse]:
        """Open the warehouse as configured, to read its contents."""
        with open_warehouse(self.url, config.load(environ=self.environ), read_only=True) as engine:
            if engine.engine == "redshift":
                engine.execute("set extra_float_digits to 2")  # Redshift shows 15 digits of a number by default.
            yield engine

    def query(self, sql: str) -> list[Row]:
        """Run a SELECT."""
        with self.reading() as engine:
            return engine.rows(sql)

    def execute(self, sql: str) -> int:
        """Change the warehouse without the pipeline."""
        with open_warehouse(self.url) as engine:
            return engine.execute(sql)

    def contents(self) -> dict[str, list[Row]]:
        """Return every row of every table that does not depend on when or how often the files were loaded."""
        selects = {table: f"select * from {table}" for table in model.ALL if table != "etl_runs"}
        selects["etl_files"] = "select source, path from etl_files"
        selects["rejected_records"] = "select source, file, line, reason, record from rejected_records"
        with self.reading() as engine:
            return {table: sorted(engine.rows(select), key=repr) for table, select in selects.items()}

    def quarantined(self, record: str) -> str:
        """Return the text that is kept of a rejected record: all of it, but on Redshift no more than a column takes."""
        is_cut = self.url.startswith("redshift:") and len(record.encode()) > 64_000
        return f"{record[:16_000]} … ({len(record.encode())} bytes in all)" if is_cut else record

    def failed_checks(self) -> list[str]:
        """Return the names of the checks that fail on the whole warehouse."""
        with self.reading() as engine:
            return list(checks.offences(engine))


class Databases(Protocol):
    """A server on which a test creates databases: PostgreSQL, or the stand-in for Redshift."""

    def database(self, copied: str | None = None) -> AbstractContextManager[str]:
        """Create a database, empty or as a copy of the one at a URL; yield its URL; drop it."""


def install(warehouse: Sandbox) -> None:
    """Create the tables and views."""
    with open_warehouse(warehouse.url, config.load(environ=warehouse.environ)) as engine:
        create_missing_tables(engine)


class Warehouses:
    """The warehouses of one engine: empty ones, and copies of templates that are filled once per test process."""

    def __init__(
        self, folder: Path, server: Databases | None, environ: Mapping[str, str], templates: Templates
    ) -> None:
        self._folder, self._server, self._environ, self._templates = folder, server, environ, templates
        self._numbers = itertools.count(1)
        self._created = ExitStack()

    def __call__(self, copied: Sandbox | None = None) -> Sandbox:
        """Create a warehouse with empty tables; or copy another one, whose folders it then shares."""
        warehouse = self._create(copied or self.shared(install))
        if copied:
            warehouse.log_data, warehouse.song_data = copied.log_data, copied.song_data
        return warehouse

    def absent(self) -> Sandbox:
        """Return a warehouse without tables: an empty database, or a DuckDB file that does not exist."""
        return self._create(None)

    def filled(self, fill: Callable[[Sandbox], object]) -> Sandbox:
        """Return a warehouse as if a function had filled it here; the function runs once per test process."""
        template = self.shared(fill)
        warehouse = self._create(template)
        move(template, warehouse)
        return warehouse

    def shared(self, fill: Callable[[Sandbox], object]) -> Sandbox:
        """Return the warehouse that a function fills, for tests that only read it."""
        return self._templates.get(fill, self._server, self._environ)

    def drop(self) -> None:
        """Drop the databases."""
        self._created.close()

    def _create(self, template: Sandbox | None) -> Sandbox:
        folder = self._folder / f"warehouse-{next(self._numbers)}"
        warehouse = created(self._created, self._server, folder, template)
        warehouse.environ = self._environ
        return warehouse


class Templates:
    """Warehouses that are filled once per test process, by engine and by the function that fills them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._filled: dict[object, Sandbox] = {}
        self._created: dict[Databases | None, ExitStack] = defaultdict(ExitStack)

    def get(self, fill: Callable[[Sandbox], object], server: Databases | None, environ: Mapping[str, str]) -> Sandbox:
        """Return the warehouse that a function fills on a server, or on DuckDB."""
        key = (fill, server)
        if key not in self._filled:
            base = None if fill is install else self.get(install, server, environ)
            warehouse = created(self._created[server], server, self._folder / str(next(self._numbers)), base)
            warehouse.environ = environ
            fill(warehouse)
            self._filled[key] = warehouse
        return self._filled[key]

    def drop(self, server: Databases) -> None:
        """Drop the databases on a server that is about to stop."""
        self._created[server].close()


def created(stack: ExitStack, server: Databases | None, folder: Path, template: Sandbox | None) -> Sandbox:
    """Create a warehouse, empty or as a copy of a template; the stack drops it."""
    if server:
        return Sandbox(stack.enter_context(server.database(template.url if template else None)), folder)
    file = folder / "sparkify.duckdb"
    warehouse = Sandbox(f"duckdb:///{file}", folder)
    if template:
        shutil.copy(template.url.removeprefix("duckdb:///"), file)
    return warehouse


def move(template: Sandbox, warehouse: Sandbox) -> None:
    """Copy the files of a template into the folders of its copy, and correct their paths in the ledger."""
    for ours, theirs in ((warehouse.log_data, template.log_data), (warehouse.song_data, template.song_data)):
        shutil.copytree(theirs, ours, dirs_exist_ok=True)
    with open_warehouse(warehouse.url, config.load(environ=warehouse.environ)) as engine:
        correct_paths(engine, template.folder, warehouse.folder)


def correct_paths(engine: Warehouse, old: Path, new: Path) -> None:
    """Replace the folder in every path that a warehouse holds."""
    for table, path in (("etl_files", "path"), ("rejected_records", "file")):
        engine.execute(f"update {table} set {path} = replace({path}, '{old}/', '{new}/')")
