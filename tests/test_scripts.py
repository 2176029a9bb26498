"""The scripts at the root do what the commands do."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from tests.promises.deliveries import HEARD, LATE, play, song, view, write
from tests.support.killing import FAULT
from tests.support.realdata import REPOSITORY
from tests.support.sandbox import Row

from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse

Script = Callable[..., subprocess.CompletedProcess[str]]
LISTS = ("drop_table_queries", "create_table_queries", "copy_table_queries", "insert_table_queries")
FACTS_AND_DIMENSIONS = (*model.FACTS, *model.DIMENSIONS)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a dwh.cfg that names a warehouse and the source folders."""
    monkeypatch.chdir(tmp_path)
    Path("dwh.cfg").write_text(
        "[S3]\nLOG_DATA = 'my logs'\nSONG_DATA = songs\n[WAREHOUSE]\nURL = duckdb:///mine.duckdb\n"
    )
    return tmp_path


@pytest.fixture
def delivered(here: Path) -> Path:
    """Work in a folder with logs and songs without faults."""
    write(here / "songs" / "A" / "heard.json", song("SOHEARD", HEARD, "ARKNOWN"))
    write(here / "songs" / "late.json", song("SOLATE", LATE, "ARTARDY"))
    write(here / "my logs" / "2018" / "1.json", play(1), view(2, level="paid"), play(3, "2", **LATE))
    write(here / "my logs" / "2018" / "2.json", play(4, song="Lost"), view(5, "3"))
    return here


@pytest.fixture
def script(here: Path) -> Script:
    """Return a function that runs a script of the root as a user would."""

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(REPOSITORY / name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=here, stdin=subprocess.DEVNULL, check=False)

    return run


def contents(url: str) -> dict[str, list[Row]]:
    """Return every row of the facts and dimensions of a warehouse."""
    with open_warehouse(url, read_only=True) as engine:
        return {table: sorted(engine.rows(f"select * from {table}"), key=repr) for table in FACTS_AND_DIMENSIONS}


def test_create_tables_creates_the_warehouse_of_dwh_cfg(here: Path, script: Script) -> None:
    """`python create_tables.py` creates every table in the warehouse of dwh.cfg."""
    ended = script("create_tables.py")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert contents(f"duckdb:///{here}/mine.duckdb") == {table: [] for table in FACTS_AND_DIMENSIONS}


def test_create_tables_takes_the_options_of_the_command(delivered: Path, script: Script) -> None:
    """`python create_tables.py` drops rows only with --yes."""
    assert script("etl.py").returncode == 0
    assert script("create_tables.py").returncode == 2
    assert contents(f"duckdb:///{delivered}/mine.duckdb")["songplays"]
    assert script("create_tables.py", "--yes").returncode == 0
    assert not contents(f"duckdb:///{delivered}/mine.duckdb")["songplays"]


@pytest.mark.usefixtures("delivered")
def test_etl_loads_and_takes_options(script: Script) -> None:
    """`python etl.py` loads the folders of dwh.cfg, and takes the options of the command."""
    summary = json.loads(script("etl.py", "--json").stdout)
    assert (summary["events"]["read"], summary["songs"]["read"]) == (5, 2)
    assert script("etl.py").stdout.startswith("Nothing new")
    assert script("etl.py", "--nonsense").returncode == 2
    assert script("etl.py", "--log-data", "nowhere").returncode == 1


@pytest.mark.usefixtures("delivered")
def test_script_fails_with_the_code_of_the_command(here: Path, script: Script) -> None:
    """A failed check ends `python etl.py` with exit code 3 and no traceback."""
    assert script("etl.py").returncode == 0
    with duckdb.connect("mine.duckdb") as connection:
        connection.execute(FAULT)
    write(here / "my logs" / "more.json", play(9))
    ended = script("etl.py")
    assert ended.returncode == 3
    assert "user ids are unique" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_of_make_fits_80_columns() -> None:
    """`make` lists its targets within 80 columns."""
    listed = subprocess.run(["make", "-s", "-C", str(REPOSITORY), "help"], capture_output=True, text=True, check=True)
    lines = listed.stdout.splitlines()
    assert len(lines) == 9
    assert [line for line in lines if len(line) > 80] == []


# sql_queries.py


@pytest.fixture
def statements(delivered: Path) -> dict[str, list[str]]:
    """Return the four lists of sql_queries.py as an import gives them."""
    assert delivered == Path.cwd()
    found = runpy.run_path(str(REPOSITORY / "sql_queries.py"))
    return {name: found[name] for name in LISTS}


@pytest.fixture
def console() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty DuckDB."""
    with duckdb.connect() as connection:
        yield connection


def tables_of(console: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of the tables and views of a database."""
    rows = console.execute("select table_name from information_schema.tables").fetchall()
    return {name for (name,) in rows}


def test_lists_hold_statements(statements: dict[str, list[str]]) -> None:
    """Each of the four lists holds single statements."""
    for name in LISTS:
        assert statements[name], name
        for statement in statements[name]:
            assert len(duckdb.extract_statements(statement)) == 1, statement


def test_created_tables_are_those_of_the_warehouse(
    statements: dict[str, list[str]], console: duckdb.DuckDBPyConnection
) -> None:
    """The create list creates every table, and the drop list drops all of them."""
    for _ in range(2):
        for statement in statements["drop_table_queries"] + statements["create_table_queries"]:
            console.execute(statement)
        assert tables_of(console) >= {*model.ALL, "staging_events", "staging_songs"}
    for statement in statements["drop_table_queries"]:
        console.execute(statement)
    assert tables_of(console) == set()


def test_every_table_of_the_star_is_inserted_into(statements: dict[str, list[str]]) -> None:
    """The copy list fills staging tables, and the insert list fills facts and dimensions."""

    def targets(name: str) -> set[str]:
        return {found[1] for statement in statements[name] if (found := re.match(r"insert into (\w+)", statement))}

    assert targets("copy_table_queries") >= {"staging_events", "staging_songs"}
    assert targets("insert_table_queries") >= set(FACTS_AND_DIMENSIONS)


def test_statements_run_by_hand_give_what_etl_gives(
    here: Path, script: Script, statements: dict[str, list[str]], console: duckdb.DuckDBPyConnection
) -> None:
    """The four lists run by hand on clean files give the same facts and dimensions as a run."""
    for name in LISTS:
        for statement in statements[name]:
            console.execute(statement)
    assert script("etl.py").returncode == 0
    by_hand = {
        table: sorted(console.execute(f"select * from {table}").fetchall(), key=repr) for table in FACTS_AND_DIMENSIONS
    }
    assert by_hand == contents(f"duckdb:///{here}/mine.duckdb")


SCRIPTS = sorted(path.name for path in REPOSITORY.glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_without_the_package_says_what_to_do(name: str) -> None:
    """Without sparkify installed, every script says how to install it."""
    bare = [sys.executable, "-S", "-E", str(REPOSITORY / name)]  # Python without installed packages
    ended = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("No module named 'sparkify")
    assert ended.stderr.endswith(f"'. Run `make install` once, then .venv/bin/python {name}\n")


@pytest.mark.usefixtures("delivered")
def test_reader_of_the_statements_may_stop_early() -> None:
    """`python sql_queries.py | head -1` is not an error."""
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, str(REPOSITORY / "sql_queries.py")]
    with os.fdopen(theirs) as closed:
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.usefixtures("delivered")
def test_statements_can_be_printed(script: Script) -> None:
    """`python sql_queries.py` prints a SQL script."""
    ended = script("sql_queries.py")
    assert ended.returncode == 0
    assert len(duckdb.extract_statements(ended.stdout)) >= 30
