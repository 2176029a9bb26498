"""The warehouses that the pipeline runs on: one small class each, chosen by the URL."""

from __future__ import annotations

from sparkify.engines.base import Engine
from sparkify.errors import ConfigError

SCHEMES = ("duckdb",)


def connect(url: str, *, read_only: bool = False) -> Engine:
    """Open the warehouse that a URL names, such as ``duckdb:///sparkify.duckdb``.

    Raise ConfigError for a URL that names none, WarehouseError for one that cannot be opened.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "duckdb":
        from sparkify.engines.duckdb import DuckDB  # loaded by the commands that need it

        return DuckDB(url, read_only=read_only)
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    # The URL itself may hold a password: it is not repeated.
    raise ConfigError(
        f"[WAREHOUSE] URL or --warehouse: {scheme!r} is no warehouse that can be used. Use one of: {known}"
        if "://" in url
        else f"[WAREHOUSE] URL or --warehouse: not a URL. Write it like duckdb:///sparkify.duckdb (known: {known})."
    )
