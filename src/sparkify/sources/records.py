"""Split the bytes of a file into JSON records."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

MAX_RECORD = 4 * 1024 * 1024
"""The maximum size of a record in bytes: Redshift's limit for one JSON row (its documentation of COPY from JSON)."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_MAX_BUFFERED = 16 * MAX_RECORD  # bytes kept of one line or one malformed record; a longer line is read in parts
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[{}\[\]"]')
_STRING = re.compile(rb'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"')
_LINE = re.compile(rb".*\n|.+$")
_ADJACENT_OBJECTS = re.compile(rb"\}\s*\{")
_TOO_LONG = f"longer than {MAX_RECORD} bytes"


class RawRecord(NamedTuple):
    """The bytes of one record, valid or malformed. (A tuple, since there are millions.)"""

    line: int  # number of its first line, counted from 1
    text: bytes
    problem: str | None = None  # why it must be rejected; None if its bytes look valid


def split_records(stream: BinaryIO) -> Iterator[RawRecord]:
    """Yield the JSON records of a stream, each with the line in which it begins.

    A line that begins with ``{`` and ends with ``}`` is a record. Otherwise brackets are matched: an object can span
    several lines, and a line can hold several objects. An object that is never closed ends before the next line that
    begins with ``{``: a malformed record never hides a valid one.
    """
    pending: _PendingRecord | None = None
    for number, raw, continued in _lines(stream):
        if pending and (continued or not raw.startswith(b"{")):
            pending.append(raw)
        else:
            if pending:
                yield from pending.recover()
            text = raw.strip()
            if _looks_complete(text):
                yield _record(number, text)
                pending = None
                continue
            pending = _PendingRecord(number, raw.lstrip()) if text else None
        while pending:
            if not pending.text.startswith((b"{", b"[")):
                yield RawRecord(pending.line, bytes(pending.text).strip(), "not a JSON object")
                pending = None
            elif end := pending.end():
                yield _record(pending.line, bytes(pending.text[:end]))
                rest = bytes(pending.text[end:]).lstrip()
                pending = _PendingRecord(number, rest) if rest else None
            else:
                break
    if pending:
        yield from pending.recover()


def split_small(content: bytes) -> Iterable[RawRecord]:
    """Return the records of a small file; faster than `split_records` if the first line holds the only one."""
    text = content.rstrip()
    if b"\n" not in text and _looks_complete(text):
        return (_record(1, text),)
    return split_records(io.BytesIO(content))


class _PendingRecord:
    """A record whose brackets are not all closed yet."""

    def __init__(self, line: int, text: bytes) -> None:
        self.line = line
        self.text = bytearray(text)
        self._depth = 0
        self._position = 0  # brackets are matched up to here
        self._stuck = False  # at a string that its line does not close

    def append(self, raw: bytes) -> None:
        """Append a line, unless the text is already too long to be a record."""
        if len(self.text) < _MAX_BUFFERED:
            self.text += raw
        else:
            self._stuck = True

    def end(self) -> int | None:
        """Return the position after the record, or None while it is open."""
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

    def recover(self) -> Iterator[RawRecord]:
        """Yield the text as malformed records, except for the lines in it that look like complete ones."""
        first, malformed = self.line, b""
        for number, raw in enumerate(_LINE.findall(bytes(self.text)), start=self.line):
            if not _looks_complete(raw.strip()):
                first, malformed = first if malformed else number, malformed + raw
                continue
            if malformed.strip():
                yield _malformed(first, malformed)
            yield _record(number, raw.strip())
            malformed = b""
        if malformed.strip():
            yield _malformed(first, malformed)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the number and bytes of each line of a stream, and whether the bytes continue an overlong line."""
    number, continued = 1, False
    raw = stream.readline(_MAX_BUFFERED).removeprefix(BYTE_ORDER_MARK)
    while raw:
        yield number, raw, continued
        continued = not raw.endswith(b"\n")
        number += not continued
        raw = stream.readline(_MAX_BUFFERED)


def _looks_complete(line: bytes) -> bool:
    return line[:1] == b"{" and line[-1:] == b"}" and (line.find(b"{", 1) < 0 or not _ADJACENT_OBJECTS.search(line))


def _record(line: int, text: bytes) -> RawRecord:
    """Return a record, with the problem that its bytes alone reveal."""
    problem = None
    if text[:1] != b"{":
        problem = "not a JSON object"
    elif len(text) > MAX_RECORD:
        problem = _TOO_LONG
    elif b"\x00" in text or b"\x1e" in text or b"\x1f" in text or (b"\r" in text and b'"' in _STRING.sub(b"", text)):
        problem = "not valid JSON"  # a raw control character in a string (RFC 8259, section 7)
    elif not is_utf8(text):
        problem = "not valid UTF-8"
    return RawRecord(line, text, problem)


def is_utf8(text: bytes) -> bool:
    """Return whether bytes are valid UTF-8."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
    return True


def _malformed(line: int, text: bytes) -> RawRecord:
    return RawRecord(line, text.strip(), _TOO_LONG if len(text) > MAX_RECORD else "not valid JSON")
