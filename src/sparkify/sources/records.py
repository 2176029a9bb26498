"""Cut the bytes of a file into JSON records."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

MAX_RECORD = 4 * 1024 * 1024
"""The longest record in bytes: Redshift's limit for one JSON row ("COPY from JSON format", its documentation)."""

_MAX_HELD = 16 * MAX_RECORD  # bytes held of one line or one broken piece; what is longer goes by in parts
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[{}\[\]"]')
_TEXT = re.compile(rb'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"')
_LINE = re.compile(rb".*\n|.+$")
_TOO_LONG = f"longer than {MAX_RECORD} bytes"
_SEVERAL = re.compile(rb"\}\s*\{")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Piece(NamedTuple):
    """A stretch of a file that is one record, or that should have been one. (A tuple, since there are millions.)"""

    line: int  # of its first character, counted from 1
    text: bytes
    flaw: str | None = None  # why it cannot be a record; None when it looks like one


def cut_small(content: bytes) -> Iterable[Piece]:
    """Cut the bytes of a small file into records; faster than `cut` if one record, on its first line, is all."""
    text = content.rstrip()
    if b"\n" not in text and _looks_whole(text):
        return (_piece(1, text),)
    return cut(io.BytesIO(content))


def cut(stream: BinaryIO) -> Iterator[Piece]:
    """Cut a stream of JSON into records, each with the line that it begins in.

    A line that begins with ``{`` and ends with ``}`` is a record. Otherwise brackets are matched: an object may
    go over several lines, and several may stand on one. What is never closed is one flawed piece, up to the next
    line that begins with ``{``: a broken record takes no good one with it.
    """
    begun: _Begun | None = None
    for number, raw, continued in _lines(stream):
        if begun and (continued or not raw.startswith(b"{")):
            begun.add(raw)
        else:
            if begun:
                yield from begun.broken()
            text = raw.strip()
            if _looks_whole(text):
                yield _piece(number, text)
                begun = None
                continue
            begun = _Begun(number, raw.lstrip()) if text else None
        while begun:
            if not begun.text.startswith((b"{", b"[")):
                yield Piece(begun.line, bytes(begun.text).strip(), "not a JSON object")
                begun = None
            elif end := begun.end():
                yield _piece(begun.line, bytes(begun.text[:end]))
                rest = bytes(begun.text[end:]).lstrip()
                begun = _Begun(number, rest) if rest else None
            else:
                break
    if begun:
        yield from begun.broken()


def _looks_whole(line: bytes) -> bool:
    return line[:1] == b"{" and line[-1:] == b"}" and (line.find(b"{", 1) < 0 or not _SEVERAL.search(line))


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """Yield number, bytes, and whether they go on with an overlong line, for each line of a stream."""
    number, continued = 1, False
    raw = stream.readline(_MAX_HELD).removeprefix(BYTE_ORDER_MARK)
    while raw:
        yield number, raw, continued
        continued = not raw.endswith(b"\n")
        number += not continued
        raw = stream.readline(_MAX_HELD)


def _piece(line: int, text: bytes) -> Piece:
    """Return a record, or say which flaw its bytes alone show."""
    flaw = None
    if text[:1] != b"{":
        flaw = "not a JSON object"
    elif len(text) > MAX_RECORD:
        flaw = _TOO_LONG
    elif b"\x00" in text or b"\x1e" in text or b"\x1f" in text or (b"\r" in text and b'"' in _TEXT.sub(b"", text)):
        flaw = "not valid JSON"  # whose texts take no raw control character (RFC 8259, section 7)
    elif not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            flaw = "not valid UTF-8"
    return Piece(line, text, flaw)


class _Begun:
    """A record that has begun and is not closed yet."""

    def __init__(self, line: int, text: bytes) -> None:
        self.line = line
        self.text = bytearray(text)
        self._depth = 0
        self._position = 0  # what stands before it has been matched
        self._stuck = False  # at a string that does not end on its line

    def add(self, raw: bytes) -> None:
        """Read on; of what is too long to be a record, only the beginning is kept."""
        if len(self.text) < _MAX_HELD:
            self.text += raw
        else:
            self._stuck = True

    def end(self) -> int | None:
        """Return where the record ends, or None while it is open."""
        while not self._stuck and (token := _TOKEN.search(self.text, self._position)):
            mark = token[0]
            if mark == b'"':
                self._stuck = self.text.find(b"\n", token.start()) >= 0
                return None
            self._position = token.end()
            if mark in (b"{", b"["):
                self._depth += 1
            elif mark in (b"}", b"]"):
                self._depth -= 1
                if self._depth == 0:
                    return self._position
        return None

    def broken(self) -> Iterator[Piece]:
        """Yield what has been read: a broken piece, but for the lines in it that look like records."""
        first, broken = self.line, b""
        for number, raw in enumerate(_LINE.findall(bytes(self.text)), start=self.line):
            whole = _looks_whole(raw.strip())
            if broken.strip() and whole:
                yield _broken(first, broken)
            if whole:
                yield _piece(number, raw.strip())
            first, broken = (first, broken + raw) if broken and not whole else (number, b"" if whole else raw)
        if broken.strip():
            yield _broken(first, broken)


def _broken(line: int, text: bytes) -> Piece:
    return Piece(line, text.strip(), _TOO_LONG if len(text) > MAX_RECORD else "not valid JSON")
