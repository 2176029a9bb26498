"""The SQL of a run, as the four lists of the original design: create, drop, copy, insert."""

from __future__ import annotations

from sparkify.config import Config
from sparkify.pipeline import transform
from sparkify.sql import ddl, model
from sparkify.staging import exact_path, fast_path_sql
from sparkify.staging.contract import CONTRACTS, EVENTS
from sparkify.warehouse.connect import warehouse_class


def create_tables(config: Config) -> list[str]:
    """Return the statements that create every table and view of the configured warehouse."""
    return ddl.create_statements(warehouse_class(config.warehouse_url).engine)


def drop_tables() -> list[str]:
    """Return the statements that drop every table and view."""
    return ddl.drop_statements()


def copy_tables(config: Config) -> list[str]:
    """Return the statements that fill the staging tables of the configured warehouse.

    On a server, they copy the rows that the reader has staged in the embedded database. On DuckDB, they are the
    reader's own: the fast path reads a large log file, and the exact path a temporary file of cut records.
    """
    copied = warehouse_class(config.warehouse_url).copy_statements(config)
    if copied:
        return copied
    fast = fast_path_sql.insert_lines(EVENTS, {f"{config.log_data}/FILE.json": 0}, lenient=False)
    exact = [statement for rules in CONTRACTS.values() for statement in exact_path.statements(rules, "cut_records")]
    return [fast, *exact]


def insert_tables(config: Config) -> list[str]:
    """Return the statements that add rows to catalogue, dimensions and facts, in execution order."""
    warehouse = warehouse_class(config.warehouse_url)
    return [statement for table in model.ORDER for statement in transform.statements(table, warehouse)]
