"""Open the files of a batch: plain or gzip, with errors that name the file."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from sparkify.errors import SourceError
from sparkify.sources.listing import SourceFile

if TYPE_CHECKING:
    pass
import os
import stat
from contextlib import contextmanager

from sparkify.errors import BadFile

_BLOCK = 1 << 16  # bytes of an archive that are read at a time
_SLICE = 1 << 20  # and as how many they are written at most
_GZIP = 16 + zlib.MAX_WBITS  # gzip's header and sum, not zlib's


def is_packed(file: SourceFile) -> bool:
    """Tell whether a file is gzip, by its name."""
    return file.path[-3:].lower() == ".gz"


def unpack(packed: BinaryIO, plain: BinaryIO) -> None:
    """Unpack gzip: one archive, or several with or without zeros between them, each checked by its sum.

    As the gzip module does; but threads that use that wait for each other most of the time.
    Raise EOFError for what is cut short, zlib.error for what is broken or no gzip.
    """
    archive = None
    has_ended = False
    while block := packed.read(_BLOCK):
        while block:
            if has_ended and not archive:
                block = block.lstrip(b"\0")
                if not block:
                    break
            archive = archive or zlib.decompressobj(_GZIP)
            plain.write(archive.decompress(block, _SLICE))
            block = archive.unconsumed_tail
            if archive.eof:
                block, archive, has_ended = archive.unused_data, None, True
    if archive:
        plain.write(archive.flush())
        has_ended = archive.eof
    if not has_ended:
        raise EOFError("the archive is cut short")


def _unpacked(content: bytes) -> BinaryIO:
    if not content:
        raise EOFError(EMPTY_ARCHIVE)
    return cast(BinaryIO, gzip.open(io.BytesIO(content), "rb"))


_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_BINARY", 0)
_BUFFER = 1 << 17  # bytes read at a time: lines come a fifth faster than with the usual 8 kB

EMPTY_ARCHIVE = "an empty file is no gzip"
UNREADABLE = (EOFError, OSError, zlib.error)
"""What is raised for a file that cannot be read."""


def unreadable(path: str, error: Exception) -> SourceError:
    """Return what is to be said about a file that cannot be read for one of the reasons in UNREADABLE."""
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return BadFile(f"{path}: is a link to a file that is not there", "Remove it")
    if isinstance(error, FileNotFoundError):
        return BadFile(f"{path}: has gone since it was listed", "Run again")
    reason = getattr(error, "strerror", None) or str(error)
    return BadFile(f"{path}: cannot be read ({reason})", "Mend the file")


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what the system says about an unreadable file into a SourceError that names it."""
    try:
        yield
    except UNREADABLE as error:
        raise unreadable(path, error) from error


def read_small(path: str, size: int) -> bytes:
    """Return the bytes of a plain file, listed with a size, in as few calls as a hundred thousand of them deserve.

    A read that asks for one byte more, and gets the size listed, has seen the end. A pipe or device is listed with 0.
    """
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        content = os.read(descriptor, size + 1) if size else b""
        if content and len(content) == size:
            return content
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        parts = [content]
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def open_file(path: str, *, is_packed: bool) -> BinaryIO:
    """Open a file on disk for reading its bytes, unpacked if they are packed by gzip."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(0, "not a regular file")
    if is_packed:
        if not os.stat(path).st_size:  # which the gzip module takes for an empty archive
            raise EOFError(EMPTY_ARCHIVE)
        return cast(BinaryIO, gzip.open(path, "rb"))
    return Path(path).open("rb", buffering=_BUFFER)
