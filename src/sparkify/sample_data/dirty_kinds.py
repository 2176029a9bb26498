"""The kinds of dirt that the generator can add to a record."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]
Change = Callable[[Record], str | None]  # → the text to write instead of a record or after it, None if unsuitable

REQUIRED_IN_PLAYS = ("ts", "page", "sessionId", "itemInSession", "userId", "song", "artist")
REQUIRED_IN_SONGS = ("song_id", "artist_id")
REPAIRED = ("artist", "song", "firstName", "lastName", "location", "title", "artist_name", "artist_location")
LOW_BYTES = {ord(mark): ord(mark) & 0xFF for mark in "–—‘’“”"}


def compact(record: Record) -> str:
    """Return the JSON of a record on one line, without blanks."""
    return json.dumps(record, separators=(",", ":"))


def _pretty(record: Record) -> str:
    return json.dumps(record, indent=2)


def _with(key: str, value: object) -> Change:
    return lambda record: compact({**record, key: value})


def _without(key: str) -> Change:
    return lambda record: compact({name: value for name, value in record.items() if name != key})


def _with_prefix(key: str, prefix: str) -> Change:
    """Return the change that inserts an unescaped prefix into a text."""
    return lambda record: compact(record).replace(f'"{key}":"', f'"{key}":"{prefix}')


def _without_each(keys: tuple[str, ...]) -> dict[str, Change]:
    """Return the changes that remove each required key, or make it null or empty."""
    return {
        f"{how}_{key}": change
        for key in keys
        for how, change in (("missing", _without(key)), ("null", _with(key, None)), ("empty", _with(key, "")))
    }


def _faults(text: str, number: str) -> dict[str, Change]:
    """Return the faults that any record can have, given the keys of a text and of a number in it."""
    return {
        "trailing_comma": lambda record: compact(record)[:-1] + ",}",
        "missing_comma": lambda record: compact(record).replace(',"', '"', 1),
        "single_quotes": lambda record: compact(record).replace('"', "'"),
        "truncated": lambda record: compact(record)[:100],
        "truncated_pretty": lambda record: "\n".join(_pretty(record).split("\n")[:6]),
        "nested_array": lambda record: f"[[{compact(record)}]]",
        "array_of_a_number": lambda _: "[42]",
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
        f"too_long_{text}": _with(text, "la " * 23_334),  # 70,002 bytes, too long for any column of Redshift
        "nul_byte": _with_prefix(text, "\0"),
        "nul_escaped": _with(text, "\0"),
        "invalid_utf8": _with_prefix(text, "\udcff"),  # the byte FF, for the error handler "surrogateescape"
    }


def _only_plays(changes: Mapping[str, Change]) -> dict[str, Change]:
    """Return the changes restricted to plays, which have all the required keys."""

    def only_plays(change: Change) -> Change:
        return lambda record: change(record) if record["page"] == "NextSong" else None

    return {kind: only_plays(change) for kind, change in changes.items()}


BAD_EVENTS = _only_plays(
    {
        **_without_each(REQUIRED_IN_PLAYS),
        **_faults("song", "length"),
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
    **_without_each(REQUIRED_IN_SONGS),
    **_faults("title", "duration"),
    "fraction_in_year": _with("year", 2001.5),
    "text_in_artist_latitude": _with("artist_latitude", "north"),
    "object_in_artist_location": _with("artist_location", {"city": "Home"}),
    "list_in_song_id": _with("song_id", ["SO1", "SO2"]),
}


def _each(change: Callable[[str, Any], Any]) -> Change:
    """Return the change of every value; it does not suit a record that it leaves unchanged."""

    def changed(record: Record) -> str | None:
        values = {key: change(key, value) for key, value in record.items()}
        return compact(values) if compact(values) != compact(record) else None

    return changed


def _without_nulls(record: Record) -> str | None:
    kept = {key: value for key, value in record.items() if value is not None}
    return compact(kept) if len(kept) < len(record) else None


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
    "nulls_left_out": _without_nulls,
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


def _damaged(change: Callable[[str], str]) -> Change:
    """Return the change of every text that the repair of mojibake covers."""
    return _each(lambda key, value: change(value) if key in REPAIRED and isinstance(value, str) else value)


def _misread(text: str) -> str:
    return text.encode().decode("latin-1")


MANGLED: dict[str, Change] = {
    "mojibake_once": _damaged(_misread),
    "mojibake_twice": _damaged(lambda text: _misread(_misread(text))),
    "mojibake_thrice": _damaged(lambda text: _misread(_misread(_misread(text)))),
    "low_bytes": _damaged(lambda text: text.translate(LOW_BYTES)),
}
