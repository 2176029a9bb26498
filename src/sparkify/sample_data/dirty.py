"""Dirty data, as written by `generate --dirty`, and the list of it in `out/dirt.json`.

A share of the records is altered. The kinds of dirt take turns:

    bad        a broken copy is added after the record, or in another file: a load must reject it
    harmless   the record is written in another way: a load must accept it
    mangled    its text is damaged in a way that the repair of mojibake undoes
    repeated   it occurs twice

Day files also take turns: with a byte order mark, with CRLF, compressed, or next to a hidden file. dirt.json holds

    {"rejected": [{"file": path relative to out, "line": first line of the record, "reason": kind}, …],
     "accepted": {harmless kind: count}, "duplicates": count, "mangled": count}

A bad record always ends at the end of the file, or before a line that begins with `{`.
"""

import json
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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


class DirtyWriter:
    """A context manager that writes dirty data, and lists the dirt in dirt.json.

    Bad records are listed as they are written, so that they are not kept in memory.
    """

    def __init__(self, out: Path, seed: int, share: float) -> None:
        self.counts: Counter[str] = Counter()  # of every kind that is not bad
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
            "accepted": {kind: self.counts[kind] for kind in sorted(self.counts) if kind not in (*MANGLED, *REPEATED)},
            "duplicates": sum(self.counts[kind] for kind in REPEATED),
            "mangled": sum(self.counts[kind] for kind in MANGLED),
        }
        self._file.write("\n], " + json.dumps(rest).removeprefix("{") + "\n")
        self._file.close()

    def reject(self, path: Path, line: int, kind: str) -> None:
        """Add a bad record, which begins in this line, to dirt.json."""
        entry = {"file": path.relative_to(self._out).as_posix(), "line": line, "reason": kind}
        self._file.write((",\n" if self.rejected else "\n") + json.dumps(entry))
        self.rejected += 1


class _DirtySongs:
    """A writer of song files, some of them dirty."""

    def __init__(self, writer: DirtyWriter, draw: Draw, share: float) -> None:
        self._writer = writer
        self._draw = draw
        self._share = share
        self._deck = _Deck({**BAD_SONGS, **HARMLESS_SONGS, **MANGLED, "repeated": json.dumps}, draw)

    def write(self, path: Path, song: str) -> int:
        """Write a song, perhaps with dirt; return the number of files that are not hidden."""
        files = self._alter(path, song) if self._draw() < self._share else {path: song}
        for file, content in files.items():
            with _open_text(file) as write:
                write(content)
        return sum(not file.name.startswith(".") for file in files)

    def _alter(self, path: Path, song: str) -> dict[Path, str]:
        """Return the files to write instead of a song's file, with their content."""
        other = path.with_name(f"{path.name[:7]}X{path.name[8:]}")  # No track id has an X there.
        kind, text = self._deck.deal(json.loads(song))
        if kind in BAD_SONGS:
            if self._draw() < 0.5:
                self._writer.reject(path, 2, kind)
                return {path: f"{song}\n{text}"}
            self._writer.reject(other, 1, kind)
            return {path: song, other: text}
        self._writer.counts[kind] += 1
        if kind == "gzip":
            return {path.with_name(path.name + ".gz"): text}
        if kind in ("repeated", "empty_file"):
            return {path: song, other: text}
        if kind == "hidden_file":
            return {path: song, other.with_name("." + other.name): text}
        return {path: text}


class _DirtyDays:
    """A writer of day files in which some events are dirty."""

    def __init__(self, writer: DirtyWriter, draw: Draw, share: float) -> None:
        self._writer = writer
        self._draw = draw
        self._share = share
        self._deck = _Deck(
            {
                **BAD_EVENTS,
                **HARMLESS_EVENTS,
                **MANGLED,
                "repeated": compact,
                "repeated_elsewhere": lambda _: self._earlier,
                "two_on_a_line": lambda record: compact(record) if self._can_join else None,
            },
            draw,
        )
        self._days = 0
        self._path = Path()  # of the current day
        self._lines = 0  # written to it so far
        self._can_join = False  # whether another event can be appended to its last line
        self._clean: str | None = None  # the last unchanged event
        self._earlier: str | None = None  # an unchanged event of an earlier day

    def write(self, path: Path, hours: Iterator[list[str]]) -> int:
        """Write the events of a day, some of them dirty; return the number of good events."""
        form = DAY_FORMS[self._days % len(DAY_FORMS)]
        self._days += 1
        self._writer.counts[form] += 1
        self._path = path.with_name(path.name + ".gz") if form == "gzip" else path
        self._lines, self._earlier = 0, self._clean
        if form == "hidden_file":
            path.with_name(f".{path.name}").write_bytes(b"not JSON")
        events = 0
        with _open_text(self._path) as write:
            for lines in hours:
                text = ("\n" if events else "\ufeff" if form == "bom" else "") + "\n".join(self._alter(lines))
                write(text.replace("\n", "\r\n") if form == "crlf" else text)
                events += len(lines)
        return events

    def _alter(self, events: list[str]) -> list[str]:
        """Return the texts to write, separated by newlines, instead of the events of an hour."""
        texts: list[str] = []
        self._can_join = False
        for event in events:
            if self._draw() >= self._share:
                texts.append(event)
                self._clean, self._can_join = event, True
                self._lines += 1
                continue
            kind, text = self._deck.deal(json.loads(event))
            if kind == "two_on_a_line":
                texts[-1] += text
            elif kind in BAD_EVENTS or kind in REPEATED:
                texts += [event, text]
                self._lines += 1
            else:
                texts.append(text)
            if kind in BAD_EVENTS:
                self._writer.reject(self._path, self._lines + 1, kind)
            else:
                self._writer.counts[kind] += 1
            self._lines += 0 if kind == "two_on_a_line" else text.count("\n") + 1
            self._can_join = False
        return texts


class _Deck:
    """A shuffled deck of the kinds of dirt. A kind that does not suit a record waits on top for the next one."""

    def __init__(self, kinds: Mapping[str, Change], draw: Draw) -> None:
        self._kinds = kinds
        self._draw = draw
        self._cards: list[str] = []

    def deal(self, record: Record) -> tuple[str, str]:
        """Return the next kind, and the text that it makes of the record."""
        while True:
            for kind in self._cards:
                if (text := self._kinds[kind](record)) is not None:
                    self._cards.remove(kind)
                    return kind, text
            more = [kind for kind in self._kinds if kind not in self._cards]
            self._cards += sorted(more, key=lambda _: self._draw())


@contextmanager
def _open_text(path: Path) -> Iterator[Callable[[str], object]]:
    """Open a file, as gzip if its name ends in .gz; yield a function that writes text to it."""
    with path.open("wb") as file:
        archive = _StoredGzip(file) if path.suffix == ".gz" else None
        write = archive.write if archive else file.write
        yield lambda text: write(text.encode("utf-8", "surrogateescape"))
        if archive:
            archive.finish()


class _StoredGzip:
    """A writer of gzip without compression, because the output of a compressor depends on its version."""

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
        """Write the last block and the checksum."""
        self._file.write(struct.pack("<BHHLL", 1, 0, 0xFFFF, self._checksum, self._size & 0xFFFFFFFF))
