"""The command line as a test runs it: without a process, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse

URL = "duckdb:///sparkify.duckdb"


class Ended(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Sparkify = Callable[..., Ended]


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of the default warehouse."""
    with open_warehouse(URL, read_only=True) as engine:
        return {table: sorted(engine.rows(f"select * from {table}"), key=repr) for table in model.ALL}
