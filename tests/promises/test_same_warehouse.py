"""Promise 1: same files in, same warehouse out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tests.promises import oracle
from tests.promises.histories import histories, lay_out, rearrangements
from tests.promises.oracle_files import Delivered
from tests.promises.records import event, joined, play, song
from tests.support.sandbox import Row, Sandbox, Warehouses

from sparkify.config import Limit
from sparkify.sql import dictionary, model
from sparkify.warehouse.server import Server

History = Sequence[Sequence[Delivered]]

thorough = settings(
    max_examples=12 if os.environ.get("CI") else 2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # Shrinking an example would take minutes.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)

PLAYED = [f"p.{column.name}" for column in dictionary.entry("songplays").columns if column.name != "track_id"]

COMPARED = {table: f"select * from {table}" for table in (*model.FACTS, *model.DIMENSIONS, "catalogue")} | {
    # A play has the parts of its track in place of the key, which is compared in tracks.
    "songplays": f"select {', '.join(PLAYED)}, t.title, t.artist_name, t.duration"
    " from songplays as p join tracks as t on t.track_id = p.track_id",
}
"""Table → the SELECT of all its columns."""

BOOKKEEPING = ("etl_files", "etl_runs", "rejected_records")
"""The tables whose columns test_bookkeeping.py compares."""


def test_every_column_is_compared() -> None:
    """Every table is compared with an independent computation, or counted by hand; no column is null throughout."""
    for table, rows in expected(FULL).items():
        assert all(value is not None for row in rows for value in row), table
    assert {*COMPARED, *BOOKKEEPING} == set(model.ALL), "Compare the new table in a test, then name it here."


VALUES: dict[str, object] = {
    "firstName": "Zoë",
    "lastName": "Ball",
    "gender": "F",
    "level": "paid",
    "auth": "Logged In",
    "method": "PUT",
    "status": 307,
    "registration": 1_540_919_166_796.0,
    "sessionId": 38,
    "itemInSession": 3,
    "location": "Reykjavík",
    "userAgent": "Mozilla/5.0",
}
FULL: History = [
    [
        Delivered("songs", "a.json", joined(song())),
        Delivered("events", "b.json", joined(play(**VALUES), event(**{**VALUES, "itemInSession": 4}))),
    ]
]
"""A delivery in which no column of a table is null, so that a wrong value in any of them is noticed."""


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
    """Return the tables that the oracle computes, with the parts of a track as columns, and its key in tracks."""
    tables = oracle.warehouse(history)
    tables["songplays"] = [(*row[:-1], *row[-1]) for row in tables["songplays"]]
    tables["tracks"] = [(oracle.track_id(*row[:3]), *row) for row in tables["tracks"]]
    return tables


@thorough
@example(history=FULL, size=700)
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
