"""The data dictionary: what every table, view and column is, as the SQL file that defines it says at its top.

``-- users: one row per user …`` opens a file; ``-- user_id: …`` says what a column is. A line that opens nothing goes
on with the one before. The same text becomes the warehouse's own comments, docs/data-dictionary.md, and the answer of
``sparkify describe``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sparkify.errors import ConfigError
from sparkify.sql import loader, model
from sparkify.sql.quoting import quoted

_ENGINE = "duckdb"


@dataclass(frozen=True)
class Column:
    """A column of a table or view."""

    name: str
    type: str  # as DuckDB names it
    text: str


@dataclass(frozen=True)
class Entry:
    """A table or view."""

    name: str
    kind: str  # table or view
    text: str  # what one row is, and what counts
    columns: tuple[Column, ...]

    @property
    def row(self) -> str:
        """What there is one row per, with what it says; a table of one row has it per warehouse."""
        text = self.text.partition(". ")[0].rstrip(".")
        return text.removeprefix("One row per ").replace("One row: ", "warehouse: ", 1)


def header(statement: str) -> dict[str, str]:
    """Return what the comment lines at the top of a SQL file say, by name: of the table first, then of its columns."""
    said: dict[str, str] = {}
    for line in statement.splitlines():
        if not line.startswith("-- "):
            break
        opening = re.fullmatch(r"-- (\w+): (.+)", line)
        if opening and opening[1] not in said:
            text = opening[2]
            said[opening[1]] = text if said else text[0].upper() + text[1:]
        else:
            latest = list(said)[-1]
            said[latest] += " " + line.removeprefix("-- ").strip()
    return said


def texts() -> dict[tuple[str, str], str]:
    """Return what every table and view is, and every column of them: by table and column, "" for the table itself."""
    said = {}
    for name in everything():
        folder = "views" if name in model.VIEWS else "tables"
        for word, text in header(loader.read(f"{folder}/{name}", _ENGINE)).items():
            said[name, "" if word == name else word] = text
    return said


def everything() -> tuple[str, ...]:
    """Return the names of the tables and views that are described, in the order in which people look for them."""
    others = [name for name in loader.names("tables") if name not in model.ALL]
    return (*model.FACTS, *model.DIMENSIONS, *model.VIEWS, *model.OPERATIONS, *others)


@cache
def entries() -> tuple[Entry, ...]:
    """Return every table and view with its columns, whose types an empty warehouse in memory tells."""
    return tuple(_entries())


def _entries() -> Iterator[Entry]:
    import duckdb  # only here: texts are needed without

    from sparkify.sql import ddl

    said = texts()
    with duckdb.connect() as empty:
        for statement in [
            *ddl.create_statements(_ENGINE),
            loader.read("tables/checked_period", _ENGINE),
        ]:
            empty.execute(statement)
        for name in everything():
            columns = empty.execute(f"describe {quoted(name)}").fetchall()
            yield Entry(
                name,
                "view" if name in model.VIEWS else "table",
                said[name, ""],
                tuple(Column(column, kind.lower(), said.get((name, column), "")) for column, kind, *_ in columns),
            )


def entry(name: str) -> Entry:
    """Return the table or view of a name; raise ConfigError if there is none."""
    found = {entry.name: entry for entry in entries()}
    if name.lower() not in found:
        known = ", ".join(found)
        raise ConfigError(f"{name}: there is no such table or view. Name one of: {known}.")
    return found[name.lower()]
