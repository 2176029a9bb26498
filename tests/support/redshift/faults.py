"""Faults that a test can order: each waits for its moment, occurs once, and is gone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from tests.support.redshift.protocol import Refusal


class Cut(Enum):
    """The moment at which the relay drops the connection of a client that commits."""

    BEFORE = auto()
    """The server never receives the COMMIT."""
    AFTER = auto()
    """The server commits, and the client never receives the answer."""


@dataclass(frozen=True)
class _Failure:
    pattern: re.Pattern[str]
    refusal: Refusal


class Faults:
    """The faults that have not occurred yet, over all sessions."""

    def __init__(self) -> None:
        self._cut: Cut | None = None
        self._drops = 0
        self._turned_away: list[Refusal] = []
        self._failures: list[_Failure] = []

    def cut_at_commit(self, moment: Cut) -> None:
        """Drop the connection of the next client that sends COMMIT."""
        self._cut = moment

    def drop_connections(self, count: int = 1) -> None:
        """Silently drop the next connections."""
        self._drops += count

    def turn_away(self, message: str = "too many connections for user", state: str = "53300") -> None:
        """Refuse the next login."""
        self._turned_away.append(Refusal(message, state, severity="FATAL"))

    def fail(self, pattern: str, message: str, state: str, detail: str = "") -> None:
        """Fail the next statement that matches a regular expression in any case."""
        self._failures.append(_Failure(re.compile(pattern, re.IGNORECASE), Refusal(message, state, detail)))

    def violate_isolation(self, pattern: str) -> None:
        """Fail the next statement like this one with error 1023."""
        self.fail(pattern, "1023", "XX000", "Serializable isolation violation on table - 0")

    # Questions of the relay

    def drops(self) -> bool:
        """Return whether to drop this connection."""
        dropped = self._drops > 0
        self._drops -= dropped
        return dropped

    def login(self) -> None:
        """Refuse a login, if that was ordered."""
        if self._turned_away:
            raise self._turned_away.pop(0)

    def statement(self, text: str) -> None:
        """Refuse a statement, if that was ordered."""
        for failure in self._failures:
            if failure.pattern.search(text):
                self._failures.remove(failure)
                raise failure.refusal

    def commit(self) -> Cut | None:
        """Return when to drop the connection of a client that commits, or None."""
        moment, self._cut = self._cut, None
        return moment
