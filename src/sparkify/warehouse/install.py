"""Create, describe and drop the tables and views of an open warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256

from sparkify.errors import StillNeeded, WarehouseError
from sparkify.sql import loader, model
from sparkify.sql.dictionary import header, texts
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse.base import Warehouse


def missing_columns(stands: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """Return the columns that tables of our names lack, by table; `stands` is what `Engine.comments` says."""
    there = {(table, column.lower()) for table, column in stands}
    lacks: dict[str, list[str]] = {}
    for table, column in texts():
        if table in model.ALL and (table, "") in there and (table, column.lower()) not in there:
            lacks.setdefault(table, []).append(column)
    return lacks


def write_comments(warehouse: Warehouse) -> int:
    """Write the dictionary into the warehouse's comments, where they say something else; return how many."""
    said = {(table, column.lower()): text for (table, column), text in texts().items()}  # as a server spells it
    wrong = {}
    for (table, column), stands in warehouse.comments().items():
        text = said.get((table, column.lower()))
        is_view = table in model.VIEWS and not column  # whose comment is written with it
        if text and text != stands and not is_view:
            wrong[table, column] = text
    if wrong:
        with warehouse.transaction():
            for (table, column), text in wrong.items():
                what = f"column {quoted(table)}.{quoted(column)}" if column else f"table {quoted(table)}"
                warehouse.execute(f"comment on {what} is {literal(text)}")
    return len(wrong)


_MARK = re.compile(r" \(sparkify [0-9a-f]{8}\)$")


def create_missing_views(warehouse: Warehouse) -> None:
    """Make the views that are missing in the warehouse or are defined otherwise, with a comment on each.

    Raise WarehouseError where something of somebody else's has the name of one, or stands on one that has to go.
    """
    if not _views_differ(warehouse):
        return
    try:
        _replace_views(warehouse, create_views)
    except WarehouseError:  # a server replaces no view by one of other columns
        try:
            _replace_views(warehouse, drop_views, create_views)
        except WarehouseError as error:
            raise WarehouseError(
                f"{error}\nOur views are defined anew. Drop what stands on them, run again, and make it anew."
            ) from error


def _replace_views(warehouse: Warehouse, *steps: Callable[[Warehouse], None]) -> None:
    with warehouse.transaction():
        warehouse.lock_ledger()  # two runs at once would make them twice
        if _views_differ(warehouse):
            for step in steps:
                step(warehouse)


def _views_differ(warehouse: Warehouse) -> bool:
    comments = warehouse.comments()
    theirs = [view for view in model.VIEWS if (view, "") in comments and not _MARK.search(comments[view, ""])]
    if theirs:
        raise WarehouseError(
            f"{warehouse.label}: {theirs[0]} is needed for a view of ours, and is somebody's. Rename it, and run again."
        )
    return any(comments.get((view, "")) != _view_comment(view, warehouse) for view in model.VIEWS)


def _view_comment(view: str, warehouse: Warehouse) -> str:
    """Return the comment on a view: what it is, and a mark that tells it as ours, and its definition from others."""
    statement = loader.read(f"views/{view}", warehouse.engine)
    return f"{header(statement)[view]} (sparkify {sha256(statement.encode()).hexdigest()[:8]})"


def create_views(warehouse: Warehouse) -> None:
    """Make every view anew, inside a transaction."""
    for view in model.VIEWS:
        warehouse.execute(f"create or replace view {view} as\n{loader.read(f'views/{view}', warehouse.engine)}")
        warehouse.execute(f"comment on view {view} is {literal(_view_comment(view, warehouse))}")


def drop_views(warehouse: Warehouse) -> None:
    """Drop every view of ours that is there."""
    comments = warehouse.comments()
    for view in reversed(model.VIEWS):
        if _MARK.search(comments.get((view, ""), "")):
            warehouse.execute(f"drop view {view}")


def create_tables(warehouse: Warehouse) -> None:
    """Drop every table and view of the warehouse and create it anew, empty."""
    try:
        with warehouse.alone(), warehouse.transaction():
            drop_views(warehouse)
            for view in loader.names("staging"):
                warehouse.execute(f"drop view if exists {view}")
            for table in (*STAGING, *model.ALL):
                warehouse.execute(f"drop table if exists {table}")
            warehouse.add_tables(model.ALL)
    except StillNeeded as error:
        raise WarehouseError(
            f"{error}\nNothing was dropped. Drop what stands on our tables, run again, and make it anew;"
            " or rebuild them with `sparkify etl --full-refresh`, which leaves it standing."
        ) from error
    create_missing_tables(warehouse)


def create_missing_tables(warehouse: Warehouse) -> None:
    """Create the tables and views that are not there, and say in the warehouse's comments what they hold.

    Raise WarehouseError, before anything is created, where a table of one of these names is not ours.
    """
    with warehouse.alone():
        stands = warehouse.comments()
        if wrong := missing_columns(stands):
            table, columns = next(iter(wrong.items()))
            raise WarehouseError(
                f"{warehouse.label}: its table {table} is not one of ours: it has no {columns[0]}."
                " Name another warehouse, or rename the table."
            )
        warehouse.add_tables(table for table in model.ALL if (table, "") not in stands)
        create_missing_views(warehouse)
        write_comments(warehouse)


def count_rows(warehouse: Warehouse) -> dict[str, int]:
    """Return how many rows each table has."""
    return {table: warehouse.value(f"select count(*) from {table}") for table in model.ALL}
