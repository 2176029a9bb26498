"""PostgreSQL's wire protocol, version 3: messages, and the relay's own session on the real server.

Source: PostgreSQL's documentation, "Frontend/Backend Protocol", chapters "Message Flow" and "Message Formats".
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg import pq

_CHUNK = 1 << 18  # bytes that are read at once
_HEADER = struct.Struct("!cI")

Row = tuple[str | None, ...]


class Described(NamedTuple):
    """A column of a result."""

    name: str
    type: int  # the number of the type in pg_type
    modifier: int  # the width or precision, in the encoding of the type; -1 for none


class Refusal(Exception):
    """An error as a server reports it: a message, an SQLSTATE, and perhaps a detail."""

    def __init__(
        self,
        message: str,
        state: str,
        detail: str = "",
        *,
        severity: str = "ERROR",
        constraint: str = "",
        column: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.state = state
        self.detail = detail
        self.severity = severity
        self.constraint = constraint
        self.column = column

    def encoded(self) -> bytes:
        """Return the message ErrorResponse."""
        fields = {"S": self.severity, "C": self.state, "M": self.message, "D": self.detail}
        return message(
            b"E", b"".join(f"{name}{value}".encode() + b"\0" for name, value in fields.items() if value) + b"\0"
        )


def refusal_in(body: bytes) -> Refusal:
    """Read the body of an ErrorResponse."""
    fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
    said, state, detail, severity, constraint, column = (fields.get(bytes([name]), "") for name in b"MCDSnc")
    return Refusal(said, state, detail, severity=severity, constraint=constraint, column=column)


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Return a message in its format on the wire."""
    return _HEADER.pack(kind, len(body) + 4) + body


def ready(status: bytes) -> bytes:
    """Return ReadyForQuery: ``I`` idle, ``T`` in a transaction, ``E`` in one that has failed."""
    return message(b"Z", status)


def completed(tag: str) -> bytes:
    """Return CommandComplete."""
    return message(b"C", tag.encode() + b"\0")


def info(text: str) -> bytes:
    """Return a NoticeResponse of the level INFO."""
    return message(b"N", f"SINFO\0C00000\0M{text}\0\0".encode())


class Channel:
    """A socket that carries messages."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray()

    def send(self, said: bytes | bytearray) -> None:
        """Send messages."""
        self._socket.sendall(said)

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for one message; return its kind and its body. Raise ConnectionError if the other side has closed."""
        while (whole := self._whole()) is None:
            self._read()
        kind = bytes(self._buffer[:1])
        body = bytes(self._buffer[5:whole])
        del self._buffer[:whole]
        return kind, body

    def exactly(self, count: int) -> bytes:
        """Wait for a number of bytes outside of messages, which a client sends before it has started."""
        while len(self._buffer) < count:
            self._read()
        said = bytes(self._buffer[:count])
        del self._buffer[:count]
        return said

    def messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the messages up to and including the next ReadyForQuery."""
        while True:
            kind, body = self.receive()
            yield kind, body
            if kind == b"Z":
                return

    @property
    def drained(self) -> bool:
        """Return whether no complete message is waiting, so that collected ones can be passed on."""
        return self._whole() is None

    def interrupt(self) -> None:
        """End the conversation, and wake every thread that waits for a message."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _whole(self) -> int | None:
        """Return the length of the first message with its header, or None if it is not complete."""
        if len(self._buffer) < 5:
            return None
        length: int = _HEADER.unpack_from(self._buffer)[1]
        return length + 1 if len(self._buffer) > length else None

    def _read(self) -> None:
        said = self._socket.recv(_CHUNK)
        if not said:
            raise ConnectionError("the other side has gone")
        self._buffer += said


class Backend(Channel):
    """A session on the real server. libpq logs in (so any server will do that psycopg can reach without TLS)."""

    def __init__(self, url: str, database: str) -> None:
        login = psycopg.conninfo.make_conninfo(url, dbname=database, sslmode="disable", gssencmode="disable")
        self._login = pq.PGconn.connect(login.encode())
        if self._login.status != pq.ConnStatus.OK:
            said = self._login.error_message.decode(errors="replace").strip().rpartition("FATAL:  ")[2]
            self._login.finish()
            raise Refusal(said, "3D000" if "does not exist" in said else "08006", severity="FATAL")
        super().__init__(socket.socket(fileno=os.dup(self._login.socket)))
        self._socket.setblocking(True)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pid = self._login.backend_pid
        self.status = b"I"
        self.columns: list[Described] = []
        """The columns of the last rows."""

    def parameters(self) -> dict[str, str]:
        """Return the parameters that the server reports at the start."""
        names = ("client_encoding", "DateStyle", "integer_datetimes", "server_encoding", "TimeZone")
        found = {name: self._login.parameter_status(name.encode()) for name in names}
        return {name: value.decode() for name, value in found.items() if value is not None}

    def run(self, sql: str) -> list[Row]:
        """Run a statement; return its rows as text. Raise Refusal if the server refuses it."""
        self.send(message(b"Q", sql.encode() + b"\0"))
        return self.answer()

    def answer(self) -> list[Row]:
        """Wait for the result of the last statement; return its rows."""
        rows: list[Row] = []
        refused: Refusal | None = None
        for kind, body in self.messages():
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"T":
                self.columns = _described(body)
            elif kind == b"E":
                refused = refusal_in(body)
            elif kind == b"Z":
                self.status = body
        if refused:
            raise refused
        return rows

    def fill(self, sql: str, chunks: Iterable[bytes]) -> None:
        """Run a COPY … FROM STDIN."""
        self.send(message(b"Q", sql.encode() + b"\0"))
        kind, body = self.receive()
        while kind not in b"GE":
            kind, body = self.receive()
        if kind == b"E":
            self.answer()
            raise refusal_in(body)
        for chunk in chunks:
            self.send(message(b"d", chunk))
        self.send(message(b"c"))
        self.answer()

    def close(self) -> None:
        """End the session."""
        self._login.finish()  # It ends the session on its own copy of the socket.
        super().close()


def _described(body: bytes) -> list[Described]:
    """Read the body of a RowDescription."""
    columns: list[Described] = []
    at = 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        end = body.index(b"\0", at)
        _, _, kind, _, modifier, _ = struct.unpack_from("!IhIhih", body, end + 1)
        columns.append(Described(body[at:end].decode(), kind, modifier))
        at = end + 1 + struct.calcsize("!IhIhih")
    return columns


def _row(body: bytes) -> Row:
    values: list[str | None] = []
    at = 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[at : at + length].decode())
            at += length
    return tuple(values)
