"""Access to the bytes of a batch's files: read in place on disk, or prefetched from S3."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from sparkify.aws import s3
from sparkify.config import Aws
from sparkify.errors import SourceError
from sparkify.sources.listing import SourceFile
from sparkify.sources.opening import (
    GZIP_MARK,
    READ_ERRORS,
    decompress,
    is_compressed,
    is_gzip,
    open_file,
    open_gzip,
    read_small,
    require_utf8,
    require_utf8_start,
)
from sparkify.sources.records import BYTE_ORDER_MARK, is_utf8

if TYPE_CHECKING:
    from sparkify.sources.download import Download, Downloaded

MAX_IN_MEMORY = 1 << 20
"""Size in bytes up to which an object is kept in memory; a larger one is copied to disk."""

_GROUP_LIMITS = (12 << 20, 500)  # bytes and objects downloaded together
_GROUPS_AHEAD = 4  # groups downloaded while another one is read: about 64 MB of memory in total
_MAX_SMALL = 1 << 16  # bytes up to which a file on disk is read in one call

_COPIED_AT_ONCE = 1 << 20  # bytes

NumberedFile = tuple[int, SourceFile]
"""A file and its number in the batch, the file_id of its rows."""


class FileCache:
    """The bytes of files, wherever they are stored; downloads and decompressed copies go to a scratch folder."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        self._folder = folder
        self._aws = aws
        self._objects: dict[str, Downloaded] = {}  # by the path of the file in S3
        self._decompressed: set[str] = set()  # paths of compressed files that have a plain copy
        self._downloads: set[Download] = set()

    def plain_path(self, file: SourceFile) -> str:
        """Return the path on disk of a file's plain text, which is there after `copy_to_disk` at the latest."""
        is_copied = is_compressed(file) or file.path in self._decompressed
        return str(self._decompressed_path(file)) if is_copied else self._stored_path(file)

    def copy_to_disk(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        """Put the plain text of files on disk, in parallel; return the files for which that succeeded.

        `open` raises the error of a file that is left out. Raise SourceUnreachable if S3 is not available.
        """
        list(self._download_in_order(list(enumerate(files)), limit=0))
        with ThreadPoolExecutor() as threads:  # zlib releases the GIL.
            is_on_disk = list(threads.map(self._decompress, files))
        return [file for file, copied in zip(files, is_on_disk, strict=True) if copied]

    def copy_utf8_lines(self, file: SourceFile) -> tuple[Path, list[bytes]]:
        """Copy a file's plain text, with an empty line for each that is not UTF-8; return the path, and these lines."""
        path, not_utf8 = self._copy_path(file, "utf8"), []
        with open_file(self.plain_path(file)) as plain, path.open("wb") as copy:
            if plain.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
                plain.seek(0)
            while block := plain.read(_COPIED_AT_ONCE):
                block += plain.readline()
                if not is_utf8(block):
                    lines = block.split(b"\n")
                    not_utf8 += [line.removesuffix(b"\r") for line in lines if not is_utf8(line)]
                    block = b"\n".join(line if is_utf8(line) else b"\r" * line.endswith(b"\r") for line in lines)
                copy.write(block)
        return path, not_utf8

    def prefetch(self, files: Sequence[NumberedFile]) -> Generator[NumberedFile, None, None]:
        """Yield files in order, each when its bytes are available; evict each afterwards.

        The next files are downloaded ahead. A caller that stops early must close the generator, which cancels them.
        """
        if not self._decompressed and not any(s3.is_s3(file.path) for _, file in files):
            yield from files
            return
        with closing(self._download_in_order(files, limit=MAX_IN_MEMORY)) as available:
            for number, file in available:
                yield number, file
                self.evict(file)

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[BinaryIO]:
        """Open a file for reading its bytes, decompressed if it is gzip.

        Raise SourceError for an object that could not be downloaded and for a text that is UTF-16 or UTF-32, one of
        READ_ERRORS for a file on disk.
        """
        with ExitStack() as opened:
            if file.path in self._decompressed:
                stream = opened.enter_context(open_file(self.plain_path(file)))
            else:
                stream = opened.enter_context(self._open_stored(file))
                if is_compressed(file) or is_gzip(stream):
                    stream = cast(BinaryIO, opened.enter_context(open_gzip(stream)))
            require_utf8(stream, file.path)
            yield stream

    def read_if_small(self, file: SourceFile) -> bytes | None:
        """Return the bytes of a plain file that is in memory or small, else None. Raise the errors of `open`."""
        content = self._objects.get(file.path)
        if isinstance(content, SourceError):
            raise content
        if is_compressed(file):
            return None
        if not isinstance(content, bytes):
            if file.size > _MAX_SMALL:
                return None
            content = read_small(self._stored_path(file), file.size)
        if content.startswith(GZIP_MARK):
            return None
        require_utf8_start(content, file.path)
        return content

    def evict(self, file: SourceFile) -> None:
        """Forget the downloaded bytes of a file, and delete its copies."""
        if isinstance(stored := self._objects.pop(file.path, None), Path):
            stored.unlink()
        if file.path in self._decompressed:
            self._decompressed.remove(file.path)
            self._decompressed_path(file).unlink()

    def cancel(self) -> None:
        """Cancel all downloads; another thread that waits for one gets CancelledError."""
        for download in tuple(self._downloads):
            download.cancel()

    def _stored_path(self, file: SourceFile) -> str:
        """Return the path of a file on disk, or of the unchanged copy of an object."""
        return str(self._copy_path(file, "fetched")) if s3.is_s3(file.path) else file.path

    def _decompressed_path(self, file: SourceFile) -> Path:
        return self._copy_path(file, "json")

    def _copy_path(self, file: SourceFile, suffix: str) -> Path:
        return self._folder / f"{md5(file.path.encode(), usedforsecurity=False).hexdigest()}.{suffix}"

    def _open_stored(self, file: SourceFile) -> BinaryIO:
        """Open a file for reading its bytes as they are stored. Raise the errors of `open`."""
        stored = self._objects.get(file.path)
        if isinstance(stored, SourceError):
            raise stored
        return io.BytesIO(stored) if isinstance(stored, bytes) else open_file(self._stored_path(file))

    def _decompress(self, file: SourceFile) -> bool:
        """Decompress a file if it is gzip; return whether its plain text is on disk."""
        path = self._decompressed_path(file)
        try:
            with self._open_stored(file) as stored:
                if not is_compressed(file) and not is_gzip(stored):
                    return True
                with path.open("wb") as plain:
                    decompress(stored, plain)
        except (SourceError, *READ_ERRORS):
            path.unlink(missing_ok=True)
            return False
        self._decompressed.add(file.path)
        return True

    def _download_in_order(self, files: Sequence[NumberedFile], limit: int) -> Generator[NumberedFile, None, None]:
        """Yield files in order, each when its bytes are available; keep objects of up to `limit` bytes in memory."""
        queue: deque[tuple[Sequence[NumberedFile], Download | None]] = deque()
        try:
            for group in _groups(files, limit):
                queue.append((group, self._start_download([file for _, file in group], limit)))
                if len(queue) > _GROUPS_AHEAD:
                    yield from self._finish(*queue[0])
                    queue.popleft()
            while queue:
                yield from self._finish(*queue[0])
                queue.popleft()
        finally:
            for _, download in queue:
                if download:
                    download.cancel()
                    self._downloads.discard(download)

    def _start_download(self, files: Sequence[SourceFile], limit: int) -> Download | None:
        """Start to download the files that are in S3 and not in the cache yet, if there are any."""
        if not any(s3.is_s3(file.path) for file in files):
            return None
        from sparkify.sources.download import Download, Request  # loads asyncio, which local files do not need

        requests = {}
        for file in files:
            if not s3.is_s3(file.path) or isinstance(self._objects.get(file.path), bytes | Path):
                continue
            if not file.size:  # There is nothing to read, and a listed folder is not an object.
                self._objects[file.path] = b""
                continue
            name, key = s3.split(file.path)
            path = Path(self._stored_path(file)) if file.size > limit else None
            requests[file.path] = Request(s3.bucket(name, self._aws), key, file.version, file.size, path)
        if not requests:
            return None
        download = Download(requests)
        self._downloads.add(download)
        return download

    def _finish(self, group: Sequence[NumberedFile], download: Download | None) -> Iterator[NumberedFile]:
        """Wait for the download of a group; yield its files."""
        if download:
            self._objects |= download.results()
            self._downloads.remove(download)
        yield from group


def _groups(files: Sequence[NumberedFile], limit: int) -> Iterator[list[NumberedFile]]:
    """Yield files in groups that are downloaded together; an object larger than the limit counts as 0 bytes."""
    group: list[NumberedFile] = []
    total = 0
    for number, file in files:
        size = file.size if file.size <= limit else 0
        if group and (total + size > _GROUP_LIMITS[0] or len(group) == _GROUP_LIMITS[1]):
            yield group
            group, total = [], 0
        group.append((number, file))
        total += size
    if group:
        yield group
