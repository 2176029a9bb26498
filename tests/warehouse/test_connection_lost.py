"""Promise 3: a server that goes away at any moment leaves the warehouse before or after a batch."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.support.postgres import Server
from tests.support.redshift import Standin
from tests.support.redshift.faults import Cut
from tests.support.sandbox import Sandbox

from sparkify.errors import CommitUnknown, WarehouseError
from sparkify.pipeline import batch, transform
from sparkify.warehouse.base import Warehouse


class Relay:
    """A loopback relay to a server that hangs up once, before or after it passes a COMMIT on."""

    def __init__(self, host: str, port: int, moment: Cut, commit: int) -> None:
        self._target = (host, port)
        self._moment: Cut | None = moment
        self._commit = commit  # the number of the COMMIT, counted from 1
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with closing(client), socket.create_connection(self._target) as server, suppress(OSError):
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


def test_connection_lost_midway_changes_nothing(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends the session within a batch leaves the warehouse unchanged and unlocked."""
    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        before = warehouse.contents()
        deliveries.second(warehouse.log_data, warehouse.song_data)
        real = transform.transform

        def publish(engine: Warehouse) -> transform.Changed:
            changed = real(engine)
            warehouse.query(f"select pg_terminate_backend({engine.value('select pg_backend_pid()')})")
            return changed

        with monkeypatch.context() as patched:
            patched.setattr(batch, "transform", publish)
            with pytest.raises(WarehouseError):
                warehouse.etl()
        assert warehouse.contents() == before
        assert warehouse.etl().run.counts.files > 0
        assert warehouse.failed_checks() == []
