"""`sparkify status` and `sparkify rejects` show the state of a warehouse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.promises.deliveries import view, write
from tests.support.command_line import Sparkify, everything


def test_status_as_json_has_rows_files_and_runs(filled: Sparkify) -> None:
    """`status --json` has the rows of each table, loaded and pending files, and the last runs, newest first."""
    write(Path("data/log_data/9.json"), view(200))
    filled("etl")
    write(Path("data/log_data/10.json"), view(300))
    state = json.loads(filled("status", "--json").out)
    assert state["rows"] == {table: len(rows) for table, rows in everything().items()}
    assert (state["files_loaded"], state["files_pending"]) == (7, 1)
    assert state["bytes_pending"] == Path("data/log_data/10.json").stat().st_size
    assert [run["files"] for run in state["runs"]] == [1, 6]
    assert state["newest_event"].startswith("2018-11-01")


def test_status_shows_rows_files_and_newest_event(reading: Sparkify) -> None:
    """`status` shows the rows of each table, the files, and the newest event."""
    lines = [line.split() for line in reading("status").out.splitlines()]
    for table, rows in everything().items():
        assert [table, str(len(rows))] in lines
    assert ["files", "6", "loaded,", "0", "pending", "(0", "B)"] in lines
    assert any(line[:3] == ["newest", "event", "2018-11-01"] for line in lines)


def test_status_works_without_the_sources(filled: Sparkify) -> None:
    """`status` works without the source folders, and says that they are missing."""
    Path("data").rename("elsewhere")
    ended = filled("status")
    assert ended.code == 0
    assert "there is no such folder" in ended.err
    folders = ("--log-data", "elsewhere/log_data", "--song-data", "elsewhere/song_data")
    assert json.loads(filled("status", "--json", *folders).out)["not_listed"] == ""


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ([], [("1.json", "{broken"), ("2.json", "42")]),
        (["--file", "LOG_DATA/2"], [("2.json", "42")]),
        (["--reason", "Not Valid"], [("1.json", "{broken")]),
        (["--reason", "%"], []),
        (["--file", "1.json", "--reason", "object"], []),
    ],
)
def test_rejects_are_selected_by_words(reading: Sparkify, chosen: list[str], found: list[tuple[str, str]]) -> None:
    """--file and --reason select records whose path and reason contain the words, in any case."""
    rejects = json.loads(reading("rejects", *chosen, "--json").out)
    broken = [reject for reject in rejects if not reject["reason"].startswith("contradicts ")]
    assert [(Path(reject["file"]).name, reject["record"]) for reject in broken] == found
    assert all(set(reject) >= {"file", "line", "reason", "record"} for reject in rejects)


def test_rejects_are_shown_with_their_place(reading: Sparkify) -> None:
    """`rejects` shows file, line and reason as a compiler would, and the record."""
    ended = reading("rejects")
    log = Path("data/log_data/1.json").absolute()
    assert ended.out.splitlines()[:2] == [f"{log}:31: not valid JSON", "    {broken"]
    assert ended.err == "9 rejected records.\n"
