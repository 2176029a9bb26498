"""The base class of warehouses on a server: a schema there, and staging in an embedded database here."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from sparkify.config import Config
from sparkify.errors import CommitUnknown, ConfigError, Denied, StillNeeded, WarehouseError
from sparkify.sql import loader, model
from sparkify.sql.ddl import create_view
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import quoted
from sparkify.warehouse import embedded
from sparkify.warehouse.base import Warehouse

_SCHEMA = "select has_schema_privilege(nspname, 'usage') from pg_namespace where nspname = ?"

# The catalogue itself: what information_schema shows is what a login may use.
_TABLES = """
select count(*)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = ? and c.relname = 'etl_files' and c.relkind = 'r'
"""

_READABLE = {*model.ALL, *model.VIEWS, *STAGING}


class Server(Warehouse):
    """A schema of a database on a server. A batch is staged in a database in this process, and `copy` sends it."""

    longest_name: ClassVar[int]
    """The maximum length of a schema name, in bytes."""

    _user: str
    """The user of this login."""

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
        self.embedded = embedded.in_memory(config)
        self.reconnect()

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether the connection is lost."""

    @classmethod
    def may_exist(cls, url: str) -> bool:  # noqa: ARG003 (only the server knows)
        """Return True: only a connection can tell, and connecting creates nothing."""
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

    def add_tables(self, names: Iterable[str]) -> None:
        """Create the tables, and those of staging: on a server they remain from batch to batch."""
        super().add_tables([*STAGING, "checked_period", *names])
        self._create_staging_views()

    def _create_staging_views(self) -> None:
        for view in loader.names("staging"):
            self.execute(create_view("staging", view, self.engine))

    def other_runs(self) -> list[str]:
        """Describe the runs that hold the ledger: user, process, start."""
        return [
            f"user {user.strip()}, server process {pid}, publishing since {since:%Y-%m-%d %H:%M:%S} UTC"
            for pid, user, since in self._ledger_holders()
        ]

    @abstractmethod
    def _ledger_holders(self) -> list[tuple[int, str, datetime]]:
        """Return process, user and start of the transaction of each run that holds the ledger's lock."""

    def _clear(self) -> None:
        """Delete all rows of every table but etl_runs, whose history continues."""
        for table in model.ALL:
            if table != model.RUNS:
                self.execute(f"delete from {table}")

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
        """Close the embedded database."""
        self.embedded.close()
