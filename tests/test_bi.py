"""What the docs show on top of the warehouse works on it."""

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
from tests.support.sandbox import Sandbox

from sparkify import config
from sparkify.cli.main import main
from sparkify.sql import model

DOCS = REPOSITORY / "docs"


def statements(language: str) -> list[str]:
    """Return the statements of a language in docs/bi.md."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / "bi.md").read_text(encoding="utf-8"), re.DOTALL)


def test_every_query_in_the_docs_has_an_answer(warehouse: Sandbox) -> None:
    """The SQL that Metabase and Grafana are given runs on every engine."""
    deliver(warehouse)
    asked = statements("sql")
    assert len(asked) == 3
    for sql in asked:
        on_redshift = warehouse.url.startswith("redshift:")  # where the docs say what to write for the time
        assert warehouse.query(sql.replace("current_timestamp", "getdate()") if on_redshift else sql), sql


@pytest.mark.parametrize("make_warehouse", ["duckdb", "postgresql"], indirect=True)
@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Asia/Kolkata"])
def test_age_of_the_newest_event_is_the_same_in_every_zone(zone: str, warehouse: Sandbox) -> None:
    """The alert on stale data counts the hours that have passed, whatever the zone of the session that asks."""
    deliver(warehouse)
    [sql] = [sql for sql in statements("sql") if "hours_old" in sql]
    with warehouse.reading() as engine:
        newest = engine.value("select newest_event_at from freshness").replace(tzinfo=UTC)
        engine.execute(f"set timezone to '{zone}'")
        assert float(engine.value(sql)) == pytest.approx((datetime.now(UTC) - newest) / timedelta(hours=1), abs=0.1)


@contextmanager
def role_of_the_docs(url: str, owner: str = "", granting: str = "") -> Iterator[str]:
    """Make the role for those who only read, in a database that has our schema; give its URL; drop it.

    `owner` is the URL of the login that runs `sparkify etl`, `granting` of the one that lets the role read: by default,
    those are the administrator too.
    """
    making, letting_read = statements("postgresql")
    with psycopg.connect(url, autocommit=True) as administrator, psycopg.connect(granting or url) as granter:
        name = f"reader_{administrator.info.dbname}"
        with psycopg.connect(owner or url) as owning:
            letting_read = letting_read.replace("sparkify_owner", owning.info.user)
        administrator.execute(making.replace("sparkify_reader", name).encode())
        try:
            granter.execute(letting_read.replace("sparkify_reader", name).encode())
            granter.commit()
            yield re.sub("//([^@/]*@)?", f"//{name}@", url, count=1)
        finally:
            administrator.execute(f"drop owned by {name}".encode())
            administrator.execute(f"drop role {name}".encode())


def test_role_of_the_docs_can_read_and_nothing_else(postgres: Server) -> None:
    """The role for BI tools sees tables and views without naming the schema, and changes nothing."""
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
def test_role_of_the_docs_reads_what_the_owner_makes_anew(
    granting: str, postgres: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After create-tables and after a full refresh, by a login that makes no roles, the reader reads everything."""
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


@pytest.mark.parametrize(
    "sql", ["copy users to program 'cat'", "copy users to '/tmp/users'", "select pg_read_file('/etc/passwd')"]
)
def test_query_of_the_role_of_the_docs_stays_in_the_warehouse(
    sql: str, postgres: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sparkify query` as that role has its answers, and runs no program and opens no file on the server."""
    with postgres.database() as url:
        deliver(Sandbox(url, tmp_path / "folders"))
        with role_of_the_docs(url) as reader:
            ask = ["query", "--warehouse", reader, "--format", "csv"]
            assert main([*ask, "select count(*) as users from users"]) == 0
            assert capsys.readouterr().out == "users\n5\n"
            assert main([*ask, sql]) == 1
            assert re.search("permission denied|must be superuser", capsys.readouterr().err)


def test_role_of_the_docs_can_check(postgres: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who may only read can run the checks, also while a run holds what it checks."""
    with postgres.database() as url, psycopg.connect(url, autocommit=True) as owner:
        deliver(Sandbox(url, tmp_path / "folders"))
        with role_of_the_docs(url) as reader, owner.transaction():
            owner.execute("delete from sparkify.checked_period")
            assert main(["check", "--warehouse", reader]) == 0, capsys.readouterr().err


def test_variables_of_the_docs_leave_the_command_line_alone() -> None:
    """What the docs set for other tools, exported, is no mistake to `sparkify`."""
    pages = [path for path in (DOCS / "bi").rglob("*") if path.is_file()]
    texts = [path.read_text(encoding="utf-8") for path in (DOCS / "bi.md", *pages)]
    named = {name for text in texts for name in re.findall(r"SPARKIFY_\w+", text)}
    assert named
    config.load(environ=dict.fromkeys(named, "set"))


def test_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """Every cell runs on the warehouse of `make run`, from the notebook's folder, where Jupyter starts its kernel."""
    (tmp_path / "docs" / "bi").mkdir(parents=True)
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliver(warehouse)
    notebook = json.loads((DOCS / "bi" / "listeners.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # A cell shows its last line: here it is printed.
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
