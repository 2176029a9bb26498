"""PostgreSQL, the warehouse on a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg
from psycopg.conninfo import conninfo_to_dict

from sparkify import export, queries, tables
from sparkify.config import Config
from sparkify.contract import literal, quoted
from sparkify.engines.base import Engine, Row
from sparkify.errors import CommitUnknown, ConfigError, WarehouseError
from sparkify.reader import STAGING, Progress, Reader, Reading, scratch_folder
from sparkify.sources import SourceFile

_LONGEST_NAME = 63  # bytes of a schema's name: PostgreSQL cuts a longer one
_CHUNK = 1 << 18  # bytes of a COPY that are sent at once

_HOLDERS = """
select a.pid, a.usename, to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS')
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


class Postgres(Engine):
    """A schema of a PostgreSQL database: ``postgresql://user@host:5432/dbname``.

    The URL is libpq's, and so are passwords (PGPASSFILE, PGSERVICE, the environment) and sslmode. Files are read by
    the same reader as on DuckDB, in a database embedded in this process, and go to the server by COPY.
    """

    name: ClassVar[str] = "postgresql"
    temporary: ClassVar[str] = "pg_temp"

    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        self._url = _checked(url)
        self._config = config
        self._schema = schema = config.schema
        if len(schema.encode()) > _LONGEST_NAME or schema.lower().startswith(("pg_", "information_schema")):
            raise ConfigError(
                f"[WAREHOUSE] SCHEMA: {schema!r} cannot be our schema. Choose a name of at most {_LONGEST_NAME} bytes"
                " that is none of PostgreSQL's own."
            )
        self._read_only = read_only
        self._read = duckdb.connect()
        self._read.execute("set preserve_insertion_order = false")
        self.reconnect()

    def reconnect(self) -> None:
        """Connect to the server."""
        try:
            self._connection = psycopg.connect(self._url, autocommit=True, application_name="sparkify")
        except psycopg.Error as error:
            raise WarehouseError(
                f"PostgreSQL cannot be reached: {_said(error)}. Check [WAREHOUSE] URL or --warehouse, and the server."
            ) from error
        info = self._connection.info
        self.label = f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname} (schema {self._schema})"
        self.execute("set timezone to 'UTC'")
        self.execute("set client_min_messages to warning")
        if not self._read_only:
            self.execute(f"create schema if not exists {quoted(self._schema)}")
        self.execute(f"set search_path to {quoted(self._schema)}")
        if not self._read_only:
            self._clean_up()

    @classmethod
    def exists(cls, url: str) -> bool:  # noqa: ARG003 (only the server knows, and asking it makes nothing)
        """Tell whether there is a warehouse at a URL, or may be one."""
        return True

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        return max(self._run(sql, parameters).rowcount, 0)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return the names of its columns and its rows."""
        cursor = self._run(sql, parameters)
        return ([column.name for column in cursor.description], cursor.fetchall()) if cursor.description else ([], [])

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one statement of a user's in a transaction that may only read."""
        self.execute("begin read only")
        try:
            with self._plainly():  # prepared, or the server would take several statements at once
                cursor = self._connection.execute(sql.encode(), prepare=True)
                if not cursor.description:
                    return [], []
                return [column.name for column in cursor.description], cursor.fetchall()
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on tables, views and columns, by table and column."""
        return {(table, column): text for table, column, text in self.rows(_COMMENTS)}

    def export(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files: from the server by COPY, and into their form by the embedded database."""
        self.execute("begin isolation level repeatable read read only")
        try:
            with scratch_folder() as folder:
                rows = Path(folder) / "rows.csv"
                for name, path in files.items():
                    self._receive(f"copy (select * from {name}) to stdout (format csv)", rows)
                    columns: dict[str, str] = dict(self.rows(_COLUMNS, [name]))
                    shaped = f"read_csv({literal(str(rows))}, header = false, columns = {columns},"
                    export.copy_out(
                        self._read, f"{shaped} allow_quoted_nulls = false, auto_detect = false)", path, form
                    )
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def _receive(self, copy: str, path: Path) -> None:
        with self._plainly(), path.open("wb") as file, self._connection.cursor().copy(copy.encode()) as answer:
            for piece in answer:
                file.write(piece)

    def commit(self) -> None:
        """Commit the transaction; raise CommitUnknown where the connection is lost before the answer."""
        try:
            self.execute("commit")
        except WarehouseError as error:
            if self._connection.broken:
                raise CommitUnknown(
                    f"{self.label}: the connection was lost while committing. The ledger knows how that ended:"
                    " run again, and what is missing will be loaded."
                ) from error
            raise

    def create_tables(self, names: Iterable[str]) -> None:
        """Create the tables, those of staging too, with text in the order of its code points."""
        super().create_tables([*STAGING, "checked_period", *names])
        for table, column, kind, width in self.rows(_TEXT_COLUMNS):
            kind_of_text = f"varchar({width})" if width else kind
            self.execute(f'alter table {quoted(table)} alter column {quoted(column)} type {kind_of_text} collate "C"')
        for view in queries.names("staging"):
            self.execute(f"create or replace view {view} as {queries.read(f'staging/{view}', self.name)}")

    def prepare(
        self, files: Sequence[SourceFile], redelivered: frozenset[str], progress: Progress, *, skip_bad_files: bool
    ) -> Reading:
        """Read a batch of files into the database embedded in this process."""
        return Reader(self._read, progress).read(files, redelivered, skip_bad_files=skip_bad_files)

    def lock_ledger(self, say: Callable[[str], None]) -> bool:
        """Wait for other runs, and keep new ones out until the transaction ends."""
        for pid, user, since in self.rows(_HOLDERS):
            say(f"Waiting for another run: user {user}, server process {pid}, publishing since {since} UTC.")
        self.execute("lock table etl_files in share row exclusive mode")
        return True

    def copy(self) -> None:
        """Send the batch that was read to the staging tables."""
        with scratch_folder() as folder:
            rows = Path(folder) / "rows.csv"
            for table in STAGING:
                self._read.execute(f"copy {table} to {literal(str(rows))} (format csv, header false)")
                self._read.execute(f"drop table {table}")
                self.execute(f"truncate {table}")
                with self._plainly(), rows.open("rb") as stream, self._connection.cursor() as cursor:  # noqa: SIM117
                    with cursor.copy(f"copy {table} from stdin (format csv)".encode()) as copy:
                        while chunk := stream.read(_CHUNK):
                            copy.write(chunk)
                self.analyze(table)

    def analyze(self, table: str) -> None:
        """Count a table's rows and values: without, the next join may be planned for an empty one."""
        self.execute(f"analyze {table}")

    def keep_staging(self) -> None:
        """Do nothing: on a server, staging stays until the next batch."""

    @contextmanager
    def rebuild(self) -> Iterator[Engine]:
        """Give an empty schema beside this one; when it is filled, take over its tables in one transaction."""
        beside, mark = rebuild_schema(self._schema), self._mark
        self.execute("select pg_advisory_lock(hashtext(?))", [mark])  # until the connection ends, however it does
        if self._found(beside) not in (None, mark):
            raise WarehouseError(
                f"{self.label}: the schema {beside} is needed to rebuild in, and is somebody's. Rename it."
            )
        self.execute(f"drop schema if exists {quoted(beside)} cascade")
        self.execute(f"create schema {quoted(beside)}")
        self.execute(f"comment on schema {quoted(beside)} is {literal(mark)}")
        try:
            with Postgres(self._url, replace(self._config, schema=beside)) as fresh:
                yield fresh
            with self.transaction():
                self.execute("lock table etl_files in share row exclusive mode")
                for table in tables.ALL:
                    if table != tables.RUNS:  # their history goes on
                        self.execute(f"delete from {table}")
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
        self._read.close()

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
            raise WarehouseError(f"{self.label}: {_said(error)}") from error
        except UnicodeEncodeError as error:
            raise WarehouseError(f"{self.label}: the statement is not UTF-8. Write it in UTF-8.") from error


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
    return str(error).strip().partition("\nCONTEXT")[0]
