"""Promise 2: a record that contradicts another is kept, whatever came first."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.promises import oracle
from tests.promises.oracle import Row, Values
from tests.promises.oracle_files import Delivered, records
from tests.promises.test_same_warehouse import COMPARED, load, thorough
from tests.support.sandbox import Sandbox, Warehouses

COMMON = {"ts": 1541105830796, "sessionId": 38, "userId": "39", "artist": "Ana"}
EVENTS = st.fixed_dictionaries(
    {
        "itemInSession": st.sampled_from((0, 1)),
        "page": st.sampled_from(("NextSong", "NextSong", "Home", "Help")),
        "level": st.sampled_from(("free", "paid", None)),
        "location": st.sampled_from(("Reno", 'O\\"x"', None)),
        "song": st.sampled_from(("Intro", "Outro")),
        "length": st.sampled_from((200.5, 194.35057, None)),
        "status": st.sampled_from((200, 404, None)),
    }
)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Delivered]]:
    """Draw runs that deliver new files with events of few keys."""
    runs = []
    for run in range(draw(st.integers(1, 3))):
        files = draw(st.lists(st.lists(EVENTS, min_size=1, max_size=4), min_size=1, max_size=3))
        runs.append([delivered(f"{draw(st.sampled_from('abc'))}{run}{n}.json", f) for n, f in enumerate(files)])
    return runs


def delivered(path: str, events: list[Values]) -> Delivered:
    """Return a log of events, one a line."""
    return Delivered("events", path, "\n".join(json.dumps(COMMON | event) for event in events).encode())


def fact(values: dict[str, Any]) -> tuple[str, str, Row]:
    """Return table, key and fact of an event, given by its columns."""
    empty = dict.fromkeys((*oracle.WIDTHS["events"], *oracle.WHOLE["events"], *oracle.NUMBERS["events"]))
    event = oracle.event_of(empty | values)
    return event.table, event.key, event.fact


def kept(warehouse: Sandbox) -> set[tuple[str, str, Row]]:
    """Return the facts that are in the warehouse, and those of the records that are kept as contradictions."""
    contradicting = "select record from rejected_records where reason like 'contradicts %'"
    facts = {fact(json.loads(record)) for (record,) in warehouse.query(contradicting)}
    return (
        facts
        | {("page_views", row[0], row) for row in warehouse.query(COMPARED["page_views"])}
        | {("songplays", row[0], (*row[:4], *row[6:10], row[10:])) for row in warehouse.query(COMPARED["songplays"])}
    )


@thorough
@given(history=histories(), size=st.sampled_from([1, 1 << 30]))
def test_contradictions_are_kept_in_every_order(
    make_warehouse: Warehouses, history: list[list[Delivered]], size: int
) -> None:
    """Of the contents of a key, the first in order is loaded and the others are rejected, and the balance holds."""
    warehouse = make_warehouse()
    load(warehouse, history, batch_size=size)
    given = {fact(oracle.accepted("events", pairs)) for run in history for file in run for _, pairs in records(file)}
    assert kept(warehouse) == given
    keys = {(table, key) for table, key, _ in given}
    standing = {oracle.first_in_order(row for *other, row in given if tuple(other) == key) for key in keys}
    assert standing == {
        *warehouse.query(COMPARED["page_views"]),
        *((*row[:4], *row[6:10], row[10:]) for row in warehouse.query(COMPARED["songplays"])),
    }
    assert warehouse.failed_checks() == []
    [(read, accounted)] = warehouse.query(
        "select sum(read), sum(songplays + page_views + duplicates + rejected) from etl_files"
    )
    assert read == accounted == sum(len(file.content.splitlines()) for run in history for file in run)


@thorough
@given(history=histories(), size=st.sampled_from([1, 1 << 30]), data=st.data())
def test_unchanged_file_delivered_again_changes_no_winner(
    make_warehouse: Warehouses, history: list[list[Delivered]], size: int, data: st.DataObject
) -> None:
    """Files that are delivered again without a change leave facts and kept contradictions as they were."""
    warehouse = make_warehouse()
    load(warehouse, history, batch_size=size)
    before = kept(warehouse), warehouse.query(COMPARED["songplays"]), warehouse.query(COMPARED["page_views"])
    every = [file for run in history for file in run]
    again = data.draw(st.lists(st.sampled_from(every), min_size=1, unique_by=lambda file: file.path))
    for file in again:
        os.utime(warehouse.log_data / file.path, (1_700_000_000, 1_700_000_000))
    load(warehouse, [[]], batch_size=data.draw(st.sampled_from([1, 1 << 30])))
    assert (kept(warehouse), warehouse.query(COMPARED["songplays"]), warehouse.query(COMPARED["page_views"])) == before
    assert warehouse.failed_checks() == []
    [(listed, different)] = warehouse.query(
        "select count(*), count(distinct record) from rejected_records where file is null"
    )
    assert listed == different
