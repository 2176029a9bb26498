"""Text for people: sizes, counts and durations, and text that is safe in a page. Nothing is printed here."""

import re
from unicodedata import bidirectional

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 excludes (www.w3.org/TR/xml/#charsets)."""

_DIRECTION_MARKS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_NOT_LEFT_TO_RIGHT = _DIRECTION_MARKS | {"R", "AL", "AN"}


def xml_text(text: str) -> str:
    """Return a text for a page or a drawing; U+FFFD replaces each character that XML excludes."""
    return _NOT_XML.sub("\ufffd", text)


def isolated(name: str) -> str:
    """Return a name that does not change the direction of the sentence around it.

    Isolates (unicode.org/reports/tr9) surround a right-to-left name, or one with direction marks. The marks themselves
    are removed, since they could end the isolate.
    """
    if all(bidirectional(c) not in _NOT_LEFT_TO_RIGHT for c in name):
        return name
    return f"\u2068{''.join(c for c in name if bidirectional(c) not in _DIRECTION_MARKS)}\u2069"


def on_one_line(text: str) -> str:
    """Return a text, such as the name of a file, with line endings as escapes."""
    return text.replace("\n", "\\n")


def size(number: float) -> str:
    """Return a number of bytes in a suitable unit: 1.5 MB."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, thing: str) -> str:
    """Return a number of things: 1 play, 2 plays."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def files(number: int) -> str:
    """Return a number of files: 1 file, 2 files."""
    return count(number, "file")


def _age(seconds: float) -> str:
    """Return a duration in a suitable unit: 3 days."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} seconds"


def ago(seconds: float) -> str:
    """Return how long ago an event was, or how far it is ahead of the clock."""
    return f"{_age(seconds)} ago" if seconds > -1 else f"{_age(-seconds)} ahead of the clock"
