"""Dirty synthetic data hold the clean data, and an account of every fault."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sample_data.shape import EVENT_KEYS, SONG_KEYS, Record

from sparkify.sample_data.dirty import DAY_FORMS
from sparkify.sample_data.dirty_kinds import BAD_EVENTS, BAD_SONGS, HARMLESS_EVENTS, HARMLESS_SONGS, REPAIRED
from sparkify.sample_data.generate import generate
from sparkify.staging.mojibake import repair

WHOLE = {"ts", "sessionId", "itemInSession", "status", "year", "num_songs"}
NUMBERS = WHOLE | {"length", "registration", "duration", "artist_latitude", "artist_longitude"}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Generate the same data twice: clean, and with a fault in about a third of the records."""
    folders = tmp_path_factory.mktemp("pristine"), tmp_path_factory.mktemp("dirty")
    for folder, dirt in zip(folders, (0.0, 0.35), strict=True):
        generate(folder, users=100, days=9, songs=400, seed=3, dirty=dirt)
    return folders


def account_of(folder: Path) -> Record:
    """Return the content of dirt.json."""
    account: Record = json.loads((folder / "dirt.json").read_text(encoding="utf-8"))
    return account


def data_files(folder: Path) -> dict[str, list[str]]:
    """Return the lines of each data file, by its path; bytes that are not UTF-8 become lone surrogates."""
    found = {}
    for path in sorted(path for name in ("*.json", "*.json.gz") for path in (folder).glob(f"*_data/**/{name}")):
        if not path.name.startswith("."):
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            text = content.decode("utf-8-sig", "surrogateescape")
            found[path.relative_to(folder).as_posix()] = text.replace("\r\n", "\n").split("\n")
    return found


def separated(folder: Path) -> tuple[dict[str, list[Record]], dict[tuple[str, int], str]]:
    """Return the good records of each file, and the bad ones by their place in dirt.json."""
    noted = {(bad["file"], bad["line"]) for bad in account_of(folder)["rejected"]}
    good: dict[str, list[Record]] = {}
    bad: dict[tuple[str, int], str] = {}
    for file, lines in data_files(folder).items():
        kept, spoilt = [], None
        for place in [(file, number) for number in range(1, len(lines) + 1)]:
            line = lines[place[1] - 1]
            spoilt = place if place in noted else None if line.startswith("{") else spoilt
            if spoilt:
                bad[spoilt] = f"{bad[spoilt]}\n{line}" if spoilt in bad else line
            else:
                kept.append(line)
        good[file] = list(objects("\n".join(kept)))
    return good, bad


def objects(text: str) -> Iterator[Record]:
    """Yield the objects that follow one another in a text."""
    while text := text.lstrip():
        record, end = json.JSONDecoder().raw_decode(text)
        yield record
        text = text[end:]


def normal(record: Record) -> Record:
    """Return a record in its clean form, except for mangled text."""
    keys = EVENT_KEYS if "ts" in record else SONG_KEYS
    values = {key: record.get(key) for key in keys}
    for key, value in values.items():
        if key in NUMBERS and value is not None:
            values[key] = float(value)
        elif isinstance(value, int):
            values[key] = str(value)
    return values


def must_be_rejected(text: str) -> bool:
    """Return whether a text is not a record, or breaks the contract."""
    try:
        text.encode()
        record = json.loads(text, parse_constant=lambda name: float(f"not JSON: {name}"))
    except ValueError:
        return True
    if not isinstance(record, dict):
        return True
    is_song = "num_songs" in record
    required = ["song_id", "artist_id"] if is_song else ["ts", "page", "sessionId", "itemInSession"]
    if record.get("page") == "NextSong":
        required += ["userId", "song", "artist"]
    return any(record.get(key) in (None, "") for key in required) or any(
        misfits(key, record.get(key)) for key in (SONG_KEYS if is_song else EVENT_KEYS)
    )


def misfits(key: str, value: Any) -> bool:
    """Return whether a value has the wrong type for its key, or is too large."""
    if value is None:
        return False
    if isinstance(value, bool | list | dict):
        return True
    if key not in NUMBERS:
        return len(str(value).encode()) > 65_535 or "\0" in str(value)
    if isinstance(value, str) or value > 2**63:
        return True
    return key in WHOLE and not float(value).is_integer()


def as_text(record: Record) -> str:
    """Return a record in one form, to count and compare it."""
    return json.dumps(record, sort_keys=True)


def test_the_good_records_of_dirty_data_are_those_of_clean_data(dirty: tuple[Path, Path]) -> None:
    """After repair and without duplicates, dirty data have the good records of clean data."""
    clean, spoilt = (
        Counter(
            as_text(
                {key: repair(value) if key in REPAIRED and value else value for key, value in normal(record).items()}
            )
            for records in part_of(folder).values()
            for record in records
        )
        for folder, part_of in ((dirty[0], clean_records), (dirty[1], lambda folder: separated(folder)[0]))
    )
    assert clean.keys() == spoilt.keys()
    assert spoilt.total() - clean.total() == account_of(dirty[1])["duplicates"] > 10


def clean_records(folder: Path) -> dict[str, list[Record]]:
    """Return the records of each file of clean data."""
    return {file: list(objects("\n".join(lines))) for file, lines in data_files(folder).items()}


def test_every_bad_record_is_where_the_account_says(dirty: tuple[Path, Path]) -> None:
    """The record at every place in dirt.json must be rejected."""
    _, bad = separated(dirty[1])
    account = account_of(dirty[1])["rejected"]
    assert len(bad) == len(account) > 500
    assert [place for place, text in bad.items() if not must_be_rejected(text)] == []
    several_lines = {noted["reason"] for noted in account if "\n" in bad[noted["file"], noted["line"]]}
    assert several_lines == {"truncated_pretty"}


def test_reason_of_a_bad_record_names_its_fault(dirty: tuple[Path, Path]) -> None:
    """The reason in dirt.json names the faulty key and its fault."""
    _, bad = separated(dirty[1])
    for noted in account_of(dirty[1])["rejected"]:
        text, (how, _, key) = bad[noted["file"], noted["line"]], noted["reason"].partition("_")
        match how:
            case "missing" if key != "comma":
                assert f'"{key}":' not in text
            case "null" if key:
                assert f'"{key}":null' in text
            case "empty":
                assert f'"{key}":""' in text
            case "nan" | "infinity":
                assert "NaN" in text or "Infinity" in text
            case "too" if "long" in key:
                assert len(text) > 70_000


def test_every_kind_of_dirt_occurs(dirty: tuple[Path, Path]) -> None:
    """A few thousand records contain every kind of dirt."""
    account = account_of(dirty[1])
    assert {noted["reason"] for noted in account["rejected"]} == {*BAD_EVENTS, *BAD_SONGS}
    assert account["accepted"].keys() == {*HARMLESS_EVENTS, *HARMLESS_SONGS, *DAY_FORMS, "two_on_a_line"}
    assert account["mangled"] > 10


def test_mangled_records_are_counted(dirty: tuple[Path, Path]) -> None:
    """dirt.json counts the records with text to repair."""
    good, _ = separated(dirty[1])
    records = [record for found in good.values() for record in found]
    mangled = sum(any(repair(record[key]) != record[key] for key in REPAIRED if record.get(key)) for record in records)
    assert mangled == account_of(dirty[1])["mangled"]


def test_the_share_of_dirt_is_the_requested_one(dirty: tuple[Path, Path]) -> None:
    """The share of records with a fault is the requested one."""
    account = account_of(dirty[1])
    forms = sum(account["accepted"][form] for form in ("bom", "crlf", "gzip", "hidden_file"))
    odd = len(account["rejected"]) + sum(account["accepted"].values()) + account["duplicates"] + account["mangled"]
    records = sum(len(found) for found in clean_records(dirty[0]).values())
    assert (odd - forms) / records == pytest.approx(0.35, rel=0.1)


def test_the_result_counts_bad_records_apart(tmp_path: Path) -> None:
    """The result counts bad records apart from songs and events."""
    clean = generate(tmp_path / "clean", users=40, days=5, songs=50)
    spoilt = generate(tmp_path / "dirty", users=40, days=5, songs=50, dirty=1.0)
    assert (spoilt.songs, spoilt.events) == (clean.songs, clean.events)
    assert spoilt.bad_records == len(account_of(tmp_path / "dirty")["rejected"]) > 0 == clean.bad_records
    assert spoilt.files == len(data_files(tmp_path / "dirty"))
    assert not (tmp_path / "clean" / "dirt.json").exists()
