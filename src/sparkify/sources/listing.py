"""List the JSON files of a folder, on disk or in S3, and divide the list into batches."""

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

MAX_BATCH_FILES = 250_000
"""Maximum number of files in a batch. Each takes about 2 kB of memory until its batch is published."""

_HIDDEN = re.compile(r"(?:^|/)[._]")
_DEFAULT_AWS = Aws()


class SourceFile(NamedTuple):
    """One version of one file: the unit of the ledger. (A tuple, since there may be a million.)"""

    kind: Kind
    path: str
    version: str  # ETag in S3; size and mtime on disk
    size: int  # bytes


def list_files(kind: Kind, root: str, aws: Aws = _DEFAULT_AWS) -> list[SourceFile]:
    """Return the JSON files in a folder (or the one file named), on disk or in S3, sorted by path.

    Files and folders whose names begin with ``.`` or ``_`` are skipped, as Hadoop and Spark skip them.
    Raise SourceError if the folder is missing or unreadable.
    """
    setting = {"songs": "[S3] SONG_DATA or --song-data", "events": "[S3] LOG_DATA or --log-data"}[kind]
    if s3.is_s3(root):
        return sorted(_list_objects(kind, root, aws, setting), key=lambda file: file.path)
    if "://" in root:
        raise SourceError(f"{root}: this is neither a local path nor an s3:// URL. Copy the files and set {setting}.")
    path = os.path.abspath(root)
    if not os.path.exists(path):
        raise SourceError(f"{root}: there is no such folder. Set {setting}.")
    is_folder = os.path.isdir(path)
    if not is_folder and not path.lower().endswith(SUFFIXES):
        raise SourceError(f"{root}: this is not a .json or .json.gz file. Set {setting} to one, or to a folder.")
    entries = _walk(path, frozenset()) if is_folder else [(path, os.stat(path))]
    files = [SourceFile(kind, name, f"{stat.st_size}-{stat.st_mtime_ns}", stat.st_size) for name, stat in entries]
    return sorted(files, key=lambda file: file.path)


def batches(files: Iterable[SourceFile], limit: int) -> Iterator[list[SourceFile]]:
    """Yield the files in order, in batches of about `limit` bytes and at most MAX_BATCH_FILES files.

    A file larger than the limit is a batch of its own.
    """
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size > limit or len(batch) == MAX_BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _list_objects(kind: Kind, root: str, aws: Aws, setting: str) -> Iterator[SourceFile]:
    """Yield the JSON files under an s3:// URL, which names a folder: `logs` does not match `logs2`."""
    name, prefix = s3.split(root)
    bucket = s3.bucket(name, aws)
    if prefix.lower().endswith(SUFFIXES) and not root.endswith("/") and (version_and_size := bucket.head(prefix)):
        yield SourceFile(kind, bucket.url(prefix), *version_and_size)
        return
    is_empty = True
    for key, etag, size in bucket.list(prefix):
        is_empty = False
        relative = key[len(prefix) :].lstrip("/")
        if key.lower().endswith(SUFFIXES) and not _HIDDEN.search(relative):
            yield SourceFile(kind, bucket.url(key), etag, size)
    if is_empty and prefix:
        raise SourceError(f"{root}: there are no objects under this prefix. Set {setting}.")


def _walk(folder: str, parents: frozenset[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path and status of each JSON file; follow links, except to one of the `parents`."""
    parents |= {os.path.realpath(folder)}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "_")):
                    continue
                if not entry.name.isascii():
                    _require_utf8(entry.path)
                if _is_folder(entry):
                    if not (entry.is_symlink() and os.path.realpath(entry.path) in parents):
                        yield from _walk(entry.path, parents)
                elif entry.name.lower().endswith(SUFFIXES):
                    yield entry.path, _stat(entry)
    except OSError as error:
        raise SourceError(f"{folder}: the folder is unreadable ({error.strerror}). Check its permissions.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _require_utf8(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{os.fsencode(path)!r}: the name is not valid UTF-8. Rename the file or folder.") from None


def _stat(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # The entry is a broken link or was deleted: reading it will raise the error.
        return entry.stat(follow_symlinks=False)
