"""What `generate --dirty` does to the data, and the account that it leaves in `out/dirt.json`.

A share of the records has something odd happen to it, one kind of oddity after the other:

    bad        a broken copy is added behind the record, or in a file beside it: a load must refuse it
    harmless   the record is written in another way: a load must take it all the same
    mangled    its text is damaged in the ways that the text repair undoes
    repeated   it stands there twice

and day files are written with a byte order mark, with CRLF, packed, or beside a hidden file, in turn. dirt.json holds

    {"rejected": [{"file": path below out, "line": where the record begins, "reason": its kind}, …],
     "accepted": {harmless kind: how many}, "duplicates": n, "mangled": n}

A bad record is always followed by a line that begins with `{`, or by the end of the file.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Self

from sparkify.vocabulary import Draw, stream

Record = dict[str, Any]
Change = Callable[[Record], str | None]  # → what is written instead or in addition; None for records it does not suit

REQUIRED_IN_PLAYS = ("ts", "page", "sessionId", "itemInSession", "userId", "song", "artist")
REQUIRED_IN_SONGS = ("song_id", "artist_id")
REPAIRED = ("artist", "song", "firstName", "lastName", "location", "title", "artist_name", "artist_location")
LOW_BYTES = {ord(mark): ord(mark) & 0xFF for mark in "–—‘’“”"}
DAY_FORMS = ("bom", "crlf", "gzip", "hidden_file")


def _compact(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"))


def _pretty(record: Record) -> str:
    return json.dumps(record, indent=2)


def _with(key: str, value: object) -> Change:
    return lambda record: _compact({**record, key: value})


def _without(key: str) -> Change:
    return lambda record: _compact({name: value for name, value in record.items() if name != key})


def _before_text(key: str, bytes_: str) -> Change:
    """Put raw bytes at the beginning of a text, unescaped."""
    return lambda record: _compact(record).replace(f'"{key}":"', f'"{key}":"{bytes_}')


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
        "trailing_comma": lambda record: _compact(record)[:-1] + ",}",
        "missing_comma": lambda record: _compact(record).replace(',"', '"', 1),
        "single_quotes": lambda record: _compact(record).replace('"', "'"),
        "truncated": lambda record: _compact(record)[:100],
        "truncated_pretty": lambda record: "\n".join(_pretty(record).split("\n")[:6]),
        "array": lambda record: f"[{_compact(record)}]",
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
        return _compact(values) if _compact(values) != _compact(record) else None

    return changed


def _nulls_left_out(record: Record) -> str | None:
    given = {key: value for key, value in record.items() if value is not None}
    return _compact(given) if len(given) < len(record) else None


def _raw_utf8(record: Record) -> str | None:
    text = json.dumps(record, ensure_ascii=False)
    return None if text.isascii() else text


def _text_as_number(record: Record) -> str | None:
    return _compact({**record, "userId": int(record["userId"])}) if record["userId"] else None


HARMLESS: dict[str, Change] = {
    "numbers_as_text": _each(lambda _, value: str(value) if isinstance(value, int) else value),
    "whole_floats": _each(lambda _, value: float(value) if isinstance(value, int) else value),
    "unknown_keys": lambda record: _compact({**record, "itemInQueue": 3, "device": {"os": None, "tags": ["a", "}"]}}),
    "keys_reordered": lambda record: _compact(dict(reversed(record.items()))),
    "nulls_left_out": _nulls_left_out,
    "raw_utf8": _raw_utf8,
    "pretty_printed": _pretty,
    "blank_lines": lambda record: _compact(record) + "\n\n \t",
}
HARMLESS_EVENTS: dict[str, Change] = {**HARMLESS, "text_as_number": _text_as_number}
HARMLESS_SONGS: dict[str, Change] = {
    **HARMLESS,
    "bom": lambda record: "\ufeff" + _compact(record),
    "crlf": lambda record: _pretty(record).replace("\n", "\r\n"),
    "gzip": _compact,
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


REPEATED = ("repeated", "repeated_elsewhere")


class _Deck:
    """Kinds of dirt, dealt in turn. A kind that does not suit a record waits on top for one that it suits."""

    def __init__(self, kinds: Mapping[str, Change], draw: Draw) -> None:
        self._kinds = kinds
        self._draw = draw
        self._cards: list[str] = []

    def deal(self, record: Record) -> tuple[str, str]:
        """Return a kind, and what it makes of the record."""
        while True:
            for kind in self._cards:
                if (text := self._kinds[kind](record)) is not None:
                    self._cards.remove(kind)
                    return kind, text
            more = [kind for kind in self._kinds if kind not in self._cards]
            self._cards += sorted(more, key=lambda _: self._draw())


class _StoredGzip:
    """Writes gzip without compressing: what a compressor makes of the same bytes depends on its version."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._checksum = 0
        self._size = 0
        file.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")

    def write(self, content: bytes) -> None:
        """Write some bytes, in blocks of at most 65,535."""
        self._checksum = zlib.crc32(content, self._checksum)
        self._size += len(content)
        for start in range(0, len(content), 0xFFFF):
            block = content[start : start + 0xFFFF]
            self._file.write(struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF) + block)

    def finish(self) -> None:
        """Write the end, with the checksum."""
        self._file.write(struct.pack("<BHHLL", 1, 0, 0xFFFF, self._checksum, self._size & 0xFFFFFFFF))


@contextmanager
def _writing(path: Path) -> Iterator[Callable[[str], object]]:
    """Open a file, packed when its name ends in .gz; give a function that writes text to it."""
    with path.open("wb") as file:
        packed = _StoredGzip(file) if path.suffix == ".gz" else None
        write = packed.write if packed else file.write
        yield lambda text: write(text.encode("utf-8", "surrogateescape"))
        if packed:
            packed.finish()


class Dirt:
    """The account of what is done to the data; its two functions write the files.

    dirt.json grows as records are refused, so that they need not be held. Open it with `with`.
    """

    def __init__(self, out: Path, seed: int, share: float) -> None:
        self.done: Counter[str] = Counter()  # all that is not bad, by kind
        self.rejected = 0
        self.write_song = _DirtySongs(self, stream(seed, "dirty songs"), share).write
        self.write_day = _DirtyDays(self, stream(seed, "dirty days"), share).write
        self._out = out

    def __enter__(self) -> Self:
        self._file = (self._out / "dirt.json").open("w", encoding="utf-8", newline="\n")
        self._file.write('{"rejected": [')
        return self

    def __exit__(self, *_: object) -> None:
        rest = {
            "accepted": {kind: self.done[kind] for kind in sorted(self.done) if kind not in (*MANGLED, *REPEATED)},
            "duplicates": sum(self.done[kind] for kind in REPEATED),
            "mangled": sum(self.done[kind] for kind in MANGLED),
        }
        self._file.write("\n], " + json.dumps(rest).removeprefix("{") + "\n")
        self._file.close()

    def reject(self, path: Path, line: int, kind: str) -> None:
        """Note a bad record, and the line that it begins in."""
        note = {"file": path.relative_to(self._out).as_posix(), "line": line, "reason": kind}
        self._file.write((",\n" if self.rejected else "\n") + json.dumps(note))
        self.rejected += 1


class _DirtySongs:
    """Writes song files, of which some are odd."""

    def __init__(self, dirt: Dirt, draw: Draw, share: float) -> None:
        self._dirt = dirt
        self._draw = draw
        self._share = share
        self._deck = _Deck({**BAD_SONGS, **HARMLESS_SONGS, **MANGLED, "repeated": json.dumps}, draw)

    def write(self, path: Path, song: str) -> int:
        """Write a song, and perhaps something odd; return how many files that took."""
        files = self._soil(path, song) if self._draw() < self._share else {path: song}
        for name, content in files.items():
            with _writing(name) as write:
                write(content)
        return sum(not name.name.startswith(".") for name in files)

    def _soil(self, path: Path, song: str) -> dict[Path, str]:
        """Do something to a song; return the files to write, and their content."""
        beside = path.with_name(f"{path.name[:7]}X{path.name[8:]}")  # no song has an X there
        kind, text = self._deck.deal(json.loads(song))
        if kind in BAD_SONGS:
            if self._draw() < 0.5:
                self._dirt.reject(path, 2, kind)
                return {path: f"{song}\n{text}"}
            self._dirt.reject(beside, 1, kind)
            return {path: song, beside: text}
        self._dirt.done[kind] += 1
        if kind == "gzip":
            return {path.with_name(path.name + ".gz"): text}
        if kind in ("repeated", "empty_file"):
            return {path: song, beside: text}
        if kind == "hidden_file":
            return {path: song, beside.with_name("." + beside.name): text}
        return {path: text}


class _DirtyDays:
    """Writes day files, in which some events are odd."""

    def __init__(self, dirt: Dirt, draw: Draw, share: float) -> None:
        self._dirt = dirt
        self._draw = draw
        self._share = share
        self._deck = _Deck(
            {
                **BAD_EVENTS,
                **HARMLESS_EVENTS,
                **MANGLED,
                "repeated": _compact,
                "repeated_elsewhere": lambda _: self._elsewhere,
                "two_on_a_line": lambda record: _compact(record) if self._joinable else None,
            },
            draw,
        )
        self._days = 0
        self._path = Path()  # of the day that is being written
        self._lines = 0  # of it, so far
        self._joinable = False  # whether another event can go on its last line
        self._clean: str | None = None  # the last event that was written as it is
        self._elsewhere: str | None = None  # one from an earlier day

    def write(self, path: Path, hours: Iterator[list[str]]) -> int:
        """Write a day of events, some of them odd; return how many are good."""
        first = next(hours, None)
        if first is None:
            return 0
        form = DAY_FORMS[self._days % len(DAY_FORMS)]
        self._days += 1
        self._dirt.done[form] += 1
        self._path = path.with_name(path.name + ".gz") if form == "gzip" else path
        self._lines, self._elsewhere = 0, self._clean
        path.parent.mkdir(parents=True, exist_ok=True)
        if form == "hidden_file":
            path.with_name(f".{path.name}").write_bytes(b"not JSON")
        events = 0
        with _writing(self._path) as write:
            for lines in chain([first], hours):
                text = ("\n" if events else "\ufeff" if form == "bom" else "") + "\n".join(self._soil(lines))
                write(text.replace("\n", "\r\n") if form == "crlf" else text)
                events += len(lines)
        return events

    def _soil(self, events: list[str]) -> list[str]:
        """Do something to some of the events of an hour; return the lines to write."""
        pieces: list[str] = []
        self._joinable = False
        for event in events:
            if self._draw() >= self._share:
                pieces.append(event)
                self._clean, self._joinable = event, True
                self._lines += 1
                continue
            kind, text = self._deck.deal(json.loads(event))
            if kind == "two_on_a_line":
                pieces[-1] += text
            elif kind in BAD_EVENTS or kind in REPEATED:
                pieces += [event, text]
                self._lines += 1
            else:
                pieces.append(text)
            if kind in BAD_EVENTS:
                self._dirt.reject(self._path, self._lines + 1, kind)
            else:
                self._dirt.done[kind] += 1
            self._lines += 0 if kind == "two_on_a_line" else text.count("\n") + 1
            self._joinable = False
        return pieces
