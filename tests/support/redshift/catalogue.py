"""What a database of the stand-in has beyond PostgreSQL's: how it compares text, and Redshift's system views.

It is made once, as the template of all others: a copy takes some 50 ms.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from tests.support.postgres import Server
from tests.support.redshift.copying import Loaded

# Comparisons of VARCHAR values ignore trailing blanks ("Character types": significance of trailing blanks; "Examples
# with character types"). The real server compares so for its CHAR type, whose values have the same layout. The
# operators of text, and with them joins, sorts, groups and hashes, are replaced by those functions. Text is ordered by
# its bytes ("Collation sequences"): the database's collation is C.
_BLANKS = """
set allow_system_table_mods = on;
update pg_operator as o
set oprcode = f.functions::regproc
from (values
    ('=', 'bpchareq'), ('<>', 'bpcharne'), ('<', 'bpcharlt'), ('<=', 'bpcharle'), ('>', 'bpchargt'), ('>=', 'bpcharge')
) as f (operator, functions)
where o.oprname = f.operator and o.oprleft = 'text'::regtype and o.oprright = 'text'::regtype;
update pg_amproc as p
set amproc = f.functions::regproc
from (values
    ('btree', 1, 'bpcharcmp'), ('btree', 2, 'bpchar_sortsupport'), ('hash', 1, 'hashbpchar'),
    ('hash', 2, 'hashbpcharextended')
) as f (method, number, functions), pg_opfamily as y, pg_am as m
where p.amprocfamily = y.oid and y.opfmethod = m.oid and m.amname = f.method and p.amprocnum = f.number
    and y.opfname = 'text_ops' and p.amproclefttype = 'text'::regtype and p.amprocrighttype = 'text'::regtype;
"""

# The relay stores the results of COPY and UNLOAD commands in settings of the session, which survive a rollback, as do
# the views of Redshift ("Isolation levels in Amazon Redshift": system tables are not part of a transaction).
_FUNCTIONS = """
create function pg_catalog.pg_last_copy_id() returns integer language sql stable
as $$ select coalesce(nullif(current_setting('redshift.last_copy_id', true), ''), '-1')::integer $$;
create function pg_catalog.pg_last_copy_count() returns bigint language sql stable
as $$ select coalesce(nullif(current_setting('redshift.last_copy_count', true), ''), '0')::bigint $$;
create function pg_catalog.pg_last_unload_id() returns integer language sql stable
as $$ select coalesce(nullif(current_setting('redshift.last_unload_id', true), ''), '-1')::integer $$;
create function pg_catalog.pg_last_unload_count() returns bigint language sql stable
as $$ select coalesce(nullif(current_setting('redshift.last_unload_count', true), ''), '0')::bigint $$;
create function pg_catalog.pg_last_query_id() returns integer language sql stable
as $$ select coalesce(nullif(current_setting('redshift.last_query_id', true), ''), '-1')::integer $$;
create function pg_catalog.db_collation() returns text language sql stable
as $$ select coalesce(nullif(current_setting('redshift.database_collation', true), ''), 'case_sensitive') $$;
create function pg_catalog.getdate() returns timestamp language sql stable
as $$ select date_trunc('second', now() at time zone 'UTC') $$;
create function pg_catalog.len(text) returns integer language sql immutable strict
as $$ select length($1) $$;
create function pg_catalog.nvl(anyelement, anyelement) returns anyelement language sql immutable
as $$ select coalesce($1, $2) $$;
"""

LOAD_ERRORS = (
    "user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name char(64),"
    " table_id integer, start_time timestamp, file_name char(256), line_number bigint, column_name char(127),"
    " column_type char(10), column_length char(10), position integer, error_code integer, error_message char(512)"
)
"""The columns of SYS_LOAD_ERROR_DETAIL, as its page lists them."""

_LOADS = (
    "user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name text,"
    " table_name text, status text, start_time timestamp, end_time timestamp, loaded_rows bigint,"
    " loaded_bytes bigint, source_file_count integer, file_format text, error_count bigint"
)
"""The columns of SYS_LOAD_HISTORY that the relay fills."""

_VIEWS = f"""
create view pg_catalog.sys_load_error_detail as
select * from json_to_recordset(coalesce(nullif(current_setting('redshift.load_errors', true), ''), '[]')::json)
    as errors ({LOAD_ERRORS});
create view pg_catalog.sys_load_history as
select * from json_to_recordset(coalesce(nullif(current_setting('redshift.loads', true), ''), '[]')::json)
    as loads ({_LOADS});
create view pg_catalog.svv_transactions as
select
    a.usename::text as txn_owner, a.datname::text as txn_db,
    coalesce(a.backend_xid::text, '0')::bigint as xid, l.pid, a.xact_start at time zone 'UTC' as txn_start,
    l.mode as lock_mode,
    case l.locktype when 'virtualxid' then 'transactionid' else l.locktype end as lockable_object_type,
    l.relation::integer as relation, l.granted
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid
where l.locktype in ('relation', 'transactionid', 'virtualxid') and a.datname = current_database();
create view pg_catalog.svv_table_info as
select
    current_database()::text as database, n.nspname::text as "schema", c.oid::integer as table_id,
    c.relname::text as "table", 'Y, AUTO(ENCODE)'::text as encoded, 'AUTO(ALL)'::text as diststyle,
    'AUTO(SORTKEY)'::text as sortkey1, 65535 as max_varchar, null::text as sortkey1_enc, 0 as sortkey_num,
    (c.relpages / 128 + 1)::bigint as size, null::numeric(10, 4) as pct_used, 0::bigint as empty,
    null::numeric(5, 2) as unsorted, 0.00::numeric(5, 2) as stats_off,
    greatest(c.reltuples, 0)::numeric(38, 0) as tbl_rows, null::numeric(19, 2) as skew_sortkey1,
    null::numeric(19, 2) as skew_rows, greatest(c.reltuples, 0)::numeric(38, 0) as estimated_visible_rows,
    null::text as risk_event, 0::numeric(12, 2) as vacuum_sort_benefit
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast');
create view pg_catalog.stv_slices as
select 0 as node, slice, slice as localslice, 'D'::char(1) as type from generate_series(0, 1) as slice;
create view pg_catalog.stv_db_isolation_level as
select oid::integer as db_id, datname::text as db_name, 'Snapshot'::text as isolation_level from pg_database;
grant select on all tables in schema pg_catalog to public;
"""

# A session of Redshift starts with these settings: doubles as text have 15 digits ("extra_float_digits"), a backslash
# escapes in literals, and DATE and TIMESTAMP are ISO, month before day ("datestyle").
_SETTINGS = {
    "extra_float_digits": "0",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "jit": "off",
    "enable_nestloop": "off",  # Redshift joins by hash or merge unless a join has no equal columns ("Query plan").
}


@contextmanager
def template(server: Server) -> Iterator[str]:
    """Create the database that the others are copies of; yield its URL."""
    with server.database("template0") as url:
        name = url.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(server.url, autocommit=True) as connection:
            # The tests' server orders text by language; only template0 allows another order.
            connection.execute(f"drop database {name}".encode())
            version = connection.info.server_version
            provider = " locale_provider 'libc'" if version >= 150000 else ""
            connection.execute(
                f"create database {name} template template0 encoding 'UTF8' locale 'C'{provider}".encode()
            )
        with psycopg.connect(url, autocommit=True) as connection:
            for script in (_BLANKS, _FUNCTIONS, _VIEWS):
                connection.execute(script.encode())
        with psycopg.connect(server.url, autocommit=True) as connection:
            # An open session would prevent copies of the database.
            connection.execute(f"alter database {name} with allow_connections false".encode())
        yield url


def start_of_session(user: str) -> str:
    """Return the settings of a session on the real server."""
    settings = {**_SETTINGS, "redshift.user": user}
    return "select " + ", ".join(setting(name, value) for name, value in settings.items())


def setting(name: str, value: str) -> str:
    """Return the call that sets a parameter for the session."""
    quoted = value.replace("'", "''").replace("\\", "\\\\")
    return f"set_config('{name}', E'{quoted}', false)"


class Copies:
    """The results of COPY commands, by database: the rows of SYS_LOAD_HISTORY and SYS_LOAD_ERROR_DETAIL."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)

    def remember(self, database: str, query: int, session: int, loaded: Loaded, *, has_failed: bool) -> None:
        """Record a COPY and its errors."""
        now = datetime.now(UTC).replace(tzinfo=None)
        common = {"user_id": 100, "query_id": query, "transaction_id": query, "session_id": session, "start_time": now}
        self._rows["loads", database].append(
            {
                **common, "database_name": database, "table_name": loaded.table, "end_time": now,
                "status": "aborted" if has_failed else "completed", "loaded_rows": loaded.rows,
                "loaded_bytes": loaded.size, "source_file_count": loaded.files, "file_format": "JSON",
                "error_count": len(loaded.errors),
            }
        )  # fmt: skip
        self._rows["load_errors", database] += [
            {
                **common, "database_name": database, "table_id": loaded.table_id, "file_name": error.file[:256],
                "line_number": error.line, "column_name": error.column.name if error.column else "",
                "column_type": error.column.base.replace("character varying", "varchar")[:10] if error.column else "",
                "column_length": str(error.column.sizes[0]) if error.column and error.column.sizes else "",
                "position": error.position, "error_code": error.code, "error_message": error.message[:512],
            }
            for error in loaded.errors
        ]  # fmt: skip

    def told(self, database: str) -> list[str]:
        """Return the calls that fill the views in a session."""
        return [
            setting(f"redshift.{view}", json.dumps(self._rows[view, database], default=str))
            for view in ("loads", "load_errors")
        ]

    def forget(self, database: str) -> None:
        """Delete the results of a database that is dropped."""
        for view in ("loads", "load_errors"):
            self._rows.pop((view, database), None)
