"""The SQL that extracts the text of each field from a record: by key, or by the paths of a JSONPaths file."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sparkify.sql.quoting import literal, quoted
from sparkify.staging.contract import Contract, Field
from sparkify.staging.jsonpaths import JsonPaths


class Extraction(NamedTuple):
    """The SQL expressions that extract the fields of a record."""

    columns: str  # computed from `record` first, null unless it is `valid`
    texts: tuple[str, ...]  # the text of each field, computed from `record` and these columns
    types: tuple[str, ...]  # the JSON type of each field
    repeats: str  # whether a record's `keys` hold one of a field twice


def by_key(contract: Contract, keys: set[str]) -> Extraction:
    """Extract fields by their names, and by other spellings of them among the keys of all records."""
    spellings = {field.name: _other_spellings(field, keys) for field in contract.fields}
    structure = ", ".join(f'"{field.name}": "varchar"' for field in contract.fields)
    return Extraction(
        f"from_json(case when valid then record end, '{{{structure}}}') as fields",
        tuple(_text(name, others) for name, others in spellings.items()),
        tuple(
            f"coalesce({', '.join(f'json_type(record, {_path(spelling)})' for spelling in (name, *others))})"
            for name, others in spellings.items()
        ),
        " or ".join(
            [_has_repeats(spellings), *(_is_ambiguous(name, others) for name, others in spellings.items() if others)]
        ),
    )


def by_path(contract: Contract, paths: JsonPaths) -> Extraction:
    """Extract fields by the paths of a JSONPaths file."""
    literals = [literal(path.sql) for path in paths]
    return Extraction(
        f"json_extract_string(case when valid then record end, [{', '.join(literals)}]) as fields",
        tuple(f"fields[{number}]" for number in range(1, len(contract.fields) + 1)),
        tuple(f"json_type(record, {path})" for path in literals),
        _has_repeats({str(path.steps[0]) for path in paths}),
    )


def unknown_keys(keys: set[str], contract: Contract) -> set[str]:
    """Return the keys that match no field in any case."""
    known = {field.name.lower() for field in contract.fields}
    return {key for key in keys if key.lower() not in known}


def _has_repeats(names: Iterable[str]) -> str:
    matching = _matching(names)
    return f"len({matching}) <> len(list_distinct({matching}))"


def _is_ambiguous(name: str, others: Sequence[str]) -> str:
    """Return the SQL condition that a record has several spellings of a field and not the exact one."""
    return f"(len({_matching(others)}) > 1 and not list_contains(keys, {literal(name)}))"


def _matching(names: Iterable[str]) -> str:
    """Return the SQL of the list of a record's keys that are among some names."""
    return f"list_filter(keys, lambda key: key in ({', '.join(map(literal, names))}))"


def _other_spellings(field: Field, keys: set[str]) -> list[str]:
    return sorted(key for key in keys if key != field.name and key.lower() == field.name.lower())


def _text(name: str, others: Sequence[str]) -> str:
    """Return the SQL of a field's text: under its exact name if the record has it, else under another spelling."""
    if not others:
        return f"fields.{quoted(name)}"
    branches = " ".join(f"when json_exists(record, {_path(other)}) then record ->> {_path(other)}" for other in others)
    return f"case when not valid or json_exists(record, {_path(name)}) then fields.{quoted(name)} {branches} end"


def _path(key: str) -> str:
    return literal(f'$."{key}"')
