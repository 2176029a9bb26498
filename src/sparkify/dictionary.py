"""The data dictionary: what every table, view and column is, as the SQL file that defines it says at its top.

``-- users: one row per user …`` opens a file; ``-- user_id: …`` says what a column is. A line that opens nothing goes
on with the one before. The same text becomes the warehouse's own comments, docs/data-dictionary.md, and the answer of
``sparkify describe``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from sparkify import queries, tables
from sparkify.config import Config
from sparkify.contract import literal, quoted
from sparkify.engines.base import Engine
from sparkify.errors import ConfigError

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
        folder = "views" if name in tables.VIEWS else "tables"
        for word, text in header(queries.read(f"{folder}/{name}", _ENGINE)).items():
            said[name, "" if word == name else word] = text
    return said


def everything() -> tuple[str, ...]:
    """Return the names of the tables and views that are described, in the order in which people look for them."""
    others = [name for name in queries.names("tables") if name not in tables.ALL]
    return (*tables.FACTS, *tables.DIMENSIONS, *tables.VIEWS, *tables.OPERATIONS, *others)


@cache
def entries() -> tuple[Entry, ...]:
    """Return every table and view with its columns, whose types an empty warehouse in memory tells."""
    return tuple(_entries())


def _entries() -> Iterator[Entry]:
    import duckdb  # only here: texts are needed without

    from sparkify import statements

    said = texts()
    with duckdb.connect() as empty:
        for statement in [
            *statements.create_tables(Config(url="duckdb:")),
            queries.read("tables/checked_period", _ENGINE),
        ]:
            empty.execute(statement)
        for name in everything():
            columns = empty.execute(f"describe {quoted(name)}").fetchall()
            yield Entry(
                name,
                "view" if name in tables.VIEWS else "table",
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


def lacking(stands: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """Return the columns that tables of our names lack, by table; `stands` is what `Engine.comments` says."""
    there = {(table, column.lower()) for table, column in stands}
    lacks: dict[str, list[str]] = {}
    for table, column in texts():
        if table in tables.ALL and (table, "") in there and (table, column.lower()) not in there:
            lacks.setdefault(table, []).append(column)
    return lacks


def comment(engine: Engine) -> int:
    """Write the dictionary into the warehouse's comments, where they say something else; return how many."""
    said = {(table, column.lower()): text for (table, column), text in texts().items()}  # as a server spells it
    wrong = {}
    for (table, column), stands in engine.comments().items():
        text = said.get((table, column.lower()))
        is_view = table in tables.VIEWS and not column  # whose comment is written with it
        if text and text != stands and not is_view:
            wrong[table, column] = text
    if wrong:
        with engine.transaction():
            for (table, column), text in wrong.items():
                what = f"column {quoted(table)}.{quoted(column)}" if column else f"table {quoted(table)}"
                engine.execute(f"comment on {what} is {literal(text)}")
    return len(wrong)
