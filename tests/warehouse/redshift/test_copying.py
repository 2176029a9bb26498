"""On Redshift, rows are staged in S3 and copied from there."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.promises import deliveries
from tests.support.realdata import REPOSITORY
from tests.support.redshift import Standin
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox, Warehouses

from sparkify import config
from sparkify.errors import ConfigError, SourceError, WarehouseError
from sparkify.sql import loader
from sparkify.staging.contract import CONTRACTS
from sparkify.warehouse.redshift import copying, engine
from sparkify.warehouse.redshift.stage import LONGEST_STAGE, StagingArea

SHOWN = REPOSITORY / "docs" / "redshift.sql"
on_redshift = pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)
HEADER = """\
-- Every statement that two runs send to an empty Redshift, once each, in order of first use.
-- Written by tests/warehouse/redshift/test_copying.py, which fails when a statement changes; `make renew` renews it.

"""


@on_redshift
def test_statements_of_runs_are_those_of_the_reviewed_file(
    make_warehouse: Warehouses, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """docs/redshift.sql holds every statement that runs send to Redshift, in order of first use."""
    warehouse = make_warehouse.absent()
    sent: dict[str, None] = {}
    run = engine.Redshift._run

    def recording(self: engine.Redshift, sql: str, parameters: Sequence[Any]) -> Any:
        sent[_without_names_of_the_run(sql)] = None
        return run(self, sql, parameters)

    monkeypatch.setattr(engine.Redshift, "_run", recording)
    for deliver in (deliveries.first, deliveries.second):
        deliver(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
    renewed = HEADER + "".join(f"{sql}\n;\n\n" for sql in sent).rstrip() + "\n"
    if request.config.getoption("--renew"):
        SHOWN.write_text(renewed)
    assert renewed == SHOWN.read_text(), "Run `make renew`, then review the changes."


def _without_names_of_the_run(statement: str) -> str:
    """Return a statement with placeholders for the names of one run's files."""
    return re.sub(r"'s3://stage/area/_sparkify-[0-9a-f]+/[^/]+/", "'s3://STAGE/RUN/", statement.strip())


@on_redshift
def test_one_copy_fills_each_staging_table_from_a_manifest(delivered: Sandbox, redshift: Standin, stage: S3) -> None:
    """COPY has no option that silently changes or drops a value, and the staging area is empty after a run."""
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
def test_stage_is_written_with_credentials_where_sources_are_public(delivered: Sandbox) -> None:
    """[S3] ANONYMOUS applies to the sources only, since the stage has to be written."""
    delivered.environ = {**delivered.environ, "SPARKIFY_S3_ANONYMOUS": "true"}
    assert delivered.etl().run.counts.files > 0


@on_redshift
def test_missing_staged_file_is_named(delivered: Sandbox, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose staged file is missing fails by the name of the file, and publishes nothing."""
    monkeypatch.setattr(copying, "_ROWS_WORTH_SPLITTING", 2)
    gone: list[str] = []

    def lose() -> None:  # COPY has read its manifest, and not yet the files.
        gone.append(next(key for key in s3.buckets["stage"].objects if key.endswith(".0.json.gz")))
        s3.remove(f"s3://stage/{gone[0]}")

    s3.when("GetObject", None, lose)
    with pytest.raises(WarehouseError) as caught:
        delivered.etl()
    assert f"s3://stage/{gone[0]}" in str(caught.value)
    assert delivered.query("select count(*) from etl_files") == [(0,)]


@on_redshift
def test_area_without_delete_permission_gets_no_file(delivered: Sandbox, s3: S3) -> None:
    """A run that must not delete from the staging area fails before it writes there."""
    s3.refuse("DeleteObjects", status=403, code="AccessDenied")
    with pytest.raises(SourceError, match=r"Allow s3:DeleteObject on arn:aws:s3:::stage/area/_sparkify-"):
        delivered.etl()
    assert s3.asked("PutObject") == []
    assert delivered.query("select count(*) from etl_files") == [(0,)]


@on_redshift
def test_files_of_a_killed_run_are_deleted_after_half_a_day(delivered: Sandbox, stage: S3) -> None:
    """A run deletes what a killed run of the same warehouse left half a day ago, and no files of others."""
    delivered.etl()
    staged_keys = [key for key in stage.asked("PutObject") if "_sparkify-" in key]
    prefix = staged_keys[-1].split("/stage/")[-1].rpartition("/")[0].rpartition("/")[0]
    old, young = (f"{prefix}/{int(time.time()) - age}-0123/staged.json.gz" for age in (43_300, 43_000))
    foreign = "area/sparkify-else/theirs.json"
    for key in (old, young, foreign):
        stage.put(f"s3://stage/{key}", b"left")
    deliveries.second(delivered.log_data, delivered.song_data)
    delivered.etl()
    assert {old, young, foreign} & set(stage.buckets["stage"].keys()) == {young, foreign}
    for key in (young, foreign):
        stage.remove(f"s3://stage/{key}")


def staged(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as staged: with every field, and without trailing blanks."""
    values = {key: value.rstrip() if isinstance(value, str) else value for key, value in record.items()}
    return dict.fromkeys(field.name for field in CONTRACTS["events"].fields) | values


@on_redshift
def test_row_that_copy_refuses_is_quarantined(warehouse: Sandbox) -> None:
    """A row that COPY refuses is quarantined as staged, with its file and reason, and the rest is loaded."""
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    good, bad = deliveries.play(1), deliveries.play(2, auth="Eleven byte")
    deliveries.write(warehouse.log_data / "a.json", good, "", bad, deliveries.play(3))
    counts = warehouse.etl().run.counts
    assert (counts.events_read, counts.songplays, counts.events_rejected) == (3, 2, 1)
    [(file, line, reason, record)] = warehouse.query("select file, line, reason, record from rejected_records")
    assert (file, line) == (str(warehouse.log_data / "a.json"), None)
    assert reason == "auth: longer than 10 bytes"
    assert json.loads(record) == staged(bad)
    assert warehouse.failed_checks() == []


@on_redshift
def test_run_waits_until_the_errors_of_copy_are_visible(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that COPY refuses are quarantined even if the system view shows them only some time later."""
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    deliveries.write(warehouse.log_data / "a.json", deliveries.play(1), deliveries.play(2, auth="Eleven byte"))
    query, asked = engine.Redshift.query, []

    def late(self: engine.Redshift, sql: str, parameters: Sequence[Any] = ()) -> Any:
        columns, rows = query(self, sql, parameters)
        if sql == copying.LOAD_ERRORS:
            asked.append(sql)
        return (columns, []) if sql == copying.LOAD_ERRORS and len(asked) < 3 else (columns, rows)

    monkeypatch.setattr(engine.Redshift, "query", late)
    assert warehouse.etl().run.counts.events_rejected == 1


@on_redshift
def test_rows_that_copy_refuses_are_found_in_every_piece(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch that was staged in pieces, one COPY a table loads all, and each refused row names its own file."""
    monkeypatch.setattr(engine.Redshift, "piece_size", 1)
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    for number in range(3):
        plays = [
            deliveries.play(number),
            deliveries.play(number + 10, auth="Eleven byte"),
            deliveries.play(number + 20),
        ]
        deliveries.write(warehouse.log_data / f"{number}.json", *plays, "{")
    counts = warehouse.etl().run.counts
    assert (counts.files, counts.events_read, counts.songplays, counts.events_rejected) == (3, 12, 6, 6)
    refused = warehouse.query(
        "select file, record from rejected_records where reason = 'auth: longer than 10 bytes' order by file"
    )
    sessions = [json.loads(record)["ts"] for _, record in refused]
    assert [file for file, _ in refused] == [str(warehouse.log_data / f"{number}.json") for number in range(3)]
    assert sessions == [deliveries.play(number + 10)["ts"] for number in range(3)]


@on_redshift
def test_of_two_similar_rows_only_the_refused_one_is_quarantined(warehouse: Sandbox) -> None:
    """A row that COPY refuses does not take a similar row with it."""
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    good = deliveries.play(1, user="1")
    bad = {**good, "userId": "2", "auth": "Eleven byte", "page": "NextSong "}
    deliveries.write(warehouse.log_data / "a.json", good, bad, bad)
    warehouse.etl()
    refused = warehouse.query("select record from rejected_records")
    assert [json.loads(record) for (record,) in refused] == [staged(bad)] * 2
    assert warehouse.query("select user_id from songplays") == [("1",)]


@on_redshift
def test_area_below_the_logs_is_no_source(delivered: Sandbox, stage: S3) -> None:
    """Staged files below the logs are not read as logs."""
    for file in delivered.log_data.iterdir():
        stage.put(f"s3://logs/in/{file.name}", file)
    stage.put("s3://logs/in/_sparkify-0123456789ab/run/staging_events.0.json.gz", gzip.compress(b'{"ts": 1}'))
    counts = delivered.etl(log_data="s3://logs/in").run.counts
    assert counts.files == len(list(delivered.log_data.iterdir())) + 1


def _narrow(warehouse: Sandbox, table: str, column: str, narrower: str) -> None:
    """Replace a staging table by one with a narrower column, such as an older version had."""
    create = loader.read(f"tables/{table}", "redshift")
    assert column in create
    for statement in ("drop view staged_events", f"drop table {table}", create.replace(column, narrower)):
        warehouse.execute(statement)


@on_redshift
def test_longest_stage_still_tells_staged_files_apart(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the longest STAGE allowed, a refused row is still identified; a longer STAGE is wrong usage."""
    monkeypatch.setattr(copying, "_ROWS_WORTH_SPLITTING", 2)
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    good, bad = [deliveries.play(number) for number in range(1, 6)], deliveries.play(6, auth="Eleven byte")
    deliveries.write(warehouse.log_data / "a.json", *good, bad)
    url = f"s3://stage/{'é' * 40}/"
    url += "a" * (LONGEST_STAGE - len(url.encode()))
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": f"{url}a"}
    with pytest.raises(ConfigError, match=r"\[S3\] STAGE: 151 bytes are too long, .* at most 150 bytes"):
        warehouse.etl()
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": url}
    counts = warehouse.etl().run.counts
    assert (counts.songplays, counts.events_rejected) == (5, 1)
    [(record,)] = warehouse.query("select record from rejected_records")
    assert json.loads(record) == staged(bad)


@on_redshift
def test_refused_row_of_an_unknown_file_fails_the_run(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Redshift reports a file that was not staged, the run fails with the report, and publishes nothing."""
    monkeypatch.setattr("sparkify.warehouse.redshift.stage.LONGEST_STAGE", 250)  # Redshift reports 256 bytes of it.
    _narrow(warehouse, "staging_events", "auth varchar(32)", "auth varchar(10)")
    deliveries.write(warehouse.log_data / "a.json", deliveries.play(1), deliveries.play(2, auth="Eleven byte"))
    url = "s3://stage/".ljust(250, "a")
    warehouse.environ = {**warehouse.environ, "SPARKIFY_S3_STAGE": url}
    with pytest.raises(WarehouseError) as caught:
        warehouse.etl()
    assert "COPY rejected 1 of 2 rows of staging_events, and" in str(caught.value)
    assert f"{url}/" in str(caught.value)
    assert warehouse.query("select count(*) from etl_files") == [(0,)]


def test_clusters_behind_tunnels_have_areas_of_their_own(
    stage: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two warehouses that differ only in their port do not delete each other's staged files."""
    monkeypatch.setattr(engine.Redshift, "reconnect", lambda _: None)

    def area(port: int) -> StagingArea:
        warehouse = engine.Redshift(f"redshift://u:p@localhost:{port}/dwh", config.load())
        warehouse.close()
        return warehouse._area()

    (tmp_path / "staged").write_bytes(b"staged")
    [address] = area(5439).put([tmp_path / "staged"])
    monkeypatch.setattr("sparkify.warehouse.redshift.stage.ABANDONED_AFTER", 0)
    for port, stays in ((5440, True), (5439, False)):  # Each deletes its own files.
        with area(port):
            assert (address.removeprefix("s3://stage/") in stage.buckets["stage"].objects) is stays
