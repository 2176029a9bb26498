"""Tables and views are created beside those of others."""

from __future__ import annotations

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
