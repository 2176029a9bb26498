"""The base class of every warehouse: what the pipeline needs of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sparkify.config import Config
from sparkify.errors import WarehouseError
from sparkify.sql import loader

if TYPE_CHECKING:  # connecting to a server loads it anyway, and --help does without
    import duckdb

Row = tuple[Any, ...]


def now() -> datetime:
    """Return the time in UTC without a time zone, as the warehouse stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Warehouse(ABC):
    """An open warehouse: it stores rows and answers questions, and never reads a source file.

    A subclass writes the abstract methods, and overrides another method only where its engine works differently.
    """

    engine: ClassVar[str]
    """The engine's name on the hint lines of the SQL files."""

    temporary: ClassVar[str]
    """The schema prefix that makes a name mean a temporary table, and no other table."""

    lock: ClassVar[str]
    """The statement that keeps other runs out until the transaction ends; empty if no other run can be in."""

    label: str
    """The name shown to people; it contains no secret."""

    embedded: duckdb.DuckDBPyConnection
    """The DuckDB database in this process in which a batch is staged before `copy`."""

    @abstractmethod
    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        """Open the warehouse at a URL; on a server, its tables are in a schema of their own."""

    @classmethod
    @abstractmethod
    def may_exist(cls, url: str) -> bool:
        """Return whether there may be a warehouse at a URL. Creates nothing."""

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement, its values bound to ``?``; return how many rows it changed."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return the names of its columns and its rows."""

    @abstractmethod
    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT written by a user, which must not change anything."""

    @abstractmethod
    def has_tables(self) -> bool:
        """Return whether the tables exist, whether or not this login can read them."""

    @abstractmethod
    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on the tables, views and columns of our schema, by (table, column).

        The column of a table or view itself is "". What is missing from the result does not exist; what has no
        comment has "".
        """

    @abstractmethod
    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files, by name, as parquet or csv, all from one snapshot."""

    def require_stage(self) -> None:
        """Raise ConfigError if the configuration lacks what `copy` will need. Called before a run reads anything."""

    @abstractmethod
    def copy(self) -> None:
        """Fill the staging tables, inside the transaction, with the batch staged in `embedded`."""

    @classmethod
    @abstractmethod
    def copy_statements(cls, config: Config) -> list[str]:
        """Return the statements with which `copy` fills the staging tables, for people to read."""

    @abstractmethod
    def other_runs(self) -> list[str]:
        """Describe, before the transaction, the runs that hold the ledger: user, process, start."""

    @abstractmethod
    def reconnect(self) -> None:
        """Connect again after the connection was lost."""

    @abstractmethod
    def analyze(self, table: str) -> None:
        """Update the planner's statistics of a table."""

    def keep_period(self, select: str) -> None:
        """Store the one row of a SELECT as checked_period: the period whose facts the checks read."""
        self.run("tables/checked_period")
        self.execute("delete from checked_period")
        self.execute(f"insert into checked_period {select}")

    def upkeep(self) -> list[tuple[str, float, float]] | None:
        """Return (table, unsorted rows in percent, staleness of statistics in percent) of each table.

        An engine that maintains its tables automatically returns an empty list. None means that this login has no
        permission to see it.
        """
        return []

    @abstractmethod
    def keep_staging(self) -> None:
        """Keep the staging tables after the run."""

    @abstractmethod
    def rebuild(self) -> AbstractContextManager[Warehouse]:
        """Yield an empty warehouse to fill; if that succeeds, its tables replace ours in one transaction."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the statements inside, or roll all of them back if one fails."""
        self.execute("begin")
        try:
            yield
        except BaseException:
            with suppress(WarehouseError):  # a lost connection has already rolled back
                self.execute("rollback")
            raise
        self.commit()

    def commit(self) -> None:
        """Commit the transaction; raise CommitUnknown if the connection is lost before the answer."""
        self.execute("commit")

    def lock_ledger(self) -> bool:
        """Keep other runs out until the transaction ends; return whether one may have run before."""
        if self.lock:
            self.execute(self.lock)
        return bool(self.lock)

    def alone(self) -> AbstractContextManager[None]:
        """Keep others from creating schemas, tables and views, on engines where two at once would collide."""
        return nullcontext()

    def add_tables(self, names: Iterable[str]) -> None:
        """Create those of the tables that do not exist."""
        for table in names:
            self.run(f"tables/{table}")

    def run(self, name: str) -> int:
        """Run the statement of a SQL file, named ``folder/name``."""
        return self.execute(loader.read(name, self.engine))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one SELECT; return its rows."""
        return self.query(sql, parameters)[1]

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one SELECT of one value; return it."""
        return self.rows(sql, parameters)[0][0]
