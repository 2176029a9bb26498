"""Amazon Redshift, the production warehouse: provisioned or Serverless.

Facts about Redshift come from its documentation, the Database Developer Guide ("the guide"); comments name the pages.
No statement relies on enforced keys or sequences, which Redshift does not have.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparkify.config import Config
from sparkify.errors import Denied, Transient, WarehouseError
from sparkify.filesystem import scratch_folder
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal
from sparkify.warehouse import embedded
from sparkify.warehouse.base import Row
from sparkify.warehouse.embedded import translate_errors
from sparkify.warehouse.redshift import copying, login
from sparkify.warehouse.redshift.errors import CONFLICT, ENDING, NO_LOGIN, PASSING, UNREACHED, network_error
from sparkify.warehouse.redshift.stage import StagingArea, copy_statement, unload_statement
from sparkify.warehouse.server import Server

if TYPE_CHECKING:  # loaded when a warehouse is opened
    from redshift_connector.core import Connection
    from redshift_connector.cursor import Cursor
_EXPORTED_WITHIN = 86_400  # seconds: what an older export has left was killed
_CONNECTED_WITHIN = 15  # seconds: a firewall that drops what we send says nothing

_LOCKED_TABLE = """
select c."oid"
from pg_class as c
join pg_namespace as n on n."oid" = c.relnamespace
where c.relname = 'staging_files' and n.nspname = ?
"""

_HOLDERS = """
select pid, txn_owner, txn_start
from svv_transactions
where relation = ? and lock_mode = 'AccessExclusiveLock' and granted = 't'
"""

_COMMENTS = """
select c.relname, '', coalesce(d.description, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_description as d on d.objoid = c.oid and d.objsubid = 0
where n.nspname = ? and c.relkind in ('r', 'v')
union all
select c.relname, a.attname, coalesce(d.description, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_description as d on d.objoid = c.oid and d.objsubid = a.attnum
where n.nspname = ? and c.relkind in ('r', 'v')
"""

_UPKEEP = """
select trim("table"), unsorted, stats_off
from svv_table_info
where "schema" = ?
order by 1
"""


class Redshift(Server):
    """A schema of a Redshift database: ``redshift://host:5439/dbname``, or the cluster of [CLUSTER] in dwh.cfg.

    ``redshift://`` alone is the warehouse that `sparkify cluster setup` made.

    What the reader accepted goes to [S3] STAGE as a few compressed files of even size, and from there by one COPY a
    staging table. The connection is by TLS, and the host has to be who it says it is.
    """

    engine: ClassVar[str] = "redshift"
    temporary: ClassVar[str] = ""  # a temporary table hides another of its name ("CREATE TABLE", the guide)
    longest_name: ClassVar[int] = 127  # "Names and identifiers", the guide
    # A table that nobody else reads, since LOCK keeps readers out too. LOCK takes no snapshot, so that what is read
    # after it is what the run before has left ("Isolation levels in Amazon Redshift", the guide).
    lock: ClassVar[str] = "lock staging_files"

    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        self._address, config, self._secret = login.found(url, config)
        # Names are in small letters, also those in double quotes ("Names and identifiers", the guide): the catalogue's
        # are compared with ours.
        config = replace(config, schema=config.schema.lower())
        at = self._address
        self._name = f"{at.host}:{at.port}/{at.database}/{config.schema}"
        self._connection: Connection | None = None
        self._is_lost = False
        self._is_rebuilding = False
        self._grown: set[str] = set()  # tables to analyze after the transaction has been committed
        self._known_slices: int | None = None
        super().__init__(url, config, read_only=read_only)

    def reconnect(self) -> None:
        """Connect to the cluster, for the first time or again."""
        self._hang_up()
        self._connection = self._open()
        self._is_lost = False
        self._process = int(self.value("select pg_backend_pid()"))
        self._enter_schema()

    def _create_schema(self) -> None:
        try:
            super()._create_schema()
        except Denied:
            if not self._secret:
                raise
            # Who logs in by IAM for the first time is a new user, who may not make a schema.
            administrator = self._open(*login.administrator(self._secret, self._address, self._config.aws))
            with self._plainly(), closing(administrator):
                administrator.cursor().execute(self._grant_create)
            super()._create_schema()

    def _open(self, user: str = "", password: str = "") -> Connection:
        """Return a connection, by default with a temporary login by IAM unless a password is configured."""
        try:
            import redshift_connector
        except ModuleNotFoundError as error:
            raise WarehouseError("redshift://… needs the AWS clients: pip install 'sparkify-warehouse[aws]'") from error
        at = self._address
        if not password:
            user, password = (at.user, at.password) if at.password else login.temporary(at, self._config.aws)
            self._user = user
            self._database = at.database
            self.label = f"redshift://{user}@{at.host}:{at.port}/{at.database} (schema {self._schema})"
        with self._plainly():
            connection = redshift_connector.connect(
                timeout=_CONNECTED_WITHIN,
                host=at.host,
                port=at.port,
                database=at.database,
                user=user,
                password=password,
                ssl=True,
                sslmode="verify-full",
                application_name="sparkify",
            )
        connection._usock.settimeout(None)  # or it would cut a COPY that takes longer
        connection.autocommit = True  # transactions begin and end by statements of ours
        return connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        return max(int(self._run(sql, parameters).rowcount), 0)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return the names of its columns and its rows."""
        cursor = self._run(sql, parameters)
        if not cursor.description:
            return [], []
        return [column[0] for column in cursor.description], [tuple(row) for row in cursor.fetchall()]

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT of a user's in a transaction that may only read."""
        self.execute("begin read only")
        try:
            columns, rows = self.query(sql)
            if not columns:
                raise WarehouseError(f"{self.label}: that returns no rows. Give one SELECT.")
            return columns, rows
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on tables, views and columns, by table and column."""
        rows = self.rows(_COMMENTS, [self._schema, self._schema])
        return {(table, column): text for table, column, text in rows}

    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files: by UNLOAD into S3, and from there into their form here.

        An export keeps no run out: its files lie in an area of exports, which no run clears.
        """
        area = StagingArea.of(self._config, owner=f"{self._name}/export", others_for=_EXPORTED_WITHIN)
        with self.transaction(), scratch_folder() as folder, area:
            for name, path in files.items():
                embedded.copy_out(self.embedded, self._unload(name, area, Path(folder)), path, form)

    def _unload(self, name: str, area: StagingArea, folder: Path) -> str:
        """Have the cluster write a table or view to the area, and fetch it; return the relation of its rows here."""
        self.execute(unload_statement(name, area.folder(name), area.region, self._config.iam_role_arn))
        rows = int(self.value("select pg_last_unload_count()"))
        parts = area.get(name, folder)
        # Of nothing, the cluster may write no file: github.com/aws/aws-sdk-pandas/issues/2052.
        relation = (
            f"read_parquet([{', '.join(literal(str(part)) for part in parts)}])"
            if parts
            else embedded.empty_relation(name)
        )
        [found] = self.embedded.execute(f"select count(*) from {relation}").fetchone() or [0]
        if found != rows:
            raise WarehouseError(
                f"{self.label}: UNLOAD wrote {rows:,} rows of {name}, and {found:,} are in {area.folder(name)}. Export"
                " again; if that ends alike, see whether something else removes files below [S3] STAGE."
            )
        return relation

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost."""
        return self._is_lost

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or undo all of it; a rebuild is one transaction, whatever its batches."""
        if self._is_rebuilding:
            yield
            return
        self._grown.clear()
        with super().transaction():
            yield
        for table in sorted(self._grown):  # the planner's business, and no reason to fail: all is published
            with suppress(WarehouseError):
                self.execute(f"analyze {table}")

    def _ledger_holders(self) -> list[tuple[int, str, datetime]]:
        # Two queries: the catalogue of tables is on the leader node and cannot be joined to SVV_TRANSACTIONS.
        table = self.value(_LOCKED_TABLE, [self._schema])
        return self.rows(_HOLDERS, [int(table)])

    def require_stage(self) -> None:
        """Raise ConfigError where no place in S3 to stage is configured, or no role that can read it."""
        self._area()

    def _area(self) -> StagingArea:
        return StagingArea.of(self._config, owner=self._name)

    def copy(self) -> None:
        """Write the staged batch to the staging area in S3, and load the staging tables from there."""
        with translate_errors(self.label), scratch_folder() as folder, self._area() as area:
            for table in STAGING:
                self.execute(f"delete from {table}")  # TRUNCATE would commit ("TRUNCATE", the guide)
                if parts := copying.write_parts(self.embedded, table, Path(folder), self._slices()):
                    self._copy_from(area, table, parts)
                self.embedded.execute(f"drop table {table}")
                self._grown.discard(table)

    @classmethod
    def copy_statements(cls, config: Config) -> list[str]:
        """Return the statements with which `copy` fills the staging tables; a role grants access, so none has a secret.

        The names of the run's manifest, the region and an unset stage or role are placeholders.
        """
        stage = config.stage.rstrip("/") or "s3://STAGE"
        role = config.iam_role_arn or "arn:aws:iam::123456789012:role/ROLE"
        return [
            statement
            for table in STAGING
            for statement in (
                f"delete from {table}",
                copy_statement(table, f"{stage}/RUN/{table}.manifest", "REGION", role),
            )
        ]

    def _slices(self) -> int:
        if self._address.workgroup:
            return copying.SLICES_UNKNOWN
        if self._known_slices is None:
            self._known_slices = int(self.value("select count(*) from stv_slices")) or copying.SLICES_UNKNOWN
        return self._known_slices

    def _copy_from(self, area: StagingArea, table: str, parts: Sequence[Path]) -> None:
        """Run the COPY of one staging table; quarantine the rows that it refuses, or raise WarehouseError."""
        named = area.put(parts)
        self.execute(copy_statement(table, area.manifest(table, list(named)), area.region, self._config.iam_role_arn))
        rows = copying.count_rows(self.embedded, table)
        refused = rows - int(self.value("select pg_last_copy_count()"))
        if not refused:
            return
        errors: list[copying.LoadError] = self.rows(copying.LOAD_ERRORS)
        if not copying.can_quarantine(table, refused, errors, named):
            shown = "".join(f"\n  {file}:{line}: {column}: {message}" for file, line, column, message, _ in errors[:5])
            raise WarehouseError(
                f"{self.label}: COPY refused {refused:,} of {rows:,} rows of {table}. See sys_load_error_detail;"
                f" nothing of this batch is published.{shown}"
            )
        copying.quarantine(self.embedded, errors, named)

    def analyze(self, table: str) -> None:
        """Have the planner told what a table now holds, once all is published."""
        self._grown.add(table)

    def upkeep(self) -> list[tuple[str, float, float]] | None:
        """Return of each table the share of its rows that is unsorted and how stale its statistics are, in percent.

        None where the login may not know: SVV_TABLE_INFO is for superusers, and whom they grant it to.
        """
        try:
            rows = self.rows(_UPKEEP, [self._schema])
        except Denied:
            return None
        return [(table, float(unsorted or 0), float(stats_off or 0)) for table, unsorted, stats_off in rows]

    @contextmanager
    def rebuild(self) -> Iterator[Redshift]:
        """Empty the tables and give them to be filled, all in one transaction: readers see the old until its end."""
        with self.transaction():
            self.lock_ledger()
            self._clear()
            self._is_rebuilding = True
            try:
                yield self
            finally:
                self._is_rebuilding = False

    def close(self) -> None:
        """Close the connection."""
        self._hang_up()
        super().close()

    def _hang_up(self) -> None:
        if self._connection:
            from redshift_connector.error import Error  # which may not be installed, where there is no connection

            with suppress(Error, OSError):  # of a connection that is lost
                self._connection.close()
            self._connection = None

    def _run(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        with self._plainly():
            if self._connection is None:
                raise WarehouseError(f"{self.label}: the connection was ended. Run again.")
            cursor = self._connection.cursor()
            cursor.paramstyle = "qmark"
            try:
                cursor.execute(sql, tuple(parameters))
            except KeyboardInterrupt:
                self._abandon()
                raise
            return cursor

    def _abandon(self) -> None:
        """End the session in the middle of a statement, which would go on without us, and keep its locks."""
        self._is_lost = True
        with suppress(Exception):  # the statement ends by itself some time, if this fails
            self._hang_up()
            ending = self._open()
            ending.cursor().execute(f"select pg_terminate_backend({self._process})")
            ending.close()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say what the server says as a WarehouseError: a Transient one where another try may go well."""
        from redshift_connector.error import Error

        try:
            yield
        except (Error, OSError, struct.error) as error:
            fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            if not fields:  # the driver lost the server, or did not find it
                self._is_lost = True
                reason = next((each for each in error.args if isinstance(each, OSError)), error)
                kind = WarehouseError if self._is_rebuilding else Transient
                raise kind(f"{self.label}: {network_error(reason)}. {UNREACHED}") from error
            state, said = fields.get("C", ""), fields.get("M", "")
            self._is_lost |= state in ENDING
            can_pass = state in PASSING or said.startswith(CONFLICT)
            told = f"{said} ({state})." + (" Check [CLUSTER] DB_USER and DB_PASSWORD." if state in NO_LOGIN else "")
            if can_pass and not self._is_rebuilding:
                raise Transient(f"{self.label}: {told}") from error
            raise self._refused(state, told) from error
