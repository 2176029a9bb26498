"""The strategies draw deliveries that have one answer."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from tests.promises import histories
from tests.promises.oracle import warehouse

drawn_slowly = settings(
    max_examples=100 if os.environ.get("CI") else 25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@drawn_slowly
@given(histories.rearrangements(conflict_free=True))
def test_order_and_repetition_change_nothing(both: tuple[histories.History, histories.History]) -> None:
    """The same records in other files, runs and orders, some of them repeated, give the same tables."""
    one, other = map(warehouse, both)
    assert one == other
    assert one["rejected"] == []


@drawn_slowly
@given(histories.histories())
def test_histories_have_one_answer(history: histories.History) -> None:
    """Histories contain no contradiction, and every fact has its dimensions."""
    tables = warehouse(history)
    assert {row[1] for table in ("songplays", "page_views") for row in tables[table]} == {
        row[0] for row in tables["time"]
    }
    assert {play[-1] for play in tables["songplays"]} == {track[:3] for track in tables["tracks"]}
    assert {play[2] for play in tables["songplays"]} <= {user[0] for user in tables["users"]}
    assert {play[4] for play in tables["songplays"]} <= {song[0] for song in tables["songs"]} | {None}
    assert {play[5] for play in tables["songplays"]} <= {artist[0] for artist in tables["artists"]} | {None}


@drawn_slowly
@given(histories.histories())
def test_folders_hold_the_last_version_of_every_file(
    tmp_path_factory: pytest.TempPathFactory, history: histories.History
) -> None:
    """After all runs the folders hold the last version of every file."""
    folders = {"events": tmp_path_factory.mktemp("log_data"), "songs": tmp_path_factory.mktemp("song_data")}
    for run in history:
        histories.lay_out(run, folders["events"], folders["songs"])
    last = {folders[file.kind] / file.path: file.content for run in history for file in run}
    there = {path for folder in folders.values() for path in folder.rglob("*") if path.is_file()}
    assert {path: path.read_bytes() for path in there} == last
