"""Read JSON files into staging, on a DuckDB connection, and say of every record what became of it.

Two ways, one result. A large log file is read by DuckDB as it stands, line by line, and leaves the lines that are
not plainly right. For these, and for every other file, Python cuts the bytes into records, writes them with their
file and line to a spool, and DuckDB reads that: slower, and exact about what is refused.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

import duckdb

from sparkify import contract, direct, jsonpaths, queries, text
from sparkify.config import Config
from sparkify.contents import Contents, Numbered, is_packed
from sparkify.contract import CONTRACTS, EVENTS, Contract, Type, quoted
from sparkify.errors import SourceError, SparkifyError, WarehouseError
from sparkify.fields import Values, at_paths, by_name, unknown
from sparkify.sources import BYTE_ORDER_MARK, Kind, SourceFile
from sparkify.spool import Left, Progress, Spool

DIRECT_SIZE = 1 << 15
"""Bytes from which a log file is read by DuckDB directly. Below, opening it costs more than it saves."""

STAGING = ("staging_events", "staging_songs", "staging_files", "staging_rejects")

_STEP = 1 << 24  # bytes of a large file of which some are looked at before it is read
_SAMPLE = (1 << 12, 1 << 16)  # how many of these: at least, and at most
_SHARE = 32  # between the two, one in so many
_GROUP = 1 << 30  # bytes of files that one statement reads: what has to be read again when it fails
_PACKED = 8  # bytes that one byte of gzip stands for: logs are packed to a sixth up to a tenth
_MOST_LEFT = 0.1  # of a file's lines may be left; with more, it is as well to read it exactly as a whole
# What DuckDB takes for JSON, and JSON's grammar (RFC 8259) does not: a comma that trails, a float that is no number.
_NO_JSON = r"(,\s*[\]}]|[:,\[]\s*-?[NnIi][aAnN][nNfF])"


@dataclass
class Reading:
    """What was found in a batch of files beside its rows."""

    skipped: dict[str, str] = field(default_factory=dict)  # path → why it was left out
    unknown_keys: dict[Kind, set[str]] = field(default_factory=lambda: {kind: set() for kind in CONTRACTS})


class Reader:
    """Fills the staging tables of a DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, progress: Progress, config: Config) -> None:
        self._run = connection.execute
        self._progress = progress
        self._one_at_a_time = Lock()
        self._aws = config.aws
        self._paths = jsonpaths.load(config)  # of the logs
        self._some_are_no_text = False  # whether a large log had lines that are no text, as others then may have

    def read(self, files: Sequence[SourceFile], redelivered: frozenset[SourceFile], *, skip_bad_files: bool) -> Reading:
        """Fill the staging tables with the records of some files, and staging_rejects with what was refused.

        `redelivered` are those that were loaded before in another version. A file that cannot be read raises
        SourceError, or is left out and named in the result. An object that changed since it was listed is left out
        whatever was asked.
        """
        found = Reading()
        numbered = list(enumerate(files))
        with scratch_folder() as folder:
            contents = Contents(Path(folder), self._aws)
            write = partial(
                Spool.write,
                contents=contents,
                progress=self._advance,
                skipped=found.skipped,
                skip_bad_files=skip_bad_files,
            )
            try:
                # Python cuts the song files while DuckDB takes down the names of all and reads the large logs.
                left = [item for item in numbered if item[1].kind == "songs"]
                songs = Spool(Path(folder), "songs")
                with _beside(partial(write, songs, left), songs, contents) as written:
                    self._prepare(files, redelivered)
                    taken = self._read_directly(numbered, contents, found)
                    written.result()
                if left:
                    self._read_exactly(songs, CONTRACTS["songs"], found)
                left = [item for item in numbered if item[1].kind == "events" and taken.get(item[0], True)]
                if left:
                    events = Spool(Path(folder), "events", taken)
                    write(events, left)
                    self._read_exactly(events, CONTRACTS["events"], found)
            except OSError as error:
                raise SourceError(
                    f"{folder}: the spool of small files and copies cannot be written ({error.strerror})."
                    " Make room there, or set TMPDIR to a folder with more."
                ) from error
        self._count(found)
        return found

    def _advance(self, size: int, records: int) -> None:
        """Tell how many more bytes and records have been read, from one thread at a time."""
        with self._one_at_a_time:
            self._progress(size, records)

    def _prepare(self, files: Sequence[SourceFile], redelivered: frozenset[SourceFile]) -> None:
        for table in STAGING:
            self._run(f"drop table if exists temp.{table}")
            self._run(queries.read(f"tables/{table}", "duckdb"))
        if not files:
            return
        # One text a column, which DuckDB cuts up: a third of the time of lists. No path holds a null character.
        kinds, paths = [file.kind for file in files], [file.path for file in files]
        versions, sizes = [file.version for file in files], [str(file.size) for file in files]
        cells = ", ".join(["unnest(string_split(?, chr(0)))"] * 4)
        self._run(
            f"insert into staging_files select unnest(range(?)), {cells}, false, 0",
            [len(files), *("\0".join(column) for column in (kinds, paths, versions, sizes))],
        )
        if redelivered:
            self._run(
                "update staging_files set redelivered = true where file_id in (select unnest(?::integer[]))",
                [[number for number, file in enumerate(files) if file in redelivered]],
            )

    def _read_directly(self, files: Sequence[Numbered], contents: Contents, found: Reading) -> dict[int, Left]:
        """Read large log files as they stand; return the lines left to be read exactly of each that was taken."""
        taken: dict[int, Left] = {}
        large = [] if self._paths else [item for item in files if _can_be_direct(item[1], contents)]
        for group in _groups(large):
            here = set(contents.copy([file for _, file in group]))
            usual, careful = self._try([item for item in group if item[1] in here], contents, found)
            if usual:
                taken |= self._take(usual, contents, careful=careful)
        if taken:
            too_long = self._repair("staging_events", EVENTS)
            if too_long:  # by a repair: those files are read exactly, and the record is refused
                faulty = {
                    number
                    for column, values in too_long.items()
                    for (number,) in self._run(
                        f"select distinct file_id from staging_events where {quoted(column)} in (select unnest(?))",
                        [values],
                    ).fetchall()
                }
                self._forget(faulty)
                taken = {number: left for number, left in taken.items() if number not in faulty}
        return taken

    def _try(self, files: Sequence[Numbered], contents: Contents, found: Reading) -> tuple[list[Numbered], bool]:
        """Note the unknown keys in samples of some files; return those files of which most lines are records as usual.

        And tell whether some of their lines call for care.
        """
        samples = [(number, line) for number, file in files for line in _sample(file, contents)]
        if not samples:
            return [], False
        self._run(
            "create or replace temp table sample as"
            " select unnest(?::integer[]) as file_id, unnest(?::varchar[]) as line",
            [list(column) for column in zip(*samples, strict=True)],
        )
        keys = self._run("select distinct unnest(json_keys(line)) from sample where json_valid(line)").fetchall()
        found.unknown_keys["events"] |= unknown({key for (key,) in keys}, EVENTS)
        tried = self._run(direct.try_lines(EVENTS, "sample")).fetchall()
        self._run("drop table sample")
        usual = {number: unusual > 0 for number, lines, read, unusual in tried if 2 * read > lines}
        return [item for item in files if item[0] in usual], any(usual.values())

    def _take(self, group: Sequence[Numbered], contents: Contents, *, careful: bool) -> dict[int, Left]:
        """Insert the records of files line by line; return what is left of each file, if it is not too much."""
        self._run(f"alter table staging_events add column {direct.LEFT} varchar")
        try:
            paths = {contents.path(file): number for number, file in group}
            no_text = self._insert_lines(paths, careful=careful)
            lines = {
                number: (rows, left, empty)
                for number, rows, left, empty in self._run(
                    f"select file_id, count(*), count({direct.LEFT}), count(*) filter ({direct.LEFT} = '')"
                    " from staging_events group by file_id"
                ).fetchall()
            }
            files = {number: file for number, file in group if number in lines}
            odd = {
                number
                for path, number in paths.items()
                if number in lines and not self._is_taken(Path(path), *lines[number], no_text.get(number))
            }
            self._forget(odd)
            taken: dict[int, Left] = {number: no_text[number] for number in files if number not in odd}
            for number, line in self._run(
                f"select file_id, {direct.LEFT} from staging_events where {direct.LEFT} <> ''"
            ).fetchall():
                taken[number].append(line.encode())
            self._run(f"delete from staging_events where {direct.LEFT} is not null")
        finally:
            self._run(f"alter table staging_events drop column {direct.LEFT}")
        for number, left in taken.items():
            rows, doubted, _ = lines[number]
            self._advance(0 if left else files[number].size, rows - doubted)
            if not left:
                contents.drop(files[number])
        return taken

    def _insert_lines(self, files: Mapping[str, int], *, careful: bool) -> dict[int, Left]:
        """Insert the lines of files, by path on disk; return those that are no text, by the number of each file read.

        A file that DuckDB cannot read so makes all of a statement fail: the halves are tried until it is found.
        """
        if not self._some_are_no_text:
            with suppress(duckdb.Error):
                self._run(direct.insert_lines(EVENTS, files, careful=careful, refuse=False))
                return {number: [] for number in files.values()}
            self._some_are_no_text = True
        self._run(direct.FORGET_REFUSED)
        try:
            self._run(direct.insert_lines(EVENTS, files, careful=careful, refuse=True))
        except duckdb.Error:  # some line ends otherwise than those before
            paths = list(files)
            half = len(paths) // 2
            halves = (paths[:half], paths[half:]) if half else ()
            found = [self._insert_lines({path: files[path] for path in some}, careful=careful) for some in halves]
            return {number: left for some in found for number, left in some.items()}
        refused = dict(self._run(direct.REFUSED).fetchall())
        return {
            number: lines
            for path, number in files.items()
            if (lines := direct.lines_at(Path(path), refused[path]) if path in refused else []) is not None
        }

    def _is_taken(self, path: Path, rows: int, left: int, empty: int, no_text: Left | None) -> bool:
        """Tell whether a file was read well enough: most of its lines, and none of them lost."""
        if no_text is None or left - empty + len(no_text) > _MOST_LEFT * rows:
            return False
        return not self._some_are_no_text or direct.has_lines(path, rows + len(no_text))

    def _forget(self, files: Collection[int]) -> None:
        """Take what was staged of some files out again."""
        if files:
            self._run(f"delete from staging_events where file_id in ({', '.join(map(str, files))})")

    def _read_exactly(self, spool: Spool, rules: Contract, found: Reading) -> None:
        """Take the records of a spool that keep the contract, and refuse the others with their reasons."""
        keys = self._keys(spool)
        if self._paths and rules.kind == "events":
            found.unknown_keys[rules.kind] |= keys - {str(path.steps[0]) for path in self._paths}
            texts = _texts(spool, rules, at_paths(rules, self._paths))
        else:
            found.unknown_keys[rules.kind] |= unknown(keys, rules)
            texts = _texts(spool, rules, by_name(rules, keys))
        [total] = self._run(f"create or replace temp table records as {texts}").fetchone() or [0]
        self._repair("records", rules)
        names = ", ".join(quoted(column.name) for column in rules.fields)
        position = "position, " if rules.kind == "songs" else ""
        # As a table: behind a filter, DuckDB would work the same values out for every question asked of them.
        judged = contract.judged(rules, "records", "file_id", "line", "position", "valid", "flaw")
        self._run(
            "create or replace temp table judged as"
            f" select * replace (case when valid then coalesce(problem, flaw) else flaw end as problem) from ({judged})"
        )
        self._run("drop table records")
        [taken] = self._run(
            f"insert into {rules.table} select {names}, file_id, {position}false from judged where problem is null"
        ).fetchone() or [0]
        if taken < total:
            self._run(
                "insert into staging_rejects select file_id, line, problem, record"
                " from (select * from judged where problem is not null) as refused"
                f" join (select position, record from {spool.records}) as spool on spool.position = refused.position"
            )
        if spool.flawed:
            self._run(f"insert into staging_rejects select file_id, line, reason, record from {spool.flaws}")
        self._run("drop table judged")

    def _keys(self, spool: Spool) -> set[str]:
        """Return every key of every record of a spool."""
        self._run(
            "create or replace temp table shapes as"
            f" select distinct json_keys(record) as keys from {spool.records} as spool where json_valid(record)"
        )
        rows = self._run("select distinct unnest(keys) from shapes").fetchall()
        return {key for (key,) in rows}

    def _repair(self, table: str, rules: Contract) -> dict[str, list[str]]:
        """Repair mangled text in a table, value by distinct value; return what became too long, by column.

        What is read directly holds no control character: to look for what is not ASCII is much cheaper.
        """
        may_be_mangled = "strlen({0}) <> length({0})" if table == "staging_events" else "regexp_matches({0}, '[^ -~]')"
        too_long: dict[str, list[str]] = {}
        for column in rules.repaired:
            name = quoted(column.name)
            rows = self._run(f"select distinct {name} from {table} where {may_be_mangled.format(name)}").fetchall()
            repairs = [(value, meant) for (value,) in rows if (meant := text.repair(value)) != value]
            if repairs:
                self._run(
                    "create or replace temp table repairs as"
                    " select unnest(?::varchar[]) as mangled, unnest(?::varchar[]) as meant",
                    [list(values) for values in zip(*repairs, strict=True)],
                )
                # Rows out and in again: an UPDATE of 3 % of a million rows took 0.4 s here, this 0.02 s.
                self._run(
                    f"create or replace temp table mended as select {table}.* replace (repairs.meant as {name})"
                    f" from {table} join repairs on {table}.{name} = repairs.mangled"
                )
                self._run(f"delete from {table} where {name} in (select mangled from repairs)")
                self._run(f"insert into {table} from mended")
            if overlong := [meant for _, meant in repairs if len(meant.encode()) > column.width]:
                too_long[column.name] = overlong
        return too_long

    def _count(self, found: Reading) -> None:
        """Record how many records each file held; forget the files that were skipped."""
        if found.skipped:
            paths = list(found.skipped)
            skipped = "select file_id from staging_files where path in (select unnest(?::varchar[]))"
            self._run(f"delete from staging_events where file_id in ({skipped})", [paths])  # lines taken before
            self._run(f"delete from staging_files where file_id in ({skipped})", [paths])
        self._run(
            "update staging_files set read = counted.read from"
            " (select file_id, count(*) as read from"
            " (select file_id from staging_events union all select file_id from staging_songs"
            " union all select file_id from staging_rejects) as records group by file_id) as counted"
            " where staging_files.file_id = counted.file_id"
        )


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Give a temporary folder, and remove those that killed runs have left: their names tell whose they were."""
    for left in Path(tempfile.gettempdir()).glob("sparkify-run-*-*"):
        number = left.name.split("-")[2]
        if number.isdecimal() and not _is_running(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"sparkify-run-{os.getpid()}-") as folder:
        yield folder


@contextmanager
def plainly(where: object) -> Iterator[None]:
    """Say what DuckDB says as a WarehouseError of what is named, and as KeyboardInterrupt what it makes of Ctrl-C."""
    try:
        yield
    except SparkifyError:
        raise
    except duckdb.OutOfMemoryException as error:
        first = str(error).splitlines()[0]
        raise WarehouseError(f"{where}: {first}. Raise [WAREHOUSE] MEMORY, or lower --batch-size.") from error
    except duckdb.Error as error:
        raise WarehouseError(f"{where}: {error}") from error
    except RuntimeError as error:
        if "interrupted" in str(error):
            raise KeyboardInterrupt from error
        raise


@contextmanager
def _beside(work: Callable[[], None], spool: Spool, contents: Contents) -> Iterator[Future[None]]:
    """Write a spool in a thread meanwhile; if what is done here fails or is interrupted, stop that and wait for it."""
    with ThreadPoolExecutor(1) as thread:
        try:
            yield thread.submit(work)
        except BaseException:
            spool.stop()
            contents.stop()
            raise


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _texts(spool: Spool, rules: Contract, values: Values) -> str:
    """Return the SELECT of a spool's records as one text column a field, and a flaw that only the JSON shows."""
    repeated = f"select keys from shapes where {values.repeated}"
    columns = ", ".join(
        f"{found} as {quoted(column.name)}" for column, found in zip(rules.fields, values.texts, strict=True)
    )
    odd = " ".join(
        f"when {contract.looks_odd(column)} and {kind} not in ('VARCHAR', 'NULL')"
        f" then '{column.name}: neither text nor a number'"
        for column, kind in zip(rules.fields, values.types, strict=True)
        if column.type is Type.TEXT
    )
    return (
        "select * exclude (record), case when not valid then 'not valid JSON'"
        f" when json_keys(case when valid and exists ({repeated}) then record end) in ({repeated})"
        f" then 'a key is given twice' {odd} when {_is_no_json('record')} then 'not valid JSON' end as flaw"
        f" from (select file_id, line, position, record, valid, {columns}"
        f" from (select *, {values.extracted}"
        f" from (select *, json_valid(record) as valid from {spool.records} as spool))) as records"
    )


def _is_no_json(record: str) -> str:
    """Return the SQL that finds in a record what only DuckDB takes for JSON: its strings are emptied to look."""
    emptied = f"""regexp_replace({record}, '"(?:[^"\\\\]|\\\\.)*"', '""', 'g')"""
    return f"(regexp_matches({record}, '{_NO_JSON}') and regexp_matches({emptied}, '{_NO_JSON}'))"


def _sample(file: SourceFile, contents: Contents) -> Iterator[str]:
    """Yield some lines of a file, from its whole length, empty if they are no text; none if it cannot be read."""
    least, most = _SAMPLE
    length = min(max(_size(file) // _SHARE, least), most)
    with suppress(OSError, SourceError), contents.open(file) as stream:  # to be told by who reads it exactly
        for start in range(0, stream.seek(0, os.SEEK_END), _STEP):
            stream.seek(start)
            block = stream.read(length)
            lines = block.removeprefix(BYTE_ORDER_MARK).split(b"\n")
            # The first and the last may be cut, but where the file begins and ends.
            for line in lines[bool(start) : None if len(block) < length else -1]:
                if line := line.strip():
                    try:
                        yield line.decode()
                    except UnicodeDecodeError:
                        yield ""


def _can_be_direct(file: SourceFile, contents: Contents) -> bool:
    return (
        file.kind == "events"
        and _size(file) >= DIRECT_SIZE
        and not set("*?[") & set(contents.path(file))  # DuckDB would take them for a pattern
    )


def _size(file: SourceFile) -> int:
    """Return the bytes of a file's text, which is a guess if it is packed."""
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
