"""`sparkify doctor` finds what would make a run fail, and changes nothing."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from tests.promises import deliveries
from tests.support.killing import file_of
from tests.support.postgres import login
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.pipeline import doctor, run
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.redshift import copying, engine

Findings = dict[str, tuple[bool, str]]


def examined(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, Findings]:
    """Run the command; return its exit code and what it found, by subject."""
    for name, value in warehouse.environ.items():
        monkeypatch.setenv(name, value)
    sources = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    code = main(["doctor", "--json", "--warehouse", warehouse.url, *sources, *options])
    found = json.loads(capsys.readouterr().out)
    return code, {each["subject"]: (each["is_ok"], each["detail"]) for each in found}


def failed(found: Findings) -> dict[str, str]:
    """Return what is wrong, by subject."""
    return {subject: detail for subject, (is_ok, detail) in found.items() if not is_ok}


def test_sound_setup_passes_and_stays_as_it_is(
    delivered: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything is ok for a sound setup, with a small load too, of which nothing remains."""
    delivered.etl()
    before = delivered.contents()
    code, found = examined(delivered, monkeypatch, capsys, "--load")
    assert (code, failed(found)) == (0, {})
    assert "rows equal those on DuckDB" in found["a small load"][1]
    assert delivered.contents() == before
    if not delivered.url.startswith("duckdb"):
        assert delivered.query("select 1 from pg_namespace where nspname like 'sparkify_trial%'") == []


def test_warehouse_that_does_not_exist_is_not_created(
    make_warehouse: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first run, the command says what is missing, and creates neither file nor schema."""
    warehouse = make_warehouse.absent()
    code, found = examined(warehouse, monkeypatch, capsys)
    assert (code, set(failed(found))) == (1, {"files of events", "files of songs"})
    deliveries.first(warehouse.log_data, warehouse.song_data)
    code, found = examined(warehouse, monkeypatch, capsys)
    assert (code, failed(found)) == (0, {})
    if warehouse.url.startswith("duckdb"):
        assert not file_of(warehouse).exists()
    else:
        assert warehouse.query("select 1 from pg_namespace where nspname like 'sparkify%'") == []


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_each_fault_of_machine_and_sources_is_found(
    delivered: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing folder, a full disk and another contract are found in one go, each with its remedy."""
    delivered.etl()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))
    monkeypatch.setenv("SPARKIFY_CONTRACT_EARLIEST", "2001-01-01")
    delivered.log_data = delivered.log_data / "missing"
    code, found = examined(delivered, monkeypatch, capsys)
    assert code == 1
    assert failed(found).keys() == {"files of events", "temporary folder", "tables", "disk"}
    assert "no such folder" in found["files of events"][1]
    assert "set TMPDIR" in found["temporary folder"][1]
    assert "Correct [CONTRACT]" in found["tables"][1]
    assert "free some space" in found["disk"][1]


@pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)
def test_missing_permissions_and_servers_are_found(
    make_warehouse: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On PostgreSQL, a server that does not answer and each missing permission are found with the statement to run."""
    warehouse = make_warehouse.absent()
    with login(warehouse.url, "weak") as weak:
        warehouse.url, good = weak, warehouse.url
        assert "grant create on database" in failed(examined(warehouse, monkeypatch, capsys)[1])["permissions"]
        with psycopg.connect(good, autocommit=True) as administrator:
            administrator.execute(f"revoke temporary on database {administrator.info.dbname} from public".encode())
        assert "grant temporary on database" in failed(examined(warehouse, monkeypatch, capsys)[1])["permissions"]
    warehouse.url = "postgresql://nobody@127.0.0.1:1/none"
    code, found = examined(warehouse, monkeypatch, capsys)
    assert code == 1
    assert "cannot be reached" in failed(found)["warehouse"]


@pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)
def test_faults_that_only_aws_shows_are_found(
    delivered: Sandbox, s3: S3, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On Redshift, a role, a stage or a view that a run could not use is found before the first run."""
    monkeypatch.setattr(engine, "_ERRORS_WITHIN", 0)
    delivered.etl()
    sound = delivered.environ
    delivered.environ = {**sound, "SPARKIFY_IAM_ROLE_ARN": "no role"}
    assert "[IAM_ROLE] ARN" in failed(examined(delivered, monkeypatch, capsys)[1])["stage and role"]
    delivered.environ = sound
    s3.refuse("DeleteObjects", status=403, code="AccessDenied", times=1)
    assert "s3:DeleteObject" in failed(examined(delivered, monkeypatch, capsys)[1])["stage and role"]
    query = engine.Redshift.query

    def without_errors(self: engine.Redshift, sql: str, parameters: Sequence[Any] = ()) -> Any:
        columns, rows = query(self, sql, parameters)
        return (columns, []) if sql == copying.LOAD_ERRORS else (columns, rows)

    monkeypatch.setattr(engine.Redshift, "query", without_errors)
    assert "sys_load_error_detail" in failed(examined(delivered, monkeypatch, capsys)[1])["stage and role"]


def test_load_that_differs_is_found(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong value in one table fails the small load, and the first differing row is shown."""
    load, loads = run.load_all, []

    def wrong(engine: Warehouse, *words: Any) -> None:
        load(engine, *words)
        loads.append(engine)
        if len(loads) == 2:
            engine.execute("update users set gender = 'wrong' where user_id = (select min(user_id) from users)")

    monkeypatch.setattr(doctor, "load_all", wrong)
    code, found = examined(warehouse, monkeypatch, capsys, "--load")
    assert code == 1
    assert "differs from DuckDB in users" in failed(found)["a small load"]
    assert "wrong" in failed(found)["a small load"]
