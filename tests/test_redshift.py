"""Amazon Redshift: what is its own about it. The rest of the tests run on it as on every engine."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests import deliveries
from tests.conftest import Warehouse
from tests.redshift import Standin
from tests.s3 import S3

from sparkify import cli, config, export, pipeline, queries, tables
from sparkify.contract import EVENTS
from sparkify.engines import redshift as redshift_engine
from sparkify.engines import staging_area
from sparkify.errors import ConfigError, WarehouseError
from sparkify.statements import script

GOLDEN = Path(__file__).parent / "golden" / "redshift.sql"

on_redshift = pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)


# What Redshift gets


def test_statements_are_those_of_the_reviewed_file() -> None:
    """Every statement of a run stands in a file that people can read, in order, as Redshift gets it."""
    said = ";\n\n".join(script(config.Config(url="redshift:"))) + ";\n"
    assert said == GOLDEN.read_text(), "to renew it: sparkify sql --engine redshift > tests/golden/redshift.sql"


@on_redshift
def test_run_says_what_sparkify_sql_prints(warehouse: Warehouse, redshift: Standin) -> None:
    """The statements of a run, in order, are those that `sparkify sql` shows."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    shown = [_plain(statement) for statement in script(config.Config(url="redshift:"))]
    begin = len(redshift.log)
    warehouse.etl()
    said = [_plain(statement) for statement in redshift.log[begin:]]
    left = iter(said)
    for statement in shown:
        if not _depends_on_what_is_found(statement):
            assert statement in left, statement  # which takes all that comes before it: the order counts
    unknown = [each for each in said if each not in shown and not each.startswith(("select ", "comment on "))]
    assert [each for each in unknown if not _depends_on_what_is_found(each)] == []


def _plain(statement: str) -> str:
    """Return a statement without its layout, its bound values, and the names of this run's files."""
    plain = re.sub(r"\$\d+|\?", "?", " ".join(statement.split()))
    return re.sub(r"^(copy \w+ from) '.*?' iam_role '.*?' (.*) region '.*?'", r"\1 … \2 …", plain)


def _depends_on_what_is_found(statement: str) -> bool:
    """Tell whether a statement is only needed for records that contradict, tracks that change, or tables that grow."""
    words = ("settled_", "using contested_keys", "delete from tracks where", "update songplays set")
    return statement.startswith("analyze ") or any(word in statement for word in words)


@on_redshift
def test_one_copy_fills_each_staging_table_from_a_manifest(delivered: Warehouse, redshift: Standin, stage: S3) -> None:
    """Every file of a COPY must be there, nothing is lost in silence, and the area is empty when all is loaded."""
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
def test_what_a_killed_run_left_in_the_area_goes_with_the_next(delivered: Warehouse, stage: S3) -> None:
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
def test_row_that_copy_refuses_is_quarantined_with_its_own_file_and_line(warehouse: Warehouse) -> None:
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
def test_of_two_alike_the_one_that_copy_refused_is_quarantined(warehouse: Warehouse) -> None:
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
def test_refused_record_is_found_along_the_paths_of_a_jsonpaths_file(warehouse: Warehouse, tmp_path: Path) -> None:
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
def test_area_below_the_logs_is_no_source(delivered: Warehouse, stage: S3) -> None:
    """What lies in the staging area is never taken for a log, even where the area stands below the logs."""
    for file in delivered.log_data.iterdir():
        stage.put(f"s3://logs/in/{file.name}", file)
    stage.put("s3://logs/in/_sparkify-0123456789ab/run/staging_events.0.json.gz", gzip.compress(b'{"ts": 1}'))
    counts = delivered.etl(log_data="s3://logs/in").run.counts
    assert counts.files == len(list(delivered.log_data.iterdir())) + 1


def _narrow(warehouse: Warehouse, table: str, column: str, narrower: str) -> None:
    """Make a staging table anew with a narrower column, as an older one might be."""
    made = queries.read(f"tables/{table}", "redshift")
    assert column in made
    for statement in ("drop view staged_events", f"drop table {table}", made.replace(column, narrower)):
        warehouse.execute(statement)


@on_redshift
def test_longest_stage_still_tells_staged_files_apart(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long STAGE may be, what COPY refused is quarantined, and nothing else: one that is longer is refused."""
    monkeypatch.setattr(redshift_engine, "_ROWS_WORTH_DIVIDING", 2)
    warehouse.etl()
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    good, bad = [deliveries.play(number) for number in range(1, 6)], deliveries.play(6, auth="Eleven byte")
    deliveries.write(warehouse.log_data / "a.json", *good, bad)
    url = f"s3://stage/{'é' * 40}/"
    url += "a" * (staging_area.LONGEST_STAGE - len(url.encode()))
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": f"{url}a"}
    with pytest.raises(ConfigError, match=r"\[S3\] STAGE: is of 151 bytes, .* at most 150 bytes"):
        warehouse.etl()
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": url}
    counts = warehouse.etl().run.counts
    assert (counts.songplays, counts.events_rejected) == (5, 1)
    [(record,)] = warehouse.query("select record from rejected_records")
    assert json.loads(record) == bad


# What UNLOAD writes


def _exported(warehouse: Warehouse, folder: Path, *names: str) -> dict[str, Path]:
    with warehouse.reading() as engine:
        return export.export(engine, folder, "parquet", names or tables.ALL)


def _area(stage: S3) -> list[str]:
    """Return what is in the staging areas."""
    keys = stage.buckets["stage"].keys()
    return [key for key in keys if key.startswith("area/")]


@on_redshift
def test_export_leaves_nothing_in_the_area(delivered: Warehouse, stage: S3, tmp_path: Path) -> None:
    """What the cluster has written there is gone when the files are here."""
    delivered.etl()
    _exported(delivered, tmp_path / "out")
    assert _area(stage) == []


@on_redshift
def test_unload_that_fails_leaves_no_file_here_or_there(
    delivered: Warehouse, redshift: Standin, stage: S3, tmp_path: Path
) -> None:
    """Refused, or stopped between two files, an UNLOAD is told as an error, and half a table is nowhere."""
    delivered.etl()
    redshift.faults.fail("unload", "permission denied for relation users", "42501")
    with pytest.raises(WarehouseError, match="permission denied"):
        _exported(delivered, tmp_path, "users")

    def refuse_the_next() -> None:
        stage.refuse("PutObject", status=403, code="AccessDenied", times=1)

    stage.when("PutObject", None, refuse_the_next)
    with pytest.raises(WarehouseError, match="AccessDenied"):
        _exported(delivered, tmp_path, "users")
    assert _area(stage) == []
    assert list(tmp_path.glob("**/users*")) == []


@on_redshift
def test_file_that_is_missing_in_the_area_fails_the_export(delivered: Warehouse, stage: S3, tmp_path: Path) -> None:
    """Where fewer rows are found than the cluster says that it wrote, there is an error, and no file."""
    delivered.etl()

    def lose() -> None:
        stage.remove(f"s3://stage/{_area(stage)[0]}")

    stage.when("PutObject", None, lambda: stage.when("ListObjectsV2", None, lose))  # once it is written, and sought
    with pytest.raises(WarehouseError, match=r"UNLOAD wrote 3 rows of users, and \d are in s3://stage/area/"):
        _exported(delivered, tmp_path, "users")
    assert list(tmp_path.glob("**/users*")) == []


@on_redshift
def test_what_a_killed_export_left_goes_after_a_day(delivered: Warehouse, stage: S3, tmp_path: Path) -> None:
    """The files of an export that was killed are removed by one on the next day; a younger one may be at work."""
    delivered.etl()
    begin = len(stage.asked("PutObject"))
    _exported(delivered, tmp_path / "one", "users")
    ours = stage.asked("PutObject")[begin].split("/_sparkify-")[1].partition("/")[0]
    old, young = (f"area/_sparkify-{ours}/{int(time.time()) - age}-0123/left.parquet" for age in (90_000, 1_000))
    for key in (old, young):
        stage.put(f"s3://stage/{key}", b"left")
    _exported(delivered, tmp_path / "two", "users")
    kept = set(stage.buckets["stage"].keys())
    assert (old in kept, young in kept) == (False, True)
    stage.remove(f"s3://stage/{young}")


@on_redshift
def test_export_and_run_leave_each_other_s_files_alone(delivered: Warehouse, stage: S3, tmp_path: Path) -> None:
    """An export removes nothing that a run has staged, and writes nothing where a run clears."""
    delivered.etl()
    of_run = stage.asked("PutObject")[-1].rpartition("/")[0].rpartition("/")[0]
    stage.put(f"s3://stage/{of_run}/0123/staged.json.gz", b"staged")
    begin = len(stage.asked("PutObject"))
    _exported(delivered, tmp_path / "out", "users")
    unloaded = stage.asked("PutObject")[begin:]
    assert unloaded
    assert not any(key.startswith(f"{of_run}/") for key in unloaded)
    assert _area(stage) == [f"{of_run}/0123/staged.json.gz"]
    stage.remove(f"s3://stage/{of_run}/0123/staged.json.gz")


@on_redshift
def test_unload_may_write_where_a_name_has_quotes_and_backslashes(delivered: Warehouse, tmp_path: Path) -> None:
    """What [S3] STAGE is called is text in the statement, whatever is in it."""
    delivered.environ = {**delivered.environ, "SPARKIFY_S3_STAGE": "s3://stage/it's\\area"}
    delivered.etl()
    assert _exported(delivered, tmp_path, "users")["users"].exists()


# Trouble that passes, and trouble that does not


@on_redshift
@pytest.mark.parametrize("state", ["1023", "40001", "40P01", "53300", "57P03"])
def test_batch_is_tried_again_when_what_stopped_it_can_pass(
    delivered: Warehouse, redshift: Standin, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """A conflict, a deadlock, a restart: the run says so, tries again, and all is loaded once."""
    monkeypatch.setattr(pipeline, "PAUSES", (0, 0, 0))
    if state == "1023":
        redshift.faults.violate_isolation("insert into songplays")
    else:
        redshift.faults.fail("insert into songplays", "for a while", state)
    counts = delivered.etl().run.counts
    assert any("trying again" in line for line in delivered.said)
    assert delivered.query("select count(*) from songplays") == [(counts.songplays,)]
    assert delivered.failed_checks() == []


@on_redshift
def test_error_that_cannot_pass_is_not_tried_again(delivered: Warehouse, redshift: Standin) -> None:
    """A permission that is missing fails the run at once."""
    redshift.faults.fail("insert into songplays", "permission denied", "42501")
    with pytest.raises(WarehouseError, match="42501"):
        delivered.etl()
    assert not any("trying again" in line for line in delivered.said)
    assert delivered.query("select count(*) from songplays") == [(0,)]


# What it needs, and what it shows


def test_gathering_cannot_be_switched_off() -> None:
    """COPY takes what the reader has judged and gathered, never the source's own files: who asks for it is told why."""
    for allowed in ("auto", "always"):
        assert config.load(environ={"SPARKIFY_S3_COMPACT": allowed}).compact == allowed
    with pytest.raises(ConfigError, match=r"0010-redshift"):
        config.load(environ={"SPARKIFY_S3_COMPACT": "never"})


@pytest.mark.parametrize(("name", "value"), [("SPARKIFY_S3_STAGE", ""), ("SPARKIFY_IAM_ROLE_ARN", "")])
@on_redshift
def test_missing_area_or_role_is_told_before_anything_changes(delivered: Warehouse, name: str, value: str) -> None:
    """Without a place to stage, or a role that may read it, the run says which setting is missing."""
    delivered.environ = {**delivered.environ, name: value}
    with pytest.raises(ConfigError, match=r"\[S3\] STAGE|\[IAM_ROLE\] ARN"):
        delivered.etl()
    assert delivered.query("select count(*) from etl_files") == [(0,)]


@on_redshift
def test_status_shows_what_is_unsorted_and_stale(
    delivered: Warehouse, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Redshift, status tells each table's unsorted share and how stale its statistics are."""
    for variable, value in delivered.environ.items():
        monkeypatch.setenv(variable, value)
    delivered.etl()
    assert cli.main(["status", "--warehouse", delivered.url, "--json"]) == 0
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
    delivered: Warehouse, redshift: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """A login by IAM may not read SVV_TABLE_INFO: all the rest is shown, and a line says what would show it."""
    delivered.etl()
    for arguments in ([], ["--json"]):
        redshift.faults.fail("svv_table_info", "permission denied for relation svv_table_info", "42501")
        assert cli.main(["status", "--warehouse", delivered.url, *arguments]) == 0
        said = capsys.readouterr()
        assert "grant select on svv_table_info" in said.err
    assert json.loads(said.out)["upkeep"] is None
    assert json.loads(said.out)["rows"]["songplays"] > 0


@on_redshift
def test_schema_is_found_whatever_the_case_of_its_name(delivered: Warehouse) -> None:
    """Redshift makes the letters of every name small: a SCHEMA with large ones is that schema, for every command."""
    delivered.environ = {**delivered.environ, "SPARKIFY_WAREHOUSE_SCHEMA": "Listening"}
    assert delivered.etl().run.counts.songplays > 0
    with delivered.reading() as engine:
        assert ("songplays", "") in engine.comments()
        assert engine.upkeep()
        assert engine.other_runs() == []
        assert engine.value("select count(*) from listening.songplays") > 0


def test_clusters_behind_tunnels_have_areas_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two warehouses that differ in their port alone remove nothing of each other's from the same STAGE."""
    owners = []
    monkeypatch.setattr(redshift_engine.Redshift, "reconnect", lambda _: None)
    monkeypatch.setattr(staging_area.StagingArea, "of", lambda _, owner: owners.append(owner))
    for port in (5439, 5440):
        engine = redshift_engine.Redshift(f"redshift://u:p@localhost:{port}/dwh", config.Config())
        engine._area()
        engine.close()
    assert len(set(owners)) == 2
