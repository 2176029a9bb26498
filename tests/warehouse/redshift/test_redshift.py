"""Amazon Redshift: what is its own about it. The rest of the tests run on it as on every engine."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import Any

import psycopg
import pytest
from tests.promises import deliveries
from tests.support.postgres import Server
from tests.support.realdata import REPOSITORY
from tests.support.redshift import Standin
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox

from sparkify import config
from sparkify.cli.main import main
from sparkify.errors import ConfigError, SourceError, WarehouseError
from sparkify.pipeline import batch
from sparkify.sql import loader
from sparkify.staging.contract import EVENTS
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.redshift import copying, engine
from sparkify.warehouse.redshift.stage import LONGEST_STAGE, StagingArea

SHOWN = REPOSITORY / "docs" / "redshift.sql"

on_redshift = pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)


# What Redshift gets


@on_redshift
def test_statements_of_runs_are_those_of_the_reviewed_file(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """docs/redshift.sql shows every statement that runs send to Redshift, in the order of its first use."""
    sent: dict[str, None] = {}
    run = engine.Redshift._run

    def recording(self: engine.Redshift, sql: str, parameters: Sequence[Any]) -> Any:
        sent[_without_names_of_the_run(sql)] = None
        return run(self, sql, parameters)

    monkeypatch.setattr(engine.Redshift, "_run", recording)
    for deliver in (deliveries.first, deliveries.second):
        deliver(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
    (renewed := tmp_path / "redshift.sql").write_text(";\n\n".join(sent) + ";\n")
    assert renewed.read_text() == SHOWN.read_text(), f"to renew it: cp {renewed} docs/redshift.sql"


def _without_names_of_the_run(statement: str) -> str:
    """Return a statement with placeholders for the names of one run's database and files."""
    return re.sub(r"'s3://stage/area/_sparkify-[0-9a-f]+/[^/]+/", "'s3://STAGE/RUN/", statement.strip())


@on_redshift
def test_one_copy_fills_each_staging_table_from_a_manifest(delivered: Sandbox, redshift: Standin, stage: S3) -> None:
    """No option is given that would cut or drop a value in silence; the area is empty when all is loaded."""
    begin = len(redshift.log)
    delivered.etl()
    copies = [statement for statement in redshift.log[begin:] if statement.startswith("copy ")]
    assert len(copies) == len({statement.split()[1] for statement in copies}) == 4
    for statement in copies:
        assert "manifest" in statement
        assert "format json 'auto ignorecase'" in statement
        assert "iam_role 'arn:aws:iam::123456789012:role/dwhRole'" in statement
        for word in ("truncatecolumns", "acceptinvchars", "acceptanydate", "emptyasnull", "blanksasnull", "noload"):
            assert word not in statement
    assert [key for key in list(stage.buckets["stage"].keys()) if str(key).startswith("area/")] == []


@on_redshift
def test_staged_file_that_has_gone_is_named(delivered: Sandbox, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of a COPY must be there: without one of them the run fails by its name, and publishes nothing."""
    monkeypatch.setattr(copying, "_ROWS_WORTH_SPLITTING", 2)
    gone: list[str] = []

    def lose() -> None:  # when COPY reads its manifest, and before it reads the files
        gone.append(next(key for key in s3.buckets["stage"].objects if key.endswith(".0.json.gz")))
        s3.remove(f"s3://stage/{gone[0]}")

    s3.when("GetObject", None, lose)
    with pytest.raises(WarehouseError) as told:
        delivered.etl()
    assert f"s3://stage/{gone[0]}" in str(told.value)
    assert delivered.query("select count(*) from etl_files") == [(0,)]


@on_redshift
def test_area_from_which_nothing_may_be_removed_gets_nothing(delivered: Sandbox, s3: S3) -> None:
    """Without the right to remove what was staged the run fails with its name, before it puts anything there."""
    s3.refuse("DeleteObjects", status=403, code="AccessDenied")
    with pytest.raises(SourceError, match=r"Allow s3:DeleteObject on arn:aws:s3:::stage/area/_sparkify-"):
        delivered.etl()
    assert s3.asked("PutObject") == []
    assert delivered.query("select count(*) from etl_files") == [(0,)]


@on_redshift
def test_what_a_killed_run_left_in_the_area_goes_with_the_next(delivered: Sandbox, stage: S3) -> None:
    """Files of ours under this warehouse's prefix are removed; those of others are not."""
    delivered.etl()
    asked = [key for key in stage.asked("PutObject") if "_sparkify-" in key]
    prefix = asked[-1].split("/stage/")[-1].rpartition("/")[0].rpartition("/")[0]
    left, foreign = f"s3://stage/{prefix}/0123/left.json.gz", "s3://stage/area/sparkify-else/theirs.json"
    stage.put(left, b"left")
    stage.put(foreign, b"theirs")
    deliveries.second(delivered.log_data, delivered.song_data)
    delivered.etl()
    keys = set(stage.buckets["stage"].keys())
    assert left.removeprefix("s3://stage/") not in keys
    assert foreign.removeprefix("s3://stage/") in keys
    stage.remove(foreign)


# What COPY refuses


@on_redshift
def test_row_that_copy_refuses_is_quarantined_with_its_own_file_and_line(warehouse: Sandbox) -> None:
    """Should Redshift refuse what the reader took, it is kept with its place, and the rest is loaded."""
    warehouse.etl()
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    good, bad = deliveries.play(1), deliveries.play(2, auth="Eleven byte")
    deliveries.write(warehouse.log_data / "a.json", good, "", bad, deliveries.play(3))
    counts = warehouse.etl().run.counts
    assert (counts.events_read, counts.songplays, counts.events_rejected) == (3, 2, 1)
    [(file, line, reason, record)] = warehouse.query("select file, line, reason, record from rejected_records")
    assert (file, line) == (str(warehouse.log_data / "a.json"), 3)
    assert reason == "auth: longer than 10 bytes"
    assert json.loads(record) == bad
    assert warehouse.failed_checks() == []


@on_redshift
def test_of_two_alike_the_one_that_copy_refused_is_quarantined(warehouse: Sandbox) -> None:
    """Records that share their time, page, session and item are told apart by all that they say."""
    warehouse.etl()
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    good = deliveries.play(1, user="1")
    bad = {**good, "userId": "2", "auth": "Eleven byte", "page": "NextSong "}
    deliveries.write(warehouse.log_data / "a.json", good, bad, bad)
    warehouse.etl()
    refused = warehouse.query("select line, record from rejected_records order by line")
    assert [(line, json.loads(record)) for line, record in refused] == [(2, bad), (3, bad)]
    assert warehouse.query("select user_id from songplays") == [("1",)]


@on_redshift
def test_refused_record_is_found_along_the_paths_of_a_jsonpaths_file(warehouse: Sandbox, tmp_path: Path) -> None:
    """A record whose keys are called otherwise is found again, with its line, as it stands."""
    warehouse.etl()
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    paths = tmp_path / "paths.json"
    names = [field.name for field in EVENTS.fields]
    paths.write_text(json.dumps({"jsonpaths": [f"$.said.{name}" for name in names]}))
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_LOG_JSONPATH": str(paths)}
    bad = {"said": deliveries.play(2, auth="Eleven byte")}
    deliveries.write(warehouse.log_data / "a.json", {"said": deliveries.play(1)}, bad)
    warehouse.etl()
    [(line, record)] = warehouse.query("select line, record from rejected_records")
    assert (line, json.loads(record)) == (2, bad)


@on_redshift
def test_area_below_the_logs_is_no_source(delivered: Sandbox, stage: S3) -> None:
    """What lies in the staging area is never taken for a log, even where the area stands below the logs."""
    for file in delivered.log_data.iterdir():
        stage.put(f"s3://logs/in/{file.name}", file)
    stage.put("s3://logs/in/_sparkify-0123456789ab/run/staging_events.0.json.gz", gzip.compress(b'{"ts": 1}'))
    counts = delivered.etl(log_data="s3://logs/in").run.counts
    assert counts.files == len(list(delivered.log_data.iterdir())) + 1


def _narrow(warehouse: Sandbox, table: str, column: str, narrower: str) -> None:
    """Make a staging table anew with a narrower column, as an older one might be."""
    made = loader.read(f"tables/{table}", "redshift")
    assert column in made
    for statement in ("drop view staged_events", f"drop table {table}", made.replace(column, narrower)):
        warehouse.execute(statement)


@on_redshift
def test_longest_stage_still_tells_staged_files_apart(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long STAGE may be, what COPY refused is quarantined, and nothing else: one that is longer is refused."""
    monkeypatch.setattr(copying, "_ROWS_WORTH_SPLITTING", 2)
    warehouse.etl()
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    good, bad = [deliveries.play(number) for number in range(1, 6)], deliveries.play(6, auth="Eleven byte")
    deliveries.write(warehouse.log_data / "a.json", *good, bad)
    url = f"s3://stage/{'é' * 40}/"
    url += "a" * (LONGEST_STAGE - len(url.encode()))
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": f"{url}a"}
    with pytest.raises(ConfigError, match=r"\[S3\] STAGE: is of 151 bytes, .* at most 150 bytes"):
        warehouse.etl()
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": url}
    counts = warehouse.etl().run.counts
    assert (counts.songplays, counts.events_rejected) == (5, 1)
    [(record,)] = warehouse.query("select record from rejected_records")
    assert json.loads(record) == bad


@on_redshift
def test_row_of_a_file_that_is_not_ours_fails_the_run(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Redshift names a file that was not staged, no row can be quarantined: all is told, nothing published."""
    monkeypatch.setattr("sparkify.warehouse.redshift.stage.LONGEST_STAGE", 250)  # of which it shows 256 bytes
    warehouse.etl()
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    deliveries.write(warehouse.log_data / "a.json", deliveries.play(1), deliveries.play(2, auth="Eleven byte"))
    url = "s3://stage/".ljust(250, "a")
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": url}
    with pytest.raises(WarehouseError) as told:
        warehouse.etl()
    assert "COPY refused 1 of 2 rows of staging_events." in str(told.value)
    assert f"{url}/" in str(told.value)
    assert warehouse.query("select count(*) from etl_files") == [(0,)]


# Trouble that passes, and trouble that does not


@on_redshift
@pytest.mark.parametrize("state", ["1023", "40001", "40P01", "53300", "57P03"])
def test_batch_is_tried_again_when_what_stopped_it_can_pass(
    delivered: Sandbox, redshift: Standin, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """A conflict, a deadlock, a restart: the run says so, tries again, and all is loaded once."""
    monkeypatch.setattr(batch, "PAUSES", (0, 0, 0))
    if state == "1023":
        redshift.faults.violate_isolation("insert into songplays")
    else:
        redshift.faults.fail("insert into songplays", "for a while", state)
    counts = delivered.etl().run.counts
    assert any("trying again" in line for line in delivered.narration)
    assert delivered.query("select count(*) from songplays") == [(counts.songplays,)]
    assert delivered.failed_checks() == []


@on_redshift
def test_error_that_cannot_pass_is_not_tried_again(delivered: Sandbox, redshift: Standin) -> None:
    """A permission that is missing fails the run at once."""
    redshift.faults.fail("insert into songplays", "permission denied", "42501")
    with pytest.raises(WarehouseError, match="42501"):
        delivered.etl()
    assert not any("trying again" in line for line in delivered.narration)
    assert delivered.query("select count(*) from songplays") == [(0,)]


@on_redshift
def test_rebuild_is_not_tried_again(delivered: Sandbox, redshift: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild is one transaction: what could pass in a batch ends all of it, and readers keep what they had."""
    monkeypatch.setattr(batch, "PAUSES", (0, 0, 0))
    delivered.etl()
    before = delivered.contents()
    deliveries.second(delivered.log_data, delivered.song_data)
    redshift.faults.fail("insert into songplays", "for a while", "40001")
    with pytest.raises(WarehouseError, match="40001"):
        delivered.etl(full_refresh=True)
    assert not any("trying again" in line for line in delivered.narration)
    assert delivered.contents() == before


@on_redshift
def test_statement_may_take_longer_than_connecting(delivered: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a host may be silent while one connects limits no statement: a COPY, or a wait for another run."""
    monkeypatch.setattr(engine, "_CONNECTED_WITHIN", 2)
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
    """A run that is interrupted inside a statement leaves no session behind that would go on, and keep its locks."""
    sources = ["--log-data", str(delivered.log_data), "--song-data", str(delivered.song_data)]
    command = [sys.executable, "-m", "sparkify", "etl", *sources, "--warehouse", delivered.url]
    environment = {**os.environ, **delivered.environ}

    def asked(sql: str, *values: object) -> list[tuple[Any, ...]]:
        for _ in range(300):  # for as long as there is no row
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
                [(session,)] = asked(waiting, database)
                running.send_signal(signal.SIGINT)
                assert "sparkify: interrupted." in running.communicate()[1]
            finally:
                running.kill()  # or a test that fails would wait for the run, and the run for the lock
            assert asked("select 1 where not exists (select from pg_stat_activity where pid = %s)", session)


# What it needs, and what it shows


@pytest.mark.parametrize(
    ("name", "message"),
    [("SPARKIFY_S3_STAGE", r"^\[S3\] STAGE: .* no folder"), ("SPARKIFY_IAM_ROLE_ARN", r"^\[IAM_ROLE\] ARN: no role")],
)
@on_redshift
def test_missing_area_or_role_is_told_before_anything_changes(delivered: Sandbox, name: str, message: str) -> None:
    """Without a place to stage, or a role that may read it, the run says which setting is missing."""
    delivered.environ = {**delivered.environ, name: ""}
    with pytest.raises(ConfigError, match=message):
        delivered.etl()
    assert delivered.query("select count(*) from etl_files") == [(0,)]


@on_redshift
def test_status_shows_what_is_unsorted_and_stale(
    delivered: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Redshift, status tells each table's unsorted share and how stale its statistics are."""
    for variable, value in delivered.environ.items():
        monkeypatch.setenv(variable, value)
    delivered.etl()
    assert main(["status", "--warehouse", delivered.url, "--json"]) == 0
    told = {table["table"]: table for table in json.loads(capsys.readouterr().out)["upkeep"]}
    assert {"songplays", "users"} <= told.keys()
    assert {"unsorted", "statistics_stale"} <= told["songplays"].keys()


def test_driver_is_loaded_for_redshift_alone() -> None:
    """Who loads into DuckDB waits for no driver of Redshift."""
    code = "import sys, sparkify.engines as e; e.kind('duckdb:'); print('redshift_connector' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert told.stdout.strip() == "False"


@on_redshift
def test_status_needs_no_right_to_what_only_administrators_see(
    delivered: Sandbox, redshift: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """A login by IAM may not read SVV_TABLE_INFO: all the rest is shown, and a line says what would show it."""
    delivered.etl()
    for arguments in ([], ["--json"]):
        redshift.faults.fail("svv_table_info", "permission denied for relation svv_table_info", "42501")
        assert main(["status", "--warehouse", delivered.url, *arguments]) == 0
        said = capsys.readouterr()
        assert "grant select on svv_table_info" in said.err
    assert json.loads(said.out)["upkeep"] is None
    assert json.loads(said.out)["rows"]["songplays"] > 0


@on_redshift
def test_trouble_other_than_a_missing_right_is_not_taken_for_one(
    delivered: Sandbox, redshift: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where upkeep cannot be asked for another reason, status fails with it, and shows nothing as unknown."""
    delivered.etl()
    redshift.faults.fail("svv_table_info", "out of memory", "53200")
    assert main(["status", "--warehouse", delivered.url]) == 1
    said = capsys.readouterr()
    assert "out of memory (53200)" in said.err
    assert "grant select" not in said.err


@on_redshift
def test_schema_is_found_whatever_the_case_of_its_name(delivered: Sandbox) -> None:
    """Redshift makes the letters of every name small: a SCHEMA with large ones is that schema, for every command."""
    delivered.environ = {**delivered.environ, "SPARKIFY_WAREHOUSE_SCHEMA": "Listening"}
    assert delivered.etl().run.counts.songplays > 0
    with delivered.reading() as engine:
        assert ("songplays", "") in engine.comments()
        assert engine.upkeep()
        assert engine.other_runs() == []
        assert engine.value("select count(*) from listening.songplays") > 0


def test_clusters_behind_tunnels_have_areas_of_their_own(
    stage: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of two warehouses that differ in their port alone, neither removes what the other has put into the same STAGE."""
    monkeypatch.setattr(engine.Redshift, "reconnect", lambda _: None)

    def area(port: int) -> StagingArea:
        warehouse = engine.Redshift(f"redshift://u:p@localhost:{port}/dwh", config.load())
        warehouse.close()
        return warehouse._area()

    (tmp_path / "staged").write_bytes(b"staged")
    [address] = area(5439).put([tmp_path / "staged"])
    for port, stays in ((5440, True), (5439, False)):  # each of which clears away what is its own
        with area(port):
            assert (address.removeprefix("s3://stage/") in stage.buckets["stage"].objects) is stays
