"""The statements that create and drop every table and view."""

from sparkify.sql import loader
from sparkify.sql.model import ALL, STAGING, VIEWS


def create_statements(engine: str) -> list[str]:
    """Return the statements that create every table and view on an engine, staging first."""
    tables = [loader.read(f"tables/{table}", engine) for table in (*STAGING, *ALL)]
    staged = [create_view("staging", view, engine) for view in loader.names("staging")]
    return tables + staged + [create_view("views", view, engine) for view in VIEWS]


def create_view(folder: str, view: str, engine: str) -> str:
    """Return the statement that creates or replaces a view. Views over temporary tables are temporary too."""
    temporary = "temp " if folder == "staging" and "\ntemp\n" in loader.read("tables/staging_events", engine) else ""
    return f"create or replace {temporary}view {view} as\n{loader.read(f'{folder}/{view}', engine)}"


def drop_statements() -> list[str]:
    """Return the statements that drop every table and view, dependents first."""
    views = [f"drop view if exists {view}" for view in (*reversed(VIEWS), *loader.names("staging"))]
    return views + [f"drop table if exists {table}" for table in (*STAGING, *ALL)]
