"""Sources in S3 give the same warehouse as files on disk."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.promises.records import BAD, GOOD, joined, keys, loaded, play, song
from tests.support.realdata import catalogue_records
from tests.support.s3 import CREDENTIALS, S3
from tests.support.sandbox import Row, Sandbox, Warehouses

from sparkify.aws import event_loop
from sparkify.cli.main import main
from sparkify.config import Aws
from sparkify.errors import SourceError
from sparkify.sample_data.generate import generate
from sparkify.sources import cache, listing
from sparkify.sources.cache import FileCache
from sparkify.staging import fast_path

LOGS, SONGS = "s3://bucket/log_data", "s3://bucket/song_data"


@pytest.fixture
def scratch(make_warehouse: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """Keep the temporary files of runs in the folder of the test, once the servers have started."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def from_s3(s3: S3, make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that is filled from S3 by default, where there is one song."""
    warehouse = make_warehouse()
    warehouse.log_data, warehouse.song_data = LOGS, SONGS  # type: ignore[assignment]
    s3.put(f"{SONGS}/song.json", song())
    return warehouse


def from_disk(rows: dict[str, list[Row]], folder: Path, url: str) -> dict[str, list[Row]]:
    """Return the contents of a warehouse, with the paths in a folder replaced by those in S3."""
    moved = {"etl_files": 1, "rejected_records": 1}  # table → column of the path
    return {
        table: sorted(
            (
                [(*row[:1], row[moved[table]].replace(str(folder), url), *row[moved[table] + 1 :]) for row in found]
                if table in moved
                else found
            ),
            key=repr,
        )
        for table, found in rows.items()
    }


@pytest.mark.ci
def test_real_data_from_s3_is_the_warehouse_from_disk(s3: S3, real: Path, tmp_path: Path) -> None:
    """The public sample with its 14,896 songs gives the same rows from S3 and from disk."""
    folder = tmp_path / "data"
    for name, content in catalogue_records(real):
        path = folder.joinpath("song_data", *name[2:5], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "log_data").symlink_to(real / "log_data")
    s3.add_folder(SONGS, folder / "song_data")
    s3.add_folder(LOGS, folder / "log_data" / "")
    disk, remote = (Sandbox(f"duckdb:///{tmp_path}/{name}/our.duckdb", tmp_path / name) for name in ("disk", "s3"))
    disk.etl(folder / "log_data", folder / "song_data")
    counts = remote.etl(LOGS, SONGS).run.counts
    assert (counts.songplays, counts.songs, counts.files) == (6820, 14896, 14926)
    assert remote.contents() == from_disk(disk.contents(), folder, "s3://bucket")
    assert remote.failed_checks() == []


@pytest.mark.parametrize("direct_size", [0, 1 << 40])
def test_dirty_data_from_s3_is_the_warehouse_from_disk(
    s3: S3,
    make_warehouse: Warehouses,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scratch: Path,
    direct_size: int,
) -> None:
    """Dirty objects give the same rows and rejected records, whether in memory or copied to disk."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", direct_size)
    monkeypatch.setattr(cache, "MAX_IN_MEMORY", 20_000)
    monkeypatch.setattr(cache, "_GROUP_LIMITS", (50_000, 7))
    made = generate(tmp_path / "data", users=40, days=8, songs=60, seed=7, dirty=0.2)
    s3.add_folder("s3://bucket", tmp_path / "data")
    disk, remote = make_warehouse(), make_warehouse()
    disk.etl(made.log_data, made.song_data)
    remote.etl(LOGS, SONGS)
    assert len(remote.contents()["rejected_records"]) > 50
    assert remote.contents() == from_disk(disk.contents(), tmp_path / "data", "s3://bucket")
    assert list(scratch.iterdir()) == []


def test_deliveries_to_s3_are_loaded_once_and_replaced(s3: S3, make_warehouse: Warehouses) -> None:
    """New objects are loaded, objects with a new ETag replace their records, and others are skipped."""
    disk, remote = make_warehouse(), make_warehouse()
    for deliver, expected in ((deliveries.first, 3), (deliveries.second, 4)):
        deliver(disk.log_data, disk.song_data)
        s3.add_folder("s3://bucket", disk.log_data.parent)
        disk.etl()
        assert remote.etl(LOGS, SONGS).run.counts.files == expected
        assert remote.etl(LOGS, SONGS).run.counts.files == 0
        assert remote.contents() == from_disk(disk.contents(), disk.log_data.parent, "s3://bucket")


@pytest.mark.parametrize("asked_by", ["option", "setting"])
@pytest.mark.parametrize("has_credentials", [True, False])
def test_public_bucket_is_read_without_credentials(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_by: str, has_credentials: bool
) -> None:
    """With --no-sign-request or [S3] ANONYMOUS, a public bucket is read unsigned, whether or not there is a login."""
    s3.add_bucket("bucket", is_public=True)
    s3.put(f"{LOGS}/events.json", play())
    s3.put(f"{SONGS}/song.json", song())
    if asked_by == "setting":
        monkeypatch.setenv("SPARKIFY_S3_ANONYMOUS", "yes")
    for variable in () if has_credentials else CREDENTIALS:
        monkeypatch.delenv(variable)
    words = ["--log-data", LOGS, "--song-data", SONGS, "--warehouse", f"duckdb:///{tmp_path}/our.duckdb"]
    for command in ("etl", "status"):
        assert main([command, *words, *(["--no-sign-request"] if asked_by == "option" else [])]) == 0
    assert len(s3.asked("GetObject")) == 2
    assert not any("authorization" in request.headers for request in s3.requests)


def test_private_bucket_is_refused_without_credentials(
    s3: S3, from_s3: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unsigned request that is denied is reported with the option and setting that made it unsigned."""
    words = ["--log-data", LOGS, "--song-data", SONGS, "--warehouse", from_s3.url]
    assert main(["etl", "--no-sign-request", *words]) == 1
    said = capsys.readouterr().err
    assert "s3://bucket/song_data: S3 denies access (AccessDenied). Allow s3:ListBucket on arn:aws:s3:::bucket" in said
    assert "leave out --no-sign-request and [S3] ANONYMOUS" in said
    assert s3.asked("GetObject") == []


def test_rejected_record_names_its_object_and_line(s3: S3, from_s3: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejected record names its object and line, whether the object was in memory, on disk or compressed."""
    monkeypatch.setattr(cache, "MAX_IN_MEMORY", 1000)
    monkeypatch.setattr(fast_path, "MIN_SIZE", 1000)
    bad = joined(*GOOD["events"], BAD["missing comma"].record, *(" " * 50 for _ in range(30)))
    s3.put(f"{LOGS}/small.json", bad[:700])
    s3.put(f"{LOGS}/large.json", bad)
    s3.put(f"{LOGS}/packed.json.gz", gzip.compress(bad))
    from_s3.etl()
    rejected = from_s3.query("select file, line, reason from rejected_records order by file")
    names = ("large.json", "packed.json.gz", "small.json")
    assert rejected == [(f"{LOGS}/{name}", 3, "not valid JSON") for name in names]
    assert from_s3.failed_checks() == []


def listed(root: str) -> list[str]:
    """Return the paths that are listed under a root."""
    return [file.path for file in listing.list_files("events", root).files]


ODD = ["a b", "a+b", "100%", "%41", "Zoë", "Zoe\u0308", "🎵", "a*b?[x]", "{a,b}", "it's", 'say "hi"', "back\\slash"]
ODD += ["a;b#c$d&e=f,g:h@i!", "~", "a^b`c|d", "x.json/y", "level=paid/z"]


def test_key_may_hold_any_printable_character(s3: S3, from_s3: Sandbox) -> None:
    """Objects of any name are read once each, and the ledger names them."""
    for number, name in enumerate(ODD):
        s3.put(f"{LOGS}/{name}.json", play(itemInSession=number))
    assert from_s3.etl().run.counts.songplays == len(ODD)
    paths = {path for (path,) in from_s3.query("select path from etl_files where source = 'events'")}
    assert paths == {f"{LOGS}/{name}.json" for name in ODD}


@pytest.mark.parametrize("key", ["log_data//a.json", "log_data/../a.json", "log_data/tab\t.json"])
def test_key_that_cannot_be_asked_for_is_named(s3: S3, key: str) -> None:
    """The few keys that the client cannot request fail the listing by name."""
    s3.put(f"s3://bucket/{key}", play())
    with pytest.raises(SourceError) as caught:
        listed("s3://bucket/")
    assert str(caught.value).startswith(f"{f's3://bucket/{key}'!r}: the object cannot be listed.")


def test_prefix_is_a_folder(s3: S3) -> None:
    """A prefix names a folder, with or without a slash, and not every key that begins with it."""
    for key in ("log_data/a.json", "log_data/b/c.json", "log_data2/a.json", "log_data.json", "other.json"):
        s3.put(f"s3://bucket/{key}", play())
    expected = [f"{LOGS}/a.json", f"{LOGS}/b/c.json"]
    assert listed(LOGS) == listed(f"{LOGS}/") == expected
    assert listed("s3://bucket/log_data.json") == ["s3://bucket/log_data.json"]
    assert len(listed("s3://bucket")) == len(listed("S3://bucket/")) == 5


def test_hidden_and_other_objects_are_skipped(s3: S3) -> None:
    """Hidden objects and folder markers are left out, and objects with another suffix are counted."""
    ours = ["B.JSON", "a.json", "c.json.gz", "e/f_.json", "g.json/h.json"]
    hidden = [".a.json", "_a.json", ".b/a.json", "e/_b/c/a.json", "e/.a.json.gz", "_SUCCESS"]
    others = ["a.TXT", "e/b.txt", "part-0000"]
    for key in [*ours, *hidden, *others]:
        s3.put(f"s3://bucket/_top/{key}", play())
    for folder in ("", "e/", "e/empty/"):
        s3.put(f"s3://bucket/_top/{folder}", b"")
    assert listed("s3://bucket/_top") == [f"s3://bucket/_top/{key}" for key in ours]
    assert listing.list_files("events", "s3://bucket/_top").not_read == {".txt": 2, "": 1}


def test_version_is_the_etag(s3: S3) -> None:
    """The ledger's version of an object is its ETag without quotes."""
    s3.put(f"{LOGS}/a.json", play(), etag="0123456789abcdef0123456789abcdef-17")
    [file] = listing.list_files("events", LOGS).files
    assert (file.version, file.size) == ("0123456789abcdef0123456789abcdef-17", len(play().encode()))


def test_store_without_etags_shows_changes_by_size_and_time(s3: S3, from_s3: Sandbox) -> None:
    """Without ETags, an object is another version if its size or time differs, also while it is read."""
    s3.has_etags = False
    for name, text in zip(("a", "b"), GOOD["events"], strict=True):
        s3.put(f"{LOGS}/{name}.json", text)
    assert [file.version for file in listing.list_files("events", LOGS).files] == [
        f"{len(text.encode())} 2018-11-01T20:57:10Z" for text in GOOD["events"]
    ]
    s3.when("GetObject", "log_data/b.json", lambda: s3.put(f"{LOGS}/b.json", play(itemInSession=3) + "\n"))
    assert list(from_s3.etl().skipped) == [f"{LOGS}/b.json"]
    assert loaded(from_s3, "events") == keys("events", 1)
    assert from_s3.etl().skipped == {}
    assert loaded(from_s3, "events") == keys("events", 1, 3)
    assert from_s3.etl().run.counts.files == 0


def test_empty_object_is_loaded_as_nothing(s3: S3, from_s3: Sandbox) -> None:
    """An empty object is loaded, and an empty .gz object is an error."""
    s3.put(f"{LOGS}/a.json", b"")
    assert from_s3.etl().run.counts.files == 2
    s3.put(f"{LOGS}/b.json.gz", b"")
    with pytest.raises(SourceError, match=r"b\.json\.gz: the file cannot be read \(an empty file is not a gzip file\)"):
        from_s3.etl()


def test_folder_named_like_a_file_holds_nothing(s3: S3, from_s3: Sandbox) -> None:
    """A folder marker named like a file holds nothing, and the files in that folder are read."""
    s3.put(f"{LOGS}/a.json/", b"")
    s3.put(f"{LOGS}/a.json/b.json", play())
    from_s3.etl()
    assert loaded(from_s3, "events") == keys("events", 0)


def test_listing_that_breaks_off_goes_on_where_it_was(s3: S3) -> None:
    """A listing whose second page breaks off lists every key once."""
    for number in range(2500):
        s3.put(f"{LOGS}/{number:04}.json", b"")
    s3.when("ListObjectsV2", None, lambda: s3.truncate("ListObjectsV2", times=1))
    assert listed(LOGS) == [f"{LOGS}/{number:04}.json" for number in range(2500)]
    assert len(s3.asked("ListObjectsV2")) == 4


@pytest.mark.ci
def test_hundred_thousand_keys_are_listed_in_bounded_memory(s3: S3) -> None:
    """Beyond its result, a listing holds a page or two in memory."""
    bucket = s3.add_bucket("bucket")
    s3.put(f"{LOGS}/000000.json", b"{}")
    found = bucket.objects["log_data/000000.json"]
    bucket.objects |= {f"log_data/{number:06}.json": found for number in range(100_000)}
    bucket.order = None
    bucket.keys()
    listed("s3://bucket/log_data/000000.json")  # Load every module before memory is measured.
    tracemalloc.start()
    try:
        files = listing.list_files("events", LOGS).files
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(files) == 100_000
    assert peak - held < 8 << 20


def test_objects_come_in_order_within_a_window(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects come in the order requested, and no more are fetched ahead than fit the window."""
    monkeypatch.setattr(cache, "_GROUP_LIMITS", (100, 3))
    monkeypatch.setattr(cache, "_GROUPS_AHEAD", 2)
    for number in range(40):
        s3.put(f"{LOGS}/{number:02}.json", f"{number:020}")
    files = list(enumerate(listing.list_files("events", LOGS).files))
    given = FileCache(tmp_path, Aws())
    ahead = given.prefetch(files)
    for number, file in ahead:
        with given.open(file) as stream:
            assert int(stream.read()) == number
        assert len(s3.asked("GetObject")) <= number + 9
    assert len(s3.asked("GetObject")) == 40


def test_copy_is_deleted_when_it_has_been_read(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy on disk is deleted as soon as it has been read."""
    monkeypatch.setattr(cache, "MAX_IN_MEMORY", 5)
    for number in range(4):
        s3.put(f"{LOGS}/{number}.json", f"{number:010}")
    given = FileCache(tmp_path / "copies", Aws())
    (tmp_path / "copies").mkdir()
    for number, file in given.prefetch(list(enumerate(listing.list_files("events", LOGS).files))):
        assert len(list((tmp_path / "copies").iterdir())) == 4 - number
        with given.open(file) as stream:
            assert int(stream.read()) == number
    assert list((tmp_path / "copies").iterdir()) == []


def test_failed_run_cancels_its_downloads(s3: S3, from_s3: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails cancels its downloads, even if the network stalls."""
    monkeypatch.setattr(cache, "_GROUP_LIMITS", (1 << 20, 1))
    for name in "abc":
        s3.put(f"{LOGS}/{name}.json", play())
    s3.refuse("GetObject", "log_data/a.json", status=404, code="NoSuchKey")
    s3.stall("GetObject", "log_data/b.json")
    with pytest.raises(SourceError, match=r"a\.json: the object was deleted"):
        from_s3.etl()
    assert asyncio.all_tasks(event_loop._background().loop) == set()


def test_every_read_names_the_version_that_was_listed(s3: S3, from_s3: Sandbox) -> None:
    """Each object is requested once, on condition that its ETag is the listed one."""
    etag = s3.put(f"{LOGS}/a.json", play())
    from_s3.etl()
    [request] = [request for request in s3.requests if request.key == "log_data/a.json"]
    assert (request.operation, request.headers["if-match"]) == ("GetObject", f'"{etag}"')


@pytest.mark.parametrize("direct_size", [0, 1 << 40])
def test_object_that_changes_after_it_was_listed_waits(
    s3: S3, from_s3: Sandbox, monkeypatch: pytest.MonkeyPatch, direct_size: int
) -> None:
    """An object that changed since it was listed is left to the next run, and the others are loaded."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", direct_size)
    monkeypatch.setattr(cache, "MAX_IN_MEMORY", direct_size)
    for name, text in zip(("a", "b"), GOOD["events"], strict=True):
        s3.put(f"{LOGS}/{name}.json", text)
    s3.when("GetObject", "log_data/b.json", lambda: s3.put(f"{LOGS}/b.json", play(itemInSession=3)))
    notice = f"{LOGS}/b.json: the object changed after it was listed. The next run loads it."
    assert from_s3.etl().skipped == {f"{LOGS}/b.json": notice}
    assert f"Skipped: {notice}" in from_s3.narration
    assert loaded(from_s3, "events") == keys("events", 1)
    assert from_s3.failed_checks() == []
    assert from_s3.etl().skipped == {}
    assert loaded(from_s3, "events") == keys("events", 1, 3)


@pytest.mark.parametrize("direct_size", [0, 1 << 40])
def test_object_that_goes_after_it_was_listed_fails_the_run(
    s3: S3, from_s3: Sandbox, monkeypatch: pytest.MonkeyPatch, direct_size: int
) -> None:
    """An object deleted since it was listed fails the run by name, or is skipped on request."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", direct_size)
    for skip_bad_files in (False, True):
        for name, text in zip(("a", "b"), GOOD["events"], strict=True):
            s3.put(f"{LOGS}/{name}.json", text)
        s3.when("GetObject", "log_data/b.json", lambda: s3.remove(f"{LOGS}/b.json"))
        message = f"{LOGS}/b.json: the object was deleted after it was listed. Run again, or pass --skip-bad-files."
        if skip_bad_files:
            message = message.replace(", or pass --skip-bad-files", "")
            assert from_s3.etl(skip_bad_files=True).skipped == {f"{LOGS}/b.json": message}
            assert loaded(from_s3, "events") == keys("events", 1)
        else:
            with pytest.raises(SourceError) as caught:
                from_s3.etl()
            assert str(caught.value) == message
            assert not any(from_s3.contents().values())


RUN = "import sys; from sparkify.cli.main import main; sys.exit(main(sys.argv[1:]))"


def start(warehouse: Sandbox) -> subprocess.Popen[str]:
    """Start a run in a process of its own."""
    listing = ["--log-data", LOGS, "--song-data", SONGS, "--warehouse", warehouse.url]
    return subprocess.Popen([sys.executable, "-c", RUN, "etl", *listing], stderr=subprocess.PIPE, text=True)


def wait_until(happened: Callable[[], object]) -> None:
    """Wait until a condition holds, for a minute at most."""
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(("size", "stalled"), [(100, "log_data"), (2_000_000, "log_data"), (100, "song_data")])
def test_stopped_run_leaves_nothing_for_long(
    s3: S3, from_s3: Sandbox, scratch: Path, how: signal.Signals, size: int, stalled: str
) -> None:
    """Ctrl-C ends a run that waits for a stalled network and deletes its files; after a kill, the next run does."""
    s3.put(f"{LOGS}/a.json", play())
    s3.put(f"{LOGS}/b.json", play(itemInSession=1) + " " * size)
    s3.put(f"{SONGS}/b.json", song())
    s3.stall("GetObject", f"{stalled}/b.json")
    with start(from_s3) as process:
        wait_until(lambda: f"{stalled}/b.json" in s3.asked("GetObject") and list(scratch.glob("sparkify-run-*/*")))
        process.send_signal(how)
        narration = process.communicate(timeout=15)[1]
    if how is signal.SIGINT:
        assert (process.returncode, narration.splitlines()[-1][:22]) == (130, "sparkify: interrupted.")
        assert list(scratch.iterdir()) == []
    else:
        assert list(scratch.iterdir())
    s3.heal()
    from_s3.etl()
    assert loaded(from_s3, "events") == keys("events", 0, 1)
    assert list(scratch.iterdir()) == []


@pytest.mark.usefixtures("from_s3")
def test_run_without_s3_loads_no_client(tmp_path: Path) -> None:
    """A run over files on disk loads neither boto3 nor obstore."""
    program = (
        "import sys; from sparkify.cli.main import main; code = main(sys.argv[1:]);"
        " print(code, sorted({'boto3', 'botocore', 'obstore', 'sparkify.fetch'} & sys.modules.keys()))"
    )
    for name in ("logs", "songs"):
        (tmp_path / name).mkdir()
    (tmp_path / "logs" / "a.json").write_text(play())
    listing = ["--log-data", str(tmp_path / "logs"), "--song-data", str(tmp_path / "songs")]
    command = ["etl", "--allow-empty", *listing, "--warehouse", f"duckdb:///{tmp_path / 'our.duckdb'}"]
    ran = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "0 []"


def test_dry_run_and_status_list_s3(s3: S3, from_s3: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run and `sparkify status` list pending objects without loading them."""
    s3.put(f"{LOGS}/a.json", play())
    from_s3.etl()
    s3.put(f"{LOGS}/b.json", play(itemInSession=1))
    os.environ |= {"SPARKIFY_S3_LOG_DATA": LOGS, "SPARKIFY_S3_SONG_DATA": SONGS}
    try:
        assert main(["etl", "--dry-run", "--warehouse", from_s3.url]) == 0
        assert f"events  {LOGS}/b.json" in capsys.readouterr().out
        assert main(["status", "--warehouse", from_s3.url]) == 0
        assert "2 loaded, 1 pending" in capsys.readouterr().out
    finally:
        del os.environ["SPARKIFY_S3_LOG_DATA"], os.environ["SPARKIFY_S3_SONG_DATA"]
