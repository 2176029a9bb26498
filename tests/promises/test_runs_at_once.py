"""Promise 3: runs at the same time do not disturb each other."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.promises import deliveries
from tests.promises.records import event
from tests.support.killing import (
    Contents,
    arguments,
    contents,
    start,
)
from tests.support.postgres import Server
from tests.support.sandbox import Sandbox

from sparkify.pipeline import batch
from sparkify.staging import reader
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import count_rows, create_tables


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
@pytest.mark.parametrize(
    "command",
    [pytest.param("etl", marks=pytest.mark.ci), pytest.param("create-tables", marks=pytest.mark.ci), "status"],
)
def test_command_on_a_file_in_use_names_the_process_that_uses_it(
    loaded: Sandbox, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one process has a DuckDB file open, another that does not wait fails, and names the first."""
    monkeypatch.setenv("SPARKIFY_WAREHOUSE_WAIT", "0")
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


@pytest.mark.parametrize("batch_size", [None, 1], ids=["one batch", "batches"])
@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_file_that_another_run_has_just_loaded_is_not_loaded_again(
    waiting: Sandbox, undisturbed: Contents, monkeypatch: pytest.MonkeyPatch, batch_size: int | None
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


def test_tables_are_created_by_several_at_once(postgres: Server) -> None:
    """Several processes that drop and create tables wait for each other, and leave empty tables."""
    with postgres.database() as url, ExitStack() as opened:
        connections = [opened.enter_context(open_warehouse(url)) for _ in range(4)]
        create_tables(connections[0])
        with ThreadPoolExecutor(len(connections)) as threads:
            for done in [threads.submit(create_tables, engine) for engine in connections]:
                done.result()
        assert not any(count_rows(connections[0]).values())


def test_first_runs_of_several_at_once_do_not_collide(postgres: Server, tmp_path: Path) -> None:
    """Of several first runs, one creates schema, tables and views, and all load their files."""
    with postgres.database() as url:
        runs = [Sandbox(url, tmp_path / str(number)) for number in range(6)]
        for number, run in enumerate(runs):
            (run.log_data / "1.json").write_text(event(sessionId=number))
        with ThreadPoolExecutor(len(runs)) as threads:
            for done in [threads.submit(run.etl) for run in runs]:
                done.result()
        assert runs[0].query("select count(*) from page_views") == [(len(runs),)]
