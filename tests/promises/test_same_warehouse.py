"""Promise 1: same files in, same warehouse out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.promises import oracle
from tests.promises.histories import histories, lay_out, rearrangements
from tests.promises.oracle_files import Delivered
from tests.support.sandbox import Row, Sandbox, Warehouses

from sparkify.config import Limit
from sparkify.warehouse.server import Server

History = Sequence[Sequence[Delivered]]

thorough = settings(
    max_examples=12 if os.environ.get("CI") else 2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # Shrinking an example would take minutes.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)

COMPARED = {
    "songplays": """
        select p.songplay_id, p.start_time, p.user_id, p.level, p.song_id, p.artist_id, p.session_id,
            p.item_in_session, p.location, p.user_agent, t.title, t.artist_name, t.duration
        from songplays as p join tracks as t on t.track_id = p.track_id""",
    "page_views": "select * from page_views",
    "users": "select * from users",
    "songs": "select * from songs",
    "artists": "select * from artists",
    "time": "select * from time",
    "tracks": "select title, artist_name, duration, song_id, artist_id from tracks",
}


@pytest.fixture(autouse=True, scope="module")
def _small_pieces() -> Iterator[None]:
    """Make servers stage their batches in pieces of a few files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Server, "piece_size", 700)
        yield


def load(warehouse: Sandbox, history: History, **options: Any) -> None:
    """Deliver and load the files of each run."""
    for run in history:
        lay_out(run, warehouse.log_data, warehouse.song_data)
        warehouse.etl(max_rejected=Limit(1, is_share=True), **options)


def expected(history: History) -> dict[str, list[Row]]:
    """Return the tables that the oracle computes, with the parts of a track as columns."""
    tables = oracle.warehouse(history)
    tables["songplays"] = [(*row[:-1], *row[-1]) for row in tables["songplays"]]
    return tables


@thorough
@given(history=histories(), size=st.sampled_from([1, 700, 1 << 30]))
def test_warehouse_equals_an_independent_computation(make_warehouse: Warehouses, history: History, size: int) -> None:
    """Whatever is delivered, in whatever batches, the tables equal those that the oracle computes from the contract."""
    warehouse = make_warehouse()
    load(warehouse, history, batch_size=size)
    computed = expected(history)
    for table, select in COMPARED.items():
        assert sorted(warehouse.query(select), key=repr) == sorted(computed[table], key=repr), table
    assert warehouse.failed_checks() == []


@thorough
@given(pair=rearrangements(), sizes=st.tuples(st.sampled_from([1, 700, 1 << 30]), st.sampled_from([1, 700, 1 << 30])))
def test_order_batches_and_repetitions_do_not_matter(
    make_warehouse: Warehouses, pair: tuple[History, History], sizes: tuple[int, int]
) -> None:
    """The same records, contradictory or not, give the same tables in any files, runs, batches and order."""
    loaded = []
    for history, size in zip(pair, sizes, strict=True):
        warehouse = make_warehouse()
        load(warehouse, history, batch_size=size)
        contents = warehouse.contents()
        loaded.append({table: contents[table] for table in COMPARED})
    assert loaded[0] == loaded[1]
