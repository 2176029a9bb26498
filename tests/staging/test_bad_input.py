"""Bad records: what is good beside them is loaded, and they are kept, with their place, reason and text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.promises.records import (
    ABSENT,
    BAD,
    GOOD,
    KINDS,
    NESTED,
    NOT_JSON,
    NOT_OBJECT,
    folder,
    joined,
    keys,
    loaded,
    misread,
    play,
    record,
    song,
)
from tests.support.sandbox import Row, Sandbox

from sparkify.sources.listing import Kind
from sparkify.staging import fast_path
from sparkify.staging.contract import CONTRACTS, Required, Type

REJECTED = "select source, file, line, reason, record from rejected_records order by file, line"


def refused(warehouse: Sandbox, kind: Kind, *pieces: str | bytes) -> list[Row]:
    """Load pieces, one a line between two good records; return line, reason and text of each one refused."""
    path = folder(warehouse, kind) / "some.json"
    first, last = GOOD[kind]
    path.write_bytes(joined(first, *pieces, last))
    warehouse.etl()
    assert set(keys(kind, 1, 2)) <= set(loaded(warehouse, kind))
    rows = warehouse.query(REJECTED)
    assert {row[:2] for row in rows} <= {(kind, str(path))}
    return [row[2:] for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_record_is_kept_with_its_place_reason_and_text(warehouse: Sandbox, kind: Kind) -> None:
    """Each bad record stands in the quarantine, and costs none of the good ones around it in its file."""
    bad = {name: case for name, case in BAD.items() if case.kind == kind}
    for number, (name, case) in enumerate(bad.items(), start=100):
        around = [play(sessionId=number, itemInSession=item) for item in (1, 2)]
        if kind == "songs":
            around = [song(song_id=f"SO{number}-{item}") for item in (1, 2)]
        (folder(warehouse, kind) / f"{name}.json").write_bytes(joined(around[0], case.record, around[1]))
    warehouse.etl()
    found = {
        Path(path).stem: (source, line, reason, text) for source, path, line, reason, text in warehouse.query(REJECTED)
    }
    assert found == {name: (kind, 2, case.reason, case.shown) for name, case in bad.items()}
    form = {"events": "1541105830796-{}-{}-8", "songs": "SO{}-{}"}[kind]
    good = [form.format(number, item) for number in range(100, 100 + len(bad)) for item in (1, 2)]
    assert loaded(warehouse, kind) == sorted(good)


def test_what_no_text_can_hold_is_kept_as_an_escape(warehouse: Sandbox) -> None:
    """NUL and bytes that are not UTF-8 are written out in the kept text."""
    assert refused(warehouse, "events", b"a\0b\xffc\xc3\xa9") == [(2, NOT_OBJECT, r"a\x00b\xffcé")]


@pytest.mark.parametrize("kind", KINDS)
def test_required_key_that_is_absent_null_or_empty_is_named(warehouse: Sandbox, kind: Kind) -> None:
    """Each required key is missed, in whatever way it is missing."""
    missing = {Required.ALWAYS: "missing", Required.IN_PLAYS: "missing in a play"}
    bad = [
        (record(kind, **{field.name: value}), f"{field.name}: {missing[field.required]}")
        for field in CONTRACTS[kind].fields
        if field.required is not Required.NEVER
        for value in (ABSENT, None, "")
    ]
    assert len(bad) == 3 * {"events": 7, "songs": 2}[kind]
    found = refused(warehouse, kind, *(text for text, _ in bad))
    assert found == [(line, reason, text) for line, (text, reason) in enumerate(bad, start=2)]


def test_page_view_needs_no_user_song_or_artist(warehouse: Sandbox) -> None:
    """What only a play must say may be missing in any other event."""
    view = play(page="Home", userId="", song=None, artist=ABSENT)
    assert refused(warehouse, "events", view) == []
    assert loaded(warehouse, "events") == ["1541105830796-38-0-", *keys("events", 1, 2)]


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_no_object_list_or_truth_value(warehouse: Sandbox, kind: Kind) -> None:
    """Each text column refuses what is not text, and takes the text that looks the same."""
    columns = [field.name for field in CONTRACTS[kind].fields if field.type is Type.TEXT]
    bad = [
        (record(kind, **{name: value}), f"{name}: {NESTED}")
        for name in columns
        for value in ({"text": "Intro"}, ["Intro"], [], True, False)
    ]
    alike = record(kind, **{"artist" if kind == "events" else "title": '["Intro"]'})
    found = refused(warehouse, kind, *(text for text, _ in bad), alike)
    assert found == [(line, reason, text) for line, (text, reason) in enumerate(bad, start=2)]
    assert loaded(warehouse, kind) == keys(kind, 0, 1, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_text_longer_than_its_column_is_refused(warehouse: Sandbox, kind: Kind) -> None:
    """One byte more than a column takes, and the record is refused, not cut."""
    columns = [(field.name, field.width) for field in CONTRACTS[kind].fields if field.type is Type.TEXT]
    bad = [(record(kind, **{name: "x" * (width + 1)}), f"{name}: longer than {width} bytes") for name, width in columns]
    found = refused(warehouse, kind, *(text for text, _ in bad))
    assert found == [(line, reason, text) for line, (text, reason) in enumerate(bad, start=2)]


@pytest.mark.parametrize("kind", KINDS)
def test_text_as_long_as_its_column_is_taken(warehouse: Sandbox, kind: Kind) -> None:
    """Text of exactly a column's width is loaded, in every column at once."""
    widest = {field.name: "x" * field.width for field in CONTRACTS[kind].fields if field.type is Type.TEXT}
    assert refused(warehouse, kind, record(kind, **widest | ({"level": "paid"} if kind == "events" else {}))) == []


def test_width_is_counted_in_bytes_after_the_repair(warehouse: Sandbox) -> None:
    """What counts is how long a text is in UTF-8 when it has been repaired."""
    taken = {
        "512 bytes in 256 characters": "é" * 256,
        "170 quotes that grow to 510 bytes": "\x19" * 170,
        "1024 mangled bytes that shrink to 512": misread("é" * 256),
    }
    long = {
        "513 bytes in 257 characters": "é" * 256 + "x",
        "171 quotes that grow to 513 bytes": "\x19" * 171,
        "1028 mangled bytes that shrink to 514": misread("é" * 257),
    }
    records = {name: play(song=text, itemInSession=len(name), userAgent=name) for name, text in (taken | long).items()}
    assert refused(warehouse, "events", *records.values()) == [
        (line, "song: longer than 512 bytes", records[name]) for line, name in enumerate(long, start=5)
    ]
    agents = {agent for (agent,) in warehouse.query("select user_agent from songplays where user_agent is not null")}
    assert agents == set(taken)


def test_line_of_20_megabytes_is_refused_and_kept_whole(warehouse: Sandbox) -> None:
    """A record that no engine takes is kept as long as it is; on Redshift, as far as a column goes."""
    long = play(song="la " * 6_666_667)
    assert refused(warehouse, "events", long) == [(2, "longer than 4194304 bytes", warehouse.quarantined(long))]


@pytest.mark.parametrize("direct_size", [0, 1 << 40])
def test_record_as_long_as_a_record_may_be_is_taken(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, direct_size: int
) -> None:
    """4 MiB are a record, one byte more is none."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", direct_size)
    room = 4 * 1024 * 1024 - len(play(extra="").encode())
    longer = play(itemInSession=3, extra="x" * (room + 1))
    found = refused(warehouse, "events", play(extra="x" * room), longer)
    assert found == [(3, "longer than 4194304 bytes", warehouse.quarantined(longer))]
    assert loaded(warehouse, "events") == keys("events", 0, 1, 2)


def test_truncated_last_line_costs_that_line(warehouse: Sandbox) -> None:
    """A log that breaks off in the middle of a record is loaded up to there."""
    (warehouse.log_data / "some.json").write_bytes(joined(*GOOD["events"], play()[:60]))
    warehouse.etl()
    assert [row[2:] for row in warehouse.query(REJECTED)] == [(3, NOT_JSON, play()[:60])]
    assert loaded(warehouse, "events") == keys("events", 1, 2)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_file_that_is_one_array_is_refused_as_one(warehouse: Sandbox, kind: Kind, indent: int | None) -> None:
    """A JSON array is no record, whatever it holds."""
    array = json.dumps([json.loads(text) for text in GOOD[kind]], indent=indent)
    (folder(warehouse, kind) / "array.json").write_text(array)
    (folder(warehouse, kind) / "other.json").write_text(record(kind))
    warehouse.etl()
    assert [row[2:] for row in warehouse.query(REJECTED)] == [(1, NOT_OBJECT, array)]
    assert loaded(warehouse, kind) == keys(kind, 0)


def test_garbage_behind_a_record_costs_the_garbage_alone(warehouse: Sandbox) -> None:
    """A record is loaded though its line goes on with something else."""
    garbage = {" xx": "xx", ",": ",", "\0": r"\x00", " 42": "42", " {": "{"}
    found = refused(warehouse, "events", *(play(itemInSession=item) + rest for item, rest in enumerate(garbage, 3)))
    reasons = [NOT_JSON if text == "{" else NOT_OBJECT for text in garbage.values()]
    assert found == list(zip(range(2, 7), reasons, garbage.values(), strict=True))
    assert loaded(warehouse, "events") == keys("events", *range(1, 8))


def test_text_over_several_lines_is_kept_as_it_stands(warehouse: Sandbox) -> None:
    """A pretty-printed record that breaks the contract is kept with its lines."""
    pretty = json.dumps(json.loads(play(sessionId=2.7)), indent=2)
    assert refused(warehouse, "events", pretty) == [(2, "sessionId: not a whole number", pretty)]


def test_line_counts_what_stands_before_it(warehouse: Sandbox) -> None:
    """The line of a bad record is right behind blank lines, pretty-printed records and several records on one line."""
    pretty = json.dumps(json.loads(play()), indent=2)
    found = refused(warehouse, "events", "", "42\r", pretty, "43", play() + play() + " 44", " \t", "45")
    lines = 3, 4 + pretty.count("\n") + 1, 5 + pretty.count("\n") + 1, 7 + pretty.count("\n") + 1
    assert [(line, text) for line, _, text in found] == list(zip(lines, ("42", "43", "44", "45"), strict=True))


def test_rejected_file_is_named_by_its_absolute_path(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the quarantine finds the file, wherever the run was started."""
    (warehouse.log_data / "some.json").write_text("42")
    monkeypatch.chdir(warehouse.log_data.parent)
    warehouse.etl(log_data="log_data", song_data="song_data")
    assert warehouse.query(REJECTED) == [("events", str(warehouse.log_data / "some.json"), 1, NOT_OBJECT, "42")]


def test_correcting_a_file_replaces_its_rejections(warehouse: Sandbox) -> None:
    """A record that is mended and loaded leaves the quarantine; what is still bad, and other files, stay in it."""
    some, other = warehouse.log_data / "some.json", warehouse.log_data / "other.json"
    some.write_bytes(joined("42", play()[:-1], GOOD["events"][0]))
    other.write_text("43")
    warehouse.etl()
    some.write_bytes(joined(play(), "44", GOOD["events"][0]))
    warehouse.etl()
    assert [row[1:] for row in warehouse.query(REJECTED)] == [
        (str(other), 1, NOT_OBJECT, "43"),
        (str(some), 2, NOT_OBJECT, "44"),
    ]
    assert loaded(warehouse, "events") == keys("events", 0, 1)
