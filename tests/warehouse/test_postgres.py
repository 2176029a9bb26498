"""On PostgreSQL a full refresh builds its tables in a schema of its own, then replaces the old ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.promises import deliveries
from tests.support.postgres import Server
from tests.support.sandbox import Sandbox

from sparkify.config import Config
from sparkify.errors import ConfigError, WarehouseError
from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_missing_tables
from sparkify.warehouse.postgres import Postgres, rebuild_schema


def test_schema_of_another_owner_stops_the_rebuild(postgres: Server, tmp_path: Path) -> None:
    """An existing schema with the name of the rebuild's schema stops a full refresh and stays unchanged."""
    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        beside = rebuild_schema("sparkify")
        warehouse.execute(f"create schema {beside}")
        warehouse.execute(f"create table {beside}.precious (x integer)")
        before = warehouse.contents()
        with pytest.raises(WarehouseError, match="Rename it"):
            warehouse.etl(full_refresh=True)
        assert warehouse.query(f"select count(*) from {beside}.precious") == [(0,)]
        assert warehouse.contents() == before


def test_new_connection_does_not_disturb_a_rebuild(postgres: Server) -> None:
    """A new connection deletes what a dead rebuild left, but does not disturb a running one."""
    with postgres.database() as url, open_warehouse(url) as engine:
        create_missing_tables(engine)
        with engine.rebuild() as fresh:
            fresh.add_tables(model.ALL)
            fresh.execute("insert into users (user_id) values ('7')")
            with open_warehouse(url):
                pass
        assert engine.rows("select user_id from users") == [("7",)]


def test_other_runs_wait_while_tables_are_replaced(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a full refresh replaces the tables, other runs wait for it and name its process."""
    execute = Postgres.execute
    waited_for: list[str] = []

    def watched(self: Postgres, sql: str, parameters: Sequence[Any] = ()) -> int:
        if sql == "delete from songplays":  # The rebuild replaces all rows.
            with open_warehouse(warehouse.url, read_only=True) as other:
                waited_for.extend(other.other_runs())
            process = self.value("select pg_backend_pid()")
            assert [f"server process {process}," in line for line in waited_for] == [True]
        return execute(self, sql, parameters)

    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        monkeypatch.setattr(Postgres, "execute", watched)
        warehouse.etl(full_refresh=True)
    assert len(waited_for) == 1


@pytest.mark.parametrize("schema", ["s" * 64, "pg_ours", "information_schema"])
def test_impossible_schema_is_wrong_usage(postgres: Server, schema: str) -> None:
    """A schema name that is too long or reserved by PostgreSQL is wrong usage."""
    with postgres.database() as url, pytest.raises(ConfigError, match="SCHEMA"):
        open_warehouse(url, Config(schema=schema))
