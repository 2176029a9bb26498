"""Export tables and views to Parquet or CSV files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from sparkify.errors import ConfigError, WarehouseError
from sparkify.sql import model
from sparkify.warehouse.base import Warehouse

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export_tables(
    warehouse: Warehouse,
    folder: Path,
    form: Format,
    names: Sequence[str] = model.ALL,
    *,
    force: bool = False,
    spreadsheet: bool = False,
) -> dict[str, Path]:
    """Write tables or views to ``<folder>/<name>.<format>``, all from the same snapshot; return the files by name.

    CSV files are UTF-8 with a byte order mark, for Excel. They have a header row, and null is an empty cell.
    With `spreadsheet`, a single quote precedes each text that a spreadsheet would run as a formula.

    Raise ConfigError for an unknown name or a spreadsheet in Parquet, and WarehouseError for an existing file unless
    `force` is set.
    """
    if spreadsheet and form != "csv":
        raise ConfigError(f"--format {form}: a file for a spreadsheet is CSV. Omit --format or --spreadsheet.")
    known = (*model.ALL, *model.VIEWS)
    for name in names:
        if name not in known:
            raise ConfigError(f"--table {name}: no table or view has this name. Choose one of: {', '.join(known)}.")
    files = {name: folder / f"{name}.{form}" for name in dict.fromkeys(names)}
    try:
        existing = [path for path in files.values() if path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the folder cannot be created or read ({error.strerror})"
        raise WarehouseError(f"{folder}: {problem}. Name another one with --out.") from error
    if existing and not force:
        raise WarehouseError(f"{existing[0]}: the file already exists. Name another folder with --out, or add --force.")
    warehouse.write_files(files, "spreadsheet" if spreadsheet else form)
    return files
