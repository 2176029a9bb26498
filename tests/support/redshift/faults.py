"""What a test can have go wrong: each fault waits for its moment, strikes once, and is gone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from tests.support.redshift.protocol import Refusal


class Cut(Enum):
    """When the relay drops the connection of a client that commits."""

    BEFORE = auto()
    """The server never hears of it."""
    AFTER = auto()
    """The server has committed; the client never hears of it."""


@dataclass(frozen=True)
class _Failure:
    pattern: re.Pattern[str]
    refusal: Refusal


class Faults:
    """The faults that wait for their moment, over all sessions."""

    def __init__(self) -> None:
        self._cut: Cut | None = None
        self._drops = 0
        self._turned_away: list[Refusal] = []
        self._failures: list[_Failure] = []

    def cut_at_commit(self, moment: Cut) -> None:
        """Drop the connection of the next client that says COMMIT."""
        self._cut = moment

    def drop_connections(self, count: int = 1) -> None:
        """Drop the next connections, at once and without a word."""
        self._drops += count

    def turn_away(self, message: str = "too many connections for user", state: str = "53300") -> None:
        """Refuse the next login."""
        self._turned_away.append(Refusal(message, state, severity="FATAL"))

    def fail(self, pattern: str, message: str, state: str, detail: str = "") -> None:
        """Fail the next statement that a regular expression, without regard to case, is found in."""
        self._failures.append(_Failure(re.compile(pattern, re.IGNORECASE), Refusal(message, state, detail)))

    def violate_isolation(self, pattern: str) -> None:
        """Fail the next statement like this one with error 1023."""
        self.fail(pattern, "1023", "XX000", "Serializable isolation violation on table - 0")

    # What the relay asks.

    def drops(self) -> bool:
        """Tell whether this connection is to be dropped."""
        dropped = self._drops > 0
        self._drops -= dropped
        return dropped

    def login(self) -> None:
        """Refuse a login, if one is to be refused."""
        if self._turned_away:
            raise self._turned_away.pop(0)

    def statement(self, text: str) -> None:
        """Refuse a statement, if it is to fail."""
        for failure in self._failures:
            if failure.pattern.search(text):
                self._failures.remove(failure)
                raise failure.refusal

    def commit(self) -> Cut | None:
        """Tell whether, and when, the connection of a client that commits is to be dropped."""
        moment, self._cut = self._cut, None
        return moment
