"""Records cut from files and written down with their file and line, in a form that DuckDB reads in parallel."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

from sparkify.errors import BadFile, SourceChanged, SourceError
from sparkify.sources.cache import Contents, Numbered
from sparkify.sources.listing import Kind, SourceFile
from sparkify.sources.opening import UNREADABLE, reading, unreadable
from sparkify.sources.records import BYTE_ORDER_MARK, MAX_RECORD, Piece, cut, cut_small
from sparkify.sql.quoting import literal
from sparkify.staging.session import Left, Progress

_NEW_LINE = b"\x1e"  # of a record in the spool, where a record is a line

ONE_FLAT_RECORD = re.compile(rb"\{[ -z|~]*\}\n?")
"""What most song files are: there is nothing to cut, and nothing but ASCII."""


class Spool:
    """Records cut from many files, with the file and line of each, in a form that DuckDB reads in parallel."""

    def __init__(self, folder: Path, kind: Kind, left: Mapping[int, Left] | None = None) -> None:
        """Make an empty spool; of files in `left`, by their numbers, only those lines will go into it."""
        self._left = left or {}
        self._path = folder / f"{kind}.records"
        self._flaws_path = folder / f"{kind}.flaws"
        self._position = 0
        self._stopped = False
        self._longest_flaw = 0
        self.flawed = 0

    @property
    def records(self) -> str:
        """The SQL of what looks like records: file_id, line, position (in the order read), record (its text)."""
        columns = "{'file_id': 'integer', 'line': 'bigint', 'position': 'bigint', 'record': 'varchar'}"
        return (
            "(select * replace (replace(record, chr(30), chr(10)) as record)"
            f" from read_csv({literal(str(self._path))}, columns = {columns}, auto_detect = false, header = false,"
            f" delim = '\x1f', quote = '', escape = '', new_line = '\\n', max_line_size = {MAX_RECORD + 100},"
            f" buffer_size = {2 * MAX_RECORD}))"
        )

    @property
    def flaws(self) -> str:
        """The SQL of what cannot be records: file_id, line, reason, record (its text, as far as it is text)."""
        columns = "{'file_id': 'integer', 'line': 'bigint', 'reason': 'varchar', 'record': 'varchar'}"
        return (
            f"read_json({literal(str(self._flaws_path))}, columns = {columns}, format = 'newline_delimited',"
            f" maximum_object_size = {max(self._longest_flaw, 1 << 20)})"
        )

    def stop(self) -> None:
        """Make `write`, which is under way in another thread, raise CancelledError soon."""
        self._stopped = True

    def write(
        self,
        files: Sequence[Numbered],
        contents: Contents,
        progress: Progress,
        skipped: dict[str, str],
        *,
        skip_bad_files: bool,
    ) -> None:
        """Cut the files into records and write those; note a file that is left out in `skipped`, or raise."""
        with (
            self._path.open("wb") as records,
            self._flaws_path.open("wb") as flaws,
            closing(contents.ahead(files)) as ahead,
        ):
            for number, file in ahead:
                if self._stopped:
                    raise CancelledError
                position = self._position
                try:
                    self._write_file(number, file, contents, records, flaws)
                except SourceError as error:
                    if not (skip_bad_files or isinstance(error, SourceChanged)):
                        raise
                    skipped[file.path] = error.of_skipped if isinstance(error, BadFile) else str(error)
                progress(file.size, self._position - position)

    def _write_file(
        self,
        number: int,
        file: SourceFile,
        contents: Contents,
        records: io.BufferedWriter,
        flaws: io.BufferedWriter,
    ) -> None:
        """Write the records of a file, or nothing if it cannot be read as a whole."""
        left = self._left.get(number)
        content = None if left else _small(file, contents)
        if content is None:
            starts, position, flawed = (records.tell(), flaws.tell()), self._position, self.flawed
            try:
                found = pieces_left(file, contents, left) if left else _pieces(file, contents)
                self._write_pieces(number, found, records, flaws)
            except SourceError:
                for stream, start in zip((records, flaws), starts, strict=True):
                    stream.seek(start)
                    stream.truncate()
                self._position, self.flawed = position, flawed
                raise
        elif ONE_FLAT_RECORD.fullmatch(content):
            self._write_record(number, 1, content.rstrip(), records)
        else:
            self._write_pieces(number, cut_small(content), records, flaws)

    def _write_pieces(
        self, number: int, pieces: Iterable[Piece], records: io.BufferedWriter, flaws: io.BufferedWriter
    ) -> None:
        for piece in pieces:
            if self._stopped:
                raise CancelledError
            if piece.flaw:
                self.flawed += 1
                row = json.dumps(
                    {"file_id": number, "line": piece.line, "reason": piece.flaw, "record": _shown(piece.text)}
                )
                self._longest_flaw = max(self._longest_flaw, len(row) + 1)
                flaws.write(row.encode() + b"\n")
            else:
                text = piece.text
                if b"\n" in text or b"\r" in text:
                    text = text.replace(b"\r\n", _NEW_LINE).replace(b"\n", _NEW_LINE).replace(b"\r", _NEW_LINE)
                self._write_record(number, piece.line, text, records)

    def _write_record(self, number: int, line: int, text: bytes, records: io.BufferedWriter) -> None:
        self._position += 1
        records.write(b"%d\x1f%d\x1f%d\x1f%b\n" % (number, line, self._position, text))


def _small(file: SourceFile, contents: Contents) -> bytes | None:
    try:  # not `reading`, which would cost a tenth of the time that a tiny file takes
        return contents.small(file)
    except UNREADABLE as error:
        raise unreadable(file.path, error) from error


def _pieces(file: SourceFile, contents: Contents) -> Iterator[Piece]:
    with reading(file.path), contents.open(file) as stream:
        yield from cut(stream)


def pieces_left(file: SourceFile, contents: Contents, left: Left) -> Iterator[Piece]:
    """Yield the pieces of some lines of a file, and of what is blank behind them; all others hold a record each.

    Each run of such lines is cut by itself, as it would be in the whole file: a line that holds a record begins with
    a bracket, so nothing that was begun before it goes on behind it.
    """
    sought = {line + end for line in left for end in (b"\n", b"\r\n", b"", b"\r")}
    met = 0
    run: list[bytes] = []
    before = 0  # the number of lines before the run

    def cut_run() -> Iterator[Piece]:
        behind_a_line = bool(before)  # or a byte order mark would be taken for that of the file
        for piece in cut(io.BytesIO(b"\n" * behind_a_line + b"".join(run))):
            yield piece._replace(line=before + piece.line - behind_a_line)
        run.clear()

    with reading(file.path), contents.open(file) as stream:
        for number, raw in enumerate(stream, start=1):
            if (raw if number > 1 else raw.removeprefix(BYTE_ORDER_MARK)) in sought:
                met += 1
                before = before if run else number - 1
                run.append(raw)
            elif run and not raw.strip():
                run.append(raw)
            elif run:
                yield from cut_run()
        yield from cut_run()
    if met != len(left):
        raise SourceChanged(f"{file.path}: changed while it was read. Run again when it is complete.")


def _shown(raw: bytes) -> str:
    """Return bytes as text that any database can keep: what is not text stands as an escape."""
    return raw.decode(errors="backslashreplace").replace("\x00", "\\x00")
