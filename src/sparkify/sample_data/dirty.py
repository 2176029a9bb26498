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
from typing import BinaryIO, Self

from sparkify.sample_data.chance import Draw, stream
from sparkify.sample_data.dirty_kinds import (
    BAD_EVENTS,
    BAD_SONGS,
    HARMLESS_EVENTS,
    HARMLESS_SONGS,
    MANGLED,
    Change,
    Record,
    compact,
)

DAY_FORMS = ("bom", "crlf", "gzip", "hidden_file")


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
                "repeated": compact,
                "repeated_elsewhere": lambda _: self._elsewhere,
                "two_on_a_line": lambda record: compact(record) if self._joinable else None,
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
