"""A play and a song that keep the contract, and every way in which one record can be bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from tests.support.sandbox import Sandbox

from sparkify.sources.listing import Kind

PLAY: dict[str, object] = {
    "ts": 1541105830796,
    "page": "NextSong",
    "sessionId": 38,
    "itemInSession": 0,
    "userId": "8",
    "level": "free",
    "song": "Intro",
    "artist": "Zoë",
    "length": 200.5,
    **dict.fromkeys(("auth", "firstName", "gender", "lastName", "location", "method", "registration", "status")),
    "userAgent": None,
}
SONG: dict[str, object] = {
    "num_songs": 1,
    "song_id": "SO0",
    "title": "Intro",
    "artist_id": "AR0",
    "artist_name": "Zoë",
    "artist_latitude": 64.14735,
    "artist_longitude": -21.94067,
    "artist_location": "Reykjavík",
    "duration": 200.5,
    "year": 1999,
}
ABSENT = object()
"""In place of a value: the record lacks the key."""

KINDS: tuple[Kind, ...] = ("events", "songs")

NOT_JSON = "not valid JSON"
NOT_OBJECT = "not a JSON object"
NOT_UTF8 = "not valid UTF-8"
NESTED = "neither text nor a number"


def play(**changes: object) -> str:
    """Return a play as one line of JSON."""
    return _line({**PLAY, **changes})


def song(**changes: object) -> str:
    """Return a song as one line of JSON."""
    return _line({**SONG, **changes})


def _line(record: dict[str, object]) -> str:
    return json.dumps({key: value for key, value in record.items() if value is not ABSENT}, ensure_ascii=False)


def event(**changes: object) -> str:
    """Return a page view as a line of a log."""
    usual = {"ts": 1541105830796, "page": "Home", "sessionId": 1, "itemInSession": 0, "userId": "7", "level": "free"}
    return json.dumps(usual | changes) + "\n"


def record(kind: Kind, **changes: object) -> str:
    """Return a play or a song."""
    return play(**changes) if kind == "events" else song(**changes)


def joined(*pieces: str | bytes) -> bytes:
    """Return pieces, one a line."""
    return b"\n".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)


def keys(kind: Kind, *numbers: int) -> list[str]:
    """Return the keys of plays by their itemInSession, or of songs by the number in their song_id."""
    return [f"1541105830796-38-{number}-8" if kind == "events" else f"SO{number}" for number in numbers]


def folder(warehouse: Sandbox, kind: Kind) -> Path:
    """Return the folder of a kind of record."""
    return warehouse.log_data if kind == "events" else warehouse.song_data


def loaded(warehouse: Sandbox, kind: Kind) -> list[str]:
    """Return the keys of the facts, or of the songs."""
    facts = "select songplay_id from songplays union all select page_view_id from page_views"
    keys = warehouse.query(facts if kind == "events" else "select song_id from songs")
    return sorted(key for (key,) in keys)


def misread(text: str, times: int = 1) -> str:
    """Return text whose UTF-8 was read as Latin-1."""
    for _ in range(times):
        text = text.encode().decode("latin-1")
    return text


GOOD: dict[Kind, tuple[str, str]] = {
    "events": (play(itemInSession=1), play(itemInSession=2)),
    "songs": (song(song_id="SO1"), song(song_id="SO2")),
}


class Bad(NamedTuple):
    """A record that must be rejected."""

    kind: Kind
    record: bytes
    reason: str
    shown: str  # the text that is kept in the quarantine


def _bad(record: str | bytes, reason: str, kind: Kind = "events") -> Bad:
    if isinstance(record, str):
        return Bad(kind, record.encode(), reason, record)
    return Bad(kind, record, reason, record.decode(errors="backslashreplace").replace("\0", "\\x00"))


def _in_song(text: str | bytes) -> bytes:
    """Return a play whose song contains this text without escapes."""
    raw = text if isinstance(text, bytes) else text.encode()
    return play().encode().replace(b"Intro", b"In" + raw + b"tro")


BAD: dict[str, Bad] = {
    # Not JSON
    "missing comma": _bad(play().replace(", ", " ", 1), NOT_JSON),
    "missing colon": _bad('{"page" "Home"}', NOT_JSON),
    "missing value": _bad('{"page": }', NOT_JSON),
    "trailing comma": _bad(play()[:-1] + ",}", NOT_JSON),
    "trailing comma in a list": _bad(play(extra=["?"]).replace("]", ",]"), NOT_JSON),
    "trailing comma in a song": _bad(song()[:-1] + ", }", NOT_JSON, "songs"),
    "single quotes": _bad(play().replace('"', "'"), NOT_JSON),
    "keys without quotes": _bad(play().replace('"ts"', "ts"), NOT_JSON),
    "comment inside": _bad(play().replace("38", "38 /* session */"), NOT_JSON),
    "leading zero": _bad(play().replace("38", "038"), NOT_JSON),
    "plus sign": _bad(play().replace("38", "+38"), NOT_JSON),
    "unknown escape": _bad(_in_song(r"\x"), NOT_JSON),
    "short escape": _bad(_in_song(r"\u00"), NOT_JSON),
    "first half of a surrogate pair": _bad(_in_song(r"\ud83d"), NOT_JSON),
    "second half of a surrogate pair": _bad(_in_song(r"\ude00"), NOT_JSON),
    "half a surrogate pair in an unknown key": _bad(play(extra="?").replace("?", r"\ud800"), NOT_JSON),
    "raw tab": _bad(_in_song("\t"), NOT_JSON),
    "raw NUL": _bad(_in_song("\0"), NOT_JSON),
    "raw carriage return": _bad(_in_song("\r"), NOT_JSON),
    "raw record separator": _bad(_in_song("\x1e"), NOT_JSON),
    "raw unit separator": _bad(_in_song("\x1f"), NOT_JSON),
    "truncated": _bad(play()[:60], NOT_JSON),
    "truncated in a text": _bad('{"page": "Ho', NOT_JSON),
    "truncated over several lines": _bad('{\n  "ts": 1541105830796,\n  "page": "NextSong",', NOT_JSON),
    "truncated song": _bad(song()[:60], NOT_JSON, "songs"),
    "opening brace": _bad("{", NOT_JSON),
    "two braces too many": _bad(play() + "}}", NOT_JSON),
    "two objects and a comma": _bad(f"{play()},{play()}", NOT_JSON),
    # Not an object
    "number": _bad("42", NOT_OBJECT),
    "text": _bad('"Home"', NOT_OBJECT),
    "true": _bad("true", NOT_OBJECT),
    "null": _bad("null", NOT_OBJECT),
    "closing brace": _bad("}", NOT_OBJECT),
    "garbage": _bad("<html><body>502 Bad Gateway</body></html>", NOT_OBJECT),
    "comment": _bad("// the end", NOT_OBJECT),
    "NUL bytes": _bad(b"\0\0\0", NOT_OBJECT),
    # Not UTF-8
    "byte FF": _bad(_in_song(b"\xff"), NOT_UTF8),
    "Latin-1": _bad(_in_song("ö".encode("latin-1")), NOT_UTF8),
    "encoded surrogate": _bad(_in_song(b"\xed\xa0\x80"), NOT_UTF8),
    "overlong encoding": _bad(_in_song(b"\xc0\x80"), NOT_UTF8),
    "byte FF in an unknown key": _bad(play(extra="?").encode().replace(b"?", b"\xff"), NOT_UTF8),
    # JSON objects that break the contract
    "empty object": _bad("{}", "itemInSession: missing"),
    "key given twice": _bad(play()[:-1] + ', "song": "Outro"}', "a key is given twice"),
    "key given twice, once escaped": _bad(play()[:-1] + r', "s\u006fng": "Outro"}', "a key is given twice"),
    "key given twice, once null": _bad(play()[:-1] + ', "song": null}', "a key is given twice"),
    "key given twice in another case": _bad(
        play(song=ABSENT)[:-1] + ', "SONG": "a", "SONG": "b"}', "a key is given twice"
    ),
    "key given twice in other cases": _bad(
        play(song=ABSENT)[:-1] + ', "SONG": "a", "Song": "b"}', "a key is given twice"
    ),
    "key given twice in a song": _bad(song()[:-1] + ', "title": "Outro"}', "a key is given twice", "songs"),
    "fraction in sessionId": _bad(play(sessionId=2.7), "sessionId: not a whole number"),
    "fraction as text in sessionId": _bad(play(sessionId="2.7"), "sessionId: not a whole number"),
    "true in sessionId": _bad(play(sessionId=True), "sessionId: not a whole number"),
    "space within a number": _bad(play(sessionId="3 8"), "sessionId: not a whole number"),
    "nothing but a space": _bad(play(sessionId=" "), "sessionId: not a whole number"),
    "underscore in a number": _bad(play(ts="1_541_105_830_796"), "ts: not a whole number"),
    "true in ts": _bad(play(ts=True), "ts: not a whole number"),
    "true in registration": _bad(play(registration=True), "registration: not a whole number"),
    "false in length": _bad(play(length=False), "length: not a number"),
    "false in status": _bad(play(status=False), "status: not a whole number"),
    "more than 64 bits in sessionId": _bad(play(sessionId=2**63), "sessionId: not a whole number"),
    "object in itemInSession": _bad(play(itemInSession={"number": 1}), "itemInSession: not a whole number"),
    "text in ts": _bad(play(ts="yesterday"), "ts: not a whole number"),
    "date in ts": _bad(play(ts="2018-11-01"), "ts: not a whole number"),
    "list in ts": _bad(play(ts=[1541105830796]), "ts: not a whole number"),
    "NaN in ts": _bad(play(ts=float("nan")), "ts: not a whole number"),
    "ts before 1970": _bad(play(ts=-1), "ts: not in the years 1970 to 9999"),
    "ts before 2000": _bad(play(ts=946_684_799_999), "ts: before 2000; is it in seconds?"),
    "ts in seconds": _bad(play(ts=1_541_105_830), "ts: before 2000; is it in seconds?"),
    "unknown level": _bad(play(level="gold"), "level: not one of free, paid"),
    "long object in artist": _bad(
        play(artist={"x": "y" * 600}, auth={"x": "y" * 600}), "artist: neither text nor a number"
    ),
    "ts after 9999": _bad(play(ts=253_402_300_800_000), "ts: not in the years 1970 to 9999"),
    "ts of more than 64 bits": _bad(play(ts=10**20), "ts: not a whole number"),
    "registration before 1970": _bad(play(registration=-1), "registration: not in the years 1970 to 9999"),
    "text in status": _bad(play(status="OK"), "status: not a whole number"),
    "text in length": _bad(play(length="long"), "length: not a number"),
    "NaN in length": _bad(play(length=float("nan")), "length: not a number"),
    "NaN as text in length": _bad(play(length="NaN"), "length: not a number"),
    "Infinity in length": _bad(play(length=float("inf")), "length: not a number"),
    "minus Infinity in length": _bad(play(length=float("-inf")), "length: not a number"),
    "negative length": _bad(play(length=-0.1), "length: not a length of time"),
    "endless length": _bad(play().replace("200.5", "1e400"), "length: not a length of time"),
    "NaN under a key that is ignored": _bad(play(extra=float("nan")), NOT_JSON),
    "minus Infinity in a list that is ignored": _bad(play(extra=[1, -float("inf")]), NOT_JSON),
    "NaN in song": _bad(play(song=float("nan")), f"song: {NESTED}"),
    "Infinity in userId": _bad(play(userId=float("inf")), f"userId: {NESTED}"),
    "minus Infinity in a title": _bad(song(title=float("-inf")), f"title: {NESTED}", "songs"),
    "escaped NUL": _bad(_in_song(r"\u0000"), "song: holds a NUL character"),
    "escaped NUL in userAgent": _bad(play(userAgent="\0"), "userAgent: holds a NUL character"),
    "escaped NUL in a title": _bad(song(title="\0"), "title: holds a NUL character", "songs"),
    "fraction in year": _bad(song(year=2001.5), "year: not a whole number", "songs"),
    "text in num_songs": _bad(song(num_songs="one"), "num_songs: not a whole number", "songs"),
    "text in artist_latitude": _bad(song(artist_latitude="north"), "artist_latitude: not a number", "songs"),
    "NaN in artist_longitude": _bad(song(artist_longitude=float("nan")), "artist_longitude: not a number", "songs"),
    "far too large num_songs": _bad(song(num_songs=10**20), "num_songs: not a whole number", "songs"),
    "negative duration": _bad(song(duration=-1), "duration: not a length of time", "songs"),
}
