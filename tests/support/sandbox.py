"""A warehouse under test, filled by the pipeline as a user would fill it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparkify import config
from sparkify.pipeline import checks
from sparkify.pipeline.progress import Options, Summary
from sparkify.pipeline.run import etl
from sparkify.sql import model
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.connect import open_warehouse

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


class Sandbox:
    """A warehouse under test, and the two folders that it is filled from."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.environ: dict[str, str] = {}
        self.log_data = folder / "log_data"
        self.song_data = folder / "song_data"
        self.log_data.mkdir(parents=True)
        self.song_data.mkdir()
        self.said: list[str] = []

    def etl(self, log_data: Path | str | None = None, song_data: Path | str | None = None, **options: Any) -> Summary:
        """Run the pipeline over the two folders; keyword arguments are those of `Options`."""
        settings = config.load(
            environ=self.environ,
            log_data=str(log_data or self.log_data),
            song_data=str(song_data or self.song_data),
            warehouse=self.url,
        )
        narrator = Silent()
        try:
            return etl(settings, Options(**options), narrator)
        finally:
            self.said = narrator.lines

    @contextmanager
    def reading(self) -> Iterator[Warehouse]:
        """Open the warehouse as configured, to read what it holds."""
        with open_warehouse(self.url, config.load(environ=self.environ), read_only=True) as engine:
            if engine.engine == "redshift":
                engine.execute("set extra_float_digits to 2")  # or it shows 15 digits of a number
            yield engine

    def query(self, sql: str) -> list[Row]:
        """Run a SELECT."""
        with self.reading() as engine:
            return engine.rows(sql)

    def execute(self, sql: str) -> int:
        """Change the warehouse behind the pipeline's back."""
        with open_warehouse(self.url) as engine:
            return engine.execute(sql)

    def contents(self) -> dict[str, list[Row]]:
        """Return every row of every table that does not depend on when or how often the files were loaded."""
        selects = {table: f"select * from {table}" for table in model.ALL if table != "etl_runs"}
        selects["etl_files"] = "select source, path from etl_files"
        selects["rejected_records"] = "select source, file, line, reason, record from rejected_records"
        with self.reading() as engine:
            return {table: sorted(engine.rows(select), key=repr) for table, select in selects.items()}

    def kept(self, record: str) -> str:
        """Return what is kept of a record that was refused: all of it, but on Redshift no more than a column takes."""
        is_cut = self.url.startswith("redshift:") and len(record.encode()) > 64_000
        return f"{record[:16_000]} … ({len(record.encode())} bytes in all)" if is_cut else record

    def failed_checks(self) -> list[str]:
        """Return the names of the checks that fail on the whole warehouse."""
        with self.reading() as engine:
            checks.set_period(engine)
            return list(checks.offences(engine))
