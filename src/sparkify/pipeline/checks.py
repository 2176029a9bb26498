"""The checks: each is a SELECT of rows that must not be there, in a file named as the sentence it states."""

from __future__ import annotations

from sparkify.errors import CheckFailed
from sparkify.sql import loader
from sparkify.warehouse.base import Warehouse

_SHOWN = 10


def set_period(
    warehouse: Warehouse,
    select: str = "select timestamp '0001-01-01' as first_time, timestamp '9999-12-31 23:59:59.999' as last_time",
) -> None:
    """Say of which time the checks look at the facts: by default of all."""
    warehouse.keep_period(select)


def offences(warehouse: Warehouse) -> dict[str, tuple[list[str], list[tuple[object, ...]]]]:
    """Run every check; return those that failed, each with its columns and the offending rows."""
    failed = {}
    for name in loader.names("checks"):
        columns, rows = warehouse.query(loader.read(f"checks/{name}", warehouse.engine))
        if rows:
            failed[name] = (columns, rows)
    return failed


def run_all(warehouse: Warehouse) -> None:
    """Run every check; raise CheckFailed, with the offending rows, if one fails."""
    failed = offences(warehouse)
    if failed:
        found = [told(name, columns, rows) for name, (columns, rows) in failed.items()]
        raise CheckFailed(
            "\n".join([*found, "Nothing of this batch is published. Correct those records, and run again."])
        )


def told(name: str, columns: list[str], rows: list[tuple[object, ...]]) -> str:
    """Say which check failed, and on which rows."""
    lines = [f"check failed: {name.replace('_', ' ')} ({len(rows)} rows do not comply)"]
    lines += ["  " + ", ".join(f"{c} = {v}" for c, v in zip(columns, row, strict=True)) for row in rows[:_SHOWN]]
    if len(rows) > _SHOWN:
        lines.append(f"  … and {len(rows) - _SHOWN} more")
    return "\n".join(lines)
