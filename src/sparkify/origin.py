"""Where a row of staging came from: its record, found again in its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from sparkify import jsonpaths, text
from sparkify.config import Config
from sparkify.contents import Contents
from sparkify.contract import Contract, Field, Type
from sparkify.reader import scratch_folder
from sparkify.sources import Piece, SourceFile
from sparkify.spool import pieces


def locate(
    file: SourceFile, rules: Contract, row: Mapping[str, Any], config: Config, passed: Container[tuple[int, bytes]] = ()
) -> Piece | None:
    """Return the first record of a file that says in every field what a row says; None if there is none.

    `passed` holds the line and text of records that belong to other rows.
    """
    given = _given(rules, config)
    with scratch_folder() as folder:
        contents = Contents(Path(folder), config.aws)
        contents.copy([file])
        for piece in pieces(file, contents):
            if piece.flaw or (piece.line, piece.text) in passed:
                continue
            try:
                record = json.loads(piece.text)
                if all(_says(field, given(record, field), row[field.name]) for field in rules.fields):
                    return piece
            except (ValueError, AttributeError, RecursionError):
                continue
    return None


def _given(rules: Contract, config: Config) -> Callable[[dict[str, Any], Field], Any]:
    """Return how to get a field's value of a record: along its path, or by its name, whatever the case."""
    paths = jsonpaths.load(config) if rules.kind == "events" else None
    if paths is None:
        return lambda record, field: record.get(
            field.name, next((value for key, value in record.items() if key.lower() == field.name.lower()), None)
        )
    steps = {field.name: path.steps for field, path in zip(rules.fields, paths, strict=True)}

    def along(record: dict[str, Any], field: Field) -> Any:
        value: Any = record
        for step in steps[field.name]:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    return along


def _says(field: Field, value: Any, staged: Any) -> bool:
    """Tell whether a value, taken by the contract, is what stands in staging."""
    if field.type is not Type.TEXT:
        return (value in (None, "") and staged is None) or (staged is not None and float(value or "nan") == staged)
    if isinstance(value, str):
        meant = value.rstrip(" ")
        return (text.repair(meant) if field.repaired else meant) == (staged or "")
    return (value is None) == (staged is None)  # a number's text has more than one form
