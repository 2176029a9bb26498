"""The synthetic catalogue has the proportions of the real one."""

from __future__ import annotations

from collections import defaultdict

import pytest
from tests.sample_data.shape import Record, share

from sparkify.sample_data.catalogue import COORDINATES_UNKNOWN, NEW_ARTIST, PLACE_UNKNOWN, YEAR_UNKNOWN
from sparkify.staging.mojibake import repair


def test_the_catalogue_has_the_proportions_of_the_real_one(songs: list[Record]) -> None:
    """Unknown years, places and coordinates, and songs by artist, have the shares of the real catalogue."""
    assert share(sum(song["year"] == 0 for song in songs), songs) == pytest.approx(YEAR_UNKNOWN, rel=0.1)
    assert share(sum(song["artist_location"] == "" for song in songs), songs) == pytest.approx(PLACE_UNKNOWN, rel=0.1)
    without = sum(song["artist_latitude"] is None for song in songs)
    assert share(without, songs) == pytest.approx(PLACE_UNKNOWN + COORDINATES_UNKNOWN, rel=0.1)
    assert share(len({song["artist_id"] for song in songs}), songs) == pytest.approx(NEW_ARTIST, rel=0.1)


def test_latitude_and_longitude_come_together(songs: list[Record]) -> None:
    """Latitude and longitude are both known or both unknown."""
    assert all((song["artist_latitude"] is None) == (song["artist_longitude"] is None) for song in songs)


def test_song_ids_are_unique(songs: list[Record]) -> None:
    """A song occurs once in a clean catalogue."""
    assert len({song["song_id"] for song in songs}) == len(songs)


def test_some_artists_have_several_names_and_some_names_several_artists(songs: list[Record]) -> None:
    """Some artists have several names, and some names belong to several artists."""
    names, ids = defaultdict(set), defaultdict(set)
    for song in songs:
        names[song["artist_id"]].add(song["artist_name"])
        ids[song["artist_name"]].add(song["artist_id"])
    assert 0.01 < sum(len(several) > 1 for several in names.values()) / len(names) < 0.1
    assert 0 < sum(len(several) > 1 for several in ids.values()) / len(ids) < 0.03


def test_some_text_is_not_ascii_and_all_of_it_is_clean(songs: list[Record], plays: list[Record]) -> None:
    """Catalogue and logs contain accents and typographic marks, and nothing to repair."""
    for texts in (
        [song[key] for song in songs for key in ("title", "artist_name")],
        [play[key] for play in plays for key in ("song", "artist")],
    ):
        assert 0.01 < sum(not text.isascii() for text in texts) / len(texts) < 0.1
        assert set("é–—‘’“”") <= set("".join(texts))
        assert all(repair(text) == text for text in texts)
