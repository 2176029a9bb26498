"""Which files a run lists, under whatever names, and into how many batches it cuts them."""

from __future__ import annotations

import gzip
import os

import pytest
from tests.promises.records import event, joined, keys, loaded, play
from tests.support.sandbox import Sandbox

from sparkify.errors import SourceError


def test_many_tiny_files_are_several_batches(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch holds a limited number of files, however small they are."""
    monkeypatch.setattr("sparkify.sources.listing.MAX_BATCH_FILES", 2)
    for number in range(5):
        (warehouse.log_data / f"{number}.json").write_text(event(sessionId=number))
    summary = warehouse.etl()
    assert (summary.batches, summary.run.counts.files, summary.run.counts.page_views) == (3, 5, 5)


def test_one_folder_for_logs_and_songs(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file listed as a log and as songs is read as each, and its records are rejected as the wrong kind."""
    monkeypatch.setattr("sparkify.staging.fast_path.MIN_SIZE", 0)
    (warehouse.log_data / "a.json").write_text(event())
    counts = warehouse.etl(song_data=warehouse.log_data).run.counts
    assert (counts.page_views, counts.events_duplicate, counts.songs_rejected) == (1, 0, 1)


@pytest.mark.parametrize("size", [1, 1 << 30])
def test_file_of_both_kinds_is_in_the_ledger_as_each(warehouse: Sandbox, size: int) -> None:
    """A file listed as a log and as songs has a row of each kind in the ledger, whatever the batches."""
    (warehouse.log_data / "a.json").write_text(event())
    warehouse.etl(song_data=warehouse.log_data, batch_size=size)
    assert sorted(warehouse.query("select source, rejected from etl_files")) == [("events", 0), ("songs", 1)]
    assert warehouse.query("select source from rejected_records") == [("songs",)]
    assert warehouse.etl(song_data=warehouse.log_data, batch_size=size).run.counts.files == 0


def test_folder_without_json_is_reported(warehouse: Sandbox) -> None:
    """A run over folders without any .json file reports them, and succeeds."""
    (warehouse.log_data / "notes.txt").write_text(play())
    assert warehouse.etl().files_listed == 0
    folders = (warehouse.song_data, warehouse.log_data)
    assert warehouse.narration == [f"{name}: contains no .json or .json.gz file." for name in folders]


@pytest.fixture
def odd_names() -> list[str]:
    """Return names with characters that mean something to shells, globs, URLs or databases."""
    odd = [
        "a\n\r\t",
        "'\"",
        "a,\x1e\x1f\x01",
        "\\N",
        "é\U0001f600",
        " ",
        "a*b",
        "aXb",
        "a?b",
        "a[X]b",
        "[!a]",
        "**/c",
        "{a,b}",
        "it's",
        'say "hi"',
        " blank ",
        "Zoë",
        "Zoe\u0308",
    ]
    return [
        f"{name}.json" for name in [*odd, "🎵", "back\\slash", "100%", "a;b#c$d", "~", "--", "new\nline", "x.json/y"]
    ]


@pytest.mark.usefixtures("either_way")
def test_name_may_hold_any_character(warehouse: Sandbox, odd_names: list[str]) -> None:
    """Files and folders of any name are read once each, and the ledger and rejected records name them."""
    for number, name in enumerate(odd_names):
        for path in (warehouse.log_data / name, warehouse.log_data / f"{name} folder" / "some.json"):
            path.parent.mkdir(parents=True, exist_ok=True)
            content = joined(play(sessionId=number), play(sessionId=number, userId=len(str(path))))
            path.write_bytes(content if "folder" in str(path) else joined(content, "42"))
    counts = warehouse.etl().run.counts
    assert (counts.files, counts.events_read) == (2 * len(odd_names), 5 * len(odd_names))
    assert counts.events_duplicate == len(odd_names)
    ledger = {path for (path,) in warehouse.query("select path from etl_files")}
    assert ledger >= {str(warehouse.log_data / name) for name in odd_names}
    assert warehouse.etl().run.counts.files == 0
    rejected = {file for (file,) in warehouse.query("select file from rejected_records")}
    assert rejected == {str(warehouse.log_data / name) for name in odd_names}


def test_hidden_files_and_folders_are_skipped(warehouse: Sandbox) -> None:
    """Names that begin with a dot or an underscore, and names with another suffix, are skipped."""
    listed = ["a.json", "B.JSON", "c.json.gz", "D.Json.GZ", "e/f_.json", "g.json/h.json"]
    hidden = [".a.json", "_a.json", ".b/a.json", "_b/a.json", "e/_b/c/a.json", "e/.a.json.gz", "_SUCCESS"]
    for number, name in enumerate([*listed, *hidden, "a.jsonl", "a.txt", "a.json.bak", "json"]):
        path = warehouse.log_data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = play(itemInSession=number).encode()
        path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    warehouse.etl()
    assert sorted(path for (path,) in warehouse.query("select path from etl_files")) == sorted(
        str(warehouse.log_data / name) for name in listed
    )
    assert loaded(warehouse, "events") == keys("events", *range(len(listed)))


def test_folder_linked_into_itself_is_listed_once(warehouse: Sandbox) -> None:
    """A link to a parent folder lists no file twice, and a link to another folder lists its files."""
    (warehouse.log_data / "deep").mkdir()
    for number, name in enumerate(("a.json", "deep/b.json")):
        (warehouse.log_data / name).write_text(play(sessionId=number))
    (warehouse.log_data / "deep" / "above").symlink_to(warehouse.log_data)
    elsewhere = warehouse.log_data.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "c.json").write_text(play(sessionId=2))
    (warehouse.log_data / "linked").symlink_to(elsewhere)
    warehouse.etl()
    listed = [path for (path,) in warehouse.query("select path from etl_files order by path")]
    assert listed == [str(warehouse.log_data / name) for name in ("a.json", "deep/b.json", "linked/c.json")]


def test_link_to_itself_is_skipped_like_any_unreadable_file(warehouse: Sandbox) -> None:
    """A link to itself is skipped like any other unreadable file."""
    bad = warehouse.log_data / "b.json"
    bad.symlink_to(bad)
    (warehouse.log_data / "a.json").write_text(play())
    assert list(warehouse.etl(skip_bad_files=True).skipped) == [str(bad)]
    assert loaded(warehouse, "events") == keys("events", 0)


@pytest.mark.parametrize("name", [b"\xff.json", b"\xff/a.json"])
def test_name_that_is_not_utf8_fails_the_run(warehouse: Sandbox, name: bytes) -> None:
    """A name that is not UTF-8, which no database can store, fails the run with that name."""
    path = os.path.join(os.fsencode(warehouse.log_data), name)  # noqa: PTH118 - a Path holds no bytes
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    os.close(os.open(path, os.O_CREAT))
    odd = os.path.join(os.fsencode(warehouse.log_data), name.partition(b"/")[0])  # noqa: PTH118
    with pytest.raises(SourceError) as caught:
        warehouse.etl()
    assert str(caught.value) == f"{odd!r}: the name is not valid UTF-8. Rename the file or folder."
