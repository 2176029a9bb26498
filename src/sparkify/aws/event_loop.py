"""One background event loop in which obstore is awaited, so that Ctrl-C always works."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Coroutine
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    pass


T = TypeVar("T")


# A thread that waits in obstore cannot be stopped, a task can: so everything waits in one event loop, in a thread of
# its own. Threads read a third faster, and left Ctrl-C waiting for a stalled network.


class _Background:
    """The event loop in which obstore is waited for."""

    def __init__(self) -> None:
        import asyncio

        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="s3", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def close(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@cache
def _background() -> _Background:
    return _Background()


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the background; whoever waits can be interrupted."""
    import asyncio

    future = asyncio.run_coroutine_threadsafe(coroutine, _background().loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def next_or_none(stream: Any) -> Any:
    """Return the next of a stream, or None at its end."""
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None
