"""Query views over a part of the warehouse.

A view has one definition, its file in ``sql/views``. The warehouse stores it as a view; `select` uses the same text in
a query about a period, an artist or a user.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sparkify.sql import loader, model

RANKINGS = {"top_tracks": ("title", "artist_name"), "top_artists": ("artist_name",)}
"""View that ranks plays → the columns that name its rows."""


@dataclass(frozen=True)
class Selection:
    """A part of the warehouse; None means no restriction."""

    since: date | None = None  # the first day, in UTC
    until: date | None = None  # the last day, inclusive
    artist: str | None = None  # as the app credits them; page views have none, so they are excluded
    user: str | None = None  # a user_id
    level: str | None = None  # of the user at the time of the event, such as paid

    @property
    def is_of_all_events(self) -> bool:
        """Whether no event of a user in the period is left out, so that sessions and changes of level can be found."""
        return self.artist is None and self.level is None


EVERYTHING = Selection()

Conditions = dict[str, list[Any]]
"""Condition → its parameters."""


def by_date(name: str) -> str | None:
    """Return the column of dates by which the rows of a view are selected; None for a column of times, or none."""
    when = loader.period(name if "/" in name else f"views/{name}")
    return when if when in ("day", "week", "cohort_week") else None


def select(
    engine: str, name: str, selection: Selection = EVERYTHING, rest: str = "", *, most: int | None = None
) -> tuple[str, list[Any]]:
    """Return the SELECT of a view, or of another file named ``folder/name``, over a selection, and its parameters.

    `engine` names the engine to write SQL for. `rest` is appended to the SELECT: an ``order by``, a ``limit``. `most`
    returns that many first rows of a ranking, in order, in a fifth of the time: only their listeners are counted.
    """
    view = name.rpartition("/")[2]
    files = _with_dependencies(engine, name)
    when = loader.period(name if "/" in name else f"views/{name}")
    counted = replace(selection, since=None, until=None) if when else selection
    ctes, values = [], []
    for fact in model.FACTS:
        conditions = _conditions(counted, fact)
        if most and fact == "songplays":
            conditions |= _most_played(RANKINGS[view], most, conditions)
            rest = f"order by plays desc, {', '.join(RANKINGS[view])} limit {most}"
        if conditions:
            ctes.append(f"{fact} as (select * from {fact} where {' and '.join(conditions)})")
            values += _values(conditions)
    ctes += [f"{each} as (\n{sql}\n)" for each, sql in files.items()]
    rows = _period(selection, when) if when else {}
    where = f"where {' and '.join(rows)} " if rows else ""
    return f"with {', '.join(ctes)}\nselect * from {view} {where}{rest}", values + _values(rows)


def _with_dependencies(engine: str, name: str) -> dict[str, str]:
    """Return the SQL of a file, preceded by the views that it reads, by name."""
    files = {name.rpartition("/")[2]: loader.read(name if "/" in name else f"views/{name}", engine)}
    for earlier in reversed(model.VIEWS):
        if earlier not in files and any(earlier in loader.reads(sql) for sql in files.values()):
            files = {earlier: loader.read(f"views/{earlier}", engine), **files}
    return files


def _most_played(named: Sequence[str], most: int, conditions: Conditions) -> Conditions:
    """Return the condition that a play is of the names with the most plays, of those that meet the conditions."""
    names, of_tracks = ", ".join(named), ", ".join(f"t.{column}" for column in named)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    sql = (
        f"track_id in (select track_id from tracks where ({names}) in (select {of_tracks} from tracks as t join"
        f" (select track_id, count(*) as plays from songplays{where} group by track_id) as p on p.track_id = t.track_id"
        f" group by {of_tracks} order by sum(p.plays) desc, {of_tracks} limit {most}))"
    )
    return {sql: _values(conditions)}


def _conditions(selection: Selection, fact: str) -> Conditions:
    conditions = _period(selection, "start_time")
    if selection.user is not None:
        conditions["user_id = ?"] = [selection.user]
    if selection.level is not None:
        conditions["level = ?"] = [selection.level]
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
    if selection.until and selection.until < date.max:  # the last date has no next day
        conditions[f"{column} < cast(? as date)"] = [selection.until + timedelta(days=1)]
    return conditions


def _values(conditions: Conditions) -> list[Any]:
    return [value for values in conditions.values() for value in values]
