"""Run the checks: each is a SELECT of offending rows, in a file named after the rule it states."""

from collections.abc import Sequence

from sparkify.errors import CheckFailed
from sparkify.sql import loader
from sparkify.sql.period import ALL_OF_TIME, Period, limited, of_changed_tracks
from sparkify.warehouse.base import Warehouse

Offences = dict[str, tuple[list[str], list[tuple[object, ...]]]]
"""Name of a failed check → its columns and offending rows."""

_AGREES = "every_play_agrees_with_its_track"
_SHOWN = 10


def statement(name: str, engine: str, periods: Sequence[Period] = ALL_OF_TIME) -> str:
    """Return the SELECT of a check over the facts of some periods."""
    return limited(loader.read(f"checks/{name}", engine), periods)


def offences(warehouse: Warehouse, periods: Sequence[Period] = ALL_OF_TIME) -> Offences:
    """Run every check over some periods; return those that failed."""
    selects = {name: statement(name, warehouse.engine, periods) for name in loader.names("checks")}
    return _failed(warehouse, selects)


def _failed(warehouse: Warehouse, selects: dict[str, str]) -> Offences:
    found = {name: warehouse.query(select) for name, select in selects.items()}
    return {name: (columns, rows) for name, (columns, rows) in found.items() if rows}


def check_batch(warehouse: Warehouse, periods: Sequence[Period] = ALL_OF_TIME, *, has_rematched: bool = False) -> None:
    """Run every check over the periods of a batch; raise CheckFailed, which lists offending rows, if one fails.

    If the batch has matched known tracks with other songs, plays of other times have changed too. They are compared
    with their tracks, whose songs and artists are checked as a whole.
    """
    failed = offences(warehouse, periods)
    if has_rematched and not failed:
        with warehouse.by_index():
            failed = _failed(warehouse, {_AGREES: of_changed_tracks(statement(_AGREES, warehouse.engine))})
    if failed:
        messages = [message(name, columns, rows) for name, (columns, rows) in failed.items()]
        raise CheckFailed(
            "\n".join([*messages, "Nothing of this batch was published. Correct these rows, then run again."])
        )


def message(name: str, columns: list[str], rows: list[tuple[object, ...]]) -> str:
    """Return the name of a failed check and its first offending rows, as text."""
    lines = [f"check failed: {name.replace('_', ' ')} (offending rows: {len(rows)})"]
    for row in rows[:_SHOWN]:
        values = ("null" if value is None else value for value in row)
        lines.append("  " + ", ".join(f"{column} = {value}" for column, value in zip(columns, values, strict=True)))
    if len(rows) > _SHOWN:
        lines.append(f"  … and {len(rows) - _SHOWN} more")
    return "\n".join(lines)
