"""`sparkify create-tables` drops rows only on request."""

from __future__ import annotations

import json

import pytest
from tests.support.command_line import Sparkify, everything
from tests.support.terminal import on_terminal

from sparkify.sql import model


def test_create_tables_needs_no_yes_where_nothing_is_lost(sparkify: Sparkify) -> None:
    """Without rows to lose, create-tables needs no --yes."""
    assert [sparkify("create-tables").code for _ in range(2)] == [0, 0]
    assert everything() == {table: [] for table in model.ALL}


def test_create_tables_needs_yes_without_a_terminal(reading: Sparkify) -> None:
    """Without a terminal, create-tables drops rows only with --yes."""
    before = everything()
    ended = reading("create-tables")
    assert ended.code == 2
    assert "--yes" in ended.err
    assert everything() == before


def test_create_tables_with_yes_empties_every_table(filled: Sparkify) -> None:
    """create-tables --yes drops every row, and the next run loads all files again."""
    assert filled("create-tables", "--yes").code == 0
    assert everything() == {table: [] for table in model.ALL}
    assert json.loads(filled("etl", "--json").out)["files"]["loaded"] == 6


@pytest.mark.parametrize(("answer", "stays"), [("n\n", True), ("\n", True), ("y\n", False), ("Yes\n", False)])
@pytest.mark.usefixtures("filled")
def test_create_tables_asks_on_a_terminal(answer: str, stays: bool) -> None:
    """On a terminal, create-tables drops rows only after a clear yes."""
    before = everything()
    code, shown = on_terminal("create-tables", answer=answer)
    assert code == 0
    assert f"sparkify.duckdb holds {sum(map(len, before.values()))} rows. Drop all of them? [y/N]" in shown
    assert (everything() == before) is stays
    assert any(everything().values()) is stays
