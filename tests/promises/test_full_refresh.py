"""Promise 3: a full refresh replaces the whole warehouse or changes nothing."""

from __future__ import annotations

import gzip
import signal

import pytest
from tests.support.killing import (
    EXECUTE,
    Contents,
    SideBySide,
    Stage,
    arguments,
    contents,
    everything,
    leftovers,
    spoil,
    stop_at,
)
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.errors import CheckFailed, SourceError, SparkifyError
from sparkify.pipeline import checks
from sparkify.warehouse.base import Warehouse

pytestmark = pytest.mark.usefixtures("scratch")

# A full refresh loads all files in one batch beside the warehouse, then replaces the tables.
REFRESH_STAGES: list[Stage] = [
    ("sparkify.pipeline.batch:transform", "", 1, "after"),
    (EXECUTE, "commit", 1, "after"),
    (EXECUTE, "create or replace table", 5, "after"),
    (EXECUTE, "commit", 2, "before"),
]


def test_full_refresh_equals_a_first_load(waiting: Sandbox, make_warehouse: Warehouses) -> None:
    """A full refresh gives the same tables as a first load of the same files."""
    waiting.etl()
    waiting.etl(full_refresh=True)
    new = make_warehouse()
    new.etl(log_data=waiting.log_data, song_data=waiting.song_data)
    assert waiting.contents() == new.contents()
    assert waiting.failed_checks() == []


def test_full_refresh_drops_the_rows_of_files_that_are_gone(waiting: Sandbox) -> None:
    """The rows of a deleted file stay until a full refresh leaves the file out, which --skip-bad-files allows."""
    waiting.etl()
    (waiting.log_data / "3.json").unlink()
    (waiting.song_data / "B" / "late.json").unlink()
    waiting.etl()
    before = everything(waiting)
    with pytest.raises(SourceError, match=r"late\.json \(and 1 more\): .* missing from the source"):
        waiting.etl(full_refresh=True)
    assert everything(waiting) == before
    assert waiting.query("select count(*), count(distinct song_id) from songplays") == [(96, 2)]
    summary = waiting.etl(full_refresh=True, skip_bad_files=True)
    assert sorted(path.rpartition("/")[2] for path in summary.skipped) == ["3.json", "late.json"]
    assert waiting.query("select count(*), count(distinct song_id) from songplays") == [(73, 1)]
    assert waiting.query("select song_id from songs") == [("SOHEARD",)]
    assert not [path for (path,) in waiting.query("select path from etl_files") if path.endswith("3.json")]


@pytest.mark.parametrize("kind", ["songs", "events"])
def test_full_refresh_from_a_folder_without_files_changes_nothing(waiting: Sandbox, kind: str) -> None:
    """A full refresh from an empty folder fails, and drops neither plays nor songs."""
    waiting.etl()
    before = waiting.contents()
    folder = waiting.log_data if kind == "events" else waiting.song_data
    for file in folder.rglob("*.json*"):
        file.unlink()
    with pytest.raises(SourceError, match=f"would drop all {kind}"):
        waiting.etl(full_refresh=True)
    assert waiting.contents() == before


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["songs", "events"])
def test_full_refresh_from_unreadable_files_changes_nothing(waiting: Sandbox, kind: str) -> None:
    """A full refresh that can read no file of a kind fails, even if bad files are skipped, and drops no rows."""
    waiting.etl()
    before = everything(waiting)
    folder = waiting.log_data if kind == "events" else waiting.song_data
    for file in folder.rglob("*.json*"):
        file.with_name(f"{file.stem}.json.gz").write_bytes(gzip.compress(file.read_bytes())[:-9])
        file.unlink()
    with pytest.raises(SourceError, match=f"would drop all {kind}"):
        waiting.etl(full_refresh=True, skip_bad_files=True)
    assert everything(waiting) == before


@pytest.mark.ci
def test_full_refresh_keeps_the_history_of_runs(waiting: Sandbox) -> None:
    """After a full refresh etl_runs holds the earlier runs, unchanged, and the refresh itself."""
    waiting.etl()
    before = everything(waiting)["etl_runs"]
    refresh = waiting.etl(full_refresh=True)
    assert [row[0] for row in everything(waiting)["etl_runs"]] == [*(row[0] for row in before), refresh.run.id]
    assert everything(waiting)["etl_runs"][: len(before)] == before


def failing_check(warehouse: Warehouse, *_: object, **_more: object) -> None:
    """Fail as a check does that finds an offending row."""
    warehouse.rows("select * from songplays")
    raise CheckFailed("planted")


@pytest.mark.parametrize("how", ["check", "file"])
def test_full_refresh_that_fails_changes_nothing(waiting: Sandbox, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad file or a failed check midway through a full refresh leaves the warehouse unchanged."""
    if how == "check":  # No source can make a check fail in an empty warehouse.
        monkeypatch.setattr(checks, "check_batch", failing_check)
    else:
        spoil(waiting, how)
    before = everything(waiting)
    with pytest.raises(SparkifyError):
        waiting.etl(full_refresh=True, batch_size=1)
    assert everything(waiting) == before


def test_full_refresh_that_fails_deletes_what_it_built(waiting: Sandbox) -> None:
    """A failed full refresh leaves no file or schema of its own."""
    spoil(waiting, "file")
    with pytest.raises(SparkifyError):
        waiting.etl(full_refresh=True)
    assert leftovers(waiting) == []


def test_full_refresh_killed_at_any_stage_leaves_the_old_warehouse(
    side_by_side: SideBySide, undisturbed: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full refresh killed before its end leaves the old warehouse, and the next run deletes what it left."""

    def killed(warehouse: Sandbox, stage: Stage) -> tuple[int, Contents, Contents]:
        before = everything(warehouse)
        ended = stop_at(stage, signal.SIGKILL, arguments(warehouse, "--full-refresh"))
        after = everything(warehouse)
        warehouse.etl()
        return ended.returncode, before, after

    monkeypatch.setattr("sparkify.warehouse.server.ABANDONED_AFTER", 0)
    for stage, (warehouse, found) in zip(REFRESH_STAGES, side_by_side(killed, REFRESH_STAGES), strict=True):
        code, before, after = found
        assert code == -signal.SIGKILL, stage
        assert after == before, stage
        assert contents(warehouse) == undisturbed, stage
        assert leftovers(warehouse) == [], stage


@pytest.mark.ci
def test_full_refresh_killed_after_its_end_is_complete(waiting: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full refresh killed after it replaced the tables is complete, and the next run deletes what it left."""
    stop_at((EXECUTE, "commit", 2, "after"), signal.SIGKILL, arguments(waiting, "--full-refresh"))
    refreshed = waiting.contents()
    assert len(everything(waiting)["etl_runs"]) == 2
    with monkeypatch.context() as later:
        later.setattr("sparkify.warehouse.server.ABANDONED_AFTER", 0)
        waiting.etl()
    assert leftovers(waiting) == []
    waiting.etl(full_refresh=True)
    assert waiting.contents() == refreshed
    assert leftovers(waiting) == []
