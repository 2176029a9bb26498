"""Tables and views are created beside those of others."""

from __future__ import annotations

import duckdb
import pytest
from tests.promises import deliveries
from tests.support.killing import file_of
from tests.support.sandbox import Warehouses

from sparkify.cli.main import main
from sparkify.config import Config
from sparkify.warehouse.connect import open_warehouse


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
