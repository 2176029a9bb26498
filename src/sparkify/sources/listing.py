"""List the JSON files of a folder, on disk or in S3, and divide the list into batches."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sparkify.aws import s3
from sparkify.config import Aws
from sparkify.errors import BadFile, SourceError
from sparkify.filesystem import raise_if_limited

Kind = Literal["songs", "events"]

READ = ".json, .jsonl or .ndjson file"
"""The files that are read, as messages name them; each may also end in .gz."""

SETTINGS: dict[Kind, str] = {"songs": "[S3] SONG_DATA or --song-data", "events": "[S3] LOG_DATA or --log-data"}
"""The settings that name the folder of a kind, as messages name them."""

_SUFFIXES = tuple(f"{suffix}{gz}" for suffix in (".json", ".jsonl", ".ndjson") for gz in ("", ".gz"))
_SUFFIXES_IN_BYTES = tuple(map(str.encode, _SUFFIXES))

MAX_BATCH_FILES = 250_000
"""Maximum number of files in a batch. Each takes about 2 kB of memory until its batch is published."""

_HIDDEN = re.compile(r"(?:^|/)[._]")
_DEFAULT_AWS = Aws()


class SourceFile(NamedTuple):
    """One version of one file: the unit of the ledger. (A tuple, since there may be a million.)"""

    kind: Kind
    path: str
    version: str  # ETag in S3; size and mtime on disk or in a store without ETags
    size: int  # bytes


@dataclass
class Listing:
    """The files of a folder that are read, and what else is in it. Names that begin with . or _ are left out."""

    files: list[SourceFile] = field(default_factory=list)
    not_read: Counter[str] = field(default_factory=Counter)  # suffix, "" if there is none → files with another suffix
    skipped: dict[str, str] = field(default_factory=dict)  # path of a bad file or folder → reason


def list_files(
    kind: Kind, root: str, aws: Aws = _DEFAULT_AWS, *, skip_bad_files: bool = False, follow_links: bool = False
) -> Listing:
    """List the JSON files in a folder (or the one file named), on disk or in S3, sorted by path.

    Files and folders whose names begin with ``.`` or ``_`` are left out, as Hadoop and Spark do it. Links that lead
    out of the folder are bad files, unless `follow_links` is set. Raise SourceError if the folder is missing, and
    BadFile for what cannot be listed, unless `skip_bad_files` is set.
    """
    setting = SETTINGS[kind]
    listing = Listing()
    if s3.is_s3(root):
        listing.files += _list_objects(kind, root, aws, setting, listing.not_read)
    elif "://" in root:
        raise SourceError(f"{root}: this is neither a local path nor an s3:// URL. Copy the files and set {setting}.")
    else:
        for path, found in _list_path(root, setting, listing.not_read, follow_links=follow_links):
            try:
                if isinstance(found, BadFile):
                    raise found
                listing.files.append(
                    SourceFile(kind, _decode(path), f"{found.st_size}-{found.st_mtime_ns}", found.st_size)
                )
            except BadFile as error:
                if not skip_bad_files:
                    raise
                listing.skipped[_shown(path)] = error.of_skipped
    listing.files.sort(key=lambda file: file.path)
    return listing


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


def _list_objects(kind: Kind, root: str, aws: Aws, setting: str, not_read: Counter[str]) -> Iterator[SourceFile]:
    """Yield the JSON files under an s3:// URL, which names a folder: `logs` does not match `logs2`."""
    name, prefix = s3.split(root)
    bucket = s3.bucket(name, aws)
    if prefix.lower().endswith(_SUFFIXES) and not root.endswith("/") and (version_and_size := bucket.head(prefix)):
        yield SourceFile(kind, bucket.url(prefix), *version_and_size)
        return
    is_empty = True
    for key, etag, size in bucket.list(prefix):
        is_empty = False
        if _HIDDEN.search(key[len(prefix) :].lstrip("/")):
            continue
        if key.lower().endswith(_SUFFIXES):
            yield SourceFile(kind, bucket.url(key), etag, size)
        elif size or _suffix(key):  # An empty object without a suffix marks a folder.
            not_read[_suffix(key)] += 1
    if is_empty and prefix:
        raise SourceError(f"{root}: there are no objects under this prefix. Set {setting}.")


# Names on disk are bytes. They are decoded here as UTF-8, so that a file has one path in the ledger in any locale.

_Found = Iterator[tuple[bytes, os.stat_result | BadFile]]


def _list_path(root: str, setting: str, not_read: Counter[str], *, follow_links: bool) -> _Found:
    """Yield the path of each JSON file in a folder, or of the file named, with its status or what is wrong with it."""
    try:
        path = os.path.abspath(os.fsencode(root))
    except UnicodeEncodeError:  # The text is from dwh.cfg, and the locale cannot encode it.
        path = os.path.abspath(root.encode())
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{root}: there is no such folder. Set {setting}.") from None
    except OSError as error:
        problem = f"the folder cannot be reached ({error.strerror})"
        raise SourceError(f"{root}: {problem}. Fix the permissions of its folders, or set {setting}.") from None
    if stat.S_ISDIR(status.st_mode):
        yield from _walk(path, not_read, follow_links=follow_links)
    elif path.lower().endswith(_SUFFIXES_IN_BYTES):
        yield path, status
    else:
        raise SourceError(f"{root}: this is not a {READ}. Set {setting} to one, or to a folder.")


def _walk(top: bytes, not_read: Counter[str], *, follow_links: bool) -> _Found:
    """Yield each JSON file under a folder. Folders wait on a stack: they can be deeper than Python's recursion."""
    real_top = os.path.realpath(top)
    waiting: list[tuple[bytes, bytes, frozenset[bytes]]] = [(top, real_top, frozenset())]
    while waiting:
        folder, real_folder, parents = waiting.pop()
        parents |= {real_folder}
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith((b".", b"_")):
                        continue
                    is_folder = _is_folder(entry)
                    if not is_folder and not entry.name.lower().endswith(_SUFFIXES_IN_BYTES):
                        not_read[_suffix(os.fsdecode(entry.name))] += 1
                        continue
                    real = os.path.realpath(entry.path) if entry.is_symlink() else b""
                    if real and not follow_links and not _is_in(real, real_top):
                        problem = f"{_shown(entry.path)}: this link leads out of the source folder"
                        yield entry.path, BadFile(problem, "Pass --follow-links to read it")
                    elif not is_folder:
                        yield entry.path, _stat(entry)
                    elif real not in parents:
                        waiting.append((entry.path, real or os.path.join(real_folder, entry.name), parents))
        except OSError as error:
            raise_if_limited(_shown(folder), error)
            problem = f"{_shown(folder)}: the folder is unreadable ({error.strerror})"
            yield folder, BadFile(problem, "Check its permissions")


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_in(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(os.path.join(folder, b""))


def _stat(entry: os.DirEntry[bytes]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # The entry is a broken link or was deleted: reading it will raise the error.
        return entry.stat(follow_symlinks=False)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _decode(path: bytes) -> str:
    try:
        return path.decode()
    except UnicodeDecodeError:
        raise BadFile(f"{path!r}: the name is not valid UTF-8", "Rename the file or folder") from None


def _shown(path: bytes) -> str:
    """Return a path as text for people."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return repr(path)
