"""Promise 3: runs at the same time do not disturb each other."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.promises import deliveries
from tests.support.killing import (
    Contents,
    arguments,
    contents,
    start,
)
from tests.support.sandbox import Sandbox

from sparkify.pipeline import batch
from sparkify.pipeline.progress import BATCH_SIZE
from sparkify.staging import reader
from sparkify.warehouse.connect import open_warehouse


def test_two_runs_at_once_end_right(waiting: Sandbox, undisturbed: Contents) -> None:
    """Each of two simultaneous runs works or fails with a clear message, and one more run completes the rest."""
    runs = [start(["-m", "sparkify", *arguments(waiting, "--batch-size", "1")]) for _ in range(2)]
    narrations = [run.communicate()[1] for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes
    for code, narration in zip(codes, narrations, strict=True):
        assert code == 0 or (code == 1 and "another process is using it" in narration), narration
    waiting.etl()
    assert contents(waiting) == undisturbed


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("command", ["etl", "create-tables", "status"])
def test_command_on_a_file_in_use_names_the_process_that_uses_it(loaded: Sandbox, command: str) -> None:
    """While one process has a DuckDB file open, another fails with a message that names the first."""
    words = arguments(loaded) if command == "etl" else [command, "--warehouse", loaded.url]
    with open_warehouse(loaded.url) as held:
        process = start(["-m", "sparkify", *words])
        _, narration = process.communicate()
        assert process.returncode == 1
        assert "another process is using it" in narration
        assert str(os.getpid()) in narration
        assert "Traceback" not in narration
        assert held.value("select count(*) from etl_runs") == 1


@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_run_names_the_run_that_it_waits_for(loaded: Sandbox) -> None:
    """On a server, a run that finds another one publishing names it, waits for it, and then loads its own files."""
    deliveries.second(loaded.log_data, loaded.song_data)
    with open_warehouse(loaded.url) as held:
        with held.transaction():
            held.lock_ledger()
            process = start(["-m", "sparkify", *arguments(loaded)])
            assert process.stderr
            notice = next(line for line in process.stderr if "Waiting" in line)
            assert f"server process {held.value('select pg_backend_pid()')}" in notice
            assert held.value("select count(*) from etl_runs") == 1
        process.communicate()
        assert process.returncode == 0
        assert held.value("select count(*) from etl_runs") == 2


@pytest.mark.parametrize("batch_size", [BATCH_SIZE, 1], ids=["one batch", "batches"])
@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_file_that_another_run_has_just_loaded_is_not_loaded_again(
    waiting: Sandbox, undisturbed: Contents, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    """A run lists pending files again under the lock, so no batch loads a file twice."""
    real, first = reader.stage, True

    def overtaken(*words: Any, **options: Any) -> Any:
        nonlocal first
        read = real(*words, **options)
        if first:
            first = False
            waiting.etl()
        return read

    monkeypatch.setattr(batch, "stage", overtaken)
    assert waiting.etl(batch_size=batch_size).run.counts.files == 0
    assert contents(waiting) == undisturbed
    assert waiting.failed_checks() == []
