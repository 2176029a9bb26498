"""Records with one key and different content: the one that loses is kept among the rejected records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.promises.records import SONG, event, loaded, play, song
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.cli.main import main

HARD = 'say "hi" \\ it\'s\n\U0001f600'


def rejected(warehouse: Sandbox) -> list[tuple[Any, ...]]:
    """Return the name of the file, the reason and the parsed record of each rejected record."""
    rows = warehouse.query("select file, line, reason, record from rejected_records")
    return sorted(
        ((file or "").rpartition("/")[2], line, reason, json.loads(record, strict=False))
        for file, line, reason, record in rows
    )


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("line", [play, event])
def test_event_that_loses_in_its_batch_is_rejected_with_its_file(
    make_warehouse: Warehouses, names: tuple[str, str], line: Any
) -> None:
    """Of two events with one key in one batch, the first in order is loaded; the other is kept with its file."""
    warehouse = make_warehouse()
    for name, level in zip(names, ("free", "paid"), strict=True):
        (warehouse.log_data / f"{name}.json").write_text(line(level=level, location=HARD))
    counts = warehouse.etl().run.counts
    assert (counts.events_read, counts.events_duplicate, counts.events_rejected) == (2, 0, 1)
    [(file, at, reason, record)] = rejected(warehouse)
    assert (file, at, reason) == (f"{names[1]}.json", None, "contradicts another event with the same key")
    given = json.loads(line(level="paid", location=HARD))
    assert record == {key: value for key, value in given.items() if value is not None}
    assert warehouse.failed_checks() == []


@pytest.mark.parametrize("line", [play, event])
def test_loaded_event_that_loses_is_rejected_without_a_file(
    warehouse: Sandbox, line: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """An event that a later run replaces is kept, and the balance of both runs is right."""
    (warehouse.log_data / "a.json").write_text(line(level="paid", location=HARD, status=200))
    warehouse.etl()
    (warehouse.log_data / "b.json").write_text(line(level="free", location=HARD, status=200))
    counts = warehouse.etl().run.counts
    assert (counts.songplays + counts.page_views, counts.events_rejected) == (1, 0)
    [(file, at, reason, record)] = rejected(warehouse)
    assert (file, at, reason) == ("", None, "contradicts another event with the same key")
    assert {key: record[key] for key in ("ts", "userId", "level", "location", "page")} == {
        key: json.loads(line(level="paid", location=HARD))[key] for key in ("ts", "userId", "level", "location", "page")
    }
    assert main(["rejects", "--warehouse", warehouse.url]) == 0
    assert "loaded before: contradicts another event with the same key\n    {" in capsys.readouterr().out
    assert warehouse.failed_checks() == []


def test_song_that_loses_is_rejected(make_warehouse: Warehouses) -> None:
    """Of two records of one song in two files, the later one is loaded and the other kept, in one run or in two."""
    old = {**SONG, "title": HARD, "artist_latitude": None}
    for size in (1, 1 << 30):
        warehouse = make_warehouse()
        (warehouse.song_data / "a.json").write_text(json.dumps(old) + "\n" + json.dumps(old))
        (warehouse.song_data / "b.json").write_text(song() + "\n" + song())
        counts = warehouse.etl(batch_size=size).run.counts
        assert loaded(warehouse, "songs") == ["SO0"]
        assert warehouse.query("select title from songs") == [("Intro",)]
        found = rejected(warehouse)
        kept = {key: value for key, value in old.items() if value is not None}
        if size > 1:
            assert found == [("a.json", None, "contradicts a later record of the same song", kept)] * 2
            assert (counts.songs, counts.songs_duplicate, counts.songs_rejected) == (1, 1, 2)
        else:
            del kept["num_songs"]  # The warehouse does not store it.
            assert found == [("", None, "contradicts a later record of the same song", kept)]
            assert (counts.songs, counts.songs_duplicate, counts.songs_rejected) == (2, 2, 0)
        assert warehouse.failed_checks() == []


@pytest.mark.parametrize("kind", ["events", "songs"])
def test_correction_of_a_file_is_not_a_contradiction(warehouse: Sandbox, kind: str) -> None:
    """A file in a new version replaces what it delivered before, and nothing is rejected."""
    path = (warehouse.log_data if kind == "events" else warehouse.song_data) / "a.json"
    first, second = (play(level="free"), play(level="paid")) if kind == "events" else (song(), song(year=2001))
    for content in (first, second):
        path.write_text(content)
        warehouse.etl()
    assert rejected(warehouse) == []
    assert warehouse.query("select count(*) from songplays where level = 'paid'") == [(int(kind == "events"),)]
