"""Synthetic data: a song catalogue and the app's event logs, in the shape and the proportions of the real ones.

The same arguments give the same bytes, on any machine and any Python from 3.11 on: every number comes from
`random.Random(text).random()`, integer arithmetic, and the four operations on floats that IEEE 754 fixes to the bit.

Every proportion stands in a constant below. Where a comment says "sample", it was measured on a public sample of the
app's logs (8,056 events of 97 users in 30 days) or of its catalogue (14,896 songs).
"""

from __future__ import annotations

import json
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple

from sparkify.dirt import Dirt
from sparkify.errors import ConfigError, SourceError
from sparkify.vocabulary import (
    CREDITS,
    LAST_NAMES,
    MENS_NAMES,
    WOMENS_NAMES,
    Draw,
    artist_name,
    between,
    bounds,
    city,
    identifiers,
    metropolis,
    pick,
    stream,
    title,
    user_agent,
)

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)

# Who listens.
SESSIONS_IN_30_DAYS = (1, 2, 3, 4, 5, 6, 8, 11, 14, 21, 45)  # of one user: deciles of the sample; mean 9.7
PAID_SHARE = 0.24  # of users at the start: 23 of 97 are paid at some time, 228 of 941 sessions begin as paid
WOMEN = 0.57  # 55 of 97
QUOTED_AGENTS = 0.7  # the app logs some user agents between quotation marks
WEEKDAYS = (1.13, 1.17, 1.50, 0.92, 1.13, 0.66, 0.47)  # events on a Monday … Sunday, 1 being an average day
HOURS = (23, 25, 25, 24, 28, 33, 31, 29, 26, 39, 37, 36, 46, 73, 63, 92, 71, 46, 50, 36, 30, 31, 22, 25)  # sessions begun

# What they do: how often one page followed another in the sample. "start" opens a session and "end" closes it;
# "(out)" is a page seen while logged out. Session lengths, page frequencies and level changes all follow from this.
MOVES: dict[str, dict[str, dict[str, int]]] = {
    "free": {
        "start": {"NextSong": 405, "Home": 286, "Login(out)": 10, "Home(out)": 8, "About": 2, "Help": 1, "Error": 1},
        "NextSong": {"NextSong": 616, "end": 539, "Logout": 26, "Home": 25, "Upgrade": 15, "Help": 3, "About": 2,
                     "Settings": 2, "Error": 1},
        "Home": {"NextSong": 195, "end": 142, "Settings": 11, "Home": 5, "Upgrade": 4, "Logout": 3, "About": 1},
        "Upgrade": {"Submit Upgrade": 8, "Home": 5, "NextSong": 3, "end": 3, "Upgrade": 2},
        "Submit Upgrade": {"Home": 8},
        "Settings": {"NextSong": 6, "Save Settings": 2, "Home": 2, "Help": 2, "Settings": 1, "end": 1},
        "Save Settings": {"Home": 1, "end": 1},
        "Help": {"NextSong": 3, "end": 2, "Home": 1},
        "About": {"end": 4, "Home": 1},
        "Error": {"end": 1, "NextSong": 1},
        "Logout": {"Home(out)": 29},
        "Home(out)": {"Login(out)": 20, "end": 11, "Home(out)": 9, "About(out)": 4, "Help(out)": 2},
        "Login(out)": {"Home": 34},
        "Help(out)": {"Login(out)": 2, "Help(out)": 2},
        "About(out)": {"Login(out)": 2, "end": 2},
    },
    "paid": {
        "start": {"NextSong": 102, "Home": 65, "Home(out)": 46, "Login(out)": 15},
        "NextSong": {"NextSong": 5162, "end": 130, "Home": 118, "Logout": 52, "Downgrade": 50, "Settings": 31,
                     "Help": 29, "About": 12, "Error": 7},
        "Home": {"NextSong": 236, "end": 18, "Settings": 8, "Logout": 6, "Downgrade": 5, "About": 1},
        # The sample holds 1 submitted downgrade to 8 upgrades: an app that grows. 8 here keep the paid share, and
        # with it the number of events a day, the same however many days are asked for.
        "Downgrade": {"NextSong": 35, "end": 11, "Home": 10, "Downgrade": 3, "Submit Downgrade": 8},
        "Submit Downgrade": {"Home": 1},
        "Settings": {"NextSong": 24, "Save Settings": 8, "Settings": 3, "Logout": 3, "Home": 2, "Help": 2},
        "Save Settings": {"Home": 8},
        "Help": {"NextSong": 27, "Downgrade": 2, "Home": 1, "Help": 1, "end": 1},
        "About": {"end": 6, "About": 4, "NextSong": 4, "Home": 3},
        "Error": {"end": 5, "Home": 1, "NextSong": 1},
        "Logout": {"Home(out)": 61},
        "Home(out)": {"end": 55, "Login(out)": 41, "Home(out)": 16, "About(out)": 9, "Help(out)": 4},
        "Login(out)": {"Home": 58},
        "Help(out)": {"end": 4, "Help(out)": 1},
        "About(out)": {"end": 5, "Home(out)": 2, "Login(out)": 2, "About(out)": 1},
    },
}  # fmt: skip
REDIRECTS = ("Submit Upgrade", "Submit Downgrade", "Save Settings", "Login(out)", "Logout")  # PUT, 307; the others GET
AT_ONCE = ("Submit Upgrade", "Submit Downgrade", "Save Settings", "Login(out)")  # a second after the page before
NEW_LEVEL = {"Submit Upgrade": "paid", "Submit Downgrade": "free"}
PAUSES = (1, 4, 13, 20, 32, 48, 71, 120, 205, 650, 3600)  # seconds on a page before the next: deciles of the sample

# What they hear.
IN_CATALOGUE = 0.05  # of plays: title, artist and duration are those of a catalogue song (327 of 6,820)
ARTIST_IN_CATALOGUE = 0.60  # of plays: only the artist is known (4,124 of 6,820); of the other plays, nothing is
TRACKS_NOT_IN_CATALOGUE = 20_000  # how many others there are to hear
HEAD = 20  # a track's popularity is 1 / (rank + HEAD): the most played one gets about 0.5 % of plays, as in the sample
OTHER_RECORDING = 0.01  # of the artist-only tracks: a catalogue song's title and artist, with another duration
DURATIONS = (20, 138, 163, 177, 189, 197, 205, 213, 220, 226, 233, 239, 246, 255, 264, 274, 289, 306, 339, 397, 900)  # s

# What the catalogue knows.
NEW_ARTIST = 0.64  # of songs are by an artist not met before (9,553 artists to 14,896 songs)
OTHER_CREDIT = 0.08  # of an artist's further songs are credited to a longer name (396 artist ids have several names)
SHARED_NAME = 0.006  # of artists bear another artist's name (56 of 9,936 names have several ids)
YEAR_UNKNOWN = 0.32  # of songs have year 0
YEARS = (1955, 1990, 1998, 2004, 2009, 2013, 2016, 2019, 2021, 2023, 2025)  # of the others, deciles
PLACE_UNKNOWN, COORDINATES_UNKNOWN = 0.45, 0.20  # of artists: neither place nor coordinates; a place alone

HOUR = 3_600_000  # milliseconds
TS_DIGITS = 13
PLAY = "NextSong"


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
            catalogue = _Catalogue(seed)
            files = _write_songs(song_data, catalogue, songs, dirt.write_song if dirt else _write_song)
            app = _App(seed, _users(seed, users), *_repertoire(seed, catalogue))
            day_files, events = _write_days(log_data, app, days, dirt.write_day if dirt else _write_day)
    except OSError as error:
        place = error.filename or out
        raise SourceError(f"{place} cannot be written: {error.strerror}. Name another folder.") from error
    return Generated(songs, events, files + day_files, dirt.rejected if dirt else 0, log_data, song_data)


def _refuse_nonsense(dirty: float, **counts: int) -> None:
    for name, number in counts.items():
        if number < 0:
            raise ConfigError(f"--{name} {number}: there cannot be less than nothing. Give 0 or more.")
    if not 0 <= dirty <= 1:
        raise ConfigError(f"--dirty {dirty}: not a share of the records. Give a number from 0 to 1.")


# The catalogue, and what else there is to hear


class _Credit(NamedTuple):
    """An artist as credited on a song."""

    artist_id: str
    name: str
    location: str
    latitude: float | None
    longitude: float | None


class _Track(NamedTuple):
    """What can be heard: three pieces of JSON that an event is put together from, and how long it plays."""

    artist: str
    length: str
    song: str
    milliseconds: int


class _Catalogue:
    """Makes up songs and their artists; remembers what the logs need of them."""

    def __init__(self, seed: int) -> None:
        self._draw = stream(seed, "catalogue")
        self._artist_ids = identifiers(seed, "AR")
        self._song_ids = identifiers(seed, "SO")
        self._artists: list[_Credit] = []
        self.track_ids = identifiers(seed, "TRA")
        self.names: dict[str, None] = {}  # every credited name, in order
        self.songs: list[tuple[str, str, float]] = []  # title, credited name, duration

    def next_song(self) -> dict[str, Any]:
        """Return the record of one more song."""
        draw = self._draw
        credit, name, duration = self._next_credit(), title(draw), _duration(draw)
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
            "year": 0 if draw() < YEAR_UNKNOWN else int(between(YEARS, draw())),
        }

    def _next_credit(self) -> _Credit:
        draw, artists = self._draw, self._artists
        if not artists or draw() < NEW_ARTIST:
            shared = draw() < SHARED_NAME and bool(artists)
            name = pick(artists, draw()).name if shared else artist_name(draw, self.names)
            artists.append(_Credit(next(self._artist_ids), name, *_place(draw)))
            return artists[-1]
        artist = pick(artists, draw())
        if draw() >= OTHER_CREDIT:
            return artist
        name = pick(CREDITS, draw()).format(one=artist.name, other=artist_name(draw, {}))
        self.names[name] = None
        return _Credit(artist.artist_id, name, *_place(draw))


def _duration(draw: Draw) -> float:
    return int(between(DURATIONS, draw()) * 100_000) / 100_000


def _place(draw: Draw) -> tuple[str, float | None, float | None]:
    """Make up where an artist is from: location, latitude, longitude."""
    known = draw()
    if known < PLACE_UNKNOWN:
        return "", None, None
    location = city(draw)
    if known < PLACE_UNKNOWN + COORDINATES_UNKNOWN:
        return location, None, None
    return location, int(2_500_000 + draw() * 2_400_000) / 100_000, int(-12_400_000 + draw() * 5_700_000) / 100_000


def _write_songs(folder: Path, catalogue: _Catalogue, count: int, write: Callable[[Path, str], int]) -> int:
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


def _repertoire(seed: int, catalogue: _Catalogue) -> tuple[list[_Track], list[float]]:
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


def _track(title: str, artist: str, duration: float) -> _Track:
    song = f'{json.dumps(title)},"status":200,"ts":'
    return _Track(f'{{"artist":{json.dumps(artist)}', repr(duration), song, int(duration * 1000))


# The app


@dataclass(slots=True)
class _User:
    """A listener: who they are, in pieces of JSON, and how things stand with them."""

    number: int
    first_name: str
    last_name: str
    location: str
    registration: str
    agent: str
    sessions_a_day: float
    level: str
    free_at: int = 0  # when the last session was over


def _users(seed: int, count: int) -> list[_User]:
    draw = stream(seed, "users")
    activity, money = draw(), draw()
    begin = int(FIRST_DAY.timestamp()) * 1000
    users = []
    for number in range(1, count + 1):
        # Spread evenly rather than drawn (the R2 sequence), so that few users have the sample's means too.
        activity, money = (activity + 0.7548776662466927) % 1.0, (money + 0.5698402909980532) % 1.0
        gender, names = ("F", WOMENS_NAMES) if draw() < WOMEN else ("M", MENS_NAMES)
        first_name = f'"firstName":{json.dumps(pick(names, draw()))},"gender":"{gender}"'
        agent = user_agent(draw)
        users.append(
            _User(
                number,
                first_name,
                last_name=json.dumps(pick(LAST_NAMES, draw())),
                location=json.dumps(metropolis(draw)),
                registration=f"{begin - int(draw() * 14 * 24 * HOUR)}.0",  # within the two weeks before
                agent=json.dumps(f'"{agent}"' if draw() < QUOTED_AGENTS else agent),
                sessions_a_day=between(SESSIONS_IN_30_DAYS, activity) / 30,
                level="paid" if money < PAID_SHARE else "free",
            )
        )
    return users


class _Page:
    """A page as users of one level see it: how events name it, and where they go from it."""

    def __init__(self, name: str, following: dict[str, int]) -> None:
        self.name = name
        self.logged_out = name.endswith("(out)")
        method = "PUT" if name in REDIRECTS or name == PLAY else "GET"
        self.shown = f'"method":"{method}","page":"{name.removesuffix("(out)")}"'
        self._following, self._bounds = list(following), bounds(following.values())
        self.again = self._bounds[0] if self._following[0] == PLAY else 0.0  # the chance of a play, when it comes first

    def next(self, chance: float) -> str:
        """Return the name of the page that comes next."""
        return self._following[bisect(self._bounds, chance)]


PAGES = {level: {name: _Page(name, to) for name, to in moves.items()} for level, moves in MOVES.items()}


class _App:
    """The app in use, hour by hour. It holds its users, and what is still to come of the sessions that have begun."""

    def __init__(self, seed: int, users: list[_User], tracks: list[_Track], popularity: list[float]) -> None:
        self._seed = seed
        self._users = users
        self._sessions = 0
        self.tracks = tracks
        self.popularity = popularity
        self.hours: defaultdict[int, list[str]] = defaultdict(list)  # since 1970; each event behind its ts

    def day(self, date: datetime) -> Iterator[list[str]]:
        """Yield the events of each hour of a day that has any, in order of time. Ask for day after day."""
        draw = stream(self._seed, f"{date:%Y-%m-%d}")
        for hour, users in enumerate(self._starts(WEEKDAYS[date.weekday()], draw), int(date.timestamp()) // 3600):
            for user in users:
                self._sessions += 1
                start = hour * HOUR + int(draw() * HOUR)
                rested = user.free_at + int(between(PAUSES, draw()) * 1000)
                _Session(self, user, self._sessions, max(start, rested), draw).run()
            if events := sorted(self.hours.pop(hour, ())):
                yield [event[TS_DIGITS:] for event in events]

    def _starts(self, weekday: float, draw: Draw) -> list[list[_User]]:
        """Draw who begins a session in which of the 24 hours of a day."""
        starts: list[list[_User]] = [[] for _ in HOURS]
        hours = bounds(HOURS)
        for user in self._users:
            expected = user.sessions_a_day * weekday
            while draw() < expected:
                starts[bisect(hours, draw())].append(user)
                expected -= 1
        return starts


class _Session:
    """One user going from page to page."""

    __slots__ = ("_app", "_draw", "_item", "_music_ends", "_number", "_ts", "_user")

    def __init__(self, app: _App, user: _User, number: int, ts: int, draw: Draw) -> None:
        self._app = app
        self._user = user
        self._number = number
        self._draw = draw
        self._ts = ts  # of the next event
        self._item = 0
        self._music_ends = 0

    def run(self) -> None:
        """Put every event of the session into its hour."""
        pages, draw = PAGES[self._user.level], self._draw
        name = pages["start"].next(draw())
        while name != "end":
            page = pages[name]
            if name == PLAY:
                name = self._listen(page)
                early = draw()
                self._ts += 1 + int((self._music_ends - self._ts) * early * early * early)  # half within an eighth
                continue
            self._view(page)
            if name in NEW_LEVEL:
                self._user.level = NEW_LEVEL[name]
                pages = PAGES[self._user.level]
            name = page.next(draw())
            self._ts += 1000 if name in AT_ONCE else int(between(PAUSES, draw()) * 1000)
            if name == PLAY:
                self._ts = max(self._ts, self._music_ends)
        self._user.free_at = max(self._ts, self._music_ends)

    def _listen(self, page: _Page) -> str:
        """Play song after song; return the name of the page that is opened during the last one."""
        draw, tracks, popularity = self._draw, self._app.tracks, self._app.popularity
        before, last_name, middle, tail = _pieces(self._user, self._number, page)
        ts, item, hour_ends, again = self._ts, self._item, 0, page.again
        while True:
            artist, length, song, milliseconds = tracks[bisect(popularity, draw())]
            if ts >= hour_ends:
                append, hour_ends = self._app.hours[ts // HOUR].append, ts // HOUR * HOUR + HOUR
            append(f"{ts}{artist}{before}{item}{last_name}{length}{middle}{song}{ts}{tail}")
            item += 1
            chance = draw()
            if chance >= again and (following := page.next(chance)) != PLAY:
                break
            ts += milliseconds
        self._ts, self._item, self._music_ends = ts, item, ts + milliseconds
        return following

    def _view(self, page: _Page) -> None:
        """Look at a page that plays nothing."""
        before, last_name, middle, tail = _pieces(self._user, self._number, page)
        ts, status = self._ts, 307 if page.name in REDIRECTS else 404 if page.name == "Error" else 200
        self._app.hours[ts // HOUR].append(
            f'{ts}{{"artist":null{before}{self._item}{last_name}null{middle}null,"status":{status},"ts":{ts}{tail}'
        )
        self._item += 1


def _pieces(user: _User, session: int, page: _Page) -> tuple[str, str, str, str]:
    """Return the JSON around item, length, song and ts in the events of one session, page and level."""
    if page.logged_out:
        return (
            ',"auth":"Logged Out","firstName":null,"gender":null,"itemInSession":',
            ',"lastName":null,"length":',
            f',"level":"{user.level}","location":null,{page.shown},"registration":null,"sessionId":{session},"song":',
            ',"userAgent":null,"userId":""}',
        )
    return (
        f',"auth":"Logged In",{user.first_name},"itemInSession":',
        f',"lastName":{user.last_name},"length":',
        f',"level":"{user.level}","location":{user.location},{page.shown},"registration":{user.registration},'
        f'"sessionId":{session},"song":',
        f',"userAgent":{user.agent},"userId":"{user.number}"}}',
    )


def _write_days(
    folder: Path, app: _App, days: int, write: Callable[[Path, Iterator[list[str]]], int]
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
    events = len(first)
    with path.open("wb") as file:
        file.write("\n".join(first).encode())
        for lines in hours:
            file.write(("\n" + "\n".join(lines)).encode())
            events += len(lines)
    return events
