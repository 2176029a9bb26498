"""The ledger decides which files are loaded, and every record that a run reads is accounted for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import HEARD, LATE, play, song, view, write
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.cli.main import main
from sparkify.pipeline.ledger import Counts
from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse

MakeWarehouse = Callable[[], Sandbox]


def everything(warehouse: Sandbox) -> dict[str, list[tuple[Any, ...]]]:
    """Return every column of every row of every table, including the ledger and the history of runs."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return {table: sorted(engine.rows(f"select * from {table}"), key=repr) for table in model.ALL}


def level(warehouse: Sandbox, user: str = "1") -> str:
    """Return the level of a user."""
    [(found,)] = warehouse.query(f"select level from users where user_id = '{user}'")
    return str(found)


def load_both(warehouse: Sandbox) -> None:
    """Load both deliveries."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    deliveries.second(warehouse.log_data, warehouse.song_data)
    warehouse.etl()


@pytest.fixture
def loaded(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that holds both deliveries."""
    return make_warehouse.filled(load_both)


# Files without news


def test_second_run_changes_nothing(loaded: Sandbox) -> None:
    """A run without new files changes no table and adds no row to the ledger."""
    before = everything(loaded)
    summary = loaded.etl()
    assert everything(loaded) == before
    assert (summary.batches, summary.run.counts) == (0, Counts())


def test_kept_staging_shows_the_last_batch_and_does_not_disturb_later_runs(warehouse: Sandbox) -> None:
    """After --keep-staging the staging tables hold the last batch, and later runs work as usual."""
    words = ["etl", "--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data), "--keep-staging"]

    def run() -> list[tuple[str, int]]:
        assert main([*words, "--warehouse", warehouse.url]) == 0
        staged = warehouse.query("select path, read from staging_files order by file_id")
        broken = "select count(*) from staging_rejects where reason not like 'contradicts %'"
        assert warehouse.query(broken) == [(1,)]
        return [(Path(path).name, read) for path, read in staged]

    deliveries.first(warehouse.log_data, warehouse.song_data)
    first = [("heard.json", 1), ("1.json", 32), ("2.json", 30)]
    assert run() == first
    assert warehouse.query("select count(*) from staging_events") == [(61,)]
    assert run() == first
    deliveries.second(warehouse.log_data, warehouse.song_data)
    assert run() == [("late.json", 1), ("0.json", 30), ("2.json", 33), ("3.json", 35)]
    write(warehouse.log_data / "4.json", play(200))
    assert warehouse.etl().run.counts.songplays == 1
    assert warehouse.failed_checks() == []


def test_removed_file_changes_nothing(loaded: Sandbox) -> None:
    """Rows stay when their file is deleted."""
    before = everything(loaded)
    shutil.rmtree(loaded.song_data / "B")
    (loaded.log_data / "1.json").unlink()
    loaded.etl()
    assert everything(loaded) == before


def test_same_records_under_another_name_add_nothing_to_the_star(loaded: Sandbox) -> None:
    """A copy of a file is read and counted as duplicates, and changes no fact or dimension."""
    before = loaded.contents()
    shutil.copy(loaded.log_data / "2.json", loaded.log_data / "copy.json")
    shutil.copy(loaded.song_data / "A" / "heard.json", loaded.song_data / "copy.json")
    counts = loaded.etl().run.counts
    after = loaded.contents()
    assert {table: after[table] for table in (*model.FACTS, *model.DIMENSIONS)} == {
        table: before[table] for table in (*model.FACTS, *model.DIMENSIONS)
    }
    assert (counts.events_duplicate, counts.songplays, counts.page_views) == (32, 0, 0)
    assert (counts.songs_duplicate, counts.songs) == (1, 0)


@pytest.mark.parametrize(
    ("event", "column", "first", "second"),
    [
        *((play, name, "a", "b") for name in ("location", "userAgent", "song", "artist")),
        (play, "level", "free", "paid"),
        (play, "length", 1.5, 2.5),
        *((view, name, "a", "b") for name in ("location", "userAgent", "page", "auth", "method")),
        (view, "level", "free", "paid"),
        (view, "status", 200, 404),
        (view, "status", 200, None),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_contradiction_in_one_column_is_decided_by_its_value(
    warehouse: Sandbox, event: Callable[..., dict[str, Any]], column: str, first: Any, second: Any
) -> None:
    """Of a loaded and a later event that differ in one column, the first in order wins."""
    same = [play(7), view(8)]
    write(warehouse.log_data / "known.json", event(1, **{column: second}), *same)
    warehouse.etl()
    write(warehouse.log_data / "later.json", event(1, **{column: first}), *same)
    write(warehouse.log_data / "same.json", event(1, **{column: second}), *same)
    counts = warehouse.etl().run.counts
    assert (counts.events_duplicate, counts.events_rejected) == (counts.events_read - 2, 1)
    table = "songplays join tracks using (track_id)" if event is play else "page_views"
    named = {"userAgent": "user_agent", "song": "title", "artist": "artist_name", "length": "duration"}
    winner = f"select {named.get(column, column)} from {table} where session_id = 1 order by start_time"
    assert warehouse.query(winner)[0] == (first,)


# Changed files


def test_changed_file_replaces_its_records(warehouse: Sandbox) -> None:
    """The records of a new version replace those with the same keys, without duplicates."""
    write(warehouse.log_data / "1.json", play(1), play(2), view(3))
    warehouse.etl()
    write(warehouse.log_data / "1.json", play(1, location="Oslo"), play(2, **LATE), view(3, status=404), view(4))
    warehouse.etl()
    plays = "select p.item, location, title from (select *, right(songplay_id, 3) as item from songplays) as p join "
    assert sorted(warehouse.query(f"{plays} tracks using (track_id)"), key=repr) == [
        ("1-1", "Oslo", "Heard"),
        ("2-1", None, "Late"),
    ]
    assert warehouse.query("select status from page_views order by start_time") == [(404,), (None,)]
    assert warehouse.failed_checks() == []


def test_changed_file_leaves_no_track_without_plays(warehouse: Sandbox) -> None:
    """A track that only the old version of a file played is deleted."""
    write(warehouse.log_data / "1.json", play(1))
    warehouse.etl()
    write(warehouse.log_data / "1.json", play(1, **LATE))
    warehouse.etl()
    assert warehouse.query("select title from tracks") == [("Late",)]


@pytest.mark.parametrize(("old", "new"), [("free", "paid"), ("paid", "free")])
def test_changed_level_in_the_latest_event_reaches_the_user(warehouse: Sandbox, old: str, new: str) -> None:
    """A correction of a user's latest event corrects the user."""
    write(warehouse.log_data / "1.json", play(1, level="free"), play(2, level=old))
    warehouse.etl()
    write(warehouse.log_data / "1.json", play(1, level="free"), play(2, level=new))
    warehouse.etl()
    assert level(warehouse) == new


def test_file_that_goes_back_to_an_old_version_is_loaded_again(warehouse: Sandbox) -> None:
    """A file that returns to an earlier version is loaded again."""
    path = warehouse.log_data / "1.json"
    levels = "select (select level from songplays), (select level from page_views), (select level from users)"
    for version in ("free", "paid", "free"):
        write(path, play(1, level=version), view(2, level=version))
        warehouse.etl()
        assert warehouse.query(levels) == [(version, version, version)]


def test_file_is_in_the_ledger_once_in_its_last_version(loaded: Sandbox) -> None:
    """A file that was loaded twice has one row in the ledger, with its last version and counts."""
    path = loaded.log_data / "2.json"
    write(path, view(60), "41", "42")
    loaded.etl()
    rows = loaded.query("select version, size, read, rejected from etl_files where path like '%/2.json'")
    now = path.stat()
    assert rows == [(f"{now.st_size}-{now.st_mtime_ns}", now.st_size, 3, 2)]


def test_corrected_file_replaces_its_rejected_records(warehouse: Sandbox) -> None:
    """The rejected records of a file are those of its last version."""
    write(warehouse.log_data / "1.json", view(1), "{broken", "41")
    warehouse.etl()
    write(warehouse.log_data / "1.json", view(1), view(2), "41")
    warehouse.etl()
    assert warehouse.query("select line, record from rejected_records") == [(3, "41")]


# Late files


def test_late_song_finds_its_old_plays(warehouse: Sandbox) -> None:
    """A song that arrives after its plays is added to them and to their track."""
    write(warehouse.log_data / "1.json", play(1, **LATE), play(2, **LATE), play(3))
    warehouse.etl()
    write(warehouse.song_data / "late.json", song("SOLATE", LATE, "ARTARDY"))
    warehouse.etl()
    matched = "select song_id, artist_id from {} where song_id is not null or artist_id is not null"
    assert warehouse.query(matched.format("songplays")) == [("SOLATE", "ARTARDY")] * 2
    assert warehouse.query(matched.format("tracks")) == [("SOLATE", "ARTARDY")]


def test_late_artist_is_found_by_the_plays_of_other_songs(warehouse: Sandbox) -> None:
    """A play without a known song gets its artist once the catalogue credits that name."""
    write(warehouse.log_data / "1.json", play(1, song="Unknown", artist="Tardy"))
    warehouse.etl()
    write(warehouse.song_data / "late.json", song("SOLATE", LATE, "ARTARDY"))
    warehouse.etl()
    assert warehouse.query("select song_id, artist_id from songplays") == [(None, "ARTARDY")]


def test_song_that_is_renamed_loses_its_plays(warehouse: Sandbox) -> None:
    """A correction of the catalogue can remove a match as well as add one."""
    write(warehouse.log_data / "1.json", play(1), play(2, **LATE))
    write(warehouse.song_data / "1.json", song("SO1", HEARD, "AR1"))
    warehouse.etl()
    write(warehouse.song_data / "1.json", song("SO1", LATE, "AR1"))
    warehouse.etl()
    assert warehouse.query("select song_id from songplays order by start_time") == [(None,), ("SO1",)]
    assert warehouse.failed_checks() == []


def test_song_that_changes_its_artist_leaves_none_behind(warehouse: Sandbox) -> None:
    """An artist without songs is deleted, and an artist who still has songs stays."""
    write(warehouse.log_data / "1.json", play(1))
    write(warehouse.song_data / "1.json", song("SO1", HEARD, "AR1"))
    write(warehouse.song_data / "2.json", song("SO2", LATE, "AR2"))
    warehouse.etl()
    write(warehouse.song_data / "1.json", song("SO1", HEARD, "AR2"))
    warehouse.etl()
    assert warehouse.query("select artist_id from artists") == [("AR2",)]
    assert warehouse.query("select artist_id from songplays") == [("AR2",)]


def test_late_old_log_does_not_set_a_level_back(warehouse: Sandbox) -> None:
    """A user is as of the latest event, not of the latest file."""
    write(warehouse.log_data / "2.json", view(100, level="paid"))
    warehouse.etl()
    write(warehouse.log_data / "1.json", view(1, level="free", firstName="Old"))
    warehouse.etl()
    assert warehouse.query("select level, first_name from users") == [("paid", "User 1")]


@pytest.mark.parametrize("later_first", [True, False])
@pytest.mark.parametrize("make", [play, view])
def test_events_of_one_moment_are_ordered_by_their_item(
    warehouse: Sandbox, make: Callable[..., dict[str, Any]], later_first: bool
) -> None:
    """Of two events of a user in one millisecond, the one with the higher itemInSession gives the level."""
    delivered = [make(1, itemInSession=9, level="free"), make(1, itemInSession=10, level="paid")]
    for number, event in enumerate(reversed(delivered) if later_first else delivered):
        write(warehouse.log_data / f"{number}.json", event)
        warehouse.etl()
    assert level(warehouse) == "paid"


# The balance


def totals(warehouse: Sandbox) -> dict[str, Any]:
    """Return the sums over the files of the last run, by the names of the counts of a run."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        columns, [row] = engine.query(
            "select count(*) as files, sum(size) as bytes, sum(songplays) as songplays, sum(page_views) as page_views,"
            " sum(songs) as songs,"
            " sum(case when source = 'events' then read else 0 end) as events_read,"
            " sum(case when source = 'events' then duplicates else 0 end) as events_duplicate,"
            " sum(case when source = 'events' then rejected else 0 end) as events_rejected,"
            " sum(case when source = 'songs' then read else 0 end) as songs_read,"
            " sum(case when source = 'songs' then duplicates else 0 end) as songs_duplicate,"
            " sum(case when source = 'songs' then rejected else 0 end) as songs_rejected"
            " from etl_files where run_id = (select max(run_id) from etl_runs)"
        )
    return dict(zip(columns, row, strict=True))


def deliver_all_kinds(warehouse: Sandbox) -> None:
    """Deliver duplicates within a file, across files and of loaded records, rejected records, and an empty file."""
    write(warehouse.log_data / "1.json", view(1), view(1), play(2), "{", '{"page": "Home"}')
    write(warehouse.log_data / "2.json", view(1), play(3), *deliveries.listening(range(60, 70), "free"))
    write(warehouse.log_data / "empty.json")
    write(warehouse.song_data / "1.json", song("SO1", HEARD, "AR1"), song("SO1", LATE, "AR1"), '{"song_id": "SO2"}')
    write(warehouse.song_data / "2.json", song("SO1", LATE, "AR1"), song("SOHEARD", HEARD, "ARKNOWN"))


@pytest.mark.parametrize("batch_size", [1, 1 << 30])
def test_files_of_a_run_add_up_to_its_row_and_its_summary(loaded: Sandbox, batch_size: int) -> None:
    """The summary of a run, its row, and the sum of its files agree."""
    deliver_all_kinds(loaded)
    summary = loaded.etl(batch_size=batch_size)
    counts = asdict(summary.run.counts)
    [row] = loaded.query(f"select {', '.join(counts)} from etl_runs where run_id = '{summary.run.id}'")
    assert dict(zip(counts, row, strict=True)) == counts
    assert totals(loaded) == counts


def test_every_record_read_is_accounted_for(loaded: Sandbox) -> None:
    """Read = loaded + duplicates + rejected, for events and for songs."""
    deliver_all_kinds(loaded)
    counts = loaded.etl().run.counts
    assert (counts.events_read, counts.events_rejected) == (17, 2)
    assert (counts.songs_read, counts.songs_rejected) == (5, 2)  # One contradicts a later record of its song.
    assert counts.events_read == sum(
        (counts.songplays, counts.page_views, counts.events_duplicate, counts.events_rejected)
    )
    assert counts.songs_read == sum((counts.songs, counts.songs_duplicate, counts.songs_rejected))
    assert (counts.files, counts.bytes) == (5, sum_of_sizes(loaded))
    assert loaded.failed_checks() == []


def sum_of_sizes(warehouse: Sandbox) -> int:
    """Return the bytes of the files of `deliver_all_kinds`."""
    logs = [warehouse.log_data / name for name in ("1.json", "2.json", "empty.json")]
    songs = [warehouse.song_data / name for name in ("1.json", "2.json")]
    return sum(path.stat().st_size for path in (*logs, *songs))


def test_rejected_records_are_as_many_as_were_counted(loaded: Sandbox) -> None:
    """A run adds as many rows to rejected_records as it counts rejected records."""
    deliver_all_kinds(loaded)
    summary = loaded.etl()
    counted = {"events": summary.run.counts.events_rejected, "songs": summary.run.counts.songs_rejected}
    kept = loaded.query(
        f"select source, count(*) from rejected_records where run_id = '{summary.run.id}' group by source"
    )
    assert dict(kept) == counted
