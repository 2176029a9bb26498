"""`sparkify query` runs one SELECT, prints it for people or machines, and changes nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.support.sandbox import Sandbox

from sparkify import config
from sparkify.cli import output
from sparkify.cli.main import main
from sparkify.errors import WarehouseError
from sparkify.sql import model
from sparkify.warehouse.connect import open_warehouse

Ask = Callable[..., str]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Return a warehouse that holds the first delivery, which no test can change."""
    folder = tmp_path_factory.mktemp("query")
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder)
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    return warehouse


@pytest.fixture
def ask(loaded: Sandbox, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return a function that runs a query and returns its output."""

    def run(sql: str, form: str = "table") -> str:
        assert main(["query", sql, "--format", form, "--warehouse", loaded.url]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


ROW = (
    "select null as nothing, 'a, b' as comma, 'say \"hi\"' as quoted, e'one\\ntwo' as lines,"
    " timestamp '2018-11-01 20:57:10.796' as moment, 1.5::double as half, 1234567 as many, true as yes, 'Björk' as name"
)


def test_table_is_for_people(ask: Ask) -> None:
    """A table has aligned numbers, dashes for nulls, short fractions and milliseconds."""
    sql = "select 2018 as year, 1 / 54::double as share, timestamp '2018-11-01 20:57:10.796' as moment, null as nothing"
    head, line, row = ask(f"{sql}, 'Björk, [red]' as name").splitlines()
    assert head.split() == ["year", "share", "moment", "nothing", "name"]
    assert set(line) == {"─"}
    assert row.split(maxsplit=5) == ["2018", "0.018518519", "2018-11-01", "20:57:10.796", "–", "Björk, [red]"]


@pytest.mark.parametrize("width", [30, 40, 80])
@pytest.mark.parametrize("columns", [1, 3, 12])
def test_numbers_and_times_are_not_folded(width: int, columns: int) -> None:
    """On a narrow terminal only text is folded, no line is too long, and no value is left out."""
    row = [123456789012.5, datetime.fromisoformat("2018-11-01 20:57:10.796"), "word " * 30]
    names = [f"column_{place}" for place in range(columns)]
    shown = output.table(names, [(row * 4)[:columns]] * 2, width, grouped=True)
    assert max(map(len, shown.splitlines())) <= width
    assert shown.split().count("123456789012.5") == 2 * len(range(0, columns, 3))
    assert shown.split().count("20:57:10.796") == 2 * len(range(1, columns, 3))


def test_table_is_not_folded_outside_a_terminal(ask: Ask) -> None:
    """Outside a terminal, a row is one line, however long."""
    assert ask("select repeat('x', 300) as long").splitlines()[2].strip() == "x" * 300


def test_csv_round_trips(ask: Ask) -> None:
    """CSV keeps commas, quotes, line breaks, nulls and milliseconds."""
    head, row = csv.reader(io.StringIO(ask(ROW, "csv")))
    assert head == ["nothing", "comma", "quoted", "lines", "moment", "half", "many", "yes", "name"]
    assert row == [
        *("", "a, b", 'say "hi"', "one\ntwo"),
        *("2018-11-01 20:57:10.796000", "1.5", "1234567", "True", "Björk"),
    ]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_csv_keeps_line_endings_in_text(ask: Ask, end: str) -> None:
    """Carriage returns and line feeds in a text do not end a row of CSV."""
    codes = " || ".join(f"chr({ord(c)})" for c in end)
    written = ask(f"select 'a' || {codes} || 'b' as x, 2 as y", "csv")
    assert [*csv.reader(io.StringIO(written, newline=""))] == [["x", "y"], [f"a{end}b", "2"]]


def test_csv_of_nothing_has_its_header(ask: Ask) -> None:
    """CSV without rows has its header."""
    assert ask("select user_id, level from users where false", "csv") == "user_id,level\n"


def test_json_has_an_object_for_each_row(ask: Ask) -> None:
    """Numbers, booleans and nulls are JSON's own, and a time is text."""
    [row] = json.loads(ask(ROW, "json"))
    assert row.pop("moment").replace("T", " ") == "2018-11-01 20:57:10.796000"
    assert row == {"nothing": None, "comma": "a, b", "quoted": 'say "hi"', "lines": "one\ntwo"} | {
        "half": 1.5,
        "many": 1234567,
        "yes": True,
        "name": "Björk",
    }


def test_json_of_nothing_is_an_empty_list(ask: Ask) -> None:
    """JSON without rows is an empty list."""
    assert json.loads(ask("select 1 as one where false", "json")) == []


def test_json_of_a_decimal_is_a_number(ask: Ask) -> None:
    """A decimal is a number in JSON."""
    assert json.loads(ask("select 1.5 as exact", "json")) == [{"exact": 1.5}]


@pytest.mark.parametrize("value", ["nan", "infinity", "-infinity"])
def test_json_has_no_nan_or_infinity(ask: Ask, value: str) -> None:
    """NaN and infinity do not make the JSON invalid."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(ask(f"select '{value}'::double as wrong", "json"), parse_constant=refuse)


CHANGES = (
    "insert into users (user_id) values ('x')",
    "update users set level = 'paid'",
    "delete from users",
    "drop table users",
    "truncate users",
    "alter table users add column x integer",
    "create table x as select 1",
    "create view x as select 1",
    "begin; delete from users; commit",
    "select 1; select 2",
    "attach '{folder}/x.duckdb' as x",
    "copy users to '{folder}/x.csv'",
    "copy users from '{folder}/secret.csv'",
    "export database '{folder}/x'",
    "select * from read_csv('{folder}/secret.csv')",
    "select * from read_text('/etc/passwd')",
    "select * from '{folder}/secret.csv'",
    "select * from glob('/etc/*') as files",
    "set enable_external_access = true",
    "set memory_limit = '1MB'",
    "set variable x = 1",
    "install httpfs",
    "load httpfs",
    "",
    "-- nothing",
)


@pytest.mark.parametrize("sql", CHANGES)
def test_query_only_reads(loaded: Sandbox, capsys: pytest.CaptureFixture[str], tmp_path: Path, sql: str) -> None:
    """A statement that would change the warehouse, touch a file, or bring a second statement fails."""
    (tmp_path / "secret.csv").write_text("user_id\nsecret\n")
    before = contents(loaded)
    assert main(["query", sql.format(folder=tmp_path), "--warehouse", loaded.url]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sparkify: ")
    assert "root:" not in err
    assert contents(loaded) == before
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


@pytest.mark.parametrize("sql", ["", "-- nothing", "set datestyle to 'ISO'", "delete from users"])
def test_server_is_asked_for_rows_only(warehouse: Sandbox, sql: str) -> None:
    """On every engine, a statement without rows, or with changes, fails."""
    settings = config.load(environ=warehouse.environ)
    with open_warehouse(warehouse.url, settings) as engine:
        engine.add_tables(["users"])
    with open_warehouse(warehouse.url, settings, read_only=True) as engine:
        with pytest.raises(WarehouseError):
            engine.ask(sql)
        assert engine.ask("select count(*) as users from users") == (["users"], [(0,)])


def contents(warehouse: Sandbox) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return {table: engine.rows(f"select * from {table}") for table in model.ALL}


def test_wrong_sql_is_reported_without_a_traceback(loaded: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """An error in the SQL is reported in the engine's words, without a traceback."""
    assert main(["query", "select\tlevle from users", "--warehouse", loaded.url]) == 1
    err = capsys.readouterr().err
    assert "levle" in err
    assert "\\t" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize("sql", ["select count(*) from staging_events", 'select * from main."Staging_Songs" as s'])
def test_question_about_staging_is_answered_with_how_to_keep_it(
    loaded: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    """On DuckDB, a question about a staging table states a command after which it is answered."""
    assert main(["query", sql, "--warehouse", loaded.url]) == 1
    [command] = re.findall("`sparkify (.+?)`", capsys.readouterr().err)
    url = f"duckdb:///{shutil.copy(loaded.url.removeprefix('duckdb:///'), tmp_path / 'copy.duckdb')}"
    sources = ["--log-data", str(loaded.log_data), "--song-data", str(loaded.song_data)]
    assert main([*command.split(), *sources, "--warehouse", url]) == 0
    assert main(["query", sql, "--warehouse", url]) == 0


def test_json_keeps_columns_of_one_name_apart(ask: Ask) -> None:
    """Columns of the same name are numbered in JSON."""
    assert json.loads(ask("select 1 as a, 2 as a, 3 as a_1", "json")) == [{"a": 1, "a_1": 2, "a_1_1": 3}]


def test_table_does_not_steer_the_terminal(ask: Ask) -> None:
    """Control characters in a value are shown as escapes."""
    assert "\\x1b[31mred" in ask("select chr(27) || '[31mred' as colour", "table")
