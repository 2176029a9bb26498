"""The data dictionary: descriptions of tables, views and columns, read from the headers of the SQL files.

The first line of a file describes the table: ``-- users: one row per user …``. Lines such as ``-- user_id: …`` describe
columns, and any other comment line continues the previous one. The same text is used for the comments in the warehouse,
docs/data-dictionary.md, and ``sparkify describe``.
"""

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
    type: str  # DuckDB's name
    text: str


@dataclass(frozen=True)
class Entry:
    """A table or view."""

    name: str
    kind: str  # table or view
    text: str  # begins with what one row is
    columns: tuple[Column, ...]

    @property
    def row(self) -> str:
        """The first sentence without "One row per"; a table of a single row has one per warehouse."""
        text = self.text.partition(". ")[0].rstrip(".")
        return text.removeprefix("One row per ").replace("One row: ", "warehouse: ", 1)


def header(statement: str) -> dict[str, str]:
    """Return the descriptions in the header of a SQL file, by name: the table first, then its columns."""
    descriptions: dict[str, str] = {}
    for line in statement.splitlines():
        if not line.startswith("-- "):
            break
        opening = re.fullmatch(r"-- (\w+): (.+)", line)
        if opening and opening[1] not in descriptions:
            text = opening[2]
            descriptions[opening[1]] = text if descriptions else text[0].upper() + text[1:]
        else:
            latest = list(descriptions)[-1]
            descriptions[latest] += " " + line.removeprefix("-- ").strip()
    return descriptions


def texts() -> dict[tuple[str, str], str]:
    """Return all descriptions by (table, column); the column of a table or view itself is ""."""
    descriptions = {}
    for name in everything():
        folder = "views" if name in model.VIEWS else "tables"
        for word, text in header(loader.read(f"{folder}/{name}", _ENGINE)).items():
            descriptions[name, "" if word == name else word] = text
    return descriptions


def everything() -> tuple[str, ...]:
    """Return the names of all tables and views, those of most interest to analysts first."""
    others = [name for name in loader.names("tables") if name not in model.ALL]
    return (*model.FACTS, *model.DIMENSIONS, *model.VIEWS, *model.OPERATIONS, *others)


@cache
def entries() -> tuple[Entry, ...]:
    """Return every table and view with its columns; their types come from an empty warehouse in memory."""
    return tuple(_entries())


def _entries() -> Iterator[Entry]:
    import duckdb  # loaded only when types are needed

    from sparkify.sql import ddl

    described = texts()
    with duckdb.connect() as empty:
        for statement in ddl.create_statements(_ENGINE):
            empty.execute(statement)
        for name in everything():
            columns = empty.execute(f"describe {quoted(name)}").fetchall()
            yield Entry(
                name,
                "view" if name in model.VIEWS else "table",
                described[name, ""],
                tuple(Column(column, kind.lower(), described.get((name, column), "")) for column, kind, *_ in columns),
            )


def entry(name: str) -> Entry:
    """Return the table or view with a name, in any case; raise ConfigError if there is none."""
    by_name = {entry.name: entry for entry in entries()}
    if name.lower() not in by_name:
        known = ", ".join(by_name)
        raise ConfigError(f"{name}: no table or view has this name. Choose one of: {known}.")
    return by_name[name.lower()]
