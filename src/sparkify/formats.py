"""How values are written for people and for machines: text in, text out, nothing is printed here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from unicodedata import bidirectional

_UNPRINTED = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no character for (www.w3.org/TR/xml/#charsets)."""

_NUMBER = int | float | Decimal
_LONG, _LARGE = 10, 1e8  # a number of more characters is rounded, unless it is so large that nothing would be left
_PART = 8  # characters of a word that stand together at least

_MARKS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_TURNING = _MARKS | {"R", "AL", "AN"}


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


def legible(text: str) -> str:
    """Return a text for a page or a drawing: what XML has no character for stands as U+FFFD."""
    return _UNPRINTED.sub("\ufffd", text)


def named(text: str) -> str:
    """Return a name to stand in a sentence, which it does not turn round.

    One that runs from right to left, or asks for a direction, is set apart by isolates (unicode.org/reports/tr9); marks
    of direction in it that could end that are left out.
    """
    if all(bidirectional(c) not in _TURNING for c in text):
        return text
    return f"\u2068{''.join(c for c in text if bidirectional(c) not in _MARKS)}\u2069"


def size(number: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, thing: str) -> str:
    """Return a number of things in words."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def files(number: int) -> str:
    """Return a number of files in words."""
    return count(number, "file")


def age(seconds: float) -> str:
    """Return a length of time in the unit that suits it."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} seconds"


def ago(seconds: float) -> str:
    """Return how long ago something happened, or how far ahead of the clock."""
    return f"{age(seconds)} ago" if seconds > -1 else f"{age(-seconds)} ahead of the clock"
