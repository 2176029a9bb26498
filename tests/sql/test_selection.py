"""A view is queried over a part of the warehouse, and a ranking down to some rank."""

from __future__ import annotations

from datetime import date

import pytest
from tests.support.sandbox import Sandbox

from sparkify.sql.selection import EVERYTHING, RANKINGS, Selection, select


@pytest.mark.parametrize("most", [1, 2, 50])
@pytest.mark.parametrize("view", RANKINGS)
@pytest.mark.parametrize(
    "selection",
    [
        EVERYTHING,
        Selection(date(2018, 11, 9), date(2018, 11, 12)),
        Selection(artist="Known", user="1"),
        Selection(user="4"),
    ],
)
def test_first_rows_of_a_ranking_are_those_of_the_view(
    view: str, selection: Selection, most: int, fortnight: Sandbox
) -> None:
    """The first rows of a ranking, with all their values, are those of the whole view, whatever is left out."""
    names = ", ".join(RANKINGS[view])
    with fortnight.reading() as warehouse:
        whole = warehouse.rows(*select(warehouse.engine, view, selection, f"order by plays desc, {names}"))
        assert warehouse.rows(*select(warehouse.engine, view, selection, most=most)) == whole[:most]
