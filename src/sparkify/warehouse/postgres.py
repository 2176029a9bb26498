"""PostgreSQL, a warehouse on a server."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sparkify.config import Config
from sparkify.errors import ConfigError, Denied, Transient, WarehouseError
from sparkify.filesystem import scratch_folder
from sparkify.sql import model
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse import embedded
from sparkify.warehouse.base import Row, Say, silent
from sparkify.warehouse.server import (
    CONNECTED_WITHIN,
    KEEP_ALIVE,
    LOST,
    SILENT_FOR,
    Holder,
    Server,
    rebuild_schema,
)

_CHUNK = 1 << 18  # bytes of a COPY sent at a time

_HOLDERS = """
select
    process,
    coalesce(a.usename, 'unknown'),
    case
        when process = 0 then 'a prepared transaction'
        else concat_ws(', ', nullif(a.application_name, ''), a.state)
    end,
    a.xact_start at time zone 'UTC'
from unnest(pg_blocking_pids(%s)) as process
left join pg_stat_activity as a on a.pid = process
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
where table_schema = current_schema() and table_name = any(?) and data_type in ('character varying', 'text')
    and collation_name is distinct from 'C'
"""


_SETTINGS = {
    "client_min_messages": "warning",
    "DateStyle": "ISO, MDY",  # the format that exports parse
    "extra_float_digits": "1",  # otherwise, text loses digits of a number, and the key of a track changes
    # While the files of a batch are read, our session is idle, and a full refresh then holds a lock.
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "jit": "off",  # compiling takes longer than it saves in statements that run once
    "work_mem": "64MB",  # for sorting and grouping a batch
    "maintenance_work_mem": "256MB",  # for building indexes
    "random_page_cost": "1.1",  # solid-state disks; otherwise, few rows of a large table are read with all others
}
"""Settings that a run depends on, of its session alone. PGOPTIONS, the user or the database can set others."""

_SET = """
select set_config(name, value, false)
from json_each_text(?::json) as ours (name, value)
join pg_settings using (name)
"""
"""Set those of some settings that this version of the server has; pg_settings spells their names."""


class Postgres(Server):
    """A schema of a PostgreSQL database: ``postgresql://user@host:5432/dbname``.

    libpq interprets the URL, and finds passwords (PGPASSFILE, PGSERVICE, the environment) and sslmode. A batch is
    staged in the embedded database, and sent to the server by COPY.
    """

    engine: ClassVar[str] = "postgresql"
    temporary: ClassVar[str] = "pg_temp."
    longest_name: ClassVar[int] = 63  # PostgreSQL truncates longer names
    lock: ClassVar[str] = "lock table etl_files in share row exclusive mode"

    _folder: Path
    _gathered: dict[str, list[Path]]
    """The files of the gathered pieces of a batch, by staging table."""

    def __init__(self, url: str, config: Config, *, read_only: bool = False, say: Say = silent) -> None:
        super().__init__(_validated(url), config, read_only=read_only, say=say)

    def reconnect(self) -> None:
        """Connect to the server, or connect again."""
        self._hang_up()
        self._connection = self._open()
        info = self._connection.info
        self._user, self._database = info.user, info.dbname
        self.label = f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname} (schema {self._schema})"
        if (encoding := info.parameter_status("server_encoding")) != "UTF8":
            self._hang_up()
            raise WarehouseError(
                f"{self.label}: the encoding of this database is {encoding}, which cannot store all text. Create one"
                " with `createdb --template template0 --encoding UTF8`, and name it in [WAREHOUSE] URL."
            )
        self.rows(_SET, [json.dumps(_SETTINGS | {"lock_timeout": f"{self._config.lock_timeout}s"})])
        settings = {f"tcp_keepalives_{name}": value for name, value in KEEP_ALIVE.items()}
        settings |= {"tcp_user_timeout": SILENT_FOR, "client_connection_check_interval": SILENT_FOR // 4}
        with suppress(WarehouseError):  # some operating systems have no such check
            self.rows(_SET, [json.dumps(settings)])
        self._enter_schema()
        if not self._read_only:
            self.execute("set enable_nestloop to off")  # see by_index
            self._drop_abandoned_rebuild()
            self._drop_abandoned_schemas()

    def _open(self) -> psycopg.Connection:
        try:
            url = conninfo_to_dict(self._url, application_name="sparkify", client_encoding="UTF8")
            keep_alive = {f"keepalives_{name}": value for name, value in KEEP_ALIVE.items()}
            timeouts = {
                "connect_timeout": os.environ.get("PGCONNECT_TIMEOUT", CONNECTED_WITHIN),
                "tcp_user_timeout": SILENT_FOR,
            }
            parameters: dict[str, Any] = {**keep_alive, **timeouts, **url}  # the URL can set others
            return psycopg.connect(**parameters, autocommit=True)
        except psycopg.Error as error:
            message = _message(error)
            # The server sends FATAL; libpq alone misses a password that the server asks for.
            if "FATAL:" in message or (error.pgconn and error.pgconn.needs_password):
                problem = "PostgreSQL refuses the connection. Check user, password and database of [WAREHOUSE] URL or"
                raise Transient(f"{problem} --warehouse.\n{message}") from error
            problem = "PostgreSQL cannot be reached. Check [WAREHOUSE] URL or --warehouse, and the server."
            raise Transient(f"{problem}\n{message}") from error

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows it changed."""
        return max(self._run(sql, parameters).rowcount, 0)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return its column names and its rows."""
        cursor = self._run(sql, parameters)
        return ([column.name for column in cursor.description], cursor.fetchall()) if cursor.description else ([], [])

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT written by a user, in a read-only transaction."""
        self.execute("begin read only")
        try:
            with self._translate_errors():  # a prepared statement must be a single one
                cursor = self._connection.execute(sql.encode(), prepare=True)
                if not cursor.description:
                    raise WarehouseError(f"{self.label}: the statement returns no rows. Give one SELECT.")
                return [column.name for column in cursor.description], cursor.fetchall()
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost."""
        return self._connection.closed

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on the tables, views and columns, by (table, column)."""
        return {(table, column): text for table, column, text in self.rows(_COMMENTS)}

    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files: COPY sends CSV, which the embedded database converts."""
        self.execute("begin isolation level repeatable read read only")
        try:
            with scratch_folder() as folder:
                rows = Path(folder) / "rows.csv"
                for name, path in files.items():
                    self._receive(f"copy (select * from {name}) to stdout (format csv)", rows)
                    columns: dict[str, str] = dict(self.rows(_COLUMNS, [name]))
                    embedded.copy_out(self.embedded, _rows_of_copy(rows, columns), path, form)
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def _receive(self, copy: str, path: Path) -> None:
        with self._translate_errors(), path.open("wb") as file, self._connection.cursor().copy(copy.encode()) as chunks:
            for chunk in chunks:
                file.write(chunk)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold an advisory lock of the session, since two first runs at once would collide."""
        key = _lock_key(f"sparkify: creating tables in {self._schema}")
        self.execute("select pg_advisory_lock(?)", [key])
        try:
            yield
        finally:
            with suppress(WarehouseError):
                self.execute("select pg_advisory_unlock(?)", [key])

    def _create_schema(self) -> None:
        with self.alone():
            super()._create_schema()

    def _create_staging_views(self) -> None:
        # Text sorts by code point on every engine. Collations are set before views exist, which would prevent it.
        for table, column, kind, width in self.rows(_TEXT_COLUMNS, [[*STAGING, *model.ALL]]):
            kind_of_text = f"varchar({width})" if width else kind
            self.execute(f'alter table {quoted(table)} alter column {quoted(column)} type {kind_of_text} collate "C"')
        super()._create_staging_views()

    @contextmanager
    def _watching(self) -> Iterator[Callable[[], list[Holder]]]:
        process = self._connection.info.backend_pid
        with self._open() as second:
            yield lambda: second.execute(_HOLDERS, [process]).fetchall()

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Provide a folder for the pieces of a batch, until the end of the block."""
        with scratch_folder() as folder:
            self._folder, self._gathered = Path(folder), {table: [] for table in STAGING}
            yield

    def gather(self) -> None:
        """Write the staged piece to files."""
        for table, pieces in self._gathered.items():
            piece = self._folder / f"{table}.{len(pieces)}.csv"
            self.embedded.execute(f"copy {table} to {literal(str(piece))} (format csv, header false)")
            self.embedded.execute(f"drop table {table}")
            pieces.append(piece)

    def copy(self) -> None:
        """Send the gathered pieces to the staging tables of the server."""
        for table, pieces in self._gathered.items():
            truncate, copy_in, analyze = _copy_statements(table)
            self.execute(truncate)
            for piece in pieces:
                self._send(copy_in, piece)
            self.execute(analyze)

    def _send(self, sql: str, path: Path) -> None:
        with (
            self._translate_errors(),
            self._waits_reported(),
            path.open("rb") as rows,
            self._connection.cursor().copy(sql.encode()) as copy,
        ):
            while chunk := rows.read(_CHUNK):
                copy.write(chunk)

    @classmethod
    def copy_statements(cls, config: Config) -> list[str]:  # noqa: ARG003 (there is nothing to configure)
        """Return the statements by which `copy` fills the staging tables."""
        return [statement for table in STAGING for statement in _copy_statements(table)]

    def optimize(self, table: str, changed: int) -> None:
        """Create the indexes of a table with its first rows; update its statistics if a tenth of it has changed.

        An index of existing rows takes two fifths of the time of one that grows with them.
        """
        for column in model.INDEXES.get(table, ()):
            if not self.value("select to_regclass(?) is not null", [f"{table}_{column}"]):
                self.execute(f"create index {table}_{column} on {table} ({column})")
        if changed * 10 >= self.value("select reltuples from pg_class where oid = ?::regclass", [table]):
            self.execute(f"analyze {table}")

    @contextmanager
    def by_index(self) -> Iterator[None]:
        """Allow the server to join by nested loops, which the session forbids elsewhere.

        The statistics lag behind a batch: the server expects a row of its times where there are many thousands, and
        would compare each with every row of another table.
        """
        self.execute("set enable_nestloop to on")
        yield
        self.execute("set enable_nestloop to off")

    def examinations(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield the version of the server, and the permissions of this login."""
        yield "server", lambda: f"PostgreSQL {self.value('show server_version')}, encoding UTF8"
        yield "permissions", self._permissions
        yield "tables", self._table_permissions

    def _permissions(self) -> str:
        database, temporary = self.rows(
            "select has_database_privilege(current_database(), 'create'),"
            " has_database_privilege(current_database(), 'temporary')"
        )[0]
        name, user = quoted(self._database), quoted(self._user)
        if not temporary:
            raise WarehouseError(
                f"{self.label}: a run creates temporary tables. Ask an administrator to run:"
                f" grant temporary on database {name} to {user};"
            )
        if not self.rows("select 1 from pg_namespace where nspname = ?", [self._schema]) and not database:
            raise WarehouseError(
                f"{self.label}: the schema does not exist, and this login must not create it. Ask an administrator to"
                f" run: {self._grant_create};"
            )
        return "temporary tables" + (", schemas" if database else "; no schemas, so no full refresh")

    @contextmanager
    def _second_schema(self) -> Iterator[str]:
        beside, mark = rebuild_schema(self._schema), self._mark
        self.execute("select pg_advisory_lock(?)", [_lock_key(mark)])
        if self._comment_on(beside) not in (None, mark):
            raise WarehouseError(
                f"{self.label}: a full refresh needs the schema {beside}, which was not created by sparkify. Rename it."
            )
        self.execute(f"drop schema if exists {quoted(beside)} cascade")
        try:
            self.execute(f"create schema {quoted(beside)}")
        except Denied as error:
            raise Denied(
                f"{error}\nA full refresh needs to create a second schema."
                f" Ask an administrator to run once: {self._grant_create};"
            ) from error
        self.execute(f"comment on schema {quoted(beside)} is {literal(mark)}")
        try:
            yield beside
        finally:
            with suppress(WarehouseError):
                self.execute(f"drop schema if exists {quoted(beside)} cascade")
                self.execute("select pg_advisory_unlock(?)", [_lock_key(mark)])

    @property
    def _mark(self) -> str:
        """The comment that marks a schema as that of a rebuild of ours."""
        return f"sparkify: being filled to take the place of {self._schema}"

    def _comment_on(self, schema: str) -> str | None:
        """Return the comment on a schema: "" if it has none, and None if there is no such schema."""
        rows = self.rows("select coalesce(obj_description(oid), '') from pg_namespace where nspname = ?", [schema])
        return rows[0][0] if rows else None

    def _drop_abandoned_rebuild(self) -> None:
        """Drop the schema of a killed rebuild; a running rebuild holds the lock."""
        beside, mark = rebuild_schema(self._schema), self._mark
        if self._comment_on(beside) == mark and self.value("select pg_try_advisory_lock(?)", [_lock_key(mark)]):
            with suppress(Denied):  # the schema of another login
                self.execute(f"drop schema if exists {quoted(beside)} cascade")
            self.execute("select pg_advisory_unlock(?)", [_lock_key(mark)])

    def _hang_up(self) -> None:
        if connection := getattr(self, "_connection", None):
            connection.close()

    def _run(self, sql: str, parameters: Sequence[Any]) -> psycopg.Cursor[Row]:
        watched = nullcontext() if self._read_only else self._waits_reported()
        with self._translate_errors(), watched:
            if not parameters:
                return self._connection.execute(sql.encode())
            return self._connection.execute(sql.replace("%", "%%").replace("?", "%s").encode(), parameters)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate errors of psycopg and the server into WarehouseError, or Transient if a retry can succeed."""
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            raise self._lock_timeout() from error
        except psycopg.Error as error:
            state = LOST if self._connection.closed else error.sqlstate or ""
            raise self._server_error(state, _message(error)) from error
        except UnicodeEncodeError as error:
            raise WarehouseError(f"{self.label}: the statement is not valid UTF-8. Correct its encoding.") from error


def _copy_statements(table: str) -> tuple[str, str, str]:
    return f"truncate {table}", f"copy {table} from stdin (format csv)", f"analyze {table}"


def _rows_of_copy(path: Path, columns: Mapping[str, str]) -> str:
    """Return a relation over the CSV that COPY wrote, in which null is an empty cell and "" is quoted."""
    return (
        f"read_csv({literal(str(path))}, columns = {columns}, auto_detect = false, hive_partitioning = false,"
        f""" header = false, delim = ',', quote = '"', escape = '"', new_line = '\\n', allow_quoted_nulls = false)"""
    )


def _lock_key(name: str) -> int:
    """Return the key of an advisory lock: 64 bits of a hash, which others do not use by accident."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)


def _validated(url: str) -> str:
    """Return a URL if libpq accepts it; otherwise, raise ConfigError without the URL, which can contain a password."""
    try:
        port = str(conninfo_to_dict(url).get("port") or "")
    except psycopg.Error:
        port = "invalid"
    if "://" not in url or not re.fullmatch(r"[\d,]*", port):
        raise ConfigError(
            "[WAREHOUSE] URL or --warehouse: not a valid PostgreSQL URL. Write it like"
            " postgresql://user@host:5432/dbname; in a password, @ is written %40 and % is written %25."
        )
    return url


def _message(error: psycopg.Error) -> str:
    message = str(error).strip().partition("\nCONTEXT")[0].replace("\t", "  ")  # a terminal shows a tab as an escape
    if isinstance(error, psycopg.errors.DependentObjectsStillExist):
        return message.partition("\nHINT")[0]  # the hint is CASCADE, which would drop objects of other users
    return message
