"""The views that answer what analysts ask: made in the warehouse, and asked over a part of it.

A view's file in ``sql/views`` is its definition, wherever it is used: `create_missing` makes it in the warehouse, and
`select` puts the same text before a question about a period, an artist or a user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from sparkify import queries, tables
from sparkify.contract import literal
from sparkify.dictionary import header
from sparkify.engines.base import Engine
from sparkify.errors import WarehouseError

_MARK = re.compile(r" \(sparkify [0-9a-f]{8}\)$")

WHEN = {
    "sessions": "started_at",
    "daily_listeners": "day",
    "weekly_retention": "cohort_week",
    "level_history": "valid_from",
    "daily_levels": "day",
    "weekly_churn": "week",
    "page_errors": "day",
    "match_rate": "day",
    "session_lengths": "day",  # of the report
}
"""The views whose rows have their time: of a period, they are the rows that begin in it. Of the others, a period is a
matter of the plays and page views that are counted."""


@dataclass(frozen=True)
class Selection:
    """The part of the warehouse that a question is about; None stands for all."""

    since: date | None = None  # the first day, in UTC
    until: date | None = None  # the last day, itself included
    artist: str | None = None  # as the app credits them; page views have none, and drop out
    user: str | None = None  # a user_id


EVERYTHING = Selection()


def reads(sql: str) -> list[str]:
    """Return the tables and views that a statement reads, in the order of their names in it."""
    known = {*tables.ALL, *tables.VIEWS}
    code = re.sub(r"--.*", "", sql)
    return list(dict.fromkeys(name for name in re.findall(r"\b(?:from|join)\s+(\w+)", code) if name in known))


def select(engine: str, name: str, selection: Selection = EVERYTHING, rest: str = "") -> tuple[str, list[Any]]:
    """Return the SELECT of a view, or of another file named ``folder/name``, over a selection, and the values to bind.

    `engine` is the name of the engine that it is for; `rest` is what follows ``select * from <view>``: an ``order by``,
    a ``limit``.
    """
    view = name.rpartition("/")[2]
    files = _with_what_it_reads(engine, name)
    when = WHEN.get(view)
    counted = replace(selection, since=None, until=None) if when else selection
    ctes, values = [], []
    for fact in tables.FACTS:
        if conditions := _conditions(counted, fact):
            ctes.append(f"{fact} as (select * from {fact} where {' and '.join(conditions)})")
            values += _values(conditions)
    ctes += [f"{each} as (\n{sql}\n)" for each, sql in files.items()]
    rows = _period(selection, when) if when else {}
    where = f"where {' and '.join(rows)} " if rows else ""
    return f"with {', '.join(ctes)}\nselect * from {view} {where}{rest}", values + _values(rows)


def _with_what_it_reads(engine: str, name: str) -> dict[str, str]:
    """Return the SQL of a file after that of the views that it reads, by name."""
    files = {name.rpartition("/")[2]: queries.read(name if "/" in name else f"views/{name}", engine)}
    for earlier in reversed(tables.VIEWS):
        if earlier not in files and any(earlier in reads(sql) for sql in files.values()):
            files = {earlier: queries.read(f"views/{earlier}", engine), **files}
    return files


Conditions = dict[str, list[Any]]
"""Conditions, each with the values to bind."""


def _conditions(selection: Selection, fact: str) -> Conditions:
    conditions = _period(selection, "start_time")
    if selection.user is not None:
        conditions["user_id = ?"] = [selection.user]
    if selection.artist is not None:
        if fact == "songplays":
            conditions["track_id in (select track_id from tracks where artist_name = ?)"] = [selection.artist]
        else:
            conditions["1 = 0"] = []
    return conditions


def _period(selection: Selection, column: str) -> Conditions:
    conditions: Conditions = {}
    if selection.since:
        conditions[f"{column} >= cast(? as date)"] = [selection.since]
    if selection.until and selection.until < date.max:  # which has no day after it
        conditions[f"{column} < cast(? as date)"] = [selection.until + timedelta(days=1)]
    return conditions


def _values(conditions: Conditions) -> list[Any]:
    return [value for values in conditions.values() for value in values]


def create_missing(engine: Engine) -> None:
    """Make the views that are missing in the warehouse or are defined otherwise, with a comment on each.

    Raise WarehouseError where something of somebody else's has the name of one, or stands on one that has to go.
    """
    if not _missing(engine):
        return
    try:
        _make(engine, create)
    except WarehouseError:  # a server replaces no view by one of other columns
        try:
            _make(engine, drop, create)
        except WarehouseError as error:
            raise WarehouseError(
                f"{error}\nOur views are defined anew. Drop what stands on them, run again, and make it anew."
            ) from error


def _make(engine: Engine, *steps: Callable[[Engine], None]) -> None:
    with engine.transaction():
        engine.lock_ledger()  # two runs at once would make them twice
        if _missing(engine):
            for step in steps:
                step(engine)


def _missing(engine: Engine) -> bool:
    comments = engine.comments()
    theirs = [view for view in tables.VIEWS if (view, "") in comments and not _MARK.search(comments[view, ""])]
    if theirs:
        raise WarehouseError(
            f"{engine.label}: {theirs[0]} is needed for a view of ours, and is somebody's. Rename it, and run again."
        )
    return any(comments.get((view, "")) != _comment(view, engine) for view in tables.VIEWS)


def _comment(view: str, engine: Engine) -> str:
    """Return the comment on a view: what it is, and a mark that tells it as ours, and its definition from others."""
    statement = queries.read(f"views/{view}", engine.name)
    return f"{header(statement)[view]} (sparkify {sha256(statement.encode()).hexdigest()[:8]})"


def create(engine: Engine) -> None:
    """Make every view anew, inside a transaction."""
    for view in tables.VIEWS:
        engine.execute(f"create or replace view {view} as\n{queries.read(f'views/{view}', engine.name)}")
        engine.execute(f"comment on view {view} is {literal(_comment(view, engine))}")


def drop(engine: Engine) -> None:
    """Drop every view of ours that is there."""
    comments = engine.comments()
    for view in reversed(tables.VIEWS):
        if _MARK.search(comments.get((view, ""), "")):
            engine.execute(f"drop view {view}")
