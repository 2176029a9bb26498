"""On PostgreSQL a full refresh builds its tables in a schema of its own, then replaces the old ones."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import psycopg
import pytest
from tests.promises import deliveries
from tests.support.postgres import Server
from tests.support.sandbox import Sandbox

from sparkify.config import Config
from sparkify.errors import ConfigError, WarehouseError
from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_missing_tables
from sparkify.warehouse.postgres import Postgres
from sparkify.warehouse.server import rebuild_schema


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
        with engine.rebuild(lambda *_: None) as fresh:
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
    waited_for: Queue[str] = Queue()

    def wait_for_the_ledger() -> None:
        with open_warehouse(warehouse.url, say=waited_for.put) as other, other.transaction():
            other.lock_ledger()

    def watched(self: Postgres, sql: str, parameters: Sequence[Any] = ()) -> int:
        if sql == "delete from songplays":  # The rebuild replaces all rows.
            threads.submit(wait_for_the_ledger)
            assert f"server process {self.value('select pg_backend_pid()')}," in waited_for.get(timeout=60)
        return execute(self, sql, parameters)

    with postgres.database() as url, ThreadPoolExecutor() as threads:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        monkeypatch.setattr(Postgres, "execute", watched)
        warehouse.etl(full_refresh=True)


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "idle_session_timeout"])
def test_session_may_be_idle(postgres: Server, setting: str) -> None:
    """A limit that the database sets for idle sessions does not end one that waits for a batch to be read."""
    with postgres.database() as url:
        with psycopg.connect(url, autocommit=True) as administrator:
            administrator.execute(f"alter database {administrator.info.dbname} set {setting} = 50".encode())
        with open_warehouse(url) as engine:
            if "transaction" in setting:
                engine.execute("begin")
            time.sleep(0.5)
            assert engine.value("select 1") == 1


@pytest.mark.parametrize(
    ("part", "other", "reason"),
    [(r"//\w+@", "//nobody@", 'role "nobody"'), (r"/\w+$", "/missing", 'database "missing"')],
)
def test_server_that_refuses_the_connection_is_not_called_unreachable(
    postgres: Server, part: str, other: str, reason: str
) -> None:
    """For a role or database that does not exist, the message has the server's reason and names what to check."""
    with postgres.database() as url, pytest.raises(WarehouseError) as caught:
        open_warehouse(re.sub(part, other, url))
    assert str(caught.value).startswith("PostgreSQL refuses the connection. Check user, password and database of")
    assert f"FATAL:  {reason} does not exist" in str(caught.value)


@pytest.mark.parametrize("schema", ["s" * 64, "pg_ours", "information_schema"])
def test_impossible_schema_is_wrong_usage(postgres: Server, schema: str) -> None:
    """A schema name that is too long or reserved by PostgreSQL is wrong usage."""
    with postgres.database() as url, pytest.raises(ConfigError, match="SCHEMA"):
        open_warehouse(url, Config(schema=schema))


def test_runs_leave_the_tables_of_others_as_they_are(postgres: Server, tmp_path: Path) -> None:
    """Tables and views that others have in our schema stay unchanged, and readers of ours do not block a run."""
    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        warehouse.execute("create table notes (word text, short varchar(9))")
        warehouse.execute("create view noted as select lower(word) as word, short from notes")
        before = warehouse.query(_COLLATIONS)
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        with warehouse.reading() as reader, reader.transaction():
            reader.rows("select * from staged_events")
            warehouse.environ = {"SPARKIFY_WAREHOUSE_LOCK_TIMEOUT": "1"}
            assert warehouse.etl().run.counts.files == 0
        assert warehouse.query(_COLLATIONS) == before


_COLLATIONS = """
select table_name, column_name, collation_name
from information_schema.columns
where table_name in ('notes', 'noted')
order by 1, 2
"""
