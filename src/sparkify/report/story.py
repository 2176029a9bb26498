"""The content of a page: numbers and figures, and the views that they are read from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from sparkify.report.charts import Chart
from sparkify.sql.selection import EVERYTHING, Selection, by_date, select
from sparkify.warehouse.base import Warehouse, now

Rows = list[dict[str, Any]]

Results = dict[tuple[str, str, int | None], Rows]
"""(view, rest of the SELECT, number of rows of a ranking) → the rows."""

LISTED = 400
"""Rows of a figure's data that the page lists."""


@dataclass(frozen=True)
class Number:
    """A headline number."""

    value: str
    label: str
    detail: str = ""
    change: str = ""  # from the period before


@dataclass(frozen=True)
class Figure:
    """A chart with its main finding, a note on its definition, and its data."""

    name: str
    title: str
    finding: str
    note: str
    rows: Rows
    chart: Chart | None  # None: only the table is shown
    is_wide: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns of the data."""
        return list(self.rows[0]) if self.rows else []

    @property
    def table(self) -> Rows:
        """The rows that the page lists: the latest ones."""
        return self.rows[-LISTED:]


@dataclass(frozen=True)
class Story:
    """The content of one page."""

    title: str
    numbers: list[Number]
    sections: dict[str, list[Figure]]  # by their titles


class Views:
    """The views of a warehouse, read over one selection; each query runs once."""

    def __init__(self, warehouse: Warehouse, selection: Selection, known: Results | None = None) -> None:
        self.warehouse = warehouse
        self.selection = selection
        self._results: dict[Selection, Results] = {EVERYTHING: {} if known is None else known}

    @property
    def has_period(self) -> bool:
        """Whether the selection has a first or a last day."""
        return self.selection.since is not None or self.selection.until is not None

    @property
    def reach(self) -> tuple[date, date] | None:
        """The first and the last day of all data, whatever the selection; None without events."""
        [freshness] = self.rows("freshness", selection=EVERYTHING)
        oldest, newest = freshness["oldest_event_at"], freshness["newest_event_at"]
        return (oldest.date(), newest.date()) if newest else None

    @property
    def finished_until(self) -> date | None:
        """The last day that is over and that the data reaches; None without events."""
        return min(self.reach[1], now().date() - timedelta(days=1)) if self.reach else None

    def is_finished(self, last: date) -> bool:
        """Return whether a period is over, and whether the data reaches its last day."""
        return self.finished_until is not None and last <= self.finished_until

    def link(self, key: str, column: str) -> Callable[[dict[str, Any]], str]:
        """Return the address on the dashboard of the page that a row leads to: this selection, with one key changed."""
        chosen = {name: str(value) for name, value in vars(self.selection).items() if value is not None}
        return lambda row: f"/?{urlencode(chosen | {key: row[column]})}"

    def rows(self, view: str, rest: str = "", selection: Selection | None = None, *, most: int | None = None) -> Rows:
        """Return the rows of a view, or of a file of ``sql/report``, over the page's selection or another one.

        `most` returns that many first rows of a ranking, in order.
        """
        selection = selection or self.selection
        when = by_date(view)
        if when and (selection.since or selection.until):
            # Such a view reads all of time, whatever the period. So one query serves all periods.
            first, last = selection.since or date.min, selection.until or date.max
            rows = self.rows(view, rest, replace(selection, since=None, until=None))
            return [row for row in rows if first <= row[when] <= last]
        results = self._results.setdefault(selection, {})
        query = (view, rest, most)
        if query not in results:
            names, found = self.warehouse.query(*select(self.warehouse.engine, view, selection, rest, most=most))
            results[query] = [dict(zip(names, row, strict=True)) for row in found]
        return results[query]
