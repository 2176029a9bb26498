"""The oracle gives the counts that other programs report for the public sample."""

from pathlib import Path

import pytest
from tests.promises import oracle
from tests.promises.oracle import Row, warehouse
from tests.promises.oracle_files import Delivered, Kind
from tests.support.realdata import catalogue_records

Tables = dict[str, list[Row]]


@pytest.fixture(scope="module")
def real_logs(real: Path) -> list[Delivered]:
    """Return the 30 files of events."""
    return delivered_from(real / "log_data", "events")


@pytest.fixture(scope="module")
def with_some_songs(real: Path, real_logs: list[Delivered]) -> Tables:
    """Return the warehouse of the logs and the 71 songs."""
    return warehouse([[*real_logs, *delivered_from(real / "song_data", "songs")]])


@pytest.fixture(scope="module")
def whole_catalogue(real: Path) -> list[Delivered]:
    """Return the 14,896 files of songs."""
    return [Delivered("songs", name, content) for name, content in catalogue_records(real)]


@pytest.fixture(scope="module")
def with_every_song(real_logs: list[Delivered], whole_catalogue: list[Delivered]) -> Tables:
    """Return the warehouse of the logs and the whole catalogue."""
    return warehouse([[*real_logs, *whole_catalogue]])


def delivered_from(folder: Path, kind: Kind) -> list[Delivered]:
    """Return every file below a folder."""
    return [Delivered(kind, str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*.json")]


def counts(tables: Tables) -> dict[str, int]:
    """Return the counts that the README of the data reports."""
    plays = tables["songplays"]
    return {
        "songplays": len(plays),
        "with a song_id": sum(play[4] is not None for play in plays),
        "with an artist_id": sum(play[5] is not None for play in plays),
        "times of plays": len({play[1] for play in plays}),
        "paid": sum(user[4] == "paid" for user in tables["users"]),
        **{table: len(tables[table]) for table in ("page_views", "users", "songs", "artists", "time", "rejected")},
    }


SAME_FOR_ANY_CATALOGUE = {
    "songplays": 6_820,
    "times of plays": 6_813,
    "page_views": 1_236,
    "users": 97,
    "paid": 22,
    "time": 8_023,
    "rejected": 0,
}


def test_real_logs_with_71_songs_give_the_known_counts(with_some_songs: Tables) -> None:
    """The logs and 71 songs give the known counts."""
    matched = {"with a song_id": 1, "with an artist_id": 21, "songs": 71, "artists": 69}
    assert counts(with_some_songs) == SAME_FOR_ANY_CATALOGUE | matched


def test_real_logs_with_the_whole_catalogue_give_the_known_counts(with_every_song: Tables) -> None:
    """The logs and all 14,896 songs give the known counts."""
    matched = {"with a song_id": 327, "with an artist_id": 4_451, "songs": 14_896, "artists": 9_553}
    assert counts(with_every_song) == SAME_FOR_ANY_CATALOGUE | matched


def test_user_15_ends_paid(with_some_songs: Tables) -> None:
    """The user whose level changes from paid to free and back to paid in one day ends as paid."""
    assert [user[4] for user in with_some_songs["users"] if user[0] == "15"] == ["paid"]


def test_unknown_years_are_null(with_every_song: Tables) -> None:
    """The 4,762 songs with year 0 have no year."""
    assert sum(song[3] is None for song in with_every_song["songs"]) == 4_762


def test_duration_tells_recordings_apart(with_every_song: Tables) -> None:
    """For 14 plays, the catalogue holds only another recording of the same title."""
    assert plays_of_known_names(with_every_song) == 327 + 14


def test_text_repair_finds_8_more_songs(
    real_logs: list[Delivered], whole_catalogue: list[Delivered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the text repair, 319 plays match a song, or 333 if durations are ignored."""
    monkeypatch.setattr(oracle, "repair", str)
    tables = warehouse([[*real_logs, *whole_catalogue]])
    assert (counts(tables)["with a song_id"], plays_of_known_names(tables)) == (319, 333)


def plays_of_known_names(tables: Tables) -> int:
    """Return how many plays have the title and artist of a song, whatever its duration."""
    known = {(song[1], song[5]) for song in tables["songs"]}
    return sum(play[-1][:2] in known for play in tables["songplays"])
