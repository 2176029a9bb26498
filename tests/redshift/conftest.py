"""A stand-in for the tests of the stand-in, and sessions of the unchanged driver on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import redshift_connector
from tests.redshift import Standin

Row = tuple[Any, ...]


class Client:
    """A session of the unchanged driver, with values bound to ``?``."""

    def __init__(self, url: str, **parameters: Any) -> None:
        parts = urlsplit(url)
        self.connection = redshift_connector.connect(
            host=parts.hostname,
            port=parts.port,
            database=parts.path[1:],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            **{"ssl": True, "sslmode": "verify-full", **parameters},
        )
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.paramstyle = "qmark"

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement; return its rows."""
        self.cursor.execute(sql, list(parameters) or None)
        return [tuple(row) for row in self.cursor.fetchall()] if self.cursor.description else []

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run a SELECT of one value; return it."""
        return self.run(sql, parameters)[0][0]

    def refusal(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[str, str]:
        """Run a statement that is refused; return the SQLSTATE and the message."""
        with pytest.raises(redshift_connector.Error) as refused:
            self.run(sql, parameters)
        fields = refused.value.args[0]
        return fields["C"], fields["M"]

    def close(self) -> None:
        """End the session, if that has not been done."""
        with suppress(redshift_connector.InterfaceError):
            self.connection.close()


@pytest.fixture
def url(redshift: Standin) -> Iterator[str]:
    """Make an empty database; give its URL."""
    with redshift.database() as made:
        yield made


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., Client]]:
    """Open sessions on the empty database, as many as the test wants."""
    with ExitStack() as opened:

        def open_session(to: str = url, **parameters: Any) -> Client:
            client = Client(to, **parameters)
            opened.callback(client.close)
            return client

        yield open_session


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    """Open a session on the empty database."""
    return connect()
