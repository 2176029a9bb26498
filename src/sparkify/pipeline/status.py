"""The state of the warehouse, for people and machines. Nothing here changes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkify.config import Config
from sparkify.errors import SourceError
from sparkify.pipeline import ledger
from sparkify.sources import listing
from sparkify.sql import model
from sparkify.warehouse import base
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.install import count_rows

_RUNS_SHOWN = 5


@dataclass(frozen=True)
class WarehouseStatus:
    """The state of the warehouse, and the files that wait to be loaded."""

    rows: dict[str, int]  # table → rows
    files_loaded: int
    files_pending: int | None  # None when the sources cannot be listed
    bytes_pending: int | None
    not_listed: str  # why the sources cannot be listed
    newest_event: datetime | None
    newest_event_age: float | None  # seconds
    events_ahead: int  # events that are later than this machine's clock
    upkeep: list[dict[str, Any]] | None  # of Redshift's tables, in percent; None without the permission to see it
    runs: list[dict[str, Any]]  # the latest, newest first: the columns of etl_runs, and seconds


def read_status(warehouse: Warehouse, config: Config) -> WarehouseStatus:
    """Return the state of the warehouse and of the sources."""
    known = ledger.loaded(warehouse)
    try:
        files = [
            *listing.list_files("songs", config.song_data, config.aws, follow_links=True).files,
            *listing.list_files("events", config.log_data, config.aws, follow_links=True).files,
        ]
    except SourceError as error:
        waiting, not_listed = None, str(error)
    else:
        waiting, not_listed = ledger.pending(files, known), ""
    now = base.now()
    newest = warehouse.value("select max(start_time) from time")
    columns, runs = warehouse.query(f"select * from etl_runs order by started_at desc limit {_RUNS_SHOWN}")
    upkeep = warehouse.upkeep()
    return WarehouseStatus(
        rows=count_rows(warehouse),
        files_loaded=len(known),
        files_pending=None if waiting is None else len(waiting),
        bytes_pending=None if waiting is None else sum(file.size for file in waiting),
        not_listed=not_listed,
        newest_event=newest,
        newest_event_age=(now - newest).total_seconds() if newest else None,
        events_ahead=sum(
            warehouse.value(f"select count(*) from {fact} where start_time > ?", [now]) for fact in model.FACTS
        ),
        upkeep=None
        if upkeep is None
        else [{"table": table, "unsorted": unsorted, "statistics_stale": stale} for table, unsorted, stale in upkeep],
        runs=[_with_seconds(dict(zip(columns, run, strict=True))) for run in runs],
    )


def _with_seconds(run: dict[str, Any]) -> dict[str, Any]:
    return run | {"seconds": (run["finished_at"] - run["started_at"]).total_seconds()}


def rejects(warehouse: Warehouse, file: str = "", reason: str = "") -> list[dict[str, Any]]:
    """Return the rejected records whose file and reason contain the given texts, ordered by file and line."""
    columns, rows = warehouse.query(
        "select source, file, line, reason, record, run_id from rejected_records"
        " where position(lower(?) in lower(coalesce(file, ''))) > 0 and position(lower(?) in lower(reason)) > 0"
        " order by file, line, reason, record",
        [file, reason],
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]
