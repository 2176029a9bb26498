"""PostgreSQL, the warehouse on a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sparkify.config import Config
from sparkify.errors import ConfigError, Denied, WarehouseError
from sparkify.filesystem import scratch_folder
from sparkify.sql import model
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse import embedded
from sparkify.warehouse.base import Row, Warehouse
from sparkify.warehouse.embedded import translate_errors
from sparkify.warehouse.server import Server

_CHUNK = 1 << 18  # bytes of a COPY that are sent at once

_HOLDERS = """
select a.pid, a.usename, a.xact_start at time zone 'UTC'
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid
where l.relation = to_regclass('etl_files') and l.mode = 'ShareRowExclusiveLock' and l.granted
"""

_COMMENTS = """
select c.relname, coalesce(a.attname, ''), coalesce(d.description, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join (
    select attrelid, attnum, attname from pg_attribute where attnum > 0 and not attisdropped
    union all
    select oid, 0, null from pg_class
) as a on a.attrelid = c.oid
left join pg_description as d
    on d.objoid = c.oid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass
where n.nspname = current_schema() and c.relkind in ('r', 'v')
"""

_COLUMNS = """
select column_name, data_type
from information_schema.columns
where table_schema = current_schema() and table_name = ?
order by ordinal_position
"""

_TEXT_COLUMNS = """
select table_name, column_name, data_type, character_maximum_length
from information_schema.columns
where table_schema = current_schema() and data_type in ('character varying', 'text')
    and table_name in (select table_name from information_schema.tables where table_type = 'BASE TABLE')
    and collation_name is distinct from 'C'
"""


_SETTINGS = {
    "client_min_messages": "warning",
    "datestyle": "'ISO, MDY'",  # as export reads it
    "extra_float_digits": "1",  # or a number written as text would not be the number, and a track's key another one
}
"""What statements of ours depend on. PGOPTIONS, or a setting of the user or the database, may say otherwise."""


class Postgres(Server):
    """A schema of a PostgreSQL database: ``postgresql://user@host:5432/dbname``.

    The URL is libpq's, and so are passwords (PGPASSFILE, PGSERVICE, the environment) and sslmode. Files are read by
    the same reader as on DuckDB, in a database embedded in this process, and go to the server by COPY.
    """

    engine: ClassVar[str] = "postgresql"
    temporary: ClassVar[str] = "pg_temp."
    longest_name: ClassVar[int] = 63  # PostgreSQL cuts a longer one
    lock: ClassVar[str] = "lock table etl_files in share row exclusive mode"

    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        self._url = _checked(url)
        super().__init__(url, config, read_only=read_only)

    def reconnect(self) -> None:
        """Connect to the server."""
        try:
            self._connection = psycopg.connect(
                self._url, autocommit=True, application_name="sparkify", client_encoding="UTF8"
            )
        except psycopg.Error as error:
            raise WarehouseError(
                f"PostgreSQL cannot be reached. Check [WAREHOUSE] URL or --warehouse, and the server: {_said(error)}"
            ) from error
        info = self._connection.info
        self._user, self._database = info.user, info.dbname
        self.label = f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname} (schema {self._schema})"
        if (encoding := info.parameter_status("server_encoding")) != "UTF8":
            self._connection.close()
            raise WarehouseError(
                f"{self.label}: this database keeps text as {encoding}, which cannot hold all of ours. Make one by"
                " `createdb --template template0 --encoding UTF8`, and name it in [WAREHOUSE] URL."
            )
        for setting, value in _SETTINGS.items():
            self.execute(f"set {setting} to {value}")
        self._enter_schema()
        if not self._read_only:
            self._clean_up()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        return max(self._run(sql, parameters).rowcount, 0)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return the names of its columns and its rows."""
        cursor = self._run(sql, parameters)
        return ([column.name for column in cursor.description], cursor.fetchall()) if cursor.description else ([], [])

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT of a user's in a transaction that may only read."""
        self.execute("begin read only")
        try:
            with self._plainly():  # prepared, or the server would take several statements at once
                cursor = self._connection.execute(sql.encode(), prepare=True)
                if not cursor.description:
                    raise WarehouseError(f"{self.label}: that returns no rows. Give one SELECT.")
                return [column.name for column in cursor.description], cursor.fetchall()
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost."""
        return self._connection.broken

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on tables, views and columns, by table and column."""
        return {(table, column): text for table, column, text in self.rows(_COMMENTS)}

    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files: from the server by COPY, and into their form by the embedded database."""
        self.execute("begin isolation level repeatable read read only")
        try:
            with scratch_folder() as folder:
                rows = Path(folder) / "rows.csv"
                for name, path in files.items():
                    self._receive(f"copy (select * from {name}) to stdout (format csv)", rows)
                    columns: dict[str, str] = dict(self.rows(_COLUMNS, [name]))
                    shaped = f"read_csv({literal(str(rows))}, header = false, columns = {columns},"
                    embedded.copy_out(
                        self.embedded, f"{shaped} allow_quoted_nulls = false, auto_detect = false)", path, form
                    )
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def _receive(self, copy: str, path: Path) -> None:
        with self._plainly(), path.open("wb") as file, self._connection.cursor().copy(copy.encode()) as answer:
            for piece in answer:
                file.write(piece)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold a lock of the session's, which ends with it at the latest: two first runs at once would collide."""
        making = f"sparkify: making what is in {self._schema}"
        self.execute("select pg_advisory_lock(hashtext(?))", [making])
        try:
            yield
        finally:
            with suppress(WarehouseError):
                self.execute("select pg_advisory_unlock(hashtext(?))", [making])

    def _create_schema(self) -> None:
        with self.alone():
            super()._create_schema()

    def _create_staging_views(self) -> None:
        # Text sorts by code point on every engine. Collations go first: no column of a view can change.
        for table, column, kind, width in self.rows(_TEXT_COLUMNS):
            kind_of_text = f"varchar({width})" if width else kind
            self.execute(f'alter table {quoted(table)} alter column {quoted(column)} type {kind_of_text} collate "C"')
        super()._create_staging_views()

    def _ledger_holders(self) -> list[tuple[int, str, datetime]]:
        return self.rows(_HOLDERS)

    def copy(self) -> None:
        """Send the batch that was read to the staging tables."""
        with translate_errors(self.label), scratch_folder() as folder:
            rows = Path(folder) / "rows.csv"
            for table in STAGING:
                self.embedded.execute(f"copy {table} to {literal(str(rows))} (format csv, header false)")
                self.embedded.execute(f"drop table {table}")
                truncate, copy_in, analyze = _copy_statements(table)
                self.execute(truncate)
                self._send(copy_in, rows)
                self.execute(analyze)

    def _send(self, copy_in: str, path: Path) -> None:
        with self._plainly(), path.open("rb") as rows, self._connection.cursor().copy(copy_in.encode()) as copy:
            while chunk := rows.read(_CHUNK):
                copy.write(chunk)

    @classmethod
    def copy_statements(cls, config: Config) -> list[str]:  # noqa: ARG003 (the rows come from this process)
        """Return the statements with which `copy` fills the staging tables."""
        return [statement for table in STAGING for statement in _copy_statements(table)]

    def analyze(self, table: str) -> None:
        """Count a table's rows and values: without, the next join may be planned for an empty one."""
        self.execute(f"analyze {table}")

    @contextmanager
    def rebuild(self) -> Iterator[Warehouse]:
        """Give an empty schema beside this one; when it is filled, take over its tables in one transaction."""
        beside, mark = rebuild_schema(self._schema), self._mark
        self.execute("select pg_advisory_lock(hashtext(?))", [mark])  # until the connection ends, however it does
        if self._found(beside) not in (None, mark):
            raise WarehouseError(
                f"{self.label}: the schema {beside} is needed to rebuild in, and is somebody's. Rename it."
            )
        self.execute(f"drop schema if exists {quoted(beside)} cascade")
        try:
            self.execute(f"create schema {quoted(beside)}")
        except Denied as error:
            raise Denied(
                f"{error}\nA full refresh fills a schema beside ours, which it has to make."
                f" Have an administrator run once: {self._grant_create};"
            ) from error
        self.execute(f"comment on schema {quoted(beside)} is {literal(mark)}")
        try:
            with Postgres(self._url, replace(self._config, schema=beside)) as fresh:
                yield fresh
            with self.transaction():
                self.lock_ledger()
                self._clear()
                for table in model.ALL:
                    self.execute(f"insert into {table} select * from {quoted(beside)}.{table}")
        finally:
            with suppress(WarehouseError):
                self.execute(f"drop schema if exists {quoted(beside)} cascade")
                self.execute("select pg_advisory_unlock(hashtext(?))", [mark])

    @property
    def _mark(self) -> str:
        """The comment that tells a schema to rebuild in as ours."""
        return f"sparkify: being filled to take the place of {self._schema}"

    def _found(self, schema: str) -> str | None:
        """Return the comment on a schema, "" if it has none, or None if there is no such schema."""
        said = self.rows("select coalesce(obj_description(oid), '') from pg_namespace where nspname = ?", [schema])
        return said[0][0] if said else None

    def _clean_up(self) -> None:
        """Drop what a rebuild that was killed has left; one that is at work holds the lock."""
        beside, mark = rebuild_schema(self._schema), self._mark
        if self._found(beside) == mark and self.value("select pg_try_advisory_lock(hashtext(?))", [mark]):
            self.execute(f"drop schema if exists {quoted(beside)} cascade")
            self.execute("select pg_advisory_unlock(hashtext(?))", [mark])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        super().close()

    def _run(self, sql: str, parameters: Sequence[Any]) -> psycopg.Cursor[Row]:
        with self._plainly():
            if not parameters:
                return self._connection.execute(sql.encode())
            return self._connection.execute(sql.replace("%", "%%").replace("?", "%s").encode(), parameters)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say what the server says as a WarehouseError."""
        try:
            yield
        except psycopg.Error as error:
            raise self._refused(error.sqlstate or "", _said(error)) from error
        except UnicodeEncodeError as error:
            raise WarehouseError(f"{self.label}: the statement is not UTF-8. Write it in UTF-8.") from error


def _copy_statements(table: str) -> tuple[str, str, str]:
    return f"truncate {table}", f"copy {table} from stdin (format csv)", f"analyze {table}"


def rebuild_schema(schema: str) -> str:
    """Return the name of the schema in which another is rebuilt: of one length, whatever the other's name."""
    return f"sparkify_rebuild_{md5(schema.encode(), usedforsecurity=False).hexdigest()[:16]}"


def _checked(url: str) -> str:
    """Return a URL that libpq understands; one that it does not is not repeated, since it may hold a password."""
    try:
        host = conninfo_to_dict(url).get("host")
    except psycopg.Error:
        host = "@"
    if "://" not in url or "@" in str(host or ""):
        raise ConfigError(
            "[WAREHOUSE] URL or --warehouse: not a URL that PostgreSQL understands. Write it like"
            " postgresql://user@host:5432/dbname; in a password, @ is written %40 and % is written %25."
        )
    return url


def _said(error: psycopg.Error) -> str:
    said = str(error).strip().partition("\nCONTEXT")[0]
    # Its hint is to CASCADE, which would drop what is somebody else's.
    return said.partition("\nHINT")[0] if isinstance(error, psycopg.errors.DependentObjectsStillExist) else said
