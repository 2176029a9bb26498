"""The SQL that reads large log files as they stand: a look at their lines, and the insert into staging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkify import contract
from sparkify.contract import Contract, literal, quoted
from sparkify.sources import MAX_RECORD

COMMA = r",\s*[\]}]"
_ODD = r":\s*(-?[NnIi][aAnN][nNfF]|\[|\{|true|false)"


def insert(
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


def look(paths: Sequence[str]) -> str:
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
        f" else not regexp_matches(line, '[}}]\\s*$') or regexp_matches(line, '{COMMA}') end"
        f" or case when regexp_matches(line, '{_ODD}') then regexp_matches(line, '\"\\s*{_ODD}') else false end"
    )
    return (
        f"select filename, bool_or({suspect}), bool_or(contains(line, '\\u001')), count(*)"
        f" from {_lines(paths)} where starts_with(line, '{{') or trim(line) <> '' group by filename"
    )


def whole(paths: Sequence[str]) -> str:
    """Return the SELECT of the files of which every line is JSON."""
    return (
        f"select filename from {_lines(paths)} group by filename having bool_and(json_valid(line) or trim(line) = '')"
    )


def numbers(paths: Mapping[str, int]) -> str:
    """Return the SQL of the files of events that are read directly: path on disk, file_id and source."""
    listed = ", ".join(map(literal, paths))
    return f"(select unnest([{listed}]) as path, unnest({list(paths.values())}) as file_id, 'events' as source)"


def _lines(paths: Sequence[str]) -> str:
    """Return the SQL of the lines of files, each with its path."""
    return (
        f"read_csv([{', '.join(map(literal, paths))}], columns = {{'line': 'varchar'}}, auto_detect = false,"
        " filename = true, header = false, delim = '\x1f', quote = '', escape = '', compression = 'none',"
        f" max_line_size = {2 * MAX_RECORD})"
    )
