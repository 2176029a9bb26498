"""Where a record holds each field: under its name, or at the path that a JSONPaths file gives. SQL, as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sparkify.sql.quoting import literal, quoted
from sparkify.staging.contract import Contract, Field
from sparkify.staging.jsonpaths import JsonPaths


class Values(NamedTuple):
    """The SQL that finds the text of each field in a record."""

    extracted: str  # columns made of `record`, null where it is not `valid`
    texts: tuple[str, ...]  # of each field, made of `record` and of the columns extracted
    types: tuple[str, ...]  # of each field: its type in JSON
    repeated: str  # whether of a record's `keys` one that leads to a field is given twice


def by_name(rules: Contract, keys: set[str]) -> Values:
    """Find fields under their names, and under other spellings that occur among the keys."""
    spellings = {column.name: _spellings(column, keys) for column in rules.fields}
    structure = ", ".join(f'"{column.name}": "varchar"' for column in rules.fields)
    return Values(
        f"from_json(case when valid then record end, '{{{structure}}}') as fields",
        tuple(_value(name, others) for name, others in spellings.items()),
        tuple(
            f"coalesce({', '.join(f'json_type(record, {_path(spelt)})' for spelt in (name, *others))})"
            for name, others in spellings.items()
        ),
        " or ".join(
            [_are_repeated(spellings), *(_is_spelt_twice(name, others) for name, others in spellings.items() if others)]
        ),
    )


def at_paths(rules: Contract, paths: JsonPaths) -> Values:
    """Find fields at the paths of a JSONPaths file."""
    places = [literal(path.sql) for path in paths]
    return Values(
        f"json_extract_string(case when valid then record end, [{', '.join(places)}]) as fields",
        tuple(f"fields[{number}]" for number in range(1, len(rules.fields) + 1)),
        tuple(f"json_type(record, {place})" for place in places),
        _are_repeated({str(path.steps[0]) for path in paths}),
    )


def _are_repeated(names: Iterable[str]) -> str:
    among = _among(names)
    return f"len({among}) <> len(list_distinct({among}))"


def _is_spelt_twice(name: str, others: Sequence[str]) -> str:
    """Return the SQL that tells whether a field has several spellings in a record, none of which is the exact one."""
    return f"(len({_among(others)}) > 1 and not list_contains(keys, {literal(name)}))"


def _among(names: Iterable[str]) -> str:
    """Return the SQL of those of a record's keys that are among some names."""
    return f"list_filter(keys, lambda key: key in ({', '.join(map(literal, names))}))"


def _spellings(column: Field, keys: set[str]) -> list[str]:
    """Return the other spellings of a field's name that records use: keys match whatever their case."""
    return sorted(key for key in keys if key != column.name and key.lower() == column.name.lower())


def _value(name: str, others: Sequence[str]) -> str:
    """Return the SQL of a field's text: under its own name if that is given, else under another spelling."""
    if not others:
        return f"fields.{quoted(name)}"
    found = " ".join(f"when json_exists(record, {_path(other)}) then record ->> {_path(other)}" for other in others)
    return f"case when not valid or json_exists(record, {_path(name)}) then fields.{quoted(name)} {found} end"


def _path(key: str) -> str:
    return literal(f'$."{key}"')


def unknown(keys: set[str], rules: Contract) -> set[str]:
    """Return the keys that no field is called, whatever their case."""
    known = {column.name.lower() for column in rules.fields}
    return {key for key in keys if key.lower() not in known}
