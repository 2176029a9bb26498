"""Large log files, read as they stand, line by line; what is not plainly right is left aside, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sparkify import contract
from sparkify.contract import LAST_MILLISECOND, PLAY, Contract, Field, Required, Type, literal, quoted
from sparkify.sources import MAX_RECORD

LEFT = "left_over"
"""The column of staging_events that holds a line as it is, if its record was not taken; only while reading."""

_BLOCK = 1 << 20  # bytes of which the lines are counted at a time
_REFUSED, _SCANS = "refused_lines", "refused_scans"

REFUSED = f"""
select file_path, list(distinct line_byte_position)
from {_REFUSED} join {_SCANS} using (scan_id, file_id)
group by file_path
"""
"""The SELECT of the lines that insert_lines did not insert: path on disk → where they begin."""

FORGET_REFUSED = f"drop table if exists temp.{_REFUSED}; drop table if exists temp.{_SCANS}"

_READ_AS = {
    Type.TEXT: "VARCHAR",
    Type.WHOLE: "DOUBLE",  # of 2.7, an integer would make 3
    Type.MOMENT: "DOUBLE",
    Type.NUMBER: "DOUBLE",
    Type.SPAN: "DOUBLE",
}
_EXACT = 2**53  # from where on a DOUBLE may stand for several whole numbers
# A value that is neither text nor a number nor null, but would be taken for one: a list, an object, a truth value, or
# what Python writes for a float that is none.
_ODD = r":\s*(\[|\{|true|false|-?[NnIi][aAnN][nNfF])"
# What a line must be so that its record may be taken as from_json_strict reads it.
_PLAIN = " and ".join(
    [
        # Or else what stands before a line in doubt, and behind it, might belong to it.
        "starts_with(line, '{')",
        "ends_with(line, '}')",
        f"strlen(line) <= {MAX_RECORD}",
        # A comma that trails. Within the line it would stand in an odd value.
        *(f"not ends_with(line, {literal(before + '}')})" for before in ", \t\r"),
        # NUL, which no database takes, and other control characters: mangled text has some, and the exact way looks.
        *(f"not contains(line, '\\u00{digit}')" for digit in "01"),
        f"not regexp_matches(line, '{_ODD}')",
    ]
)


def insert_whole(rules: Contract, pattern: str) -> str:
    """Return the statement that reads clean files into staging; a record that breaks the contract makes it fail."""
    types = ", ".join(f"'{column.name}': 'varchar'" for column in rules.fields)
    names = ", ".join(quoted(column.name) for column in rules.fields)
    position = ", row_number() over ()" if rules.kind == "songs" else ""
    source = (
        f"read_json({literal(pattern)}, format = 'auto', filename = true, hive_partitioning = false,"
        f" maximum_object_size = {2 * MAX_RECORD}, columns = {{{types}}})"
    )
    return (
        f"insert into {rules.table} select {names}, files.file_id{position}, false"
        f" from ({contract.judged(rules, source, 'filename', nul=False)}) as records"
        f" join staging_files as files on files.path = records.filename and files.source = '{rules.kind}'"
        " where case when problem is null then true else error('refused') end"
    )


def insert_lines(rules: Contract, files: Mapping[str, int], *, careful: bool, refuse: bool) -> str:
    """Return the statement that inserts a row for each line of files, path on disk → file_id, empty ones too.

    The row is the line's record or, where it is in doubt whether the exact way would take it and take it so, the line
    itself, in the column LEFT. So nothing is lost, whatever a line holds; and most lines, of most files, are taken.
    `careful` changes nothing but the time: a clean file takes longer so, one with wrong types or missing keys less.
    A line that is no text makes the statement fail; or, with `refuse`, it is left out and named by REFUSED. Then DuckDB
    leaves out others too without a word, near one that is far too long or ends otherwise: ask `has_lines`.
    """
    values = ", ".join(f"{_value(column)} as {quoted(column.name)}" for column in rules.fields)
    names = ", ".join(quoted(column.name) for column in rules.fields)
    fields = ", ".join(f"fields.{quoted(column.name)} as {quoted(column.name)}" for column in rules.fields)
    doubts = " or ".join(["is_unread", *(doubt for column in rules.fields for doubt in _doubts(column))])
    lines = f"(select line, filename from {_lines(list(files), refuse=refuse)})"
    if careful:
        lines = f"(select *, {_likely(rules)} as is_likely from (select *, {_loosely(rules)} as loose from {lines}))"
    paths = ", ".join(map(literal, files))
    return (
        f"insert into {rules.table} ({names}, file_id, duplicate, {LEFT})"
        f" select {values}, files.file_id, false, case when {doubts} then coalesce(line, '') end"
        # Columns before anything is asked of them: to ask a structure for its fields again and again takes longer.
        f" from (select line, filename, fields is null as is_unread, {fields}"
        f" from (select line, filename, {_strictly(rules, 'is_likely' if careful else _PLAIN)} as fields"
        f" from {lines} as lines) as lines) as records"
        f" join (select unnest([{paths}]) as path, unnest({list(files.values())}) as file_id) as files"
        " on files.path = records.filename"
    )


def try_lines(rules: Contract, lines: str) -> str:
    """Return the SELECT of file_id, how many lines it has, how many of them are read, and how many are plain.

    `lines` is the SQL of a relation with the columns file_id and line.
    """
    return (
        f"select file_id, count(*), count(fields), count(*) filter ({_PLAIN})"
        f" from (select file_id, line, {_strictly(rules, _PLAIN)} as fields from {lines}) group by file_id"
    )


def _strictly(rules: Contract, condition: str) -> str:
    """Return the SQL of the fields of a line, if a condition holds and the line has each of them once, typed.

    A key that is missing, or written in another case, is an error, and so is a key given twice. Where there is an
    error, two thousand lines are tried again one by one, which takes six times as long: hence the condition.
    """
    return f"try(from_json_strict(case when {condition} then line end, {_structure(rules)}))"


def _loosely(rules: Contract) -> str:
    """Return the SQL of what fields a line has, without any error."""
    return f"from_json(case when {_PLAIN} and json_valid(line) then line end, {_structure(rules)})"


def _likely(rules: Contract) -> str:
    """Return the SQL that tells whether a line may be read strictly: what is null in `loose` is said to be null.

    Only a key given twice, the first time rightly, escapes it.
    """
    nulls = (
        f"case when loose.{quoted(column.name)} is not null then true"
        f""" when contains(line, '"{column.name}":null') then true"""
        f""" else contains(line, '"{column.name}": null') end"""
        for column in rules.fields
    )
    return f"loose is not null and {' and '.join(nulls)}"


def _structure(rules: Contract) -> str:
    columns = ", ".join(f'"{column.name}": "{_READ_AS[column.type]}"' for column in rules.fields)
    return literal(f"{{{columns}}}")


def _lines(paths: Sequence[str], *, refuse: bool) -> str:
    """Return the SQL of the lines of files, each with its path."""
    refusing = (
        f", ignore_errors = true, store_rejects = true, rejects_table = '{_REFUSED}', rejects_scan = '{_SCANS}'"
        if refuse
        else ""
    )
    return (
        f"read_csv([{', '.join(map(literal, paths))}], columns = {{'line': 'varchar'}}, auto_detect = false,"
        # Cut at line ends alone: of any other character, one at the end of a line would be dropped without a word.
        " filename = true, header = false, delim = '\n', quote = '', escape = '', compression = 'none',"
        # The default of 16 lines of the longest kind is too much: a file would be read by one or two threads.
        f" max_line_size = {MAX_RECORD}, buffer_size = {2 * MAX_RECORD}{refusing})"
    )


def _value(field: Field) -> str:
    name = quoted(field.name)
    if field.type is Type.TEXT:
        return contract.text(name)
    return f"try_cast({name} as bigint)" if field.type in (Type.WHOLE, Type.MOMENT) else name


def _doubts(field: Field) -> Iterator[str]:
    """Yield what makes a field's value doubtful, as SQL; null does not, where it may be."""
    name = quoted(field.name)
    if field.required is Required.ALWAYS:
        yield f"{_value(field)} is null"
    elif field.required is Required.IN_PLAYS:
        yield f"({contract.text('page')} = '{PLAY}' and {_value(field)} is null)"
    match field.type:
        case Type.TEXT:
            yield f"strlen({name}) > {field.width}"
        case Type.WHOLE:
            yield f"not (abs({name}) < {_EXACT} and {name} = floor({name}))"
        case Type.MOMENT:
            yield f"not ({name} >= 0 and {name} <= {LAST_MILLISECOND} and {name} = floor({name}))"
        case _:
            yield f"not ({name} >= 0 and {name} < 1e15)"


def lines_at(path: Path, positions: Iterable[int]) -> list[bytes] | None:
    """Return the lines of a file that are no text, by where DuckDB says that they begin.

    Positions are counted from 1, and may be those of the line end before. Return None where a line is too long, or is
    text after all: then DuckDB has refused it for another reason.
    """
    with suppress(OSError), path.open("rb") as stream:  # to be told by who reads it exactly
        lines: list[bytes] = []
        for position in positions:
            stream.seek(position - 1)
            while (line := stream.readline(MAX_RECORD + 1)) in (b"\n", b"\r\n"):
                pass
            if len(line) > MAX_RECORD or _is_text(line):
                return None
            lines.append(line.removesuffix(b"\n").removesuffix(b"\r"))
        return lines
    return None


def has_lines(path: Path, expected: int) -> bool:
    """Tell whether a file has so many lines, and DuckDB can have seen no others.

    It may have where one is too long, or where they do not all end alike.
    """
    with suppress(OSError), path.open("rb") as stream:  # to be told by who reads it exactly
        lines = 0
        ends: set[bool] = set()  # whether a carriage return is in them
        while block := stream.read(_BLOCK):
            rest = stream.readline(MAX_RECORD + 1)
            block += rest
            returns = block.count(b"\r")
            found = block.count(b"\n")
            ends.add(returns > 0)
            is_mixed = len(ends) > 1 or (returns and not returns == found == block.count(b"\r\n"))
            if is_mixed or len(rest) > MAX_RECORD:
                return False
            lines += found + (not block.endswith(b"\n"))
        return lines == expected
    return False


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
