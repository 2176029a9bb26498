"""One description of every table and column appears in the warehouse, in the docs and on the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

import pytest
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox, Warehouses
from tools import write_docs

from sparkify.cli.main import main
from sparkify.sql import dictionary, model
from sparkify.warehouse import install
from sparkify.warehouse.connect import open_warehouse


def comments(warehouse: Sandbox) -> dict[tuple[str, str], str]:
    """Return the comments in a warehouse."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return engine.comments()


def test_every_row_is_described_by_a_noun() -> None:
    """The list of tables describes the row of each by a noun."""
    rows = {entry.name: entry.row for entry in dictionary.entries()}
    assert rows["songplays"] == "NextSong event"
    assert rows["freshness"].startswith("warehouse: the period of all loaded events")
    assert [name for name, row in rows.items() if row.lower().startswith("one ")] == []


def test_every_table_view_and_column_has_its_comment(fortnight: Sandbox) -> None:
    """After a run, every table, view and column has its description as a comment."""
    found = comments(fortnight)
    texts = dictionary.texts()
    for name in (*model.ALL, *model.VIEWS):
        assert found[name, ""].startswith(texts[name, ""]), name
        for column in dictionary.entry(name).columns:
            assert found[name, column.name] == texts[name, column.name], (name, column)


@pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)
def test_staging_is_described_where_it_lasts(fortnight: Sandbox) -> None:
    """On a server, where staging tables are permanent, they have comments too."""
    found = comments(fortnight)
    assert found["staging_events", "firstname"] == "The given name of the user; null if logged out."
    assert {text for (table, _), text in found.items() if table.startswith("staging_")} >= {
        text for (table, _), text in dictionary.texts().items() if table.startswith("staging_")
    }


def test_missing_or_old_comment_is_written_again(make_warehouse: Warehouses) -> None:
    """A run writes comments that are missing or differ, and no others."""
    warehouse = make_warehouse.filled(deliver)
    before = comments(warehouse)
    with open_warehouse(warehouse.url) as engine:
        assert install.write_comments(engine) == 0
        engine.execute("comment on column users.level is 'old'")
        engine.execute("comment on table songs is null")
        assert install.write_comments(engine) == 2
    assert comments(warehouse) == before


def test_comments_survive_a_full_refresh(make_warehouse: Warehouses) -> None:
    """After a full refresh the tables have their comments."""
    warehouse = make_warehouse.filled(deliver)
    before = comments(warehouse)
    warehouse.etl(full_refresh=True)
    assert comments(warehouse) == before


def test_docs_are_what_the_code_writes() -> None:
    """The dictionary, the diagrams and dbt's sources in the docs are those that the code writes."""
    assert [str(path) for path, _ in write_docs.stale()] == [], "Run `make renew`, then review the changes."


def test_describe_lists_tables_or_the_columns_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a warehouse, `sparkify describe` lists every table and view, or the columns of one."""
    assert main(["describe"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in (*model.ALL, *model.VIEWS))
    assert main(["describe", "Sessions"]) == 0
    shown = capsys.readouterr().out
    assert "One row per session of a user." in shown
    assert "The number of plays." in shown
    assert main(["describe", "sessions", "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert [column["name"] for column in entry["columns"]][:2] == ["session_id", "user_id"]


@pytest.mark.parametrize("name", ["weekly_churn", "songplays"])
def test_describe_fits_a_terminal(name: str) -> None:
    """On a terminal of 80 columns, long descriptions continue on the next line."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "sparkify", "describe", name]
    environ = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"TERM": "dumb"}
    with (
        os.fdopen(ours, "rb", buffering=0) as terminal,
        subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ),
    ):
        os.close(theirs)
        shown = b"".join(_until_hung_up(terminal)).decode()
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80
    assert any(line.startswith(" " * 20) for line in lines)


def _until_hung_up(terminal: IO[bytes]) -> Iterator[bytes]:
    with suppress(OSError):  # Linux raises it once the other end is closed.
        while part := terminal.read(4096):
            yield part


def test_describe_of_an_unknown_table_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    """The message about an unknown table lists the known ones."""
    assert main(["describe", "sesions"]) == 2
    assert "sessions" in capsys.readouterr().err
