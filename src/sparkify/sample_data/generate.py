"""Generate a song catalogue and event logs with the shape and proportions of the real ones.

The same arguments produce the same bytes, on any machine and any Python from 3.11 on. Every number comes from
`random.Random(text).random()`, integer arithmetic, and the four float operations that IEEE 754 defines exactly.

Every proportion is a constant below. "Sample" in a comment refers to a public sample of the app's logs (8,056 events of
97 users in 30 days) or of its catalogue (14,896 songs).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, chain, islice
from pathlib import Path

from sparkify.errors import ConfigError, SourceError
from sparkify.sample_data.catalogue import NEW_ARTIST, Catalogue, random_duration
from sparkify.sample_data.chance import bounds, pick, stream
from sparkify.sample_data.dirty import DirtyWriter
from sparkify.sample_data.listeners import FIRST_DAY, App, Track, sign_up
from sparkify.sample_data.vocabulary import artist_name, title

# What the listeners play.
IN_CATALOGUE = 0.05  # of plays have title, artist and duration of a catalogue song (327 of 6,820)
ARTIST_IN_CATALOGUE = 0.60  # of plays have only an artist of the catalogue (4,124 of 6,820)
TRACKS_NOT_IN_CATALOGUE = 20_000  # number of other tracks
RANK_OFFSET = 20  # popularity is 1 / (rank + RANK_OFFSET): the first track gets about 0.5 % of plays
OTHER_RECORDING = 0.01  # of the artist-only tracks have also the title of a catalogue song, but another duration

_MAX_IN_MEMORY = 5_000_000  # users, and songs


@dataclass(frozen=True)
class Generated:
    """A description of the generated data."""

    songs: int  # in the catalogue
    events: int  # in the logs; like the songs, without repeated and bad records
    files: int
    bad_records: int
    log_data: Path
    song_data: Path


def generate(
    out: Path, *, users: int = 100, days: int = 30, songs: int = 200, seed: int = 1, dirty: float = 0.0
) -> Generated:
    """Write `out/song_data/A/B/C/TR….json` and `out/log_data/YYYY/MM/YYYY-MM-DD-events.json`.

    Expect about users × days × 2.8 events (8,056 / 97 / 30 in the sample): a million from 12,000 users in 30 days.
    The first day is always 2026-01-01, so that the output does not depend on the current date. More days extend the
    same data. A day without events has no file.

    `dirty` is the share of records that are altered: see `sparkify.sample_data.dirty`. `out/dirt.json` lists the
    changes. The good records are those of the clean data with the same seed.

    Users and songs are kept in memory, less than a kilobyte each. Raise ConfigError for a number out of range,
    such as more than five million. Raise SourceError if a folder is not empty or cannot be written.
    """
    _check_arguments(dirty, users=users, days=days, songs=songs)
    log_data, song_data = out / "log_data", out / "song_data"
    try:
        for folder in (log_data, song_data):
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise SourceError(f"{folder}: the folder is not empty. Name another folder, or empty it first.")
        with ExitStack() as stack:
            writer = stack.enter_context(DirtyWriter(out, seed, dirty)) if dirty else None
            catalogue = Catalogue(seed)
            files = _write_songs(song_data, catalogue, songs, writer.write_song if writer else _write_song)
            app = App(seed, sign_up(seed, users), *_repertoire(seed, catalogue))
            day_files, events = _write_days(log_data, app, days, writer.write_day if writer else _write_day)
    except OSError as error:
        path = error.filename or out
        raise SourceError(f"{path}: writing failed ({error.strerror}). Name another folder.") from error
    return Generated(songs, events, files + day_files, writer.rejected if writer else 0, log_data, song_data)


def _check_arguments(dirty: float, **counts: int) -> None:
    for name, number in counts.items():
        if number < 0:
            raise ConfigError(f"--{name} {number}: the number is negative. Pass 0 or more.")
    most = (date.max - FIRST_DAY.date()).days + 1
    for name in ("users", "songs"):
        if counts[name] > _MAX_IN_MEMORY:
            raise ConfigError(f"--{name} {counts[name]}: the {name} are kept in memory. Pass at most {_MAX_IN_MEMORY}.")
    if counts["days"] > most:
        raise ConfigError(f"--days {counts['days']}: the calendar ends with the year 9999. Pass at most {most}.")
    if not 0 <= dirty <= 1:
        raise ConfigError(f"--dirty {dirty}: the number is not a share of the records. Pass a number from 0 to 1.")


def _write_songs(folder: Path, catalogue: Catalogue, count: int, write: Callable[[Path, str], int]) -> int:
    """Write each song to its own file; return the number of files."""
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
    """Write one song; return the number of files, 1."""
    path.write_bytes(song.encode())
    return 1


def _repertoire(seed: int, catalogue: Catalogue) -> tuple[list[Track], list[float]]:
    """Return all tracks, and the bounds that select a track by its popularity."""
    draw = stream(seed, "repertoire")
    known, taken = list(catalogue.names), dict(catalogue.names)
    artist_only = int(TRACKS_NOT_IN_CATALOGUE * ARTIST_IN_CATALOGUE / (1 - IN_CATALOGUE)) if known else 0
    songs, unknown = list(catalogue.songs), [artist_name(draw, taken)]
    for number in range(TRACKS_NOT_IN_CATALOGUE):
        name = title(draw)
        if number >= artist_only:
            if draw() < NEW_ARTIST:
                unknown.append(artist_name(draw, taken))
            artist = pick(unknown, draw())
        elif draw() < OTHER_RECORDING:
            name, artist, _ = pick(catalogue.songs, draw())
        else:
            artist = pick(known, draw())
        songs.append((name, artist, random_duration(draw)))
    popularity = [
        *_popularity(len(catalogue.songs), IN_CATALOGUE),
        *_popularity(artist_only, ARTIST_IN_CATALOGUE),
        *_popularity(TRACKS_NOT_IN_CATALOGUE - artist_only, 1 - IN_CATALOGUE - ARTIST_IN_CATALOGUE),
    ]
    return [_track(*song) for song in songs], bounds(popularity)


def _popularity(tracks: int, share: float) -> list[float]:
    """Return the share of all plays of each track, the most popular one first; together they have `share`."""
    weights = [1 / (rank + RANK_OFFSET) for rank in range(tracks)]
    total = max(accumulate(weights), default=0.0)
    return [share * weight / total for weight in weights]


def _track(title: str, artist: str, duration: float) -> Track:
    song = f'{json.dumps(title)},"status":200,"ts":'
    return Track(f'{{"artist":{json.dumps(artist)}', repr(duration), song, int(duration * 1000))


def _write_days(
    folder: Path, app: App, days: int, write: Callable[[Path, Iterator[list[str]]], int]
) -> tuple[int, int]:
    """Write the events of each day with events to its own file; return the numbers of files and events."""
    files = events = 0
    for day in range(days):
        midnight = FIRST_DAY + timedelta(day)
        hours = app.day(midnight)
        if first := next(hours, None):
            path = folder / f"{midnight:%Y/%m/%Y-%m-%d}-events.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            events += write(path, chain([first], hours))
            files += 1
    return files, events


def _write_day(path: Path, hours: Iterator[list[str]]) -> int:
    """Write a day hour by hour, one event per line without a final newline, as the app does; return their number."""
    events = 0
    with path.open("wb") as file:
        for lines in hours:
            text = "\n".join(lines)
            file.write((f"\n{text}" if events else text).encode())
            events += len(lines)
    return events
