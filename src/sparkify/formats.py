"""How values are written for people and for machines: text in, text out, nothing is printed here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from unicodedata import bidirectional

_UNPRINTED = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no character for (www.w3.org/TR/xml/#charsets)."""

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


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], width: int) -> str:
    """Return rows as a table for people, folded to a width in characters."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    shown = [list(row) for row in rows]
    for place, column in enumerate(columns):
        is_number = all(isinstance(row[place], int | float) or row[place] is None for row in shown) and bool(shown)
        made.add_column(printable(column), justify="right" if is_number else "left", overflow="fold")
    for row in shown:
        made.add_row(*(_cell(value) for value in row))
    console = Console(markup=False, highlight=False, width=width)
    with console.capture() as captured:
        console.print(made)
    return captured.get().rstrip("\n")


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else printable(str(value))


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
