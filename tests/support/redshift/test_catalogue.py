"""The system views and functions of Redshift in the stand-in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redshift_connector
from tests.support.redshift.conftest import Client

Connect = Callable[[], Client]


def test_transactions_show_who_holds_a_lock(client: Client, connect: Connect) -> None:
    """SVV_TRANSACTIONS shows session, mode and start of a lock to other sessions."""
    client.run("create table etl_lock (id integer)")
    client.run("begin")
    client.run("lock etl_lock")
    holders = connect().run(
        "select t.pid, t.granted, t.txn_start is not null from svv_transactions as t"
        " join pg_class as c on c.oid = t.relation"
        " where c.relname = 'etl_lock' and t.lock_mode = 'AccessExclusiveLock'"
    )
    assert holders == [(client.value("select pg_backend_pid()"), True, True)]


def test_session_can_be_ended_by_another(client: Client, connect: Connect) -> None:
    """PG_TERMINATE_BACKEND ends the session with a number."""
    other = connect()
    assert client.value(f"select pg_terminate_backend({other.value('select pg_backend_pid()')})")
    with pytest.raises(redshift_connector.InterfaceError):
        other.run("select 1")
    other.drop()


def test_table_info_lists_the_users_tables(client: Client) -> None:
    """SVV_TABLE_INFO has a row for each table, with its schema, size and statistics."""
    client.run("create schema sparkify")
    client.run("create table sparkify.plays (id integer)")
    rows = client.run('select "schema", "table", stats_off, unsorted from svv_table_info')
    assert [(schema, table) for schema, table, _, _ in rows] == [("sparkify", "plays")]


def test_cluster_has_slices(client: Client) -> None:
    """STV_SLICES has two slices on one node."""
    assert client.run("select node, slice from stv_slices order by slice") == [(0, 0), (0, 1)]


def test_isolation_is_snapshot(client: Client) -> None:
    """STV_DB_ISOLATION_LEVEL shows Snapshot, the default of new databases."""
    found = "select trim(isolation_level) from stv_db_isolation_level where db_name = ?"
    assert client.value(found, [client.value("select current_database()")]) == "Snapshot"


@pytest.mark.parametrize(
    ("call", "value"),
    [("len('é')", 1), ("nvl(cast(null as integer), 2)", 2), ("md5('a')", "0cc175b9c0f1b6a831c399e269772661")],
)
def test_functions_of_redshift(client: Client, call: str, value: object) -> None:
    """A documented function that PostgreSQL lacks exists, and one that both have gives the same result."""
    assert client.value(f"select {call}") == value
