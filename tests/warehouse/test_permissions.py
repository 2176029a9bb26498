"""What a login of PostgreSQL may not do is told with what would allow it; what it may do needs no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from tests.support.listening import deliver
from tests.support.postgres import Server
from tests.support.postgres import login as postgres_login
from tests.support.sandbox import Sandbox

from sparkify import config
from sparkify.cli.main import main
from sparkify.errors import Denied, WarehouseError
from sparkify.report import dashboard
from sparkify.warehouse.connect import open_filled, open_warehouse
from sparkify.warehouse.install import create_tables

Login = Callable[..., str]


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """Make an empty database; give its administrator's URL."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def login(database: str) -> Iterator[Login]:
    """Return a function that makes logins to the database, by name and by what they are allowed."""
    with ExitStack() as made:
        yield lambda name, *statements: made.enter_context(postgres_login(database, name, *statements))


def commands(error: str) -> list[str]:
    """Return the statements that an error advises to run."""
    return re.findall(r"(?:grant|create schema) [^;]+;", error)


def run(url: str, *statements: str) -> None:
    """Run statements as the login of a URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        for sql in statements:
            connection.execute(sql.encode())


@pytest.mark.parametrize("allowed", [(), ("grant usage on schema sparkify to NAME",)])
@pytest.mark.parametrize("command", [["status"], ["query", "select count(*) from users"], ["check"], ["report"]])
def test_login_that_may_not_read_is_told_what_to_grant(
    allowed: tuple[str, ...],
    command: list[str],
    database: str,
    login: Login,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Tables that a login may not read are there: what to grant is told, and with that, the command works."""
    monkeypatch.chdir(tmp_path)
    deliver(Sandbox(database, tmp_path / "folders"))
    reader = login("reader", *allowed)
    assert main([*command, "--warehouse", reader]) == 1
    told = capsys.readouterr().err
    assert "no tables of ours" not in told
    run(database, *commands(told))
    assert main([*command, "--warehouse", reader]) == 0, capsys.readouterr().err


def test_dashboard_of_a_login_that_may_not_read_says_what_to_grant(database: str, login: Login, tmp_path: Path) -> None:
    """The page says the same as the command line."""
    deliver(Sandbox(database, tmp_path / "folders"))
    pages = dashboard.Pages(config.load(environ={}, warehouse=login("reader")))
    with pytest.raises(Denied) as told:
        pages.version()
    run(database, *commands(str(told.value)))
    assert pages.version()


def test_refusal_of_what_is_not_ours_advises_no_grant_of_ours(database: str, login: Login, tmp_path: Path) -> None:
    """Who may not read a file of the server, or another's table, is told no more than the server says."""
    deliver(Sandbox(database, tmp_path / "folders"))
    run(database, "create schema hr", "create table hr.salaries (a int)")
    reader = login("reader", "grant usage on schema sparkify, hr to NAME")
    with open_warehouse(reader, read_only=True) as engine:
        for sql in ("select pg_read_file('/etc/passwd')", "select * from hr.salaries"):
            with pytest.raises(Denied, match=r"permission denied for \w+ \w+$"):
                engine.ask(sql)


def test_empty_schema_holds_no_tables(database: str, login: Login) -> None:
    """Where nothing has been loaded, a login is told to load, and not to be granted something."""
    run(database, "create schema sparkify")
    reader = login("reader", "grant usage on schema sparkify to NAME")
    with pytest.raises(WarehouseError, match="holds no tables of ours"):
        open_filled(config.load(environ={}, warehouse=reader))


def test_run_in_a_schema_of_its_own_needs_no_right_to_make_one(login: Login, tmp_path: Path) -> None:
    """Where an administrator has made the schema, a run needs nothing of the database."""
    owner = login("owner", "create schema sparkify authorization NAME")
    deliver(Sandbox(owner, tmp_path / "folders"))


@pytest.mark.parametrize("advised", [0, 1])
def test_schema_that_may_not_be_made_is_told_with_what_allows_it(
    advised: int, database: str, login: Login, tmp_path: Path
) -> None:
    """Of the two statements that the error names for an administrator, each by itself lets the run go on."""
    warehouse = Sandbox(login("owner"), tmp_path / "folders")
    with pytest.raises(Denied) as told:
        deliver(warehouse)
    run(database, commands(str(told.value))[advised])
    deliver(warehouse)


def test_full_refresh_that_may_make_no_schema_is_told_what_allows_it(
    database: str, login: Login, tmp_path: Path
) -> None:
    """A full refresh makes a schema beside; where it may not, nothing changes, and the error names the grant."""
    warehouse = Sandbox(login("owner", "create schema sparkify authorization NAME"), tmp_path / "folders")
    deliver(warehouse)
    before = warehouse.contents()
    with pytest.raises(Denied, match="full refresh") as told:
        warehouse.etl(full_refresh=True)
    assert warehouse.contents() == before
    run(database, *commands(str(told.value)))
    warehouse.etl(full_refresh=True)
    assert warehouse.contents() == before


def test_schema_of_somebody_else_is_not_written_to(database: str, login: Login, tmp_path: Path) -> None:
    """A run as a login that may not use the schema is told so, and not what would let it read."""
    run(database, "create schema sparkify")
    with pytest.raises(Denied, match="may not use the schema") as told:
        deliver(Sandbox(login("other", "grant create on database DATABASE to NAME"), tmp_path / "folders"))
    assert not commands(str(told.value))


@pytest.mark.parametrize("stands_on", ["sessions", "songplays"])
def test_create_tables_names_what_stands_on_ours(stands_on: str, database: str, tmp_path: Path) -> None:
    """Where a view of an analyst keeps ours from being dropped, nothing changes, and no CASCADE is advised."""
    warehouse = Sandbox(database, tmp_path / "folders")
    deliver(warehouse)
    before = warehouse.contents()
    run(database, "create schema analytics", f"create view analytics.mine as select * from sparkify.{stands_on}")
    with open_warehouse(database) as engine, pytest.raises(WarehouseError) as told:
        create_tables(engine)
    assert re.search(rf"view analytics.mine depends on \w+ {stands_on}\n.*Drop what stands on", str(told.value))
    assert "CASCADE" not in str(told.value)
    assert warehouse.contents() == before


def test_full_refresh_is_seen_by_views_in_a_schema_of_their_own(database: str, tmp_path: Path) -> None:
    """After a full refresh, the views of analysts show what the tables now hold, and not what they held."""
    warehouse = Sandbox(database, tmp_path / "folders")
    deliver(warehouse)
    made = [f"create view analytics.my_{name} as select * from sparkify.{name}" for name in ("sessions", "songplays")]
    run(database, "create schema analytics", *made)
    lines = (warehouse.log_data / "events.json").read_text().splitlines(keepends=True)
    (warehouse.log_data / "events.json").write_text("".join(lines[:4]))
    warehouse.etl(full_refresh=True)
    for name in ("sessions", "songplays"):
        seen = warehouse.query(f"select * from analytics.my_{name}")
        assert sorted(seen, key=repr) == sorted(warehouse.query(f"select * from {name}"), key=repr)
        assert 0 < len(seen) < 4
