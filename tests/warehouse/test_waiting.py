"""On a server, nobody waits silently: a run names whom it waits for, and ends when it waits too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from tests.promises import deliveries
from tests.support.killing import arguments, start
from tests.support.sandbox import Sandbox

from sparkify.errors import WarehouseError
from sparkify.warehouse import base, server
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import count_rows, create_missing_tables, create_tables

on_postgresql = pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)

LOCKS = {
    "reader of a staging table": "select * from sparkify.staging_songs",
    "backup of the ledger": "lock table sparkify.etl_files in access share mode; lock table sparkify.staging_events",
    "writer of the ledger": "lock table sparkify.etl_files in share mode",
}


@contextmanager
def idle_in_transaction(url: str, statements: str) -> Iterator[psycopg.Connection]:
    """Yield a session that has run some statements in a transaction, and is idle."""
    with psycopg.connect(url, application_name="notebook") as session:
        session.execute(statements.encode())
        yield session


@on_postgresql
@pytest.mark.parametrize("statements", LOCKS.values(), ids=LOCKS)
@pytest.mark.ci
def test_run_names_the_session_that_it_waits_for(delivered: Sandbox, statements: str) -> None:
    """A run that waits for a session of someone else names its user, process and application, and then goes on."""
    with idle_in_transaction(delivered.url, statements) as session:
        run = start(["-m", "sparkify", *arguments(delivered)])
        assert run.stderr
        line = next((line for line in run.stderr if "Waiting" in line), "")
        assert f"user {session.info.user} (server process {session.info.backend_pid}, notebook, idle in trans" in line
    assert run.communicate()[1].count("Waiting") == 0
    assert run.returncode == 0
    assert delivered.failed_checks() == []


@on_postgresql
def test_run_names_the_session_again_while_it_waits(delivered: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on waiting names the session again and again."""
    monkeypatch.setattr(server, "_LOOK_EVERY", 0.1)
    monkeypatch.setattr(server, "_SAY_EVERY", 0.5)
    lines: list[str] = []

    def wait_for_the_ledger() -> None:
        with open_warehouse(delivered.url, say=lines.append) as engine, engine.transaction():
            engine.lock_ledger()

    with ThreadPoolExecutor() as threads, idle_in_transaction(delivered.url, LOCKS["writer of the ledger"]):
        waiting = threads.submit(wait_for_the_ledger)
        until(lambda: len(lines) >= 3)
        assert not waiting.done()
    assert len(set(lines)) == 1


@on_postgresql
@pytest.mark.parametrize("statements", LOCKS.values(), ids=LOCKS)
def test_run_waits_no_longer_than_lock_timeout(delivered: Sandbox, statements: str) -> None:
    """A run that waits longer than [WAREHOUSE] LOCK_TIMEOUT fails with its name, and changes nothing."""
    before = delivered.contents()
    delivered.environ = {"SPARKIFY_WAREHOUSE_LOCK_TIMEOUT": "1s"}
    with (
        idle_in_transaction(delivered.url, statements),
        pytest.raises(WarehouseError, match=r"within 1 s\. .* LOCK_TIMEOUT"),
    ):
        delivered.etl()
    assert delivered.contents() == before
    assert delivered.etl().run.counts.files > 0


@pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)
def test_run_on_redshift_waits_no_longer_than_lock_timeout(delivered: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """[WAREHOUSE] LOCK_TIMEOUT also limits how long a run waits for another on Redshift, which has no such setting."""
    monkeypatch.setattr(server, "_LOOK_EVERY", 0.1)
    before = delivered.contents()
    with open_warehouse(delivered.url) as run, run.transaction():
        run.lock_ledger()
        delivered.environ = {**delivered.environ, "SPARKIFY_WAREHOUSE_LOCK_TIMEOUT": "1s"}
        with pytest.raises(WarehouseError, match=r"within 1 s\. .* LOCK_TIMEOUT"):
            delivered.etl()
    assert delivered.contents() == before
    assert delivered.etl().run.counts.files > 0


@on_postgresql
@pytest.mark.ci
def test_run_waits_without_a_lock_timeout_of_its_own(delivered: Sandbox) -> None:
    """Without [WAREHOUSE] LOCK_TIMEOUT a run waits for as long as it takes, whatever its database sets."""
    database = delivered.url.partition("?")[0].rpartition("/")[2]
    delivered.execute(f"alter database {database} set lock_timeout = 100")
    lines: list[str] = []

    def wait_for_the_ledger() -> None:
        with open_warehouse(delivered.url, say=lines.append) as engine, engine.transaction():
            engine.lock_ledger()

    with ThreadPoolExecutor() as threads:
        with idle_in_transaction(delivered.url, LOCKS["writer of the ledger"]):
            waiting = threads.submit(wait_for_the_ledger)
            until(lambda: bool(lines) or waiting.done())
        waiting.result()


@on_postgresql
def test_advisory_locks_of_others_do_not_block_a_run(make_warehouse: Callable[..., Sandbox]) -> None:
    """The key of our advisory lock is outside the range of hashtext, of integers, and of pairs of small numbers."""
    warehouse = make_warehouse.absent()  # type: ignore[attr-defined]
    deliveries.first(warehouse.log_data, warehouse.song_data)
    with open_warehouse(warehouse.url) as engine, engine.alone():
        [(high,)] = engine.rows("select classid::bigint from pg_locks where locktype = 'advisory'")
        assert high not in (0, 2**32 - 1)
    text = "sparkify: creating tables in sparkify"
    with idle_in_transaction(warehouse.url, f"select pg_advisory_lock(hashtext('{text}'))"):
        warehouse.environ = {"SPARKIFY_WAREHOUSE_LOCK_TIMEOUT": "1s"}
        assert warehouse.etl().run.counts.files > 0


@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_create_tables_waits_for_a_batch(delivered: Sandbox) -> None:
    """`create-tables` waits until a running batch is published, before it drops the first table."""
    deliveries.first(delivered.log_data, delivered.song_data)
    delivered.etl()
    lines: list[str] = []

    def create() -> None:
        with open_warehouse(delivered.url, say=lines.append) as engine:
            create_tables(engine)

    with ThreadPoolExecutor() as threads, open_warehouse(delivered.url) as run:
        with run.transaction():
            run.lock_ledger()
            created = threads.submit(create)
            until(lambda: bool(lines))
            for table in ("staging_events", "staging_songs", "songplays", "etl_files"):
                run.execute(f"delete from {table}")
            assert not created.done()
        created.result()
        assert not any(count_rows(run).values())


@on_postgresql
@pytest.mark.parametrize(
    ("create", "first", "second"),
    [
        (create_tables, "select * from sparkify.songs", "select * from sparkify.staging_songs"),
        (
            create_missing_tables,
            "lock table sparkify.songplays in exclusive mode",
            "lock table sparkify.etl_files in exclusive mode",
        ),
    ],
)
@pytest.mark.ci
def test_deadlock_while_tables_are_created_is_retried(
    delivered: Sandbox, monkeypatch: pytest.MonkeyPatch, create: Callable[[Warehouse], None], first: str, second: str
) -> None:
    """The creation of tables, views and comments is retried if a deadlock with someone else's statements ends it."""
    monkeypatch.setattr(base, "PAUSES", (0, 0, 0))
    delivered.etl()
    delivered.execute("comment on table songplays is null")
    lines: list[str] = []
    url = f"{delivered.url}?options=-c%20deadlock_timeout%3D3s"  # The session that detects the deadlock is ended.

    def created() -> None:
        with open_warehouse(url, say=lines.append) as engine:
            create(engine)

    with ThreadPoolExecutor() as threads:
        with idle_in_transaction(delivered.url, f"set deadlock_timeout = '1h'; {first}") as other:
            result = threads.submit(created)
            until(lambda: is_waiting(delivered))
            other.execute(second.encode())
        result.result()
    assert any("deadlock detected" in line and "Retrying" in line for line in lines)
    with delivered.reading() as engine:
        assert engine.comments()["songplays", ""]
    assert delivered.failed_checks() == []


def is_waiting(warehouse: Sandbox) -> bool:
    """Return whether a session waits for a lock."""
    return warehouse.query("select count(*) from pg_locks where not granted") != [(0,)]


def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail("the condition never held")
