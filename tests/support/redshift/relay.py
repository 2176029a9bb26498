"""One client's session: TLS, start-up, login, and the statements, relayed to a session on the real server.

What the unchanged driver needs beyond PostgreSQL's protocol: a password asked for without SCRAM, its own start-up
parameters swallowed (client_protocol_version and others), and the version that Redshift reports, 8.0.2.
"""

from __future__ import annotations

import hmac
import socket
import ssl
import struct
from typing import TYPE_CHECKING

from tests.support.redshift import catalogue, copying, ddl, rules, unloading
from tests.support.redshift.faults import Cut
from tests.support.redshift.protocol import Backend, Channel, Refusal, completed, info, message, ready, refusal_in
from tests.support.redshift.rules import Action, Statement

if TYPE_CHECKING:
    from tests.support.redshift import Standin

_SSL_REQUEST = 80877103
_PROTOCOL_3 = 196608

Messages = list[tuple[bytes, bytes]]


class Hangup(Exception):
    """The relay silently ends the conversation, as a broken network would."""


class Session:
    """A client's session, from its first byte to its last; runs in a thread of its own."""

    def __init__(self, standin: Standin, accepted: socket.socket) -> None:
        self._standin = standin
        self._accepted = accepted
        self._client: Channel | None = None
        self._backend: Backend | None = None
        self._statements: dict[str, Statement] = {}
        self._portals: dict[str, Statement] = {}
        self._database = ""
        self._last: dict[str, int] = {}

    def interrupt(self) -> None:
        """End the conversation from another thread."""
        for channel in (self._client, self._backend):
            if channel:
                channel.interrupt()

    def run(self) -> None:
        """Relay the conversation until either side closes."""
        try:
            self._client = client = Channel(self._secured())
            self._accepted.settimeout(None)
            self._backend = backend = self._logged_in(client)
            self._converse(client, backend)
        except (OSError, Hangup):
            pass  # The client, the server or a fault ended the conversation.
        except Refusal as refusal:
            if self._client:
                self._client.send(refusal.encoded())
        finally:
            for channel in (self._client, self._backend):
                if channel:
                    channel.close()
            self._accepted.close()

    def _secured(self) -> ssl.SSLSocket:
        """Begin TLS, or refuse a client that does not ask for it.

        require_ssl is true on new clusters and workgroups since January 2025 ("Configure security options for
        connections", Management Guide).
        """
        self._accepted.settimeout(10)
        self._accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._standin.faults.drops():
            raise Hangup
        plain = Channel(self._accepted)
        _, code = struct.unpack("!II", plain.exactly(8))
        if code != _SSL_REQUEST:
            self._accepted.sendall(
                Refusal("no pg_hba.conf entry: SSL is required", "28000", severity="FATAL").encoded()
            )
            raise Hangup
        self._accepted.sendall(b"S")
        secured = self._standin.tls.wrap_socket(self._accepted, server_side=True)
        self._accepted = secured
        return secured

    def _logged_in(self, client: Channel) -> Backend:
        """Check the login, and open the session on the real server."""
        length, protocol = struct.unpack("!II", client.exactly(8))
        if protocol != _PROTOCOL_3:
            raise Refusal(f"unsupported frontend protocol {protocol >> 16}.{protocol & 0xFFFF}", "0A000")
        said = client.exactly(length - 8).split(b"\0")
        parameters = {key.decode(): value.decode() for key, value in zip(said[::2], said[1::2], strict=False) if key}
        user = parameters.get("user", "")
        client.send(message(b"R", struct.pack("!I", 3)))  # Ask for a password in clear text, inside TLS.
        kind, body = client.receive()
        expected = self._standin.logins.get(user)
        given = body.rstrip(b"\0")
        if kind != b"p" or expected is None or not hmac.compare_digest(given, expected.encode()):
            raise Refusal(f'password authentication failed for user "{user}"', "28000", severity="FATAL")
        self._standin.faults.login()
        self._database = parameters.get("database", user)
        backend = Backend(self._standin.postgres_url, self._database)
        backend.run(catalogue.start_of_session(user))
        reported = {**backend.parameters(), "server_version": "8.0.2", "session_authorization": user}
        answer = [message(b"R", struct.pack("!I", 0))]
        answer += [message(b"S", f"{name}\0{value}\0".encode()) for name, value in reported.items()]
        answer += [message(b"K", struct.pack("!II", backend.pid, 0)), ready(b"I")]
        client.send(b"".join(answer))
        return backend

    def _converse(self, client: Channel, backend: Backend) -> None:
        """Answer the client, one group of messages at a time: a simple query, or all up to a Sync."""
        said: Messages = []
        while True:
            kind, body = client.receive()
            if kind == b"X":
                return
            if kind == b"Q":
                raise Refusal("the stand-in speaks the extended protocol only, as the driver does", "0A000")
            if kind == b"H":  # After a Flush the driver always sends a Sync, and waits for nothing before it.
                continue
            if kind != b"S":
                said.append((kind, body))
                continue
            try:
                self._answer(client, backend, said)
            except Refusal as refusal:
                self._fail(backend)
                client.send(refusal.encoded() + ready(backend.status))
            said = []

    def _answer(self, client: Channel, backend: Backend, said: Messages) -> None:
        """Answer the messages up to a Sync."""
        forwarded = bytearray()
        answered = bytearray()
        for kind, body in said:
            answer = self._take(backend, kind, body)
            if isinstance(answer, bytes):
                answered += answer
            else:
                forwarded += message(*answer)
        if answered and forwarded:
            raise Refusal("the stand-in answers a group of messages alone, or hands all of it on", "0A000")
        if answered:
            client.send(answered + ready(backend.status))
            return
        cut = self._standin.faults.commit() if self._is_commit(said) else None
        if cut is Cut.BEFORE:
            raise Hangup
        backend.send(forwarded + message(b"S"))
        if cut is Cut.AFTER:
            backend.answer()
            raise Hangup
        self._relay(client, backend)

    def _is_commit(self, said: Messages) -> bool:
        return any(kind == b"E" and self._portals[_portal(body)].kind in ("commit", "end") for kind, body in said)

    def _take(self, backend: Backend, kind: bytes, body: bytes) -> bytes | tuple[bytes, bytes]:
        """Return the answer to a message, or the message to pass on."""
        if kind == b"P":
            name, text, types = body.split(b"\0", 2)
            statement = rules.judged(text.decode(), serverless=self._standin.serverless)
            self._statements[name.decode()] = statement
            if statement.action is not Action.PASS:
                return message(b"1")
            return kind, name + b"\0" + statement.rewritten.encode() + b"\0" + types
        if kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self._portals[portal.decode()] = statement = self._statement(name)
            return (kind, body) if statement.action is Action.PASS else message(b"2")
        if kind == b"E":
            statement = self._portals[_portal(body)]
            self._standin.log.append(statement.text)
            self._standin.faults.statement(statement.text)
            self._refresh_views(backend, statement)
            if statement.action is Action.PASS:
                return kind, body
            return self._performed(backend, statement)
        if kind in b"DC":
            named = self._statement(body[1:-1]) if body[:1] == b"S" else self._portals.get(body[1:-1].decode())
            if named is None or named.action is Action.PASS:
                return kind, body
            return message(b"3") if kind == b"C" else message(b"t", b"\0\0") + message(b"n")
        raise Refusal(f"the stand-in does not know the message {kind!r}", "08P01")

    def _statement(self, name: bytes) -> Statement:
        try:
            return self._statements[name.decode()]
        except KeyError:
            raise Refusal(f'prepared statement "{name.decode()}" does not exist', "26000") from None

    def _refresh_views(self, backend: Backend, statement: Statement) -> None:
        """Store the results of COPY and UNLOAD in the server, outside transactions, before a statement reads them."""
        if backend.status != b"E" and statement.mentions("sys_load_", "pg_last_"):
            calls = [catalogue.setting(f"redshift.{name}", str(value)) for name, value in self._last.items()]
            calls += self._standin.copies.told(self._database)
            backend.run("select " + ", ".join(calls))

    def _performed(self, backend: Backend, statement: Statement) -> bytes:
        """Run a command of the relay itself."""
        if statement.action is Action.TRUNCATE:
            backend.run(statement.rewritten)
            if backend.status == b"T":
                backend.run("commit")
            return completed("TRUNCATE TABLE")
        if statement.action is Action.UNLOAD:
            return self._unloaded(backend, unloading.parsed(statement.tokens))
        return self._copied(backend, copying.parsed(statement.tokens))

    def _copied(self, backend: Backend, copy: copying.Copy) -> bytes:
        """Run a COPY; record it, failed or not, for the system views, which survive a rollback."""
        copies, database, query = self._standin.copies, self._database, next(self._standin.query_ids)
        try:
            loaded = copying.load(copy, backend, self._standin.s3())
        except copying.LoadFailed as failed:
            copies.remember(database, query, backend.pid, failed.loaded, has_failed=True)
            raise
        copies.remember(database, query, backend.pid, loaded, has_failed=False)
        self._last |= {"last_copy_id": query, "last_copy_count": loaded.rows, "last_query_id": query}
        said = info(f"Load into table '{loaded.table}' completed, {loaded.rows} record(s) loaded successfully.")
        if loaded.errors:
            said += info(
                f"Load into table '{loaded.table}' completed, {len(loaded.errors)} record(s) could not be loaded. "
                " Check 'sys_load_error_detail' system table for details."
            )
        return said + completed("COPY")

    def _unloaded(self, backend: Backend, unload: unloading.Unload) -> bytes:
        """Run an UNLOAD.

        One that fails while it unloads leaves a count of 0; one that does not get so far, that of the one before
        ("PG_LAST_UNLOAD_COUNT", "PG_LAST_UNLOAD_ID").
        """
        query = unloading.selected(rules.judged(unload.query, serverless=self._standin.serverless))
        number = next(self._standin.query_ids)
        self._last |= {"last_unload_id": number, "last_unload_count": 0, "last_query_id": number}
        self._last["last_unload_count"] = rows = unloading.run(unload, query, backend, self._standin.s3())
        return info(f"UNLOAD completed, {rows} record(s) unloaded successfully.") + completed("UNLOAD")

    def _relay(self, client: Channel, backend: Backend) -> None:
        """Pass on the server's answer."""
        gathered = bytearray()
        for kind, body in backend.messages():
            if kind == b"Z":
                backend.status = body
            gathered += rephrased(body).encoded() if kind == b"E" else message(kind, body)
            if len(gathered) > 1 << 18 or (kind == b"Z"):
                client.send(gathered)
                gathered.clear()

    def _fail(self, backend: Backend) -> None:
        """Make a transaction fail on the server too, after the relay has refused one of its statements."""
        if backend.status == b"T":
            try:
                backend.run("select 1 / 0")
            except Refusal:
                return


def _portal(body: bytes) -> str:
    return body.partition(b"\0")[0].decode()


def rephrased(body: bytes) -> Refusal:
    """Return an error of the real server in Redshift's words."""
    refusal = refusal_in(body)
    if refusal.state == "40001":
        # "Troubleshooting serializable isolation errors". State and form as a user of the same driver reported them:
        # aws/aws-sdk-pandas, issue 665.
        detail = f"Serializable isolation violation on table - 0, transactions forming the cycle are: {refusal.message}"
        return Refusal("1023", "XX000", detail)
    if refusal.state == "23502":
        return Refusal(f"Cannot insert a NULL value into column {refusal.column}", "23502")
    if refusal.state == "23514" and (width := ddl.width_in(refusal.constraint)):
        return Refusal(f"value too long for type character varying({width})", "22001")
    return refusal
