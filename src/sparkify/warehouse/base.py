"""The base class of every warehouse: the methods that the pipeline needs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from sparkify.config import Config
from sparkify.errors import Transient, WarehouseError
from sparkify.sql import loader

if TYPE_CHECKING:  # --help does not need it
    import duckdb

Row = tuple[Any, ...]
Result = TypeVar("Result")
Say = Callable[[str], None]
"""A function that receives a line for people."""

Known = dict[tuple[str, str], str]
"""Kind and path of a file → the version last loaded."""

PAUSES = (1, 5, 25)
"""Seconds before each retry after a transient error, such as a server that restarts."""


def silent(line: str) -> None:
    """Drop a line for people."""


def now() -> datetime:
    """Return the time in UTC without a time zone, as the warehouse stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Warehouse(ABC):
    """An open warehouse.

    A subclass implements the abstract methods, and overrides another method only where its engine works differently.
    """

    engine: ClassVar[str]
    """The engine's name on the hint lines of the SQL files."""

    temporary: ClassVar[str]
    """The schema prefix that restricts a name to temporary tables; empty where such a table hides others."""

    lock: ClassVar[str]
    """The statement that locks out other runs until the transaction ends; empty if no other run can be active."""

    batch_size: ClassVar[int] = 1 << 30
    """The default size of a batch, in bytes of files. What a batch costs beside its rows is larger on a server."""

    piece_size: ClassVar[int | None] = None
    """The size of the pieces in which a batch is staged, in bytes of files; None if it is staged whole."""

    label: str
    """The name shown to people; it contains no secret."""

    embedded: duckdb.DuckDBPyConnection
    """The DuckDB database in this process in which each piece of a batch is staged."""

    _created: list[str]
    """The temporary tables of the transaction."""

    say: Say
    """The receiver of lines for people: the sessions that a statement waits for, and retries."""

    @abstractmethod
    def __init__(self, url: str, config: Config, *, read_only: bool = False, say: Say = silent) -> None:
        """Open the warehouse at a URL; on a server, its tables are in their own schema."""

    @classmethod
    @abstractmethod
    def may_exist(cls, url: str) -> bool:
        """Return whether there may be a warehouse at a URL. Create nothing."""

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement, with parameters bound to ``?``; return the number of rows it changed."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return its column names and its rows."""

    @abstractmethod
    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT written by a user, which must not change anything; return its column names and its rows."""

    @abstractmethod
    def has_tables(self) -> bool:
        """Return whether the tables exist, whether or not this login can read them."""

    @abstractmethod
    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on the tables, views and columns of our schema, by (table, column).

        The column of a table or view itself is "". Everything that exists is included; without a comment, it has "".
        """

    @abstractmethod
    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files, by name, as parquet, csv or spreadsheet, all from the same snapshot."""

    def require_stage(self) -> None:  # noqa: B027 (only Redshift needs a stage)
        """Raise ConfigError if the configuration lacks a setting that `copy` needs. A run calls this first."""

    def gathering(self) -> AbstractContextManager[None]:
        """Provide space for the pieces of a batch, until the end of the block."""
        return nullcontext()

    def gather(self) -> None:  # noqa: B027 (an embedded warehouse stages a batch whole, and in place)
        """Move the piece staged in `embedded` to where it waits for `copy`."""

    def empty_staging(self) -> None:  # noqa: B027 (only Redshift cannot do that cheaply inside a transaction)
        """Empty the staging tables before the transaction of a batch begins, if `copy` should not do it."""

    @abstractmethod
    def copy(self) -> None:
        """Fill the staging tables, inside the transaction, with the gathered pieces. It can be repeated."""

    @classmethod
    @abstractmethod
    def copy_statements(cls, config: Config) -> list[str]:
        """Return the statements by which `copy` fills the staging tables, for people to read."""

    @abstractmethod
    def reconnect(self) -> None:
        """Connect again after the loss of the connection."""

    @abstractmethod
    def optimize(self, table: str, changed: int) -> None:
        """Prepare a table for the next statements, of which a number of rows has been added or changed."""

    def examinations(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield what `sparkify doctor` examines on this engine: a subject, and a function that returns what it found.

        The function raises SparkifyError, with a remedy, if a run would fail. It changes nothing.
        """
        return iter(())

    @classmethod
    @abstractmethod
    def trial(cls, url: str, config: Config) -> AbstractContextManager[Warehouse]:
        """Yield an empty warehouse beside the one at a URL, and drop it at the end of the block."""

    def upkeep(self) -> list[tuple[str, float, float]] | None:
        """Return (table, percentage of unsorted rows, staleness of statistics in percent) for each table.

        An engine that maintains its tables automatically returns an empty list. None means that this login lacks the
        permission.
        """
        return []

    def by_index(self) -> AbstractContextManager[None]:
        """Allow the statements in the block to look rows up one by one, where an engine has indexes."""
        return nullcontext()

    @abstractmethod
    def keep_staging(self) -> None:
        """Keep the staging tables after the run."""

    @abstractmethod
    def rebuild(self, catch_up: Callable[[Warehouse, Known], None]) -> AbstractContextManager[Warehouse]:
        """Yield an empty warehouse to fill; on success, its tables replace ours in one transaction.

        Before that, with the ledger locked, `catch_up` receives it and our ledger, and adds what has changed since.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the statements in the block, or roll all of them back if one fails; drop its temporary tables."""
        self._created = []
        self.execute("begin")
        try:
            yield
            for name in self._created:
                self.execute(f"drop table {self.temporary}{name}")
        except BaseException:
            with suppress(WarehouseError):  # a lost connection is already rolled back
                self.execute("rollback")
            raise
        self.commit()

    def create_temporary(self, name: str, select: str) -> None:
        """Create a temporary table, which lasts until the end of the transaction.

        Nothing is dropped before: without such a table, DROP would find another user's of that name on Redshift.
        """
        self.execute(f"create temp table {name} as {select}")
        self._created.append(name)

    def retry(self, action: Callable[[], Result], unchanged: str) -> Result:
        """Run an action that can be repeated; after a Transient error, reconnect and repeat it.

        `unchanged` is the sentence that states what a failed attempt leaves unchanged.
        """

        def again() -> Result:
            self.reconnect()
            return action()

        attempt = action
        for pause in PAUSES:
            try:
                return attempt()
            except Transient as error:
                self.say(f"{error} {unchanged} Retrying in {pause} s.")
                time.sleep(pause)
                attempt = again
        try:
            return attempt()
        except Transient as error:
            raise Transient(f"{error} {unchanged} Run again later.") from error

    def loaded_files(self) -> Known:
        """Return the last loaded version of each file, by kind and path."""
        rows = self.rows("select source, path, version from etl_files")
        return {(source, path): version for source, path, version in rows}

    def commit(self) -> None:
        """Commit the transaction; raise CommitUnknown if the connection is lost before the response."""
        self.execute("commit")

    def lock_ledger(self) -> bool:
        """Lock out other runs until the transaction ends; return whether one may have published since."""
        if self.lock:
            self.execute(self.lock)
        return bool(self.lock)

    def alone(self) -> AbstractContextManager[None]:
        """Serialize the creation of schemas, tables and views, on engines where two runs would collide."""
        return nullcontext()

    def add_tables(self, names: Iterable[str]) -> None:
        """Create the tables that do not exist."""
        for table in names:
            self.run(f"tables/{table}")

    def run(self, name: str) -> int:
        """Run the statement of a SQL file, named ``folder/name``."""
        return self.execute(loader.read(name, self.engine))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one SELECT; return its rows."""
        return self.query(sql, parameters)[1]

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one SELECT; return its only value."""
        return self.rows(sql, parameters)[0][0]
