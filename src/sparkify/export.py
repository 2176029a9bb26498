"""Tables and views as files for other tools: Parquet or CSV, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sparkify import dictionary, tables
from sparkify.contract import literal, quoted
from sparkify.engines.base import Engine
from sparkify.errors import ConfigError, WarehouseError

if TYPE_CHECKING:
    import duckdb

_MARK = "\ufeff"  # before the first byte of a CSV, it tells Excel that the file is UTF-8

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export(
    engine: Engine, folder: Path, form: Format, names: Sequence[str] = tables.ALL, *, force: bool = False
) -> dict[str, Path]:
    """Write tables or views to ``<folder>/<name>.<format>``, all as of one moment; return the files by name.

    CSV is UTF-8 with the mark by which Excel tells it, a header, and empty cells for null.

    Raise ConfigError for a name that is none of ours, WarehouseError for a file that is there, unless forced.
    """
    known = (*tables.ALL, *tables.VIEWS)
    for name in names:
        if name not in known:
            raise ConfigError(f"--table {name}: there is no such table or view. Name one of: {', '.join(known)}.")
    files = {name: folder / f"{name}.{form}" for name in dict.fromkeys(names)}
    there = [path for path in files.values() if path.exists()]
    if there and not force:
        raise WarehouseError(f"{there[0]}: is there already. Name another folder with --out, or pass --force.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"{folder}: cannot be made ({error.strerror}). Name another with --out.") from error
    engine.export(files, form)
    return files


def copy_out(connection: duckdb.DuckDBPyConnection, relation: str, path: Path, form: str) -> None:
    """Write what can be selected from a relation of an embedded database to a file.

    Raise WarehouseError for a place that cannot be written to.
    """
    from duckdb import Error

    if form == "csv":
        columns = [column for column, *_ in connection.execute(f"describe select * from {relation}").fetchall()]
        named = [quoted(column) for column in columns]
        named[0] += f" as {quoted(_MARK + columns[0])}"
        select, options = f"select {', '.join(named)} from {relation}", "format csv, header"
    else:
        select, options = f"select * from {relation}", "format parquet, compression zstd"
    with whole(path) as beside:
        try:
            connection.execute(f"copy ({select}) to {literal(str(beside))} ({options})")
        except Error as error:
            raise WarehouseError(f"{path}: cannot be written ({error}). Name another place with --out.") from error


def empty(name: str) -> str:
    """Return a relation that has the columns of a table or view, and no rows."""
    columns = [f"cast(null as {column.type}) as {quoted(column.name)}" for column in dictionary.entry(name).columns]
    return f"(select {', '.join(columns)} where false)"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name beside a file to write to; when that has gone well, it takes the file's place in one moment.

    Raise WarehouseError for a place that cannot be written to, such as a folder or a device.
    """
    beside = path.parent / f".{path.name}.{os.getpid()}"
    try:
        if path.exists() and not path.is_file():
            raise WarehouseError(f"{path}: is a folder or device, not a file. Name another place with --out.")
        yield beside
        beside.replace(path)
    except OSError as error:
        raise WarehouseError(f"{path}: cannot be written ({error.strerror}). Name another place with --out.") from error
    finally:
        with suppress(OSError):  # a name that is too long cannot be looked for either
            beside.unlink(missing_ok=True)
