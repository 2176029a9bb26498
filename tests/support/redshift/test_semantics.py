"""Statements that mean something else to Redshift than to PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.redshift.conftest import Client

Connect = Callable[[], Client]


def test_keys_are_not_enforced(client: Client) -> None:
    """A primary key allows a value twice, and no null."""
    client.run("create table users (id integer primary key, level varchar(8) unique)")
    client.run("insert into users values (1, 'free'), (1, 'free')")
    assert client.value("select count(*) from users") == 2
    assert client.refusal("insert into users (level) values ('paid')")[0] == "23502"


@pytest.mark.parametrize(
    ("kind", "width"), [("varchar(4)", 4), ("text", 256), ("varchar", 256), ("varchar(max)", 65535)]
)
def test_widths_are_in_bytes(client: Client, kind: str, width: int) -> None:
    """A column holds as many bytes as its width, which is half as many two-byte letters."""
    client.run(f"create table names (name {kind})")
    client.run("insert into names values (?)", ["é" * (width // 2)])
    state, said = client.refusal("insert into names values (?)", ["é" * (width // 2 + 1)])
    assert (state, said) == ("22001", f"value too long for type character varying({width})")


def test_bare_numeric_has_no_decimals(client: Client) -> None:
    """NUMERIC without precision and scale is NUMERIC(18, 0)."""
    client.run("create table lengths (length numeric)")
    client.run("insert into lengths values (2.7)")
    assert client.value("select length from lengths") == 3
    assert client.refusal("insert into lengths values (1e18)")[0] == "22003"


def test_trailing_blanks_do_not_count(client: Client) -> None:
    """Texts that differ in trailing blanks are equal to ``=``, joins, groups, DISTINCT and IN."""
    client.run("create table songs (title varchar(20))")
    client.run("insert into songs values ('Rain'), ('Rain  '), (' Rain')")
    assert client.value("select count(*) from songs where title = 'Rain'") == 2
    assert client.value("select count(*) from songs as a join songs as b on a.title = b.title") == 5
    assert client.value("select count(*) from (select title from songs group by title) as titles") == 2
    assert client.value("select count(distinct title) from songs") == 2
    assert client.value("select count(*) from songs where title in ('Rain', 'x')") == 2
    assert client.run("select length(title) from songs order by 1") == [(4,), (5,), (6,)]


def test_text_is_in_the_order_of_its_bytes(client: Client) -> None:
    """Capitals come before small letters, and both before accents."""
    client.run("create table names (name varchar(20))")
    client.run("insert into names values ('é'), ('b'), ('B'), ('a')")
    assert client.run("select name from names order by name") == [("B",), ("a",), ("b",), ("é",)]


def test_doubles_as_text_have_15_digits(client: Client) -> None:
    """A double cast to text loses its last digits, and the double does not."""
    sums = "cast(0.1 as double precision) + cast(0.2 as double precision)"
    assert client.value(f"select cast({sums} as varchar)") == "0.3"
    assert client.value(f"select {sums}") == 0.1 + 0.2


def test_backslash_escapes_in_literals(client: Client) -> None:
    """A backslash in a literal is written twice; in a bound value once."""
    assert client.value(r"select length('\\')") == 1
    assert client.value("select cast(? as varchar)", ["\\"]) == "\\"


def test_nul_is_refused(client: Client) -> None:
    """Text with a NUL cannot be bound or cast."""
    assert client.refusal("select cast(? as varchar)", ["a\0b"])[0] == "22021"


def test_truncate_commits(client: Client, connect: Connect) -> None:
    """TRUNCATE commits everything before it in the transaction, and cannot be rolled back."""
    client.run("create table plays (id integer)")
    client.run("create table users (id integer)")
    client.run("begin")
    client.run("insert into users values (1)")
    client.run("truncate plays")
    assert not client.connection.in_transaction
    client.run("rollback")
    assert connect().value("select count(*) from users") == 1


def test_transaction_sees_one_snapshot_from_its_first_query(client: Client, connect: Connect) -> None:
    """Commits between BEGIN and the first query are visible, and later ones are not."""
    client.run("create table plays (id integer)")
    other = connect()
    client.run("begin")
    other.run("insert into plays values (1)")
    assert client.value("select count(*) from plays") == 1
    other.run("insert into plays values (2)")
    assert client.value("select count(*) from plays") == 1
    client.run("commit")
    assert client.value("select count(*) from plays") == 2


def test_lock_takes_no_snapshot(client: Client, connect: Connect) -> None:
    """Commits between LOCK and the first query are visible."""
    client.run("create table plays (id integer)")
    client.run("create table etl_lock (id integer)")
    other = connect()
    client.run("begin")
    client.run("lock etl_lock")
    other.run("insert into plays values (1)")
    assert client.value("select count(*) from plays") == 1


def test_ddl_takes_the_snapshot(client: Client, connect: Connect) -> None:
    """Commits after CREATE TABLE are not visible."""
    client.run("create table plays (id integer)")
    other = connect()
    client.run("begin")
    client.run("create temp table mine (id integer)")
    other.run("insert into plays values (1)")
    assert client.value("select count(*) from plays") == 0


def test_writers_of_one_row_end_in_error_1023(client: Client, connect: Connect) -> None:
    """Of two transactions that change one row, the later one fails with error 1023 and is rolled back."""
    client.run("create table users (id integer, level varchar(8))")
    client.run("insert into users values (1, 'free')")
    other = connect()
    client.run("begin")
    client.run("select * from users")
    other.run("update users set level = 'paid'")
    assert client.refusal("update users set level = 'none'") == ("XX000", "1023")
    client.run("rollback")
    assert client.value("select level from users") == "paid"


def test_vacuum_is_refused_in_a_transaction(client: Client) -> None:
    """VACUUM cannot run in a transaction."""
    client.run("create table plays (id integer)")
    client.run("vacuum plays")
    client.run("begin")
    assert client.refusal("vacuum plays")[0] == "25001"
