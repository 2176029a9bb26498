"""The warehouses that the pipeline runs on: one small class each, chosen by the URL."""

from __future__ import annotations

from sparkify.config import SCHEMES, Config
from sparkify.engines.base import Engine
from sparkify.errors import ConfigError, WarehouseError


def connect(url: str, config: Config | None = None, *, read_only: bool = False) -> Engine:
    """Open the warehouse that a URL names, such as ``duckdb:///sparkify.duckdb``; a schema of it on a server.

    The rest of the configuration says how: the schema, the keys to AWS, where to stage.

    Raise ConfigError for a URL that names none, WarehouseError for one that cannot be opened.
    """
    return kind(url)(url, config or Config(), read_only=read_only)


def connect_filled(config: Config) -> Engine:
    """Open the configured warehouse, for reading only; raise WarehouseError for one that has not been filled."""
    engine = connect(config.warehouse_url, config, read_only=True)
    if not engine.has_tables():
        engine.close()
        raise WarehouseError(f"{engine.label}: holds no tables of ours. Run `sparkify etl` first.")
    return engine


def exists(url: str) -> bool:
    """Tell whether there is a warehouse at a URL: opening one that is not there may make it."""
    return kind(url).exists(url)


def kind(url: str) -> type[Engine]:
    """Return the class of the warehouse that a URL names; raise ConfigError for a URL that names none."""
    scheme = url.partition(":")[0].lower()
    if scheme == "duckdb":
        from sparkify.engines.duckdb import DuckDB  # loaded by the commands that need it

        return DuckDB
    if scheme in ("postgresql", "postgres"):
        from sparkify.engines.postgres import Postgres

        return Postgres
    if scheme == "redshift":
        from sparkify.engines.redshift import Redshift

        return Redshift
    # The URL itself may hold a password: it is not repeated.
    what = f"{scheme!r} is no warehouse that can be used" if "://" in url else "not a URL"
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    raise ConfigError(
        f"[WAREHOUSE] URL or --warehouse: {what}. Write it like duckdb:///sparkify.duckdb (known: {known})."
    )
