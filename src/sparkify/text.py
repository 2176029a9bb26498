"""Repair of text that was mangled before it reached the logs."""

from __future__ import annotations

_CUT_TO_LOW_BYTE = str.maketrans("\x13\x14\x18\x19\x1c\x1d", "–—‘’“”")
_MOST_TIMES = 3


def repair(text: str) -> str:
    """Return the text as it was meant.

    UTF-8 that was read as Latin-1, up to three times over, is read again as UTF-8; the six general punctuation
    marks – — ‘ ’ “ ” that were cut to their low byte (U+0013, 14, 18, 19, 1C, 1D) get their high byte back.
    """
    for _ in range(_MOST_TIMES):
        try:
            once_less = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            break
        if once_less == text:
            break
        text = once_less
    return text.translate(_CUT_TO_LOW_BYTE)
