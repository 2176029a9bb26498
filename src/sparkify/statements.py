"""The SQL of a run, for people to read: as the four lists of the original design, and as one script, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sparkify import engines, pipeline, queries, star, tables
from sparkify.config import Config
from sparkify.engines.base import Engine, Row
from sparkify.engines.server import Server
from sparkify.ledger import Run
from sparkify.reader import STAGING, Reading


def create_tables(config: Config) -> list[str]:
    """Return the statements that create the staging tables and views, and every table of the warehouse."""
    name = engines.kind(config.warehouse_url).name
    made = [queries.read(f"tables/{table}", name) for table in (*STAGING, *tables.ALL)]
    temp = "temp " if name == "duckdb" else ""
    views = [
        f"create or replace {temp}view {view} as\n{queries.read(f'staging/{view}', name)}"
        for view in queries.names("staging")
    ]
    answers = [f"create or replace view {view} as\n{queries.read(f'views/{view}', name)}" for view in tables.VIEWS]
    return made + views + answers


def drop_tables() -> list[str]:
    """Return the statements that drop what the others create."""
    views = [f"drop view if exists {view}" for view in (*reversed(tables.VIEWS), *queries.names("staging"))]
    return views + [f"drop table if exists {table}" for table in (*STAGING, *tables.ALL)]


def copy_tables(config: Config) -> list[str]:
    """Return the statements that fill staging."""
    return engines.kind(config.warehouse_url).staging_statements(config)


def insert_tables(config: Config) -> list[str]:
    """Return the statements that bring the star up to date with staging, in the order in which they run."""
    name = engines.kind(config.warehouse_url).name
    return [f"insert into {table}\n{queries.read(f'star/{table}', name)}" for table in star.ORDER]


def script(config: Config) -> list[str]:
    """Return every statement of a run that finds songs and events, in order, with ``?`` for the values bound."""
    kind = engines.kind(config.warehouse_url)
    recorded: type[_Recorder] = type("Recorded", (_Recorder, kind), {})
    with recorded(config.warehouse_url, config) as engine:
        engine.enter()
        pipeline.create_missing_tables(engine)
        pipeline.load_batch(engine, [], {}, pipeline.Options(), _Quiet(), pipeline.Progress(Run()))
        return engine.said


class _Recorder(Engine):
    """Put before an engine's class, it writes down what the engine would be told, and answers as if rows were found."""

    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        del url, read_only
        self.said: list[str] = []
        self.label = self.name
        self._config = config
        self._schema = config.schema
        self._grown: set[str] = set()
        self._is_rebuilding = False
        self._read_only = False

    def enter(self) -> None:
        """Say what opens a session."""
        if isinstance(self, Server):
            self._enter_schema()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        del parameters
        self.said.append(sql)
        return 1

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        del parameters
        self.said.append(sql)
        return [], []

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        self.query(sql, parameters)
        return 1

    def prepare(self, *_: Any, **__: Any) -> Reading:
        if not self.lock:  # DuckDB stages before the transaction
            self._stage()
        return Reading()

    def copy(self) -> None:
        if self.lock:
            self._stage()

    def _stage(self) -> None:
        self.said += self.staging_statements(self._config)

    def close(self) -> None:
        pass


class _Quiet:
    """Hears how a run goes, and says nothing."""

    def say(self, line: str) -> None:
        del line

    def start(self, files: int, size: int) -> None:
        del files, size

    def advance(self, size: int, records: int) -> None:
        del size, records
