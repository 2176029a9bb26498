"""UNLOAD to S3 as Parquet: its statement, its files and their content.

Sources: the pages "UNLOAD", "UNLOAD examples" and "Authorization parameters"; of an empty result, what users reported.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from tests.support.redshift import storage
from tests.support.redshift.ddl import qualified
from tests.support.redshift.protocol import Backend, Described, Refusal, Row
from tests.support.redshift.tokens import Reader, Token, syntax_error

if TYPE_CHECKING:
    from tests.support.redshift.rules import Statement

SLICES = 2  # the number that stv_slices shows
_FLAGS = ("allowoverwrite", "cleanpath")
_NOT_WITH_PARQUET = (
    "addquotes", "bzip2", "delimiter", "escape", "fixedwidth", "gzip", "header", "null", "zstd",
)  # fmt: skip
"""Options that UNLOAD to Parquet does not allow ("UNLOAD": FORMAT)."""
_NOT_HERE = ("encrypted", "extension", "kms_key_id", "manifest", "master_symmetric_key", "partition")
"""Options of Redshift that the stand-in does not have."""
_MEGABYTES = {"mb": Decimal(1), "gb": Decimal(1024)}

_TYPES = {
    16: "boolean", 20: "bigint", 21: "smallint", 23: "integer", 25: "varchar", 700: "real", 701: "double",
    1042: "varchar", 1043: "varchar", 1082: "date", 1114: "timestamp",
}  # fmt: skip
"""Type of the real server, by its number in pg_type → type of DuckDB, which writes the files.

Which of Parquet's types Redshift writes is not documented. Its TIMESTAMP may well be an INT96, which DuckDB reads as
the same TIMESTAMP, and cannot write.
"""
_NUMERIC = 1700


@dataclass(frozen=True)
class Unload:
    """An UNLOAD command."""

    query: str
    url: str
    options: dict[str, str] = field(repr=False)  # may hold keys

    @property
    def is_parallel(self) -> bool:
        """Return whether every slice writes its own files, as by default ("UNLOAD": PARALLEL)."""
        return self.options.get("parallel", "on") in ("on", "true")


def parsed(tokens: Sequence[Token]) -> Unload:
    """Read an UNLOAD statement; raise Refusal for anything that the documentation does not list.

    The query is a literal: a quote in it is doubled, or has a backslash before it ("UNLOAD", "Unloading data to
    Amazon S3").
    """
    reader = Reader(tokens)
    reader.expect("unload", "(")
    query = reader.take("string").value
    reader.expect(")", "to")
    url = reader.take("string").value
    if not re.fullmatch(r"s3://[^/]+/.*", url):
        raise Refusal(f"UNLOAD writes to S3 only, not to {url!r}", "0A000")
    unload = Unload(query, url, {})
    while reader.next is not None:
        unload = _with_option(unload, reader)
    return _checked(unload)


def _with_option(unload: Unload, reader: Reader) -> Unload:
    """Read one option."""
    is_format = reader.skips("format")
    if is_format:
        reader.skips("as")
    token = reader.take("word")
    name, value = token.word, ""
    if name in _NOT_HERE:
        raise Refusal(f"the stand-in does not unload with {name.upper()}", "0A000")
    if name in _NOT_WITH_PARQUET:
        raise Refusal(f"{name.upper()} is not supported for UNLOAD to PARQUET", "0A000")
    if name in ("parquet", "csv", "json"):
        name, value = "format", name
    elif is_format:
        raise syntax_error(token)
    elif name in _ARGUMENTS:
        reader.skips("as")
        value = _ARGUMENTS[name](reader)
    elif name not in _FLAGS:
        raise syntax_error(token)
    if name in unload.options:
        raise Refusal(f'conflicting or redundant options: "{name}"', "42601")
    return replace(unload, options={**unload.options, name: value})


def _megabytes(reader: Reader) -> Decimal:
    """Read a size, in MB if no unit is given."""
    number = Decimal(reader.take("number").text)
    return number * next((factor for unit, factor in _MEGABYTES.items() if reader.skips(unit)), Decimal(1))


def _file_size(reader: Reader) -> str:
    """MAXFILESIZE: a decimal from 5 MB to 6.2 GB. No test unloads that much: it is checked, then forgotten."""
    size = _megabytes(reader)
    if not 5 <= size <= Decimal("6.2") * 1024:
        raise Refusal(f"MAXFILESIZE must be between 5 MB and 6.2 GB: {size} MB", "22023")
    return str(size)


def _group_size(reader: Reader) -> str:
    """ROWGROUPSIZE: a whole number from 32 MB to 128 MB. Checked, then forgotten."""
    size = _megabytes(reader)
    if not 32 <= size <= 128 or size % 1:
        raise Refusal(f"ROWGROUPSIZE must be a whole number between 32 MB and 128 MB: {size} MB", "22023")
    return str(size)


_ARGUMENTS: dict[str, Callable[[Reader], str]] = {
    **storage.ARGUMENTS, "maxfilesize": _file_size, "parallel": Reader.switch, "rowgroupsize": _group_size,
}  # fmt: skip


def _checked(unload: Unload) -> Unload:
    """Refuse options that do not go together."""
    given = unload.options
    storage.authorized("UNLOAD", given)
    if "cleanpath" in given and "allowoverwrite" in given:
        raise Refusal("conflicting or redundant options: cleanpath, allowoverwrite", "42601")
    if given.get("format") != "parquet":
        raise Refusal("the stand-in unloads to Parquet only", "0A000")
    return unload


def selected(query: Statement) -> str:
    """Return the query for the real server; raise Refusal if it is not a SELECT, or has a LIMIT.

    Only a nested SELECT may have a LIMIT ("UNLOAD", usage notes).
    """
    if query.kind not in ("select", "with"):
        raise syntax_error(query.tokens[0] if query.tokens else None)
    depth = 0
    for token in query.tokens:
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if token.word == "limit" and not depth:
            raise Refusal("LIMIT is not supported in the outermost SELECT of UNLOAD", "0A000")
    return query.rewritten


def run(unload: Unload, query: str, backend: Backend, s3: Any) -> int:
    """Run an UNLOAD in the session's transaction; return the number of rows. Raise Refusal if it fails.

    What lies where it writes makes it fail, unless ALLOWOVERWRITE or CLEANPATH says otherwise ("UNLOAD"). Files that
    would be overwritten, says the page; that any file under the prefix counts is what its message says to users.
    Files are no part of the transaction: a rollback leaves them, as would a failure between two of them.
    """
    there = storage.listed(s3, unload.url)
    if there and not unload.options.keys() & {"allowoverwrite", "cleanpath"}:
        raise Refusal(f"Specified unload destination on S3 is not empty: {unload.url}", "XX000")
    kinds, rows = _result(query, backend)
    if "cleanpath" in unload.options:
        for url in there:
            storage.remove(s3, url)
    for name, part in _files(unload, rows):
        storage.store(s3, f"{unload.url}{name}", _parquet(kinds, part))
    return len(rows)


def _files(unload: Unload, rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[Row]]]:
    """Yield the files by the end of their names, each with its rows in the order of the query.

    ``0000_part_00.parquet``, the slice and the part, or ``000.parquet`` with PARALLEL OFF ("UNLOAD", "UNLOAD
    examples"). The pages have every slice write a file at least. Users found none where nothing was selected, in text
    (spark-redshift-community/spark-redshift, issue 40) and in Parquet (aws/aws-sdk-pandas, issue 2052;
    capitalone/locopy, issue 198): so a slice without rows writes none here.
    """
    if unload.is_parallel:
        parts = {f"{number:04}_part_00.parquet": rows[number::SLICES] for number in range(SLICES)}
    else:
        parts = {"000.parquet": rows}
    return ((name, part) for name, part in parts.items() if part)


def _result(query: str, backend: Backend) -> tuple[dict[str, str], list[Row]]:
    """Run the query; return the types of its columns for DuckDB, by name, and its rows.

    Doubles have all their digits, whatever the setting of the session, since Parquet stores them exactly.
    """
    [[digits]] = backend.run("select current_setting('extra_float_digits')")
    backend.run("select set_config('extra_float_digits', '3', false)")
    try:
        rows = backend.run(query)
        return _kinds(backend.columns), rows
    finally:
        if backend.status != b"E":  # Otherwise the rollback restores the setting.
            backend.run(f"select set_config('extra_float_digits', '{digits}', false)")


def _kinds(columns: Sequence[Described]) -> dict[str, str]:
    """Return the types of columns for DuckDB, by name; raise Refusal for types that the stand-in does not write.

    Duplicate names are refused, as documented for JSON ("UNLOAD": FORMAT).
    """
    twice = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
    if twice:
        raise Refusal(f'column "{twice[0]}" specified more than once', "42701")
    return {column.name: _kind(column) for column in columns}


def _kind(column: Described) -> str:
    if column.type == _NUMERIC and column.modifier >= 0:
        precision, scale = divmod(column.modifier - 4, 1 << 16)  # PostgreSQL's encoding of NUMERIC(precision, scale)
        return f"decimal({precision}, {scale})"
    if column.type not in _TYPES:
        raise Refusal(f'the stand-in does not unload the type of column "{column.name}"', "0A000")
    return _TYPES[column.type]


def _parquet(kinds: dict[str, str], rows: Sequence[Row]) -> bytes:
    """Write rows to a Parquet file, compressed with SNAPPY ("UNLOAD": FORMAT)."""
    keys = [f"c{number}" for number in range(len(kinds))]
    values = ", ".join(
        f"cast({key} as {kind}) as {qualified([name])}" for key, (name, kind) in zip(keys, kinds.items(), strict=True)
    )
    with tempfile.TemporaryDirectory(prefix="sparkify-unload-") as folder, duckdb.connect() as writer:
        lines, file = Path(folder, "rows.json"), Path(folder, "rows.parquet")
        lines.write_text("\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows))
        texts = dict.fromkeys(keys, "varchar")
        writer.execute(
            f"copy (select {values} from read_json('{lines}', format = 'newline_delimited', columns = {texts}))"
            f" to '{file}' (format parquet, compression snappy)"
        )
        return file.read_bytes()
