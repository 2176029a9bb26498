"""The fast path: DuckDB reads large log files line by line, and leaves doubtful lines to the exact path."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from sparkify.errors import SourceError
from sparkify.sources.cache import FileCache, NumberedFile
from sparkify.sources.listing import SourceFile
from sparkify.sources.opening import is_compressed
from sparkify.sources.records import BYTE_ORDER_MARK, leaves_array_open
from sparkify.sql.quoting import quoted
from sparkify.staging import fast_path_sql, mojibake
from sparkify.staging.extraction import unknown_keys
from sparkify.staging.fast_path_sql import FALLBACK
from sparkify.staging.session import FallbackLines, Session, UnknownKey

MIN_SIZE = 1 << 15
"""Size in bytes from which a log file takes the fast path. Below, opening it in DuckDB costs more than it saves."""

_SAMPLE_STEP = 1 << 24  # bytes of a file from one sample to the next
_SAMPLE_SIZES = (1 << 12, 1 << 16)  # minimum and maximum size of a sample in bytes
_SAMPLE_SHARE = 32  # between these, a sample is this fraction of the file
_GROUP_SIZE = 1 << 30  # bytes of files that one statement reads
_COMPRESSION_RATIO = 8  # assumed: logs shrink to a sixth or a tenth
_MAX_FALLBACK = 0.1  # the share of lines that may fall back; above, the whole file takes the exact path


def read(session: Session, files: Sequence[NumberedFile], cache: FileCache) -> dict[int, FallbackLines]:
    """Stage the lines of large log files; return the fallback lines of each file staged, by its number."""
    staged: dict[int, FallbackLines] = {}
    large = [] if session.json_paths else [item for item in files if _is_eligible(item[1], cache)]
    for group in _groups(large):
        on_disk = set(cache.copy_to_disk([file for _, file in group]))
        suitable, lenient = _choose(session, [item for item in group if item[1] in on_disk], cache)
        if suitable:
            staged |= _stage(session, suitable, cache, lenient=lenient)
    if staged and (too_long := mojibake.repair_table(session, "staging_events", session.contracts["events"])):
        faulty = {
            number
            for column, values in too_long.items()
            for (number,) in session.rows(
                f"select distinct file_id from staging_events where {quoted(column)} in (select unnest(?))", [values]
            )
        }
        session.delete_events(faulty)  # The exact path reads these files again, and rejects the records.
        staged = {number: lines for number, lines in staged.items() if number not in faulty}
    return staged


def _choose(session: Session, files: Sequence[NumberedFile], cache: FileCache) -> tuple[list[NumberedFile], bool]:
    """Return the files of which most sampled lines are ordinary records, and whether to parse them leniently.

    The unknown keys in the samples of these files are added to the session's findings.
    """
    samples = [(number, line) for number, file in files for line in _sample(file, cache)]
    if not samples:
        return [], False
    session.run(
        "create or replace temp table sample as select unnest(?::integer[]) as file_id, unnest(?::varchar[]) as line",
        [list(column) for column in zip(*samples, strict=True)],
    )
    counts = session.rows(fast_path_sql.count_lines(session.contracts["events"], "sample"))
    suitable = {number: unusual > 0 for number, lines, parsed, unusual in counts if 2 * parsed > lines}
    _add_unknown_keys(session, set(suitable))
    session.run("drop table sample")
    return [item for item in files if item[0] in suitable], any(suitable.values())


def _add_unknown_keys(session: Session, files: set[int]) -> None:
    """Add the unknown keys in the sampled lines of some files: to find them in all lines takes 11 % of a load."""
    sampled = "select file_id, json_keys(line) as keys, 1 as records from sample where json_valid(line)"
    of_files = f"file_id in ({', '.join(map(str, files)) or 'null'})"
    keys = session.count_keys(f"({sampled} and {of_files}) as sampled")
    found = session.findings.unknown_keys["events"]
    for key in unknown_keys(set(keys), session.contracts["events"]):
        records, file = keys[key]
        added = UnknownKey(records, file)
        found[key] = found[key].plus(added) if key in found else added


def _stage(
    session: Session, files: Sequence[NumberedFile], cache: FileCache, *, lenient: bool
) -> dict[int, FallbackLines]:
    """Stage the records of files line by line; return the fallback lines of each file, unless they are too many."""
    session.run(f"alter table staging_events add column {FALLBACK} varchar")
    try:
        not_utf8 = _insert_lines(session, files, cache, lenient=lenient)
        counts = {
            number: (lines, without_record, without_record - empty + len(not_utf8[number]))
            for number, lines, without_record, empty in session.rows(
                f"select file_id, count(*), count({FALLBACK}), count(*) filter ({FALLBACK} = '')"
                " from staging_events group by file_id"
            )
            if number in not_utf8
        }
        unsuitable = {number for number, (lines, _, fallback) in counts.items() if fallback > _MAX_FALLBACK * lines}
        session.delete_events(unsuitable)
        staged = {number: not_utf8[number] for number in counts if number not in unsuitable}
        for number, line in session.rows(f"select file_id, {FALLBACK} from staging_events where {FALLBACK} <> ''"):
            if number in staged:
                staged[number].append(line.encode())
        # In an array over several lines, a line does not always hold a record.
        for number in [number for number, lines in staged.items() if any(map(leaves_array_open, lines))]:
            session.delete_events({number})
            del staged[number]
        session.run(f"delete from staging_events where {FALLBACK} is not null")
    finally:
        session.run(f"alter table staging_events drop column {FALLBACK}")
    for number, file in files:
        if number in staged:
            lines, without_record, _ = counts[number]
            session.advance(0 if staged[number] else file.size, lines - without_record)
            if not staged[number]:
                cache.evict(file)
    return staged


def _insert_lines(
    session: Session, files: Sequence[NumberedFile], cache: FileCache, *, lenient: bool
) -> dict[int, FallbackLines]:
    """Insert the lines of files; return, by number of each file read, those that are not UTF-8.

    One such line fails the whole statement. Then copies without such lines are read, and if that fails too, each copy
    alone: a file that DuckDB cannot read line by line takes the exact path.
    """

    def succeeds(paths: dict[str, int]) -> bool:
        with suppress(duckdb.Error):
            session.run(fast_path_sql.insert_lines(session.contracts["events"], paths, lenient=lenient))
            return True
        return False

    if succeeds({cache.plain_path(file): number for number, file in files}):
        return {number: [] for number, _ in files}
    copies = {number: cache.copy_utf8_lines(file) for number, file in files}
    paths = {str(path): number for number, (path, _) in copies.items()}
    is_read = dict.fromkeys(copies, True)
    if not succeeds(paths):
        is_read = {number: succeeds({path: number}) for path, number in paths.items()}
    for path in paths:
        Path(path).unlink()
    return {number: lines for number, (_, lines) in copies.items() if is_read[number]}


def _sample(file: SourceFile, cache: FileCache) -> Iterator[str]:
    """Yield lines from all parts of a file, "" for a line that is not UTF-8; nothing if the file cannot be read."""
    smallest, largest = _SAMPLE_SIZES
    length = min(max(_size(file) // _SAMPLE_SHARE, smallest), largest)
    with suppress(OSError, SourceError), cache.open(file) as stream:  # The exact path reports the error.
        for start in range(0, stream.seek(0, os.SEEK_END), _SAMPLE_STEP):
            stream.seek(start)
            block = stream.read(length)
            lines = block.removeprefix(BYTE_ORDER_MARK).split(b"\n")
            # The first and last lines may be incomplete, except at the beginning and the end of the file.
            for line in lines[bool(start) : None if len(block) < length else -1]:
                if line := line.strip():
                    try:
                        yield line.decode()
                    except UnicodeDecodeError:
                        yield ""


def _is_eligible(file: SourceFile, cache: FileCache) -> bool:
    return (
        file.kind == "events"
        and _size(file) >= MIN_SIZE
        and not set("*?[") & set(cache.plain_path(file))  # DuckDB would expand them as a pattern.
    )


def _size(file: SourceFile) -> int:
    """Return the size of a file's text in bytes; an estimate if it is compressed."""
    return file.size * _COMPRESSION_RATIO if is_compressed(file) else file.size


def _groups(files: Sequence[NumberedFile]) -> Iterator[list[NumberedFile]]:
    group: list[NumberedFile] = []
    for item in files:
        group.append(item)
        if sum(_size(file) for _, file in group) >= _GROUP_SIZE:
            yield group
            group = []
    if group:
        yield group
