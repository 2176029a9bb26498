"""DuckDB, the embedded warehouse in a single file."""

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
from sparkify.warehouse.base import Row, Say, Warehouse, silent
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
_MERGE_EVERY = 16  # runs; a daily load spent 0.1 of 0.7 s on merging its small row groups each time
_EXPORTED = '"sparkify export"'
_REBUILT = '"sparkify rebuild"'


class DuckDB(Warehouse):
    """A DuckDB file: ``duckdb:///relative.duckdb``, ``duckdb:////absolute.duckdb``.

    DuckDB locks the file for one writing process, so the ledger needs no lock of its own. The staging tables are
    temporary, since storing them in the file makes a load 1.3 to 1.7 times slower. They are filled before the
    transaction, which a read error would abort.
    """

    engine: ClassVar[str] = "duckdb"
    temporary: ClassVar[str] = "temp."
    lock: ClassVar[str] = ""

    def __init__(self, url: str, config: Config, *, read_only: bool = False, say: Say = silent) -> None:
        self._config = config
        self.say = say
        self._path = _path(url)
        self._beside = self._path.with_name(self._path.name + ".sparkify-rebuild")
        self.label = str(self._path)
        if read_only and not self._path.exists():
            raise WarehouseError(f"{self._path}: this file does not exist. Run `sparkify etl` to create the warehouse.")
        if not self._path.parent.is_dir():
            raise WarehouseError(f"{self._path}: its folder does not exist. Create the folder, or set [WAREHOUSE] URL.")
        if not read_only and not os.access(self._path.parent, os.W_OK):  # or the commit would fail
            raise WarehouseError(
                f"{self._path}: its folder is not writable, and DuckDB creates files there. Fix its permissions, or set"
                " [WAREHOUSE] URL."
            )
        settings: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "memory_limit": f"{config.memory}B",
        }
        if read_only:
            settings["enable_external_access"] = False  # otherwise, a SELECT could read and write any file
        _require_duckdb_file(self._path)
        with translate_errors(self._path):
            self.embedded = _connect(self._path, settings, read_only=read_only)
        # With the database name, since temporary tables are in a schema "main" too.
        self._schema = f"{quoted(self.value('select current_database()'))}.main"
        if not read_only:
            self.embedded.execute("set preserve_insertion_order = false")
            self.embedded.execute("set max_vacuum_tasks = 0")
            _remove(self._beside)  # left behind by a killed rebuild

    @classmethod
    def may_exist(cls, url: str) -> bool:
        """Return whether the file exists."""
        return _path(url).exists()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows it changed."""
        with translate_errors(self._path):
            result = self.embedded.execute(sql, parameters or None)
            row = result.fetchone() if result.description else None
        return row[0] if row and isinstance(row[0], int) else 0

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return its column names and its rows."""
        with translate_errors(self._path):
            result = self.embedded.execute(sql, parameters or None)
            return [column[0] for column in result.description or ()], result.fetchall()

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT written by a user; the warehouse must be open read-only."""
        with translate_errors(self._path):
            statements = self.embedded.extract_statements(sql)
        if len(statements) != 1:
            raise WarehouseError(f"{self._path}: {len(statements)} statements were given. Give one SELECT.")
        if duckdb.ExpectedResultType.QUERY_RESULT not in statements[0].expected_result_type:
            raise WarehouseError(f"{self._path}: the statement returns no rows. Give one SELECT.")
        return self.query(sql)

    def has_tables(self) -> bool:
        """Return whether the tables exist."""
        named = "select count(*) from information_schema.tables where table_name = 'etl_files'"
        return bool(self.value(f"{named} and table_schema = current_schema()"))

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on the tables, views and columns, by (table, column)."""
        return {(table, column): text for table, column, text in self.rows(_COMMENTS)}

    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files, on a second connection, since a read-only one cannot write files."""
        with translate_errors(self._path), embedded.in_memory(self._config) as second:
            second.execute(f"attach {literal(str(self._path))} as {_EXPORTED} (read_only)")
            second.execute(f"use {_EXPORTED}")
            for name, path in files.items():
                embedded.copy_out(second, name, path, form)

    def reconnect(self) -> None:
        """Do nothing, since there is no connection to lose."""

    def copy(self) -> None:
        """Create the views over the staging tables, which the reader has filled; drop kept ones of earlier runs."""
        self._drop_kept_staging()
        for view in loader.names("staging"):
            self.execute(create_view("staging", view, self.engine))

    @classmethod
    def copy_statements(cls, config: Config) -> list[str]:  # noqa: ARG003 (there is nothing to configure)
        """Return no statements, since the reader fills the staging tables itself."""
        return []

    def _drop_kept_staging(self) -> None:
        for table in STAGING:
            self.execute(f"drop table if exists {self._schema}.{table}")

    def analyze(self, table: str) -> None:
        """Do nothing, since DuckDB updates its statistics as it writes."""

    def keep_period(self, select: str) -> None:
        """Store the period as a view of two constants, which DuckDB's planner can use.

        It cannot see the values in a table, so it misjudges joins: a check took four times as long.
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
        """Yield an empty warehouse in a file beside this one; on success, copy its tables in one transaction."""
        try:
            with DuckDB(f"duckdb:///{self._beside.absolute()}", self._config) as fresh:
                yield fresh
            self.execute(f"attach {literal(str(self._beside))} as {_REBUILT} (read_only)")
            filled = self.rows("select table_name from duckdb_tables() where database_name = ?", [_REBUILT.strip('"')])
            with self.transaction():
                self._drop_kept_staging()
                self.execute(f"insert into {model.RUNS} from {_REBUILT}.{model.RUNS}")  # keeps its history
                for (table,) in filled:
                    if table != model.RUNS:
                        self.execute(f"create or replace table {self._schema}.{table} as from {_REBUILT}.{table}")
            self.execute(f"detach {_REBUILT}")
        finally:
            _remove(self._beside)

    def close(self) -> None:
        """Close the file; every 16 runs, let DuckDB merge the small row groups that loads leave behind."""
        with suppress(duckdb.Error):  # no tables yet, or a read-only file
            [(runs,)] = self.embedded.execute(f"select count(*) from {self._schema}.{model.RUNS}").fetchall()
            if runs % _MERGE_EVERY == 0:
                self.embedded.execute("reset max_vacuum_tasks")
        self.embedded.close()


def _path(url: str) -> Path:
    prefix = "duckdb:///"
    if not url.startswith(prefix) or len(url) == len(prefix):
        raise ConfigError(
            "[WAREHOUSE] URL or --warehouse: not a valid DuckDB URL. Write duckdb:///relative.duckdb or"
            " duckdb:////absolute.duckdb."
        )
    if "?" in url:
        raise ConfigError("[WAREHOUSE] URL or --warehouse: DuckDB cannot open a file with ? in its path. Rename it.")
    path = Path(url[len(prefix) :]).expanduser()
    try:
        path.exists()
    except (OSError, ValueError) as error:
        raise WarehouseError(f"[WAREHOUSE] URL or --warehouse: the path is not valid ({error}). Correct it.") from error
    if path.is_dir():
        raise WarehouseError(f"{path}: this is a folder. Name a file in it with [WAREHOUSE] URL or --warehouse.")
    return path


def _require_duckdb_file(path: Path) -> None:
    """Raise WarehouseError if the file exists and is not a DuckDB database."""
    if _is_other_file(path):
        raise WarehouseError(f"{path}: this file is not a DuckDB database. Name another with [WAREHOUSE] URL.")


def _is_other_file(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as stream:  # DuckDB reports it when it opens the file
        head = stream.read(12)
        return bool(head) and head[8:] != b"DUCK"  # "Storage Versions and Format", DuckDB's documentation
    return False


def _connect(
    path: Path, settings: dict[str, str | bool | int | float | list[str]], *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """Open the file; a writer waits some seconds for readers, such as a dashboard."""
    deadline = time.monotonic() + (0 if read_only else _PATIENCE)
    while True:
        try:
            # An absolute path is always a file; relative ones such as `:memory:` and `md:` are not.
            return duckdb.connect(path.absolute(), read_only=read_only, config=settings)
        except duckdb.IOException as error:
            message = str(error)
            if not message.startswith(_LOCKED):
                reason = message.removeprefix("IO Error: ").rstrip(".")
                raise WarehouseError(
                    f"{path}: cannot be opened ({reason}). Name another file with [WAREHOUSE] URL."
                ) from error
            if time.monotonic() > deadline:
                holder = re.search(r"PID (\d+)", message)
                process = f" (PID {holder[1]})" if holder else ""
                raise WarehouseError(f"{path}: another process is using it{process}. Wait until it ends.") from error
            time.sleep(0.05)


def _remove(path: Path) -> None:
    """Delete the file of a rebuild, but keep a file that is not a DuckDB database."""
    if _is_other_file(path):
        return
    for leftover in (path, path.with_name(path.name + ".wal")):
        if leftover.is_dir():
            raise WarehouseError(f"{leftover}: this is a folder, where a full refresh needs a file. Rename it.")
        leftover.unlink(missing_ok=True)
