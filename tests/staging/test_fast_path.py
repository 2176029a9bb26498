"""The fast path and the exact path read the same from any log."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.promises.records import ABSENT, BAD, GOOD, joined, misread, play, song
from tests.staging.conftest import EXACT, FAST
from tests.support.sandbox import Row, Sandbox, Warehouses

from sparkify.sample_data.generate import Generated, generate
from sparkify.sources.listing import Kind
from sparkify.sql import dictionary
from sparkify.staging import exact_path, fast_path, reader, session, spool

Contents = dict[str, list[Row]]
Both = Callable[[Path, Path], list[tuple[Contents, dict[str, list[str]]]]]


@pytest.fixture
def both_paths(make_warehouse: Warehouses, monkeypatch: pytest.MonkeyPatch) -> Both:
    """Load the same two folders on both paths; return the contents of each warehouse, and the unknown keys.

    The fast path reads twice: with a large sample, which shows every fault, and with hardly any sample.
    """

    def load(log_data: Path, song_data: Path) -> list[tuple[Contents, dict[str, list[str]]]]:
        found = []
        for size, sample in ((FAST, 1 << 20), (FAST, 1000), (EXACT, 0)):
            monkeypatch.setattr(fast_path, "MIN_SIZE", size)
            monkeypatch.setattr(fast_path, "_SAMPLE_SIZES", (sample, sample))
            warehouse = make_warehouse()
            summary = warehouse.etl(log_data, song_data)
            found.append((warehouse.contents(), {kind: list(keys) for kind, keys in summary.unknown_keys.items()}))
        careful, hasty, exact = found
        assert careful[0] == hasty[0]
        return [careful, exact]

    return load


def test_number_in_a_text_column_becomes_its_text(both_paths: Both, tmp_path: Path) -> None:
    """A number in a text column becomes the same text on both paths."""
    numbers: dict[str, str | None] = {"22": "22", "-5": "-5", "7.0": "7", "22.50": "22.5", "2.3e1": "23"}
    numbers |= {'"9.0"': "9.0", "1e16": "10000000000000000", "18446744073709551616": None}
    logs = [play(song="?", itemInSession=item).replace('"?"', number) for item, number in enumerate(numbers)]
    for kind, content in (("log_data", joined(*logs)), ("song_data", song(title=22).encode())):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "some.json").write_bytes(content)
    fast, exact = both_paths(tmp_path / "log_data", tmp_path / "song_data")
    assert fast == exact
    titles = {title for _, title, *_ in fast[0]["tracks"]}
    assert titles >= {text for text in numbers.values() if text}
    assert fast[0]["rejected_records"] == []
    assert [row[4] for row in fast[0]["songplays"]] == ["SO0", *[None] * 7]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Generate data without faults."""
    return generate(tmp_path_factory.mktemp("clean") / "data", users=100, days=8, songs=500, seed=5)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Generate the same data with faults of nearly every kind."""
    return generate(tmp_path_factory.mktemp("dirty") / "data", users=100, days=8, songs=500, seed=5, dirty=0.05)


@pytest.mark.parametrize("is_packed", [False, True])
def test_clean_logs_are_read_on_the_fast_path(
    clean: Generated, both_paths: Both, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_packed: bool
) -> None:
    """The fast path reads clean logs alone, compressed or not, and gives what the exact path gives."""

    class Watched(spool.Spool):
        def __init__(self, folder: Path, kind: Kind, left: Mapping[int, session.FallbackLines] | None = None) -> None:
            super().__init__(folder, kind, left)
            spooled.append(kind)

    spooled: list[Kind] = []
    monkeypatch.setattr(reader, "Spool", Watched)
    if is_packed:
        for path in clean.log_data.rglob("*.json"):
            (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    fast, exact = both_paths(tmp_path if is_packed else clean.log_data, clean.song_data)
    assert spooled == ["songs", "songs", "songs", "events"]
    assert fast == exact
    assert len(fast[0]["songplays"]) + len(fast[0]["page_views"]) == clean.events


def test_logs_without_null_keys_are_read_on_the_fast_path(
    clean: Generated, both_paths: Both, warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that is left out is null, without any work for the exact path."""
    (logs := tmp_path / "logs").mkdir()
    for path in clean.log_data.rglob("*.json"):
        events = map(json.loads, path.read_text().splitlines())
        kept = ({key: value for key, value in event.items() if value is not None} for event in events)
        (logs / path.name).write_text("".join(json.dumps(event) + "\n" for event in kept))
    fast, exact = both_paths(logs, clean.song_data)
    assert fast == exact
    monkeypatch.setattr(fast_path, "_SAMPLE_SIZES", (1 << 20, 1 << 20))
    monkeypatch.setattr(fast_path, "MIN_SIZE", 0)
    monkeypatch.setattr(exact_path, "read", None)
    assert warehouse.etl(logs).run.counts.events_read == clean.events


HIDDEN = {
    "in another case": play(level=ABSENT, LEVEL="paid"),
    "written as an escape": play(level=ABSENT, leve_="paid").replace("leve_", "leve\\u006c"),
    "given twice": play(auth=ABSENT)[:-1] + ', "level": "paid"}',
    "given twice, first as null": play(auth=ABSENT, level=None)[:-1] + ', "level": "paid"}',
    "in a text": play(level=ABSENT, song='"level":null'),
    "of another type": play(auth=ABSENT, length="200 s"),
    "a number to some": play(auth=ABSENT, length="2_00"),
}


@pytest.mark.parametrize("hidden", [pytest.param(line, id=name) for name, line in HIDDEN.items()])
def test_key_in_an_odd_spelling_is_found(both_paths: Both, tmp_path: Path, hidden: str) -> None:
    """In logs that leave out keys, a key in an odd spelling is not taken for a missing one."""
    good = [play(sessionId=session, auth=ABSENT) for session in range(60)]
    (tmp_path / "songs").mkdir()
    (tmp_path / "some.json").write_bytes(joined(*good, hidden, play(sessionId=60)))
    fast, exact = both_paths(tmp_path, tmp_path / "songs")
    assert fast == exact


def test_dirty_logs_are_the_same_on_both_paths(dirty: Generated, both_paths: Both) -> None:
    """Dirty logs give the same rows and rejected records on both paths."""
    fast, exact = both_paths(dirty.log_data, dirty.song_data)
    assert fast == exact


def test_bad_record_is_the_same_on_both_paths(both_paths: Both, tmp_path: Path) -> None:
    """Every kind of bad record is rejected on the fast path too, far down in a file."""
    odd = {name: case.record for name, case in BAD.items() if case.kind == "events"} | {
        "too long when repaired": play(song="\x19" * 171).encode(),
        "short enough when repaired": play(song=misread("é" * 256), itemInSession=3).encode(),
        "mangled": play(song=misread("é", 2), itemInSession=4).encode(),
        "two on a line": (GOOD["events"][0] + GOOD["events"][1]).encode(),
    }
    (tmp_path / "songs").mkdir()
    for number, (name, record) in enumerate(odd.items(), start=100):
        good = [play(sessionId=number, itemInSession=item, extra="") for item in range(35)]
        (tmp_path / f"{name}.json").write_bytes(joined(*good, record, play(sessionId=number, itemInSession=35)))
    fast, exact = both_paths(tmp_path, tmp_path / "songs")
    assert len(exact[0]["rejected_records"]) == len(odd) - 3
    assert fast == exact


def test_lines_that_are_not_text_cost_only_themselves(both_paths: Both, tmp_path: Path) -> None:
    """Lines that are not text, and odd line endings, are rejected in the same way on both paths."""
    (tmp_path / "songs").mkdir()
    odd = (b"\xef\xbb\xbf{\xff", b"{\xff", b'{"\xff": 1}', b'{"a": \r', b'{"a":\r"b"}', b"\r", b"{\x1f")
    for number, first in enumerate(odd):
        good = [play(sessionId=number, itemInSession=item).encode() for item in range(60)]
        (tmp_path / f"{number}.json").write_bytes(b"\r\n".join([first, *good, first]) + b"\r\n")
    fast, exact = both_paths(tmp_path, tmp_path / "songs")
    assert len(fast[0]["songplays"]) == len(odd) * 60
    assert fast == exact


def test_nothing_at_the_end_of_a_line_is_silently_dropped(both_paths: Both, tmp_path: Path) -> None:
    """A stray character at the end of a line is rejected on both paths, whichever character it is."""
    (tmp_path / "songs").mkdir()
    odd = [chr(code) for code in (*range(10), 11, 12, *range(14, 32), 127, 0x85, 0xA0, 0x2028, 0xFEFF, 0x10FFFF)]
    for number, character in enumerate([*odd, ",", ";", '"', "\\"], start=100):
        good = [play(sessionId=number, itemInSession=item) for item in range(35)]
        ends = [record + character for record in (play(sessionId=number, itemInSession=35), "[]")]
        (tmp_path / f"{number}.json").write_bytes(joined(*good, *ends, play(sessionId=number, itemInSession=36)))
    fast, exact = both_paths(tmp_path, tmp_path / "songs")
    assert len(fast[0]["songplays"]) == (len(odd) + 4) * 37
    assert fast == exact


def values(found: Contents, table: str, column: str) -> list[Any]:
    """Return the values of a column, in the order of the table's keys."""
    place = [described.name for described in dictionary.entry(table).columns].index(column)
    return [row[place] for row in sorted(found[table], key=lambda row: str(row[0]))]


def test_key_in_other_case_matches_far_down_in_a_large_file(both_paths: Both, tmp_path: Path) -> None:
    """A key matches in any case, even if it occurs only far down in a file."""
    usual = [play(itemInSession=item, userAgent="curl") for item in range(101)]
    other = [play(itemInSession=item, userAgent=ABSENT, USERAGENT="curl") for item in range(101, 120)]
    (tmp_path / "some.json").write_bytes(joined(*usual, *other))
    (tmp_path / "songs").mkdir()
    fast, exact = both_paths(tmp_path, tmp_path / "songs")
    assert fast == exact
    assert values(fast[0], "songplays", "user_agent") == ["curl"] * 120


def test_folder_named_like_a_column_sets_no_value(both_paths: Both, tmp_path: Path) -> None:
    """A folder called level=paid sets no value of the events in it."""
    (tmp_path / "level=paid").mkdir()
    page = {"page": "Home", "song": None, "artist": None, "length": None}
    views = [play(**page, itemInSession=item, level=level) for item, level in enumerate(("free", None, ABSENT))]
    (tmp_path / "level=paid" / "some.json").write_bytes(joined(*views))
    (tmp_path / "songs").mkdir()
    fast, exact = both_paths(tmp_path, tmp_path / "songs")
    assert fast == exact
    assert values(fast[0], "page_views", "level") == ["free", None, None]


def test_quarantine_holds_exactly_the_generated_faults(dirty: Generated, warehouse: Sandbox) -> None:
    """The rejected records are exactly those that the generator made bad."""
    noted = json.loads((dirty.log_data.parent / "dirt.json").read_text())["rejected"]
    expected = {(str(dirty.log_data.parent / note["file"]), note["line"]): note["reason"] for note in noted}
    warehouse.etl(dirty.log_data, dirty.song_data)
    rows = warehouse.query("select file, line, reason from rejected_records")
    found = {(file, line): reason for file, line, reason in rows}
    assert {place: kind for place, kind in expected.items() if place not in found} == {}
    assert {place: reason for place, reason in found.items() if place not in expected} == {}
    assert len(rows) == len(expected) > 50


def test_dirt_changes_nothing_in_the_star(clean: Generated, dirty: Generated, make_warehouse: Warehouses) -> None:
    """Apart from rejected records, dirty data give the same star schema as the clean data of the same seed."""
    stars = []
    for made in (clean, dirty):
        warehouse = make_warehouse()
        warehouse.etl(made.log_data, made.song_data)
        stars.append(warehouse.contents() | {"etl_files": [], "rejected_records": []})
    assert stars[1] == stars[0]
