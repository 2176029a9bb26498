"""A URL that names no warehouse is reported without its secrets."""

from __future__ import annotations

import socket

import pytest

from sparkify.errors import ConfigError, Transient, WarehouseError
from sparkify.warehouse import postgres
from sparkify.warehouse.connect import open_warehouse


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr%zzet@localhost/db",
        "postgresql://u:p@s3cret@127.0.0.1:1/db",
        "postgresql://u:s3cret/p@127.0.0.1:1/db",
        "postgresql://u:s3cret/p?p@127.0.0.1:1/db",
        "postgresql:u:s3cret@h",
        "postgresql://[s3cret",
    ],
)
def test_invalid_url_is_not_repeated(url: str) -> None:
    """The message about an invalid URL does not repeat the password in it."""
    with pytest.raises(ConfigError) as caught:
        open_warehouse(url)
    assert "s3c" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "redshift"])
@pytest.mark.parametrize("password", ["s3c@s3c", "s3c/s3c", "55/s3c", "55@s3c/s3c", "s3c?s3c@s3c", "s3c/@", "@s3c"])
def test_unescaped_password_is_reported_as_such(scheme: str, password: str) -> None:
    """A password with an unescaped @ or / is wrong usage; the message says how to escape it, and repeats no part."""
    for rest in ("localhost:1/db", "localhost/db", "localhost", "localhost:1/db?host=x"):
        with pytest.raises(ConfigError, match=r"unescaped @ or /.* Write @ as %40, / as %2F") as caught:
            open_warehouse(f"{scheme}://user:{password}@{rest}")
        assert "s3c" not in str(caught.value)
        assert "55" not in str(caught.value)


def test_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to a PostgreSQL server that does not answer fails."""
    monkeypatch.setattr(postgres, "CONNECTED_WITHIN", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Transient, match="timeout"):
        open_warehouse(f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40s%2Fs%25@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1,127.0.0.1:1/db",
        "postgresql://user@/db?host=127.0.0.1&port=1&application_name=a@b/c",
        "postgresql:///db?host=127.0.0.1&port=1&user=a@b",
    ],
)
def test_escaped_password_is_used(url: str) -> None:
    """A URL with an escaped password, several hosts or an @ in a parameter is accepted, and the server is asked."""
    with pytest.raises(WarehouseError, match="PostgreSQL cannot be reached"):
        open_warehouse(url)
