"""Read SQL files, with the hint lines of one engine.

A file is one portable statement, except for its hint lines. ``-- @redshift diststyle all`` is SQL on the engine that
it names; other engines do not get the line.
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
def read(name: str, engine: str) -> str:
    """Return the statement of a file, named ``folder/name``, for an engine."""
    text = files("sparkify").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return _HINT.sub(lambda hint: hint[1] + hint[3] + hint[4] if hint[2] == engine else "", text).strip()
