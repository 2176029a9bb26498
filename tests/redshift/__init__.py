"""A stand-in for Amazon Redshift: its protocol, its rules and its COPY, in front of a real PostgreSQL.

README.md in this folder says what it is, what it refuses, and what it cannot know.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from tests.postgres import Server
from tests.redshift.certificate import server_context
from tests.redshift.faults import Faults
from tests.redshift.relay import Session


class Standin:
    """A running stand-in: one port, many databases."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.tls, self.authority = server_context(folder)
        self.postgres_url = server.url
        self.logins = {"sparkify": "Str0ng-enough"}
        """User → password; add to it as you like, also for users like ``IAM:tester``."""
        self.log: list[str] = []
        """Every statement that was executed, as it came, over all sessions."""
        self.faults = Faults()
        self._server = server
        self._sessions: dict[Session, threading.Thread] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="redshift stand-in", daemon=True)
        self._accepting.start()

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment must hold: the authority that it is to trust."""
        return {"SSL_CERT_FILE": str(self.authority)}

    @contextmanager
    def database(self, copied: str | None = None, user: str = "sparkify") -> Iterator[str]:
        """Make a database, empty or as the one at another URL of this stand-in is; give its URL; drop it."""
        with self._server.database(copied) as url:
            name = url.partition("?")[0].rpartition("/")[2]
            login = f"{quote(user, safe='')}:{quote(self.logins[user], safe='')}"
            yield f"redshift://{login}@localhost:{self.port}/{name}"

    def close(self) -> None:
        """Stop listening, and end every session."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
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
def standin(server: Server) -> Iterator[Standin]:
    """Run a stand-in in front of a PostgreSQL server."""
    with tempfile.TemporaryDirectory(prefix="sparkify-redshift-") as folder:
        running = Standin(server, Path(folder))
        try:
            yield running
        finally:
            running.close()
