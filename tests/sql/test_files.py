"""SQL files keep the rules of the house, and agree with tables and contract."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from sparkify.sources.listing import Kind
from sparkify.sql import ddl, dictionary, loader, model
from sparkify.staging.contract import CONTRACTS, Type

SQL = Path(loader.__file__).parent
FILES = sorted(path.relative_to(SQL).with_suffix("").as_posix() for path in SQL.rglob("*.sql"))


@pytest.mark.parametrize("name", FILES)
def test_first_line_says_what_one_row_is(name: str) -> None:
    """The first line of a SQL file names the file and describes one row."""
    first = SQL.joinpath(f"{name}.sql").read_text(encoding="utf-8").splitlines()[0]
    assert re.fullmatch(rf"-- {Path(name).name}: .*\bone row\b.*[.]", first), first


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_one_statement(name: str) -> None:
    """A SQL file holds one statement without a semicolon."""
    code = re.sub(r"--.*", "", loader.read(name, "duckdb"))
    assert code.strip()
    assert ";" not in code


def test_every_table_has_its_file_and_every_file_its_place() -> None:
    """Tables and transforms in the code and in SQL files are the same."""
    staging = {"staging_events", "staging_songs", "staging_files", "staging_rejects"}
    assert set(loader.names("tables")) == {*model.ALL, *staging}
    assert set(loader.names("transform")) == set(model.ORDER)


@pytest.mark.parametrize("table", model.ORDER)
def test_star_file_has_the_columns_of_its_table_in_order(table: str) -> None:
    """A transform's SELECT has the columns of its table, in order."""
    with duckdb.connect() as connection:
        for statement in ddl.create_statements("duckdb"):
            connection.execute(statement)
        given = connection.execute(loader.read(f"transform/{table}", "duckdb")).description
        expected = connection.execute(f"select * from {table}").description
    assert [column[0] for column in given] == [column[0] for column in expected]


@pytest.mark.parametrize("kind", CONTRACTS)
def test_staging_columns_are_the_fields_of_the_contract(kind: Kind) -> None:
    """A staging table has the fields and widths of its contract, in order."""
    rules = CONTRACTS[kind]
    statement = loader.read(f"tables/{rules.table}", "duckdb")
    columns = re.findall(r"^ {4}(\w+) (\w+)(?:\((\d+)\))?", statement, re.MULTILINE)
    types = {Type.TEXT: "varchar", Type.INTEGER: "bigint", Type.TIMESTAMP: "bigint"}
    expected = [
        (field.name, types.get(field.type, "double"), str(field.width) if field.width else "") for field in rules.fields
    ]
    assert columns[: len(expected)] == expected


def test_hint_is_sql_for_its_engine_and_a_comment_for_others() -> None:
    """The text after `-- @duckdb` is part of the statement on DuckDB, and a comment elsewhere."""
    assert re.search(r"^temp$", loader.read("tables/staging_songs", "duckdb"), re.MULTILINE)
    assert not re.search(r"^temp$", loader.read("tables/staging_songs", "postgresql"), re.MULTILINE)


@pytest.mark.parametrize("view", model.VIEWS)
def test_view_reads_only_tables_and_views_before_it(view: str) -> None:
    """A view reads only tables and earlier views, and DuckDB's parser finds the same ones."""
    read = loader.read(f"views/{view}", "duckdb")
    before = model.VIEWS[: model.VIEWS.index(view)]
    with duckdb.connect() as parser:
        found = {name for name in loader.reads(read) if name in {*model.ALL, *model.VIEWS}}
        assert found == set(parser.get_table_names(read)) <= {*model.ALL, *before}


@pytest.mark.parametrize("view", model.VIEWS)
def test_view_states_how_a_period_selects_its_rows(view: str) -> None:
    """A line of each view names the column of time by which its rows are selected, or states that there is none."""
    text = SQL.joinpath("views", f"{view}.sql").read_text(encoding="utf-8")
    stated = re.findall(r"(?m)^-- @period (\w+)$", text)
    assert len(stated) == 1, f"{view}.sql: add `-- @period <column>`, or `-- @period none`, above its SELECT."
    assert stated[0] in {"none", *(column.name for column in dictionary.entry(view).columns)}


@pytest.mark.parametrize("entry", dictionary.entries(), ids=lambda entry: entry.name)
def test_every_column_has_its_line_in_the_dictionary(entry: dictionary.Entry) -> None:
    """The header of a SQL file describes every column of its table or view, in order."""
    folder = "views" if entry.kind == "view" else "tables"
    described = list(dictionary.header(loader.read(f"{folder}/{entry.name}", "duckdb")))
    assert described == [entry.name, *(column.name for column in entry.columns)]
    assert all(column.text.endswith(".") for column in entry.columns)


# Reserved words of Redshift that could be the name of a column or table
# (docs.aws.amazon.com/redshift/latest/dg/r_pg_keywords.html).
RESERVED = """
    analyse all any array authorization between both case check collate column constraint cross current_date default
    delta desc distinct end except explicit false for from full grant group identity in inner intersect into is join
    language leading left like limit luns minus natural new not null off offset old on only open or order outer
    overlaps parallel partition percent permissions pivot primary raw references respect right rejectlog resort
    restore select similar snapshot some sysdate system table tag then to top trailing true union unique unnest user
    using verbose wallet when where with without
"""


@pytest.mark.parametrize("entry", dictionary.entries(), ids=lambda entry: entry.name)
def test_no_name_is_reserved_on_redshift(entry: dictionary.Entry) -> None:
    """No table, view or column has a name that is reserved on Redshift."""
    assert not {entry.name, *(column.name.lower() for column in entry.columns)} & set(RESERVED.split())
