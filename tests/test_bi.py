"""What the docs show on top of the warehouse works on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import psycopg
from tests.conftest import Warehouse
from tests.listening import deliver
from tests.postgres import Server
from tests.realdata import REPOSITORY

from sparkify import config

DOCS = REPOSITORY / "docs"


def statements(language: str) -> list[str]:
    """Return the statements of a language in docs/bi.md."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / "bi.md").read_text(encoding="utf-8"), re.DOTALL)


def test_every_query_in_the_docs_has_an_answer(warehouse: Warehouse) -> None:
    """The SQL that Metabase and Grafana are given runs on every engine."""
    deliver(warehouse)
    asked = statements("sql")
    assert len(asked) == 3
    for sql in asked:
        on_redshift = warehouse.url.startswith("redshift:")  # where the docs say what to write for the time
        assert warehouse.query(sql.replace("current_timestamp", "getdate()") if on_redshift else sql), sql


def test_role_of_the_docs_can_read_and_nothing_else(postgres: Server) -> None:
    """The role for BI tools sees tables and views without naming the schema, and changes nothing."""
    with postgres.database() as url, psycopg.connect(url, autocommit=True) as owner:
        owner.execute("create schema sparkify")
        owner.execute("create table sparkify.users as select '1' as user_id")
        name = f"reader_{owner.info.dbname}"
        try:
            for sql in statements("postgresql")[0].replace("sparkify_reader", name).split(";"):
                if sql.strip():
                    owner.execute(sql.encode())
            owner.execute("create view sparkify.later as select * from sparkify.users")
            with psycopg.connect(url, user=name, autocommit=True) as reader:
                assert reader.execute("select * from users join later using (user_id)").fetchall() == [("1",)]
                for change in ("delete from users", "create table sparkify.mine (a int)", "drop view later"):
                    try:
                        reader.execute(change.encode())
                    except psycopg.errors.InsufficientPrivilege:
                        continue
                    raise AssertionError(change)
        finally:
            owner.execute(f"drop owned by {name}".encode())
            owner.execute(f"drop role {name}".encode())


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
    warehouse = Warehouse(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
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
