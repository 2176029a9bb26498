"""A spool: records split from many files, stored with their file and line so that DuckDB reads them in parallel."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

from sparkify.errors import BadFile, SourceChanged, SourceError, SourceUnreachable
from sparkify.sources.cache import FileCache, NumberedFile
from sparkify.sources.listing import Kind, SourceFile
from sparkify.sources.opening import READ_ERRORS, bad_file, translate_errors
from sparkify.sources.records import BYTE_ORDER_MARK, MAX_RECORD, RawRecord, split_records, split_small
from sparkify.sql.quoting import literal
from sparkify.staging.session import FallbackLines, Progress

_NEWLINE = b"\x1e"  # replaces a line ending within a record, since the spool holds one record per line

FLAT_RECORD = re.compile(rb"\{[ -z|~]*\}\n?")
"""The content of most song files: one ASCII record on one line, which needs no splitting."""


class Spool:
    """The records of many files on disk, with the malformed ones in a separate file."""

    def __init__(self, folder: Path, kind: Kind, fallback: Mapping[int, FallbackLines] | None = None) -> None:
        """Create an empty spool; of a file whose number is in `fallback`, only those lines are written to it."""
        self._fallback = fallback or {}
        self._records_path = folder / f"{kind}.records"
        self._malformed_path = folder / f"{kind}.malformed"
        self._position = 0
        self._stopped = False
        self._longest_malformed = 0
        self.malformed_count = 0

    @property
    def records(self) -> str:
        """The SQL of the valid-looking records: file_id, line, position (in order of reading), record (its text)."""
        columns = "{'file_id': 'integer', 'line': 'bigint', 'position': 'bigint', 'record': 'varchar'}"
        return (
            "(select * replace (replace(record, chr(30), chr(10)) as record)"
            f" from read_csv({literal(str(self._records_path))}, columns = {columns}, auto_detect = false,"
            " hive_partitioning = false, header = false, delim = '\x1f', quote = '', escape = '', new_line = '\\n',"
            f" max_line_size = {MAX_RECORD + 100}, buffer_size = {2 * MAX_RECORD}))"
        )

    @property
    def malformed(self) -> str:
        """The SQL of the malformed records: file_id, line, problem, record (its bytes as text)."""
        columns = "{'file_id': 'integer', 'line': 'bigint', 'problem': 'varchar', 'record': 'varchar'}"
        return (
            f"read_json({literal(str(self._malformed_path))}, columns = {columns}, format = 'newline_delimited',"
            f" hive_partitioning = false, maximum_object_size = {max(self._longest_malformed, 1 << 20)})"
        )

    def stop(self) -> None:
        """Make `write`, which runs in another thread, raise CancelledError soon."""
        self._stopped = True

    def write(
        self,
        files: Sequence[NumberedFile],
        cache: FileCache,
        progress: Progress,
        skipped: dict[str, str],
        *,
        skip_bad_files: bool,
    ) -> None:
        """Split the files into records and write them; add a skipped file to `skipped`, or raise SourceError."""
        with (
            self._records_path.open("wb") as records,
            self._malformed_path.open("wb") as malformed,
            closing(cache.prefetch(files)) as available,
        ):
            for number, file in available:
                if self._stopped:
                    raise CancelledError
                position = self._position
                try:
                    self._write_file(number, file, cache, records, malformed)
                except SourceUnreachable:
                    raise
                except SourceError as error:
                    if not (skip_bad_files or isinstance(error, SourceChanged)):
                        raise
                    skipped[file.path] = error.of_skipped if isinstance(error, BadFile) else str(error)
                progress(file.size, self._position - position)

    def _write_file(
        self,
        number: int,
        file: SourceFile,
        cache: FileCache,
        records: io.BufferedWriter,
        malformed: io.BufferedWriter,
    ) -> None:
        """Write the records of a file, or nothing if it cannot be read to its end."""
        lines = self._fallback.get(number)
        content = None if lines else _read_if_small(file, cache)
        if content is None:
            starts, position, count = (records.tell(), malformed.tell()), self._position, self.malformed_count
            try:
                split = records_on_lines(file, cache, lines) if lines else _split(file, cache)
                self._write_records(number, split, records, malformed)
            except SourceError:
                for stream, start in zip((records, malformed), starts, strict=True):
                    stream.seek(start)
                    stream.truncate()
                self._position, self.malformed_count = position, count
                raise
        elif FLAT_RECORD.fullmatch(content):
            self._write_record(number, 1, content.rstrip(), records)
        else:
            self._write_records(number, split_small(content), records, malformed)

    def _write_records(
        self, number: int, split: Iterable[RawRecord], records: io.BufferedWriter, malformed: io.BufferedWriter
    ) -> None:
        for record in split:
            if self._stopped:
                raise CancelledError
            if record.problem:
                row = {"file_id": number, "line": record.line, "problem": record.problem}
                line = json.dumps({**row, "record": _as_text(record.text)}).encode() + b"\n"
                self.malformed_count += 1
                self._longest_malformed = max(self._longest_malformed, len(line))
                malformed.write(line)
            else:
                text = record.text
                if b"\n" in text or b"\r" in text:
                    text = text.replace(b"\r\n", _NEWLINE).replace(b"\n", _NEWLINE).replace(b"\r", _NEWLINE)
                self._write_record(number, record.line, text, records)

    def _write_record(self, number: int, line: int, text: bytes, records: io.BufferedWriter) -> None:
        self._position += 1
        records.write(b"%d\x1f%d\x1f%d\x1f%b\n" % (number, line, self._position, text))


def records_on_lines(file: SourceFile, cache: FileCache, lines: FallbackLines) -> Iterator[RawRecord]:
    """Yield the records on some lines of a file, and on blank lines after them. All other lines hold a record each.

    Each block of adjacent lines is split on its own, with the same result as in the whole file. The line after a
    block begins with a bracket, so no record of the block continues there.
    """
    lines = [line for line in lines if line.strip()]
    wanted = {line + end for line in lines for end in (b"\n", b"\r\n", b"", b"\r")}
    found = 0
    block: list[bytes] = []
    before = 0  # number of lines before the block

    def split_block() -> Iterator[RawRecord]:
        for record in split_records(io.BytesIO(b"".join(block))):
            yield record._replace(line=before + record.line)
        block.clear()

    with translate_errors(file.path), cache.open(file) as stream:
        for number, raw in enumerate(stream, start=1):
            if (raw if number > 1 else raw.removeprefix(BYTE_ORDER_MARK)) in wanted:
                found += 1
                before = before if block else number - 1
                block.append(raw)
            elif block and not raw.strip():
                block.append(raw)
            elif block:
                yield from split_block()
        yield from split_block()
    if found != len(lines):
        raise SourceChanged(f"{file.path}: the file changed while it was read. Run again when it is complete.")


def _read_if_small(file: SourceFile, cache: FileCache) -> bytes | None:
    try:  # `translate_errors` would take a tenth of the time that a small file takes.
        return cache.read_if_small(file)
    except READ_ERRORS as error:
        raise bad_file(file.path, error) from error


def _split(file: SourceFile, cache: FileCache) -> Iterator[RawRecord]:
    with translate_errors(file.path), cache.open(file) as stream:
        yield from split_records(stream)


def _as_text(raw: bytes) -> str:
    """Return bytes as text that every database can store: invalid UTF-8 and NUL are escaped."""
    return raw.decode(errors="backslashreplace").replace("\x00", "\\x00")
