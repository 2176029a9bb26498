"""Tables and views are created beside those of others."""

from __future__ import annotations

import duckdb
import pytest
from tests.promises import deliveries
from tests.support.killing import file_of
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.cli.main import main
from sparkify.config import Config
from sparkify.sql.model import STAGING
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_tables


def test_table_of_another_owner_is_left_alone(make_warehouse: Warehouses) -> None:
    """If a table with one of sparkify's names has other columns, nothing is created, dropped or changed."""
    warehouse = make_warehouse.absent()
    with open_warehouse(warehouse.url, Config()) as engine:
        engine.execute("create table users (a integer)")
    for command in (["create-tables", "--yes"], ["etl", "--log-data", str(warehouse.log_data)]):
        assert main([*command, "--warehouse", warehouse.url]) == 1
    with open_warehouse(warehouse.url, Config()) as engine:
        assert set(engine.comments()) == {("users", ""), ("users", "a")}


def test_dry_run_of_a_warehouse_without_tables_lists_every_file(
    make_warehouse: Warehouses, capsys: pytest.CaptureFixture[str]
) -> None:
    """`etl --dry-run` reads an empty database as one that has loaded nothing, and creates nothing in it."""
    warehouse = make_warehouse.absent()
    deliveries.first(warehouse.log_data, warehouse.song_data)
    if warehouse.url.startswith("duckdb:"):
        duckdb.connect(file_of(warehouse)).close()
    sources = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    assert main(["etl", "--dry-run", "--warehouse", warehouse.url, *sources]) == 0
    assert "Would load 3 files" in capsys.readouterr().err
    with open_warehouse(warehouse.url, read_only=True) as engine:
        assert engine.comments() == {}


RETIRED = [
    "create table checked_period (first_time timestamp)",
    *(f"create view {name} as select * from {read}" for name, read in (("v", "users"), ("a", "v"), ("z", "a"))),
    *(f"comment on view {name} is 'A view. (sparkify 01234567)'" for name in "vaz"),
]
"""Statements that create what other versions of sparkify created, and this one does not."""


def test_create_tables_drops_what_other_versions_created(warehouse: Sandbox) -> None:
    """`create-tables` drops the tables of earlier layouts, and views of other versions that read each other."""
    with open_warehouse(warehouse.url) as engine:
        before = set(engine.comments())
        for statement in RETIRED:
            engine.execute(statement)
        create_tables(engine)
        assert set(engine.comments()) == before


@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
@pytest.mark.parametrize("table", STAGING)
def test_create_tables_replaces_a_missing_staging_table(warehouse: Sandbox, table: str) -> None:
    """`create-tables` creates the tables of a schema from which someone has dropped a staging table."""
    with open_warehouse(warehouse.url) as engine:
        before = set(engine.comments())
        engine.execute(f"drop table {table} cascade")
        create_tables(engine)
        assert set(engine.comments()) == before
