"""A stand-in for Amazon Redshift: its protocol, its rules and its COPY, in front of a real PostgreSQL.

README.md in this folder says what it is, what it refuses, and what it cannot know.
"""

from __future__ import annotations

import itertools
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
from tests.support.postgres import Server
from tests.support.redshift import catalogue
from tests.support.redshift.certificate import server_context
from tests.support.redshift.faults import Faults
from tests.support.redshift.relay import Session

_S3 = ("ENDPOINT_URL", "ENDPOINT_URL_S3", "ACCESS_KEY_ID", "SESSION_TOKEN", "DEFAULT_REGION")


class Standin:
    """A running stand-in: one port, many databases."""

    def __init__(self, server: Server, template: str, folder: Path, *, serverless: bool) -> None:
        self.tls, self.authority = server_context(folder)
        self.postgres_url = server.url
        self.serverless = serverless
        self.logins = {"sparkify": "Str0ng-enough"}
        """User → password; a test may add logins, also of users like ``IAM:tester``."""
        self.log: list[str] = []
        """Every statement that was executed in any session, unchanged."""
        self.faults = Faults()
        self.copies = catalogue.Copies()
        self.query_ids = itertools.count(100)
        self._clients: dict[tuple[str | None, ...], Any] = {}
        self._clients_lock = threading.Lock()
        self._server = server
        self._template = template
        self._sessions: dict[Session, threading.Thread] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="redshift stand-in", daemon=True)
        self._accepting.start()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables of a client: the authority to trust."""
        return {"SSL_CERT_FILE": str(self.authority)}

    @contextmanager
    def database(self, copied: str | None = None, user: str = "sparkify") -> Iterator[str]:
        """Create a database, empty or as a copy of another one of this stand-in; yield its URL; drop it."""
        with self._server.database(copied or self._template) as url:
            name = url.partition("?")[0].rpartition("/")[2]
            login = f"{quote(user, safe='')}:{quote(self.logins[user], safe='')}"
            yield f"redshift://{login}@localhost:{self.port}/{name}"
            self.copies.forget(name)

    def s3(self) -> Any:
        """Return the client for S3 that the environment describes: its endpoint, credentials and region."""
        described = tuple(os.environ.get(f"AWS_{name}") for name in _S3)
        with self._clients_lock:
            if described not in self._clients:
                # The cluster reads by its role; a local server accepts any credentials.
                spare = None if described[2] else "test"
                self._clients[described] = boto3.client(
                    "s3",
                    region_name=described[4] or "us-west-2",
                    aws_access_key_id=spare,
                    aws_secret_access_key=spare,
                )
            return self._clients[described]

    def close(self) -> None:
        """Stop listening, and end every session."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for client in self._clients.values():
            client.close()
        for session, thread in list(self._sessions.items()):
            session.interrupt()
            thread.join(timeout=10)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            session = Session(self, accepted)
            thread = threading.Thread(target=self._run, args=(session,), daemon=True)
            self._sessions[session] = thread
            thread.start()

    def _run(self, session: Session) -> None:
        try:
            session.run()
        finally:
            del self._sessions[session]


@contextmanager
def standin(server: Server, *, serverless: bool = False) -> Iterator[Standin]:
    """Run a stand-in in front of a PostgreSQL server: for a provisioned cluster, or for a Serverless workgroup."""
    with tempfile.TemporaryDirectory(prefix="sparkify-redshift-") as folder, catalogue.template(server) as template:
        running = Standin(server, template, Path(folder), serverless=serverless)
        try:
            yield running
        finally:
            running.close()
