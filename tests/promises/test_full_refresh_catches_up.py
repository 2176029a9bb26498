"""Promise 3: a full refresh loses nothing that changes, or that others publish, while it reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.promises import deliveries
from tests.promises.records import keys, loaded, play, song
from tests.support.killing import everything
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox

from sparkify.errors import SourceError
from sparkify.pipeline import run

LOGS, SONGS = "s3://bucket/log_data", "s3://bucket/song_data"

on_servers = pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)


@pytest.fixture
def remote(warehouse: Sandbox, s3: S3) -> Sandbox:
    """Return a warehouse that has loaded two logs and a song from S3."""
    for number, name in enumerate(("a", "b")):
        s3.put(f"{LOGS}/{name}.json", play(itemInSession=number))
    s3.put(f"{SONGS}/song.json", song())
    warehouse.etl(LOGS, SONGS)
    return warehouse


def change_on_reading(s3: S3, *, always: bool = False) -> None:
    """Add a play to a log in S3 when it is read, once or always."""
    lines = [play(itemInSession=1)]

    def change() -> None:
        lines.append(play(itemInSession=len(lines) + 1))
        s3.put(f"{LOGS}/b.json", "\n".join(lines))
        if always:
            s3.when("GetObject", "log_data/b.json", change)

    s3.when("GetObject", "log_data/b.json", change)


def test_object_that_changes_while_it_is_read_is_loaded(remote: Sandbox, s3: S3) -> None:
    """A full refresh loads an object that changed after the listing in its new version, and skips nothing."""
    change_on_reading(s3)
    assert remote.etl(LOGS, SONGS, full_refresh=True).skipped == {}
    assert loaded(remote, "events") == keys("events", 0, 1, 2)
    assert remote.etl(LOGS, SONGS).batches == 0
    assert remote.failed_checks() == []


def test_object_that_always_changes_fails_a_full_refresh(remote: Sandbox, s3: S3) -> None:
    """A full refresh that cannot read a loaded object fails with its name; with --skip-bad-files it is left out."""
    before = everything(remote)
    change_on_reading(s3, always=True)
    with pytest.raises(SourceError, match=r"b\.json: the file changed or was deleted during the full refresh"):
        remote.etl(LOGS, SONGS, full_refresh=True)
    assert everything(remote) == before
    summary = remote.etl(LOGS, SONGS, full_refresh=True, skip_bad_files=True)
    assert list(summary.skipped) == [f"{LOGS}/b.json"]
    assert loaded(remote, "events") == keys("events", 0)


def test_unreadable_file_is_tried_once(delivered: Sandbox) -> None:
    """A bad file that --skip-bad-files leaves out of a full refresh is named once."""
    delivered.etl()
    (delivered.log_data / "2.json").write_bytes(b"\x1f\x8b\x08\x00 truncated")
    summary = delivered.etl(full_refresh=True, skip_bad_files=True)
    assert [path.rpartition("/")[2] for path in summary.skipped] == ["2.json"]
    assert len([line for line in delivered.narration if "2.json" in line]) == 1


def during_a_refresh(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    """Run a function once a full refresh has read its files."""
    load_all, waiting = run.load_all, [happen]

    def load_and_happen(*arguments: object) -> None:
        happened = waiting.pop() if waiting else None
        load_all(*arguments)  # type: ignore[arg-type]
        if happened:
            happened()

    monkeypatch.setattr(run, "load_all", load_and_happen)


def test_file_that_arrives_during_a_full_refresh_is_loaded(delivered: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full refresh loads the files that were delivered after its listing."""
    delivered.etl()
    during_a_refresh(monkeypatch, lambda: deliveries.write(delivered.log_data / "3.json", deliveries.play(200)))
    delivered.etl(full_refresh=True)
    assert delivered.query("select count(*) from etl_files where path like '%/3.json'") == [(1,)]


@on_servers
def test_what_another_run_publishes_during_a_full_refresh_stays(
    delivered: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full refresh keeps the day that another run publishes before it replaces the tables."""
    delivered.etl()

    def publish() -> None:
        deliveries.second(delivered.log_data, delivered.song_data)
        delivered.etl()
        published.append(delivered.query("select songplay_id, level from songplays order by 1"))

    published: list[object] = []
    during_a_refresh(monkeypatch, publish)
    delivered.etl(full_refresh=True)
    assert published == [delivered.query("select songplay_id, level from songplays order by 1")]
    assert delivered.failed_checks() == []


@on_servers
def test_published_file_that_is_gone_fails_a_full_refresh(delivered: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full refresh that cannot read what another run has just published fails with the name, and loses nothing."""
    delivered.etl()

    def publish_and_delete() -> None:
        deliveries.write(delivered.log_data / "3.json", deliveries.play(200))
        delivered.etl()
        (delivered.log_data / "3.json").unlink()

    with monkeypatch.context() as first:
        during_a_refresh(first, publish_and_delete)
        with pytest.raises(SourceError, match=r"3\.json: the file changed or was deleted during the full refresh"):
            delivered.etl(full_refresh=True)
    assert delivered.query("select count(*) from etl_files where path like '%/3.json'") == [(1,)]
    during_a_refresh(monkeypatch, publish_and_delete)
    summary = delivered.etl(full_refresh=True, skip_bad_files=True)
    assert [path.rpartition("/")[2] for path in summary.skipped] == ["3.json"]


@on_servers
def test_file_published_before_a_full_refresh_locks_the_ledger_is_not_lost(
    delivered: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full refresh fails with the name of a file that another run publishes after its listing, and that is gone."""
    delivered.etl()
    leave_out = run._leave_out

    def publish_and_delete(*arguments: object) -> None:
        monkeypatch.setattr(run, "_leave_out", leave_out)
        deliveries.write(delivered.log_data / "3.json", deliveries.play(200))
        delivered.etl()
        (delivered.log_data / "3.json").unlink()
        leave_out(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "_leave_out", publish_and_delete)  # It is first called before the ledger is locked.
    with pytest.raises(SourceError, match=r"3\.json: the file changed or was deleted during the full refresh"):
        delivered.etl(full_refresh=True)
    assert delivered.query("select count(*) from etl_files where path like '%/3.json'") == [(1,)]
