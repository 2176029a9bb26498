"""Run the checks: each is a SELECT of offending rows, in a file named after the rule it states."""

from sparkify.errors import CheckFailed
from sparkify.sql import loader
from sparkify.warehouse.base import Warehouse

Period = tuple[str, str]
"""The first and last time of the facts that the checks read, in UTC, as SQL writes them."""

ALL_OF_TIME: Period = ("0001-01-01", "9999-12-31 23:59:59.999")
NO_TIME: Period = ("0001-01-01", "0001-01-01")
_SHOWN = 10


def statement(name: str, engine: str, period: Period = ALL_OF_TIME) -> str:
    """Return the SELECT of a check over the facts of a period.

    The period is written as literals: an engine's planner can use them, and not the values in a table.
    """
    return loader.read(f"checks/{name}", engine).replace(_between(ALL_OF_TIME), _between(period))


def _between(period: Period) -> str:
    return "between timestamp '{}' and timestamp '{}'".format(*period)


def offences(
    warehouse: Warehouse, period: Period = ALL_OF_TIME
) -> dict[str, tuple[list[str], list[tuple[object, ...]]]]:
    """Run every check over a period; return the columns and offending rows of each that failed, by name."""
    failed = {}
    for name in loader.names("checks"):
        columns, rows = warehouse.query(statement(name, warehouse.engine, period))
        if rows:
            failed[name] = (columns, rows)
    return failed


def run_all(warehouse: Warehouse, period: Period = ALL_OF_TIME) -> None:
    """Run every check over a period; raise CheckFailed, which lists offending rows, if one fails."""
    failed = offences(warehouse, period)
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
