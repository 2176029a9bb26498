"""The embedded DuckDB, as every warehouse uses it: its settings, its errors, and files written by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from sparkify.config import Config
from sparkify.errors import SparkifyError, WarehouseError
from sparkify.filesystem import write_whole
from sparkify.sql import dictionary
from sparkify.sql.quoting import literal, quoted

_UTF8_MARK = "\ufeff"  # as the first character of a CSV file, it tells Excel that the file is UTF-8


def in_memory(config: Config) -> duckdb.DuckDBPyConnection:
    """Return an empty database in memory, in which a batch for a server is staged."""
    connection = duckdb.connect(config={"memory_limit": f"{config.memory}B"})
    connection.execute("set preserve_insertion_order = false")
    return connection


@contextmanager
def translate_errors(where: object) -> Iterator[None]:
    """Translate DuckDB errors into WarehouseError, and an interrupted query into KeyboardInterrupt."""
    try:
        yield
    except SparkifyError:
        raise
    except duckdb.OutOfMemoryException as error:
        first = str(error).splitlines()[0]
        raise WarehouseError(f"{where}: {first}. Raise [WAREHOUSE] MEMORY, or lower --batch-size.") from error
    except duckdb.Error as error:
        raise WarehouseError(f"{where}: {error}") from error
    except RuntimeError as error:
        if "interrupted" in str(error):
            raise KeyboardInterrupt from error
        raise


def copy_out(connection: duckdb.DuckDBPyConnection, relation: str, path: Path, form: str) -> None:
    """Write the rows of a relation of an embedded database to a file, as parquet or csv.

    Raise WarehouseError if the file cannot be written.
    """
    if form == "csv":
        columns = [column for column, *_ in connection.execute(f"describe select * from {relation}").fetchall()]
        named = [quoted(column) for column in columns]
        named[0] += f" as {quoted(_UTF8_MARK + columns[0])}"
        select, options = f"select {', '.join(named)} from {relation}", "format csv, header"
    else:
        select, options = f"select * from {relation}", "format parquet, compression zstd"
    with write_whole(path) as beside:
        try:
            connection.execute(f"copy ({select}) to {literal(str(beside))} ({options})")
        except duckdb.Error as error:
            raise WarehouseError(f"{path}: cannot be written ({error}). Name another place with --out.") from error


def empty_relation(name: str) -> str:
    """Return a relation with the columns of a table or view, and no rows."""
    columns = [f"cast(null as {column.type}) as {quoted(column.name)}" for column in dictionary.entry(name).columns]
    return f"(select {', '.join(columns)} where false)"
