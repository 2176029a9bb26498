"""One background event loop that runs every obstore call, so that Ctrl-C always works.

A thread that waits in obstore cannot be stopped, but a task can. Reading in threads was a third faster, but Ctrl-C then
waited for a stalled network.
"""

import atexit
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class _Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        import asyncio

        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="s3", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def close(self) -> None:
        """Stop the loop and end the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@cache
def _background() -> _Background:
    return _Background()


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the background and return its result; the wait can be interrupted."""
    import asyncio

    future = asyncio.run_coroutine_threadsafe(coroutine, _background().loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def next_or_none(stream: Any) -> Any:
    """Return the next item of a stream, or None at its end."""
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None
