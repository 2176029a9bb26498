"""The synthetic song catalogue."""

from typing import Any, NamedTuple

from sparkify.sample_data.chance import Draw, pick, quantile, stream
from sparkify.sample_data.vocabulary import CREDITS, artist_name, city, identifiers, title

# Quantiles in seconds: 5 % of tracks are shorter than the second, 10 % than the third, …
DURATIONS = (
    20, 138, 163, 177, 189, 197, 205, 213, 220, 226, 233, 239, 246, 255, 264, 274, 289, 306, 339, 397, 900,
)  # fmt: skip

# Proportions of the public sample.
NEW_ARTIST = 0.64  # of songs are by a new artist (9,553 artists for 14,896 songs)
OTHER_CREDIT = 0.08  # of an artist's later songs are credited to a longer name (396 artist ids have several names)
SHARED_NAME = 0.006  # of artists have another artist's name (56 of 9,936 names have several ids)
YEAR_UNKNOWN = 0.32  # of songs have year 0
YEARS = (1955, 1990, 1998, 2004, 2009, 2013, 2016, 2019, 2021, 2023, 2025)  # deciles of the other songs
PLACE_UNKNOWN, COORDINATES_UNKNOWN = 0.45, 0.20  # of artists have neither place nor coordinates; only a place


class Credit(NamedTuple):
    """An artist as credited on a song."""

    artist_id: str
    name: str
    location: str
    latitude: float | None
    longitude: float | None


class Catalogue:
    """A generator of songs and artists; it keeps the names, titles and durations that the logs need."""

    def __init__(self, seed: int) -> None:
        self._draw = stream(seed, "catalogue")
        self._artist_ids = identifiers(seed, "AR")
        self._song_ids = identifiers(seed, "SO")
        self._artists: list[Credit] = []
        self.track_ids = identifiers(seed, "TRA")
        self.names: dict[str, None] = {}  # every credited name, in order
        self.songs: list[tuple[str, str, float]] = []  # title, credited name, duration in seconds

    def next_song(self) -> dict[str, Any]:
        """Return the record of a new song."""
        draw = self._draw
        credit, name, duration = self._next_credit(), title(draw), random_duration(draw)
        self.songs.append((name, credit.name, duration))
        return {
            "num_songs": 1,
            "artist_id": credit.artist_id,
            "artist_latitude": credit.latitude,
            "artist_longitude": credit.longitude,
            "artist_location": credit.location,
            "artist_name": credit.name,
            "song_id": next(self._song_ids),
            "title": name,
            "duration": duration,
            "year": 0 if draw() < YEAR_UNKNOWN else int(quantile(YEARS, draw())),
        }

    def _next_credit(self) -> Credit:
        draw, artists = self._draw, self._artists
        if not artists or draw() < NEW_ARTIST:
            shared = draw() < SHARED_NAME and bool(artists)
            name = pick(artists, draw()).name if shared else artist_name(draw, self.names)
            artists.append(Credit(next(self._artist_ids), name, *_place(draw)))
            return artists[-1]
        artist = pick(artists, draw())
        if draw() >= OTHER_CREDIT:
            return artist
        name = pick(CREDITS, draw()).format(one=artist.name, other=artist_name(draw, {}))
        self.names[name] = None
        return Credit(artist.artist_id, name, *_place(draw))


def random_duration(draw: Draw) -> float:
    """Return a random duration in seconds."""
    return int(quantile(DURATIONS, draw()) * 100_000) / 100_000


def _place(draw: Draw) -> tuple[str, float | None, float | None]:
    """Return the random location, latitude and longitude of an artist."""
    known = draw()
    if known < PLACE_UNKNOWN:
        return "", None, None
    location = city(draw)
    if known < PLACE_UNKNOWN + COORDINATES_UNKNOWN:
        return location, None, None
    return location, int(2_500_000 + draw() * 2_400_000) / 100_000, int(-12_400_000 + draw() * 5_700_000) / 100_000
