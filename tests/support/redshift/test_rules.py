"""Statements of Redshift's documentation are accepted, and those of PostgreSQL alone are refused.

The pages that the rules come from are named beside the rules, in refusals.py, rules.py, ddl.py and vocabulary.py.
"""

from __future__ import annotations

import pytest
from tests.support.redshift.conftest import Client
from tests.support.redshift.protocol import Refusal
from tests.support.redshift.rules import judged

TABLES = (
    "create table plays (id integer not null, level varchar(8) default 'free', start_time timestamp)",
    "create table users (id bigint, level varchar(8))",
)

TAKEN = (
    "create schema if not exists \"Sparkify\"",
    "set search_path to \"sparkify\", public",
    "set extra_float_digits to 2",
    "set query_group to 'etl'",
    "create table if not exists facts (id integer encode az64 distkey, at timestamp sortkey, primary key (id),"
    " foreign key (id) references plays (id), unique (id, at)) diststyle key backup no",
    "create table sorted (a integer, b varchar(max)) diststyle all compound sortkey (a, b)",
    "create temp table latest distkey (id) sortkey (id) as select id, level from plays",
    "create temporary table alike (like plays including defaults)",
    "create or replace view players as select id from plays with no schema binding",
    "insert into users (id) select id from plays",
    "insert into users values (1, 'a'), (2, default)",
    "with seen as (select id from plays) select count(*) from seen",
    "update users set level = p.level from plays as p where p.id = users.id",
    "delete from users using plays as p where p.id = users.id",
    "merge into users using plays as p on users.id = p.id when matched then update set level = p.level"
    " when not matched then insert values (p.id, p.level)",
    "select id, row_number() over (partition by level order by start_time desc nulls last) from plays",
    "select sum(id) over (partition by level order by id rows unbounded preceding) from plays",
    "select cast(id as varchar) || '-' || coalesce(level, ''), extract(dow from start_time) from plays",
    "select timestamp '1970-01-01 00:00:00' + floor(id / 1000.0) * interval '1 second' from plays",
    "select \"ID\" from plays where level in ('free', 'paid') union all select id from users",
    "select count(*) from information_schema.tables where table_schema = current_schema()",
    "select * from plays where level = '\\\\'",
    "analyze plays (id)",
    "vacuum delete only plays to 75 percent",
    "comment on table plays is 'one row per play'",
    "alter table plays add column location varchar(20)",
    "alter table plays alter column level type varchar(20)",
    "explain select 1",
    "show search_path",
)  # fmt: skip

REFUSED = (
    # Clauses of PostgreSQL
    "insert into users values (1, 'a') on conflict do nothing",
    "insert into users values (1, 'a') returning id",
    "select distinct on (level) id from plays",
    "select count(*) filter (where id > 1) from plays",
    "select * from plays, lateral (select 1) as one",
    "select id from plays for update",
    "select * from (values (1), (2)) as two",
    "select * from plays fetch first 1 row only",
    "with one as (select 1) insert into users (id) select * from one",
    "select level is distinct from 'free' from plays",
    # Types
    "create table t (a serial)",
    "create table t (a bigserial)",
    "create table t (a text[])",
    "create table t (a json)",
    "create table t (a interval)",
    "create table t (a numeric(39))",
    "create table t (a varchar(65536))",
    "create type level as enum ('free', 'paid')",
    "select cast(id as json) from plays",
    "alter table users alter column id type integer",
    # Definitions
    "create index i on plays (id)",
    "create table t (a integer check (a > 0))",
    "create table t (a varchar(10) collate \"C\")",
    "create unlogged table t (a integer)",
    "create table t (a integer) tablespace fast",
    "create table t (a integer encode fast)",
    "create table t (a integer) diststyle some",
    "create table t (a integer) diststyle key",
    "create table t (a integer distkey) diststyle all",
    "create table t (a integer) sortkey (b)",
    "create table if not exists t as select 1 as a",
    "create temp table pg_temp.t (a integer)",
    "drop table if exists pg_temp.t",
    "create temp view v as select 1 as a",
    "comment on schema public is 'ours'",
    # Reserved words
    "create table tag (a integer)",
    "create table t (tag integer)",
    "create table t (ctid integer)",
    "select id as tag from plays",
    "select tag from plays",
    # Functions
    "select string_agg(level, ',') from plays",
    "select array_agg(id) from plays",
    "select format('%s', level) from plays",
    "select gen_random_uuid()",
    "select to_jsonb(id) from plays",
    "select * from generate_series(1, 2)",
    "select pg_advisory_lock(1)",
    "select current_schema(), id from plays",
    "select now(), id from plays",
    "select p.id from plays as p join pg_class as c on c.relname = p.level",
    # Windows
    "select sum(id) over (order by id) from plays",
    "select sum(id) over w from plays window w as (partition by level)",
    # Commands
    "lock plays in share row exclusive mode",
    "lock plays nowait",
    "truncate plays, users",
    "truncate plays cascade",
    "savepoint one",
    "rollback to savepoint one",
    "set client_min_messages to warning",
    "listen news",
    "do $$ begin end $$",
    "merge into users using plays as p on users.id = p.id when matched then delete",
    "select 1; select 2",
)  # fmt: skip


@pytest.mark.parametrize("sql", TAKEN)
def test_statement_of_redshift_is_accepted(client: Client, sql: str) -> None:
    """A statement that the documentation's syntax allows runs."""
    for table in TABLES:
        client.run(table)
    client.run(sql)


@pytest.mark.parametrize("sql", REFUSED)
def test_other_statement_is_refused(client: Client, sql: str) -> None:
    """A statement that the documentation's syntax does not allow is refused with a fitting SQLSTATE."""
    for table in TABLES:
        client.run(table)
    state, said = client.refusal(sql)
    assert state[:2] in ("42", "0A", "22", "3F"), said


def test_names_are_folded_quoted_or_not(client: Client) -> None:
    """``"UserId"`` and ``userid`` name one column, in lower case."""
    client.run('create table "Plays" ("UserId" integer)')
    client.run("insert into plays values (7)")
    assert client.run('select userID, "USERID" from "PLAYS"') == [(7, 7)]
    assert client.cursor.description[0][0] == "userid"


def test_serverless_refuses_stl_and_stv() -> None:
    """A Serverless workgroup has no STL and STV views; a cluster has."""
    sql = "select count(*) from stv_slices"
    assert judged(sql).rewritten == sql
    with pytest.raises(Refusal, match="permission denied"):
        judged(sql, serverless=True)


def test_refused_statement_fails_its_transaction(client: Client) -> None:
    """After a refusal, a transaction accepts only its end, and keeps nothing."""
    client.run("create table plays (id integer)")
    client.run("begin")
    client.run("insert into plays values (1)")
    client.refusal("select string_agg('a', ',')")
    assert client.refusal("select 1")[0] == "25P02"
    client.run("rollback")
    assert client.value("select count(*) from plays") == 0
