"""Download many objects from S3 at once, into memory or to disk."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sparkify.aws import event_loop, s3
from sparkify.errors import SourceError, SourceUnreachable

READERS = 32
"""Objects that one Download reads at once. The cache has four Downloads in progress. With 20 ms of latency, 64 objects
at once arrived at 2,600 a second, 128 at 4,100 (Python built without optimisation)."""

WRITERS = 8
"""Objects that one Download writes to disk at once."""


@dataclass(frozen=True)
class Request:
    """One version of an object to download: into memory, or to a path on disk."""

    bucket: s3.Bucket
    key: str
    etag: str
    size: int  # bytes, as listed
    path: Path | None = None


Downloaded = bytes | Path | SourceError
"""The object's bytes, the path of its copy, or the reason why it is not available."""


class Download:
    """The concurrent download of some objects, each under a name. It starts when the instance is created."""

    def __init__(self, requests: Mapping[str, Request]) -> None:
        self._task = event_loop.wait(_start(requests))

    def results(self) -> dict[str, Downloaded]:
        """Wait for all objects; return the result of each under its name.

        Raise SourceUnreachable if S3 is not available, OSError if a copy cannot be written.
        """
        return event_loop.wait(_result(self._task))

    def cancel(self) -> None:
        """Cancel the download, and wait until it has ended."""
        event_loop.wait(_cancel(self._task))


_Task: TypeAlias = "asyncio.Task[dict[str, Downloaded]]"


async def _start(requests: Mapping[str, Request]) -> _Task:
    return asyncio.create_task(_download_all(requests))


async def _result(task: _Task) -> dict[str, Downloaded]:
    return await task


async def _cancel(task: _Task) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _download_all(requests: Mapping[str, Request]) -> dict[str, Downloaded]:
    results: dict[str, Downloaded] = {}
    small = iter([item for item in requests.items() if not item[1].path])
    large = iter([item for item in requests.items() if item[1].path])
    readers = [asyncio.create_task(_download(small, results)) for _ in range(min(READERS, len(requests)))]
    writers = [asyncio.create_task(_download(large, results)) for _ in range(min(WRITERS, len(requests)))]
    try:
        await asyncio.gather(*readers, *writers)
    finally:
        for task in (*readers, *writers):
            task.cancel()
        await asyncio.gather(*readers, *writers, return_exceptions=True)
    return results


async def _download(queue: Iterator[tuple[str, Request]], results: dict[str, Downloaded]) -> None:
    """Download objects, one after the other, from a queue that other tasks share."""
    for name, request in queue:
        try:
            if request.path:
                await request.bucket.copy(request.key, request.etag, request.path, request.size)
                results[name] = request.path
            else:
                results[name] = await request.bucket.read(request.key, request.etag, request.size)
        except SourceUnreachable:
            raise
        except SourceError as error:
            results[name] = error
