"""Quote names and texts for SQL that cannot bind them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote a text for SQL, where no value can be bound."""
    return "'" + value.replace("'", "''") + "'"
