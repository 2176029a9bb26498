r"""Search for bytes that the record splitter and the oracle split differently.

    python -m tests.sources.fuzz_records --seconds 60
    python -m tests.sources.fuzz_records --content '{"a": 1}\n{'

The first command tries random files, and ends with exit code 1 and the smallest difference that it finds. The second
one repeats a find.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import time
from collections.abc import Iterator
from typing import Any

from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from tests.promises import oracle_files
from tests.promises.oracle_files import JSON, Delivered

from sparkify.sources import records
from sparkify.sources.opening import GZIP_MARK

LONGEST = 300  # bytes: the limit of 4 MB, at a size at which many files are tried
TOKENS = [bytes([byte]) for byte in b'{}[]",:\\']
BLANKS = [b" ", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b"\x0b", b"\x0c", b" " * 400, b"\n" * 300, b"\n \r\n"]
MARKS = [b"\xef\xbb\xbf", b"\xef\xbb", b"\xfe\xff", b"\x00", b"\x1e", b"\x1f", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8"]
INVALID = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f\x98"]
ESCAPES = [b'\\"', b"\\\\", b"\\n", b"\\u0041", b"\\ud83d", b"\\x", b"\\u00"]
SCALARS = [b"null", b"true", b"NaN", b"-0.5e3", b"01", b'""', b'"a"', b'"}{"', b'"a\nb"', b'"a\rb"', b"1", b"what"]
LINES = [b"version 1", b"<html>", b"# comment", b"a,b,c", b"// {", b"2018-11-01 {"]
RECORDS = [
    b"{}",
    b'{"a": 1}',
    b'{"a": "b}"}',
    b'{"a": "{\\"b\\": ["}',
    b'{"a": {"b": [1, {"c": null}]}}',
    b'{\n  "a": 1,\n  "b": [\n    2\n  ]\n}',
    b'{\r\n "a": {\r\n }\r\n}',
    b'{\n"a":\n{\n}\n}',
    '{"ö": "\U0001f600"}'.encode(),
    b'{"a": "' + b"x" * 300 + b'"}',
]
ARRAYS = [b"[]", b"[{}]", b'[{"a": 1},\n{"b": 2}]', b"[\n {},\n {}\n]", b"[1, [{}], {}]", b"[{},", b"[{}\n", b",{}]"]

PIECES = st.sampled_from([*TOKENS * 2, *BLANKS, *MARKS, *INVALID, *ESCAPES, *SCALARS, *LINES, *RECORDS * 2, *ARRAYS])
CUT = st.builds(lambda text, start, end: text[start:end], st.sampled_from(RECORDS + ARRAYS), *[st.integers(0, 40)] * 2)
FILES = st.lists(PIECES | CUT, max_size=14).map(b"".join) | st.binary(max_size=60)


def found(pieces: Iterator[tuple[int, Any]]) -> str:
    """Return pieces as lines that can be compared and shown."""
    return "\n".join(f"line {line}: {'rejected' if pairs is None else dict(pairs)!r:.200}" for line, pairs in pieces)


def split(content: bytes, size: int | None) -> Iterator[tuple[int, Any]]:
    """Yield what the splitter finds in a stream that returns some bytes at a time, or in a small file."""
    for record in records.split_records(Trickle(content, size)) if size else records.split_small(content):
        try:
            yield record.line, None if record.problem else JSON.decode(record.text.decode())
        except (ValueError, RecursionError):
            yield record.line, None


class Trickle(io.BytesIO):
    """A stream that returns no more than some bytes at a time, so that a record ends at any place of a buffer."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes."""
        return super().read(self._size if size is None or size < 0 else min(size, self._size))


def difference(content: bytes) -> str:
    """Return what differs between the splitter and the oracle, "" if nothing does."""
    wanted = found(oracle_files.records(Delivered("events", "log.json", content)))
    for size in (len(content) + 1, 1, 7, None):
        if size is None and len(content) > records.MAX_RECORD:  # Such a file is not small.
            continue
        given = found(split(content, size))
        if given != wanted:
            return f"The splitter finds\n{given}\n\nThe oracle finds\n{wanted}"
    return ""


def search(seconds: float, start: int) -> bytes | None:
    """Try random files for some time; return the smallest file that shows a difference, None if there is none."""
    failing: list[bytes] = []

    def differs(content: bytes) -> None:
        if not content.startswith(GZIP_MARK) and difference(content):
            failing.append(content)
            raise AssertionError

    ended, number = time.monotonic() + seconds, start
    while time.monotonic() < ended:
        trying = settings(max_examples=500, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
        try:
            seed(number)(trying(given(FILES)(differs)))()
        except AssertionError:
            return min(failing, key=lambda content: (len(content), content))
        number += 1
    return None


def main() -> int:
    """Search, or repeat a find; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long to search (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="begin with this random seed (default: the time)")
    parser.add_argument("--content", help="bytes to try instead, with the escapes of Python")
    options = parser.parse_args()
    records.MAX_RECORD = oracle_files.LONGEST_RECORD = LONGEST
    start = int(time.time()) if options.seed is None else options.seed
    if options.content is None:
        content = search(options.seconds, start)
    else:
        content = ast.literal_eval("b'" + options.content.replace("'", "\\x27") + "'")
    if content is None:
        print(f"The splitter and the oracle agree (seeds from {start}, {options.seconds:g} s).")
        return 0
    print(f"{content!r}\n\n{difference(content) or 'They agree.'}")
    shown = repr(content)[2:-1].replace("\\'", "\\x27").replace("'", "\\x27")
    print(f"\nRepeat with: python -m tests.sources.fuzz_records --content '{shown}'")
    return 1 if difference(content) else 0


if __name__ == "__main__":
    sys.exit(main())
