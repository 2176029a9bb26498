"""The bytes of a batch's files: on disk where they lie, or fetched from S3 before their turn comes."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sparkify.aws import s3
from sparkify.config import Aws
from sparkify.errors import SourceError
from sparkify.sources.listing import SourceFile
from sparkify.sources.opening import UNREADABLE, open_file, read_small

if TYPE_CHECKING:
    from sparkify.sources.download import Fetch, Fetched
from sparkify.sources.opening import _unpacked, is_packed, unpack

IN_MEMORY = 1 << 20
"""Bytes up to which an object is held in memory; a larger one becomes a copy on disk."""

_PORTION = (12 << 20, 500)  # bytes and objects that are fetched together
_AHEAD = 4  # portions fetched while another one is read: about 64 MB in memory altogether
_SMALL = 1 << 16  # bytes up to which a file on disk is read in one go

Numbered = tuple[int, SourceFile]
"""A file and its number in the batch, the file_id of its rows."""


class Contents:
    """Gives the bytes of files, wherever they lie; what is fetched or unpacked stands in a folder that is ours."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        self._folder = folder
        self._aws = aws
        self._held: dict[str, Fetched] = {}  # path of a file in S3 → what was fetched of it
        self._unpacked: set[str] = set()  # paths of packed files of which there is a plain copy
        self._under_way: set[Fetch] = set()

    def path(self, file: SourceFile) -> str:
        """Return where on disk a file is as plain text, or will be when it is copied."""
        return str(self._copy(file, "json")) if is_packed(file) else self._stored(file)

    def copy(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        """Put the plain text of files on disk that is not there yet, several at once; return the files that are there.

        One that cannot be had is left out: who reads it later is told why. Raise SourceUnreachable where none can.
        """
        list(self._fetched([(number, file) for number, file in enumerate(files)], in_memory=0))
        with ThreadPoolExecutor() as threads:  # which unpack at the same time
            here = list(threads.map(self._unpack, files))
        return [file for file, is_here in zip(files, here, strict=True) if is_here]

    def ahead(self, files: Sequence[Numbered]) -> Generator[Numbered, None, None]:
        """Yield files in order, each when its bytes are here, while the next ones are being fetched; then drop it.

        To be closed by who does not take them all: then nothing is under way any more.
        """
        if not self._unpacked and not any(s3.is_s3(file.path) for _, file in files):
            yield from files
            return
        with closing(self._fetched(files, in_memory=IN_MEMORY)) as fetched:
            for number, file in fetched:
                yield number, file
                self.drop(file)

    def open(self, file: SourceFile) -> BinaryIO:
        """Open a file for reading its bytes, unpacked if its name ends in .gz.

        Raise SourceError for an object that could not be fetched, and what the system raises for a file on disk.
        """
        small = self.small(file)
        if small is not None:
            return io.BytesIO(small)
        if file.path in self._unpacked:
            return open_file(self.path(file), is_packed=False)
        held = self._held.get(file.path)
        return _unpacked(held) if isinstance(held, bytes) else open_file(self._stored(file), is_packed=is_packed(file))

    def small(self, file: SourceFile) -> bytes | None:
        """Return the bytes of a file if they are at hand or few, and not packed; else None. Raise as `open` does."""
        held = self._held.get(file.path)
        if isinstance(held, SourceError):
            raise held
        if is_packed(file):
            return None
        if isinstance(held, bytes):
            return held
        return read_small(self._stored(file), file.size) if file.size <= _SMALL else None

    def stop(self) -> None:
        """Give up what is being fetched; who waits for it in another thread is raised CancelledError."""
        for fetch in tuple(self._under_way):
            fetch.stop()

    def drop(self, file: SourceFile) -> None:
        """Forget what was fetched of a file, and remove its copies."""
        if isinstance(held := self._held.pop(file.path, None), Path):
            held.unlink()
        if file.path in self._unpacked:
            self._unpacked.remove(file.path)
            Path(self.path(file)).unlink()

    def _stored(self, file: SourceFile) -> str:
        """Return where on disk a file is as it was found, or its copy will be."""
        return str(self._copy(file, "fetched")) if s3.is_s3(file.path) else file.path

    def _copy(self, file: SourceFile, suffix: str) -> Path:
        return self._folder / f"{md5(file.path.encode(), usedforsecurity=False).hexdigest()}.{suffix}"

    def _unpack(self, file: SourceFile) -> bool:
        """Unpack a file if it is packed; tell whether its plain text is on disk."""
        if not is_packed(file):
            return not isinstance(self._held.get(file.path), SourceError)
        plain = Path(self.path(file))
        held = self._held.get(file.path)
        try:
            stored = io.BytesIO(held) if isinstance(held, bytes) else open_file(self._stored(file), is_packed=False)
            with stored as packed, plain.open("wb") as copy:
                unpack(packed, copy)
        except UNREADABLE:
            plain.unlink(missing_ok=True)
            return False
        self._unpacked.add(file.path)
        return True

    def _fetched(self, files: Sequence[Numbered], *, in_memory: int) -> Generator[Numbered, None, None]:
        under_way: deque[tuple[Sequence[Numbered], Fetch | None]] = deque()
        try:
            for portion in _portions(files, in_memory):
                under_way.append((portion, self._begin([file for _, file in portion], in_memory)))
                if len(under_way) > _AHEAD:
                    yield from self._take(*under_way[0])
                    under_way.popleft()
            while under_way:
                yield from self._take(*under_way[0])
                under_way.popleft()
        finally:
            for _, fetch in under_way:
                if fetch:
                    fetch.stop()
                    self._under_way.discard(fetch)

    def _begin(self, files: Sequence[SourceFile], in_memory: int) -> Fetch | None:
        """Begin to fetch those files that are in S3 and are not here yet."""
        if not any(s3.is_s3(file.path) for file in files):
            return None
        from sparkify.sources.download import (
            Fetch,
            Wanted,  # whose event loop a run on files on disk does without
        )

        wanted = {}
        for file in files:
            if not s3.is_s3(file.path) or isinstance(self._held.get(file.path), bytes | Path):
                continue
            if not file.size:  # nothing to fetch, and perhaps nothing there: a folder may be listed so
                self._held[file.path] = b""
                continue
            name, key = s3.split(file.path)
            copy = Path(self._stored(file)) if file.size > in_memory else None
            wanted[file.path] = Wanted(s3.bucket(name, self._aws), key, file.version, file.size, copy)
        if not wanted:
            return None
        fetch = Fetch(wanted)
        self._under_way.add(fetch)
        return fetch

    def _take(self, portion: Sequence[Numbered], fetch: Fetch | None) -> Iterator[Numbered]:
        if fetch:
            self._held |= fetch.results()
            self._under_way.remove(fetch)
        yield from portion


def _portions(files: Sequence[Numbered], in_memory: int) -> Iterator[list[Numbered]]:
    """Cut files into portions; what goes to disk weighs nothing."""
    portion: list[Numbered] = []
    weight = 0
    for number, file in files:
        size = file.size if file.size <= in_memory else 0
        if portion and (weight + size > _PORTION[0] or len(portion) == _PORTION[1]):
            yield portion
            portion, weight = [], 0
        portion.append((number, file))
        weight += size
    if portion:
        yield portion
