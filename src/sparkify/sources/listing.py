"""List the JSON files of a folder, on disk or in S3, and cut the list into batches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from sparkify.aws import s3
from sparkify.config import Aws
from sparkify.errors import SourceError

Kind = Literal["songs", "events"]

SUFFIXES = (".json", ".json.gz")

MOST_FILES = 250_000
"""Files in one batch, however small they are: each takes some 2 kB of memory until its batch is published."""
_HIDDEN = re.compile(r"(?:^|/)[._]")
_NO_KEYS = Aws()


class SourceFile(NamedTuple):
    """One version of one file: the unit the ledger counts. (A tuple, since there may be a million.)"""

    kind: Kind
    path: str
    version: str  # the ETag on S3; size and mtime on disk
    size: int  # bytes


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
