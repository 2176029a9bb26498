"""The warehouse computed a second time, from the rules alone, with dictionaries and loops and without product code.

`warehouse(runs)` takes the files that each run finds, and returns the rows that every table must then hold. It raises
`Conflict` where two records contradict each other and the rules do not name a winner.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import md5
from typing import Any, NamedTuple

from tests.promises.oracle_files import Delivered, Kind, Number, Pairs, is_skipped, records

Row = tuple[Any, ...]
Values = dict[str, Any]

WIDTHS: dict[Kind, dict[str, int]] = {
    "events": {
        "artist": 512,
        "auth": 32,
        "firstName": 256,
        "gender": 16,
        "lastName": 256,
        "level": 16,
        "location": 512,
        "method": 16,
        "page": 64,
        "song": 512,
        "userAgent": 1024,
        "userId": 64,
    },
    "songs": {"artist_id": 64, "artist_location": 512, "artist_name": 512, "song_id": 64, "title": 512},
}
"""Text column → how many bytes of UTF-8 it takes, after the text repair."""

WHOLE: dict[Kind, tuple[str, ...]] = {
    "events": ("ts", "sessionId", "itemInSession", "status", "registration"),
    "songs": ("num_songs", "year"),
}
NUMBERS: dict[Kind, tuple[str, ...]] = {
    "events": ("length",),
    "songs": ("duration", "artist_latitude", "artist_longitude"),
}
REQUIRED: dict[Kind, tuple[str, ...]] = {
    "events": ("ts", "page", "sessionId", "itemInSession"),
    "songs": ("song_id", "artist_id"),
}
REQUIRED_OF_A_PLAY = ("userId", "song", "artist")
REPAIRED = {"song", "artist", "location", "firstName", "lastName", "title", "artist_name", "artist_location"}
PUNCTUATION = str.maketrans("\x13\x14\x18\x19\x1c\x1d", "\u2013\u2014\u2018\u2019\u201c\u201d")

EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
FIRST_MILLISECOND = 946_684_800_000  # the first one of the year 2000
LAST_MILLISECOND = 253_402_300_799_999  # the last one of the year 9999
LONGEST_DURATION = 1e15  # seconds
LEVELS = (None, "free", "paid")
PLAUSIBLE = {"artist_latitude": (-90, 90), "artist_longitude": (-180, 180), "year": (1000, datetime.now(UTC).year + 1)}

NUMERIC = re.compile(r"\s*-?([0-9]+\.?|[0-9]*\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)


class Conflict(Exception):
    """Two records contradict each other, and the rules do not name a winner."""


class Rejected(ValueError):
    """A record breaks the contract."""


class TooLarge(Rejected):
    """A number is beyond the range of its column."""


class Event(NamedTuple):
    """One accepted event: its fact, and its values of the user."""

    table: str
    key: str
    fact: Row  # a play's last value is its track; song and artist are added later
    user: Row | None
    recency: tuple[int, int]


class Song(NamedTuple):
    """One accepted record of the catalogue; the first six values are the columns of `songs`."""

    song_id: str
    title: str | None
    artist_id: str
    year: int | None
    duration: float | None
    artist_name: str | None
    location: str | None
    latitude: float | None
    longitude: float | None


def warehouse(runs: Iterable[Sequence[Delivered]]) -> dict[str, list[Row]]:
    """Return the sorted rows of every table after these runs.

    `songplays` has the track itself (title, artist_name, duration) in place of track_id, and `tracks` has no track_id.
    `rejected` holds (kind, path, line) for each rejected record.

    Files are taken in order of their paths, by code point. A new song record replaces an earlier one with its song_id.
    Events of a file that was loaded before replace the events with their keys; other events must not contradict them.
    """
    loaded: dict[tuple[Kind, str], bytes] = {}
    events: dict[tuple[str, str], Event] = {}
    songs: dict[str, Song] = {}
    rejected: list[Row] = []
    for run in runs:
        first_time: dict[tuple[str, str], Event] = {}
        changed: dict[tuple[str, str], Event] = {}
        for file in sorted(run, key=lambda file: file.path):
            before = loaded.get((file.kind, file.path))
            if is_skipped(file.path) or before == file.content:
                continue
            loaded[file.kind, file.path] = file.content
            for line, pairs in records(file):
                try:
                    values = accepted(file.kind, pairs)
                except Rejected:
                    rejected.append((file.kind, file.path, line))
                    continue
                if file.kind == "songs":
                    song = song_of(values)
                    songs[song.song_id] = song
                else:
                    add(event_of(values), first_time if before is None else changed)
        replace(events, changed)
        for event in first_time.values():
            add(event, events)
    return tables(list(events.values()), list(songs.values()), rejected)


def add(event: Event, events: dict[tuple[str, str], Event]) -> None:
    """Add an event. A second event with its key must be equal."""
    known = events.setdefault((event.table, event.key), event)
    if known != event:
        raise Conflict(f"{event.table} {event.key}: {known} and {event}")


def replace(events: dict[tuple[str, str], Event], changed: dict[tuple[str, str], Event]) -> None:
    """Replace events by those of changed files. An event must not move from one fact table to the other."""
    for table, key in changed:
        other = ("page_views" if table == "songplays" else "songplays", key)
        if other in events and other not in changed:
            raise Conflict(f"{key} is in {other[0]}, and a changed file has it for {table}")
    events.update(changed)


def first_in_order(facts: Iterable[Row]) -> Row:
    """Return the one of contradicting facts that is kept: by level, place, agent, then the columns of its table alone.

    The others are kept as rejected records.
    """

    # A play: (key, time, user, level, session, item, location, agent, track). A view has 4 columns before the session.
    def content(fact: Row) -> Row:
        level, location, agent, rest = (
            (fact[3], fact[6], fact[7], fact[8]) if len(fact) == 9 else (fact[3], fact[10], fact[11], fact[4:8])
        )
        return nulls_last((level, location, agent, *rest))

    return min(facts, key=content)


# The contract


def accepted(kind: Kind, pairs: Pairs | None) -> Values:
    """Return a record's values by column, or raise Rejected."""
    if pairs is None:
        raise Rejected("not a JSON object")
    given = known_keys(kind, pairs)
    values: Values = {name: as_text(name, given.get(name), width) for name, width in WIDTHS[kind].items()}
    values |= {name: or_null(as_whole, name, given.get(name)) for name in WHOLE[kind]}
    values |= {name: or_null(as_number, name, given.get(name)) for name in NUMBERS[kind]}
    required = REQUIRED[kind] + (REQUIRED_OF_A_PLAY if values.get("page") == "NextSong" else ())
    for name in required:
        if values[name] is None:
            raise Rejected(f"{name} is missing")
    if kind == "events" and (values["level"] not in LEVELS or values["ts"] < FIRST_MILLISECOND):
        raise Rejected("the level is unknown, or the time is before 2000")
    for name, (lowest, highest) in PLAUSIBLE.items():
        if values.get(name) and not lowest <= values[name] <= highest:
            values[name] = None
    return values


def known_keys(kind: Kind, pairs: Pairs) -> Values:
    """Return the values of the known keys. Keys match in any case, and the exact name takes precedence."""
    spellings: dict[str, list[str]] = {}
    for key, _ in pairs:
        spellings.setdefault(key.lower(), []).append(key)
    given = dict(pairs)
    picked: Values = {}
    for name in (*WIDTHS[kind], *WHOLE[kind], *NUMBERS[kind]):
        found = spellings.get(name.lower(), [])
        chosen = [name] * found.count(name) or found
        if len(chosen) > 1:
            raise Rejected(f"{name} is given twice")
        if chosen:
            picked[name] = given[chosen[0]]
    return picked


def or_null(convert: Callable[[str, object], Any], name: str, value: object) -> Any:
    """Return a converted value; a coordinate or year that is too large for its column is null."""
    try:
        return convert(name, value)
    except TooLarge:
        if name in PLAUSIBLE:
            return None
        raise


def as_text(name: str, value: object, width: int) -> str | None:
    """Return text without trailing blanks: a string, a whole number, or the shortest form of any other float."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Rejected(f"{name} is not text")
    if isinstance(value, Number) and not value.removeprefix("-").isdigit():
        number = finite(name, value)
        value = str(int(number)) if number.is_integer() and abs(number) < 1e38 else repr(number)
    value = str(value).rstrip(" ")
    if not value:
        return None
    if name in REPAIRED:
        value = repair(value)
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Rejected(f"{name} holds what no text column can")
    if len(value.encode()) > width:
        raise Rejected(f"{name} is too long")
    return value


def as_whole(name: str, value: object) -> int | None:
    """Return a whole number of 64 bits, written as an integer, a float or a string."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not NUMERIC.fullmatch(value):
        raise Rejected(f"{name} is not a number")
    wrong = TooLarge if abs(float(value)) >= 2**63 else Rejected
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise wrong(f"{name} is out of range") from None
    if exact and (exact.adjusted() > 18 or exact != exact.to_integral_value()):
        raise wrong(f"{name} is not a whole number of 64 bits")
    whole = int(exact) if exact else 0
    lowest, highest = (0, LAST_MILLISECOND) if name in ("ts", "registration") else (-(2**63), 2**63 - 1)
    if not lowest <= whole <= highest:
        raise wrong(f"{name} is out of range")
    return whole


def as_number(name: str, value: object) -> float | None:
    """Return a finite number, written as a number or a string."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not NUMERIC.fullmatch(value):
        raise Rejected(f"{name} is not a number")
    number = finite(name, value)
    if name in ("length", "duration") and not 0 <= number < LONGEST_DURATION:
        raise Rejected(f"{name} is out of range")
    return number + 0.0  # -0.0 becomes 0.0.


def finite(name: str, value: str) -> float:
    """Return a float, or raise Rejected if it is not finite."""
    number = float(value)
    if not math.isfinite(number):
        raise TooLarge(f"{name} is too large")
    return number


def repair(text: str) -> str:
    """Undo UTF-8 read as Latin-1, at most three times, and restore punctuation truncated to its low byte."""
    for _ in range(3):
        try:
            text = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            break
    return text.translate(PUNCTUATION)


# From records to rows


def moment(milliseconds: int | None) -> datetime | None:
    """Return the UTC time of a number of milliseconds since 1970."""
    return None if milliseconds is None else EPOCH + timedelta(milliseconds=milliseconds)


def event_of(values: Values) -> Event:
    """Return the fact of an event and its values of the user."""
    ts, session, item = values["ts"], values["sessionId"], values["itemInSession"]
    user_id, level, page = values["userId"], values["level"], values["page"]
    key = f"{ts}-{session}-{item}-{user_id or ''}"
    head, tail = (key, moment(ts), user_id, level), (session, item, values["location"], values["userAgent"])
    user = None
    if user_id is not None:
        name = (values["firstName"], values["lastName"], values["gender"])
        user = (user_id, *name, level, moment(values["registration"]), moment(ts), session, item)
    if page == "NextSong":
        track = (values["song"], values["artist"], values["length"])
        return Event("songplays", key, (*head, *tail, track), user, (ts, item))
    view = (page, values["auth"], values["method"], values["status"])
    return Event("page_views", key, (*head, *view, *tail), user, (ts, item))


def song_of(values: Values) -> Song:
    """Return the song of a catalogue record. The year 0 becomes null."""
    return Song(
        values["song_id"],
        values["title"],
        values["artist_id"],
        values["year"] or None,
        values["duration"],
        values["artist_name"],
        values["artist_location"],
        values["artist_latitude"],
        values["artist_longitude"],
    )


def tables(events: list[Event], songs: list[Song], rejected: list[Row]) -> dict[str, list[Row]]:
    """Return every table, derived from the events and the songs in force."""
    plays = [event.fact for event in events if event.table == "songplays"]
    tracks = resolved(plays, songs)
    rows: dict[str, Iterable[Row]] = {
        "songplays": [(*play[:4], *tracks[play[-1]], *play[4:]) for play in plays],
        "page_views": [event.fact for event in events if event.table == "page_views"],
        "users": users(events),
        "songs": [song[:6] for song in songs],
        "catalogue": [(*song[:3], *song[5:], song.duration, song.year) for song in songs],
        "artists": artists(songs),
        "time": [calendar(start_time) for start_time in {event.fact[1] for event in events}],
        "tracks": [(*track, *answer) for track, answer in tracks.items()],
        "rejected": rejected,
    }
    return {table: sorted(found, key=nulls_last) for table, found in rows.items()}


def resolved(plays: list[Row], songs: list[Song]) -> dict[Row, Row]:
    """Return each played track with its song_id and artist_id, or nulls.

    A track's song is the one of equal title, artist and duration with the smallest song_id. Without such a song, its
    artist is the one credited with exactly that name, with the smallest artist_id.
    """
    recordings: dict[Row, Song] = {}
    artist_ids: dict[str, str] = {}
    for song in sorted(songs, key=lambda song: song.song_id):
        if None not in (song.title, song.artist_name, song.duration):
            recordings.setdefault((song.title, song.artist_name, song.duration), song)
        if song.artist_name is not None:
            smallest = artist_ids.get(song.artist_name, song.artist_id)
            artist_ids[song.artist_name] = min(smallest, song.artist_id)
    tracks: dict[Row, Row] = {}
    for track in (play[-1] for play in plays):
        recording = recordings.get(track)
        by_name = (None, artist_ids.get(track[1]))
        tracks[track] = (recording.song_id, recording.artist_id) if recording else by_name
    return tracks


def track_id(title: str, artist_name: str, duration: float | None) -> str:
    """Return the key of a track: the MD5 hash of its parts, where lengths in characters keep the texts apart."""
    shown = "" if duration is None else str(int(duration)) if duration.is_integer() else repr(duration)
    parts = f"{len(title)}:{title}{len(artist_name)}:{artist_name}{shown}"
    return md5(parts.encode(), usedforsecurity=False).hexdigest()


def users(events: list[Event]) -> list[Row]:
    """Return each user as of the latest event, by time and then by item."""
    latest: dict[str, Event] = {}
    for event in events:
        if event.user is not None:
            known = latest.setdefault(event.user[0], event)
            if event.recency > known.recency:
                latest[event.user[0]] = event
    for event in events:
        if event.user is not None:
            known = latest[event.user[0]]
            if event.recency == known.recency and event.user != known.user:
                raise Conflict(f"{known} and {event}")
    return [event.user for event in latest.values() if event.user is not None]


def artists(songs: list[Song]) -> list[Row]:
    """Return each artist with the shortest name credited, then the smallest, and the most complete place."""
    by_artist: dict[str, list[Song]] = {}
    for song in songs:
        by_artist.setdefault(song.artist_id, []).append(song)
    rows: list[Row] = []
    for artist_id, credited in by_artist.items():
        names = [song.artist_name for song in credited if song.artist_name is not None]
        name = min(names, key=lambda name: (len(name), name), default=None)
        rows.append((artist_id, name, *min((song[6:] for song in credited), key=completeness)))
    return rows


def completeness(place: Row) -> Row:
    """Return a key that orders places: with both coordinates first, then with a location, then by the values."""
    location, latitude, longitude = place
    return (latitude is None or longitude is None, location is None, nulls_last(place))


def calendar(start_time: datetime) -> Row:
    """Return the row of `time` for a moment: ISO week, and weekdays from Sunday (0)."""
    return (
        start_time,
        start_time.hour,
        start_time.day,
        start_time.isocalendar().week,
        start_time.month,
        start_time.year,
        start_time.isoweekday() % 7,
    )


def nulls_last(row: Row) -> Row:
    """Return a key that orders rows by their columns, with null after every value."""
    return tuple((value is None, value) for value in row)
