"""Open source files, plain or gzip, with errors that name the file."""

import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from sparkify.errors import BadFile
from sparkify.filesystem import raise_if_limited
from sparkify.sources.listing import SourceFile

READ_ERRORS = (EOFError, OSError, zlib.error)
"""The exceptions that an unreadable file raises."""

GZIP_MARK = b"\x1f\x8b"
"""The first bytes of a gzip file (RFC 1952). No JSON text begins with them."""

# A byte order mark and the first character, which is ASCII in JSON; the file may hold no more than the mark.
_OTHER_ENCODING = re.compile(
    rb"(?P<utf32>\xff\xfe\0\0|\0\0\xfe\xff)|\xff\xfe(?:[^\0]\0|\Z)|\xfe\xff(?:\0[^\0]|\Z)", re.DOTALL
)
_GZIP_FORMAT = 16 + zlib.MAX_WBITS  # header and checksum of gzip, not of zlib
_BLOCK = 1 << 16  # compressed bytes read at a time
_SLICE = 1 << 20  # decompressed bytes written at a time, at most
_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_BINARY", 0)
_BUFFER = 1 << 17  # bytes read at a time: lines are read a fifth faster than with the default of 8 kB


def is_compressed(file: SourceFile) -> bool:
    """Return whether a file must be gzip, judging by its name. Under any other name, its content decides."""
    return file.path[-3:].lower() == ".gz"


def open_file(path: str) -> BinaryIO:
    """Open a regular file on disk for reading its bytes."""
    descriptor = os.open(_in_bytes(path), _OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a regular file")
    return os.fdopen(descriptor, "rb", _BUFFER)


def is_gzip(stored: BinaryIO) -> bool:
    """Return whether a file that was just opened begins as gzip; its position stays at the start."""
    return _head(stored, len(GZIP_MARK)) == GZIP_MARK


def open_gzip(stored: BinaryIO) -> gzip.GzipFile:
    """Open the decompressed bytes of a file that was just opened."""
    if not _head(stored, 1):  # The gzip module reads an empty file as an empty archive.
        raise EOFError("an empty file is not a gzip file")
    return gzip.GzipFile(fileobj=stored, mode="rb")


def require_utf8(text: BinaryIO, path: str) -> None:
    """Raise BadFile if a file that was just opened begins as UTF-16 or UTF-32; its position stays at the start."""
    require_utf8_start(_head(text, 4), path)


def require_utf8_start(text: bytes, path: str) -> None:
    """Raise BadFile if a text begins as UTF-16 or UTF-32."""
    if mark := _OTHER_ENCODING.match(text):
        encoding = "UTF-32" if mark["utf32"] else "UTF-16"
        raise BadFile(f"{path}: the file is {encoding}, not UTF-8", "Save it as UTF-8")


def _head(stream: BinaryIO, size: int) -> bytes:
    """Return the first bytes of a stream; its position stays at the start."""
    head = stream.read(size)
    stream.seek(0)
    return head


def read_small(path: str, size: int) -> bytes:
    """Return the bytes of a plain file of the listed size, with few system calls: there may be 100,000 such files.

    A read that asks for one byte more and returns the listed size has reached the end. Pipes and devices have size 0.
    """
    descriptor = os.open(_in_bytes(path), _OPEN_FLAGS)
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


def decompress(compressed: BinaryIO, plain: BinaryIO) -> None:
    """Decompress gzip: one or more archives, optionally separated by zeros, each verified by its checksum.

    The gzip module does the same, but its threads wait for each other most of the time.
    Raise EOFError for truncated input, zlib.error for corrupt input and other formats.
    """
    archive = None
    has_ended = False
    while block := compressed.read(_BLOCK):
        while block:
            if has_ended and not archive:
                block = block.lstrip(b"\0")
                if not block:
                    break
            archive = archive or zlib.decompressobj(_GZIP_FORMAT)
            plain.write(archive.decompress(block, _SLICE))
            block = archive.unconsumed_tail
            if archive.eof:
                block, archive, has_ended = archive.unused_data, None, True
    if archive:
        plain.write(archive.flush())
        has_ended = archive.eof
    if not has_ended:
        raise EOFError("the archive is truncated")


@contextmanager
def translate_errors(path: str) -> Iterator[None]:
    """Translate READ_ERRORS into a SourceError that names the file."""
    try:
        yield
    except READ_ERRORS as error:
        raise bad_file(path, error) from error


def bad_file(path: str, error: Exception) -> BadFile:
    """Return the BadFile for a file that raised one of READ_ERRORS; raise SourceUnreachable for a limit reached."""
    if isinstance(error, OSError):
        raise_if_limited(path, error)
    if isinstance(error, FileNotFoundError) and os.path.islink(_in_bytes(path)):  # noqa: PTH114 - a Path holds no bytes
        return BadFile(f"{path}: the target of this link does not exist", "Remove the link")
    if isinstance(error, FileNotFoundError):
        return BadFile(f"{path}: the file was deleted after it was listed", "Run again")
    reason = getattr(error, "strerror", None) or str(error)
    return BadFile(f"{path}: the file cannot be read ({reason})", "Repair it")


def _in_bytes(path: str) -> bytes:
    """Return a path as the bytes of its name. Paths of source files are UTF-8, whatever the locale."""
    try:
        return path.encode()
    except UnicodeEncodeError:  # the scratch folder, whose name is from the environment
        return os.fsencode(path)
