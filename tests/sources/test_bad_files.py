"""Promise 2: files that cannot be read, and too many bad records, fail the run with a clear message."""

from __future__ import annotations

import gzip
import json
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.promises.records import GOOD, KINDS, folder, joined, keys, loaded, play, song
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.config import Config, Limit
from sparkify.errors import SourceError
from sparkify.pipeline import run as pipeline_run
from sparkify.pipeline.progress import Narrator, Options
from sparkify.sources.listing import Kind, Listing
from sparkify.staging import fast_path

MEND = "Repair it, or pass --skip-bad-files."


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail if the block takes longer than this many seconds."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"hangs for more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


PACKED = gzip.compress(joined(*GOOD["events"]), mtime=0)
CHECKSUM = zlib.crc32(joined(*GOOD["events"]))
WRONG_CHECKSUM = PACKED[:-8] + (CHECKSUM ^ 1).to_bytes(4, "little") + PACKED[-4:]
NO_SUCH_BLOCK = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x07"  # the fourth type of block, where deflate has three
CUT_SHORT = "the file cannot be read (Compressed file ended before the end-of-stream marker was reached). " + MEND
GONE = "the file was deleted after it was listed. Run again, or pass --skip-bad-files."
NO_TARGET = "the target of this link does not exist. Remove the link, or pass --skip-bad-files."
LEADS_OUT = "this link leads out of the source folder. Pass --follow-links to read it, or pass --skip-bad-files."
NO_FILE = "the file cannot be read (not a regular file). " + MEND

Make = Callable[[Path], object]
UNREADABLE: dict[str, tuple[str, Make, str]] = {
    "truncated gzip": ("b.json.gz", lambda path: path.write_bytes(PACKED[:-20]), CUT_SHORT),
    "gzip with a wrong checksum": (
        "b.json.gz",
        lambda path: path.write_bytes(WRONG_CHECKSUM),
        f"the file cannot be read (CRC check failed {CHECKSUM ^ 1:#x} != {CHECKSUM:#x}). {MEND}",
    ),
    "corrupt gzip": (
        "b.json.gz",
        lambda path: path.write_bytes(NO_SUCH_BLOCK),
        f"the file cannot be read (Error -3 while decompressing data: invalid block type). {MEND}",
    ),
    "no gzip": (
        "b.json.gz",
        lambda path: path.write_bytes(joined(*GOOD["events"])),
        f"the file cannot be read (Not a gzipped file (b'{{\"')). {MEND}",
    ),
    "link to nothing": ("b.json", lambda path: path.symlink_to("nowhere.json"), NO_TARGET),
    "link that leads out": ("b.json", lambda path: path.symlink_to("/dev/zero"), LEADS_OUT),
    "pipe": ("b.json", os.mkfifo, NO_FILE),
    "pipe that is called packed": ("b.json.gz", os.mkfifo, NO_FILE),
}


@pytest.mark.parametrize(("name", "make", "reason"), [pytest.param(*how, id=why) for why, how in UNREADABLE.items()])
def test_unreadable_file_fails_the_run_or_is_skipped(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str, make: Make, reason: str
) -> None:
    """An unreadable file fails the run by name, or is skipped on request and tried again by the next run."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", 0)  # A file that fails on the fast path is tried on the exact path.
    bad = warehouse.log_data / name
    make(bad)
    (warehouse.log_data / "a.json").write_text(GOOD["events"][0])
    (warehouse.log_data / "c.json").write_text(play())
    message = f"{bad}: {reason}"
    with within(20):
        with pytest.raises(SourceError) as caught:
            warehouse.etl()
        assert str(caught.value) == message
        assert not any(warehouse.contents().values())
        message = message.replace(", or pass --skip-bad-files", "")
        assert warehouse.etl(skip_bad_files=True).skipped == {str(bad): message}
        assert f"Skipped: {message}" in warehouse.narration
        assert loaded(warehouse, "events") == keys("events", 0, 1)
    bad.unlink()
    bad.write_bytes(PACKED if name.endswith(".gz") else joined(*GOOD["events"]))
    assert warehouse.etl().skipped == {}
    assert loaded(warehouse, "events") == keys("events", 0, 1, 2)


@pytest.mark.parametrize("direct_size", [0, 1 << 40])
def test_file_that_vanishes_after_it_was_listed_fails_the_run(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, direct_size: int
) -> None:
    """A file deleted after it was listed fails the run by name, and nothing changes."""

    def list_sources(config: Config, options: Options, narrator: Narrator) -> Listing:
        files = listed(config, options, narrator)
        (warehouse.log_data / "b.json").unlink()
        return files

    listed = pipeline_run.list_sources
    monkeypatch.setattr(pipeline_run, "list_sources", list_sources)
    monkeypatch.setattr(fast_path, "MIN_SIZE", direct_size)
    for name, text in zip(("a.json", "b.json"), GOOD["events"], strict=True):
        (warehouse.log_data / name).write_text(text)
    with pytest.raises(SourceError) as caught:
        warehouse.etl()
    assert str(caught.value) == f"{warehouse.log_data / 'b.json'}: {GONE}"
    assert not any(warehouse.contents().values())


def test_log_that_changes_while_it_is_read_waits(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that changes between both paths is left to the next run."""
    log = warehouse.log_data / "b.json"
    log.write_bytes(joined(*(play(itemInSession=number) for number in range(30)), "{broken"))
    (warehouse.log_data / "a.json").write_text(play(itemInSession=100))
    read_directly = fast_path.read

    def read(*words: Any) -> Any:
        taken = read_directly(*words)
        log.write_bytes(joined(*(play(itemInSession=number) for number in range(31))))
        return taken

    with monkeypatch.context() as patched:
        patched.setattr(fast_path, "MIN_SIZE", 0)
        patched.setattr(fast_path, "read", read)
        assert list(warehouse.etl().skipped) == [str(log)]
    assert loaded(warehouse, "events") == keys("events", 100)
    assert warehouse.failed_checks() == []
    assert warehouse.etl().run.counts.files == 1
    assert loaded(warehouse, "events") == sorted(keys("events", *range(31), 100))


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_skipped_file_no_record_is_loaded(warehouse: Sandbox, kind: Kind) -> None:
    """A skipped file leaves no record, however many were read before it broke, and later files are whole."""
    numbers = range(100, 5100)
    many = [play(itemInSession=n) if kind == "events" else song(song_id=f"SO{n}") for n in numbers]
    (folder(warehouse, kind) / "a.json.gz").write_bytes(gzip.compress(joined(*many))[:-200])
    (folder(warehouse, kind) / "b.json").write_bytes(joined(*GOOD[kind], "{broken"))
    summary = warehouse.etl(skip_bad_files=True)
    assert [Path(path).name for path in summary.skipped] == ["a.json.gz"]
    assert (summary.run.counts.read, summary.run.counts.rejected) == (len(GOOD[kind]) + 1, 1)
    assert loaded(warehouse, kind) == keys(kind, 1, 2)


# From the command line


def run(warehouse: Sandbox, *options: str) -> int:
    """Run `sparkify etl` on a warehouse; return its exit code."""
    folders = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    return main(["etl", "--allow-empty", *folders, "--warehouse", warehouse.url, *options])


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test in a folder without a dwh.cfg."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("kind", KINDS)
def test_missing_folder_fails_with_what_to_set(
    warehouse: Sandbox, kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing folder fails the run with its name and the setting to correct."""
    folder(warehouse, kind).rmdir()
    assert run(warehouse) == 1
    setting = {"events": "[S3] LOG_DATA or --log-data", "songs": "[S3] SONG_DATA or --song-data"}[kind]
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1:] == [
        f"sparkify: {folder(warehouse, kind)}: there is no such folder. Set {setting}."
    ]
    assert (printed.out, "Traceback" in printed.err) == ("", False)


@pytest.mark.usefixtures("elsewhere")
def test_too_many_rejected_records_fail_with_their_places(
    warehouse: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run with too many bad records fails with the places of the first ones."""
    (warehouse.log_data / "a.json").write_bytes(joined(play(), "42"))
    assert (run(warehouse, "--max-rejected", "49%"), run(warehouse, "--max-rejected", "0")) == (1, 1)
    assert capsys.readouterr().err.count(f"\n  {warehouse.log_data / 'a.json'}:2: not a JSON object\n") == 2
    assert run(warehouse, "--max-rejected", "50%") == 0


def test_run_that_could_read_no_file_leaves_no_trace(warehouse: Sandbox) -> None:
    """A run that skipped all new files adds no row to etl_runs."""
    (warehouse.log_data / "a.json.gz").write_bytes(PACKED[:-8])
    summary = warehouse.etl(skip_bad_files=True)
    assert (len(summary.skipped), summary.batches) == (1, 0)
    assert warehouse.query("select * from etl_runs") == []


@pytest.mark.usefixtures("elsewhere")
def test_hint_at_rejected_records_does_not_repeat_the_url(
    warehouse: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary asks to repeat --warehouse for `sparkify rejects`, without the URL, which may hold a password."""
    (warehouse.log_data / "a.json").write_text("42")
    assert run(warehouse) == 0
    assert capsys.readouterr().out.endswith("sparkify rejects, with the same --warehouse\n")


@pytest.mark.usefixtures("elsewhere")
def test_limit_of_all_records_allows_any(warehouse: Sandbox) -> None:
    """--max-rejected 100% allows a file without a single good record."""
    (warehouse.log_data / "a.json").write_text("42")
    assert run(warehouse, "--max-rejected", "100%") == 0
    assert warehouse.query("select record from rejected_records") == [("42",)]


@pytest.mark.usefixtures("elsewhere")
def test_skipped_file_is_reported_as_text_and_as_json(warehouse: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A skipped file is named on stderr and in the JSON."""
    bad = warehouse.log_data / "a.json.gz"
    bad.write_bytes(PACKED[:-8])
    assert run(warehouse, "--skip-bad-files", "--json") == 0
    printed = capsys.readouterr()
    message = f"{bad}: {CUT_SHORT}".replace(", or pass --skip-bad-files", "")
    assert f"Skipped: {message}\n" in printed.err
    assert json.loads(printed.out)["files"]["skipped"] == {str(bad): message}
    assert run(warehouse, "--skip-bad-files") == 0
    assert capsys.readouterr().out.startswith("Nothing loaded: 1 file skipped, 0 already in ")


# The limit


@pytest.mark.parametrize("limit", [Limit(2), Limit(0.5, is_share=True)])
def test_as_many_rejected_records_as_allowed_pass(warehouse: Sandbox, limit: Limit) -> None:
    """Two bad records of four do not exceed a limit of two, or of half."""
    (warehouse.log_data / "some.json").write_bytes(joined(*GOOD["events"], "42", "43"))
    assert warehouse.etl(max_rejected=limit).run.counts.rejected == 2


@pytest.mark.parametrize("size", [1, 1 << 30])
def test_share_of_rejected_records_is_that_of_the_whole_run(warehouse: Sandbox, size: int) -> None:
    """The share of bad records counts all that the run has read so far, whatever the batches."""
    (warehouse.log_data / "a.json").write_bytes(joined(*(play(sessionId=number) for number in range(9))))
    (warehouse.log_data / "b.json").write_text("42")
    assert warehouse.etl(batch_size=size, max_rejected=Limit(0.1, is_share=True)).run.counts.rejected == 1
    (warehouse.log_data / "c.json").write_bytes(joined(*(play(sessionId=number) for number in range(10, 18)), "42"))
    (warehouse.log_data / "d.json").write_text("43")
    with pytest.raises(SourceError, match="2 of 10 records were rejected"):
        warehouse.etl(batch_size=size, max_rejected=Limit(0.15, is_share=True))


@pytest.mark.parametrize("limit", [Limit(1), Limit(0.49, is_share=True)])
def test_more_rejected_records_than_allowed_fail_the_run(warehouse: Sandbox, limit: Limit) -> None:
    """A run with too many bad records changes nothing, and its message names them."""
    path = warehouse.log_data / "a.json"
    path.write_text(play())
    warehouse.etl()
    before = warehouse.contents()
    path = warehouse.log_data / "b.json"
    path.write_bytes(joined(GOOD["events"][0], play(ts="soon")))
    (warehouse.song_data / "c.json").write_bytes(joined(song(), "42"))
    with pytest.raises(SourceError) as caught:
        warehouse.etl(max_rejected=limit)
    assert str(caught.value) == (
        "2 of 4 records were rejected, more than --max-rejected or [ETL] MAX_REJECTED allows."
        " Correct them or raise the limit. Nothing of this batch was published."
        f"\n  {path}:2: ts: not a whole number\n  {warehouse.song_data / 'c.json'}:2: not a JSON object"
    )
    assert warehouse.contents() == before
