"""Tables and views as files for other tools: Parquet or CSV, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from sparkify.errors import ConfigError, WarehouseError
from sparkify.sql import model
from sparkify.warehouse.base import Warehouse

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export_tables(
    warehouse: Warehouse, folder: Path, form: Format, names: Sequence[str] = model.ALL, *, force: bool = False
) -> dict[str, Path]:
    """Write tables or views to ``<folder>/<name>.<format>``, all as of one moment; return the files by name.

    CSV is UTF-8 with the mark by which Excel tells it, a header, and empty cells for null.

    Raise ConfigError for a name that is none of ours, WarehouseError for a file that is there, unless forced.
    """
    known = (*model.ALL, *model.VIEWS)
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
    warehouse.write_files(files, form)
    return files
