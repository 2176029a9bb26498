"""Which files a run lists, under whatever names, and into how many batches it cuts them."""

from __future__ import annotations

import gzip
import json

import pytest
from tests.promises.records import event, joined, keys, loaded, play
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.config import Limit


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
    assert warehouse.narration == [f"{name}: contains no .json, .jsonl or .ndjson file." for name in folders]


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


@pytest.mark.parametrize("fast_path_size", [0, 1 << 40])
def test_name_may_hold_any_character(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, odd_names: list[str], fast_path_size: int
) -> None:
    """Files and folders of any name are read once each, and the ledger and rejected records name them."""
    monkeypatch.setattr("sparkify.staging.fast_path.MIN_SIZE", fast_path_size)
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


def test_files_are_chosen_by_suffix_and_counted_otherwise(warehouse: Sandbox) -> None:
    """JSON files of any suffix are read, hidden names are left out, and files with another suffix are counted."""
    read = ["a.json", "B.JSON", "c.json.gz", "D.Json.GZ", "e/f_.json", "g.json/h.json"]
    read += ["a.jsonl", "b.NDJSON", "c.jsonl.gz", "d.ndjson.gz"]
    hidden = [".a.json", "_a.json", ".b/a.json", "_b/a.json", "e/_b/c/a.json", "e/.a.json.gz", "_SUCCESS", ".a.txt"]
    others = ["a.txt", "e/b.TXT", "a.json.bak", "json", "part-0000", "a.gz", "a.json~"]
    for number, name in enumerate([*read, *hidden, *others]):
        path = warehouse.log_data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = play(itemInSession=number).encode()
        path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    counted = {".txt": 2, ".bak": 1, "": 2, ".gz": 1, ".json~": 1}
    assert warehouse.etl().not_read == counted
    assert sorted(path for (path,) in warehouse.query("select path from etl_files")) == sorted(
        str(warehouse.log_data / name) for name in read
    )
    assert loaded(warehouse, "events") == sorted(keys("events", *range(len(read))))
    allowed = Limit(1, is_share=True)  # The logs are no songs.
    assert warehouse.etl(song_data=warehouse.log_data, max_rejected=allowed).not_read == counted


def test_files_that_are_not_read_are_one_line_of_the_summary(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary, the dry run and the JSON count the files that are not read, by suffix."""
    monkeypatch.chdir(warehouse.folder)
    for name in ("a.txt", "b.txt", "c.csv", "part-0000", "README", "d.a\x1bc"):
        (warehouse.log_data / name).touch()
    folders = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    command = ["etl", "--allow-empty", *folders, "--warehouse", warehouse.url]
    line = "Not read: 2 .txt, 2 without a suffix, 1 .a\\x1bc, 1 .csv\n"
    assert main([*command, "--dry-run", "--json"]) == 0
    printed = capsys.readouterr()
    assert (line in printed.err, json.loads(printed.out)) == (True, [])
    assert main(command) == 0
    assert capsys.readouterr().out.count(line) == 1
    assert main([*command, "--json"]) == 0
    counted = json.loads(capsys.readouterr().out)["files"]["not_read"]
    assert counted == {"": 2, ".txt": 2, ".a\x1bc": 1, ".csv": 1}
    for number in range(1000):
        (warehouse.log_data / f"a.json.{number}").touch()
    assert main(command) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Not read:")]
    assert (len(line) <= 80, line.endswith(" with other suffixes")) == (True, True)


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
    warehouse.etl(follow_links=True)
    listed = [path for (path,) in warehouse.query("select path from etl_files order by path")]
    assert listed == [str(warehouse.log_data / name) for name in ("a.json", "deep/b.json", "linked/c.json")]


def test_link_to_itself_is_skipped_like_any_unreadable_file(warehouse: Sandbox) -> None:
    """A link to itself is skipped like any other unreadable file."""
    bad = warehouse.log_data / "b.json"
    bad.symlink_to(bad)
    (warehouse.log_data / "a.json").write_text(play())
    assert list(warehouse.etl(skip_bad_files=True).skipped) == [str(bad)]
    assert loaded(warehouse, "events") == keys("events", 0)
