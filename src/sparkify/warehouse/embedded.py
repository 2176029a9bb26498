"""The embedded DuckDB of every warehouse: settings, errors and written files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

import duckdb

from sparkify.config import Config
from sparkify.errors import SparkifyError, WarehouseError
from sparkify.filesystem import scratch_folder, write_whole
from sparkify.sql import dictionary
from sparkify.sql.quoting import literal, quoted

_FULL = re.compile(r'"([^"\\]+)\\?": No space left on device')
_UTF8_MARK = "\ufeff"  # the first character of a CSV file by which Excel recognises UTF-8
_FORMULA_STARTS = "'=', '+', '-', '@', chr(9), chr(13)"  # owasp.org/www-community/attacks/CSV_Injection

_open: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()


def interruptible(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return a connection whose statements `interrupt` stops."""
    _open.add(connection)
    return connection


def interrupt() -> None:
    """Stop the statements of all connections; any thread can call this."""
    for connection in list(_open):
        with suppress(duckdb.Error):  # It was closed.
            connection.interrupt()


@contextmanager
def in_memory(config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield an empty in-memory database, which spills to a temporary folder that nobody else can read."""
    with (
        scratch_folder() as folder,
        duckdb.connect(config={"memory_limit": f"{config.memory}B", "temp_directory": folder}) as connection,
    ):
        yield interruptible(connection)


@contextmanager
def translate_errors(where: object) -> Iterator[None]:
    """Translate DuckDB errors into WarehouseError, and an interruption into KeyboardInterrupt."""
    try:
        yield
    except SparkifyError:
        raise
    except duckdb.OutOfMemoryException as error:
        first = str(error).splitlines()[0]
        is_denied = "bad allocation" in first  # by the system, and not by the setting
        remedy = "Raise the limit of `ulimit -v` or of the container" if is_denied else "Raise [WAREHOUSE] MEMORY"
        raise WarehouseError(f"{where}: {first}. {remedy}, or lower --batch-size.") from error
    except duckdb.Error as error:
        if full := _FULL.search(str(error)):
            raise WarehouseError(
                f"{where}: {full[1]} cannot be written, because no space is left on its disk. Free some; or, for a"
                " temporary file, set TMPDIR to a folder with more space, or lower --batch-size."
            ) from error
        quoting = str(error).replace("\t", " ")  # a terminal shows a tab of the statement as an escape
        raise WarehouseError(f"{where}: {quoting}") from error
    except RuntimeError as error:
        if "interrupted" in str(error):
            raise KeyboardInterrupt from error
        raise


def copy_out(connection: duckdb.DuckDBPyConnection, relation: str, path: Path, form: str) -> None:
    """Write a relation of the embedded database to a file: parquet, csv or spreadsheet (CSV without formulas).

    Raise WarehouseError if that fails.
    """
    if form == "parquet":
        select, options = f"select * from {relation}", "format parquet, compression zstd, use_tmp_file false"
    else:
        columns = connection.execute(f"describe select * from {relation}").fetchall()
        shown = _without_formula if form == "spreadsheet" else lambda column, _: column
        marks = [_UTF8_MARK, *("" for _ in columns[1:])]
        named = [
            f"{shown(quoted(name), kind)} as {quoted(mark + name)}"
            for mark, (name, kind, *_) in zip(marks, columns, strict=True)
        ]
        select, options = f"select {', '.join(named)} from {relation}", "format csv, header, use_tmp_file false"
    with write_whole(path) as beside:
        try:
            connection.execute(f"copy ({select}) to {literal(str(beside))} ({options})")
        except duckdb.Error as error:
            raise WarehouseError(
                f"{path}: the file cannot be written ({error}). Name another folder with --out."
            ) from error


def _without_formula(column: str, kind: str) -> str:
    """Return the SQL of a column in which a quote precedes each text that a spreadsheet would run as a formula."""
    if kind != "VARCHAR":
        return column
    return f"case when left({column}, 1) in ({_FORMULA_STARTS}) then '''' || {column} else {column} end"


def empty_relation(name: str) -> str:
    """Return a subquery with the columns of a table or view, and no rows."""
    columns = [f"cast(null as {column.type}) as {quoted(column.name)}" for column in dictionary.entry(name).columns]
    return f"(select {', '.join(columns)} where false)"
