"""The base class of warehouses on a server, which stage batches in an embedded database."""

import re
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from threading import Event, Thread
from typing import ClassVar
from uuid import uuid4

from sparkify.config import Config
from sparkify.errors import CommitUnknown, ConfigError, Denied, StillNeeded, Transient, WarehouseError
from sparkify.sql import loader, model
from sparkify.sql.ddl import create_view
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse import embedded
from sparkify.warehouse.base import Known, Say, Warehouse, now, silent

_SCHEMA = "select has_schema_privilege(nspname, 'usage') from pg_namespace where nspname = ?"

# pg_class also lists tables on which the login has no permission; information_schema does not.
_TABLES = """
select count(*)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = ? and c.relname = 'etl_files' and c.relkind = 'r'
"""

_OWN_SCHEMAS = """
select trim(nspname)
from pg_namespace
join pg_user on usesysid = nspowner
where usename = current_user and nspname like ?
"""

_UNWRITABLE = """
select c.relname
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = ? and c.relkind = 'r' and not (
    has_table_privilege(quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'select')
    and has_table_privilege(quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'insert')
    and has_table_privilege(quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'update')
    and has_table_privilege(quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'delete')
)
"""

ABANDONED_AFTER = 43_200
"""Seconds without a sign of life after which what a process has stored in S3 or beside our schema is deleted.

A nightly run then deletes what the one before has left. Redshift cannot tell us whether another user's session lives.
"""

_READABLE = {*model.ALL, *model.VIEWS, *STAGING}

TRANSIENT = {
    "40001",  # a conflict with another transaction
    "40P01",  # a deadlock with another transaction
    "53300",  # too many connections
    "57P01",  # the server is shutting down
    "57P02",  # the server is restarting
    "57P03",  # the server is starting
    "08000",  # the connection failed
    "08001",  # the connection was refused
    "08003",  # the connection is closed
    "08006",  # the connection was lost
}
"""SQLSTATEs of transient errors, which a retry can overcome (PostgreSQL's documentation, appendix A)."""

LOST = "08006"  # the state of a connection that ended without an answer

ENDING = {"57P01", "57P02", "08000", "08003", "08006"}
"""SQLSTATEs after which the server closes the connection."""

_CONFLICT = re.compile(
    r"1023|tuple concurrently (updated|deleted)|could not complete because of conflict|could not open relation with OID"
)
"""The messages of conflicts whose SQLSTATE is XX000; 1023 is Redshift's serializable isolation violation."""

KEEP_ALIVE = {"idle": 60, "interval": 15, "count": 4}
"""Seconds of silence before the first probe, seconds between probes, and their number: two minutes in all."""

CONNECTED_WITHIN = 15  # seconds; a firewall can silently drop packets

SILENT_FOR = 120_000  # milliseconds; data that is not acknowledged for so long ends the connection

_LOOK_EVERY = 2  # seconds; whether a statement waits for a lock
_SAY_EVERY = 60  # seconds; while it waits for the same sessions

Holder = tuple[int, str, str, datetime | None]
"""Process, user, activity and transaction start of a session that holds a lock; others' activity can be hidden."""


class Server(Warehouse):
    """A schema of a database on a server. The pieces of a batch are staged in a database in this process."""

    longest_name: ClassVar[int]
    """The maximum length of a schema name, in bytes."""

    _user: str
    """The user name of this login."""

    _database: str

    batch_size: ClassVar[int] = 32 << 30
    piece_size: ClassVar[int | None] = 1 << 30

    def __init__(self, url: str, config: Config, *, read_only: bool = False, say: Say = silent) -> None:
        schema = config.schema
        if len(schema.encode()) > self.longest_name or schema.lower().startswith(("pg_", "information_schema")):
            raise ConfigError(
                f"[WAREHOUSE] SCHEMA: {schema!r} is not a valid name. Choose one of at most {self.longest_name} bytes"
                " that the server does not reserve."
            )
        self._url = url
        self._config = config
        self._schema = schema
        self._read_only = read_only
        self.say = say
        self._opened = ExitStack()
        self.embedded = self._opened.enter_context(embedded.in_memory(config))
        self.embedded.execute("set preserve_insertion_order = false")
        try:
            self.reconnect()
        except BaseException:
            self.close()
            raise

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether the connection is lost."""

    @classmethod
    def may_exist(cls, url: str) -> bool:  # noqa: ARG003 (only the server knows)
        """Return True, since only a connection can find out."""
        return True

    def _enter_schema(self) -> None:
        """Set up the connection for our schema; close it, but not the embedded database, if that fails."""
        try:
            self.execute("set timezone to 'UTC'")
            self._find_schema()
            self.execute(f"set search_path to {quoted(self._schema)}")
        except WarehouseError:
            self._hang_up()
            raise

    def _find_schema(self) -> None:
        rows = self.rows(_SCHEMA, [self._schema])
        if not rows and not self._read_only:  # "if not exists" requires permission even for an existing schema
            self._create_schema()
        if rows and not rows[0][0]:
            advice = "Run as its owner, or name another in [WAREHOUSE] SCHEMA."
            if self._read_only or self.has_tables():
                advice = self._to_read if self._read_only else self._to_write
            raise Denied(f"{self.label}: {self._user} has no permission to use the schema. {advice}")

    def _create_schema(self) -> None:
        schema = quoted(self._schema)
        try:
            self.execute(f"create schema if not exists {schema}")
        except Denied as error:
            raise Denied(
                f"{error}\nAsk an administrator to run once: {self._grant_create};"
                f" or, for this schema alone: create schema {schema} authorization {quoted(self._user)};"
            ) from error

    @property
    def _grant_create(self) -> str:
        """The statement that grants this login the permission to create schemas."""
        return f"grant create on database {quoted(self._database)} to {quoted(self._user)}"

    @property
    def _to_read(self) -> str:
        """The remedy for a login without permission to read our tables."""
        schema, user = quoted(self._schema), quoted(self._user)
        return (
            f"Ask the owner of the schema to run: grant usage on schema {schema} to {user};"
            f" grant select on all tables in schema {schema} to {user};"
            " and set default privileges as docs/bi.md describes, so that this also covers tables created later."
        )

    @property
    def _to_write(self) -> str:
        """The remedy for a login without permission to load our tables, which another one owns."""
        schema, user = quoted(self._schema), quoted(self._user)
        return (
            f"Run as the owner of the schema, or ask the owner to run: grant usage on schema {schema} to {user};"
            f" grant select, insert, update, delete, truncate on all tables in schema {schema} to {user};"
        )

    def _server_error(self, state: str, message: str) -> WarehouseError:
        """Return the error for a SQLSTATE and message of the server."""
        if state in TRANSIENT or _CONFLICT.match(message):
            return Transient(f"{self.label}: {message.rstrip('.')}.")
        if state == "2BP01":
            return StillNeeded(f"{self.label}: {message}")
        if state != "42501":
            return WarehouseError(f"{self.label}: {message}")
        names_our_table = _READABLE & set(re.findall(r"\w+", message))
        remedy = self._to_read if self._read_only else self._to_write
        if "must be owner" in message:
            names_our_table, remedy = {message}, "Run `sparkify etl` once as the owner of the schema; then run again."
        return Denied(f"{self.label}: {message}" + (f"\n{remedy}" if names_our_table else ""))

    def has_tables(self) -> bool:
        """Return whether the tables exist, whether or not this login can read them."""
        return bool(self.value(_TABLES, [self._schema]))

    def add_tables(self, names: Iterable[str]) -> None:
        """Create the tables and the staging tables, which are permanent on a server."""
        existing = self.comments()  # "if not exists" requires permission even for existing tables
        super().add_tables(table for table in (*STAGING, *names) if (table, "") not in existing)
        self._create_staging_views()

    def _create_staging_views(self) -> None:
        comments = self.comments()
        for view in loader.names("staging"):  # to replace one waits for its readers
            create = create_view("staging", view, self.engine)
            comment = f"The rows that sparkify loads, as defined by {sha256(create.encode()).hexdigest()[:8]}."
            if comments.get((view, "")) != comment:
                self.execute(create)
                self.execute(f"comment on view {view} is {literal(comment)}")

    @contextmanager
    def _waits_reported(self) -> Iterator[None]:
        """Report which sessions the statement in the block waits for: after 2 s, then every minute."""
        ended = Event()
        watch = Thread(target=self._report_waits, args=(ended,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join(_LOOK_EVERY)  # it can hang on the network

    def _report_waits(self, ended: Event) -> None:
        if ended.wait(_LOOK_EVERY):
            return
        said, looks = set[int](), 0
        with suppress(Exception), self._watching() as lock_holders:  # a statement must not fail with its watch
            while True:
                holders = lock_holders()
                processes = {process for process, *_ in holders}
                looks = looks + 1 if processes == said else 0
                if holders and looks % (_SAY_EVERY // _LOOK_EVERY) == 0 and not ended.is_set():
                    self.say(f"Waiting for {'; '.join(_described(*holder) for holder in holders)}.")
                said = processes
                if ended.wait(_LOOK_EVERY):
                    return

    def _lock_timeout(self) -> WarehouseError:
        """Return the error for a lock that was not released in time."""
        return WarehouseError(
            f"{self.label}: a lock was not released within {self._config.lock_timeout} s. End the session that holds"
            " it, or raise [WAREHOUSE] LOCK_TIMEOUT; then run again."
        )

    @abstractmethod
    def _watching(self) -> AbstractContextManager[Callable[[], list[Holder]]]:
        """Connect a second time; yield a function that returns the holders of the lock that our session waits for."""

    @contextmanager
    def rebuild(self, catch_up: Callable[[Warehouse, Known], None]) -> Iterator[Warehouse]:
        """Yield a warehouse in an empty second schema; on success, copy its tables in one transaction."""
        with (
            self._second_schema() as beside,
            type(self)(self._url, replace(self._config, schema=beside), say=self.say) as fresh,
        ):
            yield fresh
            self._wake()
            with self.transaction():
                self.lock_ledger()
                # A query of this session would take its snapshot, which lacks what `catch_up` then adds.
                ledger = fresh.rows(f"select source, path, version from {quoted(self._schema)}.etl_files")
                catch_up(fresh, {(source, path): version for source, path, version in ledger})
                for table in model.ALL:
                    if table != model.RUNS:  # which keeps its history
                        self.execute(f"delete from {table}")
                for table in model.ALL:
                    added = self.execute(f"insert into {table} select * from {quoted(beside)}.{table}")
                    self.optimize(table, added)

    @classmethod
    @contextmanager
    def trial(cls, url: str, config: Config) -> Iterator[Warehouse]:
        """Yield a warehouse in a new schema, which only a login with permission to create schemas can do."""
        config = replace(config, schema=passing_schema(config.schema))
        with cls(url, config) as trial:
            try:
                yield trial
            finally:
                with suppress(WarehouseError):
                    trial.reconnect()  # the session may have ended with Ctrl-C
                    trial.execute(f"drop schema {quoted(config.schema)} cascade")

    def _table_permissions(self) -> str:
        """Return that this login can load all existing tables, or raise Denied with the grants that it needs."""
        rows = self.rows(_UNWRITABLE, [self._schema])
        if missing := {table for (table,) in rows} & {*model.ALL, *STAGING}:
            raise Denied(f"{self.label}: this login must not change the table {min(missing)}. {self._to_write}")
        return "existing tables can be loaded"

    def _drop_abandoned_schemas(self) -> None:
        """Drop the schemas of killed processes of this login, in which nothing has been published for long."""
        prefix = f"{rebuild_schema(self._schema)}_"
        for (schema,) in self.rows(_OWN_SCHEMAS, [f"{prefix}%"]):
            seen = datetime.fromtimestamp(int(schema.removeprefix(prefix).partition("_")[0]), UTC).replace(tzinfo=None)
            with suppress(WarehouseError):  # the table may not exist yet
                seen = self.value(f"select max(finished_at) from {quoted(schema)}.{model.RUNS}") or seen
            if seen <= now() - timedelta(seconds=ABANDONED_AFTER):
                with suppress(WarehouseError):  # another run may have dropped it
                    self.execute(f"drop schema {quoted(schema)} cascade")

    @abstractmethod
    def _second_schema(self) -> AbstractContextManager[str]:
        """Yield the name of a schema for a rebuild, and drop it at the end of the block."""

    def _wake(self) -> None:
        """Connect again if the server can have ended the session while it was idle."""

    def commit(self) -> None:
        """Commit the transaction; raise CommitUnknown if the connection is lost before the response."""
        try:
            self.execute("commit")
        except WarehouseError as error:
            if self.is_lost:
                raise CommitUnknown(
                    f"{self.label}: the connection was lost while committing, and the batch may be published."
                    " Check the connection, then run again: that loads the files that the ledger lacks."
                ) from error
            raise

    def keep_staging(self) -> None:
        """Do nothing, since the staging tables on a server last until the next batch."""

    @abstractmethod
    def _hang_up(self) -> None:
        """Close the connection, if there is one."""

    def close(self) -> None:
        """Close the connection and the embedded database, and delete what it spilled."""
        self._hang_up()
        self._opened.close()


def rebuild_schema(schema: str) -> str:
    """Return the name of the schema in which another is rebuilt; its length does not depend on the other's."""
    return f"sparkify_rebuild_{md5(schema.encode(), usedforsecurity=False).hexdigest()[:16]}"


def passing_schema(schema: str) -> str:
    """Return a new name for a schema that is soon dropped; the time in it shows others whether it is abandoned."""
    return f"{rebuild_schema(schema)}_{int(time.time())}_{uuid4().hex[:8]}"


def _described(process: int, user: str, activity: str, since: datetime | None) -> str:
    began = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    return f"user {user.strip()} (server process {process}{activity and ', '}{activity}{began})"
