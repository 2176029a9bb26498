"""From a file of JSON to rows: the objects in it, the keys that match columns, and the values that fit.

Sources: "Data format parameters" (JSON), "COPY from JSON format", "Data conversion parameters", "Load error
reference", "Data types". Of an object that has several bad values, the first counts: one error a row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from tests.support.redshift.protocol import Refusal

_LARGEST = 4 * 1024 * 1024  # bytes of an object, and of a row ("Data format parameters", "COPY")
_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT_OBJECT = re.compile(r"[{\[]")
_NEXT_LINE_OF_AN_OBJECT = re.compile(r"\n[ \t\r]*(?=[{\[])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_RANGES = {"smallint": 15, "integer": 31, "bigint": 63}
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")


class Number(str):
    """A number of JSON, as written."""

    __slots__ = ()


@dataclass(frozen=True)
class Source:
    """A file's name and its bytes, decompressed."""

    url: str
    content: bytes
    header: int = 0  # lines that IGNOREHEADER skips


@dataclass(frozen=True)
class Column:
    """A column to load."""

    name: str
    kind: str  # from format_type: character varying(256), numeric(18,0), timestamp without time zone
    is_required: bool

    @property
    def base(self) -> str:
        """Return the type without width or precision."""
        return self.kind.partition("(")[0]

    @property
    def sizes(self) -> list[int]:
        """Return the width, or precision and scale."""
        return [int(number) for number in re.findall(r"\d+", self.kind.partition("(")[2])]


@dataclass(frozen=True)
class LoadError:
    """A row that was not loaded, as in SYS_LOAD_ERROR_DETAIL."""

    file: str
    line: int  # the last line of the object
    code: int  # a code of "Load error reference"
    message: str
    column: Column | None = None
    position: int = 0


class _Unfit(Exception):
    """A value that does not fit its column."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Conversion:
    """The conversion options of a COPY ("Data conversion parameters")."""

    replacement: str = ""
    """The replacement of ACCEPTINVCHARS for each byte that is not UTF-8."""
    blanks_are_null: bool = False
    empty_is_null: bool = False
    trims: bool = False
    truncates: bool = False
    rounds: bool = False
    any_date: bool = False
    time_format: str = ""
    date_format: str = ""

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Conversion:
        """Read the options of a COPY; raise Refusal for formats that the stand-in cannot read."""
        for name in ("timeformat", "dateformat"):
            if options.get(name, "auto") not in ("auto", "epochsecs", "epochmillisecs", "YYYY-MM-DD"):
                raise Refusal(f"the stand-in does not read {name.upper()} {options[name]!r}", "0A000")
        return cls(
            options.get("acceptinvchars", ""),
            "blanksasnull" in options,
            "emptyasnull" in options,
            "trimblanks" in options,
            "truncatecolumns" in options,
            "roundec" in options,
            "acceptanydate" in options,
            options.get("timeformat", ""),
            options.get("dateformat", ""),
        )


Row = list[str | None]


def rows_of(
    source: Source, columns: Sequence[Column], layout: str, paths: Sequence[Sequence[str | int]], conversion: Conversion
) -> Iterator[Row | LoadError]:
    """Yield the rows of a file, and its errors."""
    for record, line in _records(source, conversion):
        if isinstance(record, _Unfit):
            yield LoadError(source.url, line, record.code, record.message)
            continue
        row: Row = []
        column: Column | None = None
        try:
            values = _by_path(record, paths) if paths else _by_name(record, columns, layout)
            for column, value in zip(columns, values, strict=True):
                row.append(converted(value, column, conversion))
        except _Unfit as unfit:
            yield LoadError(source.url, line, unfit.code, unfit.message, column)
            continue
        yield row


def _records(source: Source, conversion: Conversion) -> Iterator[tuple[Any, int]]:
    """Yield each object or array of a file, or its error, and its last line.

    Objects stand one after the other with only white space between them; anything else there is an error each time
    ("Data format parameters": JSON data file). Where an object is malformed, the documentation does not say where
    COPY takes up again: here, at the next line that begins with an object.
    """
    text = source.content.decode("utf-8", "surrogateescape")
    lines = _Lines(text)
    at = 0
    for _ in range(source.header):
        at = text.find("\n", at) + 1 or len(text)
    while (at := _after_space(text, at)) < len(text):
        if text[at] not in "{[":
            next_object = _NEXT_OBJECT.search(text, at)
            at = next_object.start() if next_object else len(text)
            yield _Unfit(1216, "Invalid JSON: text outside an object"), lines.at(at)
            continue
        start = at
        try:
            record, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            next_line = _NEXT_LINE_OF_AN_OBJECT.search(text, at)
            at = next_line.end() if next_line else len(text)
            yield _Unfit(1216, f"Invalid JSON: {error}"), lines.at(at if next_line is None else next_line.start())
            continue
        yield _weighed(record, text[start:at], conversion), lines.at(at)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _weighed(record: Any, written: str, conversion: Conversion) -> Any:
    """Return an object, or the error of the whole object: its size, or bytes that are not UTF-8.

    Of the size, the pages say that a larger one makes COPY fail; here it does, whatever MAXERROR says. A pipe counts
    twice in a row's size.
    """
    if len(written) * 3 > _LARGEST:
        size = len(written.encode("utf-8", "surrogateescape"))
        if size > _LARGEST or size + written.count("|") > _LARGEST:
            raise Refusal(f"JSON object of {size} bytes exceeds the maximum of {_LARGEST} bytes", "XX000")
    if not conversion.replacement and _SURROGATE.search(written):
        return _Unfit(1220, "String contains invalid or unsupported UTF8 codepoints.")
    return record


class _Lines:
    """The numbers of lines, for rising positions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def at(self, position: int) -> int:
        """Return the number of the line at a position."""
        self._line += self._text.count("\n", self._at, position)
        self._at = position
        return self._line


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant)


def _by_name(record: Any, columns: Sequence[Column], layout: str) -> list[Any]:
    """Match keys with columns, whose names are in lower case: exactly, or in any case.

    Unknown keys are ignored, and columns without a key are NULL. An array needs a JSONPaths file.
    """
    if not isinstance(record, dict):
        raise _Unfit(1216, "Invalid JSON: an array needs a JSONPaths file")
    known = {key.lower(): value for key, value in record.items()} if layout == "auto ignorecase" else record
    return [known.get(column.name) for column in columns]


def _by_path(record: Any, paths: Sequence[Sequence[str | int]]) -> list[Any]:
    """Follow each path: a missing name gives NULL, and a missing index fails the COPY."""
    values = []
    for path in paths:
        value = record
        for step in path:
            if isinstance(step, int):
                if not isinstance(value, list) or step >= len(value):
                    raise Refusal("Invalid JSONPath format: Not an array or index out of range.", "XX000")
                value = value[step]
            else:
                value = value.get(step) if isinstance(value, dict) else None
        values.append(value)
    return values


def converted(value: Any, column: Column, conversion: Conversion) -> str | None:
    """Return a value of its column in the server's text format; raise _Unfit if it does not fit."""
    text = None if value is None else _written(value)
    if text is not None:
        text = _CONVERSIONS[column.base](text, column, conversion)
    if text is None and column.is_required:
        # "If COPY attempts to assign NULL to a column that is defined as NOT NULL, the COPY command fails" (in sense).
        raise Refusal(f"Missing data for not-null field: column {column.name}", "XX000")
    return text


def _written(value: Any) -> str:
    """Return a value as text: numbers as written in the file, objects and arrays as JSON.

    "COPY from JSON format" says the latter, without saying how white space in them fares. How a number fares in a
    VARCHAR it does not say.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _json(value)


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(str(key))}:{_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(item) for item in value) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def _to_text(text: str, column: Column, conversion: Conversion) -> str | None:
    """VARCHAR(n) and CHAR(n): n bytes of UTF-8 ("Character types")."""
    if conversion.replacement:
        text = _SURROGATE.sub(conversion.replacement, text)
    if "\0" in text or _SURROGATE.search(text):
        # NUL ends a record in text files; what it does in JSON is not documented. Here it is an error.
        raise _Unfit(1220, "String contains invalid or unsupported UTF8 codepoints.")
    if (conversion.empty_is_null and not text) or (conversion.blanks_are_null and text and not text.strip()):
        return None
    if conversion.trims:
        text = text.rstrip()
    content, width = text.encode(), column.sizes[0] if column.sizes else 256
    if column.base == "character" and len(content) > len(text):
        raise _Unfit(1215, "Multibyte character not supported for CHAR")
    if len(content) > width:
        # Trailing blanks beyond the width are cut off, and with TRUNCATECOLUMNS any text.
        if not conversion.truncates and content[width:].strip(b" "):
            raise _Unfit(1204, "String length exceeds DDL length")
        text = content[:width].decode("utf-8", "ignore")
    return text


def _to_integer(text: str, column: Column, conversion: Conversion) -> str | None:  # noqa: ARG001
    if not text.strip():
        return None  # Empty and blank fields are NULL in columns of other types than text.
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        bad = re.search(r"[^0-9]", text.lstrip("+-"))
        raise _Unfit(1207, f"Invalid digit, Value '{bad[0] if bad else ''}', Type: {column.base.capitalize()}")
    limit = 1 << _RANGES[column.base]
    if not -limit <= int(text) < limit:
        raise _Unfit(1222, f"Overflow, Type: {column.base.capitalize()}")
    return text


def _to_float(text: str, column: Column, conversion: Conversion) -> str | None:  # noqa: ARG001
    if not text.strip():
        return None
    if not _NUMBER.fullmatch(text) or float(text) in (float("inf"), float("-inf")):
        raise _Unfit(1208, "Invalid FLOAT format or value")
    return text


def _to_numeric(text: str, column: Column, conversion: Conversion) -> str | None:
    """DECIMAL(p, s): digits beyond the scale are cut off, or rounded with ROUNDEC."""
    if not text.strip():
        return None
    if not _NUMBER.fullmatch(text):
        raise _Unfit(1209, "Invalid DECIMAL format or value")
    precision, scale = column.sizes
    rounding = ROUND_HALF_UP if conversion.rounds else ROUND_DOWN
    number = Decimal(text)
    if number.adjusted() >= precision - scale and number:
        raise _Unfit(1209, "Numeric data overflow (result precision)")
    return str(number.quantize(Decimal(1).scaleb(-scale), rounding))


def _to_boolean(text: str, column: Column, conversion: Conversion) -> str | None:  # noqa: ARG001
    """Return a boolean for one of the words of "Boolean type"."""
    if not text.strip():
        return None
    if text.lower() not in _TRUE + _FALSE:
        raise _Unfit(1210, "Invalid BOOLEAN value")
    return "t" if text.lower() in _TRUE else "f"


def _to_timestamp(text: str, column: Column, conversion: Conversion) -> str | None:
    """TIMESTAMP: ``YYYY-MM-DD HH:MI:SS`` unless TIMEFORMAT says auto, epochsecs or epochmillisecs."""
    if not text.strip():
        return None
    form = conversion.date_format if column.base == "date" else conversion.time_format
    try:
        if form in ("epochsecs", "epochmillisecs"):
            seconds = Decimal(text) / (1000 if form == "epochmillisecs" else 1)
            moment = datetime.fromtimestamp(0, UTC).timestamp() + float(seconds)
            return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        if form != "auto" and not re.fullmatch(_MOMENTS[column.base], text):
            raise ValueError(text)
        datetime.fromisoformat(text)
    except (ValueError, ArithmeticError, OverflowError):
        if conversion.any_date:
            return None
        is_date = column.base == "date"
        raise _Unfit(1205 if is_date else 1206, f"Invalid {'date' if is_date else 'timestamp'} format") from None
    return text


_DAY = r"\d{4}-\d{2}-\d{2}"
_MOMENTS = {
    "date": _DAY,
    "timestamp without time zone": rf"{_DAY} \d{{2}}:\d{{2}}:\d{{2}}(\.\d{{1,6}})?",
    "timestamp with time zone": rf"{_DAY} \d{{2}}:\d{{2}}:\d{{2}}(\.\d{{1,6}})?([+-]\d{{2}}(:?\d{{2}})?)?",
}

_CONVERSIONS = {
    "character varying": _to_text, "character": _to_text, "smallint": _to_integer, "integer": _to_integer,
    "bigint": _to_integer, "real": _to_float, "double precision": _to_float, "numeric": _to_numeric,
    "boolean": _to_boolean, "date": _to_timestamp, "timestamp without time zone": _to_timestamp,
    "timestamp with time zone": _to_timestamp,
}  # fmt: skip

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def encoded(row: Row) -> bytes:
    """Return a row in the format of the real server's COPY."""
    return ("\t".join("\\N" if value is None else value.translate(_ESCAPES) for value in row) + "\n").encode()
