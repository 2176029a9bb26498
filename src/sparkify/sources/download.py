"""Fetch many objects from S3 at once, into memory or to disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sparkify.aws import event_loop, s3
from sparkify.errors import SourceError, SourceUnreachable

READERS = 32
"""Objects that one Fetch reads at once. `contents.py` has four of them under way: with 20 ms of latency, 64 objects
at once came at 2,600 a second, 128 at 4,100 (Python built without optimisation)."""

WRITERS = 8
"""Of these, copies that are written to disk at once."""


@dataclass(frozen=True)
class Wanted:
    """One version of an object that is to be fetched: into memory, or to a path on disk."""

    bucket: s3.Bucket
    key: str
    etag: str
    size: int  # bytes, as listed
    path: Path | None = None


Fetched = bytes | Path | SourceError


class Fetch:
    """Objects that are being fetched, many at once, from the moment this is made; each under a name."""

    def __init__(self, wanted: Mapping[str, Wanted]) -> None:
        self._task = event_loop.wait(_started(wanted))

    def results(self) -> dict[str, Fetched]:
        """Wait for all; return the bytes of each, or the path, or why it could not be had, under its name.

        Raise SourceUnreachable where no object can be had, OSError where a copy cannot be written.
        """
        return event_loop.wait(_result(self._task))

    def stop(self) -> None:
        """Give up what is under way, and wait until it has ended."""
        event_loop.wait(_ended(self._task))


_Task: TypeAlias = "asyncio.Task[dict[str, Fetched]]"


async def _started(wanted: Mapping[str, Wanted]) -> _Task:
    return asyncio.create_task(_fetch_all(wanted))


async def _result(task: _Task) -> dict[str, Fetched]:
    return await task


async def _ended(task: _Task) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _fetch_all(wanted: Mapping[str, Wanted]) -> dict[str, Fetched]:
    fetched: dict[str, Fetched] = {}
    small = iter([item for item in wanted.items() if not item[1].path])
    large = iter([item for item in wanted.items() if item[1].path])
    readers = [asyncio.create_task(_fetch(small, fetched)) for _ in range(min(READERS, len(wanted)))]
    writers = [asyncio.create_task(_fetch(large, fetched)) for _ in range(min(WRITERS, len(wanted)))]
    try:
        await asyncio.gather(*readers, *writers)
    finally:
        for task in (*readers, *writers):
            task.cancel()
        await asyncio.gather(*readers, *writers, return_exceptions=True)
    return fetched


async def _fetch(left: Iterator[tuple[str, Wanted]], fetched: dict[str, Fetched]) -> None:
    """Fetch one after the other of those that nobody has taken yet."""
    for name, wanted in left:
        try:
            if wanted.path:
                await wanted.bucket.copy(wanted.key, wanted.etag, wanted.path, wanted.size)
                fetched[name] = wanted.path
            else:
                fetched[name] = await wanted.bucket.read(wanted.key, wanted.etag, wanted.size)
        except SourceUnreachable:
            raise
        except SourceError as error:
            fetched[name] = error
