"""How values are written for people and for machines: text in, text out, nothing is printed here."""

from __future__ import annotations

import re
from unicodedata import bidirectional

_UNPRINTED = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no character for (www.w3.org/TR/xml/#charsets)."""

_MARKS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_TURNING = _MARKS | {"R", "AL", "AN"}


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
