"""Split the bytes of a file into JSON records.

A file holds JSON objects: one a line, pretty-printed, one after the other, or in top-level arrays. Splitting finds
where each record begins and ends; the reader decides whether it is valid. The work is linear in the size of the file.
"""

import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

MAX_RECORD = 4 * 1024 * 1024
"""The maximum size of a record in bytes: Redshift's limit for one JSON row (its documentation of COPY from JSON)."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_AN_OBJECT = "not a JSON object"
NOT_JSON = "not valid JSON"

_MAX_BUFFERED = 16 * MAX_RECORD  # bytes kept of one malformed record
_BLOCK = 1 << 20  # bytes read at a time, at least
# The quantifiers are possessive: a pattern that fails has read each byte once.
_STRING = rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_TOKEN = re.compile(_STRING + rb'|\n\{|[{}\[\]"]')
_FLAT_OBJECT = re.compile(rb'\{[^{}\[\]"]*+(?:' + _STRING + rb'[^{}\[\]"]*+)*+\}')
_SCALAR = re.compile(_STRING + rb'|[^\s,\[\]{}"]++')
_BLANKS = re.compile(rb"(?:[ \t\r\n\v\f]|" + BYTE_ORDER_MARK + rb")*")
_ADJACENT_OBJECTS = re.compile(rb"\}(?:\s|" + BYTE_ORDER_MARK + rb")*\{")
_STRING_WITHOUT_RETURN = re.compile(rb'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"')
_LINE = re.compile(rb".*\n|.+$")
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

    The elements of a top-level array are records of their own; those that are not objects are malformed records. After
    a fault in an array, the elements continue at the next line that begins with ``{``. An array that is never closed
    gives one more malformed record, unless another fault was found in it.
    """
    return _Splitter(stream).records()


def split_small(content: bytes) -> Iterable[RawRecord]:
    """Return the records of a small file; faster than `split_records` if the first line holds the only one."""
    text = content.rstrip()
    if b"\n" not in text and _looks_complete(text):
        return (_record(1, text),)
    return split_records(io.BytesIO(content))


def leaves_array_open(line: bytes) -> bool:
    """Return whether a line opens a top-level array that it does not close."""
    if b"[" not in line:
        return False
    splitter = _Splitter(io.BytesIO(line))
    for _ in splitter.records():
        pass
    return splitter.array_is_open


class _Splitter:
    """Reads a stream through a buffer whose start is the first byte that has not been split."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._has_ended = False
        self._buffer = b""
        self._start = 0
        self._line = 1  # of the start
        self._begins_line = True  # only blanks are before the start on its line
        self.array_is_open = False  # at the end of the stream

    def records(self) -> Iterator[RawRecord]:
        while first := self._next():
            if first == b"{":
                complete = self._complete_line() if self._begins_line else 0
                yield from self._take(complete) if complete else self._bracketed()
            elif first == b"[":
                yield from self._elements()
            else:
                yield self._rest_of_line()

    def _elements(self) -> Iterator[RawRecord]:
        """Yield the elements of the array at the start."""
        opened, is_faulty = self._line, False
        self._advance(1)
        state = "begun"  # then "element" or "comma", by what was read last; "fault" behind a malformed stretch
        while first := self._next():
            if first == b"]":
                if state == "comma":
                    yield RawRecord(self._line, b",", NOT_JSON)
                self._advance(1)
                return
            if first == b",":
                if state != "element":
                    yield RawRecord(self._line, b",", NOT_JSON)
                    is_faulty = True
                self._advance(1)
                state = "comma"
            elif state == "element" and first == b"{" and self._begins_line:
                break  # The records that follow are not in the array.
            elif state == "element" or not (length := self._element_length(first)):
                yield from self._malformed_rest()
                is_faulty, state = True, "fault"
            else:
                yield from self._take(length)
                state = "element"
        self.array_is_open = not self._next()
        if not is_faulty:
            yield RawRecord(opened, b"[", NOT_JSON)

    def _element_length(self, first: bytes) -> int:
        return self._bracketed_length() if first in (b"{", b"[") else self._scalar_length()

    def _bracketed(self) -> Iterator[RawRecord]:
        length = self._bracketed_length()
        return self._take(length) if length else self._malformed_rest()

    def _complete_line(self) -> int:
        """Return the length of the rest of the line without blanks at its end, if it looks like one record; else 0."""
        end = self._find(b"\n", 0, MAX_RECORD)
        length = end if end >= 0 else len(self._buffer) - self._start
        if length > MAX_RECORD:
            return 0
        line = self._buffer[self._start : self._start + length].rstrip()
        return len(line) if _looks_complete(line) else 0

    def _bracketed_length(self) -> int:
        """Return the length up to the bracket that closes the one at the start; 0 if there is none.

        A string that does not end on its line, and a line that begins with a bracket, leave it open.
        """
        if flat := _FLAT_OBJECT.match(self._buffer, self._start):
            return flat.end() - self._start
        depth, position = 0, 0  # of the brackets up to the position
        while True:
            for token in _TOKEN.finditer(self._buffer, self._start + position):
                mark = token[0]
                if mark == b'"':
                    position = token.start() - self._start
                    if self._buffer.find(b"\n", token.start()) >= 0:
                        return 0
                    break  # the buffer may end within a string
                if mark == b"\n{":
                    return 0
                depth += (mark in b"{[") - (mark in b"}]")
                position = token.end() - self._start
                if not depth:
                    return position
            else:
                position = len(self._buffer) - self._start - self._buffer.endswith(b"\n")
            if position > _MAX_BUFFERED or not self._read_more():
                return 0

    def _scalar_length(self) -> int:
        """Return the length of the string, number or word at the start; 0 if it does not end, or is too long."""
        while True:
            scalar = _SCALAR.match(self._buffer, self._start)
            may_go_on = scalar.end() == len(self._buffer) if scalar else b"\n" not in self._buffer[self._start :]
            if not may_go_on or len(self._buffer) - self._start > MAX_RECORD or not self._read_more():
                return len(scalar[0]) if scalar and len(scalar[0]) <= MAX_RECORD else 0

    def _malformed_rest(self) -> Iterator[RawRecord]:
        """Yield the text up to the next line that begins with a bracket, as malformed records.

        Of a text that is far too long, only the beginning is kept.
        """
        end = self._find(b"\n{", 1, _MAX_BUFFERED)
        text = self._buffer[self._start : self._start + end + 1 if end >= 0 else len(self._buffer)]
        yield from _recover(self._line, text)
        self._advance(len(text))
        if end < 0:
            self._skip_to(b"\n{", 1)
        self._begins_line = True

    def _rest_of_line(self) -> RawRecord:
        line = self._line
        end = self._find(b"\n", 0, _MAX_BUFFERED)
        text = self._buffer[self._start : self._start + end if end >= 0 else len(self._buffer)]
        self._advance(len(text))
        if end < 0:
            self._skip_to(b"\n", 0)
        return RawRecord(line, text.rstrip(), NOT_AN_OBJECT)

    def _skip_to(self, mark: bytes, kept: int) -> None:
        """Advance to a mark, behind its first `kept` bytes, or to the end."""
        while (end := self._find(mark, 0, 0)) < 0:
            self._advance(len(self._buffer) - self._start - (len(mark) - 1) * (not self._has_ended))
            if not self._read_more():
                self._advance(len(self._buffer) - self._start)
                return
        self._advance(end + kept)

    def _take(self, length: int) -> Iterator[RawRecord]:
        record = _record(self._line, self._buffer[self._start : self._start + length])
        self._advance(length)
        yield record

    def _advance(self, length: int) -> None:
        end = self._start + length
        self._line += self._buffer.count(b"\n", self._start, end)
        self._start = end
        self._begins_line = False

    def _next(self) -> bytes:
        """Advance to the next byte that is not blank, and return it; b"" at the end.

        A byte order mark is blank: files are concatenated.
        """
        while True:
            end = _BLANKS.match(self._buffer, self._start).end()  # type: ignore[union-attr]  # it matches anything
            lines = self._buffer.count(b"\n", self._start, end)
            self._line += lines
            self._begins_line |= lines > 0
            self._start = end
            if len(self._buffer) - end >= len(BYTE_ORDER_MARK) or not self._read_more():
                return self._buffer[self._start : self._start + 1]

    def _find(self, mark: bytes, offset: int, limit: int) -> int:
        """Return where a mark is, from the start; -1 if it is not found before the end or a limit of bytes."""
        while (found := self._buffer.find(mark, self._start + offset)) < 0:
            offset = max(offset, len(self._buffer) - self._start - len(mark) + 1)
            if offset > limit or not self._read_more():
                return -1
        return found - self._start

    def _read_more(self) -> bool:
        """Append to the buffer as much as it still holds, so that the total work stays linear; False at the end."""
        if not self._has_ended:
            rest = self._buffer[self._start :]
            block = self._stream.read(max(_BLOCK, len(rest)))
            self._buffer, self._start, self._has_ended = rest + block, 0, not block
        return not self._has_ended


def _looks_complete(line: bytes) -> bool:
    return line[:1] == b"{" and line[-1:] == b"}" and (line.find(b"{", 1) < 0 or not _ADJACENT_OBJECTS.search(line))


def _record(line: int, text: bytes) -> RawRecord:
    """Return a record, with the problem that its bytes alone show."""
    problem = None
    if text[:1] != b"{":
        problem = NOT_AN_OBJECT
    elif len(text) > MAX_RECORD:
        problem = _TOO_LONG
    elif (
        b"\x00" in text
        or b"\x1e" in text
        or b"\x1f" in text
        or (b"\r" in text and b'"' in _STRING_WITHOUT_RETURN.sub(b"", text))
    ):
        problem = NOT_JSON  # a string contains a raw control character (RFC 8259, section 7)
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


def _recover(line: int, text: bytes) -> Iterator[RawRecord]:
    """Yield a malformed text as malformed records, except for the lines in it that look like complete ones."""
    first, malformed = line, bytearray()
    for number, raw in enumerate(_LINE.findall(text), start=line):
        stripped = raw.strip()
        if _looks_complete(stripped):
            yield from _malformed(first, malformed)
            yield _record(number, stripped)
            malformed.clear()
        elif malformed or stripped:
            first = first if malformed else number
            malformed += raw
    yield from _malformed(first, malformed)


def _malformed(line: int, text: bytearray) -> Iterator[RawRecord]:
    if stripped := bytes(text.strip()):
        yield RawRecord(line, stripped, _TOO_LONG if len(text) > MAX_RECORD else NOT_JSON)
