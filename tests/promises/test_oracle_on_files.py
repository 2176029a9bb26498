"""The oracle splits files into records by the rules of the documentation."""

import pytest
from tests.promises import oracle_files
from tests.promises.oracle_files import Delivered

GOOD, BAD = True, False


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b" \n\t\r\n", [], id="blank"),
        pytest.param(b"\xef\xbb\xbf{}", [(1, GOOD)], id="byte order mark"),
        pytest.param(b"{}\n\n{}\r\n\r\n{}", [(1, GOOD), (3, GOOD), (5, GOOD)], id="lines, blank lines, CRLF"),
        pytest.param(b'{}{}\n{"a": "}{"} {}', [(1, GOOD), (1, GOOD), (2, GOOD), (2, GOOD)], id="several on a line"),
        pytest.param(b'{\n"a": {\n"b": "\\"}"\n}\n}\n{\n}{}', [(1, GOOD), (6, GOOD), (7, GOOD)], id="over lines"),
        pytest.param(b'{"a":\n{"b": 1}}\n{}', [(1, BAD), (2, BAD), (3, GOOD)], id="nested object in column 0"),
        pytest.param(b"{}\n  {}", [(1, GOOD), (2, GOOD)], id="indented"),
        pytest.param(b'{"a": "\xc2\x85\xe2\x80\xa8"}\n{}', [(1, GOOD), (2, GOOD)], id="other line separators"),
        pytest.param(b"what\n{}\nis { this\n{}", [(1, BAD), (2, GOOD), (3, BAD), (4, GOOD)], id="garbage lines"),
        pytest.param(b'{"a": 1, "b\n{}', [(1, BAD), (2, GOOD)], id="truncated line"),
        pytest.param(b'{}\n{"a": 1, "b": {', [(1, GOOD), (2, BAD)], id="truncated file"),
        pytest.param(b'{"a": 1\nwhat\n{}', [(1, BAD), (3, GOOD)], id="piece to the next object in column 0"),
        pytest.param(b'{"a": 1\n {}\nwhat\n', [(1, BAD), (2, GOOD), (3, BAD)], id="whole line in a broken piece"),
        pytest.param(b"{}}{}\n{{}\n]", [(1, GOOD), (1, BAD), (2, BAD), (3, BAD)], id="stray braces"),
        pytest.param(b"{}\x0b\n\x0c\n{\x0b}", [(1, GOOD), (3, BAD)], id="other blanks"),
        pytest.param(b'{\n"a": 1,\n{\n"b": 2\n}', [(1, BAD), (3, GOOD)], id="truncated over lines"),
        pytest.param(b'{"a": "b}\nwhat\n{}', [(1, BAD), (2, BAD), (3, GOOD)], id="candidate with an open string"),
        pytest.param(b'{"a": {"b": 1}\n{}', [(1, BAD), (2, GOOD)], id="candidate with an open brace"),
        pytest.param(b'{"a": 1}}\n{}', [(1, BAD), (2, GOOD)], id="candidate with a brace too many"),
        pytest.param(b"{'a': 1}\n{}", [(1, BAD), (2, GOOD)], id="single quotes"),
        pytest.param(b'[{"a": 1}, {}]\n{}', [(1, GOOD), (1, GOOD), (2, GOOD)], id="array on a line"),
        pytest.param(b"[\n  {},\n  {}\n]\n", [(2, GOOD), (3, GOOD)], id="array over lines"),
        pytest.param(b'[1, {}, [{}], "a"]', [(1, BAD), (1, GOOD), (1, BAD), (1, BAD)], id="other elements"),
        pytest.param(b'[{},\n{"a": "b\n{},\n{}', [(1, GOOD), (2, BAD), (3, GOOD), (4, GOOD)], id="faulty array"),
        pytest.param(b"[{}, {}", [(1, GOOD), (1, GOOD), (1, BAD)], id="array without an end"),
        pytest.param(b"[{}\n{}", [(1, GOOD), (1, BAD), (2, GOOD)], id="array that ends without a bracket"),
        pytest.param(b'{"a": NaN}\n{"a": -Infinity}\n{"a": 1e999}', [(1, BAD), (2, BAD), (3, GOOD)], id="not finite"),
        pytest.param(b'{"a": "\x00"}\n{"a": "\t"}\n{\x00}', [(1, BAD), (2, BAD), (3, BAD)], id="control characters"),
        pytest.param(b'{"a": "\xff"}\n{"a": "\xed\xa0\x80"}\n{}', [(1, BAD), (2, BAD), (3, GOOD)], id="invalid UTF-8"),
    ],
)
def test_file_is_split_into_records(content: bytes, found: list[tuple[int, bool]]) -> None:
    """Records are found on one line, over several lines and one after the other, and each broken piece counts once."""
    pieces = oracle_files.records(Delivered("events", "log.json", content))
    assert [(line, pairs is not None) for line, pairs in pieces] == found


@pytest.mark.parametrize(("length", "found"), [(4_194_304, GOOD), (4_194_305, BAD)])
def test_record_of_more_than_4_mib_is_rejected(length: int, found: bool) -> None:
    """A record is rejected if it has more than 4 MiB, counted from brace to brace."""
    record = b'{"a": "' + b"\xc3\xa9" * ((length - 9) // 2) + b"x" * ((length - 9) % 2) + b'"}'
    pieces = list(oracle_files.records(Delivered("events", "log.json", b"  " + record + b"  \n{}")))
    assert [(line, pairs is not None) for line, pairs in pieces] == [(1, found), (2, GOOD)]
