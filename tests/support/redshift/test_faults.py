"""Faults that a test can order, and the log of a session."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
import redshift_connector
from tests.support.redshift import Standin
from tests.support.redshift.conftest import Client
from tests.support.redshift.faults import Cut

# The driver does not close the socket of a lost connection.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")

Connect = Callable[[], Client]


@pytest.mark.parametrize(("moment", "kept"), [(Cut.BEFORE, 0), (Cut.AFTER, 1)])
def test_connection_is_cut_at_commit(
    redshift: Standin, client: Client, connect: Connect, moment: Cut, kept: int
) -> None:
    """A client loses its connection before the server receives its COMMIT, or after the commit."""
    client.run("create table plays (id integer)")
    client.run("begin")
    client.run("insert into plays values (1)")
    redshift.faults.cut_at_commit(moment)
    with pytest.raises(redshift_connector.InterfaceError):
        client.run("commit")
    assert connect().value("select count(*) from plays") == kept
    client.drop()
    gc.collect()


def test_connection_is_dropped_once(redshift: Standin, connect: Connect) -> None:
    """The next connection is silently dropped, and the one after it is not."""
    redshift.faults.drop_connections()
    with pytest.raises((redshift_connector.Error, OSError)):
        connect()
    assert connect().value("select 1") == 1
    gc.collect()


def test_login_is_turned_away_once(redshift: Standin, connect: Connect) -> None:
    """The next login is refused, as by a server with too many connections."""
    redshift.faults.turn_away()
    with pytest.raises(redshift_connector.Error, match="53300"):
        connect()
    assert connect().value("select 1") == 1
    gc.collect()


def test_statement_fails_once(redshift: Standin, client: Client) -> None:
    """The next statement that matches a pattern fails as ordered, and no other."""
    client.run("create table plays (id integer)")
    redshift.faults.violate_isolation("^delete from plays")
    client.run("insert into plays values (1)")
    assert client.refusal("DELETE FROM plays") == ("XX000", "1023")
    client.run("delete from plays")


def test_every_statement_is_logged_unchanged(redshift: Standin, client: Client) -> None:
    """The log has each statement each time it runs, unchanged."""
    redshift.log.clear()
    for number in (1, 2):
        client.run("select cast(? as integer) as first -- twice", [number])
    assert redshift.log == ["select cast($1 as integer) as first -- twice"] * 2
