"""Format values for people and machines, and print them: lines, questions, tables, JSON and CSV."""

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

from sparkify import formatting
from sparkify.errors import ConfigError, SparkifyError

_NUMBER = int | float | Decimal
_LONG, _LARGE = 10, 1e8  # a longer number is rounded to 8 digits, unless it is too large to keep its whole part
_MIN_PART = 8  # characters of a folded word on one line


# Format values


def printable(text: str) -> str:
    """Return a text with control characters as escapes, so that it cannot control a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def on_one_line(text: str) -> str:
    """Return a text with control characters and line endings as escapes, such as the name of a file or key."""
    return formatting.on_one_line(printable(text))


def as_json(value: Any) -> Any:
    """Convert a value to JSON types: decimals become numbers; dates, NaN and the infinities become text."""
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


def unique_names(names: Sequence[str]) -> list[str]:
    """Return names with a number after each repeated one, since a JSON object holds a name once."""
    unique: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in unique:
            candidate, number = f"{name}_{number}", number + 1
        unique.append(candidate)
    return unique


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], width: int, *, grouped: bool) -> str:
    """Return rows as a table for people. Texts are folded to a width in characters; numbers and times are not.

    Rows that are still too wide are listed record by record, with one line per column. `grouped` puts commas between
    thousands, which suits amounts, but not years or session numbers.
    """
    from rich import box
    from rich.console import Console, RenderableType
    from rich.table import Table

    names = [printable(column) for column in columns]
    values = [list(row) for row in rows]
    cells = [[_cell(value, grouped=grouped) for value in row] for row in values]
    widths = [_min_width("", name) for name in names]
    for row, texts in zip(values, cells, strict=True):
        needed = map(_min_width, row, texts)
        widths = [max(pair) for pair in zip(widths, needed, strict=True)]
    parts: list[RenderableType] = []
    if sum(widths) + len(widths) - 1 <= width:
        grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for place, name in enumerate(names):
            column = [row[place] for row in values if row[place] is not None]
            is_number = bool(values) and all(isinstance(value, _NUMBER) for value in column)
            justify: Literal["left", "right"] = "right" if is_number else "left"
            grid.add_column(name, justify=justify, overflow="fold", min_width=widths[place])
        for row in cells:
            grid.add_row(*row)
        parts.append(grid)
    else:
        for number, row in enumerate(cells):
            record = Table.grid(padding=(0, 2, 0, 0))
            record.add_column(overflow="fold", min_width=min(max(map(len, names)), width // 2))
            record.add_column(overflow="fold")
            for name, cell in zip(names, row, strict=True):
                record.add_row(name, cell)
            parts += [record] if not number else ["", record]
    console = Console(markup=False, highlight=False, width=width)
    with console.capture() as captured:
        console.print(*parts, sep="\n")
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


def _min_width(value: Any, cell: str) -> int:
    """Return the width that a cell needs: a number, date or time is not folded; a text can be folded anywhere."""
    is_whole = isinstance(value, _NUMBER | date)
    return max(len(word) if is_whole else min(len(word), _MIN_PART) for word in cell.split(" "))


# Print


@contextmanager
def printing() -> Iterator[None]:
    """Flush stdout at the end of a `with` block; ignore a reader that closed the pipe early.

    Raise SparkifyError if stdout is closed or cannot be written. Characters outside its encoding become escapes.
    """
    if not sys.stderr:  # if stderr is closed, its lines must not go to stdout
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
    if not sys.stdout:
        raise SparkifyError("stdout is closed. Redirect it, for example to /dev/null.")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        try:
            print(flush=True)
        except OSError:  # stdout caused the first error too
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            raise
        if not isinstance(error, BrokenPipeError):
            problem = f"stdout cannot be written ({error.strerror})"
            raise SparkifyError(f"{problem}. Redirect it elsewhere; the command's changes remain.") from error


def say(line: str, end: str = "\n") -> None:
    """Print a line to stderr, with control characters as escapes."""
    print(printable(line), end=end, file=sys.stderr, flush=True)


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask for confirmation, unless --yes is set; raise ConfigError if stdin is not a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Pass --yes to confirm.")
    try:
        say(f"{question} [y/N] ", end="")
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Nothing was changed.") from None
    if answer.strip().lower() in ("y", "yes"):
        return True
    say("Nothing was changed.")
    return False


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, grouped: bool = True) -> None:
    """Print a table for people; `grouped` puts commas between thousands."""
    # Outside of a terminal nothing is folded, since another program may read the lines.
    width = get_terminal_size().columns if sys.stdout.isatty() else 1000
    print(table(columns, rows, width, grouped=grouped))


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    is_utf8 = sys.stdout.encoding.lower() == "utf-8"
    print(json.dumps(as_json(value), indent=2, ensure_ascii=not is_utf8, allow_nan=False))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as CSV, with a line feed after each row."""
    writer = csv.writer(_Lines())
    writer.writerow(columns)
    writer.writerows(rows)


class _Lines:
    """The file that csv writes to. It replaces CR LF: with another line terminator, csv would not quote a lone CR."""

    def write(self, line: str) -> None:
        sys.stdout.write(line.removesuffix("\r\n") + "\n")
