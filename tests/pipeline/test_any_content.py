"""Nothing that a source holds makes a check fail."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.promises.records import PLAY, SONG
from tests.support.sandbox import Warehouses

from sparkify.config import Limit

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        ["free", "paid", "NextSong", "Home", "", " ", "7", "7.0", "0", "-0", "1e3", "2018-11-01", "a" * 70]
    ),
    st.sampled_from([0, 1, 7.0, 1541105830796, 1541105830, 253_402_300_799_999, 2**53, 2**63 - 1, 1e15]),
)
VALUES = st.recursive(SCALARS, lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(max_size=3), some))


def records(usual: dict[str, Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return records in which some values are replaced by others of any type."""
    changes = st.dictionaries(st.sampled_from(sorted(usual)), VALUES, max_size=4)
    return st.lists(changes.map(lambda changed: usual | changed), max_size=12)


@pytest.mark.parametrize("make_warehouse", ["duckdb", "postgresql"], indirect=True)
@settings(max_examples=15 if os.environ.get("CI") else 4, deadline=None, suppress_health_check=list(HealthCheck))
@given(nights=st.lists(st.tuples(records(PLAY), records(SONG)), min_size=1, max_size=2))
def test_no_content_of_a_source_fails_a_check(
    make_warehouse: Warehouses, nights: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]
) -> None:
    """JSON objects of any content are loaded or rejected: no check fails, in no later run either."""
    warehouse = make_warehouse()
    for night, (events, songs) in enumerate(nights):
        for folder, found in ((warehouse.log_data, events), (warehouse.song_data, songs)):
            (folder / f"{night}.json").write_text("\n".join(map(json.dumps, found)))
        warehouse.etl(max_rejected=Limit(1, is_share=True))
    assert warehouse.failed_checks() == []
