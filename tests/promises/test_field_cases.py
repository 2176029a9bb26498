"""Faults found in public bug reports and public files: each test is named after one, and states the right result."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from tests.promises.records import GOOD, folder, joined, play, song
from tests.support.permissions import obeying_permissions
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.sources.listing import Kind

on_duckdb = pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
"""For a fault that all engines shared, since it was in reading files or in what is printed."""

KINDS: tuple[Kind, Kind] = ("events", "songs")


class Ended(NamedTuple):
    """How `sparkify etl` ended."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> Any:
        """The JSON on stdout."""
        return json.loads(self.out)


Etl = Callable[..., Ended]


@pytest.fixture
def etl(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Etl:
    """Return a function that runs `sparkify etl` on the warehouse."""
    monkeypatch.chdir(warehouse.folder)  # without a dwh.cfg

    def run(*options: str) -> Ended:
        folders = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
        code = main(["etl", "--allow-empty", *folders, "--warehouse", warehouse.url, *options])
        return Ended(code, *capsys.readouterr())

    return run


def quarantine(warehouse: Sandbox) -> list[tuple[str, int, str]]:
    """Return file, line and reason of each rejected record."""
    rejected = warehouse.query("select file, line, reason from rejected_records order by file, line")
    return [(file.rpartition("/")[2], line, reason) for file, line, reason in rejected]


def deliver(warehouse: Sandbox, kind: Kind, name: str, content: bytes) -> None:
    """Write a file into a source folder."""
    (folder(warehouse, kind) / name).write_bytes(content)


# Reading


def as_array(records: list[str]) -> bytes:
    """Return records as an array whose brackets share lines with braces."""
    return ("[" + ",\n".join(records) + "]\n").encode()


def test_array_bracket_brace(warehouse: Sandbox, etl: Etl) -> None:
    """An array over lines such as `[{…},` and `{…}]` means its elements: five plays and three songs."""
    plays = [play(itemInSession=number) for number in range(5)]
    songs = [json.dumps(json.loads(song(song_id=f"SO{number}")), indent=2) for number in range(3)]
    deliver(warehouse, "events", "a.json", as_array(plays))
    deliver(warehouse, "songs", "s.json", as_array(songs))
    summary = etl("--json").summary
    assert summary["events"] == {"read": 5, "songplays": 5, "page_views": 0, "duplicates": 0, "rejected": 0}
    assert summary["songs"] == {"read": 3, "added_or_changed": 3, "duplicates": 0, "rejected": 0}


@on_duckdb
def test_concat_bom(warehouse: Sandbox, etl: Etl) -> None:
    """A byte order mark before a record is not content: three concatenated Windows files give three plays."""
    files = ["\ufeff" + play(itemInSession=number) + "\r\n" for number in range(3)]
    deliver(warehouse, "events", "a.json", "".join(files).encode())
    events = etl("--json").summary["events"]
    assert (events["songplays"], events["rejected"]) == (3, 0)


@on_duckdb
def test_gz_named_json(warehouse: Sandbox, etl: Etl) -> None:
    """Gzip under a .json name is read as gzip: 505 plays of a large and a small file."""
    for name, session, number in (("a.json", 1, 500), ("b.json", 2, 5)):
        plays = (play(sessionId=session, itemInSession=item) for item in range(number))
        deliver(warehouse, "events", name, gzip.compress(joined(*plays)))
    events = etl("--json").summary["events"]
    assert (events["songplays"], events["rejected"]) == (505, 0)


@on_duckdb
def test_other_suffixes(warehouse: Sandbox, etl: Etl) -> None:
    """JSON Lines are read under their usual names, and files with other suffixes are counted by suffix."""
    read = ["a.jsonl", "b.ndjson", "c.JSON", "d.Json.Gz"]
    not_read = ["e.json.bz2", "f.json.zst", "g.log", "h.json.gzip", "i.gz", "j.json.txt", "k.txt", "part-00000"]
    for number, name in enumerate([*read, *not_read]):
        content = play(itemInSession=number).encode()
        deliver(warehouse, "events", name, gzip.compress(content) if name.lower().endswith(".gz") else content)
    counted = dict.fromkeys((".bz2", ".zst", ".log", ".gzip", ".gz", ""), 1) | {".txt": 2}
    assert "Not read: 2 .txt, " in etl("--dry-run").err
    summary = etl("--json").summary
    assert summary["events"]["songplays"] == len(read)
    assert summary["files"]["not_read"] == counted


@on_duckdb
def test_utf16(warehouse: Sandbox, etl: Etl) -> None:
    """A UTF-16 file is one bad file with one message: save it as UTF-8."""
    for kind in KINDS:
        deliver(warehouse, kind, f"{kind}.json", joined(*GOOD[kind]).decode().encode("utf-16"))
    ended = etl()
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].endswith("is UTF-16, not UTF-8. Save it as UTF-8, or pass --skip-bad-files.")
    summary = etl("--json", "--skip-bad-files").summary
    assert [name.rpartition("/")[2] for name in summary["files"]["skipped"]] == ["songs.json", "events.json"]
    assert quarantine(warehouse) == []


@on_duckdb
def test_pretty_long_list(warehouse: Sandbox, etl: Etl) -> None:
    """A pretty-printed song with a long list under an unknown key is one song, in time linear in its size."""
    record = json.loads(song()) | {"waveform": [37 * number for number in range(100_000)]}
    deliver(warehouse, "songs", "s.json", json.dumps(record, indent=2).encode())
    summary = etl("--json").summary
    assert summary["songs"] == {"read": 1, "added_or_changed": 1, "duplicates": 0, "rejected": 0}
    assert list(summary["unknown_keys"]["songs"]) == ["waveform"]


@on_duckdb
def test_slow_open_brace_text(warehouse: Sandbox, etl: Etl) -> None:
    """A brace and a megabyte of text are one rejected record, in time linear in its size."""
    deliver(warehouse, "events", "a.json", b"{\n" + b"some text without brackets\n" * 40_000)
    events = etl("--json").summary["events"]
    assert (events["read"], events["rejected"]) == (1, 1)
    assert quarantine(warehouse) == [("a.json", 1, "not valid JSON")]


# Listing


@on_duckdb
def test_lost_found(warehouse: Sandbox) -> None:
    """A folder without read permission is named, and --skip-bad-files loads the rest: one play and one song."""
    deliver(warehouse, "events", "a.json", play().encode())
    deliver(warehouse, "songs", "s.json", song().encode())
    closed = warehouse.log_data / "lost+found"
    closed.mkdir(mode=0)
    folders = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    options = ["--allow-empty", "--json", *folders, "--warehouse", warehouse.url]
    command = [*obeying_permissions(), sys.executable, "-m", "sparkify", "etl", *options]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert f"sparkify: {closed}: the folder is unreadable" in failed.stderr
    passed = subprocess.run([*command, "--skip-bad-files"], capture_output=True, text=True, check=True)
    summary = json.loads(passed.stdout)
    assert list(summary["files"]["skipped"]) == [str(closed)]
    assert (summary["events"]["songplays"], summary["songs"]["added_or_changed"]) == (1, 1)


@on_duckdb
def test_nonutf8_name_not_json(warehouse: Sandbox, etl: Etl) -> None:
    """A text file with a Latin-1 name beside the logs does not matter."""
    deliver(warehouse, "events", "a.json", joined(*GOOD["events"]))
    name = os.fsencode(warehouse.log_data) + "/notes-été.txt".encode("latin-1")
    os.close(os.open(name, os.O_CREAT))
    ended = etl("--json")
    assert (ended.code, ended.summary["events"]["songplays"]) == (0, len(GOOD["events"]))
    assert ended.summary["files"]["skipped"] == {}


# Judging


def test_level_blocks_later_days(warehouse: Sandbox, etl: Etl) -> None:
    """An event with an unknown level is rejected with file and line, and all days are loaded, also later ones."""
    for day in range(3):
        plays = [play(ts=1541030400000 + 86_400_000 * day, itemInSession=number) for number in range(3)]
        unknown = [play(ts=1541120000000, userId="9", level="trial")] if day == 1 else []
        deliver(warehouse, "events", f"2018-11-0{day + 1}.json", joined(*plays, *unknown))
    ended = etl("--json")
    assert (ended.code, ended.summary["events"]["songplays"]) == (0, 9)
    [(file, line, reason)] = quarantine(warehouse)
    assert (file, line, reason.partition(":")[0]) == ("2018-11-02.json", 4, "level")
    deliver(warehouse, "events", "2018-11-04.json", play(ts=1541300000000).encode())
    assert etl("--json").summary["events"]["songplays"] == 1


def test_userid_float_twice(warehouse: Sandbox, etl: Etl) -> None:
    """7, "7" and 7.0 are one user: an export by pandas delivers duplicates of the same plays."""
    for name, user in (("a.json", '"7"'), ("pandas.json", "7.0"), ("numbers.json", "7")):
        plays = (play(itemInSession=number, userId="?").replace('"?"', user) for number in range(5))
        deliver(warehouse, "events", name, joined(*plays))
    events = etl("--json").summary["events"]
    assert events == {"read": 15, "songplays": 5, "page_views": 0, "duplicates": 10, "rejected": 0}
    assert warehouse.query("select user_id from users") == [("7",)]


def test_ts_seconds_mixed(warehouse: Sandbox, etl: Etl) -> None:
    """Events whose time is in seconds are rejected with that guess, and the report does not begin in 1970."""
    plays = [play(ts=1541100000000 + number, itemInSession=number) for number in range(60)]
    wrong = [play(ts=1541100000 + number, itemInSession=number) for number in range(20)]
    deliver(warehouse, "events", "a.json", joined(*plays, *wrong))
    events = etl("--json").summary["events"]
    assert (events["songplays"], events["rejected"]) == (60, 20)
    assert {reason for _, _, reason in quarantine(warehouse)} == {"ts: before 2000; is it in seconds?"}
    assert warehouse.query("select min(year) from time") == [(2018,)]


def test_contradiction(warehouse: Sandbox, etl: Etl) -> None:
    """Of two events with one key, one is a fact and the other is kept with its text: four read, two facts, two kept."""
    deliver(warehouse, "events", "a.json", joined(play(song="First"), play(song="Second")))
    deliver(warehouse, "events", "b.json", joined(*(play(page=page, userId=None) for page in ("Home", "Login"))))
    events = etl("--json").summary["events"]
    assert events == {"read": 4, "songplays": 1, "page_views": 1, "duplicates": 0, "rejected": 2}
    texts = [json.loads(text) for (text,) in warehouse.query("select record from rejected_records")]
    standing = {*warehouse.query("select title from tracks"), *warehouse.query("select page from page_views")}
    assert standing == {("First",), ("Home",)}
    assert {text["song" if text["page"] == "NextSong" else "page"] for text in texts} == {"Second", "Login"}


def test_implausible_song(warehouse: Sandbox, etl: Etl) -> None:
    """Coordinates and years that cannot be become null with a count in the summary, and the song is loaded."""
    songs = (
        song(artist_latitude=999, artist_longitude=-400.5, year=-1),
        song(song_id="SO1", year=20180, artist_latitude=1e16),
        song(song_id="SO4", year=10**20, artist_longitude="-1e400"),
        song(song_id="SO2", year="2004-05-01"),
        song(song_id="SO3", artist_latitude="35,1"),
    )
    deliver(warehouse, "songs", "s.json", joined(*songs))
    ended = etl("--json")
    assert ended.summary["songs"] == {"read": 5, "added_or_changed": 3, "duplicates": 0, "rejected": 2}
    assert sum(ended.summary["implausible"].values()) == 7
    assert sorted(warehouse.query("select song_id, year from songs")) == [("SO0", None), ("SO1", None), ("SO4", None)]
    assert [reason for _, _, reason in quarantine(warehouse)] == [
        "year: not a whole number",
        "artist_latitude: not a number",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_lfs_pointers(warehouse: Sandbox, etl: Etl, kind: Kind) -> None:
    """A source of nothing but Git LFS pointers is named as such, and from ten rejected records on it fails the run."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 7165\n"
    deliver(warehouse, kind, "1.json", pointer)
    few = etl()
    assert few.code == 0
    assert "3 of 3" in few.err
    assert "Git LFS pointers" in few.err
    for number in (2, 3, 4, 5):
        deliver(warehouse, kind, f"{number}.json", pointer)
    many = etl()
    assert (many.code, many.out) == (1, "")
    assert "Git LFS pointers" in many.err
    assert len(quarantine(warehouse)) == 3


@on_duckdb
def test_pandas_columns(warehouse: Sandbox, etl: Etl) -> None:
    """A table that pandas wrote by columns is one rejected record, and the reason is the type of its first field."""
    record = {key: {str(row): value or "–" * 40 for row in range(3)} for key, value in json.loads(play()).items()}
    deliver(warehouse, "events", "a.json", json.dumps({"artist": record.pop("artist"), **record}).encode())
    assert etl("--json").summary["events"]["rejected"] == 1
    assert quarantine(warehouse) == [("a.json", 1, "artist: neither text nor a number")]


@on_duckdb
def test_weird_keys(warehouse: Sandbox, etl: Etl) -> None:
    """Line ends and terminal codes in an unknown key are shown as escapes: each key has one line."""
    keys = {"a.b": 1, "it's": 2, "nl\nkey": 3, "\x1b[31m": 4, "ключ": 5}
    deliver(warehouse, "events", "a.json", play(**keys).encode())
    ended = etl()
    shown = ended.out.partition("Ignored unknown keys in events:\n")[2].splitlines()
    assert {line.partition(":")[0].strip() for line in shown[: len(keys)]} == {
        *("a.b", "it's", "nl\\nkey", "\\x1b[31m", "ключ")
    }
    assert "\x1b" not in ended.out + ended.err


@on_duckdb
def test_weird_names(warehouse: Sandbox, etl: Etl, capsys: pytest.CaptureFixture[str]) -> None:
    """Line ends in the name of a file are shown as escapes, wherever the name is shown."""
    for name in ("a\nfaked.json", "b.x\nfaked", "c\nfaked.json.gz"):
        deliver(warehouse, "events", name, b"42")
    endings = [etl("--dry-run"), etl(), etl("--skip-bad-files")]
    assert [ended.code for ended in endings] == [0, 1, 0]
    assert main(["rejects", "--warehouse", warehouse.url]) == 0
    shown = "".join(ended.out + ended.err for ended in endings) + capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("faked")] == []
    assert shown.count("\\nfaked") == 8
