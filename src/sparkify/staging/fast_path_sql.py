"""Large log files, read as they stand, line by line; what is not plainly right is left aside, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sparkify.sources.records import MAX_RECORD
from sparkify.sql.quoting import literal, quoted
from sparkify.staging import validation
from sparkify.staging.contract import LAST_MILLISECOND, PLAY, Contract, Field, Required, Type

LEFT = "left_over"
"""The column of staging_events that holds a line as it is, if its record was not taken; only while reading."""

_READ_AS = {
    Type.TEXT: "VARCHAR",
    Type.WHOLE: "DOUBLE",  # of 2.7, an integer would make 3
    Type.MOMENT: "DOUBLE",
    Type.NUMBER: "DOUBLE",
    Type.SPAN: "DOUBLE",
}
_EXACT = 2**53  # from where on a DOUBLE may stand for several whole numbers
# A value that is neither text nor a number nor null, but would be taken for one: a list, an object, a truth value, what
# Python writes for a float that is none, or text in which from_json, but not the contract, sees a number: +5 and 1_000.
_ODD = r""":\s*(\[|\{|true|false|-?[NnIi][aAnN][nNfF]|"[-.0-9eE\s]*[+_])"""
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


def insert_lines(rules: Contract, files: Mapping[str, int], *, careful: bool) -> str:
    """Return the statement that inserts a row for each line of files, path on disk → file_id, empty ones too.

    The row is the line's record or, where it is in doubt whether the exact way would take it and take it so, the line
    itself, in the column LEFT. So nothing is lost, whatever a line holds; and most lines, of most files, are taken.
    `careful` changes nothing but the time: a clean file takes longer so, one with wrong types less; and of records that
    leave out keys, most are taken only so.
    A line that is not UTF-8 makes the statement fail.
    """
    values = ", ".join(f"{_value(column)} as {quoted(column.name)}" for column in rules.fields)
    names = ", ".join(quoted(column.name) for column in rules.fields)
    fields = ", ".join(f"fields.{quoted(column.name)} as {quoted(column.name)}" for column in rules.fields)
    doubts = " or ".join(["is_unread", *(doubt for column in rules.fields for doubt in _doubts(column))])
    read = _carefully if careful else _strictly
    lines = read(rules, f"(select line, filename from {_lines(list(files))})")
    paths = ", ".join(map(literal, files))
    return (
        f"insert into {rules.table} ({names}, file_id, duplicate, {LEFT})"
        f" select {values}, files.file_id, false, case when {doubts} then coalesce(line, '') end"
        # Columns before anything is asked of them: to ask a structure for its fields again and again takes longer.
        f" from (select line, filename, fields is null as is_unread, {fields}"
        f" from {lines} as lines) as records"
        f" join (select unnest([{paths}]) as path, unnest({list(files.values())}) as file_id) as files"
        " on files.path = records.filename"
    )


def try_lines(rules: Contract, lines: str) -> str:
    """Return the SELECT of file_id, how many lines it has, how many are read with care, and how many call for it.

    `lines` is the SQL of a relation with the columns file_id and line.
    """
    both = _carefully(rules, f"(select file_id, line, fields as strict from {_strictly(rules, lines)})")
    unusual = f"count(*) filter ({_PLAIN} and strict is null)"
    return f"select file_id, count(*), count(fields), {unusual} from {both} group by file_id"


def _strictly(rules: Contract, lines: str) -> str:
    """Return the SQL of lines and their fields, typed, where they have each of them once.

    A key that is missing, or written in another case, is an error, and so is a key given twice. Where there is an
    error, two thousand lines are tried again one by one, which takes six times as long.
    """
    parsed = f"from_json_strict(case when {_PLAIN} then line end, {_structure(rules)})"
    return f"(select *, try({parsed}) as fields from {lines})"


def _carefully(rules: Contract, lines: str) -> str:
    """Return the SQL of lines and their fields, typed, also where some keys are left out; without any error.

    So it is asked what each null stands for, and whether there are more keys than those found, perhaps one twice.
    """
    parsed = f"from_json(case when {_PLAIN} and json_valid(line) then line end, {_structure(rules)})"
    given = " + ".join(_is_given(column) for column in rules.fields)
    is_read = "given = len(keys) or (given < len(keys) and len(list_distinct(keys)) = len(keys))"
    return (
        f"(select * exclude (given, keys) replace (case when {is_read} then fields end as fields)"
        f" from (select *, {given} as given, json_keys(case when fields is not null then line end) as keys"
        f" from (select *, {parsed} as fields from {lines})))"
    )


def _is_given(field: Field) -> str:
    """Return the SQL of 1 where a line has a key for a field, 0 where it has none, and null where that is in doubt.

    It has none where nothing in the line looks like it, in any case, and no letter is written as an escape.
    """
    name = field.name
    return (
        f"case when fields.{quoted(name)} is not null then 1"
        f""" when contains(line, '"{name}":null') or contains(line, '"{name}": null') then 1"""
        f""" when not contains(lower(line), '"{name.lower()}"')"""
        " and not regexp_matches(line, '\\\\u00[4-7]') then 0 end"
    )


def _structure(rules: Contract) -> str:
    columns = ", ".join(f'"{column.name}": "{_READ_AS[column.type]}"' for column in rules.fields)
    return literal(f"{{{columns}}}")


def _lines(paths: Sequence[str]) -> str:
    """Return the SQL of the lines of files, each with its path."""
    return (
        f"read_csv([{', '.join(map(literal, paths))}], columns = {{'line': 'varchar'}}, auto_detect = false,"
        # Cut at line ends alone: of any other character, one at the end of a line would be dropped without a word.
        " filename = true, header = false, delim = '\n', quote = '', escape = '', compression = 'none',"
        # The default of 16 lines of the longest kind is too much: a file would be read by one or two threads.
        f" max_line_size = {MAX_RECORD}, buffer_size = {2 * MAX_RECORD})"
    )


def _value(field: Field) -> str:
    name = quoted(field.name)
    if field.type is Type.TEXT:
        return validation.text(name)
    return f"try_cast({name} as bigint)" if field.type in (Type.WHOLE, Type.MOMENT) else f"{name} + 0.0"  # no -0.0


def _doubts(field: Field) -> Iterator[str]:
    """Yield what makes a field's value doubtful, as SQL; null does not, where it may be."""
    name = quoted(field.name)
    if field.required is Required.ALWAYS:
        yield f"{_value(field)} is null"
    elif field.required is Required.IN_PLAYS:
        yield f"({validation.text('page')} = '{PLAY}' and {_value(field)} is null)"
    match field.type:
        case Type.TEXT:
            yield f"strlen({name}) > {field.width}"
        case Type.WHOLE:
            yield f"not (abs({name}) < {_EXACT} and {name} = floor({name}))"
        case Type.MOMENT:
            yield f"not ({name} >= 0 and {name} <= {LAST_MILLISECOND} and {name} = floor({name}))"
        case _:
            yield f"not ({name} >= 0 and {name} < 1e15)"
