"""JSON arrays in source files: their elements are records, in any layout and on both paths."""

from __future__ import annotations

import json

import pytest
from tests.promises.records import KINDS, NOT_JSON, NOT_OBJECT, joined, play, record
from tests.support.sandbox import Sandbox

from sparkify.sources.listing import Kind

LAYOUTS = {
    "one line": lambda elements: "[" + ", ".join(elements) + "]",
    "an element a line": lambda elements: "[" + ",\n".join(elements) + "]",
    "brackets on lines of their own": lambda elements: "[\n" + ",\n".join(elements) + "\n]\n",
    "commas first": lambda elements: "[ " + "\n, ".join(elements) + "\n]",
    "pretty-printed": lambda elements: json.dumps([json.loads(element) for element in elements], indent=2),
}
REJECTED = "select line, reason, record from rejected_records order by line, record"


def loaded(warehouse: Sandbox, kind: Kind) -> int:
    """Return how many records of a kind were loaded."""
    [(number,)] = warehouse.query(f"select count(*) from {'songs' if kind == 'songs' else 'songplays'}")
    return int(number)


@pytest.mark.usefixtures("either_path")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_elements_of_an_array_are_records(warehouse: Sandbox, kind: Kind, layout: str) -> None:
    """Every object of a top-level array is loaded, however the array is laid out."""
    changes = [{"song_id": f"SO{n}"} if kind == "songs" else {"itemInSession": n} for n in range(5)]
    folder = warehouse.song_data if kind == "songs" else warehouse.log_data
    (folder / "array.json").write_text(LAYOUTS[layout]([record(kind, **change) for change in changes]))
    counts = warehouse.etl().run.counts
    assert loaded(warehouse, kind) == counts.read == 5
    assert warehouse.query(REJECTED) == []


@pytest.mark.usefixtures("either_path")
def test_array_in_a_log_means_its_elements(warehouse: Sandbox) -> None:
    """An array can begin on any line of a log, and the lines around it are loaded too."""
    plays = [play(itemInSession=n) for n in range(8)]
    array = f"[{plays[2]},\n{plays[3]},\n{plays[4]}]"
    (warehouse.log_data / "a.json").write_bytes(joined(*plays[:2], array, f"[{plays[5]}, {plays[6]}]", plays[7]))
    warehouse.etl()
    assert loaded(warehouse, "events") == 8
    assert warehouse.query(REJECTED) == []


def test_element_that_is_not_an_object_is_rejected_alone(warehouse: Sandbox) -> None:
    """Numbers, texts and nested arrays in an array are rejected one by one, each with its line."""
    (warehouse.log_data / "a.json").write_text(f'[1,\n"two", {play()},\n[{play(itemInSession=2)}], null]')
    warehouse.etl()
    assert warehouse.query(REJECTED) == [
        (1, NOT_OBJECT, "1"),
        (2, NOT_OBJECT, '"two"'),
        (3, NOT_OBJECT, f"[{play(itemInSession=2)}]"),
        (3, NOT_OBJECT, "null"),
    ]
    assert loaded(warehouse, "events") == 1


@pytest.mark.parametrize(
    ("end", "rejected"),
    [
        ("", [(1, NOT_JSON, "[")]),
        (',\n{"page": "Home', [(3, NOT_JSON, '{"page": "Home')]),
        (",\n]", [(3, NOT_JSON, ",")]),
    ],
    ids=["no end", "truncated element", "trailing comma"],
)
def test_elements_before_a_fault_of_an_array_are_loaded(
    warehouse: Sandbox, end: str, rejected: list[tuple[int, str, str]]
) -> None:
    """An array that is cut short gives the elements before the cut, and one rejected record with its line."""
    (warehouse.log_data / "a.json").write_text(f"[{play()},\n{play(itemInSession=2)}{end}")
    warehouse.etl()
    assert warehouse.query(REJECTED) == rejected
    assert loaded(warehouse, "events") == 2


def test_fault_in_an_array_costs_no_later_line(warehouse: Sandbox) -> None:
    """Behind a faulty element, the array goes on at the next line that begins with an object."""
    first, second, third, fourth = (play(itemInSession=n) for n in range(4))
    (warehouse.log_data / "a.json").write_text(f"[\n{first},\n{second[:40]},\n{third},\n{fourth}\n]")
    warehouse.etl()
    assert warehouse.query(REJECTED) == [(3, NOT_JSON, f"{second[:40]},")]
    assert loaded(warehouse, "events") == 3


def test_byte_order_mark_before_a_record_is_not_content(warehouse: Sandbox) -> None:
    """Files with byte order marks can be concatenated, with and without a line ending at their ends."""
    plays = ["\ufeff" + play(itemInSession=n) for n in range(4)]
    (warehouse.log_data / "a.json").write_text(plays[0] + "\n" + plays[1] + plays[2] + "\r\n" + plays[3])
    warehouse.etl()
    assert warehouse.query(REJECTED) == []
    assert loaded(warehouse, "events") == 4
