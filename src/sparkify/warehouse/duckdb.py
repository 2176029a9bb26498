"""DuckDB, the embedded warehouse in a single file."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from sparkify import formatting
from sparkify.config import Config
from sparkify.errors import WarehouseError
from sparkify.filesystem import scratch_folder
from sparkify.sql import loader, model
from sparkify.sql.ddl import create_view
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse import duckdb_file, embedded
from sparkify.warehouse.base import Known, Row, Say, Warehouse, silent

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

_MERGE_EVERY = 16  # runs; a daily load spent 0.1 of 0.7 s on merging its small row groups each time
_STORAGE = "v1.4.0"  # of a new file, which DuckDB 1.4 LTS can then open; a load is as fast, and the file as large
_MISSING = re.compile(r"Catalog Error: Table with name (\w+) does not exist")
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
        self._path = duckdb_file.named(url)  # as messages call the file
        self._file = duckdb_file.behind(self._path)
        self._beside = self._file.with_name(self._file.name + ".sparkify-rebuild")
        self.label = str(self._path)
        if read_only and not self._file.exists():
            raise WarehouseError(f"{self._path}: this file does not exist. Run `sparkify etl` to create the warehouse.")
        if not self._file.parent.is_dir():
            raise WarehouseError(f"{self._path}: its folder does not exist. Create the folder, or set [WAREHOUSE] URL.")
        if not read_only and not os.access(self._file.parent, os.W_OK):  # or the commit would fail
            raise WarehouseError(
                f"{self._path}: its folder is not writable, and DuckDB creates files there. Fix its permissions, or set"
                " [WAREHOUSE] URL."
            )
        settings: duckdb_file.Settings = {
            "autoinstall_known_extensions": False,
            "memory_limit": f"{config.memory}B",
            "storage_compatibility_version": _STORAGE,
        }
        if read_only:
            settings["enable_external_access"] = False  # otherwise, a SELECT could read and write any file
        self.embedded = duckdb_file.connect(
            self._path, self._file, settings, read_only=read_only, wait=config.wait, say=say
        )
        # With the database name, since temporary tables are in a schema "main" too.
        self._schema = f"{quoted(self.value('select current_database()'))}.main"
        if not read_only:
            self.embedded.execute("set preserve_insertion_order = false")
            self.embedded.execute("set max_vacuum_tasks = 0")
            duckdb_file.remove(self._beside)  # left behind by a killed rebuild

    @classmethod
    def may_exist(cls, url: str) -> bool:
        """Return whether the file exists."""
        return duckdb_file.named(url).exists()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows it changed."""
        with self._errors_translated():
            result = self.embedded.execute(sql, parameters or None)
            row = result.fetchone() if result.description else None
        return row[0] if row and isinstance(row[0], int) else 0

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return its column names and its rows."""
        with self._errors_translated():
            result = self.embedded.execute(sql, parameters or None)
            return [column[0] for column in result.description or ()], result.fetchall()

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT written by a user; the warehouse must be open read-only."""
        with self._errors_translated():
            statements = self.embedded.extract_statements(sql)
        if len(statements) != 1:
            raise WarehouseError(f"{self._path}: {len(statements)} statements were given. Give one SELECT.")
        if duckdb.ExpectedResultType.QUERY_RESULT not in statements[0].expected_result_type:
            raise WarehouseError(f"{self._path}: the statement returns no rows. Give one SELECT.")
        try:
            return self.query(sql)
        except WarehouseError as error:
            missing = _MISSING.search(str(error))
            if missing and missing[1].lower() in STAGING:
                raise WarehouseError(
                    f"{self._path}: {missing[1].lower()} was temporary, and ended with the run. Run `sparkify etl"
                    " --full-refresh --keep-staging` to keep the staging tables of the last batch. The number of"
                    " records read from each file is in etl_files."
                ) from error
            raise

    def has_tables(self) -> bool:
        """Return whether the tables exist."""
        named = "select count(*) from information_schema.tables where table_name = 'etl_files'"
        return bool(self.value(f"{named} and table_schema = current_schema()"))

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on the tables, views and columns, by (table, column)."""
        return {(table, column): text for table, column, text in self.rows(_COMMENTS)}

    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files, on a second connection, since a read-only one cannot write files."""
        with self._errors_translated(), embedded.in_memory(self._config) as second:
            second.execute(f"attach {literal(str(self._file))} as {_EXPORTED} (read_only)")
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

    def optimize(self, table: str, changed: int) -> None:
        """Do nothing, since DuckDB updates its statistics as it writes."""

    def keep_staging(self) -> None:
        """Copy the temporary staging tables to tables of the same names."""
        for table in STAGING:
            self.execute(f"create or replace table {self._schema}.{table} as from temp.{table}")

    @contextmanager
    def rebuild(self, catch_up: Callable[[Warehouse, Known], None]) -> Iterator[Warehouse]:
        """Yield an empty warehouse in a file beside this one; on success, copy its tables in one transaction."""
        try:
            with DuckDB(f"duckdb:///{self._beside}", self._config) as fresh:
                yield fresh
                catch_up(fresh, self.loaded_files())
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
            duckdb_file.remove(self._beside)

    def examinations(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield the version, the size of the file, and the free space beside it."""
        memory = formatting.size(self._config.memory)
        yield "DuckDB", lambda: f"version {duckdb.__version__}, [WAREHOUSE] MEMORY {memory}"
        yield "disk", self._free_space

    def _free_space(self) -> str:
        size, free = self._file.stat().st_size, shutil.disk_usage(self._file.parent).free
        if free < size:  # a full refresh builds a second file
            raise WarehouseError(
                f"{self._path}: takes {formatting.size(size)}, and only {formatting.size(free)} are free beside it. A"
                " full refresh needs as much again; free some space."
            )
        return f"the file takes {formatting.size(size)}, {formatting.size(free)} are free"

    @classmethod
    @contextmanager
    def trial(cls, url: str, config: Config) -> Iterator[Warehouse]:  # noqa: ARG003 (any file shows the same)
        """Yield an empty warehouse in a temporary file."""
        with scratch_folder() as folder, cls(f"duckdb:///{Path(folder) / 'trial.duckdb'}", config) as trial:
            yield trial

    def _errors_translated(self) -> AbstractContextManager[None]:
        return duckdb_file.translate_damage(self._path, self._file)

    def close(self) -> None:
        """Close the file; every 16 runs, let DuckDB merge the small row groups that loads leave behind."""
        with suppress(duckdb.Error):  # no tables yet, or a read-only file
            [(runs,)] = self.embedded.execute(f"select count(*) from {self._schema}.{model.RUNS}").fetchall()
            if runs % _MERGE_EVERY == 0:
                self.embedded.execute("reset max_vacuum_tasks")
        self.embedded.close()
