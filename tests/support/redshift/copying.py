"""COPY from S3 of JSON: its statement, its manifest, its files, and how many errors it bears.

Sources: the pages "COPY" and, below it, "Data sources", "Authorization parameters", "Column mapping options", "Data
format parameters", "File compression parameters", "Data conversion parameters", "Data load operations"; and "Using a
manifest to specify data files". Rows are made in records.py.
"""

from __future__ import annotations

import bz2
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.support.redshift import storage
from tests.support.redshift.ddl import qualified
from tests.support.redshift.protocol import Backend, Refusal
from tests.support.redshift.records import Column, Conversion, LoadError, Source, encoded, rows_of
from tests.support.redshift.tokens import Reader, Token, syntax_error

_FLAGS = (
    "manifest", "gzip", "bzip2", "acceptanydate", "blanksasnull", "emptyasnull", "ignoreallerrors", "noload", "roundec",
    "trimblanks", "truncatecolumns",
)  # fmt: skip
_NOT_WITH_JSON = (
    "csv", "delimiter", "escape", "fillrecord", "fixedwidth", "ignoreblanklines", "null", "readratio", "removequotes",
)  # fmt: skip
"""Options that COPY of JSON does not allow ("Data format parameters": JSON)."""
_NOT_HERE = ("avro", "encrypted", "explicit_ids", "lzop", "orc", "parquet", "shapefile", "ssh", "zstd")
"""Formats of Redshift that the stand-in does not load."""
_MOST_ERRORS = 100_000
_TOGETHER = 16  # objects that are fetched at the same time


@dataclass(frozen=True)
class Copy:
    """A COPY command."""

    table: Sequence[str]
    columns: Sequence[str]
    url: str
    options: dict[str, str] = field(repr=False)  # may hold keys

    @property
    def errors_borne(self) -> float:
        """Return how many errors make the load fail.

        "Data load operations": MAXERROR 0 and 1 both fail at the first error; 0 is the default.
        """
        if "ignoreallerrors" in self.options:
            return float("inf")
        return max(1, int(self.options.get("maxerror", "0")))


@dataclass(frozen=True)
class Loaded:
    """The result of a COPY."""

    rows: int
    errors: Sequence[LoadError]
    files: int
    size: int  # bytes in S3
    table: str
    table_id: int


class LoadFailed(Refusal):
    """The load had too many errors, which are in SYS_LOAD_ERROR_DETAIL."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(
            f"Load into table '{loaded.table}' failed.  Check 'sys_load_error_detail' system table for details.",
            "XX000",
        )
        self.loaded = loaded


def parsed(tokens: Sequence[Token]) -> Copy:
    """Read a COPY statement; raise Refusal for anything that the documentation does not list."""
    reader = Reader(tokens)
    reader.expect("copy")
    table = reader.table()
    columns = reader.names() if reader.sees("(") else []
    reader.expect("from")
    url = reader.take("string").value
    if not url.startswith("s3://"):
        raise Refusal(f"the stand-in loads from S3 only, not from {url!r}", "0A000")
    copy = Copy(table, columns, url, {})
    while reader.next is not None:
        copy = _with_option(copy, reader)
    return _checked(copy)


def _with_option(copy: Copy, reader: Reader) -> Copy:
    """Read one option."""
    reader.skips("format")
    reader.skips("with")
    reader.skips("as")
    token = reader.take("word")
    name = token.word
    if name in _NOT_HERE:
        raise Refusal(f"the stand-in does not load with {name.upper()}", "0A000")
    if name in _NOT_WITH_JSON:
        raise Refusal(f"{name.upper()} is not supported with JSON", "0A000")
    if name in copy.options:
        raise Refusal(f'conflicting or redundant options: "{name}"', "42601")
    if name in _FLAGS:
        value = ""
    elif name in _ARGUMENTS:
        reader.skips("as")
        value = _ARGUMENTS[name](reader)
    else:
        raise syntax_error(token)
    return replace(copy, options={**copy.options, name: value})


def _number(reader: Reader) -> str:
    """Return a whole number."""
    token = reader.take("number")
    if not token.text.isdigit():
        raise syntax_error(token)
    return token.text


def _replacement(reader: Reader) -> str:
    """Read ACCEPTINVCHARS ['c']: one ASCII character except NUL, by default a question mark."""
    if reader.next is None or reader.next.kind != "string":
        return "?"
    character = storage.text(reader)
    if len(character) != 1 or not "\0" < character < "\x80":
        raise Refusal("ACCEPTINVCHARS takes one ASCII character", "22023")
    return character


def _compression(reader: Reader) -> str:
    """COMPUPDATE: also PRESET."""
    return "preset" if reader.skips("preset") else reader.switch()


def _layout(reader: Reader) -> str:
    """JSON ['auto' | 'auto ignorecase' | 'noshred' | 's3://jsonpaths']: 'auto' is the default."""
    return storage.text(reader) if reader.next is not None and reader.next.kind == "string" else "auto"


_ARGUMENTS: dict[str, Callable[[Reader], str]] = {
    **storage.ARGUMENTS, "json": _layout, "maxerror": _number, "ignoreheader": _number, "comprows": _number,
    "acceptinvchars": _replacement, "dateformat": storage.text, "timeformat": storage.text,
    "compupdate": _compression, "statupdate": Reader.switch,
    "encoding": lambda reader: reader.take("word", "string").value,
}  # fmt: skip


def _checked(copy: Copy) -> Copy:
    """Refuse options that do not go together."""
    given = copy.options
    storage.authorized("COPY", given)
    layout = given.get("json", "")
    if layout in ("", "noshred"):
        raise Refusal("the stand-in loads JSON only, and has no SUPER column to load a whole object into", "0A000")
    if layout not in ("auto", "auto ignorecase") and not layout.startswith("s3://"):
        raise Refusal(f"Invalid JSON option: {layout!r}", "22023")
    if int(given.get("maxerror", "0")) > _MOST_ERRORS:
        raise Refusal(f"MAXERROR must be between 0 and {_MOST_ERRORS}", "22023")
    if "maxerror" in given and "ignoreallerrors" in given:
        raise Refusal("IGNOREALLERRORS cannot be used with MAXERROR", "42601")
    if given.get("encoding", "utf8").lower() != "utf8":
        raise Refusal("the stand-in reads UTF-8 only", "0A000")
    if "gzip" in given and "bzip2" in given:
        raise Refusal("conflicting or redundant options: gzip, bzip2", "42601")
    return copy


def load(copy: Copy, backend: Backend, s3: Any) -> Loaded:
    """Run a COPY in the session's transaction; raise Refusal or LoadFailed if it fails."""
    table, columns = _table(copy, backend)
    conversion = Conversion.of(copy.options)
    paths = _jsonpaths(copy, s3, len(columns))
    chunks: list[bytes] = []
    rows, size, files = 0, 0, 0
    errors: list[LoadError] = []
    for source, stored in _sources(copy, s3):
        files, size = files + 1, size + stored
        for row in rows_of(source, columns, copy.options["json"], paths, conversion):
            if isinstance(row, LoadError):
                errors.append(row)
                if len(errors) >= copy.errors_borne:
                    raise LoadFailed(Loaded(0, errors, files, size, copy.table[-1], table))
            else:
                rows += 1
                chunks.append(encoded(row))
    if rows and "noload" not in copy.options:
        listed = ", ".join(qualified([column.name]) for column in columns)
        backend.fill(f"copy {qualified(copy.table)} ({listed}) from stdin", _gathered(chunks))
    return Loaded(rows, errors, files, size, copy.table[-1], table)


def _gathered(chunks: Sequence[bytes]) -> Iterator[bytes]:
    for start in range(0, len(chunks), 1000):
        yield b"".join(chunks[start : start + 1000])


def _table(copy: Copy, backend: Backend) -> tuple[int, list[Column]]:
    """Return the table's number, and the columns that are loaded, in the order of the list if one is given."""
    name = qualified(copy.table).replace("'", "''")
    found = backend.run(
        "select attrelid, attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute"
        f" where attrelid = to_regclass('{name}') and attnum > 0 and not attisdropped order by attnum"
    )
    if not found:
        raise Refusal(f"Cannot COPY into nonexistent table {copy.table[-1]}", "XX000")
    columns = {str(column): Column(str(column), str(kind), required == "t") for _, column, kind, required in found}
    for column in copy.columns:
        if column not in columns:
            raise Refusal(f'column "{column}" of relation "{copy.table[-1]}" does not exist', "42703")
    if len(set(copy.columns)) < len(copy.columns):
        raise Refusal("a column is specified more than once", "42701")
    # A column that the list leaves out gets its default; one that is listed and not in the data gets NULL.
    return int(found[0][0] or 0), [columns[column] for column in copy.columns or columns]


def _sources(copy: Copy, s3: Any) -> Iterator[tuple[Source, int]]:
    """Yield the decompressed files, in the order of the manifest or of their keys, each with its size in S3.

    COPY fails if it finds no file at all, mandatory or not ("Using a manifest to specify data files").
    """
    is_manifest = "manifest" in copy.options
    entries = _manifest(copy, s3) if is_manifest else [(url, False) for url in storage.listed(s3, copy.url)]
    fetch = partial(storage.fetched, s3)
    found = False
    with ThreadPoolExecutor(_TOGETHER) as pool:
        for (url, is_mandatory), stored in zip(entries, pool.map(fetch, [url for url, _ in entries]), strict=True):
            if stored is None and is_mandatory:
                raise Refusal(f"S3ServiceException: the specified key does not exist: {url} (mandatory)", "XX000")
            if stored is not None:
                found = True
                header = int(copy.options.get("ignoreheader", "0"))
                yield Source(url, _decompressed(stored, url, copy.options), header), len(stored)
    if not found:
        raise Refusal(f"The specified S3 prefix or manifest '{copy.url}' gives no file", "XX000")


def _manifest(copy: Copy, s3: Any) -> list[tuple[str, bool]]:
    """Read the manifest: entries with a URL, which is a full path, and mandatory, which is false by default.

    A file that is listed twice is loaded twice; other keys are ignored ("COPY from Amazon S3", "Using a manifest to
    specify data files": the key meta is for columnar formats).
    """
    stored = storage.fetched(s3, copy.url)
    if stored is None:
        raise Refusal(f"S3ServiceException: the manifest does not exist: {copy.url}", "XX000")
    try:
        said = json.loads(stored)
        entries = [(entry["url"], entry.get("mandatory", False)) for entry in said["entries"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"the manifest is not properly formed: {copy.url}: {error}", "XX000") from None
    for url, is_mandatory in entries:
        if (
            not isinstance(url, str)
            or not re.fullmatch(r"s3://[^/]+/.*[^/]", url)
            or not isinstance(is_mandatory, bool)
        ):
            # Load error 8001 ("Load error reference").
            raise Refusal(f"COPY with MANIFEST parameter requires full path of an S3 object: {url}", "XX000")
    return entries


def _decompressed(stored: bytes, url: str, options: dict[str, str]) -> bytes:
    """Decompress as the option says, whatever the name ("File compression parameters").

    The documentation does not mention damaged archives; here they fail the load, whatever MAXERROR is.
    """
    try:
        if "gzip" in options:
            return gzip.decompress(stored)
        return bz2.decompress(stored) if "bzip2" in options else stored
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise Refusal(f"the file cannot be decompressed: {url}: {error}", "XX000") from None


def _jsonpaths(copy: Copy, s3: Any, columns: int) -> list[list[str | int]]:
    """Read the JSONPaths file: one object, whose key jsonpaths has an array of expressions, one for each column.

    A file with another key is ignored, and 'auto' applies ("COPY from JSON format"); no paths are returned.
    """
    if not copy.options["json"].startswith("s3://"):
        return []
    url = copy.options["json"]
    stored = storage.fetched(s3, url)
    if stored is None:
        raise Refusal(f"S3ServiceException: the JSONPaths file does not exist: {url}", "XX000")
    try:
        said = json.loads(stored)
    except ValueError as error:
        raise Refusal(f"Invalid JSONPath format: {url}: {error}", "XX000") from None
    if not isinstance(said, dict) or "jsonpaths" not in said:
        return []
    expressions = said["jsonpaths"]
    if not isinstance(expressions, list) or not all(isinstance(path, str) and path for path in expressions):
        raise Refusal(f"Invalid JSONPath format: {url}: an element is not a string, or is empty", "XX000")
    if len(expressions) != columns:
        raise Refusal("Number of jsonpaths and the number of columns should match", "XX000")
    if len({"['" in path for path in expressions}) > 1:
        raise Refusal(f"Invalid JSONPath format: {url}: bracket and dot notation are mixed", "XX000")
    return [_steps(path) for path in expressions]


def _steps(path: str) -> list[str | int]:
    """Split ``$.store.book[0]`` or ``$['store']['book'][0]`` into its steps; no wildcards, no filters."""
    if not re.fullmatch(r"\$((\['[^']+'\]|\[\d+\])+|(\.[^.'\[\]*?()]+(\[\d+\])*)+)", path):
        raise Refusal(f"Invalid JSONPath format: {path}", "XX000")
    found = re.findall(r"\['([^']+)'\]|\[(\d+)\]|\.([^.\[]+)", path)
    return [int(index) if index else quoted or name for quoted, index, name in found]
