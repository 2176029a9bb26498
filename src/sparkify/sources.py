"""Where the JSON comes from: list the files of a folder, open them, and cut them into records.

A file holds JSON objects one a line, pretty-printed over several lines, or simply one after the other.
Cutting finds where each record begins and ends; whether it is valid JSON is the reader's question.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast

from sparkify import s3
from sparkify.config import Aws
from sparkify.errors import BadFile, SourceError

Kind = Literal["songs", "events"]

SUFFIXES = (".json", ".json.gz")
MAX_RECORD = 4 * 1024 * 1024
"""The longest record in bytes: Redshift's limit for one JSON row ("COPY from JSON format", its documentation)."""

MOST_FILES = 250_000
"""Files in one batch, however small they are: each takes some 2 kB of memory until its batch is published."""

_MAX_HELD = 16 * MAX_RECORD  # bytes held of one line or one broken piece; what is longer goes by in parts
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[{}\[\]"]')
_TEXT = re.compile(rb'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"')
_LINE = re.compile(rb".*\n|.+$")
_TOO_LONG = f"longer than {MAX_RECORD} bytes"
_SEVERAL = re.compile(rb"\}\s*\{")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HIDDEN = re.compile(r"(?:^|/)[._]")
_NO_KEYS = Aws()

_READ = os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_BINARY", 0)
_BUFFER = 1 << 17  # bytes read at a time: lines come a fifth faster than with the usual 8 kB

EMPTY_ARCHIVE = "an empty file is no gzip"
UNREADABLE = (EOFError, OSError, zlib.error)
"""What is raised for a file that cannot be read."""


class SourceFile(NamedTuple):
    """One version of one file: the unit the ledger counts. (A tuple, since there may be a million.)"""

    kind: Kind
    path: str
    version: str  # the ETag on S3; size and mtime on disk
    size: int  # bytes


class Piece(NamedTuple):
    """A stretch of a file that is one record, or that should have been one. (A tuple, since there are millions.)"""

    line: int  # of its first character, counted from 1
    text: bytes
    flaw: str | None = None  # why it cannot be a record; None when it looks like one


def list_files(kind: Kind, root: str, aws: Aws = _NO_KEYS) -> list[SourceFile]:
    """List the JSON files under a folder (or the one file named), on disk or in S3, in the order of their paths.

    Files and folders whose names begin with ``.`` or ``_`` are skipped, as Hadoop and Spark skip them.
    Raise SourceError where the folder is missing or may not be read.
    """
    setting = {"songs": "[S3] SONG_DATA or --song-data", "events": "[S3] LOG_DATA or --log-data"}[kind]
    if s3.is_s3(root):
        return sorted(_list_objects(kind, root, aws, setting), key=lambda file: file.path)
    if "://" in root:
        raise SourceError(f"{root}: only folders on disk and s3:// can be read. Copy the files and set {setting}.")
    path = os.path.abspath(root)
    if not os.path.exists(path):
        raise SourceError(f"{root}: there is no such folder. Set {setting}.")
    is_folder = os.path.isdir(path)
    if not is_folder and not path.lower().endswith(SUFFIXES):
        raise SourceError(f"{root}: is no .json or .json.gz file. Name one, or a folder: set {setting}.")
    found = _walk(path, frozenset()) if is_folder else [(path, os.stat(path))]
    files = [SourceFile(kind, name, f"{status.st_size}-{status.st_mtime_ns}", status.st_size) for name, status in found]
    return sorted(files, key=lambda file: file.path)


def _list_objects(kind: Kind, root: str, aws: Aws, setting: str) -> Iterator[SourceFile]:
    """Yield the JSON files under an s3:// URL, which names a folder: `logs` is not `logs2`."""
    name, prefix = s3.split(root)
    bucket = s3.bucket(name, aws)
    if prefix.lower().endswith(SUFFIXES) and not root.endswith("/") and (found := bucket.head(prefix)):
        yield SourceFile(kind, bucket.url(prefix), *found)
        return
    is_empty = True
    for key, etag, size in bucket.list(prefix):
        is_empty = False
        inside = key[len(prefix) :].lstrip("/")
        if key.lower().endswith(SUFFIXES) and not _HIDDEN.search(inside):
            yield SourceFile(kind, bucket.url(key), etag, size)
    if is_empty and prefix:
        raise SourceError(f"{root}: there is nothing under this prefix. Set {setting}.")


def _walk(folder: str, above: frozenset[str]) -> Iterator[tuple[str, os.stat_result]]:
    above |= {os.path.realpath(folder)}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "_")):
                    continue
                if not entry.name.isascii():
                    _refuse_unless_utf8(entry.path)
                if _is_folder(entry):
                    if not (entry.is_symlink() and os.path.realpath(entry.path) in above):
                        yield from _walk(entry.path, above)
                elif entry.name.lower().endswith(SUFFIXES):
                    yield entry.path, _stat(entry)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be listed ({error.strerror}). Check the folder's permissions.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _refuse_unless_utf8(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{os.fsencode(path)!r}: the name is not UTF-8. Rename it.") from None


def _stat(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link to nothing or to itself, or gone since it was listed: reading it says so
        return entry.stat(follow_symlinks=False)


def batches(files: Iterable[SourceFile], limit: int) -> Iterator[list[SourceFile]]:
    """Cut a list of files into batches of about `limit` bytes and at most MOST_FILES files, in order.

    A file larger than the limit is a batch of its own.
    """
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size > limit or len(batch) == MOST_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


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
    descriptor = os.open(path, _READ)
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
