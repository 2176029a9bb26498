"""Read JSON files into staging, on a DuckDB connection, and say of every record what became of it.

Two ways, one result. A large log file is read by DuckDB as it stands, and is taken whole or not at all: whatever
is odd about it makes the read fail. Then, and for every other file, Python cuts the bytes into records, writes
them with their file and line to a spool, and DuckDB reads that: slower, and exact about what is refused.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb

from sparkify import contract, jsonpaths, queries, text
from sparkify.config import Config
from sparkify.contents import Contents, Numbered
from sparkify.contract import CONTRACTS, EVENTS, Contract, Type, literal, quoted
from sparkify.errors import SourceChanged, SourceError
from sparkify.fields import Values, at_paths, by_name, unknown
from sparkify.sources import MAX_RECORD, Kind, Piece, SourceFile, cut, reading

DIRECT_SIZE = 1 << 20
"""Bytes from which a log file is read by DuckDB directly. Below, opening it costs more than it saves."""

STAGING = ("staging_events", "staging_songs", "staging_files", "staging_rejects")

_SAMPLE = 100  # records of each directly read file in which unknown keys are looked for
_GROUP = 1 << 30  # bytes of files that one statement reads: what has to be read again when it fails
_COMMA = r",\s*[\]}]"
_ODD = r":\s*(-?[NnIi][aAnN][nNfF]|\[|\{|true|false)"
_NEW_LINE = b"\x1e"  # of a record in the spool, where a record is a line

Progress = Callable[[int, int], None]
"""Told how many more bytes, and how many more records, have been read."""


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
        self._aws = config.aws
        self._paths = jsonpaths.load(config)  # of the logs
        self._may_hold_controls = False  # whether a text of the files read directly may

    def read(self, files: Sequence[SourceFile], redelivered: frozenset[str], *, skip_bad_files: bool) -> Reading:
        """Fill the staging tables with the records of some files, and staging_rejects with what was refused.

        `redelivered` are the paths that were loaded before in another version. A file that cannot be read raises
        SourceError, or is left out and named in the result. An object that changed since it was listed is left out
        whatever was asked.
        """
        found = Reading()
        self._prepare(files, redelivered)
        numbered = list(enumerate(files))
        with scratch_folder() as folder:
            contents = Contents(Path(folder), self._aws)
            try:
                taken = self._read_directly(numbered, contents, found)
                for kind in CONTRACTS:
                    left = [item for item in numbered if item[1].kind == kind and item[0] not in taken]
                    if left:
                        spool = Spool(Path(folder), kind)
                        spool.write(left, contents, self._progress, found.skipped, skip_bad_files=skip_bad_files)
                        self._read_exactly(spool, CONTRACTS[kind], found)
            except OSError as error:
                raise SourceError(
                    f"{folder}: the spool of small files and copies cannot be written ({error.strerror})."
                    " Make room there, or set TMPDIR to a folder with more."
                ) from error
        self._count(found)
        return found

    def _prepare(self, files: Sequence[SourceFile], redelivered: frozenset[str]) -> None:
        for table in STAGING:
            self._run(f"drop table if exists temp.{table}")
            self._run(queries.read(f"tables/{table}", "duckdb"))
        rows = [(file.kind, file.path, file.version, file.size, file.path in redelivered) for file in files]
        if rows:
            self._run(
                "insert into staging_files select unnest(range(?)), unnest(?::varchar[]), unnest(?::varchar[]),"
                " unnest(?::varchar[]), unnest(?::bigint[]), unnest(?::boolean[]), 0",
                [len(rows), *map(list, zip(*rows, strict=True))],
            )

    def _read_directly(self, files: Sequence[Numbered], contents: Contents, found: Reading) -> set[int]:
        """Read large log files as they stand; return the numbers of those that were without fault."""
        self._may_hold_controls = False
        taken: set[int] = set()
        direct = [] if self._paths else [item for item in files if _can_be_direct(item[1], contents)]
        for group in _groups(direct):
            here = set(contents.copy([file for _, file in group]))
            plain = [item for item in group if item[1] in here and _has_plain_keys(item[1], contents, found)]
            for number in self._take(plain, contents):
                taken.add(number)
        if taken:
            too_long = self._repair("staging_events", EVENTS, controls=self._may_hold_controls)
            if too_long:  # by a repair: those files are read exactly, and the record is refused
                faulty = {
                    number
                    for column, values in too_long.items()
                    for (number,) in self._run(
                        f"select distinct file_id from staging_events where {quoted(column)} in (select unnest(?))",
                        [values],
                    ).fetchall()
                }
                self._run(f"delete from staging_events where file_id in ({', '.join(map(str, faulty))})")
                taken -= faulty
        return taken

    def _take(self, group: list[Numbered], contents: Contents) -> Iterator[int]:
        """Take files whole, each that is without fault; however many are not, no file is read more than a few times."""
        paths = {contents.path(file): number for number, file in group}
        lines = self._look(paths)
        count = self._insert(paths, lines)
        if count is None:  # a line is no JSON: find out in which files, and leave them out
            whole = {path for (path,) in self._run(_whole(list(lines))).fetchall()} if lines else set()
            lines = {path: number for path, number in lines.items() if path in whole}
            count = self._insert(paths, lines)
        if not count:
            return
        rows = dict(self._run("select file_id, count(*) from staging_events group by file_id").fetchall())
        for number, file in group:
            path = contents.path(file)
            if path in lines and rows.get(number, 0) == lines[path]:
                self._progress(file.size, lines[path])
                contents.drop(file)
                yield number
            elif number in rows:  # a record was refused, or a line held none or several
                self._run("delete from staging_events where file_id = ?", [number])

    def _look(self, paths: Mapping[str, int]) -> dict[str, int]:
        """Return the files of which nothing is odd to look at, each with its number of lines."""
        if not paths:
            return {}
        try:
            found = self._run(_look(list(paths))).fetchall()
        except duckdb.Error:  # one of them is no text, or has a line without end
            middle = len(paths) // 2
            halves = (dict(islice(paths.items(), middle)), dict(islice(paths.items(), middle, None)))
            return {path: lines for half in halves for path, lines in self._look(half).items()} if middle else {}
        self._may_hold_controls |= any(controls for _, _, controls, _ in found)
        return {path: lines for path, suspect, _, lines in found if not suspect}

    def _insert(self, paths: Mapping[str, int], wanted: Iterable[str]) -> int | None:
        """Insert the records of some files that keep the contract; return how many, or None if a line is no JSON."""
        numbered = {path: paths[path] for path in wanted}
        if not numbered:
            return 0
        statement = direct_insert(EVENTS, list(numbered), files=_numbers(numbered), refuse="false")
        try:
            [count] = self._run(statement).fetchone() or [0]
        except duckdb.Error:
            return None
        return int(count)

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
        judged = contract.judged(rules, "records", "file_id", "line", "position", "flaw")
        judged = f"select * replace (coalesce(flaw, problem) as problem) from ({judged})"
        [taken] = self._run(
            f"insert into {rules.table} select {names}, file_id, {position}false from ({judged}) where problem is null"
        ).fetchone() or [0]
        if taken < total:
            self._run(
                "insert into staging_rejects select file_id, line, problem, record"
                f" from (select * from ({judged}) where problem is not null) as refused"
                f" join (select position, record from {spool.records}) as spool on spool.position = refused.position"
            )
        if spool.flawed:
            self._run(f"insert into staging_rejects select file_id, line, reason, record from {spool.flaws}")
        self._run("drop table records")

    def _keys(self, spool: Spool) -> set[str]:
        """Return every key of every record of a spool."""
        self._run(
            "create or replace temp table shapes as"
            f" select distinct json_keys(record) as keys from {spool.records} as spool where json_valid(record)"
        )
        rows = self._run("select distinct unnest(keys) from shapes").fetchall()
        return {key for (key,) in rows}

    def _repair(self, table: str, rules: Contract, *, controls: bool = True) -> dict[str, list[str]]:
        """Repair mangled text in a table, value by distinct value; return what became too long, by column.

        Without `controls`, no text holds a control character: to look for what is not ASCII is much cheaper.
        """
        may_be_mangled = "regexp_matches({0}, '[^ -~]')" if controls else "strlen({0}) <> length({0})"
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
            self._run("delete from staging_files where path in (select unnest(?::varchar[]))", [list(found.skipped)])
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


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


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
        self, number: int, pieces: Iterator[Piece], records: io.BufferedWriter, flaws: io.BufferedWriter
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


def direct_insert(
    rules: Contract,
    paths: Sequence[str],
    layout: str = "newline_delimited",
    files: str = "staging_files",
    refuse: str = "error('refused')",
) -> str:
    """Return the statement that reads files into staging as they stand, by default of one object a line.

    `files` is the SQL of a relation of path on disk, file_id and source; `refuse` says what becomes of a record that
    breaks the contract: false leaves it out.
    """
    types = ", ".join(f"'{column.name}': 'varchar'" for column in rules.fields)
    names = ", ".join(quoted(column.name) for column in rules.fields)
    position = ", row_number() over ()" if rules.kind == "songs" else ""
    source = (
        f"read_json([{', '.join(map(literal, paths))}], format = '{layout}', filename = true,"
        " hive_partitioning = false,"
        f" maximum_object_size = {2 * MAX_RECORD}, columns = {{{types}}})"
    )
    return (
        f"insert into {rules.table} select {names}, files.file_id{position}, false"
        f" from ({contract.judged(rules, source, 'filename', nul=False)}) as records"
        f" join {files} as files on files.path = records.filename and files.source = '{rules.kind}'"
        f" where case when problem is null then true else {refuse} end"
    )


def _numbers(paths: Mapping[str, int]) -> str:
    """Return the SQL of the files of events that are read directly: path on disk, file_id and source."""
    listed = ", ".join(map(literal, paths))
    return f"(select unnest([{listed}]) as path, unnest({list(paths.values())}) as file_id, 'events' as source)"


def _texts(spool: Spool, rules: Contract, values: Values) -> str:
    """Return the SELECT of a spool's records as one text column a field, and a flaw that only the JSON shows."""
    given = f"list_filter(keys, lambda key: key in ({', '.join(map(literal, values.keys))}))"
    repeated = f"select keys from shapes where len({given}) <> len(list_distinct({given}))"
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
        f"select * exclude (record), case when not valid or {_has_trailing_comma('record')} then 'not valid JSON'"
        f" when json_keys(case when valid and exists ({repeated}) then record end) in ({repeated})"
        f" then 'a key is given twice' {odd} end as flaw"
        f" from (select file_id, line, position, record, valid, {columns}"
        f" from (select *, {values.extracted}"
        f" from (select *, json_valid(record) as valid from {spool.records} as spool))) as records"
    )


def _look(paths: Sequence[str]) -> str:
    """Return the SELECT of what can be seen of files without parsing them.

    That is: path, whether it is suspect, whether a text may hold a control character, which JSON writes as an escape,
    and the number of lines that are not blank.

    Suspect is a line that read_json may take although it is to be refused: with what may be a trailing comma; with a
    value that is an object, a list, a truth value or a NaN, any of which read_json turns into text; with a NUL; with
    too long a record. And one that does not begin and end with a bracket, for read_json would fail.
    """
    # A value that is a list or an object is suspect anyway: so a comma can only trail at the end of the line. Most
    # lines end in the bracket, right behind a value, and to see that costs a quarter of the pattern.
    odd_ends = " and ".join(f"not ends_with(line, {literal(before + '}')})" for before in ", \t\r")
    suspect = (
        f"strlen(line) > {MAX_RECORD} or not starts_with(line, '{{')"
        " or case when contains(line, '\\u00') then contains(line, '\\u0000') else false end"
        f" or case when ends_with(line, '}}') and {odd_ends} then false"
        f" else not regexp_matches(line, '[}}]\\s*$') or regexp_matches(line, '{_COMMA}') end"
        f" or case when regexp_matches(line, '{_ODD}') then regexp_matches(line, '\"\\s*{_ODD}') else false end"
    )
    return (
        f"select filename, bool_or({suspect}), bool_or(contains(line, '\\u001')), count(*)"
        f" from {_lines(paths)} where starts_with(line, '{{') or trim(line) <> '' group by filename"
    )


def _whole(paths: Sequence[str]) -> str:
    """Return the SELECT of the files of which every line is JSON."""
    return (
        f"select filename from {_lines(paths)} group by filename having bool_and(json_valid(line) or trim(line) = '')"
    )


def _lines(paths: Sequence[str]) -> str:
    """Return the SQL of the lines of files, each with its path."""
    return (
        f"read_csv([{', '.join(map(literal, paths))}], columns = {{'line': 'varchar'}}, auto_detect = false,"
        " filename = true, header = false, delim = '\x1f', quote = '', escape = '', compression = 'none',"
        f" max_line_size = {2 * MAX_RECORD})"
    )


def _has_trailing_comma(record: str) -> str:
    """Return the SQL that finds a trailing comma in a record: outside its strings, which are emptied to look."""
    emptied = f"""regexp_replace({record}, '"(?:[^"\\\\]|\\\\.)*"', '""', 'g')"""
    return f"(regexp_matches({record}, '{_COMMA}') and regexp_matches({emptied}, '{_COMMA}'))"


def _has_plain_keys(file: SourceFile, contents: Contents, found: Reading) -> bool:
    """Note the unknown keys of a file's first records; tell whether all known ones are spelt as usual."""
    names = {column.name for column in EVENTS.fields}
    keys: set[str] = set()
    try:
        with contents.open(file) as stream:
            for piece in islice(cut(stream), _SAMPLE):
                keys |= json.loads(piece.text).keys()
        "".join(keys).encode()
    except (OSError, ValueError, AttributeError, RecursionError):  # something is odd about it: to be found out exactly
        return False
    strange = unknown(keys, EVENTS)
    found.unknown_keys["events"] |= strange
    return keys <= names | strange


def _can_be_direct(file: SourceFile, contents: Contents) -> bool:
    return (
        file.kind == "events"
        and file.size >= DIRECT_SIZE
        and not file.path.lower().endswith(".gz")
        and not set("*?[") & set(contents.path(file))  # DuckDB would take them for a pattern
    )


def _groups(files: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    group: list[Numbered] = []
    for item in files:
        group.append(item)
        if sum(file.size for _, file in group) >= _GROUP:
            yield group
            group = []
    if group:
        yield group


def pieces(file: SourceFile, contents: Contents) -> Iterator[Piece]:
    """Yield the records of a file, and what should have been records; raise SourceError if it cannot be read."""
    with reading(file.path), contents.open(file) as stream:
        yield from cut(stream)


def _shown(raw: bytes) -> str:
    """Return bytes as text that any database can keep: what is not text stands as an escape."""
    return raw.decode(errors="backslashreplace").replace("\x00", "\\x00")
