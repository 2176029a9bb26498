"""How values are written for people and for machines: text in, text out, nothing is printed here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any


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
