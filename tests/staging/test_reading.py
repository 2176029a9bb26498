"""Records may be written in many ways that mean the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.promises.records import event, folder, joined, keys, loaded, misread, play, song
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.sources.listing import Kind

# How records may be written

LAYOUTS: dict[str, Callable[[list[str]], bytes]] = {
    "a line break at the end": lambda records: "".join(f"{record}\n" for record in records).encode(),
    "CRLF": lambda records: "\r\n".join(records).encode(),
    "pretty-printed": lambda records: "\n".join(map(pretty, records)).encode(),
    "pretty-printed with CRLF": lambda records: "\n".join(map(pretty, records)).replace("\n", "\r\n").encode(),
    "one after the other": lambda records: "".join(records).encode(),
    "one after the other over several lines": lambda records: "".join(map(pretty, records)).encode(),
    "carriage returns alone": lambda records: "\r".join(records).encode(),
    "blank lines": lambda records: "\n \t\n\n".join(["", *records, ""]).encode(),
    "byte order mark": lambda records: "\n".join(records).encode("utf-8-sig"),
    "escaped letters": lambda records: "\n".join(json.dumps(json.loads(record)) for record in records).encode(),
}


def pretty(record: str) -> str:
    """Return a record over several lines."""
    return json.dumps(json.loads(record), indent=2, ensure_ascii=False)


@pytest.mark.parametrize("is_packed", [False, True])
def test_layout_makes_no_difference(make_warehouse: Warehouses, *, is_packed: bool) -> None:
    """The same records in any layout, compressed or not, give the same rows."""
    plain, other = make_warehouse(), make_warehouse()
    for number, (name, layout) in enumerate(LAYOUTS.items()):
        plays = [play(sessionId=number, itemInSession=item, song="a }{ b", userAgent=name) for item in (0, 1, 0)]
        songs = [song(song_id=f"{name} {title}", title=title) for title in ("}\n{", '"')]
        delivered: dict[Kind, list[str]] = {"events": plays, "songs": songs}
        for kind, records in delivered.items():
            (folder(plain, kind) / f"{name}.json").write_bytes(joined(*records))
            content, path = layout(records), folder(other, kind) / f"{name}.json"
            path.with_name(f"{name}.json.gz" if is_packed else path.name).write_bytes(
                gzip.compress(content) if is_packed else content
            )
    counts = plain.etl().run.counts
    assert (counts.songplays, counts.songs, counts.events_duplicate) == (
        2 * len(LAYOUTS),
        2 * len(LAYOUTS),
        len(LAYOUTS),
    )
    other.etl()
    assert other.contents() | {"etl_files": []} == plain.contents() | {"etl_files": []}


@pytest.mark.usefixtures("either_path")
def test_harmless_oddities_change_nothing(make_warehouse: Warehouses) -> None:
    """Odd spellings that keep the contract give the same rows as plain ones, and none is rejected."""
    odd: dict[str, Callable[[str], str]] = {
        "numbers as text": lambda text: text.replace("38", '"38"').replace("1541105830796", '"1541105830796"'),
        "floats that are whole": lambda text: text.replace("38", "38.0").replace("1541105830796", "1541105830796.0"),
        "exponents": lambda text: text.replace("38", "3.8e1").replace("1541105830796", "1.541105830796E+12"),
        "number as text of a float": lambda text: text.replace("200.5", '"200.50"'),
        "text as number": lambda text: text.replace('"8"', "8"),
        "keys in other case": lambda text: text.replace('"ts"', '"TS"').replace('"userId"', '"USERID"'),
        "escaped key": lambda text: text.replace('"song"', r'"s\u006fng"'),
        "unknown keys": lambda text: text.replace("{", '{"queue": {"ts": [1, {"b": "}{"}]}, "": null, '),
        "unknown key given twice": lambda text: text.replace("{", '{"queue": 1, "queue": 2, '),
        "key in both cases": lambda text: text.replace("{", '{"SONG": "Outro", '),
        "blanks around a number": lambda text: text.replace("200.5", r'" 200.5\n"'),
        "blanks around a moment": lambda text: text.replace("1541105830796", '" 1541105830796 "'),
        "a number that begins with a point": lambda text: text.replace("200.5", '".2005e3"'),
        "empty text for null": lambda text: text.replace('"location": null', '"location": ""'),
        "absent": lambda text: text.replace('"location": null, ', "").replace('"status": null, ', ""),
        "blanks": lambda text: f" \t{text.replace(':', ' :  ')} \r",
        "mangled once": lambda text: text.replace("ë", misread("ë")),
        "mangled three times": lambda text: text.replace("ë", misread("ë", 3)),
    }
    plain, other = make_warehouse(), make_warehouse()
    for number, (name, write) in enumerate(odd.items()):
        text = play(userAgent=name, itemInSession=number)
        (plain.log_data / f"{name}.json").write_text(text)
        (other.log_data / f"{name}.json").write_text(write(text), newline="")
    plain.etl()
    assert other.etl().run.counts.rejected == 0
    assert other.contents() | {"etl_files": []} == plain.contents() | {"etl_files": []}


WHOLE = {
    "1e16": 10**16,
    "-1e18": -(10**18),
    '" 9007199254740993"': 2**53 + 1,
    '"9007199254740993.0"': 2**53 + 1,
    '"9.223372036854775807e18"': 2**63 - 1,
    '"9007199254740993.5"': None,
    "9223372036854775808.0": None,
    "1e19": None,
}


@pytest.mark.usefixtures("either_path")
def test_whole_number_may_be_large_however_it_is_written(warehouse: Sandbox) -> None:
    """A whole number of up to 64 bits may be written with a point, an exponent or blanks around it."""
    written = (play(sessionId="?", itemInSession=item).replace('"?"', text) for item, text in enumerate(WHOLE))
    (warehouse.log_data / "some.json").write_text("\n".join(written))
    warehouse.etl()
    taken = [number for number in WHOLE.values() if number is not None]
    assert sorted(warehouse.query("select session_id from songplays")) == [(number,) for number in sorted(taken)]


@pytest.mark.usefixtures("either_path")
def test_text_that_looks_like_something_else_is_text(warehouse: Sandbox) -> None:
    """A title may be any text."""
    titles = ["true", "NaN", "-inf", "null", "[1]", "[re:jazz]", "{}", "{x}", "1e5", "22.0", "a,}", ',"]', "\\N", " a"]
    titles += ['say "hi", \']', "line\nbreak", "carriage\rreturn", "tab\t", "\x1e\x1f", "\u2028\x85", "\ufeffmark"]
    (warehouse.log_data / "some.json").write_bytes(
        joined(*(play(song=title, itemInSession=item) for item, title in enumerate(titles)))
    )
    assert warehouse.etl().run.counts.rejected == 0
    assert sorted(title for (title,) in warehouse.query("select title from tracks")) == sorted(titles)


def test_year_0_becomes_null(warehouse: Sandbox) -> None:
    """The catalogue writes 0 for an unknown year, which becomes null."""
    (warehouse.song_data / "some.json").write_bytes(joined(song(year=0), song(song_id="SO1", year="0")))
    warehouse.etl()
    assert warehouse.query("select song_id, year from songs order by song_id") == [("SO0", None), ("SO1", None)]


@pytest.mark.usefixtures("either_path")
def test_empty_file_is_loaded_as_nothing(warehouse: Sandbox) -> None:
    """A file without records is loaded without an error, and only once."""
    for name, content in {"empty": b"", "blank": b"\n \t\r\n", "mark": b"\xef\xbb\xbf"}.items():
        for path in (warehouse.log_data / f"{name}.json", warehouse.song_data / f"{name}.json"):
            path.write_bytes(content)
        (warehouse.log_data / f"{name}.json.gz").write_bytes(gzip.compress(content))
    assert warehouse.etl().run.counts.files == 9
    assert warehouse.query("select * from rejected_records") == []
    assert warehouse.etl().run.counts.files == 0


@pytest.mark.usefixtures("either_path")
def test_deeply_nested_value_is_ignored_like_any(warehouse: Sandbox) -> None:
    """An unknown key may hold lists a hundred thousand deep."""
    deep = "[" * 100_000 + "]" * 100_000
    (warehouse.log_data / "some.json").write_text(play(extra="?").replace('"?"', deep))
    assert list(warehouse.etl().unknown_keys["events"]) == ["extra"]
    assert loaded(warehouse, "events") == keys("events", 0)


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.usefixtures("either_path")
def test_unknown_keys_are_counted(warehouse: Sandbox, size: int) -> None:
    """The summary has the records and the first file of each unknown key, whichever files and batches hold it."""
    for name in ("a.json", "b.json"):
        said: dict[str, object] = {"queue": 1, "Extra": "page", f"only_{name[0]}": True}
        items = [play(sessionId=ord(name[0]), itemInSession=item, **said) for item in range(3)]
        (warehouse.log_data / name).write_bytes(joined(*items))
        (warehouse.song_data / name).write_text(song(song_id=name, PLAYS=7))
    found = warehouse.etl(batch_size=size).unknown_keys
    counted = {kind: {key: (n, Path(file).name) for key, (n, file) in keys.items()} for kind, keys in found.items()}
    first, second = (6, "a.json"), (3, "b.json")
    assert counted["events"] == {"Extra": first, "only_a": (3, "a.json"), "only_b": second, "queue": first}
    assert counted["songs"] == {"PLAYS": (2, "a.json")}
    assert len(loaded(warehouse, "events")) == 6


@pytest.mark.usefixtures("either_path")
def test_whole_number_keeps_every_digit(warehouse: Sandbox) -> None:
    """A whole number that no float can represent keeps every digit, even far down in a large file."""
    numbers = [*range(30), 2**53 + 1, 2**62 + 1, -(2**53) - 1]
    (warehouse.log_data / "a.json").write_text("".join(event(sessionId=number) for number in numbers))
    warehouse.etl()
    assert sorted(warehouse.query("select session_id from page_views")) == [(number,) for number in sorted(numbers)]


@pytest.mark.usefixtures("either_path")
def test_text_is_repaired_at_most_three_times(warehouse: Sandbox) -> None:
    """Text that was misread four times is still misread once after the repair."""
    lines = [event(itemInSession=times, location=misread("é", times)) for times in range(5)]
    (warehouse.log_data / "a.json").write_text("".join(lines))
    warehouse.etl()
    found = warehouse.query("select location from page_views order by page_view_id")
    assert found == [("é",)] * 4 + [(misread("é"),)]


def test_unknown_keys_of_large_logs_are_counted_at_least(warehouse: Sandbox) -> None:
    """Unknown keys of a large log are those of a sample, so their numbers are marked as the least."""
    lines = [event(itemInSession=item, queue=item) for item in range(5000)]
    (warehouse.log_data / "large.json").write_text("\n".join(lines))
    (warehouse.song_data / "small.json").write_text(song(PLAYS=7))
    summary = warehouse.etl()
    assert 0 < summary.unknown_keys["events"]["queue"].records <= 5000
    assert summary.is_sampled
    assert summary.unknown_keys["songs"]["PLAYS"].records == 1


def test_unknown_keys_are_the_least_if_any_batch_was_sampled(warehouse: Sandbox) -> None:
    """A count from a small log is marked as the least if another batch of the run had a large log."""
    (warehouse.log_data / "a.json").write_text(event(itemInSession=1, rare=1))
    lines = [event(sessionId=2, itemInSession=item) for item in range(5000)]
    (warehouse.log_data / "b.json").write_text("\n".join([*lines, event(sessionId=3, rare=1)]))
    summary = warehouse.etl(batch_size=1)
    assert (summary.batches, summary.is_sampled) == (2, True)
