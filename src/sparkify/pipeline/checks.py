"""Run the checks: each is a SELECT of offending rows, in a file named after the rule it states."""

from sparkify.errors import CheckFailed
from sparkify.sql import loader
from sparkify.warehouse.base import Warehouse

_SHOWN = 10


def set_period(
    warehouse: Warehouse,
    select: str = "select timestamp '0001-01-01' as first_time, timestamp '9999-12-31 23:59:59.999' as last_time",
) -> None:
    """Set the period whose facts the checks read; the default is all of time."""
    warehouse.keep_period(select)


def offences(warehouse: Warehouse) -> dict[str, tuple[list[str], list[tuple[object, ...]]]]:
    """Run every check; return the columns and offending rows of each that failed, by name."""
    failed = {}
    for name in loader.names("checks"):
        columns, rows = warehouse.query(loader.read(f"checks/{name}", warehouse.engine))
        if rows:
            failed[name] = (columns, rows)
    return failed


def run_all(warehouse: Warehouse) -> None:
    """Run every check; raise CheckFailed, which lists offending rows, if one fails."""
    failed = offences(warehouse)
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
