"""A missing permission on PostgreSQL is reported with the statement that grants it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from tests.promises import deliveries
from tests.support.listening import deliver
from tests.support.postgres import login as postgres_login
from tests.support.sandbox import Sandbox, Warehouses

from sparkify import config
from sparkify.cli.main import main
from sparkify.errors import Denied, WarehouseError
from sparkify.report import dashboard
from sparkify.warehouse.connect import open_filled, open_warehouse
from sparkify.warehouse.install import LAYOUT, create_tables
from sparkify.warehouse.server import rebuild_schema

pytestmark = pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)

Login = Callable[..., str]


@pytest.fixture
def filled(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that holds the fortnight."""
    return make_warehouse.filled(deliver)


@pytest.fixture
def empty(make_warehouse: Warehouses) -> Sandbox:
    """Return an empty database."""
    return make_warehouse.absent()


@pytest.fixture
def login(make_warehouse: Warehouses) -> Iterator[Login]:  # noqa: ARG001 (its databases are dropped after the logins)
    """Return a function that creates a login to a database, with the permissions that statements grant."""
    with ExitStack() as created:
        yield lambda url, name, *statements: created.enter_context(postgres_login(url, name, *statements))


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
def test_login_without_read_permission_reads_what_to_grant(
    allowed: tuple[str, ...],
    command: list[str],
    filled: Sandbox,
    login: Login,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A command whose login must not read the tables names the grants, and works with them."""
    monkeypatch.chdir(tmp_path)
    reader = login(filled.url, "reader", *allowed)
    assert main([*command, "--warehouse", reader]) == 1
    error = capsys.readouterr().err
    assert "has no Sparkify tables" not in error
    run(filled.url, *commands(error))
    assert main([*command, "--warehouse", reader]) == 0, capsys.readouterr().err


def test_dashboard_without_read_permission_says_what_to_grant(filled: Sandbox, login: Login) -> None:
    """The dashboard of a login that must not read the tables names the grants."""
    pages = dashboard.Pages(config.load(environ={}, warehouse=login(filled.url, "reader")))
    with pytest.raises(Denied) as caught:
        pages.version()
    run(filled.url, *commands(str(caught.value)))
    assert pages.version()


def test_denied_access_to_other_objects_advises_no_grant(filled: Sandbox, login: Login) -> None:
    """A denied access to another table or to a file of the server advises no grant."""
    run(filled.url, "create schema hr", "create table hr.salaries (a int)")
    reader = login(filled.url, "reader", "grant usage on schema sparkify, hr to NAME")
    with open_warehouse(reader, read_only=True) as engine:
        for sql in ("select pg_read_file('/etc/passwd')", "select * from hr.salaries"):
            with pytest.raises(Denied, match=r"permission denied for \w+ \w+$"):
                engine.ask(sql)


def test_empty_schema_holds_no_tables(empty: Sandbox, login: Login) -> None:
    """In an empty schema, a login is advised to load data, not to ask for permissions."""
    run(empty.url, "create schema sparkify")
    reader = login(empty.url, "reader", "grant usage on schema sparkify to NAME")
    with pytest.raises(WarehouseError, match="has no Sparkify tables"):
        open_filled(config.load(environ={}, warehouse=reader))


def test_run_in_its_own_schema_needs_no_other_permission(empty: Sandbox, login: Login) -> None:
    """A run in an existing schema that its login owns needs no permission on the database."""
    empty.url = login(empty.url, "owner", "create schema sparkify authorization NAME")
    deliver(empty)


@pytest.mark.parametrize("advised", [0, 1])
def test_run_that_must_not_create_a_schema_names_both_remedies(advised: int, empty: Sandbox, login: Login) -> None:
    """Each of the two statements that the error advises lets the run succeed."""
    administrator, empty.url = empty.url, login(empty.url, "owner")
    with pytest.raises(Denied) as caught:
        deliver(empty)
    run(administrator, commands(str(caught.value))[advised])
    deliver(empty)


def test_full_refresh_that_must_not_create_a_schema_names_the_grant(empty: Sandbox, login: Login) -> None:
    """A full refresh that must not create its schema changes nothing, and names the grant."""
    owner = login(empty.url, "owner", "create schema sparkify authorization NAME")
    administrator, empty.url = empty.url, owner
    deliver(empty)
    before = empty.contents()
    with pytest.raises(Denied, match="full refresh") as caught:
        empty.etl(full_refresh=True)
    assert empty.contents() == before
    run(administrator, *commands(str(caught.value)))
    empty.etl(full_refresh=True)
    assert empty.contents() == before


def test_schema_of_another_owner_is_not_written_to(empty: Sandbox, login: Login) -> None:
    """A run that must not use the schema fails, and is not advised to grant read permissions."""
    run(empty.url, "create schema sparkify")
    empty.url = login(empty.url, "other", "grant create on database DATABASE to NAME")
    with pytest.raises(Denied, match="has no permission to use the schema") as caught:
        deliver(empty)
    assert not commands(str(caught.value))


def test_second_login_loads_with_the_grants_that_the_error_names(filled: Sandbox, login: Login) -> None:
    """A login that owns no table is refused with the grants that it needs, and loads nights once it has them."""
    owner, filled.url = filled.url, login(filled.url, "second")
    deliveries.second(filled.log_data, filled.song_data)
    for granted in (1, 2):  # With the first alone, it can use the schema, but none of its tables.
        with pytest.raises(Denied) as caught:
            filled.etl()
        run(owner, *commands(str(caught.value))[:granted])
    assert filled.etl().run.counts.songplays > 0
    filled.url = owner
    assert filled.etl().run.counts.files == 0
    assert filled.failed_checks() == []


def test_first_load_by_a_second_login_names_the_owner_s_command(empty: Sandbox, login: Login) -> None:
    """A login with all grants on empty tables, of which only the owner can build indexes, is sent to the owner."""
    with open_warehouse(empty.url) as owner:
        create_tables(owner)
    tables = "select, insert, update, delete, truncate on all tables in schema sparkify"
    empty.url = login(empty.url, "second", "grant usage on schema sparkify to NAME", f"grant {tables} to NAME")
    with pytest.raises(Denied, match="Run `sparkify etl` once as the owner") as caught:
        deliver(empty)
    assert not commands(str(caught.value))


def test_full_refresh_of_another_login_that_was_killed_stops_no_run(filled: Sandbox, login: Login) -> None:
    """The schema that another login's killed full refresh left, which only that login can drop, stops no run."""
    owner = filled.url
    tables = "select, insert, update, delete, truncate on all tables in schema sparkify"
    filled.url = login(owner, "second", "grant usage on schema sparkify to NAME", f"grant {tables} to NAME")
    schema = rebuild_schema("sparkify")
    mark = "sparkify: being filled to take the place of sparkify"
    run(owner, f"create schema {schema}", f"comment on schema {schema} is '{mark}'")
    deliveries.second(filled.log_data, filled.song_data)
    assert filled.etl().run.counts.songplays > 0
    filled.url = owner
    filled.etl()
    assert filled.query(f"select 1 from pg_namespace where nspname = '{schema}'") == []


@pytest.mark.parametrize("depends_on", ["sessions", "songplays"])
def test_create_tables_names_dependent_views(depends_on: str, filled: Sandbox) -> None:
    """Where an analyst's view depends on a table, create-tables changes nothing and does not advise CASCADE."""
    before = filled.contents()
    run(filled.url, "create schema analytics", f"create view analytics.mine as select * from sparkify.{depends_on}")
    with open_warehouse(filled.url) as engine, pytest.raises(WarehouseError) as caught:
        create_tables(engine)
    assert re.search(rf"view analytics.mine depends on \w+ {depends_on}\n.*Drop the dependents", str(caught.value))
    assert "CASCADE" not in str(caught.value)
    assert filled.contents() == before


@pytest.mark.parametrize("layout", [LAYOUT, LAYOUT + 1])
def test_create_tables_advises_only_what_its_layout_allows(layout: int, filled: Sandbox) -> None:
    """Where an analyst's view depends on a table, a full refresh is advised only if the layout is the current one."""
    run(
        filled.url,
        f"update sparkify.etl_runs set layout = {layout}",
        "create schema analytics",
        "create view analytics.mine as select * from sparkify.songplays",
    )
    with open_warehouse(filled.url) as engine, pytest.raises(WarehouseError) as caught:
        create_tables(engine)
    assert ("etl --full-refresh" in str(caught.value)) == (layout == LAYOUT)


def test_views_in_another_schema_show_a_full_refresh(filled: Sandbox) -> None:
    """After a full refresh, analysts' views show the new rows."""
    views = [f"create view analytics.my_{name} as select * from sparkify.{name}" for name in ("sessions", "songplays")]
    run(filled.url, "create schema analytics", *views)
    lines = (filled.log_data / "events.json").read_text().splitlines(keepends=True)
    (filled.log_data / "events.json").write_text("".join(lines[:4]))
    filled.etl(full_refresh=True)
    for name in ("sessions", "songplays"):
        seen = filled.query(f"select * from analytics.my_{name}")
        assert sorted(seen, key=repr) == sorted(filled.query(f"select * from {name}"), key=repr)
        assert 0 < len(seen) < 4
