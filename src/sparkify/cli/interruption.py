"""End a command within a second of Ctrl-C, whatever a library is doing."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INTERRUPTED = 130
"""The exit code of an interrupted command: 128 and the number of the signal, as shells count it."""

_GRACE = 0.7  # seconds, until Python notices the signal
_CLEANUP = 10  # seconds, from then on: a session on Redshift has to be ended over a second connection
_SHOW_CURSOR = "\r\x1b[K\x1b[?25h"  # A progress bar hides it.


@contextmanager
def ends_promptly() -> Iterator[None]:
    """Make Ctrl-C end the code of a `with` block.

    Python raises KeyboardInterrupt only between two of its own instructions, and a single statement of DuckDB can take
    minutes. So a thread interrupts the statements. After a grace period it ends the process, as `kill -9` would: a run
    publishes everything or nothing, and the next one deletes the temporary files.
    """
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # Background processes ignore Ctrl-C.
    if threading.current_thread() is not threading.main_thread() or not is_ours:
        yield
        return
    noticed: list[int] = []

    def notice(number: int, _: object) -> None:
        noticed.append(number)
        raise KeyboardInterrupt

    signals, received = os.pipe()
    os.set_blocking(received, False)
    before = signal.set_wakeup_fd(received, warn_on_full_buffer=False)
    has_ended = threading.Event()
    watching = threading.Thread(target=_watch, args=(signals, noticed, has_ended), daemon=True)
    try:
        watching.start()
        signal.signal(signal.SIGINT, notice)
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.set_wakeup_fd(before)
        has_ended.set()
        os.write(received, b"\0")
        watching.join()
        os.close(signals)
        os.close(received)


def _watch(signals: int, noticed: list[int], has_ended: threading.Event) -> None:
    while signal.SIGINT not in os.read(signals, 64):  # one byte for each signal: its number
        if has_ended.is_set():
            return
    if embedded := sys.modules.get("sparkify.warehouse.embedded"):
        embedded.interrupt()
    if has_ended.wait(_GRACE) or (noticed and has_ended.wait(_CLEANUP)):
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{_SHOW_CURSOR if sys.stderr.isatty() else ''}sparkify: interrupted.\n")
        sys.stderr.flush()
    os._exit(INTERRUPTED)
