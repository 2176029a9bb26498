"""Reading: where records begin and end, how they may be written, and that both ways to read see the same."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.promises.records import ABSENT, BAD, GOOD, folder, joined, keys, loaded, misread, play, song
from tests.support.sandbox import Row, Sandbox, Warehouses

from sparkify.config import Aws
from sparkify.sample_data.generate import Generated, generate
from sparkify.sources import cache, opening
from sparkify.sources.listing import Kind, SourceFile
from sparkify.sources.opening import read_small
from sparkify.sources.records import RawRecord, split_records, split_small
from sparkify.sql import dictionary
from sparkify.staging import exact_path, fast_path, reader, session, spool

Contents = dict[str, list[Row]]
Both = Callable[[Path, Path], list[tuple[Contents, dict[str, list[str]]]]]

DIRECTLY, EXACTLY = 0, 1 << 40  # from which size on a file is read directly


@pytest.fixture(params=[pytest.param(DIRECTLY, id="directly"), pytest.param(EXACTLY, id="exactly")])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read logs of any size directly, as far as they can be, or all of them exactly."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", request.param)


@pytest.fixture
def both_ways(make_warehouse: Warehouses, monkeypatch: pytest.MonkeyPatch) -> Both:
    """Load the same two folders directly and exactly; return what is in the warehouse, and the unknown keys.

    Directly twice: with a sample that shows what is wrong, so that lines are read with care, and with hardly any.
    """

    def load(log_data: Path, song_data: Path) -> list[tuple[Contents, dict[str, list[str]]]]:
        found = []
        for size, sample in ((DIRECTLY, 1 << 20), (DIRECTLY, 1000), (EXACTLY, 0)):
            monkeypatch.setattr(fast_path, "MIN_SIZE", size)
            monkeypatch.setattr(fast_path, "_SAMPLE_SIZES", (sample, sample))
            warehouse = make_warehouse()
            summary = warehouse.etl(log_data, song_data)
            found.append((warehouse.contents(), summary.unknown_keys))
        careful, hasty, exactly = found
        assert careful[0] == hasty[0]
        return [careful, exactly]

    return load


# Where records begin and end

TEXTS = st.text(st.sampled_from('{}[]":,\\/ \n\r\tab\x00\x1e\x1fé\u2028\U0001f600'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.dictionaries(TEXTS, VALUES, max_size=4)
BETWEEN = ("\n", "\r\n", "\n\n", "", " ", "\n \t\r\n", "\n  ")
BYTES = st.sampled_from(
    [*(bytes([byte]) for byte in b'{}[]",:\\ \t\n\ra1\x00\xff'), b"\r\n", b'{"a": 1}', b"null", b"\xef\xbb\xbf", b'\\"']
)


def pieces_of(content: bytes) -> list[RawRecord]:
    """Return the pieces that content is cut into."""
    return list(split_records(io.BytesIO(content)))


@st.composite
def written(draw: st.DrawFn) -> tuple[str, list[tuple[int, Any]]]:
    """Draw a file of records, each written in some way; return it, and each record with its line."""
    text = draw(st.sampled_from(("", "\ufeff", "\n", "  ")))
    expected = []
    for record in draw(st.lists(RECORDS, max_size=5)):
        expected.append((text.count("\n") + 1, record))
        line = json.dumps(record, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from((None, None, 1, 2))))
        text += line.replace("\n", draw(st.sampled_from(("\n", "\r\n")))) + draw(st.sampled_from(BETWEEN))
    return text, expected


@given(written())
def test_records_are_found_however_they_are_laid_out(file: tuple[str, list[tuple[int, Any]]]) -> None:
    """One a line, over several lines or one after the other: each record is one piece, with the line it begins in."""
    text, expected = file
    found = pieces_of(text.encode())
    assert [piece.problem for piece in found] == [None] * len(expected)
    assert [(piece.line, json.loads(piece.text)) for piece in found] == expected


@given(st.lists(BYTES, max_size=30).map(b"".join))
def test_no_byte_is_lost_in_cutting(content: bytes) -> None:
    """Whatever a file holds, the pieces together hold all of it but white space."""
    cut_up = b"".join(piece.text for piece in pieces_of(content))
    assert b"".join(cut_up.split()) == b"".join(content.removeprefix(b"\xef\xbb\xbf").split())


@given(st.lists(BYTES, max_size=30).map(b"".join))
@example(b'{{"a": 1}\r{')
def test_piece_begins_in_the_line_that_it_names(content: bytes) -> None:
    """Whatever a file holds, each piece is found where it is said to be."""
    lines = content.split(b"\n")
    assert all(piece.text.split(b"\n")[0] in lines[piece.line - 1] for piece in pieces_of(content))


@given(st.lists(BYTES, max_size=20).map(b"".join))
def test_broken_record_takes_no_good_one_with_it(broken: bytes) -> None:
    """Records on lines of their own are found, whatever stands on the lines between them."""
    content = b"\n".join([b'{"first": 1}', broken, b'{"last": {"a": "}"}}'])
    found = pieces_of(content)
    assert found[0] == RawRecord(1, b'{"first": 1}')
    assert found[-1] == RawRecord(content.count(b"\n") + 1, b'{"last": {"a": "}"}}')


@given(st.lists(BYTES, max_size=20).map(b"".join), st.lists(BYTES, max_size=20).map(b"".join))
def test_lines_left_are_cut_as_in_their_file(
    tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes
) -> None:
    """What is made of the lines that hold no record does not depend on the others being read with them."""
    content = b"\n".join([one, b'{"whole": 1}', other, b'{"whole": 1}', one])
    path = tmp_path_factory.mktemp("left") / "some.json"
    path.write_bytes(content)
    lines = [line.removesuffix(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    left = [line for line in lines if line and line != b'{"whole": 1}']
    file = SourceFile("events", str(path), "", len(content))
    found = list(spool.records_on_lines(file, cache.FileCache(path.parent, Aws()), left))
    assert found == [piece for piece in pieces_of(content) if piece != RawRecord(piece.line, b'{"whole": 1}')]


@given(st.lists(BYTES, max_size=4).map(b"".join), st.sampled_from((b"", b"\n", b"\r\n", b" \x0b\n\n")))
@example(b'"a": "\n', b"")
@example(b'"a": 1}\n{"a": 2', b"")
@example(b'"a": "\xff"', b"\n")
def test_small_file_is_cut_like_any_other(inside: bytes, end: bytes) -> None:
    """What is taken for a file's only record at first sight is all that there is to cut out of it."""
    content = b"{" + inside + b"}" + end
    assert list(split_small(content)) == pieces_of(content)
    if spool.FLAT_RECORD.fullmatch(content):
        assert pieces_of(content) == [RawRecord(1, content.rstrip())]


ARCHIVES = [
    gzip.compress(text, mtime=0) for text in (b"", b"text", bytes(3_000_000), random.Random(1).randbytes(90_000))
]
ARCHIVE = st.builds(bytes.__add__, st.sampled_from(ARCHIVES), st.sampled_from((b"", b"\0", bytes(70_000), b"?")))


@given(st.lists(ARCHIVE, min_size=1, max_size=3).map(b"".join), st.integers(1, 100_000), st.integers(0, 255))
def test_archive_is_unpacked_as_python_does(content: bytes, place: int, byte: int) -> None:
    """Several archives in one file, padding, what is cut short or broken: the same text, or none."""

    def unpacked(content: bytes, unpack: Callable[[io.BytesIO, io.BytesIO], object]) -> bytes | None:
        plain = io.BytesIO()
        try:
            unpack(io.BytesIO(content), plain)
        except opening.READ_ERRORS:
            return None
        return plain.getvalue()

    def as_python_does(packed: io.BytesIO, plain: io.BytesIO) -> None:
        plain.write(gzip.GzipFile(fileobj=packed).read())

    place %= len(content)
    for packed in (content, content[: place + 1], content[:place] + bytes([byte]) + content[place + 1 :]):
        assert unpacked(packed, opening.decompress) == unpacked(packed, as_python_does)


@pytest.mark.parametrize("listed", [0, 1, 7, 8, 9, 1000])
def test_small_file_is_read_whole_whatever_its_listed_size(tmp_path: Path, listed: int) -> None:
    """A file that grew or shrank since it was listed is read to its end."""
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": 1}')
    assert read_small(str(path), listed) == b'{"a": 1}'


@pytest.mark.parametrize("name", ["a\n\r\t", "'\"", "a,\x1e\x1f\x01", "\\N", "é\U0001f600", " "])
def test_file_may_have_any_name(warehouse: Sandbox, name: str) -> None:
    """Whatever characters a file's name holds, its records are loaded and the ledger names it."""
    path = warehouse.log_data / f"{name}.json"
    path.write_text(play())
    (warehouse.log_data / "other.json").write_text(GOOD["events"][0])
    warehouse.etl()
    assert (str(path), 1) in warehouse.query("select path, songplays from etl_files")
    assert warehouse.etl().run.counts.files == 0


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
    """Write a record over several lines."""
    return json.dumps(json.loads(record), indent=2, ensure_ascii=False)


@pytest.mark.parametrize("is_packed", [False, True])
def test_layout_makes_no_difference(make_warehouse: Warehouses, *, is_packed: bool) -> None:
    """The same records in any layout, packed or not, give the same rows."""
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


@pytest.mark.usefixtures("either_way")
def test_harmless_oddities_change_nothing(make_warehouse: Warehouses) -> None:
    """Odd records that keep the contract say the same as plain ones, and none is refused."""
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
    for name, write in odd.items():
        text = play(userAgent=name, itemInSession=len(name))
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


@pytest.mark.usefixtures("either_way")
def test_whole_number_may_be_large_however_it_is_written(warehouse: Sandbox) -> None:
    """A whole number of up to 64 bits is one with a point, an exponent or blanks around it as without."""
    written = (play(sessionId="?", itemInSession=item).replace('"?"', text) for item, text in enumerate(WHOLE))
    (warehouse.log_data / "some.json").write_text("\n".join(written))
    warehouse.etl()
    taken = [number for number in WHOLE.values() if number is not None]
    assert sorted(warehouse.query("select session_id from songplays")) == [(number,) for number in sorted(taken)]


@pytest.mark.usefixtures("either_way")
def test_text_that_looks_like_something_else_is_text(warehouse: Sandbox) -> None:
    """A title may be any text."""
    titles = ["true", "NaN", "-inf", "null", "[1]", "[re:jazz]", "{}", "{x}", "1e5", "22.0", "a,}", ',"]', "\\N", " a"]
    titles += ['say "hi", \']', "line\nbreak", "carriage\rreturn", "tab\t", "\x1e\x1f", "\u2028\x85", "\ufeffmark"]
    (warehouse.log_data / "some.json").write_bytes(
        joined(*(play(song=title, itemInSession=item) for item, title in enumerate(titles)))
    )
    assert warehouse.etl().run.counts.rejected == 0
    assert sorted(title for (title,) in warehouse.query("select title from tracks")) == sorted(titles)


def test_number_where_text_is_due_becomes_its_text(both_ways: Both, tmp_path: Path) -> None:
    """A title that is written as a number is text, the same whichever way it is read."""
    numbers = {"22": "22", "-5": "-5", "22.0": "22.0", "22.50": "22.5", "2.2e1": "22.0", "18446744073709551616": None}
    logs = [play(song="?", itemInSession=item).replace('"?"', number) for item, number in enumerate(numbers)]
    for kind, content in (("log_data", joined(*logs)), ("song_data", song(title=22).encode())):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "some.json").write_bytes(content)
    directly, exactly = both_ways(tmp_path / "log_data", tmp_path / "song_data")
    assert directly == exactly
    titles = {title for _, title, *_ in directly[0]["tracks"]}
    assert titles >= {text for text in numbers.values() if text}
    assert directly[0]["rejected_records"] == []
    assert [row[4] for row in directly[0]["songplays"]] == ["SO0", *[None] * 5]


def test_year_0_is_not_known(warehouse: Sandbox) -> None:
    """The catalogue writes 0 where it does not know a song's year."""
    (warehouse.song_data / "some.json").write_bytes(joined(song(year=0), song(song_id="SO1", year="0")))
    warehouse.etl()
    assert warehouse.query("select song_id, year from songs order by song_id") == [("SO0", None), ("SO1", None)]


@pytest.mark.usefixtures("either_way")
def test_empty_file_is_loaded_as_nothing(warehouse: Sandbox) -> None:
    """A file without records is no fault, and is not read again."""
    for name, content in {"empty": b"", "blank": b"\n \t\r\n", "mark": b"\xef\xbb\xbf"}.items():
        for path in (warehouse.log_data / f"{name}.json", warehouse.song_data / f"{name}.json"):
            path.write_bytes(content)
        (warehouse.log_data / f"{name}.json.gz").write_bytes(gzip.compress(content))
    assert warehouse.etl().run.counts.files == 9
    assert warehouse.query("select * from rejected_records") == []
    assert warehouse.etl().run.counts.files == 0


def test_folder_without_json_is_told(warehouse: Sandbox) -> None:
    """A run over folders that hold nothing to load says so, and is no failure."""
    (warehouse.log_data / "notes.txt").write_text(play())
    assert warehouse.etl().files_listed == 0
    folders = (warehouse.song_data, warehouse.log_data)
    assert warehouse.narration == [f"{name}: contains no .json or .json.gz file." for name in folders]


# Both ways to read


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Generate data that is as it should be."""
    return generate(tmp_path_factory.mktemp("clean") / "data", users=100, days=8, songs=500, seed=5)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Generate the same data with dirt in it: of every kind, or nearly so."""
    return generate(tmp_path_factory.mktemp("dirty") / "data", users=100, days=8, songs=500, seed=5, dirty=0.05)


@pytest.mark.parametrize("is_packed", [False, True])
def test_clean_logs_are_read_directly(
    clean: Generated, both_ways: Both, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_packed: bool
) -> None:
    """What has no fault is taken as it stands or is unpacked, and gives what reading it exactly gives."""

    class Watched(spool.Spool):
        def __init__(self, folder: Path, kind: Kind, left: Mapping[int, session.FallbackLines] | None = None) -> None:
            super().__init__(folder, kind, left)
            spooled.append(kind)

    spooled: list[Kind] = []
    monkeypatch.setattr(reader, "Spool", Watched)
    if is_packed:
        for path in clean.log_data.rglob("*.json"):
            (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    directly, exactly = both_ways(tmp_path if is_packed else clean.log_data, clean.song_data)
    assert spooled == ["songs", "songs", "songs", "events"]
    assert directly == exactly
    assert len(directly[0]["songplays"]) + len(directly[0]["page_views"]) == clean.events


def test_logs_that_leave_out_keys_are_read_directly(
    clean: Generated, both_ways: Both, warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that is left out is null, and nothing has to be read exactly for it."""
    (logs := tmp_path / "logs").mkdir()
    for path in clean.log_data.rglob("*.json"):
        events = map(json.loads, path.read_text().splitlines())
        kept = ({key: value for key, value in event.items() if value is not None} for event in events)
        (logs / path.name).write_text("".join(json.dumps(event) + "\n" for event in kept))
    directly, exactly = both_ways(logs, clean.song_data)
    assert directly == exactly
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
def test_key_that_hides_is_found(both_ways: Both, tmp_path: Path, hidden: str) -> None:
    """Where logs leave out keys, one that only seems to be left out is not taken for it."""
    good = [play(sessionId=session, auth=ABSENT) for session in range(60)]
    (tmp_path / "songs").mkdir()
    (tmp_path / "some.json").write_bytes(joined(*good, hidden, play(sessionId=60)))
    directly, exactly = both_ways(tmp_path, tmp_path / "songs")
    assert directly == exactly


def test_dirty_logs_are_the_same_read_either_way(dirty: Generated, both_ways: Both) -> None:
    """Whatever is wrong with a log, what becomes of it does not depend on how it is read."""
    directly, exactly = both_ways(dirty.log_data, dirty.song_data)
    assert directly == exactly


def test_bad_record_is_the_same_read_either_way(both_ways: Both, tmp_path: Path) -> None:
    """No kind of bad record slips through far down in a large file."""
    odd = {name: case.record for name, case in BAD.items() if case.kind == "events"} | {
        "too long when repaired": play(song="\x19" * 171).encode(),
        "short enough when repaired": play(song=misread("é" * 256)).encode(),
        "mangled": play(song=misread("é", 2)).encode(),
        "two on a line": (GOOD["events"][0] + GOOD["events"][1]).encode(),
    }
    (tmp_path / "songs").mkdir()
    for number, (name, record) in enumerate(odd.items(), start=100):
        good = [play(sessionId=number, itemInSession=item, extra="") for item in range(105)]
        (tmp_path / f"{name}.json").write_bytes(joined(*good, record, play(sessionId=number, itemInSession=105)))
    directly, exactly = both_ways(tmp_path, tmp_path / "songs")
    assert len(exactly[0]["rejected_records"]) == len(odd) - 3
    assert directly == exactly


def test_lines_that_are_no_text_cost_themselves_alone(both_ways: Both, tmp_path: Path) -> None:
    """Of a large file, bytes that are no text and odd line ends are told as they are of a small one."""
    (tmp_path / "songs").mkdir()
    odd = (b"\xef\xbb\xbf{\xff", b"{\xff", b'{"\xff": 1}', b'{"a": \r', b'{"a":\r"b"}', b"\r", b"{\x1f")
    for number, first in enumerate(odd):
        good = [play(sessionId=number, itemInSession=item).encode() for item in range(60)]
        (tmp_path / f"{number}.json").write_bytes(b"\r\n".join([first, *good, first]) + b"\r\n")
    directly, exactly = both_ways(tmp_path, tmp_path / "songs")
    assert len(directly[0]["songplays"]) == len(odd) * 60
    assert directly == exactly


def test_nothing_at_the_end_of_a_line_is_dropped_without_a_word(both_ways: Both, tmp_path: Path) -> None:
    """A character that no record ends in is told of, whichever it is, far down in a large file too."""
    (tmp_path / "songs").mkdir()
    odd = [chr(code) for code in (*range(10), 11, 12, *range(14, 32), 127, 0x85, 0xA0, 0x2028, 0xFEFF, 0x10FFFF)]
    for number, character in enumerate([*odd, ",", ";", '"', "\\"], start=100):
        good = [play(sessionId=number, itemInSession=item) for item in range(105)]
        ends = [record + character for record in (play(sessionId=number, itemInSession=105), "[]")]
        (tmp_path / f"{number}.json").write_bytes(joined(*good, *ends, play(sessionId=number, itemInSession=106)))
    directly, exactly = both_ways(tmp_path, tmp_path / "songs")
    assert len(directly[0]["songplays"]) == (len(odd) + 4) * 107
    assert directly == exactly


def values(found: Contents, table: str, column: str) -> list[Any]:
    """Return the values of a column, in the order of the table's keys."""
    place = [described.name for described in dictionary.entry(table).columns].index(column)
    return [row[place] for row in sorted(found[table], key=lambda row: str(row[0]))]


def test_key_in_other_case_matches_far_down_in_a_large_file(both_ways: Both, tmp_path: Path) -> None:
    """A key matches whatever its case, wherever it stands."""
    usual = [play(itemInSession=item, userAgent="curl") for item in range(101)]
    other = [play(itemInSession=item, userAgent=ABSENT, USERAGENT="curl") for item in range(101, 120)]
    (tmp_path / "some.json").write_bytes(joined(*usual, *other))
    (tmp_path / "songs").mkdir()
    directly, exactly = both_ways(tmp_path, tmp_path / "songs")
    assert directly == exactly
    assert values(directly[0], "songplays", "user_agent") == ["curl"] * 120


def test_folder_named_like_a_column_sets_no_value(both_ways: Both, tmp_path: Path) -> None:
    """A folder called level=paid says nothing about the events in it, whether they have a level or none."""
    (tmp_path / "level=paid").mkdir()
    page = {"page": "Home", "song": None, "artist": None, "length": None}
    views = [play(**page, itemInSession=item, level=level) for item, level in enumerate(("free", None, ABSENT))]
    (tmp_path / "level=paid" / "some.json").write_bytes(joined(*views))
    (tmp_path / "songs").mkdir()
    directly, exactly = both_ways(tmp_path, tmp_path / "songs")
    assert directly == exactly
    assert values(directly[0], "page_views", "level") == ["free", None, None]


@pytest.mark.parametrize("size", [DIRECTLY, EXACTLY])
def test_deeply_nested_value_is_ignored_like_any(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """An unknown key may hold lists a hundred thousand deep."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", size)
    deep = "[" * 100_000 + "]" * 100_000
    (warehouse.log_data / "some.json").write_text(play(extra="?").replace('"?"', deep))
    assert warehouse.etl().unknown_keys == {"events": ["extra"]}
    assert loaded(warehouse, "events") == keys("events", 0)


@pytest.mark.parametrize("size", [1, 1 << 30])
@pytest.mark.usefixtures("either_way")
def test_unknown_keys_are_named_once(warehouse: Sandbox, size: int) -> None:
    """The summary names each key outside the contract, by kind, in order, whichever files and batches have it."""
    for name in ("a.json", "b.json"):
        said: dict[str, object] = {"queue": 1, "Extra": "page", f"only_{name[0]}": True}
        items = [play(sessionId=ord(name[0]), itemInSession=item, **said) for item in range(3)]
        (warehouse.log_data / name).write_bytes(joined(*items))
        (warehouse.song_data / name).write_text(song(song_id=name, PLAYS=7))
    unknown = {"events": ["Extra", "only_a", "only_b", "queue"], "songs": ["PLAYS"]}
    assert warehouse.etl(batch_size=size).unknown_keys == unknown
    assert len(loaded(warehouse, "events")) == 6


# What the generator made wrong


def test_quarantine_holds_what_was_made_wrong(dirty: Generated, warehouse: Sandbox) -> None:
    """The records refused are those that the generator says it spoilt: same files, same lines, none else."""
    noted = json.loads((dirty.log_data.parent / "dirt.json").read_text())["rejected"]
    expected = {(str(dirty.log_data.parent / note["file"]), note["line"]): note["reason"] for note in noted}
    warehouse.etl(dirty.log_data, dirty.song_data)
    rows = warehouse.query("select file, line, reason from rejected_records")
    found = {(file, line): reason for file, line, reason in rows}
    assert {place: kind for place, kind in expected.items() if place not in found} == {}
    assert {place: reason for place, reason in found.items() if place not in expected} == {}
    assert len(rows) == len(expected) > 50


def test_dirt_changes_nothing_in_the_star(clean: Generated, dirty: Generated, make_warehouse: Warehouses) -> None:
    """Beside what is refused, dirty data say what the clean data of the same seed say."""
    stars = []
    for made in (clean, dirty):
        warehouse = make_warehouse()
        warehouse.etl(made.log_data, made.song_data)
        stars.append(warehouse.contents() | {"etl_files": [], "rejected_records": []})
    assert stars[1] == stars[0]


# What files may be called


@pytest.fixture
def odd_names() -> list[str]:
    """Give names with all that means something somewhere, and siblings that they would match as patterns."""
    odd = ["a*b", "aXb", "a?b", "a[X]b", "[!a]", "**/c", "{a,b}", "it's", 'say "hi"', " blank ", "Zoë", "Zoe\u0308"]
    return [
        f"{name}.json" for name in [*odd, "🎵", "back\\slash", "100%", "a;b#c$d", "~", "--", "new\nline", "x.json/y"]
    ]


@pytest.mark.usefixtures("either_way")
def test_name_may_hold_any_character(warehouse: Sandbox, odd_names: list[str]) -> None:
    """Files and folders are read under whatever name, each once, and rejected records name them."""
    for number, name in enumerate(odd_names):
        for path in (warehouse.log_data / name, warehouse.log_data / f"{name} folder" / "some.json"):
            path.parent.mkdir(parents=True, exist_ok=True)
            content = joined(play(sessionId=number), play(sessionId=number, userId=len(str(path))))
            path.write_bytes(content if "folder" in str(path) else joined(content, "42"))
    counts = warehouse.etl().run.counts
    assert (counts.files, counts.events_read) == (2 * len(odd_names), 5 * len(odd_names))
    assert counts.events_duplicate == len(odd_names)
    rejected = {file for (file,) in warehouse.query("select file from rejected_records")}
    assert rejected == {str(warehouse.log_data / name) for name in odd_names}


def test_hidden_files_and_folders_are_skipped(warehouse: Sandbox) -> None:
    """Names that begin with a dot or an underscore are not for loading; other endings than ours neither."""
    ours = ["a.json", "B.JSON", "c.json.gz", "D.Json.GZ", "e/f_.json", "g.json/h.json"]
    hidden = [".a.json", "_a.json", ".b/a.json", "_b/a.json", "e/_b/c/a.json", "e/.a.json.gz", "_SUCCESS"]
    for number, name in enumerate([*ours, *hidden, "a.jsonl", "a.txt", "a.json.bak", "json"]):
        path = warehouse.log_data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = play(itemInSession=number).encode()
        path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    warehouse.etl()
    assert sorted(path for (path,) in warehouse.query("select path from etl_files")) == sorted(
        str(warehouse.log_data / name) for name in ours
    )
    assert loaded(warehouse, "events") == keys("events", *range(len(ours)))
