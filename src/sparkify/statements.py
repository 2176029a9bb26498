"""The SQL as four lists of statements, for people to read, and to run by hand into an empty warehouse.

A run does more between the copying and the inserting: it quarantines, repairs and settles duplicates (see star.py).
"""

from __future__ import annotations

from sparkify import config, queries, reader, star, tables
from sparkify.contract import CONTRACTS, literal
from sparkify.sources import Kind

_ENGINE = "duckdb"


def create_tables() -> list[str]:
    """Return the statements that create the staging tables and views, and every table of the warehouse."""
    made = [queries.read(f"tables/{table}", _ENGINE) for table in (*reader.STAGING, *tables.ALL)]
    views = [
        f"create or replace temp view {view} as\n{queries.read(f'staging/{view}', _ENGINE)}"
        for view in queries.names("staging")
    ]
    answers = [f"create or replace view {view} as\n{queries.read(f'views/{view}', _ENGINE)}" for view in tables.VIEWS]
    return made + views + answers


def drop_tables() -> list[str]:
    """Return the statements that drop what the others create."""
    views = [f"drop view if exists {view}" for view in (*reversed(tables.VIEWS), *queries.names("staging"))]
    return views + [f"drop table if exists {table}" for table in (*reader.STAGING, *tables.ALL)]


def copy_tables() -> list[str]:
    """Return the statements that read the configured catalogue and logs into staging."""
    settings = config.load()
    roots: dict[Kind, str] = {"songs": settings.song_data, "events": settings.log_data}
    return [statement for kind, root in roots.items() for statement in _copy(kind, f"{root.rstrip('/')}/**/*.json*")]


def _copy(kind: Kind, pattern: str) -> list[str]:
    return [
        "insert into staging_files\n"
        f"select (select count(*) from staging_files) + row_number() over (order by file), '{kind}', file, '', 0,"
        f" false, 0\nfrom glob({literal(pattern)})",
        reader.direct_insert(CONTRACTS[kind], [pattern], layout="auto"),
    ]


def insert_tables() -> list[str]:
    """Return the statements that bring the star up to date with staging, in the order in which they run."""
    return [f"insert into {table}\n{queries.read(f'star/{table}', _ENGINE)}" for table in star.ORDER]
