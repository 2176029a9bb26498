"""Records with one key: which of them wins does not depend on the order of files, batches and runs."""

from __future__ import annotations

import os

import pytest
from tests.promises.records import event
from tests.support.sandbox import Sandbox, Warehouses


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_corrected_file_keeps_its_place_in_the_order_of_files(
    make_warehouse: Warehouses, size: int, names: tuple[str, str]
) -> None:
    """Batches do not decide between a corrected file and a new file that contradict each other."""
    corrected, new = names
    levels = {("a", "b"): "free", ("b", "a"): "paid"}
    warehouse = make_warehouse()
    (warehouse.log_data / f"{corrected}.json").write_text(event(location="z"))
    warehouse.etl()
    (warehouse.log_data / f"{corrected}.json").write_text(event(location="zz", level="paid"))
    (warehouse.log_data / f"{new}.json").write_text(event(location="a"))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select level from page_views") == [(levels[names],)]
    assert warehouse.query("select level from users") == [(levels[names],)]


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_no_number_equals_a_missing_status(make_warehouse: Warehouses, size: int, names: tuple[str, str]) -> None:
    """Of two events with one key, the one with a status comes before the one without, whatever the status."""
    warehouse = make_warehouse()
    for name, status in zip(names, (-1, None), strict=True):
        (warehouse.log_data / f"{name}.json").write_text(event(status=status))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select status from page_views") == [(-1,)]


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_song_of_a_page_view_decides_nothing(make_warehouse: Warehouses, size: int, names: tuple[str, str]) -> None:
    """The song of a page view, which the warehouse does not store, does not decide between two page views."""
    warehouse = make_warehouse()
    for name, values in zip(names, ({"auth": "B", "song": "x"}, {"auth": "A"}), strict=True):
        (warehouse.log_data / f"{name}.json").write_text(event(**values))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select auth from page_views") == [("A",)]


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.parametrize("was_there", [True, False])
def test_corrected_file_replaces_only_its_own_event_in_a_tie(
    make_warehouse: Warehouses, size: int, *, was_there: bool
) -> None:
    """Where two sessions tie for a user's latest event, a redelivered file corrects only its own event."""
    warehouse = make_warehouse()
    free, paid = event(sessionId=2, level="free"), event(sessionId=1, level="paid")
    new, again = warehouse.log_data / "a.json", warehouse.log_data / "b.json"
    if was_there:
        again.write_text(paid)
    else:
        new.write_text(free)
        again.write_text(event(ts=1541105830000))
    warehouse.etl()
    new.write_text(free)
    again.write_text(paid + event(ts=1541105830000))
    warehouse.etl(batch_size=size)
    assert warehouse.query("select level from users") == [("free",)]


def test_zero_has_no_sign(make_warehouse: Warehouses) -> None:
    """0 and -0 are the same number, whichever came first."""
    for first, second in (("-0.0", "0"), ("0", '"-0"')):
        warehouse = make_warehouse()
        for name, length in (("a", first), ("b", second)):
            line = event(page="NextSong", song="s", artist="a", length=7)
            (warehouse.log_data / f"{name}.json").write_text(line.replace(": 7", f": {length}"))
            warehouse.etl()
        assert [str(length) for (length,) in warehouse.query("select duration from tracks")] == ["0.0"]


def test_touching_a_file_changes_no_user(warehouse: Sandbox) -> None:
    """Loading an unchanged file again changes no user, even if events of two sessions tie."""
    (warehouse.log_data / "a.json").write_text(event(level="paid"))
    (warehouse.log_data / "b.json").write_text(event(level="free", sessionId=2))
    warehouse.etl()
    before = warehouse.contents()
    os.utime(warehouse.log_data / "a.json", ns=(1, 1))
    assert warehouse.etl().run.counts.files == 1
    assert warehouse.contents() == before


def test_file_that_was_loaded_as_songs_is_new_as_a_log(warehouse: Sandbox) -> None:
    """A file that was loaded as songs corrects no event when it is first loaded as a log."""
    (warehouse.song_data / "b.json").write_text(event(level="paid"))
    (warehouse.log_data / "a.json").write_text(event(level="free"))
    warehouse.etl()
    os.utime(warehouse.song_data / "b.json", ns=(1, 1))  # It is delivered again as songs, in the same batch.
    warehouse.etl(log_data=warehouse.song_data)
    assert warehouse.query("select level from page_views") == [("free",)]


def test_titles_and_names_do_not_run_together(warehouse: Sandbox) -> None:
    """Two tracks whose title and artist concatenate to the same text are two tracks."""
    pairs = [("a\x1fb", "c"), ("a", "b\x1fc"), ("1:a", "b"), ("1", ":ab"), ("q", "x2:bb"), ("q5:x", "bb")]
    for item, (song, artist) in enumerate(pairs):
        line = event(page="NextSong", song=song, artist=artist, length=1.5, itemInSession=item)
        (warehouse.log_data / f"{item}.json").write_text(line)
    warehouse.etl()
    assert warehouse.query("select count(*), count(distinct track_id) from tracks") == [(6, 6)]
