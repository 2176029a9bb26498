"""Where records begin and end in a file."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sparkify.config import Aws
from sparkify.sources import cache, records
from sparkify.sources.listing import SourceFile
from sparkify.sources.records import RawRecord, leaves_array_open, split_records, split_small
from sparkify.staging import spool

TEXTS = st.text(st.sampled_from('{}[]":,\\/ \n\r\tab\x00\x1e\x1fé\u2028\U0001f600'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.dictionaries(TEXTS, VALUES, max_size=4)
BETWEEN = ("\n", "\r\n", "\n\n", "", " ", "\n \t\r\n", "\n  ")
BYTES = st.sampled_from(
    [*(bytes([byte]) for byte in b'{}[]",:\\ \t\n\ra1\x00\xff'), b"\r\n", b'{"a": 1}', b"null", b"\xef\xbb\xbf", b'\\"']
)


def pieces_of(content: bytes) -> list[RawRecord]:
    """Return the pieces that content is split into."""
    return list(split_records(io.BytesIO(content)))


@st.composite
def written(draw: st.DrawFn) -> tuple[str, list[tuple[int, Any]]]:
    """Draw a file of records; return it, and each record with its line."""
    text = draw(st.sampled_from(("", "\ufeff", "\n", "  ")))
    expected = []
    for record in draw(st.lists(RECORDS, max_size=5)):
        expected.append((text.count("\n") + 1, record))
        line = json.dumps(record, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from((None, None, 1, 2))))
        text += line.replace("\n", draw(st.sampled_from(("\n", "\r\n")))) + draw(st.sampled_from(BETWEEN))
    return text, expected


@given(written())
def test_records_are_found_however_they_are_laid_out(file: tuple[str, list[tuple[int, Any]]]) -> None:
    """A record is one piece with the number of its first line, whether on one line, over several, or after another."""
    text, expected = file
    found = pieces_of(text.encode())
    assert [piece.problem for piece in found] == [None] * len(expected)
    assert [(piece.line, json.loads(piece.text)) for piece in found] == expected


@given(st.lists(BYTES, max_size=30).map(b"".join))
def test_no_byte_is_lost_in_splitting(content: bytes) -> None:
    """The records of a file together hold all of it but white space and the punctuation of arrays."""
    cut_up = b"".join(piece.text for piece in pieces_of(content))
    assert _letters(cut_up) == _letters(content)


def _letters(content: bytes) -> bytes:
    return re.sub(rb"[\s\[\],]|\xef\xbb\xbf", b"", content)


@given(st.lists(BYTES, max_size=30).map(b"".join))
@example(b'{{"a": 1}\r{')
@example(b"[{}a}\n\nwhat")
def test_piece_begins_in_the_line_that_it_names(content: bytes) -> None:
    """Each piece is in the line that it names."""
    lines = content.split(b"\n")
    assert all(piece.text.split(b"\n")[0] in lines[piece.line - 1] for piece in pieces_of(content))


@pytest.mark.parametrize("end", [b"", b"\n", b"\n{}"])
def test_line_longer_than_a_record_is_split_by_its_brackets(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    """A line that is longer than a record is not one, also at the end of a file."""
    monkeypatch.setattr(records, "MAX_RECORD", 10)
    assert pieces_of(b'{"a": 1} what}' + end)[:2] == [
        RawRecord(1, b'{"a": 1}'),
        RawRecord(1, b"what}", "not a JSON object"),
    ]


@pytest.mark.parametrize("block", [1, 100])
def test_element_longer_than_a_record_is_a_fault(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """A text that is longer than a record is a fault of its array, wherever the blocks that are read end."""
    monkeypatch.setattr(records, "MAX_RECORD", 10)
    monkeypatch.setattr(records, "_BLOCK", block)
    assert pieces_of(b'["longer than a record", {}]\n{}') == [
        RawRecord(1, b'"longer than a record", {}]', records._TOO_LONG),
        RawRecord(2, b"{}"),
    ]


@given(st.lists(BYTES, max_size=20).map(b"".join))
def test_broken_record_takes_no_good_one_with_it(broken: bytes) -> None:
    """A record on a line of its own is found, whatever is on the lines before and after it."""
    content = b"\n".join([b'{"first": 1}', broken, b'{"last": {"a": "}"}}'])
    found = pieces_of(content)
    assert found[0] == RawRecord(1, b'{"first": 1}')
    assert RawRecord(content.count(b"\n") + 1, b'{"last": {"a": "}"}}') in found


@given(st.lists(BYTES, max_size=20).map(b"".join), st.lists(BYTES, max_size=20).map(b"".join))
@example(b"", b"\r\r\n\r")
def test_lines_left_are_cut_as_in_their_file(
    tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes
) -> None:
    """What is made of the lines that hold no record does not depend on the others being read with them."""
    content = b"\n".join([one, b'{"whole": 1}', other, b'{"whole": 1}', one])
    path = tmp_path_factory.mktemp("left") / "some.json"
    path.write_bytes(content)
    lines = [line.removesuffix(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    left = [line for line in lines if line and line != b'{"whole": 1}']
    assume(not any(map(leaves_array_open, left)))  # Such a file takes the exact path as a whole.
    file = SourceFile("events", str(path), "", len(content))
    found = list(spool.records_on_lines(file, cache.FileCache(path.parent, Aws()), left))
    assert found == [piece for piece in pieces_of(content) if piece != RawRecord(piece.line, b'{"whole": 1}')]


@given(st.lists(BYTES, max_size=4).map(b"".join), st.sampled_from((b"", b"\n", b"\r\n", b" \x0b\n\n")))
@example(b'"a": "\n', b"")
@example(b'"a": 1}\n{"a": 2', b"")
@example(b'"a": "\xff"', b"\n")
def test_small_file_is_split_like_any_other(inside: bytes, end: bytes) -> None:
    """A file that looks like a single record at first sight holds no other piece."""
    content = b"{" + inside + b"}" + end
    assert list(split_small(content)) == pieces_of(content)
    if spool.FLAT_RECORD.fullmatch(content):
        assert pieces_of(content) == [RawRecord(1, content.rstrip())]


class Counted:
    """A compiled pattern that counts the bytes that it scans."""

    scanned = 0

    def __init__(self, pattern: re.Pattern[bytes], as_far_as: re.Pattern[bytes] | None = None) -> None:
        """`as_far_as` matches as far as the pattern scans where it does not match; by default to the end."""
        self._pattern = pattern
        self._as_far_as = as_far_as

    def match(self, content: bytes, start: int = 0) -> re.Match[bytes] | None:
        """Match, and count up to the end of the match."""
        found = self._pattern.match(content, start)
        reach = found or (self._as_far_as.match(content, start) if self._as_far_as else None)
        Counted.scanned += (reach.end() if reach else len(content)) - start
        return found

    def search(self, content: bytes) -> re.Match[bytes] | None:
        """Search, and count up to the end of what is found."""
        found = self._pattern.search(content)
        Counted.scanned += found.end() if found else len(content)
        return found

    def finditer(self, content: bytes, start: int) -> Iterator[re.Match[bytes]]:
        """Yield matches, and count up to the end of each, or of the content."""
        for found in self._pattern.finditer(content, start):
            Counted.scanned += found.end() - start
            start = found.end()
            yield found
        Counted.scanned += len(content) - start


EVENT = b'{"song": "a \\" }{", "items": [1, {"b": null}], "n": 5}'
SHAPES = {
    "one a line": (b"", EVENT + b"\n"),
    "no line endings": (b"", EVENT),
    "bare carriage returns": (b"", EVENT + b"\r"),
    "pretty-printed": (b"", b'{\n "a": [\n  1,\n  2\n ],\n "b": "c"\n}\n'),
    "an array on one line": (b"[", EVENT + b","),
    "text behind a bracket": (b"{", b"text without a mark\n"),
    "text behind a bracket on one line": (b"{", b"text without a mark "),
    "a long list": (b'{"list": [\n', b"  12345,\n"),
    "open brackets": (b"", b"{"),
    "lines with an open bracket": (b"", b"{\n"),
    "quotes": (b"", b'"a'),
    "commas": (b"[", b","),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_work_is_linear_in_the_size_of_a_file(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times as much of any shape takes at most five times as many scanned and copied bytes."""
    begin, unit = SHAPES[shape]
    as_far_as = re.compile(records._FLAT_OBJECT.pattern.removesuffix(rb"\}"))
    for name in ("_TOKEN", "_SCALAR", "_BLANKS", "_ADJACENT_OBJECTS"):
        monkeypatch.setattr(records, name, Counted(getattr(records, name)))
    monkeypatch.setattr(records, "_FLAT_OBJECT", Counted(records._FLAT_OBJECT, as_far_as))
    monkeypatch.setattr(records, "_BLOCK", 100)

    def work(size: int) -> int:
        Counted.scanned = 0
        splitter = records._Splitter(io.BytesIO(begin + unit * (size // len(unit))))
        read_more = splitter._read_more

        def copying() -> bool:
            Counted.scanned += len(splitter._buffer) - splitter._start
            return read_more()

        monkeypatch.setattr(splitter, "_read_more", copying)
        for _ in splitter.records():
            pass
        return Counted.scanned

    assert work(40_000) <= 5 * work(10_000)
