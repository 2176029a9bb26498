"""The SQL, roles and programs in docs/bi.md work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.support.listening import deliver
from tests.support.postgres import Server, login
from tests.support.realdata import REPOSITORY
from tests.support.sandbox import Sandbox, Warehouses

from sparkify import config
from sparkify.cli.main import main
from sparkify.sql import model

on_postgresql = pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)
DOCS = REPOSITORY / "docs"


@pytest.fixture
def fortnight(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that holds the fortnight, for tests that only read it."""
    return make_warehouse.shared(deliver)


def statements(language: str) -> list[str]:
    """Return the statements of a language in docs/bi.md."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / "bi.md").read_text(encoding="utf-8"), re.DOTALL)


def test_every_query_in_the_docs_has_an_answer(fortnight: Sandbox) -> None:
    """The SQL for Metabase and Grafana returns rows on every engine."""
    asked = statements("sql")
    assert len(asked) == 3
    for sql in asked:
        on_redshift = fortnight.url.startswith("redshift:")  # The docs name the function for Redshift.
        assert fortnight.query(sql.replace("current_timestamp", "getdate()") if on_redshift else sql), sql


@pytest.mark.parametrize("make_warehouse", ["duckdb", "postgresql"], indirect=True)
@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Asia/Kolkata"])
def test_age_of_the_newest_event_is_the_same_in_every_zone(zone: str, fortnight: Sandbox) -> None:
    """The age of the newest event does not depend on the time zone of the session."""
    [sql] = [sql for sql in statements("sql") if "hours_old" in sql]
    with fortnight.reading() as engine:
        newest = engine.value("select newest_event_at from freshness").replace(tzinfo=UTC)
        engine.execute(f"set timezone to '{zone}'")
        assert float(engine.value(sql)) == pytest.approx((datetime.now(UTC) - newest) / timedelta(hours=1), abs=0.1)


@contextmanager
def role_of_the_docs(url: str, owner: str = "", granting: str = "") -> Iterator[str]:
    """Create the read-only role of the docs in a database; yield its URL; drop it.

    `owner` is the URL of the login that runs `sparkify etl`, and `granting` that of the login that grants the
    permissions; both are the administrator by default.
    """
    create, grant = statements("postgresql")
    with psycopg.connect(url, autocommit=True) as administrator, psycopg.connect(granting or url) as granter:
        name = f"reader_{administrator.info.dbname}"
        with psycopg.connect(owner or url) as owning:
            grant = grant.replace("sparkify_owner", owning.info.user)
        administrator.execute(create.replace("sparkify_reader", name).encode())
        try:
            granter.execute(grant.replace("sparkify_reader", name).encode())
            granter.commit()
            yield re.sub("//([^@/]*@)?", f"//{name}@", url, count=1)
        finally:
            administrator.execute(f"drop owned by {name}".encode())
            administrator.execute(f"drop role {name}".encode())


def test_role_of_the_docs_can_read_and_nothing_else(postgres: Server) -> None:
    """The role for BI tools reads tables and views without naming the schema, and changes nothing."""
    with postgres.database() as url, psycopg.connect(url, autocommit=True) as owner:
        owner.execute("create schema sparkify")
        owner.execute("create table sparkify.users as select '1' as user_id")
        with role_of_the_docs(url) as reader_url, psycopg.connect(reader_url, autocommit=True) as reader:
            owner.execute("create view sparkify.later as select * from sparkify.users")
            assert reader.execute("select * from users join later using (user_id)").fetchall() == [("1",)]
            for change in ("delete from users", "create table sparkify.mine (a int)", "drop view later"):
                try:
                    reader.execute(change.encode())
                except psycopg.errors.InsufficientPrivilege:
                    continue
                raise AssertionError(change)


@pytest.mark.parametrize("granting", ["owner", "administrator"])
@pytest.mark.ci
def test_role_of_the_docs_reads_tables_that_are_created_again(
    granting: str, postgres: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After create-tables and after a full refresh, the role reads every table."""
    with (
        postgres.database() as url,
        login(url, "owner", "grant create on database DATABASE to NAME") as owner,
    ):
        warehouse = Sandbox(owner, tmp_path / "folders")
        deliver(warehouse)
        with role_of_the_docs(url, owner, owner if granting == "owner" else url) as reader:
            reads = Sandbox(reader, tmp_path / "none")
            assert main(["create-tables", "--yes", "--warehouse", owner]) == 0, capsys.readouterr().err
            for name in (*model.ALL, *model.VIEWS):
                reads.query(f"select * from {name}")
            warehouse.etl()
            assert reads.contents() == warehouse.contents()
            warehouse.etl(full_refresh=True)
            assert reads.contents() == warehouse.contents()
            assert reads.query("select plays from sessions")


@on_postgresql
@pytest.mark.parametrize(
    "sql", ["copy users to program 'cat'", "copy users to '/tmp/users'", "select pg_read_file('/etc/passwd')"]
)
def test_query_of_the_role_of_the_docs_stays_in_the_warehouse(
    sql: str, fortnight: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sparkify query` as that role reads tables, but runs no program and opens no file on the server."""
    with role_of_the_docs(fortnight.url) as reader:
        ask = ["query", "--warehouse", reader, "--format", "csv"]
        assert main([*ask, "select count(*) as users from users"]) == 0
        assert capsys.readouterr().out == "users\n5\n"
        assert main([*ask, sql]) == 1
        assert re.search("permission denied|must be superuser", capsys.readouterr().err)


@on_postgresql
def test_role_of_the_docs_can_check(make_warehouse: Warehouses, capsys: pytest.CaptureFixture[str]) -> None:
    """A login that can only read can run the checks."""
    with role_of_the_docs(make_warehouse.filled(deliver).url) as reader:
        assert main(["check", "--warehouse", reader]) == 0, capsys.readouterr().err


def test_variables_of_the_docs_do_not_disturb_the_command_line() -> None:
    """Environment variables that the docs set for other tools are not errors to `sparkify`."""
    made_by_dbt = {"target", "logs"}
    pages = [path for path in (DOCS / "bi").rglob("*.*") if path.is_file() and not made_by_dbt & set(path.parts)]
    texts = [path.read_text(encoding="utf-8") for path in (DOCS / "bi.md", *pages)]
    named = {name for text in texts for name in re.findall(r"SPARKIFY_\w+", text)}
    assert named
    config.load(environ=dict.fromkeys(named, "set"))


def test_ci_builds_the_dbt_project_with_the_versions_of_the_docs() -> None:
    """CI installs the versions of dbt that docs/bi.md names, and builds the project."""
    [versions] = re.findall(r"pip install (dbt-core\S* .*?)  +#", (DOCS / "bi.md").read_text(encoding="utf-8"))
    ci = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(rf"pip\" install -qq {re.escape(versions)}\n.*\n +\S*/bin/dbt\" --quiet build ", ci)


def test_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """Every cell of the notebook runs on the warehouse of `make run`, from the notebook's folder."""
    (tmp_path / "docs" / "bi").mkdir(parents=True)
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliver(warehouse)
    notebook = json.loads((DOCS / "bi" / "listeners.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # A notebook shows the value of a cell's last line; this program prints it.
    program = "\n".join(re.sub(r"(?m)^(warehouse\.sql\([\s\S]*\))\s*\Z", r"print(\1)", cell) for cell in cells)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "docs" / "bi",
        env={"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("┌") == 5
    assert "Heard" in ended.stdout
