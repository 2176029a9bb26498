"""Promise 2: every record is accounted for, in every column of the ledger, the history of runs and the quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.promises.deliveries import HEARD, LATE, LOST, play, song, view, write
from tests.support.sandbox import Row, Sandbox

from sparkify.config import Rules
from sparkify.pipeline.progress import Summary
from sparkify.sql import dictionary
from sparkify.warehouse.base import now
from sparkify.warehouse.install import LAYOUT, contract_version


def rows(warehouse: Sandbox, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table in order, by the names of the data dictionary."""
    names = [column.name for column in dictionary.entry(table).columns]
    found: list[Row] = warehouse.query(f"select * from {table}")
    return [dict(zip(names, row, strict=True)) for row in sorted(found, key=repr)]


def file_of(path: Path, run: Summary) -> dict[str, Any]:
    """Return the columns of the ledger that depend on a file and its run."""
    status = path.stat()
    version = f"{status.st_size}-{status.st_mtime_ns}"
    return {"path": str(path), "version": version, "size": status.st_size, "run_id": run.run.id}


def run_of(summary: Summary, *paths: Path) -> dict[str, Any]:
    """Return the columns of the history that depend on a run and its files."""
    versions = {"layout": LAYOUT, "contract": contract_version(Rules())}
    size = sum(path.stat().st_size for path in paths)
    run = {"run_id": summary.run.id, "started_at": summary.run.started_at}
    return {**versions, **run, "files": len(paths), "bytes": size}


def test_every_column_of_the_bookkeeping_is_right(warehouse: Sandbox) -> None:
    """Files, runs and rejected records have in every column what was delivered, counted by hand."""
    logs, songs = warehouse.log_data, warehouse.song_data
    old, new, heard, late = logs / "a.json", logs / "b.json", songs / "heard.json", songs / "late.json"
    began = now()
    write(old, play(1), play(2), play(3), *[view(4)] * 6, "{broken", view(5), "42", "null")
    write(heard, song("SO1", HEARD, "AR1"), *[song("SO2", LOST, "AR2")] * 4, "7")
    first = warehouse.etl()
    write(new, play(6), *[play(9)] * 8, view(7), view(8), view(9), "1", "2", "3", "4", "5")
    write(late, song("SO3", LATE, "AR3"))
    second = warehouse.etl()

    published = [run["finished_at"] for run in rows(warehouse, "etl_runs")]
    assert began <= first.run.started_at <= published[0] <= second.run.started_at <= published[1] <= now()
    assert rows(warehouse, "etl_runs") == [
        run_of(first, old, heard)
        | {"finished_at": published[0], "events_read": 13, "songs_read": 6}
        | {"songplays": 3, "page_views": 2, "events_duplicate": 5, "events_rejected": 3}
        | {"songs": 2, "songs_duplicate": 3, "songs_rejected": 1},
        run_of(second, new, late)
        | {"finished_at": published[1], "events_read": 17, "songs_read": 1}
        | {"songplays": 2, "page_views": 3, "events_duplicate": 7, "events_rejected": 5}
        | {"songs": 1, "songs_duplicate": 0, "songs_rejected": 0},
    ]
    outcomes = ("songplays", "page_views", "songs", "duplicates", "rejected")
    assert rows(warehouse, "etl_files") == [
        {"source": source, **file_of(path, run), "loaded_at": at, "read": sum(counts)}
        | dict(zip(outcomes, counts, strict=True))
        for source, path, run, at, counts in (
            ("events", old, first, published[0], (3, 2, 0, 5, 3)),
            ("events", new, second, published[1], (2, 3, 0, 7, 5)),
            ("songs", heard, first, published[0], (0, 0, 2, 3, 1)),
            ("songs", late, second, published[1], (0, 0, 1, 0, 0)),
        )
    ]
    assert rows(warehouse, "rejected_records") == [
        {"source": source, "file": str(path), "line": line, "reason": reason, "record": record, "run_id": run.run.id}
        for source, path, line, reason, record, run in (
            ("events", old, 10, "not valid JSON", "{broken", first),
            ("events", old, 12, "not a JSON object", "42", first),
            ("events", old, 13, "not a JSON object", "null", first),
            *(("events", new, 12 + n, "not a JSON object", str(n), second) for n in range(1, 6)),
            ("songs", heard, 6, "not a JSON object", "7", first),
        )
    ]
