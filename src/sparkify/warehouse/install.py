"""Create, describe and drop the tables and views of an open warehouse."""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256

from sparkify.config import Rules
from sparkify.errors import StillNeeded, Transient, WarehouseError
from sparkify.sql import loader, model
from sparkify.sql.dictionary import header, texts
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse.base import Row, Warehouse

LAYOUT = 1
"""The version of the tables. Raise it with every change of a table, a column, a type or a key."""

CONTRACT = 1
"""The version of the contract. Raise it when the same record would be judged or stored differently."""

_TO_NEW_TABLES = "Run `sparkify create-tables` to drop the tables, then `sparkify etl` to load all files again."

_VERSIONS = """
select distinct layout, contract
from etl_runs
where run_id in (select run_id from etl_files)
"""

_VIEWS_BY_AGE = """
select c.relname
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = current_schema() and c.relkind = 'v'
order by c.oid desc
"""


def contract_version(rules: Rules) -> str:
    """Return the version of the contract as a short text, which includes the settings of [CONTRACT]."""
    return f"{CONTRACT} (levels {', '.join(sorted(set(rules.levels)))}; from {rules.earliest})"


def require_versions(warehouse: Warehouse, rules: Rules) -> None:
    """Raise WarehouseError if a warehouse was filled in another layout, or under another contract."""
    comments = warehouse.comments()
    _require_layout(warehouse, comments)
    ours = contract_version(rules)
    for _, theirs in _versions(warehouse, comments):
        if theirs != ours:
            is_set_otherwise = theirs.partition(" ")[0] == str(CONTRACT)  # settings are all that can differ
            remedy = "Correct [CONTRACT], or run" if is_set_otherwise else "Run"
            raise WarehouseError(
                f"{warehouse.label}: was filled under contract {theirs}, but the current one is contract {ours}."
                f" {remedy} `sparkify etl --full-refresh` to load all files again."
            )


def _versions(warehouse: Warehouse, comments: Mapping[tuple[str, str], str]) -> list[Row]:
    """Return the layouts and contracts under which files were loaded; an empty list without a ledger."""
    has_ledger = {("etl_files", ""), (model.RUNS, "")} <= comments.keys()
    return warehouse.rows(_VERSIONS) if has_ledger else []


def _require_layout(warehouse: Warehouse, comments: Mapping[tuple[str, str], str]) -> None:
    """Raise WarehouseError if the tables have another layout, or were not created by sparkify."""
    _require_own_tables(warehouse, comments)
    if (model.RUNS, "") not in comments:
        return
    has_versions = (model.RUNS, "layout") in comments  # the first layout did not store its version
    for layout in {layout for layout, _ in _versions(warehouse, comments)} if has_versions else {0}:
        if layout != LAYOUT:
            raise WarehouseError(
                f"{warehouse.label}: its tables have layout {layout}, but this version of sparkify needs layout"
                f" {LAYOUT}. {_TO_NEW_TABLES}"
            )
    for table, columns in missing_columns(comments).items():
        raise WarehouseError(
            f"{warehouse.label}: the table {table} has lost its column {columns[0]} since sparkify created it."
            f" {_TO_NEW_TABLES}"
        )


def _require_own_tables(warehouse: Warehouse, comments: Mapping[tuple[str, str], str]) -> None:
    """Raise WarehouseError if a table with one of our names was not created by sparkify in any layout."""
    if (model.RUNS, "run_id") in comments:
        return
    for table, columns in missing_columns(comments).items():
        raise WarehouseError(
            f"{warehouse.label}: the table {table} was not created by sparkify: it has no column {columns[0]}. Name"
            " another warehouse, or rename the table."
        )


def missing_columns(comments: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """Return the columns missing from existing tables with our names, by table; see `Warehouse.comments`."""
    existing = {(table, column.lower()) for table, column in comments}
    missing: dict[str, list[str]] = {}
    for table, column in texts():
        if table in model.ALL and (table, "") in existing and (table, column.lower()) not in existing:
            missing.setdefault(table, []).append(column)
    return missing


def write_comments(warehouse: Warehouse) -> int:
    """Update the comments that differ from the data dictionary; return their number."""
    described = {(table, column.lower()): text for (table, column), text in texts().items()}  # servers fold case
    outdated = {}
    for (table, column), comment in warehouse.comments().items():
        text = described.get((table, column.lower()))
        is_view = table in model.VIEWS and not column  # create_views writes its comment
        if text and text != comment and not is_view:
            outdated[table, column] = text
    if outdated:
        with warehouse.transaction():
            warehouse.lock_ledger()  # a batch locks it before the tables that it analyzes
            for (table, column), text in sorted(outdated.items()):
                target = f"column {quoted(table)}.{quoted(column)}" if column else f"table {quoted(table)}"
                warehouse.execute(f"comment on {target} is {literal(text)}")
    return len(outdated)


_MARK = re.compile(r" \(sparkify [0-9a-f]{8}\)$")


def create_missing_views(warehouse: Warehouse) -> None:
    """Create the views that are missing, replace those with another definition, and drop those of other versions.

    Raise WarehouseError if a name is taken by another user's table or view, or if a view to drop has dependents.
    """
    if not _views_differ(warehouse):
        return
    try:
        _replace_views(warehouse, drop_other_views, create_views)
    except Transient:
        raise
    except WarehouseError:  # a server cannot replace a view if its columns change
        try:
            _replace_views(warehouse, drop_views, create_views)
        except WarehouseError as error:
            raise WarehouseError(
                f"{error}\nThe definition of a view has changed. Drop its dependents, run again, then recreate them."
            ) from error


def _replace_views(warehouse: Warehouse, *steps: Callable[[Warehouse], None]) -> None:
    with warehouse.transaction():
        warehouse.lock_ledger()  # another run may create them at the same time
        if _views_differ(warehouse):
            for step in steps:
                step(warehouse)


def _views_differ(warehouse: Warehouse) -> bool:
    comments = warehouse.comments()
    foreign = [view for view in model.VIEWS if (view, "") in comments and not _MARK.search(comments[view, ""])]
    if foreign:
        raise WarehouseError(
            f"{warehouse.label}: {foreign[0]} was not created by sparkify, which needs the name for a view. Rename it,"
            " then run again."
        )
    is_outdated = any(comments.get((view, "")) != _view_comment(view, warehouse) for view in model.VIEWS)
    return is_outdated or not _own_views(warehouse) <= set(model.VIEWS)


def _view_comment(view: str, warehouse: Warehouse) -> str:
    """Return the comment on a view: its description, and a hash that marks it as ours and identifies its definition."""
    statement = loader.read(f"views/{view}", warehouse.engine)
    return f"{header(statement)[view]} (sparkify {sha256(statement.encode()).hexdigest()[:8]})"


def create_views(warehouse: Warehouse) -> None:
    """Create or replace every view, inside a transaction."""
    for view in model.VIEWS:
        warehouse.execute(f"create or replace view {view} as\n{loader.read(f'views/{view}', warehouse.engine)}")
        warehouse.execute(f"comment on view {view} is {literal(_view_comment(view, warehouse))}")


def drop_views(warehouse: Warehouse) -> None:
    """Drop the views that sparkify created: first those of other versions, as they can read others."""
    drop_other_views(warehouse)
    ours = _own_views(warehouse)
    for view in (view for view in reversed(model.VIEWS) if view in ours):
        warehouse.execute(f"drop view {quoted(view)}")


def drop_other_views(warehouse: Warehouse) -> None:
    """Drop the views that other versions created, such as under earlier names; the newest first.

    A view is newer than those that it reads.
    """
    others = _own_views(warehouse).difference(model.VIEWS)
    for view in [view for (view,) in warehouse.rows(_VIEWS_BY_AGE) if view in others] if others else ():
        warehouse.execute(f"drop view {quoted(view)}")


def _own_views(warehouse: Warehouse) -> set[str]:
    """Return the views that sparkify created, in any version."""
    return {name for (name, column), comment in warehouse.comments().items() if not column and _MARK.search(comment)}


def create_tables(warehouse: Warehouse) -> None:
    """Drop every table and view, in any layout, and create them again, empty.

    Raise WarehouseError, before any change, if a table with one of these names was not created by sparkify.
    """
    _require_own_tables(warehouse, warehouse.comments())
    try:
        warehouse.retry(lambda: _recreate_tables(warehouse), "Nothing was dropped.")
    except StillNeeded as error:
        keeping = "; or run `sparkify etl --full-refresh`, which keeps them" if _has_our_layout(warehouse) else ""
        raise WarehouseError(
            f"{error}\nNothing was dropped. Drop the dependents, run again, then recreate them{keeping}."
        ) from error
    create_missing_tables(warehouse)


def _has_our_layout(warehouse: Warehouse) -> bool:
    """Return whether the tables have the current layout, as a full refresh requires."""
    try:
        _require_layout(warehouse, warehouse.comments())
    except WarehouseError:
        return False
    return True


def _recreate_tables(warehouse: Warehouse) -> None:
    with warehouse.alone():
        existing = {table for table, column in warehouse.comments() if not column}
        with warehouse.transaction():
            if existing >= {"etl_files", "staging_files"}:  # an engine locks one of them
                warehouse.lock_ledger()  # first, as every run does: otherwise, each could wait for the other
            drop_views(warehouse)
            for view in loader.names("staging"):
                warehouse.execute(f"drop view if exists {view}")
            for table in (*STAGING, *model.ALL, *model.RETIRED):
                warehouse.execute(f"drop table if exists {table}")
            warehouse.add_tables(model.ALL)


def create_missing_tables(warehouse: Warehouse) -> None:
    """Create missing tables and views, and update the comments.

    Raise WarehouseError, before any change, if existing tables have another layout, or were not created by sparkify.
    """
    warehouse.retry(lambda: _create_missing_tables(warehouse), "No row was changed.")


def _create_missing_tables(warehouse: Warehouse) -> None:
    with warehouse.alone():
        comments = warehouse.comments()
        _require_layout(warehouse, comments)
        warehouse.add_tables(table for table in model.ALL if (table, "") not in comments)
        create_missing_views(warehouse)
        write_comments(warehouse)


def count_rows(warehouse: Warehouse) -> dict[str, int]:
    """Return the number of rows of each table that exists."""
    existing = {table for table, column in warehouse.comments() if not column}
    return {table: warehouse.value(f"select count(*) from {table}") for table in model.ALL if table in existing}
