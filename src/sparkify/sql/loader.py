"""Read SQL files, with the hint lines of one engine.

A file is one portable statement, except for its hint lines. ``-- @redshift diststyle all`` is SQL on the engine that
it names; other engines do not get the line. ``-- @period day`` names the column of time by which the rows of a view are
selected, and ``-- @period none`` states that a view counts the events of the period; no engine gets the line.
"""

import re
from functools import cache
from importlib.resources import files

_HINT = re.compile(r"^([ \t]*)-- @(\w+) (.*)(\n|\Z)", re.MULTILINE)


@cache
def names(folder: str) -> tuple[str, ...]:
    """Return the sorted names of the SQL files in a folder, which are those of its tables, views or checks."""
    entries = files("sparkify").joinpath("sql", folder).iterdir()
    return tuple(sorted(entry.name.removesuffix(".sql") for entry in entries if entry.name.endswith(".sql")))


@cache
def period(name: str) -> str | None:
    """Return the column of time by which the rows of a file, named ``folder/name``, are selected; None without one."""
    named = [hint[3] for hint in _HINT.finditer(_text(name)) if hint[2] == "period"]
    return named[0] if named and named[0] != "none" else None


def reads(statement: str) -> set[str]:
    """Return the names that follow ``from`` or ``join`` in a statement: tables, views and common table expressions."""
    return set(re.findall(r"\b(?:from|join)\s+(\w+)", re.sub(r"--.*", "", statement)))


@cache
def read(name: str, engine: str) -> str:
    """Return the statement of a file, named ``folder/name``, for an engine."""
    return _HINT.sub(lambda hint: hint[1] + hint[3] + hint[4] if hint[2] == engine else "", _text(name)).strip()


def _text(name: str) -> str:
    return files("sparkify").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
