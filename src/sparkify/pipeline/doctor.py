"""Examine what a run depends on: sources, temporary folder, warehouse; and try a small load."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sparkify import formatting
from sparkify.config import Config, Rules
from sparkify.errors import SourceError, SparkifyError
from sparkify.filesystem import scratch_folder
from sparkify.pipeline import checks
from sparkify.pipeline.progress import Narrator, Options, Progress
from sparkify.pipeline.run import list_sources, load_all
from sparkify.sources import listing
from sparkify.sources.listing import Kind
from sparkify.sql import model
from sparkify.warehouse import install
from sparkify.warehouse.base import Row, Warehouse
from sparkify.warehouse.connect import may_exist, open_warehouse, warehouse_class

_LITTLE_SPACE = 1 << 30  # bytes

_COMPARED = {
    **{table: f"select * from {table}" for table in (*model.FACTS, *model.DIMENSIONS, "catalogue")},
    "etl_files": "select source, path, version, size, read from etl_files",
    "rejected_records": "select source, file, line, reason, record from rejected_records",
}
"""Table → the SELECT of what does not depend on the time of a load."""


class Finding(NamedTuple):
    """The result of one examination."""

    subject: str
    is_ok: bool
    detail: str  # what was found, or what is wrong and what to do


def examine(config: Config) -> Iterator[Finding]:
    """Examine the sources, this machine and the warehouse, and change nothing."""
    for kind, root in (("events", config.log_data), ("songs", config.song_data)):
        yield _tried(f"files of {kind}", lambda kind=kind, root=root: _files(kind, root, config))  # type: ignore[misc]
    yield _tried("temporary folder", _temporary_folder)
    with ExitStack() as until_end:
        opened: list[Warehouse] = []
        yield _tried("warehouse", lambda: _open(config, opened, until_end))
        for warehouse in opened:
            yield _tried("tables", lambda: _tables(warehouse, config))  # noqa: B023 (called at once)
            for subject, examination in warehouse.examinations():
                yield _tried(subject, examination)


def _tried(subject: str, examination: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, examination())
    except SparkifyError as error:
        return Finding(subject, False, str(error))


def _files(kind: Kind, root: str, config: Config) -> str:
    files = listing.list_files(kind, root, config.aws).files
    if not files:
        raise SourceError(f"{root}: contains no {listing.READ}. A run fails, unless it may load without {kind}.")
    size = formatting.size(sum(file.size for file in files))
    return f"{formatting.files(len(files))}, {size}, in {root}"


def _temporary_folder() -> str:
    with scratch_folder() as folder:
        free = shutil.disk_usage(folder).free
    parent = tempfile.gettempdir()
    if free < _LITTLE_SPACE:
        raise SparkifyError(f"{parent}: only {formatting.size(free)} are free. Free some, or set TMPDIR.")
    return f"{parent}, {formatting.size(free)} free"


def _open(config: Config, opened: list[Warehouse], until_end: ExitStack) -> str:
    if not may_exist(config.warehouse_url):
        return "does not exist yet; `sparkify etl` creates it"
    warehouse = open_warehouse(config.warehouse_url, config, read_only=True)
    opened.append(until_end.enter_context(warehouse))
    return warehouse.label


def _tables(warehouse: Warehouse, config: Config) -> str:
    install.require_versions(warehouse, config.contract)
    if not warehouse.has_tables():
        return "none yet; `sparkify etl` creates them"
    return f"layout {install.LAYOUT}, contract {install.contract_version(config.contract)}"


def try_load(config: Config, folder: Path, narrator: Narrator) -> Finding:
    """Load the files in a folder into a new schema, compare it with a DuckDB file, and drop it.

    `folder` has the folders log_data and song_data.
    """
    logs, songs = str(folder / "log_data"), str(folder / "song_data")
    # The generated records have the usual keys and levels.
    config = replace(config, log_data=logs, song_data=songs, log_jsonpath="", contract=Rules())
    return _tried("a small load", lambda: _try_load(config, folder, narrator))


def _try_load(config: Config, folder: Path, narrator: Narrator) -> str:
    with (
        open_warehouse(f"duckdb:///{folder / 'expected.duckdb'}", config) as expected,
        warehouse_class(config.warehouse_url).trial(config.warehouse_url, config) as tried,
    ):
        rows, found, label = _load(expected, config, narrator), _load(tried, config, narrator), tried.label
    different = [table for table in _COMPARED if found[table] != rows[table]]
    if different:
        table = different[0]
        first = next(
            (pair for pair in zip(rows[table], found[table], strict=False) if pair[0] != pair[1]),
            (f"{len(rows[table])} rows", f"{len(found[table])} rows"),
        )
        raise SparkifyError(
            f"{label}: differs from DuckDB in {', '.join(different)}. The first difference in {table}:"
            f"\nexpected {first[0]}\nfound    {first[1]}\nReport this; do not load until it is explained."
        )
    return f"{formatting.count(sum(map(len, rows.values())), 'row')} equal those on DuckDB"


def _load(warehouse: Warehouse, config: Config, narrator: Narrator) -> dict[str, list[str]]:
    """Load the files of the configuration; return the rows of each table as sorted text."""
    progress = Progress(Options(), narrator, config.aws, config.contract)
    install.create_missing_tables(warehouse)
    load_all(warehouse, list_sources(config, progress.options, narrator).files, progress)
    if failed := checks.offences(warehouse):
        raise SparkifyError(f"{warehouse.label}: checks failed after a small load: {', '.join(failed)}. Report this.")
    return {table: sorted(map(_as_text, warehouse.rows(select))) for table, select in _COMPARED.items()}


def _as_text(row: Row) -> str:
    """Return a row as text that does not depend on how an engine shows a number."""
    cells = (f"{float(cell):.12g}" if isinstance(cell, float) else str(cell) for cell in row)
    return ", ".join(cells)
