"""Show the progress of a run on stderr."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any

from sparkify import formatting
from sparkify.cli.output import say


class Narrator:
    """The progress of a run, on stderr: a bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = nullcontext()
        self._records = 0

    def __enter__(self) -> Narrator:
        return self

    def __exit__(self, *problem: object) -> None:
        self._bar.__exit__(None, None, None)

    def say(self, line: str) -> None:
        """Print a line."""
        say(line)

    def start(self, files: int, size: int) -> None:
        """Show the number and size of the files to read."""
        if not files:
            return
        if not sys.stderr.isatty():
            say(f"Loading {formatting.files(files)}, {formatting.size(size)}")
            return
        self.__exit__()  # a rebuild starts again, for what has changed since
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
        """Advance the bar."""
        self._records += records
        if hasattr(self, "_task"):
            self._bar.update(self._task, advance=size, records=self._records)
