"""DuckDB, the embedded warehouse: one file, nothing to install."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from sparkify.config import Config
from sparkify.errors import ConfigError, WarehouseError
from sparkify.sql import loader, model
from sparkify.sql.ddl import create_view
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse import embedded
from sparkify.warehouse.base import Row, Warehouse
from sparkify.warehouse.embedded import translate_errors

_COMMENTS = """
select table_name, '', coalesce(comment, '') from duckdb_tables()
where database_name = current_database() and schema_name = 'main' and not temporary
union all
select view_name, '', coalesce(comment, '') from duckdb_views()
where database_name = current_database() and schema_name = 'main' and not temporary
union all
select table_name, column_name, coalesce(comment, '') from duckdb_columns()
where database_name = current_database() and schema_name = 'main'
"""

_LOCKED = "IO Error: Could not set lock on file"
_PATIENCE = 5  # seconds
_MERGE_EVERY = 16  # runs: a batch leaves a row group or two a table; to merge them each time took a night 0.1 s of 0.7
_EXPORTED = '"sparkify export"'
_REBUILT = '"sparkify rebuild"'


class DuckDB(Warehouse):
    """A DuckDB file: ``duckdb:///relative.duckdb``, ``duckdb:////absolute.duckdb``.

    One process at a time may write to it, which is DuckDB's own lock: the ledger needs no other. Staging is
    temporary and filled before the transaction, because a read that fails would abort it, and because keeping
    staging in the file makes a load 1.3 to 1.7 times slower.
    """

    engine: ClassVar[str] = "duckdb"
    temporary: ClassVar[str] = "temp."
    lock: ClassVar[str] = ""

    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        self._config = config
        self._path = _path(url)
        self._beside = self._path.with_name(self._path.name + ".sparkify-rebuild")
        self.label = str(self._path)
        if read_only and not self._path.exists():
            raise WarehouseError(f"{self._path}: there is no warehouse yet. Run `sparkify etl` to make one.")
        if not self._path.parent.is_dir():
            raise WarehouseError(f"{self._path}: its folder does not exist. Make the folder, or set [WAREHOUSE] URL.")
        if not read_only and not os.access(self._path.parent, os.W_OK):  # or a run would fail when it commits
            raise WarehouseError(
                f"{self._path}: DuckDB writes beside it, and its folder may not be written. Allow that, or set"
                " [WAREHOUSE] URL."
            )
        settings: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "memory_limit": f"{config.memory}B",
        }
        if read_only:
            settings["enable_external_access"] = False  # or a SELECT could read and write any file
        _refuse_other_files(self._path)
        with translate_errors(self._path):
            self.embedded = _connected(self._path, settings, read_only=read_only)
        # With its catalogue: "main" alone is the temporary one too.
        self._schema = f"{quoted(self.value('select current_database()'))}.main"
        if not read_only:
            self.embedded.execute("set preserve_insertion_order = false")
            self.embedded.execute("set max_vacuum_tasks = 0")
            _remove(self._beside)  # left by a rebuild that was killed

    @classmethod
    def may_exist(cls, url: str) -> bool:
        """Tell whether the file exists."""
        return _path(url).exists()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        with translate_errors(self._path):
            found = self.embedded.execute(sql, parameters or None)
            row = found.fetchone() if found.description else None
        return row[0] if row and isinstance(row[0], int) else 0

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return the names of its columns and its rows."""
        with translate_errors(self._path):
            found = self.embedded.execute(sql, parameters or None)
            return [column[0] for column in found.description or ()], found.fetchall()

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT of a user's on a warehouse that was opened for reading only."""
        with translate_errors(self._path):
            statements = self.embedded.extract_statements(sql)
        if len(statements) != 1:
            raise WarehouseError(f"{self._path}: give one statement, not {len(statements)}.")
        if duckdb.ExpectedResultType.QUERY_RESULT not in statements[0].expected_result_type:
            raise WarehouseError(f"{self._path}: that returns no rows. Give one SELECT.")
        return self.query(sql)

    def has_tables(self) -> bool:
        """Tell whether the tables have been created."""
        found = "select count(*) from information_schema.tables where table_name = 'etl_files'"
        return bool(self.value(f"{found} and table_schema = current_schema()"))

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on tables, views and columns, by table and column."""
        return {(table, column): text for table, column, text in self.rows(_COMMENTS)}

    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files, through a connection of its own: one that only reads may write no file."""
        with translate_errors(self._path), duckdb.connect() as outside:
            outside.execute(f"attach {literal(str(self._path))} as {_EXPORTED} (read_only)")
            outside.execute(f"use {_EXPORTED}")
            for name, path in files.items():
                embedded.copy_out(outside, name, path, form)

    def other_runs(self) -> list[str]:
        """Return none: nobody else can have the file open."""
        return []

    def reconnect(self) -> None:
        """Do nothing: there is no connection to lose."""

    def copy(self) -> None:
        """Create the views over the staging tables, which the reader has filled on this connection.

        Staging tables that an earlier run kept are dropped.
        """
        self._drop_kept_staging()
        for view in loader.names("staging"):
            self.execute(create_view("staging", view, self.engine))

    @classmethod
    def copy_statements(cls, config: Config) -> list[str]:  # noqa: ARG003 (there is nothing to configure)
        """Return no statement: the reader fills the staging tables on this connection."""
        return []

    def _drop_kept_staging(self) -> None:
        for table in STAGING:
            self.execute(f"drop table if exists {self._schema}.{table}")

    def analyze(self, table: str) -> None:
        """Do nothing: DuckDB counts as it writes."""

    def keep_period(self, select: str) -> None:
        """Keep the period as two constants, which DuckDB's planner sees, as it does not see what a table's row holds.

        It takes a join to a period that it does not know for a small one: a check took four times as long.
        """
        self.execute(f"set variable checked_period = (select period from ({select}) as period)")
        times = ", ".join(
            f"cast(getvariable('checked_period').{column} as timestamp) as {column}"
            for column in ("first_time", "last_time")
        )
        self.execute(f"create or replace temp view checked_period as select {times}")

    def keep_staging(self) -> None:
        """Copy the temporary staging tables to tables of the same names."""
        for table in STAGING:
            self.execute(f"create or replace table {self._schema}.{table} as from temp.{table}")

    @contextmanager
    def rebuild(self) -> Iterator[Warehouse]:
        """Give an empty warehouse beside this one; when it is filled, take over its tables in one transaction."""
        try:
            with DuckDB(f"duckdb:///{self._beside.absolute()}", self._config) as fresh:
                yield fresh
            self.execute(f"attach {literal(str(self._beside))} as {_REBUILT} (read_only)")
            made = self.rows("select table_name from duckdb_tables() where database_name = ?", [_REBUILT.strip('"')])
            with self.transaction():
                self._drop_kept_staging()
                self.execute(f"insert into {model.RUNS} from {_REBUILT}.{model.RUNS}")  # their history goes on
                for (table,) in made:
                    if table != model.RUNS:
                        self.execute(f"create or replace table {self._schema}.{table} as from {_REBUILT}.{table}")
            self.execute(f"detach {_REBUILT}")
        finally:
            _remove(self._beside)

    def close(self) -> None:
        """Close the file; every now and then, after merging the small row groups that loads leave."""
        with suppress(duckdb.Error):  # no table yet, or a file that may not be changed
            [(runs,)] = self.embedded.execute(f"select count(*) from {self._schema}.{model.RUNS}").fetchall()
            if runs % _MERGE_EVERY == 0:
                self.embedded.execute("reset max_vacuum_tasks")
        self.embedded.close()


def _path(url: str) -> Path:
    prefix = "duckdb:///"
    if not url.startswith(prefix) or len(url) == len(prefix):
        raise ConfigError(
            "[WAREHOUSE] URL or --warehouse: a DuckDB file is written duckdb:///relative.duckdb"
            " or duckdb:////absolute.duckdb."
        )
    if "?" in url:
        raise ConfigError("[WAREHOUSE] URL or --warehouse: DuckDB opens no file whose path holds a ?. Rename it.")
    path = Path(url[len(prefix) :]).expanduser()
    try:
        path.exists()
    except (OSError, ValueError) as error:
        raise WarehouseError(f"the warehouse's path cannot be used ({error}). Set [WAREHOUSE] URL.") from error
    if path.is_dir():
        raise WarehouseError(f"{path}: is a folder. Name a file in it, or set [WAREHOUSE] URL.")
    return path


def _refuse_other_files(path: Path) -> None:
    """Raise WarehouseError where a file is there, and is no DuckDB file."""
    if _is_other_file(path):
        raise WarehouseError(f"{path}: is not a DuckDB file. Name another with [WAREHOUSE] URL.")


def _is_other_file(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as stream:  # to be told by DuckDB
        head = stream.read(12)
        return bool(head) and head[8:] != b"DUCK"  # "Storage Versions and Format", DuckDB's documentation
    return False


def _connected(
    path: Path, settings: dict[str, str | bool | int | float | list[str]], *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """Open the file; to write to it, wait a moment for those who read, such as a dashboard."""
    patience = time.monotonic() + (0 if read_only else _PATIENCE)
    while True:
        try:
            # An absolute path is a file's, whatever it looks like: `:memory:` and `md:` by themselves are not.
            return duckdb.connect(path.absolute(), read_only=read_only, config=settings)
        except duckdb.IOException as error:
            message = str(error)
            if not message.startswith(_LOCKED):
                reason = message.removeprefix("IO Error: ").rstrip(".")
                raise WarehouseError(
                    f"{path}: cannot be opened ({reason}). Name another with [WAREHOUSE] URL."
                ) from error
            if time.monotonic() > patience:
                holder = re.search(r"PID (\d+)", message)
                whose = f" (PID {holder[1]})" if holder else ""
                raise WarehouseError(f"{path}: another process is using it{whose}. Wait until it has ended.") from error
            time.sleep(0.05)


def _remove(path: Path) -> None:
    """Remove what a rebuild was filling. A file that is no DuckDB file is not that, and opening it is refused."""
    if _is_other_file(path):
        return
    for leftover in (path, path.with_name(path.name + ".wal")):
        if leftover.is_dir():
            raise WarehouseError(f"{leftover}: is a folder, where a file is needed to rebuild in. Rename it.")
        leftover.unlink(missing_ok=True)
