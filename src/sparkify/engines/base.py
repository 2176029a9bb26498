"""What the pipeline needs of a warehouse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, ClassVar, Self

from sparkify import queries
from sparkify.config import Config
from sparkify.errors import WarehouseError
from sparkify.reader import Reading
from sparkify.sources import SourceFile
from sparkify.spool import Progress

Row = tuple[Any, ...]


class Engine(ABC):
    """An open warehouse. An engine writes the methods that are abstract here, and nothing else."""

    name: ClassVar[str]
    """What the hint lines of the SQL files call it."""

    temporary: ClassVar[str]
    """What stands before the name of a temporary table, to mean no other table."""

    lock: ClassVar[str]
    """The statement that keeps other runs out until the transaction ends; empty where nobody else can be in."""

    label: str
    """What people call this warehouse; holds no secret."""

    @abstractmethod
    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        """Open the warehouse at a URL; on a server, its tables stand in a schema of their own."""

    @classmethod
    @abstractmethod
    def exists(cls, url: str) -> bool:
        """Tell whether there is a warehouse at a URL."""

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement, its values bound to ``?``; return how many rows it changed."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return the names of its columns and its rows."""

    @abstractmethod
    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one statement of a user's, who may change nothing by it."""

    @abstractmethod
    def has_tables(self) -> bool:
        """Tell whether the tables have been created, whether or not this login may read them."""

    @abstractmethod
    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on our schema's tables, views and columns, by table and column; "" stands for none.

        A table or view itself has the column "": what is not in the answer does not exist.
        """

    @abstractmethod
    def export(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files, by name, as parquet or csv, as of one moment; each is there when whole."""

    @abstractmethod
    def prepare(
        self,
        files: Sequence[SourceFile],
        redelivered: frozenset[SourceFile],
        progress: Progress,
        *,
        skip_bad_files: bool,
    ) -> Reading:
        """Read a batch of files, before the transaction: whatever is wrong with a file shows here."""

    @abstractmethod
    def other_runs(self) -> list[str]:
        """Tell, before the transaction, of the runs that hold the ledger: who and since when."""

    @abstractmethod
    def reconnect(self) -> None:
        """Connect again after the connection was lost."""

    @abstractmethod
    def copy(self) -> None:
        """Fill the staging tables with the batch that was prepared, inside the transaction."""

    @classmethod
    @abstractmethod
    def staging_statements(cls, config: Config) -> list[str]:
        """Return the statements that fill the staging tables, for people to read; they name no secret."""

    @abstractmethod
    def analyze(self, table: str) -> None:
        """Let the planner know what a table now holds."""

    def keep_period(self, select: str) -> None:
        """Keep the one row of a SELECT as checked_period: the time whose facts the checks look at."""
        self.run("tables/checked_period")
        self.execute("delete from checked_period")
        self.execute(f"insert into checked_period {select}")

    def upkeep(self) -> list[tuple[str, float, float]] | None:
        """Return of each table the share of its rows that is unsorted and how stale its statistics are, in percent.

        Engines that see to that by themselves return an empty list; None means that the login may not know.
        """
        return []

    @abstractmethod
    def keep_staging(self) -> None:
        """Leave the staging tables for people to look at."""

    @abstractmethod
    def rebuild(self) -> AbstractContextManager[Engine]:
        """Give an empty warehouse to fill; when that has gone well, it takes this one's place in one moment."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or undo all of it when something goes wrong."""
        self.execute("begin")
        try:
            yield
        except BaseException:
            with suppress(WarehouseError):  # a lost connection has rolled back by itself
                self.execute("rollback")
            raise
        self.commit()

    def commit(self) -> None:
        """Commit the transaction; raise CommitUnknown where the connection is lost before the answer."""
        self.execute("commit")

    def lock_ledger(self) -> bool:
        """Keep other runs out until the transaction ends; tell whether one may have been at work before."""
        if self.lock:
            self.execute(self.lock)
        return bool(self.lock)

    def alone(self) -> AbstractContextManager[None]:
        """Keep others from making schema, tables and views meanwhile, where to make what is being made is an error."""
        return nullcontext()

    def create_tables(self, names: Iterable[str]) -> None:
        """Create those of the tables that are not there."""
        for table in names:
            self.run(f"tables/{table}")

    def run(self, name: str) -> int:
        """Run the statement of a SQL file, named ``folder/name``."""
        return self.execute(queries.read(name, self.name))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one SELECT; return its rows."""
        return self.query(sql, parameters)[1]

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one SELECT of one value; return it."""
        return self.rows(sql, parameters)[0][0]
