"""Print to the terminal: lines, questions, tables, CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from shutil import get_terminal_size
from typing import Any, Literal

from sparkify.errors import ConfigError, SparkifyError

_NUMBER = int | float | Decimal
_LONG, _LARGE = 10, 1e8  # a number of more characters is rounded, unless it is so large that nothing would be left
_PART = 8  # characters of a word that stand together at least


def distinct(names: Sequence[str]) -> list[str]:
    """Number the names that come again, as a join's columns do: a JSON object has room for one of each."""
    distinct: list[str] = []
    for name in names:
        given, number = name, 1
        while given in distinct:
            given, number = f"{name}_{number}", number + 1
        distinct.append(given)
    return distinct


def as_json(value: Any) -> Any:
    """Return a value as JSON has it: decimals are numbers, NaN and the infinities, like dates, are text."""
    match value:
        case dict():
            return {str(key): as_json(item) for key, item in value.items()}
        case list() | tuple() | set():
            return [as_json(item) for item in value]
        case Decimal() if value.is_finite():
            return int(value) if value == value.to_integral_value() else float(value)
        case float() if math.isfinite(value):
            return value
        case None | bool() | int():
            return value
    return str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], width: int, *, grouped: bool) -> str:
    """Return rows as a table for people, texts folded to a width in characters; numbers and moments stay whole.

    What is too wide for a table even so stands record by record, a line for each column. `grouped` puts commas between
    thousands, as suits amounts, but neither years nor the numbers of sessions.
    """
    from rich import box
    from rich.console import Console, RenderableType
    from rich.table import Table

    names = [printable(column) for column in columns]
    values = [list(row) for row in rows]
    cells = [[_cell(value, grouped=grouped) for value in row] for row in values]
    least = [_least("", name) for name in names]
    for row, drawn in zip(values, cells, strict=True):
        least = [max(so_far, _least(value, cell)) for so_far, value, cell in zip(least, row, drawn, strict=True)]
    shown: list[RenderableType] = []
    if sum(least) + len(least) - 1 <= width:
        made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for place, name in enumerate(names):
            column = [row[place] for row in values if row[place] is not None]
            is_number = bool(values) and all(isinstance(value, _NUMBER) for value in column)
            justify: Literal["left", "right"] = "right" if is_number else "left"
            made.add_column(name, justify=justify, overflow="fold", min_width=least[place])
        for row in cells:
            made.add_row(*row)
        shown.append(made)
    else:
        for number, row in enumerate(cells):
            record = Table.grid(padding=(0, 2, 0, 0))
            record.add_column(overflow="fold", min_width=min(max(map(len, names)), width // 2))
            record.add_column(overflow="fold")
            for name, cell in zip(names, row, strict=True):
                record.add_row(name, cell)
            shown += [record] if not number else ["", record]
    console = Console(markup=False, highlight=False, width=width)
    with console.capture() as captured:
        console.print(*shown, sep="\n")
    return captured.get().rstrip("\n")


def _cell(value: Any, *, grouped: bool) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if grouped else str(value)
    if isinstance(value, datetime) and value.microsecond % 1000 == 0:
        return value.isoformat(" ", "milliseconds" if value.microsecond else "auto")
    text = printable(str(value))
    is_long = isinstance(value, float | Decimal) and len(text) > _LONG
    return f"{value:.8g}" if is_long and abs(value) < _LARGE else text


def _least(value: Any, cell: str) -> int:
    """Return how wide a column must be for a cell: as wide as a number, a date, a time; texts are folded anywhere."""
    stays_whole = isinstance(value, _NUMBER | date)
    return max(len(word) if stays_whole else min(len(word), _PART) for word in cell.split(" "))


def printable(text: str) -> str:
    """Return a text that cannot steer a terminal: control characters stand as escapes."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


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


def say(line: str, end: str = "\n") -> None:
    """Say a line to whoever is watching, on stderr; a name in it may hold anything, and does not steer the terminal."""
    print(printable(line), end=end, file=sys.stderr, flush=True)


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
    print(json.dumps(as_json(value), indent=2, ensure_ascii=not is_utf8, allow_nan=False))


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
    print(table(columns, rows, width, grouped=grouped))
