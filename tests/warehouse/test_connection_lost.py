"""Promise 3: a server that goes away at any moment leaves the warehouse before or after a batch."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.promises import deliveries
from tests.support import postgres as servers
from tests.support.redshift import Standin
from tests.support.redshift.faults import Cut
from tests.support.sandbox import Sandbox

from sparkify.errors import CommitUnknown, WarehouseError
from sparkify.pipeline import batch, transform
from sparkify.sources.listing import SourceFile
from sparkify.staging import reader
from sparkify.warehouse import base
from sparkify.warehouse import postgres as postgresql
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.server import Server

_SO_ATTACH_FILTER = 26  # on Linux


class Relay:
    """A loopback relay to a server that hangs up once, before or after it passes a COMMIT on, or falls silent."""

    def __init__(self, host: str, port: int, moment: Cut | None = None, commit: int = 1) -> None:
        self._target = (host, port)
        self._moment = moment
        self._commit = commit  # the number of the COMMIT, counted from 1
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def hush(self) -> None:
        """Drop every packet of the connections that exist, as after a power cut: neither end learns of it."""
        drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # the packet filter "ret 0"
        program = struct.pack("HP", 1, ctypes.addressof(drop_all))
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with closing(client), socket.create_connection(self._target) as server, suppress(OSError):
            self._sockets += [client, server]
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if client in ready:
                    message = client.recv(1 << 16)
                    if not message:
                        return
                    self._commit -= b"commit\0" in message  # The zero ends a statement; a path may hold the word.
                    if self._moment and not self._commit:
                        moment, self._moment = self._moment, None
                        if moment is Cut.AFTER:
                            server.sendall(message)
                            server.recv(1 << 16)  # The client never sees this answer.
                        return
                    server.sendall(message)
                if server in ready:
                    answer = server.recv(1 << 16)
                    if not answer:
                        return
                    client.sendall(answer)


@pytest.fixture
def losing_commit(
    request: pytest.FixtureRequest, delivered: Sandbox, tmp_path: Path
) -> Iterator[Callable[..., Sandbox]]:
    """Return a function that returns the warehouse behind a connection on which a COMMIT is lost."""
    relays: list[Relay] = []

    def make(moment: Cut, commit: int = 1) -> Sandbox:
        if delivered.url.startswith("redshift:"):  # The stand-in is itself a relay.
            standin: Standin = request.getfixturevalue("redshift")
            standin.faults.cut_at_commit(moment)
            return delivered
        authority = delivered.url.partition("@")[2].partition("/")[0]
        host, _, port = authority.partition(":")
        relays.append(Relay(host, int(port), moment, commit))
        through = Sandbox(delivered.url.replace(authority, f"127.0.0.1:{relays[0].port}"), tmp_path / "through")
        through.log_data, through.song_data = delivered.log_data, delivered.song_data
        return through

    yield make
    for relay in relays:
        relay.close()


on_servers = pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)


@on_servers
def test_commit_that_never_arrived_fails_the_run(delivered: Sandbox, losing_commit: Callable[..., Sandbox]) -> None:
    """A run whose COMMIT never arrived fails and publishes nothing, and the next run loads all of it."""
    with pytest.raises(CommitUnknown, match="run again"):
        losing_commit(Cut.BEFORE).etl()
    assert delivered.query("select count(*) from songplays") == [(0,)]
    loaded = delivered.etl().run.counts
    assert loaded.files > 0
    assert delivered.failed_checks() == []


@pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)
def test_commit_of_a_later_batch_is_not_taken_for_an_earlier_one(
    delivered: Sandbox, losing_commit: Callable[..., Sandbox]
) -> None:
    """A run that lost the COMMIT of its second batch fails, and the next run loads the rest."""
    with pytest.raises(CommitUnknown, match="run again"):
        losing_commit(Cut.BEFORE, 2).etl(batch_size=1)
    assert delivered.query("select files from etl_runs") == [(1,)]
    assert delivered.etl().run.counts.files == 2
    assert delivered.failed_checks() == []


@on_servers
def test_commit_whose_answer_was_lost_is_found_in_the_ledger(
    delivered: Sandbox, losing_commit: Callable[..., Sandbox]
) -> None:
    """A run that lost the answer to its COMMIT finds its batch in the ledger, and succeeds."""
    through = losing_commit(Cut.AFTER)
    loaded = through.etl().run.counts
    assert any("The ledger shows that the batch is published" in line for line in through.narration)
    assert delivered.query("select count(*) from songplays") == [(loaded.songplays,)]
    assert delivered.etl().run.counts.files == 0


@pytest.fixture
def loaded(postgres: servers.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Return a warehouse on PostgreSQL with a first delivery, and a second one in its folders; retries do not pause."""
    monkeypatch.setattr(base, "PAUSES", (0, 0, 0))
    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        deliveries.second(warehouse.log_data, warehouse.song_data)
        yield warehouse


def test_connection_lost_at_every_attempt_changes_nothing(loaded: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends the session within a batch, at every attempt, leaves the warehouse unchanged and unlocked."""
    before = loaded.contents()
    real = transform.transform

    def publish(engine: Warehouse, *more: Any) -> tuple[transform.Changed, bool]:
        changed = real(engine, *more)
        loaded.query(f"select pg_terminate_backend({engine.value('select pg_backend_pid()')})")
        return changed

    with monkeypatch.context() as patched:
        patched.setattr(batch, "transform", publish)
        with pytest.raises(WarehouseError):
            loaded.etl()
    assert loaded.contents() == before
    assert loaded.etl().run.counts.files > 0
    assert loaded.failed_checks() == []


@pytest.mark.parametrize(
    "fault",
    [
        "raise exception using errcode = '40P01', message = 'deadlock detected'",
        "raise exception using errcode = '40001', message = 'could not serialize access'",
        "raise exception using errcode = 'XX000', message = 'tuple concurrently updated'",
        "perform pg_terminate_backend(pg_backend_pid())",  # 57P01
    ],
)
def test_batch_is_retried_after_a_transient_error(loaded: Sandbox, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL, a batch that fails for a reason that can pass is published again, and its files are read once."""
    read: list[int] = []
    stage = reader.stage

    def reading(connection: Any, files: Sequence[SourceFile], *words: Any, **options: Any) -> Any:
        read.append(len(files))
        return stage(connection, files, *words, **options)

    monkeypatch.setattr(batch, "stage", reading)
    for statement in (
        "create sequence failures",
        f"create function fail() returns trigger language plpgsql as $$ begin"
        f" if nextval('failures') = 1 then {fault}; end if; return new; end $$",
        "create trigger fail before insert on songplays for each row execute function fail()",
    ):
        loaded.execute(statement)
    files = loaded.etl().run.counts.files
    assert read == [files]
    assert any("Retrying in" in line for line in loaded.narration)
    assert loaded.query("select files from etl_runs order by run_id desc limit 1") == [(files,)]
    assert loaded.query("select count(*) from etl_runs") == [(2,)]
    assert loaded.failed_checks() == []


def test_batch_that_always_fails_ends_with_what_it_changed_and_a_remedy(loaded: Sandbox) -> None:
    """When the last retry fails too, the error says that the batch was not published, whatever the run did before."""
    for statement in (
        "create function fail() returns trigger language plpgsql as $$ begin"
        " raise exception using errcode = '40P01', message = 'deadlock detected'; end $$",
        "create trigger fail before insert on songplays for each row execute function fail()",
    ):
        loaded.execute(statement)
    with pytest.raises(WarehouseError, match=r"detected\. Nothing of the batch was published\. Run again later\."):
        loaded.etl()
    retries = [line for line in loaded.narration if "Retrying in" in line]
    assert len(retries) == len(base.PAUSES)
    assert all("Nothing of the batch was published." in line for line in retries)


@pytest.mark.ci
def test_run_goes_on_after_its_connection_falls_silent(
    loaded: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose connection is silent notices it, as the server does, which releases its locks; the run goes on."""
    authority = loaded.url.partition("@")[2].partition("/")[0]
    host, _, port = authority.partition(":")
    real, attempts = transform.transform, 0

    def publish(engine: Warehouse, *more: Any) -> tuple[transform.Changed, bool]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            relay.hush()
        return real(engine, *more)

    monkeypatch.setattr(postgresql, "KEEP_ALIVE", {"idle": 1, "interval": 1, "count": 2})
    monkeypatch.setattr(postgresql, "SILENT_FOR", 3000)
    monkeypatch.setattr(batch, "transform", publish)
    with closing(Relay(host, int(port))) as relay:
        through = Sandbox(loaded.url.replace(authority, f"127.0.0.1:{relay.port}"), tmp_path / "through")
        through.log_data, through.song_data = loaded.log_data, loaded.song_data
        assert through.etl().run.counts.files > 0
    assert attempts == 2
    assert loaded.failed_checks() == []


@on_servers
def test_run_goes_on_after_a_second_connection_is_lost(delivered: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that loses its connection, and then the next one while it sets it up, loads its batch on a third."""
    monkeypatch.setattr(base, "PAUSES", (0, 0, 0))
    publish, find, connections = transform.transform, Server._find_schema, 0

    def end(engine: Warehouse) -> None:
        engine.execute("select pg_terminate_backend(pg_backend_pid())")

    def find_or_end(self: Server) -> None:
        nonlocal connections
        connections += 1
        if connections == 2:
            end(self)
        find(self)

    def publish_or_end(engine: Warehouse, *more: Any) -> tuple[transform.Changed, bool]:
        if connections == 1:
            end(engine)
        return publish(engine, *more)

    with monkeypatch.context() as patched:
        patched.setattr(Server, "_find_schema", find_or_end)
        patched.setattr(batch, "transform", publish_or_end)
        assert delivered.etl().run.counts.files > 0
    assert connections == 3
    assert delivered.failed_checks() == []


@on_servers
def test_both_ends_of_a_connection_notice_silence_within_three_minutes(warehouse: Sandbox) -> None:
    """The settings of the socket end a connection within three minutes of silence, and so do the server's."""
    with warehouse.reading() as engine:
        connection = engine._connection  # type: ignore[attr-defined]
        if engine.engine == "postgresql":  # The other server cannot be set.
            sql = "select name, setting::integer from pg_settings where name like 'tcp_%'"
            theirs: dict[str, int] = dict(engine.rows(sql))
            assert 0 < theirs["tcp_user_timeout"] <= 180_000
            assert theirs["tcp_keepalives_idle"] > 0
            probed = theirs["tcp_keepalives_interval"] * theirs["tcp_keepalives_count"]
            assert theirs["tcp_keepalives_idle"] + probed <= 180
        end = connection if engine.engine == "postgresql" else connection._usock
        with socket.socket(fileno=os.dup(end.fileno())) as ours:
            names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            idle, interval, count, unacknowledged = (
                ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names
            )
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert idle + interval * count <= 180
            assert 0 < unacknowledged <= 180_000
