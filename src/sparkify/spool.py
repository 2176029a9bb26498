"""Records cut from files, written down with the file and line of each: the exact way into staging."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sparkify.contents import Contents, Numbered
from sparkify.contract import literal
from sparkify.errors import SourceChanged, SourceError
from sparkify.sources import MAX_RECORD, UNREADABLE, Kind, Piece, SourceFile, cut, cut_small, reading, unreadable

_NEW_LINE = b"\x1e"  # of a record in the spool, where a record is a line

Progress = Callable[[int, int], None]
"""Told how many more bytes, and how many more records, have been read."""


class Spool:
    """Records cut from many files, with the file and line of each, in a form that DuckDB reads in parallel."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._path = folder / f"{kind}.records"
        self._flaws_path = folder / f"{kind}.flaws"
        self._position = 0
        self._longest_flaw = 0
        self.flawed = 0

    @property
    def records(self) -> str:
        """The SQL of what looks like records: file_id, line, position (in the order read), record (its text)."""
        columns = "{'file_id': 'integer', 'line': 'bigint', 'position': 'bigint', 'record': 'varchar'}"
        return (
            "(select * replace (replace(record, chr(30), chr(10)) as record)"
            f" from read_csv({literal(str(self._path))}, columns = {columns}, auto_detect = false, header = false,"
            f" delim = '\x1f', quote = '', escape = '', new_line = '\\n', max_line_size = {MAX_RECORD + 100}))"
        )

    @property
    def flaws(self) -> str:
        """The SQL of what cannot be records: file_id, line, reason, record (its text, as far as it is text)."""
        columns = "{'file_id': 'integer', 'line': 'bigint', 'reason': 'varchar', 'record': 'varchar'}"
        return (
            f"read_json({literal(str(self._flaws_path))}, columns = {columns}, format = 'newline_delimited',"
            f" maximum_object_size = {max(self._longest_flaw, 1 << 20)})"
        )

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
                starts, position = (records.tell(), flaws.tell()), self._position
                try:
                    self._write_file(number, pieces(file, contents), records, flaws)
                except SourceError as error:
                    if not (skip_bad_files or isinstance(error, SourceChanged)):
                        raise
                    skipped[file.path] = str(error)
                    for stream, start in zip((records, flaws), starts, strict=True):
                        stream.seek(start)
                        stream.truncate()
                    self._position = position
                progress(file.size, self._position - position)

    def _write_file(
        self, number: int, pieces: Iterable[Piece], records: io.BufferedWriter, flaws: io.BufferedWriter
    ) -> None:
        for piece in pieces:
            if piece.flaw:
                self.flawed += 1
                row = json.dumps(
                    {"file_id": number, "line": piece.line, "reason": piece.flaw, "record": _shown(piece.text)}
                )
                self._longest_flaw = max(self._longest_flaw, len(row) + 1)
                flaws.write(row.encode() + b"\n")
            else:
                self._position += 1
                text = piece.text
                if b"\n" in text or b"\r" in text:
                    text = text.replace(b"\r\n", _NEW_LINE).replace(b"\n", _NEW_LINE).replace(b"\r", _NEW_LINE)
                records.write(b"%d\x1f%d\x1f%d\x1f%b\n" % (number, piece.line, self._position, text))


def pieces(file: SourceFile, contents: Contents) -> Iterable[Piece]:
    """Return the records of a file, and what should have been records; raise SourceError if it cannot be read."""
    try:  # not `reading`, which would cost a tenth of the time that a tiny file takes
        content = contents.small(file)
    except UNREADABLE as error:
        raise unreadable(file.path, error) from error
    if content is None:
        return _pieces(file, contents)
    return cut_small(content)


def _pieces(file: SourceFile, contents: Contents) -> Iterator[Piece]:
    with reading(file.path), contents.open(file) as stream:
        yield from cut(stream)


def _shown(raw: bytes) -> str:
    """Return bytes as text that any database can keep: what is not text stands as an escape."""
    return raw.decode(errors="backslashreplace").replace("\x00", "\\x00")
