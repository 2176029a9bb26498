"""Synthetic data: a song catalogue and the app's event logs, in the shape and the proportions of the real ones.

The same arguments give the same bytes, on any machine and any Python from 3.11 on: every number comes from
`random.Random(text).random()`, integer arithmetic, and the four operations on floats that IEEE 754 fixes to the bit.

Every proportion stands in a constant below. Where a comment says "sample", it was measured on a public sample of the
app's logs (8,056 events of 97 users in 30 days) or of its catalogue (14,896 songs).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, chain, islice
from pathlib import Path

from sparkify.errors import ConfigError, SourceError
from sparkify.sample_data.catalogue import NEW_ARTIST, Catalogue, _duration
from sparkify.sample_data.chance import bounds, pick, stream
from sparkify.sample_data.dirty import Dirt
from sparkify.sample_data.listeners import FIRST_DAY, App, Track, sign_up
from sparkify.sample_data.vocabulary import artist_name, title

# What they hear.
IN_CATALOGUE = 0.05  # of plays: title, artist and duration are those of a catalogue song (327 of 6,820)
ARTIST_IN_CATALOGUE = 0.60  # of plays: only the artist is known (4,124 of 6,820); of the other plays, nothing is
TRACKS_NOT_IN_CATALOGUE = 20_000  # how many others there are to hear
HEAD = 20  # a track's popularity is 1 / (rank + HEAD): the most played one gets about 0.5 % of plays, as in the sample
OTHER_RECORDING = 0.01  # of the artist-only tracks: a catalogue song's title and artist, with another duration

_MOST_IN_MEMORY = 5_000_000  # users, and songs


@dataclass(frozen=True)
class Generated:
    """What was written."""

    songs: int  # in the catalogue
    events: int  # in the logs; like the songs, without the repetitions and bad records that dirt adds
    files: int
    bad_records: int
    log_data: Path
    song_data: Path


def generate(
    out: Path, *, users: int = 100, days: int = 30, songs: int = 200, seed: int = 1, dirty: float = 0.0
) -> Generated:
    """Write `out/song_data/A/B/C/TR….json` and `out/log_data/YYYY/MM/YYYY-MM-DD-events.json`.

    Expect about users × days × 2.8 events (8,056 / 97 / 30 in the sample): 12,000 users give a million in 30 days.
    The first day is always 2026-01-01, so that the same arguments give the same bytes tomorrow; more days go on
    where fewer stopped. A day without events has no file.

    Users and songs are kept in memory, less than a kilobyte each. Raise ConfigError for more than five million.

    `dirty` is the share of records that something odd happens to: see `sparkify.dirt`, and `out/dirt.json`, where
    it is written down. The good records stay those of the clean data with the same seed.
    """
    _refuse_nonsense(dirty, users=users, days=days, songs=songs)
    log_data, song_data = out / "log_data", out / "song_data"
    try:
        for folder in (log_data, song_data):
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise SourceError(f"{folder} is not empty. Name another folder, or empty it first.")
        with ExitStack() as stack:
            dirt = stack.enter_context(Dirt(out, seed, dirty)) if dirty else None
            catalogue = Catalogue(seed)
            files = _write_songs(song_data, catalogue, songs, dirt.write_song if dirt else _write_song)
            app = App(seed, sign_up(seed, users), *_repertoire(seed, catalogue))
            day_files, events = _write_days(log_data, app, days, dirt.write_day if dirt else _write_day)
    except OSError as error:
        place = error.filename or out
        raise SourceError(f"{place} cannot be written: {error.strerror}. Name another folder.") from error
    return Generated(songs, events, files + day_files, dirt.rejected if dirt else 0, log_data, song_data)


def _refuse_nonsense(dirty: float, **counts: int) -> None:
    for name, number in counts.items():
        if number < 0:
            raise ConfigError(f"--{name} {number}: there cannot be less than nothing. Give 0 or more.")
    most = (date.max - FIRST_DAY.date()).days + 1
    for name in ("users", "songs"):
        if counts[name] > _MOST_IN_MEMORY:
            raise ConfigError(f"--{name} {counts[name]}: each is kept in memory. Give at most {_MOST_IN_MEMORY}.")
    if counts["days"] > most:
        raise ConfigError(f"--days {counts['days']}: the calendar ends with the year 9999. Give at most {most}.")
    if not 0 <= dirty <= 1:
        raise ConfigError(f"--dirty {dirty}: not a share of the records. Give a number from 0 to 1.")


def _write_songs(folder: Path, catalogue: Catalogue, count: int, write: Callable[[Path, str], int]) -> int:
    """Write each song to a file of its own; return how many files there are."""
    files = 0
    folders: dict[str, Path] = {}
    for track_id in islice(catalogue.track_ids, count):
        letters = track_id[2:5]
        if letters not in folders:
            folders[letters] = folder.joinpath(*letters)
            folders[letters].mkdir(parents=True)
        files += write(folders[letters] / f"{track_id}.json", json.dumps(catalogue.next_song()))
    return files


def _write_song(path: Path, song: str) -> int:
    """Write one song; return how many files that took."""
    path.write_bytes(song.encode())
    return 1


def _repertoire(seed: int, catalogue: Catalogue) -> tuple[list[Track], list[float]]:
    """Return all that can be heard, and the bounds in which to find a track by its popularity."""
    draw = stream(seed, "repertoire")
    known, taken = list(catalogue.names), dict(catalogue.names)
    artist_only = int(TRACKS_NOT_IN_CATALOGUE * ARTIST_IN_CATALOGUE / (1 - IN_CATALOGUE)) if known else 0
    songs, strangers = list(catalogue.songs), [artist_name(draw, taken)]
    for number in range(TRACKS_NOT_IN_CATALOGUE):
        name = title(draw)
        if number >= artist_only:
            if draw() < NEW_ARTIST:
                strangers.append(artist_name(draw, taken))
            artist = pick(strangers, draw())
        elif draw() < OTHER_RECORDING:
            name, artist, _ = pick(catalogue.songs, draw())
        else:
            artist = pick(known, draw())
        songs.append((name, artist, _duration(draw)))
    popularity = [
        *_popularity(len(catalogue.songs), IN_CATALOGUE),
        *_popularity(artist_only, ARTIST_IN_CATALOGUE),
        *_popularity(TRACKS_NOT_IN_CATALOGUE - artist_only, 1 - IN_CATALOGUE - ARTIST_IN_CATALOGUE),
    ]
    return [_track(*song) for song in songs], bounds(popularity)


def _popularity(tracks: int, share: float) -> list[float]:
    """Divide a share of all plays among a number of tracks, the most popular one first."""
    weights = [1 / (rank + HEAD) for rank in range(tracks)]
    total = max(accumulate(weights), default=0.0)
    return [share * weight / total for weight in weights]


def _track(title: str, artist: str, duration: float) -> Track:
    song = f'{json.dumps(title)},"status":200,"ts":'
    return Track(f'{{"artist":{json.dumps(artist)}', repr(duration), song, int(duration * 1000))


def _write_days(
    folder: Path, app: App, days: int, write: Callable[[Path, Iterator[list[str]]], int]
) -> tuple[int, int]:
    """Write the events of each day to a file of its own; return how many files and events there are."""
    written = [
        write(folder / f"{date:%Y/%m/%Y-%m-%d}-events.json", app.day(date))
        for date in (FIRST_DAY + timedelta(day) for day in range(days))
    ]
    return sum(events > 0 for events in written), sum(written)


def _write_day(path: Path, hours: Iterator[list[str]]) -> int:
    """Write a day, hour by hour, one event a line and no newline at the end, as the app does; return how many."""
    first = next(hours, None)
    if first is None:
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    events = 0
    with path.open("wb") as file:
        for lines in chain([first], hours):
            text = "\n".join(lines)
            file.write((f"\n{text}" if events else text).encode())
            events += len(lines)
    return events
