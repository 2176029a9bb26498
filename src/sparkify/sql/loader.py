"""The SQL files: read one, and switch on what one engine adds.

A file is one statement, portable but for its hint lines: ``-- @redshift diststyle all`` is SQL for the engine that
it names; the others do not get the line.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_HINT = re.compile(r"^([ \t]*)-- @(\w+) (.*)(\n|\Z)", re.MULTILINE)


@cache
def names(folder: str) -> tuple[str, ...]:
    """Return the names of the SQL files of a folder, in order: the tables, checks or views it defines."""
    entries = files("sparkify").joinpath("sql", folder).iterdir()
    return tuple(sorted(entry.name.removesuffix(".sql") for entry in entries if entry.name.endswith(".sql")))


@cache
def read(name: str, engine: str) -> str:
    """Return the statement of a file, named ``folder/name``, as an engine gets it."""
    text = files("sparkify").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return _HINT.sub(lambda hint: hint[1] + hint[3] + hint[4] if hint[2] == engine else "", text).strip()
