"""Compressed and plain files are read whole."""

from __future__ import annotations

import gzip
import io
import random
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sparkify.sources import opening
from sparkify.sources.opening import read_small

ARCHIVES = [
    gzip.compress(text, mtime=0) for text in (b"", b"text", bytes(3_000_000), random.Random(1).randbytes(90_000))
]
ARCHIVE = st.builds(bytes.__add__, st.sampled_from(ARCHIVES), st.sampled_from((b"", b"\0", bytes(70_000), b"?")))
RESERVED = re.compile(rb"\x1f\x8b\x08[\x20-\xff]")
"""The start of an archive with a reserved flag, which RFC 1952 (2.3.1.2) requires to be an error."""


@pytest.mark.parametrize("flag", [0x20, 0x40, 0x80])
def test_archive_with_a_reserved_flag_is_an_error(flag: int) -> None:
    """An archive with a flag that is reserved cannot be read, since its text could be another one."""
    archive = gzip.compress(b"text", mtime=0)
    with pytest.raises(zlib.error):
        opening.decompress(io.BytesIO(archive[:3] + bytes([flag]) + archive[4:]), io.BytesIO())


@settings(deadline=None)
@given(st.lists(ARCHIVE, min_size=1, max_size=3).map(b"".join), st.integers(1, 100_000), st.integers(0, 255))
def test_archive_is_decompressed_as_by_python(content: bytes, place: int, byte: int) -> None:
    """Several archives in one file, padding, truncated or corrupt ones: the same text as from Python, or none."""

    def unpacked(content: bytes, unpack: Callable[[io.BytesIO, io.BytesIO], object]) -> bytes | None:
        plain = io.BytesIO()
        try:
            unpack(io.BytesIO(content), plain)
        except opening.READ_ERRORS:
            return None
        return plain.getvalue()

    def as_python_does(packed: io.BytesIO, plain: io.BytesIO) -> None:
        plain.write(gzip.GzipFile(fileobj=packed).read())

    place %= len(content)
    changed = content[:place] + bytes([byte]) + content[place + 1 :]
    assume(not RESERVED.search(changed))  # Python ignores these bits.
    for packed in (content, content[: place + 1], changed):
        assert unpacked(packed, opening.decompress) == unpacked(packed, as_python_does)


@pytest.mark.parametrize("listed", [0, 1, 7, 8, 9, 1000])
def test_small_file_is_read_whole_whatever_its_listed_size(tmp_path: Path, listed: int) -> None:
    """A file that grew or shrank since it was listed is read to its end."""
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": 1}')
    assert read_small(str(path), listed) == b'{"a": 1}'
