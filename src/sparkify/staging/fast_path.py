"""The fast path: DuckDB reads large log files line by line, and leaves doubtful lines to the exact path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import duckdb

from sparkify.errors import SourceError
from sparkify.sources.cache import Contents, Numbered
from sparkify.sources.listing import SourceFile
from sparkify.sources.opening import is_packed
from sparkify.sources.records import BYTE_ORDER_MARK
from sparkify.sql.quoting import quoted
from sparkify.staging import fast_path_sql, mojibake
from sparkify.staging.contract import EVENTS
from sparkify.staging.fast_path_sql import LEFT
from sparkify.staging.keys import unknown
from sparkify.staging.session import Left, Session

MIN_SIZE = 1 << 15
"""Bytes from which a log file takes the fast path. Below, opening it in DuckDB costs more than it saves."""

_STEP = 1 << 24  # a sample is taken from every so many bytes of a file
_SAMPLE = (1 << 12, 1 << 16)  # its size in bytes, at least and at most
_SHARE = 32  # its size in between: this share of the file
_GROUP = 1 << 30  # bytes of files that one statement reads
_PACKED = 8  # assumed ratio of compression: logs shrink to a sixth or a tenth
_MAX_LEFT = 0.1  # the share of a file's lines above which the whole file takes the exact path


def read(session: Session, files: Sequence[Numbered], contents: Contents) -> dict[int, Left]:
    """Stage the lines of large log files; return, by number of each file staged, its lines left to the exact path."""
    taken: dict[int, Left] = {}
    large = [] if session.json_paths else [item for item in files if _is_eligible(item[1], contents)]
    for group in _groups(large):
        copied = set(contents.copy([file for _, file in group]))
        usual, careful = _try(session, [item for item in group if item[1] in copied], contents)
        if usual:
            taken |= _take(session, usual, contents, careful=careful)
    if taken and (too_long := mojibake.repair_table(session, "staging_events", EVENTS)):
        faulty = {
            number
            for column, values in too_long.items()
            for (number,) in session.rows(
                f"select distinct file_id from staging_events where {quoted(column)} in (select unnest(?))", [values]
            )
        }
        session.forget_events(faulty)  # the exact path reads these files again, and rejects the records
        taken = {number: left for number, left in taken.items() if number not in faulty}
    return taken


def _try(session: Session, files: Sequence[Numbered], contents: Contents) -> tuple[list[Numbered], bool]:
    """Note the unknown keys in samples of some files; return the files of which most lines are ordinary records.

    The second value tells whether some of their lines need careful reading.
    """
    samples = [(number, line) for number, file in files for line in _sample(file, contents)]
    if not samples:
        return [], False
    session.run(
        "create or replace temp table sample as select unnest(?::integer[]) as file_id, unnest(?::varchar[]) as line",
        [list(column) for column in zip(*samples, strict=True)],
    )
    keys = session.rows("select distinct unnest(json_keys(line)) from sample where json_valid(line)")
    session.findings.unknown_keys["events"] |= unknown({key for (key,) in keys}, EVENTS)
    tried = session.rows(fast_path_sql.try_lines(EVENTS, "sample"))
    session.run("drop table sample")
    usual = {number: unusual > 0 for number, lines, read, unusual in tried if 2 * read > lines}
    return [item for item in files if item[0] in usual], any(usual.values())


def _take(session: Session, group: Sequence[Numbered], contents: Contents, *, careful: bool) -> dict[int, Left]:
    """Stage the records of files line by line; return the lines left of each file, unless they are too many."""
    session.run(f"alter table staging_events add column {LEFT} varchar")
    try:
        read = _insert_lines(session, {contents.path(file): number for number, file in group}, careful=careful)
        lines = {
            number: (rows, left, left - empty)
            for number, rows, left, empty in session.rows(
                f"select file_id, count(*), count({LEFT}), count(*) filter ({LEFT} = '')"
                " from staging_events group by file_id"
            )
            if number in read
        }
        odd = {number for number, (rows, _, doubtful) in lines.items() if doubtful > _MAX_LEFT * rows}
        session.forget_events(odd)
        taken: dict[int, Left] = {number: [] for number in lines if number not in odd}
        for number, line in session.rows(f"select file_id, {LEFT} from staging_events where {LEFT} <> ''"):
            if number in taken:
                taken[number].append(line.encode())
        session.run(f"delete from staging_events where {LEFT} is not null")
    finally:
        session.run(f"alter table staging_events drop column {LEFT}")
    for number, file in group:
        if number in taken:
            rows, left, _ = lines[number]
            session.advance(0 if taken[number] else file.size, rows - left)
            if not taken[number]:
                contents.drop(file)
    return taken


def _insert_lines(session: Session, files: Mapping[str, int], *, careful: bool) -> set[int]:
    """Insert the lines of files, by path on disk; return the numbers of the files read.

    A file that DuckDB cannot read line by line fails the whole statement: then each file is tried alone.
    """
    with suppress(duckdb.Error):
        session.run(fast_path_sql.insert_lines(EVENTS, files, careful=careful))
        return set(files.values())
    read: set[int] = set()
    for path, number in files.items() if len(files) > 1 else ():
        read |= _insert_lines(session, {path: number}, careful=careful)
    return read


def _sample(file: SourceFile, contents: Contents) -> Iterator[str]:
    """Yield lines from the whole length of a file; "" for a line that is not UTF-8; none if it cannot be read."""
    least, most = _SAMPLE
    length = min(max(_size(file) // _SHARE, least), most)
    with suppress(OSError, SourceError), contents.open(file) as stream:  # the exact path reports the error
        for start in range(0, stream.seek(0, os.SEEK_END), _STEP):
            stream.seek(start)
            block = stream.read(length)
            lines = block.removeprefix(BYTE_ORDER_MARK).split(b"\n")
            # The first and last lines may be cut, except at the beginning and the end of the file.
            for line in lines[bool(start) : None if len(block) < length else -1]:
                if line := line.strip():
                    try:
                        yield line.decode()
                    except UnicodeDecodeError:
                        yield ""


def _is_eligible(file: SourceFile, contents: Contents) -> bool:
    return (
        file.kind == "events"
        and _size(file) >= MIN_SIZE
        and not set("*?[") & set(contents.path(file))  # DuckDB would expand them as a pattern
    )


def _size(file: SourceFile) -> int:
    """Return the size of a file's text in bytes; an estimate if it is packed."""
    return file.size * _PACKED if is_packed(file) else file.size


def _groups(files: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    group: list[Numbered] = []
    for item in files:
        group.append(item)
        if sum(_size(file) for _, file in group) >= _GROUP:
            yield group
            group = []
    if group:
        yield group
