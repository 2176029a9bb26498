"""What Redshift makes of a statement: what it is refused for, and how the real server is asked instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Action(Enum):
    """What the relay does with a statement."""

    PASS = auto()
    """Hand it to the server."""
    COPY = auto()
    """Load files from S3 itself."""
    TRUNCATE = auto()
    """Hand it to the server, then commit."""


@dataclass(frozen=True)
class Statement:
    """A statement as Redshift takes it."""

    text: str
    """As the client wrote it."""
    rewritten: str
    """As the real server gets it."""
    action: Action = Action.PASS
    """What the relay does with it."""
    kind: str = ""
    """Its first word, in lower case."""


def judged(text: str) -> Statement:
    """Return a statement as the real server gets it; Refusal when Redshift would refuse it."""
    words = text.lower().split()
    kind = words[0].rstrip(";") if words else ""
    return Statement(text, text, kind=kind)
