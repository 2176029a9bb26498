"""Show the progress of a run on stderr."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from threading import Event, Thread
from time import monotonic
from typing import Any

from sparkify import formatting
from sparkify.cli.output import say

_SILENT_FOR = 9.0  # seconds, at most, so that a line follows within 10


class Narrator:
    """The progress of a run, on stderr: a bar on a terminal, lines with their times elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._bar: Any = nullcontext()
        self._size = self._read = self._records = 0
        self._last_line = monotonic()
        self._has_ended = Event()
        self._reminder = Thread(target=self._remind, daemon=True)

    def __enter__(self) -> Narrator:
        if not self._is_terminal:
            self._reminder.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._bar.__exit__(None, None, None)
        self._has_ended.set()
        if self._reminder.is_alive():
            self._reminder.join()

    def say(self, line: str) -> None:
        """Print a line."""
        self._last_line = monotonic()
        say(line if self._is_terminal else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")

    def start(self, files: int, size: int) -> None:
        """Show the number and size of the files to read."""
        if not files:
            return
        self._size, self._read, self._records = size, 0, 0  # a rebuild starts again, for what has changed since
        if not self._is_terminal:
            self.say(f"Loading {formatting.files(files)}, {formatting.size(size)}")
            return
        self._bar.__exit__(None, None, None)
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("Loading"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TextColumn("{task.fields[records]:,} records"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.__enter__()
        self._task = self._bar.add_task("", total=size, records=0)

    def advance(self, size: int, records: int) -> None:
        """Advance the bar, or the numbers of the next line."""
        self._read += size
        self._records += records
        if hasattr(self, "_task"):
            self._bar.update(self._task, advance=size, records=self._records)

    def _remind(self) -> None:
        """Print the state of the run whenever nothing else was printed for a while."""
        while not self._has_ended.wait(max(0.0, self._last_line + _SILENT_FOR - monotonic())):
            if monotonic() >= self._last_line + _SILENT_FOR:
                with suppress(OSError):  # The reader of stderr has gone.
                    self.say(self._state())

    def _state(self) -> str:
        if not self._size:
            return "No file was read yet"
        read = f"{formatting.size(self._read)} of {formatting.size(self._size)}"
        records = formatting.count(self._records, "record")
        return f"Publishing {records}" if self._read >= self._size else f"Read {read}, {records}"
