"""What the commands share to talk to people and machines: lines, tables, JSON, and the progress of a run."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from io import TextIOWrapper
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from sparkify import formats
from sparkify.errors import ConfigError, SparkifyError


@contextmanager
def printing() -> Iterator[None]:
    """Write what is printed inside to the end; a reader who has read enough may go.

    Raise SparkifyError where stdout is closed, or takes no more. What its encoding lacks is written as an escape.
    """
    if not sys.stderr:  # closed: what is said must not go to stdout instead
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
    if not sys.stdout:
        raise SparkifyError("stdout is closed. Let it go somewhere, such as to /dev/null.")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        try:
            print(flush=True)
        except OSError:  # again: it was stdout that failed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            raise
        if not isinstance(error, BrokenPipeError):
            what = f"stdout cannot be written ({error.strerror}). Let it go elsewhere"
            raise SparkifyError(f"{what}; what the command has done stands.") from error


class Narrator:
    """Says on stderr how a run goes: a bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = nullcontext()
        self._records = 0

    def __enter__(self) -> Narrator:
        return self

    def __exit__(self, *problem: object) -> None:
        self._bar.__exit__(None, None, None)

    def say(self, line: str) -> None:
        """Say a line."""
        say(line)

    def start(self, files: int, size: int) -> None:
        """Show how much there is to read."""
        if not files:
            return
        if not sys.stderr.isatty():
            say(f"Loading {formats.files(files)}, {formats.size(size)}")
            return
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
        """Move the bar on."""
        self._records += records
        if hasattr(self, "_task"):
            self._bar.update(self._task, advance=size, records=self._records)


def say(line: str, end: str = "\n") -> None:
    """Say a line to whoever is watching, on stderr; a name in it may hold anything, and does not steer the terminal."""
    print(formats.printable(line), end=end, file=sys.stderr, flush=True)


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask whether to go on, unless --yes has said so; raise ConfigError where nobody is there to be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Pass --yes to say so.")
    try:
        say(f"{question} [y/N] ", end="")
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Nothing was changed.") from None
    if answer.strip().lower() in ("y", "yes"):
        return True
    say("Nothing was changed.")
    return False


def print_json(value: Any) -> None:
    """Print what a machine asked for."""
    is_utf8 = sys.stdout.encoding.lower() == "utf-8"
    print(json.dumps(formats.as_json(value), indent=2, ensure_ascii=not is_utf8, allow_nan=False))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows for a program that reads CSV, a line feed after each."""
    writer = csv.writer(_Lines())
    writer.writerow(columns)
    writer.writerows(rows)


class _Lines:
    """Takes the lines of a CSV. They come with CR LF: a writer of other ends would not quote a text with a CR in it."""

    def write(self, line: str) -> None:
        sys.stdout.write(line.removesuffix("\r\n") + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, grouped: bool = True) -> None:
    """Print a table for people; `grouped`: with commas between thousands."""
    # Somewhere else than on a terminal nothing is folded: another program may read the lines.
    width = get_terminal_size().columns if sys.stdout.isatty() else 1000
    print(formats.table(columns, rows, width, grouped=grouped))
