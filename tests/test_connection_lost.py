"""A server that goes away: whatever moment it chooses, the warehouse is in one of two right states."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests import deliveries
from tests.conftest import Warehouse
from tests.postgres import Server

from sparkify import engines, pipeline, star
from sparkify.engines.base import Engine
from sparkify.errors import CommitUnknown, WarehouseError


class Relay:
    """A loopback relay to a server that hangs up once, when a client says COMMIT: before or after passing it on."""

    def __init__(self, host: str, port: int, moment: str, commit: int) -> None:
        self._target = (host, port)
        self._moment: str | None = moment
        self._commit = commit  # at which of them, counted from 1
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
                    said = client.recv(1 << 16)
                    if not said:
                        return
                    self._commit -= b"commit\0" in said  # as a statement; a path may hold the word
                    if self._moment and not self._commit:
                        moment, self._moment = self._moment, None
                        if moment == "after":
                            server.sendall(said)
                            server.recv(1 << 16)  # the answer, which the client will never see
                        return
                    server.sendall(said)
                if server in ready:
                    answer = server.recv(1 << 16)
                    if not answer:
                        return
                    client.sendall(answer)


@pytest.fixture
def relayed(postgres: Server, tmp_path: Path) -> Iterator[Callable[..., tuple[Warehouse, Warehouse]]]:
    """Make a warehouse twice: reached through a relay that hangs up at a moment of a commit, and directly."""
    relays: list[Relay] = []
    with postgres.database() as url:

        def make(moment: str, commit: int = 1) -> tuple[Warehouse, Warehouse]:
            direct = Warehouse(url, tmp_path / "direct")
            deliveries.first(direct.log_data, direct.song_data)
            with engines.connect(url) as engine:  # so that the commit that is lost is the batch's
                pipeline.create_missing_tables(engine)
            authority = url.partition("@")[2].partition("/")[0]
            host, _, port = authority.partition(":")
            relays.append(Relay(host, int(port), moment, commit))
            through = Warehouse(url.replace(authority, f"127.0.0.1:{relays[0].port}"), tmp_path / "through")
            through.log_data, through.song_data = direct.log_data, direct.song_data
            return through, direct

        yield make
        for relay in relays:
            relay.close()


def test_commit_that_never_arrived_is_told_and_made_up_for(
    relayed: Callable[[str], tuple[Warehouse, Warehouse]],
) -> None:
    """The run fails and nothing is published; the next one loads all of it."""
    through, direct = relayed("before")
    with pytest.raises(CommitUnknown, match="run again"):
        through.etl()
    assert direct.query("select count(*) from songplays") == [(0,)]
    loaded = direct.etl().run.counts
    assert loaded.files > 0
    assert direct.failed_checks() == []


def test_commit_of_a_later_batch_is_not_taken_for_an_earlier_one(
    relayed: Callable[..., tuple[Warehouse, Warehouse]],
) -> None:
    """A run of which the ledger has the first batch, and not the second, fails; the next one loads the others."""
    through, direct = relayed("before", 2)
    with pytest.raises(CommitUnknown, match="run again"):
        through.etl(batch_size=1)
    assert direct.query("select files from etl_runs") == [(1,)]
    assert direct.etl().run.counts.files == 2
    assert direct.failed_checks() == []


def test_commit_whose_answer_was_lost_is_found_in_the_ledger(
    relayed: Callable[[str], tuple[Warehouse, Warehouse]],
) -> None:
    """The run asks the ledger, finds its batch published, and ends well; the next one finds nothing to do."""
    through, direct = relayed("after")
    loaded = through.etl().run.counts
    assert any("the ledger says that the batch is published" in line for line in through.said)
    assert direct.query("select count(*) from songplays") == [(loaded.songplays,)]
    assert direct.etl().run.counts.files == 0


def test_connection_lost_midway_changes_nothing(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends the session in the middle of a batch leaves the warehouse as it was, and no lock."""
    with postgres.database() as url:
        warehouse = Warehouse(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        before = warehouse.contents()
        deliveries.second(warehouse.log_data, warehouse.song_data)
        real = star.publish

        def publish(engine: Engine) -> star.Changed:
            changed = real(engine)
            warehouse.query(f"select pg_terminate_backend({engine.value('select pg_backend_pid()')})")
            return changed

        with monkeypatch.context() as patched:
            patched.setattr(star, "publish", publish)
            with pytest.raises(WarehouseError):
                warehouse.etl()
        assert warehouse.contents() == before
        assert warehouse.etl().run.counts.files > 0
        assert warehouse.failed_checks() == []
