"""A stand-in for its own tests, and sessions of the unchanged driver on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import boto3
import pytest
import redshift_connector
from moto.server import ThreadedMotoServer
from tests.support.redshift import Standin

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
        """Run a statement that is refused; return its SQLSTATE and message."""
        with pytest.raises(redshift_connector.Error) as refused:
            self.run(sql, parameters)
        fields = refused.value.args[0]
        return fields["C"], fields["M"]

    def close(self) -> None:
        """Close the session, unless it is closed."""
        with suppress(redshift_connector.InterfaceError, OSError):
            self.connection.close()

    def drop(self) -> None:
        """Abandon a session that the other side has closed, since closing it would fail."""
        self.connection._usock.close()


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


class Bucket:
    """A bucket in a local S3, for a test alone."""

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self.name = name

    def put(self, key: str, content: bytes | str | list[Any]) -> str:
        """Store an object: bytes, text, or JSON records, one a line; return its URL."""
        if isinstance(content, list):
            content = "\n".join(json.dumps(record) for record in content)
        stored = content.encode() if isinstance(content, str) else content
        self._s3.put_object(Bucket=self.name, Key=key, Body=stored)
        return f"s3://{self.name}/{key}"

    def keys(self, prefix: str = "") -> list[str]:
        """Return what there is under a prefix, in order, without it."""
        found = self._s3.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return [entry["Key"].removeprefix(prefix) for entry in found]

    def get(self, key: str) -> bytes:
        """Return what an object holds."""
        stored: bytes = self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return stored

    def manifest(self, *urls: str, mandatory: bool | None = True, key: str = "manifest.json") -> str:
        """Store a manifest of some objects; return its URL."""
        entries = [{"url": url} if mandatory is None else {"url": url, "mandatory": mandatory} for url in urls]
        return self.put(key, json.dumps({"entries": entries}))


@pytest.fixture(scope="session")
def _s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(_s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Make an empty bucket in a local S3, to which the environment leads for this test alone."""
    settings = {
        "AWS_ENDPOINT_URL": _s3,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-west-2",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    name = f"bucket-{uuid4().hex[:12]}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    yield Bucket(client, name)
    client.close()
