"""Open a warehouse: the scheme of its URL chooses the class."""

from sparkify.config import SCHEMES, Config
from sparkify.errors import ConfigError, WarehouseError
from sparkify.warehouse import install
from sparkify.warehouse.base import Say, Warehouse, silent


def open_warehouse(url: str, config: Config | None = None, *, read_only: bool = False, say: Say = silent) -> Warehouse:
    """Open the warehouse at a URL, such as ``duckdb:///sparkify.duckdb``.

    The configuration has the schema on a server, the AWS credentials, and the folder for staging in S3. Lines about
    waiting and retries go to `say`.

    Raise ConfigError for an invalid URL, and WarehouseError for a warehouse that cannot be opened.
    """
    return warehouse_class(url)(url, config or Config(), read_only=read_only, say=say)


def open_filled(config: Config) -> Warehouse:
    """Open the configured warehouse, read-only.

    Raise WarehouseError if it has never been filled, or was filled in another layout or under another contract.
    """
    warehouse = open_warehouse(config.warehouse_url, config, read_only=True)
    try:
        if not warehouse.has_tables():
            raise WarehouseError(f"{warehouse.label}: has no Sparkify tables. Run `sparkify etl` first.")
        install.require_versions(warehouse, config.contract)
    except BaseException:
        warehouse.close()
        raise
    return warehouse


def may_exist(url: str) -> bool:
    """Return whether there may be a warehouse at a URL. Create nothing; raise ConfigError for an invalid URL."""
    return warehouse_class(url).may_exist(url)


def warehouse_class(url: str) -> type[Warehouse]:
    """Return the class for the warehouse at a URL; raise ConfigError for an invalid URL."""
    scheme = url.partition(":")[0].lower()
    if scheme == "duckdb":
        from sparkify.warehouse.duckdb import DuckDB  # each class loads its own client library

        return DuckDB
    if scheme in ("postgresql", "postgres"):
        _require_escapes(url)
        from sparkify.warehouse.postgres import Postgres

        return Postgres
    if scheme == "redshift":
        _require_escapes(url)
        from sparkify.warehouse.redshift.engine import Redshift

        return Redshift
    # The message does not quote the URL, which can contain a password.
    what = f"{scheme!r} is not a supported warehouse" if "://" in url else "not a URL"
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    raise ConfigError(
        f"[WAREHOUSE] URL or --warehouse: {what}. Write it like duckdb:///sparkify.duckdb (known: {known})."
    )


def _require_escapes(url: str) -> None:
    """Raise ConfigError if an @ or a / in a user, password or database is not escaped.

    Otherwise, a part of the password would be taken for a host, a port or a database, which messages name.
    """
    rest = url.partition("://")[2]
    authority = rest.partition("/")[0]
    after_login = rest[authority.find("@") + 1 :]
    if "@" in after_login.partition("?")[0]:
        raise ConfigError(
            "[WAREHOUSE] URL or --warehouse: a user, password or database in the URL contains an unescaped @ or /."
            " Write @ as %40, / as %2F and % as %25."
        )
