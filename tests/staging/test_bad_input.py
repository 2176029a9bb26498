"""Promise 2: a bad record is kept with its place, reason and text, and the good records around it are loaded."""

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
    event,
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

from sparkify.cli.main import main
from sparkify.config import Limit
from sparkify.sources.listing import Kind
from sparkify.staging.contract import CONTRACTS, Required, Type

REJECTED = "select source, file, line, reason, record from rejected_records order by file, line"


def rejected_beside_good_ones(warehouse: Sandbox, kind: Kind, *pieces: str | bytes) -> list[Row]:
    """Load pieces, one a line between two good records; return line, reason and text of each rejected one."""
    path = folder(warehouse, kind) / "some.json"
    first, last = GOOD[kind]
    path.write_bytes(joined(first, *pieces, last))
    warehouse.etl(max_rejected=Limit(1, is_share=True))
    assert set(keys(kind, 1, 2)) <= set(loaded(warehouse, kind))
    rows = warehouse.query(REJECTED)
    assert {row[:2] for row in rows} <= {(kind, str(path))}
    return [row[2:] for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_record_is_kept_with_its_place_reason_and_text(warehouse: Sandbox, kind: Kind) -> None:
    """Each kind of bad record is quarantined, and the good records around it in its file are loaded."""
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


def test_bytes_that_no_text_holds_are_kept_as_escapes(warehouse: Sandbox) -> None:
    """NUL and bytes that are not UTF-8 are kept as escapes."""
    assert rejected_beside_good_ones(warehouse, "events", b"a\0b\xffc\xc3\xa9") == [(2, NOT_OBJECT, r"a\x00b\xffcé")]


@pytest.mark.parametrize("kind", KINDS)
def test_required_key_that_is_absent_null_or_empty_is_named(warehouse: Sandbox, kind: Kind) -> None:
    """A required key that is absent, null or empty rejects the record, and the reason names it."""
    missing = {Required.ALWAYS: "missing", Required.IN_PLAYS: "missing in a play"}
    bad = [
        (record(kind, **{field.name: value}), f"{field.name}: {missing[field.required]}")
        for field in CONTRACTS[kind].fields
        if field.required is not Required.NEVER
        for value in (ABSENT, None, "")
    ]
    assert len(bad) == 3 * {"events": 7, "songs": 2}[kind]
    found = rejected_beside_good_ones(warehouse, kind, *(text for text, _ in bad))
    assert found == [(line, reason, text) for line, (text, reason) in enumerate(bad, start=2)]


def test_page_view_needs_no_user_song_or_artist(warehouse: Sandbox) -> None:
    """The keys that only a play needs may be missing in any other event."""
    view = play(page="Home", userId="", song=None, artist=ABSENT)
    assert rejected_beside_good_ones(warehouse, "events", view) == []
    assert loaded(warehouse, "events") == ["1541105830796-38-0-", *keys("events", 1, 2)]


@pytest.mark.parametrize("kind", KINDS)
def test_object_list_or_boolean_is_not_text(warehouse: Sandbox, kind: Kind) -> None:
    """A text column rejects objects, lists and booleans, but not text that looks like them."""
    columns = [field.name for field in CONTRACTS[kind].fields if field.type is Type.TEXT]
    bad = [
        (record(kind, **{name: value}), f"{name}: {NESTED}")
        for name in columns
        for value in ({"text": "Intro"}, ["Intro"], [], True, False)
    ]
    alike = record(kind, **{"artist" if kind == "events" else "title": '["Intro"]'})
    found = rejected_beside_good_ones(warehouse, kind, *(text for text, _ in bad), alike)
    assert found == [(line, reason, text) for line, (text, reason) in enumerate(bad, start=2)]
    assert loaded(warehouse, kind) == keys(kind, 0, 1, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_text_longer_than_its_column_is_rejected(warehouse: Sandbox, kind: Kind) -> None:
    """Text one byte longer than its column is rejected, not truncated."""
    columns = [(field.name, field.width) for field in CONTRACTS[kind].fields if field.type is Type.TEXT]
    bad = [(record(kind, **{name: "x" * (width + 1)}), f"{name}: longer than {width} bytes") for name, width in columns]
    found = rejected_beside_good_ones(warehouse, kind, *(text for text, _ in bad))
    assert found == [(line, reason, text) for line, (text, reason) in enumerate(bad, start=2)]


@pytest.mark.parametrize("kind", KINDS)
def test_text_as_long_as_its_column_is_loaded(warehouse: Sandbox, kind: Kind) -> None:
    """Text of exactly a column's width is loaded, in every column at once."""
    widest = {field.name: "x" * field.width for field in CONTRACTS[kind].fields if field.type is Type.TEXT}
    assert (
        rejected_beside_good_ones(
            warehouse, kind, record(kind, **widest | ({"level": "paid"} if kind == "events" else {}))
        )
        == []
    )


def test_width_is_counted_in_bytes_after_the_repair(warehouse: Sandbox) -> None:
    """The width of a text is its bytes of UTF-8 after the repair."""
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
    assert rejected_beside_good_ones(warehouse, "events", *records.values()) == [
        (line, "song: longer than 512 bytes", records[name]) for line, name in enumerate(long, start=5)
    ]
    agents = {agent for (agent,) in warehouse.query("select user_agent from songplays where user_agent is not null")}
    assert agents == set(taken)


def test_line_of_20_megabytes_is_rejected_and_kept_whole(warehouse: Sandbox) -> None:
    """A record of 20 MB is rejected and kept whole, on Redshift as far as its column allows."""
    long = play(song="la " * 6_666_667)
    assert rejected_beside_good_ones(warehouse, "events", long) == [
        (2, "longer than 4194304 bytes", warehouse.quarantined(long))
    ]


@pytest.mark.usefixtures("either_path")
def test_record_of_4_mib_is_loaded(warehouse: Sandbox) -> None:
    """A record of 4 MiB is loaded, and one of a byte more is rejected."""
    room = 4 * 1024 * 1024 - len(play(extra="").encode())
    longer = play(itemInSession=3, extra="x" * (room + 1))
    found = rejected_beside_good_ones(warehouse, "events", play(extra="x" * room), longer)
    assert found == [(3, "longer than 4194304 bytes", warehouse.quarantined(longer))]
    assert loaded(warehouse, "events") == keys("events", 0, 1, 2)


def test_truncated_last_line_costs_that_line(warehouse: Sandbox) -> None:
    """A log that ends in the middle of a record is loaded up to there."""
    (warehouse.log_data / "some.json").write_bytes(joined(*GOOD["events"], play()[:60]))
    warehouse.etl()
    assert [row[2:] for row in warehouse.query(REJECTED)] == [(3, NOT_JSON, play()[:60])]
    assert loaded(warehouse, "events") == keys("events", 1, 2)


def test_garbage_after_a_record_costs_only_the_garbage(warehouse: Sandbox) -> None:
    """A record is loaded even if its line goes on with something else."""
    garbage = {" xx": "xx", ",": ",", "\0": r"\x00", " 42": "42", " {": "{"}
    found = rejected_beside_good_ones(
        warehouse, "events", *(play(itemInSession=item) + rest for item, rest in enumerate(garbage, 3))
    )
    reasons = [NOT_JSON if text == "{" else NOT_OBJECT for text in garbage.values()]
    assert found == list(zip(range(2, 7), reasons, garbage.values(), strict=True))
    assert loaded(warehouse, "events") == keys("events", *range(1, 8))


def test_record_over_several_lines_is_kept_unchanged(warehouse: Sandbox) -> None:
    """A pretty-printed record that breaks the contract is kept with its line breaks."""
    pretty = json.dumps(json.loads(play(sessionId=2.7)), indent=2)
    assert rejected_beside_good_ones(warehouse, "events", pretty) == [(2, "sessionId: not a whole number", pretty)]


def test_line_number_counts_every_line_before_it(warehouse: Sandbox) -> None:
    """The line of a bad record counts blank lines, pretty-printed records and several records on one line."""
    pretty = json.dumps(json.loads(play()), indent=2)
    found = rejected_beside_good_ones(
        warehouse, "events", "", "42\r", pretty, "43", play() + play() + " 44", " \t", "45"
    )
    lines = 3, 4 + pretty.count("\n") + 1, 5 + pretty.count("\n") + 1, 7 + pretty.count("\n") + 1
    assert [(line, text) for line, _, text in found] == list(zip(lines, ("42", "43", "44", "45"), strict=True))


def test_rejected_file_is_named_by_its_absolute_path(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quarantine names a file by its absolute path, wherever the run was started."""
    (warehouse.log_data / "some.json").write_text("42")
    monkeypatch.chdir(warehouse.log_data.parent)
    warehouse.etl(log_data="log_data", song_data="song_data")
    assert warehouse.query(REJECTED) == [("events", str(warehouse.log_data / "some.json"), 1, NOT_OBJECT, "42")]


def test_correcting_a_file_replaces_its_rejections(warehouse: Sandbox) -> None:
    """A corrected record leaves the quarantine, and records that are still bad stay in it."""
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


def test_key_with_a_lone_surrogate_rejects_its_record(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key with a lone surrogate rejects its record on the fast path too, and the summary can be printed."""
    monkeypatch.setattr("sparkify.staging.fast_path.MIN_SIZE", 0)
    (warehouse.log_data / "a.json").write_text(event() + '{"\\ud800": 1}\n')
    words = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    assert main(["etl", "--allow-empty", *words, "--warehouse", warehouse.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"]["rejected"] == 1
