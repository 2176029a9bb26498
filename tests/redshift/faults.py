"""What a test can have go wrong."""

from __future__ import annotations


class Faults:
    """The faults that wait for their moment; each strikes once."""

    def connecting(self) -> None:
        """A client has logged in."""
