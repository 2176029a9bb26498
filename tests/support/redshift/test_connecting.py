"""Connections to the stand-in: TLS, logins and databases."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable

import pytest
import redshift_connector
from tests.support.redshift import Standin
from tests.support.redshift.conftest import Client

# The driver does not close the socket of a refused login.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")


def test_the_unchanged_driver_runs_statements_over_tls(client: Client) -> None:
    """Values are bound and returned with their types, over TLS with certificate and host verified."""
    assert client.run("select ?, ?, cast(1.5 as double precision)", [1, "é"]) == [(1, "é", 1.5)]


def test_client_without_tls_is_refused(connect: Callable[..., Client]) -> None:
    """A client without TLS is refused."""
    with pytest.raises(redshift_connector.Error, match="SSL is required"):
        connect(ssl=False)
    gc.collect()


def test_client_that_does_not_trust_the_authority_does_not_connect(
    connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the authority's certificate, the driver refuses the server."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises((redshift_connector.Error, ssl.SSLError)):
        connect()
    gc.collect()


@pytest.mark.parametrize("change", [("sparkify:", "nobody:"), ("Str0ng", "Weak")], ids=["user", "password"])
def test_wrong_login_is_refused(connect: Callable[..., Client], url: str, change: tuple[str, str]) -> None:
    """An unknown user and a wrong password are refused in the same words, with SQLSTATE 28000."""
    with pytest.raises(redshift_connector.InterfaceError, match="password authentication failed") as refused:
        connect(url.replace(*change))
    assert refused.value.args[0]["C"] == "28000"
    gc.collect()


def test_temporary_login_of_iam_works(redshift: Standin, connect: Callable[..., Client]) -> None:
    """A user of IAM, with a colon in the name, logs in with a temporary password."""
    redshift.logins["IAM:tester"] = "temp/or+ary=="
    with redshift.database(user="IAM:tester") as url:
        client = connect(url)
        assert client.value("select 1") == 1
        client.close()


def test_unknown_database_is_refused(connect: Callable[..., Client], url: str) -> None:
    """The refusal of an unknown database names it."""
    with pytest.raises(redshift_connector.ProgrammingError, match="_nowhere"):
        connect(f"{url}_nowhere")
    gc.collect()


def test_databases_are_separate(redshift: Standin, connect: Callable[..., Client], client: Client) -> None:
    """A table is in its own database and in copies of that, and in no other."""
    client.run("create table plays (id integer)")
    name = client.value("select current_database()")
    client.close()
    with redshift.database() as other, redshift.database(copied=name) as copy:
        for url, found in ((other, 0), (copy, 1)):
            counted = connect(url)
            assert counted.value("select count(*) from pg_tables where tablename = 'plays'") == found
            counted.close()
