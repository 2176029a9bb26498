"""The kinds of bad and odd records that the generator can produce."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]
Change = Callable[[Record], str | None]  # → what is written instead or in addition; None for records it does not suit

REQUIRED_IN_PLAYS = ("ts", "page", "sessionId", "itemInSession", "userId", "song", "artist")
REQUIRED_IN_SONGS = ("song_id", "artist_id")
REPAIRED = ("artist", "song", "firstName", "lastName", "location", "title", "artist_name", "artist_location")
LOW_BYTES = {ord(mark): ord(mark) & 0xFF for mark in "–—‘’“”"}


def compact(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"))


def _pretty(record: Record) -> str:
    return json.dumps(record, indent=2)


def _with(key: str, value: object) -> Change:
    return lambda record: compact({**record, key: value})


def _without(key: str) -> Change:
    return lambda record: compact({name: value for name, value in record.items() if name != key})


def _before_text(key: str, bytes_: str) -> Change:
    """Put raw bytes at the beginning of a text, unescaped."""
    return lambda record: compact(record).replace(f'"{key}":"', f'"{key}":"{bytes_}')


def _lacking(keys: tuple[str, ...]) -> dict[str, Change]:
    """Return each way in which each required key can be missing."""
    return {
        f"{how}_{key}": change
        for key in keys
        for how, change in (("missing", _without(key)), ("null", _with(key, None)), ("empty", _with(key, "")))
    }


def _broken(text: str, number: str) -> dict[str, Change]:
    """Return what can be wrong with any record, given the name of a text and of a number in it."""
    return {
        "trailing_comma": lambda record: compact(record)[:-1] + ",}",
        "missing_comma": lambda record: compact(record).replace(',"', '"', 1),
        "single_quotes": lambda record: compact(record).replace('"', "'"),
        "truncated": lambda record: compact(record)[:100],
        "truncated_pretty": lambda record: "\n".join(_pretty(record).split("\n")[:6]),
        "array": lambda record: f"[{compact(record)}]",
        "array_of_numbers": lambda _: "[1, 2, 3]",
        "number": lambda _: "42",
        "text": lambda _: '"Home"',
        "true": lambda _: "true",
        "null": lambda _: "null",
        "garbage": lambda _: "<html><body>502 Bad Gateway</body></html>",
        f"nan_in_{number}": _with(number, float("nan")),
        f"infinity_in_{number}": _with(number, float("-inf")),
        f"text_in_{number}": _with(number, "long"),
        f"object_in_{text}": _with(text, {"text": "Home"}),
        f"list_in_{text}": _with(text, ["Home", "Away"]),
        f"true_in_{text}": _with(text, True),
        f"too_long_{text}": _with(text, "la " * 23_334),  # 70,002 bytes: too long for any column of Redshift
        "nul_byte": _before_text(text, "\0"),
        "nul_escaped": _with(text, "\0"),
        "invalid_utf8": _before_text(text, "\udcff"),  # the byte FF, as the error handler "surrogateescape" has it
    }


def _of_plays(changes: Mapping[str, Change]) -> dict[str, Change]:
    """Make bad events out of plays only: they are what has all the required keys."""

    def of_plays(change: Change) -> Change:
        return lambda record: change(record) if record["page"] == "NextSong" else None

    return {kind: of_plays(change) for kind, change in changes.items()}


BAD_EVENTS = _of_plays(
    {
        **_lacking(REQUIRED_IN_PLAYS),
        **_broken("song", "length"),
        "fraction_in_sessionId": _with("sessionId", 2.5),
        "true_in_sessionId": _with("sessionId", True),
        "object_in_itemInSession": _with("itemInSession", {"number": 1}),
        "list_in_ts": _with("ts", [1, 2]),
        "text_in_ts": _with("ts", "yesterday"),
        "too_large_ts": _with("ts", 10**20),
        "text_in_status": _with("status", "OK"),
        "true_in_userId": _with("userId", True),
        "too_long_artist": _with("artist", "na " * 23_334),
    }
)
BAD_SONGS: dict[str, Change] = {
    **_lacking(REQUIRED_IN_SONGS),
    **_broken("title", "duration"),
    "fraction_in_year": _with("year", 2001.5),
    "text_in_artist_latitude": _with("artist_latitude", "north"),
    "object_in_artist_location": _with("artist_location", {"city": "Home"}),
    "list_in_song_id": _with("song_id", ["SO1", "SO2"]),
}


def _each(change: Callable[[str, Any], Any]) -> Change:
    """Change each value; the record does not suit when nothing changes."""

    def changed(record: Record) -> str | None:
        values = {key: change(key, value) for key, value in record.items()}
        return compact(values) if compact(values) != compact(record) else None

    return changed


def _nulls_left_out(record: Record) -> str | None:
    given = {key: value for key, value in record.items() if value is not None}
    return compact(given) if len(given) < len(record) else None


def _raw_utf8(record: Record) -> str | None:
    text = json.dumps(record, ensure_ascii=False)
    return None if text.isascii() else text


def _text_as_number(record: Record) -> str | None:
    return compact({**record, "userId": int(record["userId"])}) if record["userId"] else None


HARMLESS: dict[str, Change] = {
    "numbers_as_text": _each(lambda _, value: str(value) if isinstance(value, int) else value),
    "whole_floats": _each(lambda _, value: float(value) if isinstance(value, int) else value),
    "unknown_keys": lambda record: compact({**record, "itemInQueue": 3, "device": {"os": None, "tags": ["a", "}"]}}),
    "keys_reordered": lambda record: compact(dict(reversed(record.items()))),
    "nulls_left_out": _nulls_left_out,
    "raw_utf8": _raw_utf8,
    "pretty_printed": _pretty,
    "blank_lines": lambda record: compact(record) + "\n\n \t",
}
HARMLESS_EVENTS: dict[str, Change] = {**HARMLESS, "text_as_number": _text_as_number}
HARMLESS_SONGS: dict[str, Change] = {
    **HARMLESS,
    "bom": lambda record: "\ufeff" + compact(record),
    "crlf": lambda record: _pretty(record).replace("\n", "\r\n"),
    "gzip": compact,
    "empty_file": lambda _: "",
    "hidden_file": lambda _: "not JSON",
}


def _mojibake(times: int) -> Change:
    def misread(key: str, value: Any) -> Any:
        if key in REPAIRED and isinstance(value, str):
            for _ in range(times):
                value = value.encode().decode("latin-1")
        return value

    return _each(misread)


MANGLED: dict[str, Change] = {
    "mojibake_once": _mojibake(1),
    "mojibake_twice": _mojibake(2),
    "mojibake_thrice": _mojibake(3),
    "low_bytes": _each(
        lambda key, value: value.translate(LOW_BYTES) if key in REPAIRED and isinstance(value, str) else value
    ),
}
