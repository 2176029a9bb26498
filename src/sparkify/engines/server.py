"""What the engines on a server have in common: files are read here, and what was read is sent there."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import duckdb

from sparkify import queries, tables
from sparkify.config import Config
from sparkify.contract import quoted
from sparkify.engines.base import Engine
from sparkify.errors import CommitUnknown, ConfigError, Denied, StillNeeded, WarehouseError
from sparkify.reader import STAGING, Reader, Reading, plainly
from sparkify.sources import SourceFile
from sparkify.spool import Progress

_SCHEMA = "select has_schema_privilege(nspname, 'usage') from pg_namespace where nspname = ?"

# The catalogue itself: what information_schema shows is what a login may use.
_TABLES = """
select count(*)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = ? and c.relname = 'etl_files' and c.relkind = 'r'
"""

_READABLE = {*tables.ALL, *tables.VIEWS, *STAGING}


class Server(Engine):
    """A schema of a database on a server.

    Files are read by the same reader as on DuckDB, in a database embedded in this process.
    """

    longest_name: ClassVar[int]
    """Bytes that a schema's name may have."""

    _user: str
    """Who is logged in."""

    _database: str

    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:  # noqa: ARG002 (each server reads its own)
        schema = config.schema
        if len(schema.encode()) > self.longest_name or schema.lower().startswith(("pg_", "information_schema")):
            raise ConfigError(
                f"[WAREHOUSE] SCHEMA: {schema!r} cannot be our schema. Choose a name of at most"
                f" {self.longest_name} bytes that is none of the server's own."
            )
        self._config = config
        self._schema = schema
        self._read_only = read_only
        self._read = duckdb.connect(config={"memory_limit": f"{config.memory}B"})
        self._read.execute("set preserve_insertion_order = false")
        self.reconnect()

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether the connection is lost."""

    @classmethod
    def exists(cls, url: str) -> bool:  # noqa: ARG003 (only the server knows, and asking it makes nothing)
        """Tell whether there is a warehouse at a URL, or may be one."""
        return True

    def _enter_schema(self) -> None:
        """Make the connection that was opened one to our schema, or close it."""
        try:
            self.execute("set timezone to 'UTC'")
            self._find_schema()
            self.execute(f"set search_path to {quoted(self._schema)}")
        except WarehouseError:
            self.close()
            raise

    def _find_schema(self) -> None:
        found = self.rows(_SCHEMA, [self._schema])
        if not found and not self._read_only:  # one that is there asks for no right to make it
            self._create_schema()
        if found and not found[0][0]:
            advice = self._to_read if self._read_only else "Run as its owner, or name another with [WAREHOUSE] SCHEMA."
            raise Denied(f"{self.label}: {self._user} may not use the schema. {advice}")

    def _create_schema(self) -> None:
        schema = quoted(self._schema)
        try:
            self.execute(f"create schema if not exists {schema}")
        except Denied as error:
            raise Denied(
                f"{error}\nHave an administrator run once: {self._grant_create};"
                f" or, for this schema alone: create schema {schema} authorization {quoted(self._user)};"
            ) from error

    @property
    def _grant_create(self) -> str:
        """The statement that lets this login make schemas."""
        return f"grant create on database {quoted(self._database)} to {quoted(self._user)}"

    @property
    def _to_read(self) -> str:
        """What to do where the login may not read our tables."""
        schema, user = quoted(self._schema), quoted(self._user)
        return (
            f"Have the owner of the schema run: grant usage on schema {schema} to {user};"
            f" grant select on all tables in schema {schema} to {user};"
            " and as docs/bi.md says, so that this lasts when tables are made anew."
        )

    def _refused(self, state: str, said: str) -> WarehouseError:
        """Return what the server said as the error that it is, by its SQLSTATE."""
        if state == "2BP01":
            return StillNeeded(f"{self.label}: {said}")
        if state != "42501":
            return WarehouseError(f"{self.label}: {said}")
        of_ours = self._read_only and _READABLE & set(re.findall(r"\w+", said))
        return Denied(f"{self.label}: {said}" + (f"\n{self._to_read}" if of_ours else ""))

    def has_tables(self) -> bool:
        """Tell whether the tables have been created, whether or not this login may read them."""
        return bool(self.value(_TABLES, [self._schema]))

    def create_tables(self, names: Iterable[str]) -> None:
        """Create the tables, those of staging too: on a server they stay from batch to batch."""
        super().create_tables([*STAGING, "checked_period", *names])

    def _create_views(self) -> None:
        for view in queries.names("staging"):
            self.execute(f"create or replace view {view} as {queries.read(f'staging/{view}', self.name)}")

    def prepare(
        self,
        files: Sequence[SourceFile],
        redelivered: frozenset[SourceFile],
        progress: Progress,
        *,
        skip_bad_files: bool,
    ) -> Reading:
        """Read a batch of files into the database embedded in this process."""
        with plainly(self.label):
            return Reader(self._read, progress, self._config).read(files, redelivered, skip_bad_files=skip_bad_files)

    def commit(self) -> None:
        """Commit the transaction; raise CommitUnknown where the connection is lost before the answer."""
        try:
            self.execute("commit")
        except WarehouseError as error:
            if self.is_lost:
                raise CommitUnknown(
                    f"{self.label}: the connection was lost while committing. The ledger knows how that ended:"
                    " run again, and what is missing will be loaded."
                ) from error
            raise

    def keep_period(self, select: str) -> None:
        """Keep the period; where the warehouse is only read, in a temporary table, which hides the one of the runs."""
        if self._read_only:
            self.execute(f"create temp table checked_period as {select}")
        else:
            super().keep_period(select)

    def keep_staging(self) -> None:
        """Do nothing: on a server, staging stays until the next batch."""

    def close(self) -> None:
        """Close the database in which files are read."""
        self._read.close()
