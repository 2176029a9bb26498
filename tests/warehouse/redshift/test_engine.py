"""On Redshift, connections, retries and status have rules of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer
from typing import Any

import psycopg
import pytest
from tests.promises import deliveries
from tests.support.postgres import Server
from tests.support.redshift import Standin
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.errors import ConfigError, WarehouseError
from sparkify.pipeline import batch, transform
from sparkify.warehouse import base
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.redshift import engine
from sparkify.warehouse.redshift.stage import StagingArea
from sparkify.warehouse.server import rebuild_schema

on_redshift = pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)


@on_redshift
@pytest.mark.parametrize("state", ["1023", "40001", "40P01", "53300", "57P03"])
def test_batch_is_retried_after_a_transient_error(
    delivered: Sandbox, redshift: Standin, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """After a conflict, a deadlock or a restart, the run retries the batch and loads it once."""
    monkeypatch.setattr(base, "PAUSES", (0, 0, 0))
    if state == "1023":
        redshift.faults.violate_isolation("insert into songplays")
    else:
        redshift.faults.fail("insert into songplays", "for a while", state)
    counts = delivered.etl().run.counts
    assert any("Retrying in" in line for line in delivered.narration)
    assert delivered.query("select count(*) from songplays") == [(counts.songplays,)]
    assert delivered.failed_checks() == []


@on_redshift
def test_permanent_error_is_not_retried(delivered: Sandbox, redshift: Standin) -> None:
    """A missing permission fails the run at once."""
    redshift.faults.fail("insert into songplays", "permission denied", "42501")
    with pytest.raises(WarehouseError, match="42501"):
        delivered.etl()
    assert not any("Retrying in" in line for line in delivered.narration)
    assert delivered.query("select count(*) from songplays") == [(0,)]


@on_redshift
def test_full_refresh_retries_batches_and_not_the_replacement(
    delivered: Sandbox, redshift: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transient error in a batch of a full refresh is retried; one while tables are replaced changes nothing."""
    monkeypatch.setattr(base, "PAUSES", (0, 0, 0))
    delivered.etl()
    before = delivered.contents()
    deliveries.second(delivered.log_data, delivered.song_data)
    redshift.faults.fail("insert into songplays", "for a while", "40001")
    redshift.faults.fail("^delete from page_views$", "at the end", "40001")
    with pytest.raises(WarehouseError, match="at the end"):
        delivered.etl(full_refresh=True)
    assert sum("Retrying in" in line for line in delivered.narration) == 1
    assert delivered.contents() == before


@on_redshift
def test_readers_see_the_old_rows_until_a_full_refresh_is_complete(
    delivered: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a full refresh loads its batches, readers see all old rows, and other runs can publish."""
    delivered.etl()
    plays = delivered.query("select count(*) from songplays")
    seen: list[object] = []
    real = transform.transform

    def watched(*words: Any, **options: Any) -> Any:
        seen.append(delivered.query("select count(*) from songplays"))
        with open_warehouse(delivered.url) as other, other.transaction():
            assert other.lock_ledger()
        return real(*words, **options)

    monkeypatch.setattr(batch, "transform", watched)
    delivered.etl(full_refresh=True, batch_size=1)
    assert len(seen) > 1
    assert set(map(repr, seen)) == {repr(plays)}


@on_redshift
def test_staged_files_of_a_killed_full_refresh_are_deleted_too(
    delivered: Sandbox, stage: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run deletes what a killed full refresh left in the stage, though its second schema had another name."""

    def staged_files() -> list[str]:
        keys = stage.buckets["stage"].keys()
        return [key for key in keys if key.startswith("area/")]

    delivered.etl()
    with monkeypatch.context() as killed:
        killed.setattr(StagingArea, "__exit__", lambda *_: None)
        delivered.etl(full_refresh=True)
    assert staged_files()
    deliveries.second(delivered.log_data, delivered.song_data)
    monkeypatch.setattr("sparkify.warehouse.redshift.stage.ABANDONED_AFTER", 0)
    delivered.etl()
    assert staged_files() == []


@on_redshift
def test_statement_that_somebody_cancels_is_not_called_a_lock(delivered: Sandbox, redshift: Standin) -> None:
    """A statement that the cluster cancels is reported with its reason, also while [WAREHOUSE] LOCK_TIMEOUT is set."""
    delivered.environ = {**delivered.environ, "SPARKIFY_WAREHOUSE_LOCK_TIMEOUT": "60s"}
    redshift.faults.fail("^copy staging_events", "Query cancelled by WLM abort action", "57014")
    with pytest.raises(WarehouseError, match="WLM abort action"):
        delivered.etl()


@on_redshift
@pytest.mark.parametrize("published", [False, True], ids=["nothing published", "a batch published"])
def test_run_drops_only_full_refreshes_that_have_shown_no_life_for_long(delivered: Sandbox, published: bool) -> None:
    """A run drops the second schema of a killed full refresh, and no schema in which one may still be loading."""
    delivered.etl()
    long_ago, lately = int(time.time()) - 43_300, int(time.time()) - 43_000
    names = [f"{rebuild_schema('sparkify')}_{begun}_1" for begun in (long_ago, lately)]
    with open_warehouse(delivered.url) as other:
        for name in names:
            other.execute(f"create schema {name}")
            if published:
                other.execute(f"create table {name}.etl_runs as select * from etl_runs")
    deliveries.second(delivered.log_data, delivered.song_data)
    delivered.etl()
    kept = [name for (name,) in delivered.query("select trim(nspname) from pg_namespace") if name in names]
    assert sorted(kept) == sorted(names if published else names[1:])


@on_redshift
def test_statement_may_take_longer_than_connecting(delivered: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout for connecting does not limit statements."""
    monkeypatch.setattr(engine, "CONNECTED_WITHIN", 2)
    with open_warehouse(delivered.url) as holding, open_warehouse(delivered.url) as waiting:
        holding.execute("begin")
        holding.lock_ledger()
        letting_go = Timer(3, holding.execute, ["rollback"])
        letting_go.start()
        with waiting.transaction():
            waiting.lock_ledger()
        letting_go.join()


@on_redshift
def test_ctrl_c_ends_the_session_on_the_cluster_too(delivered: Sandbox, postgres: Server, tmp_path: Path) -> None:
    """A run interrupted within a statement ends its session on the cluster."""
    sources = ["--log-data", str(delivered.log_data), "--song-data", str(delivered.song_data)]
    command = [sys.executable, "-m", "sparkify", "etl", *sources, "--warehouse", delivered.url]
    environment = {**os.environ, **delivered.environ}

    def rows_of(sql: str, *values: object) -> list[tuple[Any, ...]]:
        for _ in range(300):  # until there is a row
            if found := behind.execute(sql, values).fetchall():
                return found
            time.sleep(0.1)
        return []

    with psycopg.connect(postgres.url, autocommit=True) as behind, open_warehouse(delivered.url) as holding:
        database = delivered.url.rpartition("/")[2]
        waiting = "select pid from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
        with (
            holding.transaction(),
            subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as running,
        ):
            holding.lock_ledger()
            try:
                [(session,)] = rows_of(waiting, database)
                running.send_signal(signal.SIGINT)
                assert "sparkify: interrupted." in running.communicate()[1]
            finally:
                running.kill()  # Otherwise a failing test would wait for the run, and the run for the lock.
            assert rows_of("select 1 where not exists (select from pg_stat_activity where pid = %s)", session)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SPARKIFY_S3_STAGE", r"^\[S3\] STAGE: .* no folder"),
        ("SPARKIFY_IAM_ROLE_ARN", r"^\[IAM_ROLE\] ARN: not a valid"),
    ],
)
@on_redshift
def test_missing_area_or_role_fails_before_anything_changes(delivered: Sandbox, name: str, message: str) -> None:
    """A run without a staging area or a role fails with the setting to correct."""
    delivered.environ = {**delivered.environ, name: ""}
    with pytest.raises(ConfigError, match=message):
        delivered.etl()
    assert delivered.query("select count(*) from etl_files") == [(0,)]


@on_redshift
def test_status_shows_what_is_unsorted_and_stale(
    delivered: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sparkify status` shows each table's unsorted share and the age of its statistics."""
    for variable, value in delivered.environ.items():
        monkeypatch.setenv(variable, value)
    delivered.etl()
    assert main(["status", "--warehouse", delivered.url, "--json"]) == 0
    upkeep = {table["table"]: table for table in json.loads(capsys.readouterr().out)["upkeep"]}
    assert {"songplays", "users"} <= upkeep.keys()
    assert {"unsorted", "statistics_stale"} <= upkeep["songplays"].keys()


def test_driver_is_loaded_for_redshift_alone() -> None:
    """The Redshift driver is not loaded for DuckDB."""
    code = (
        "import sys; from sparkify.warehouse import connect;"
        " connect.warehouse_class('duckdb:'); print('redshift_connector' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"


@on_redshift
def test_status_works_without_permission_on_svv_table_info(
    delivered: Sandbox, redshift: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without permission on SVV_TABLE_INFO, `sparkify status` names the grant and shows everything else."""
    delivered.etl()
    for arguments in ([], ["--json"]):
        redshift.faults.fail("svv_table_info", "permission denied for relation svv_table_info", "42501")
        assert main(["status", "--warehouse", delivered.url, *arguments]) == 0
        output = capsys.readouterr()
        assert "grant select on svv_table_info" in output.err
    assert json.loads(output.out)["upkeep"] is None
    assert json.loads(output.out)["rows"]["songplays"] > 0


@on_redshift
def test_other_error_of_svv_table_info_fails_status(
    delivered: Sandbox, redshift: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another error of SVV_TABLE_INFO fails `sparkify status` with that error."""
    delivered.etl()
    redshift.faults.fail("svv_table_info", "out of memory", "53200")
    assert main(["status", "--warehouse", delivered.url]) == 1
    output = capsys.readouterr()
    assert "out of memory (53200)" in output.err
    assert "grant select" not in output.err


@on_redshift
def test_schema_is_found_whatever_the_case_of_its_name(delivered: Sandbox) -> None:
    """[WAREHOUSE] SCHEMA works in any case, since Redshift turns names into lower case."""
    delivered.environ = {**delivered.environ, "SPARKIFY_WAREHOUSE_SCHEMA": "Listening"}
    assert delivered.etl().run.counts.songplays > 0
    with delivered.reading() as engine:
        assert ("songplays", "") in engine.comments()
        assert engine.upkeep()
        assert engine.value("select count(*) from listening.songplays") > 0
