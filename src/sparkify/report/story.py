"""What a page consists of: sections, figures and numbers, and the answers they need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sparkify.report.charts import Chart
from sparkify.sql.selection import EVERYTHING, Selection, select
from sparkify.warehouse.base import Warehouse

Rows = list[dict[str, Any]]

LISTED = 400
"""So many rows stand in a table."""


@dataclass(frozen=True)
class Figure:
    """A chart with what it says, what it counts, and its data."""

    name: str
    title: str
    says: str
    counts: str  # what it counts, and what not
    rows: Rows
    chart: Chart | None  # None: its data is the answer
    is_wide: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns of its data."""
        return list(self.rows[0]) if self.rows else []

    @property
    def table(self) -> Rows:
        """The rows that its table shows: the latest, where they are too many for a page."""
        return self.rows[-LISTED:]


@dataclass(frozen=True)
class Section:
    """Figures that belong together, under a title."""

    title: str
    figures: list[Figure]


@dataclass(frozen=True)
class Number:
    """A number to see first, and what it is."""

    value: str
    what: str
    beside: str = ""


@dataclass(frozen=True)
class Story:
    """What a page tells."""

    title: str
    numbers: list[Number]
    sections: list[Section]


class Answers:
    """A selection of the warehouse, of which each view is asked once."""

    def __init__(self, warehouse: Warehouse, selection: Selection) -> None:
        self.warehouse = warehouse
        self._asked: dict[tuple[str, Selection, str], Rows] = {}
        self.selection = selection

    @property
    def has_period(self) -> bool:
        """Tell whether a first or a last day is selected."""
        return self.selection.since is not None or self.selection.until is not None

    def ask(self, view: str, rest: str = "") -> Rows:
        """Return the rows of a view, or of a file of ``sql/report``, over the selection."""
        return self._ask(view, self.selection, rest)

    def ask_all(self, view: str, rest: str = "") -> Rows:
        """Return the rows of a view, whatever is selected."""
        return self._ask(view, EVERYTHING, rest)

    def ask_of_all_time(self, view: str, rest: str = "") -> Rows:
        """Return the rows of a view over the selection, whatever its period."""
        return self._ask(view, replace(self.selection, since=None, until=None), rest)

    def _ask(self, view: str, selection: Selection, rest: str) -> Rows:
        question = (view, selection, rest)
        if question not in self._asked:
            names, rows = self.warehouse.query(*select(self.warehouse.engine, *question))
            self._asked[question] = [dict(zip(names, row, strict=True)) for row in rows]
        return self._asked[question]
