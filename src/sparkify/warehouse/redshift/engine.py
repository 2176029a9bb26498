"""Amazon Redshift, the production warehouse: provisioned or Serverless.

Facts about Redshift are from its documentation, the Database Developer Guide ("the guide"); comments name the page.
Redshift does not enforce keys, so no statement relies on them.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparkify.config import Config
from sparkify.errors import Denied, WarehouseError
from sparkify.filesystem import scratch_folder
from sparkify.sql.model import STAGING
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse import embedded
from sparkify.warehouse.base import Row, Say, silent
from sparkify.warehouse.embedded import translate_errors
from sparkify.warehouse.redshift import copying, login, system_views
from sparkify.warehouse.redshift.errors import NO_LOGIN, UNREACHED, network_error
from sparkify.warehouse.redshift.stage import StagingArea, copy_statement, unload_statement
from sparkify.warehouse.server import (
    CONNECTED_WITHIN,
    ENDING,
    KEEP_ALIVE,
    LOST,
    SILENT_FOR,
    Holder,
    Server,
    passing_schema,
)

if TYPE_CHECKING:  # loaded when a warehouse is opened
    from redshift_connector.core import Connection
    from redshift_connector.cursor import Cursor

_ERRORS_WITHIN = 10  # seconds after a COPY; its documentation does not say when the views show them
_CANCELED = "57014"  # the SQLSTATE of a statement that was canceled


class Redshift(Server):
    """A schema of a Redshift database: ``redshift://host:5439/dbname``, or the cluster of [CLUSTER] in dwh.cfg.

    ``redshift://`` alone is the warehouse that `sparkify cluster setup` created.

    A batch is written to [S3] STAGE as compressed files of equal size, and loaded by one COPY per staging table. The
    connection uses TLS, and verifies the certificate and name of the host.
    """

    engine: ClassVar[str] = "redshift"
    temporary: ClassVar[str] = ""  # a temporary table hides another of its name ("CREATE TABLE", the guide)
    longest_name: ClassVar[int] = 127  # "Names and identifiers", the guide
    # LOCK also blocks readers, so it locks a table that only runs read. It takes no snapshot, so later statements see
    # all that the previous run committed ("Isolation levels in Amazon Redshift", the guide).
    lock: ClassVar[str] = "lock staging_files"

    _waiting: StagingArea
    """Where the pieces of a batch wait for COPY."""

    _gathered: dict[str, list[str]]
    """The URLs of these pieces, by staging table."""

    _staged: Counter[str]
    """The number of their rows, by staging table."""

    def __init__(self, url: str, config: Config, *, read_only: bool = False, say: Say = silent) -> None:
        self._address, config, self._secret = login.resolve(url, config)
        # Redshift stores all names in lower case, even quoted ones ("Names and identifiers", the guide).
        config = replace(config, schema=config.schema.lower())
        at = self._address
        self._name = f"{at.host}:{at.port}/{at.database}"  # not the schema, since that of a full refresh is a new one
        self._connection: Connection | None = None
        self._is_lost = self._is_timed_out = False
        self._grown: set[str] = set()  # tables to analyze after the commit
        self._known_slices: int | None = None
        super().__init__(url, config, read_only=read_only, say=say)

    def reconnect(self) -> None:
        """Connect to the cluster, or connect again."""
        self._hang_up()
        self._connection = self._open()
        self._is_lost = self._is_timed_out = False
        self._process = int(self.value("select pg_backend_pid()"))
        if self.value("select db_collation()") == "case_insensitive":
            self._hang_up()
            raise WarehouseError(
                f"{self.label}: this database ignores case, and would take names that differ only in case for one."
                " Create a database with COLLATE CASE_SENSITIVE, and name it in [WAREHOUSE] URL."
            )
        self._enter_schema()
        if not self._read_only:
            self._drop_abandoned_schemas()

    def _create_schema(self) -> None:
        try:
            super()._create_schema()
        except Denied:
            if not self._secret:
                raise
            # The first login by IAM creates a user, who has no permission to create a schema.
            from sparkify.aws.redshift_login import administrator as administrator_login

            at = self._address
            administrator = self._open(*administrator_login(at.host, self._secret, at.region, self._config.aws))
            with self._translate_errors(), closing(administrator):
                administrator.cursor().execute(self._grant_create)
            super()._create_schema()

    def _open(self, user: str = "", password: str = "") -> Connection:
        """Return a connection; without a user, log in with the configured password, or by IAM if there is none."""
        try:
            import redshift_connector
        except ModuleNotFoundError as error:
            raise WarehouseError(
                "redshift://: the AWS clients are not installed. Run `pip install 'sparkify-warehouse[aws]'`."
            ) from error
        at = self._address
        if not password:
            user, password = (at.user, at.password) if at.password else login.temporary(at, self._config.aws)
            self._user = user
            self._database = at.database
            self.label = f"redshift://{user}@{at.host}:{at.port}/{at.database} (schema {self._schema})"
        with self._translate_errors(of_session=False):
            connection = redshift_connector.connect(
                timeout=CONNECTED_WITHIN,
                host=at.host,
                port=at.port,
                database=at.database,
                user=user,
                password=password,
                ssl=True,
                sslmode=at.sslmode,
                application_name="sparkify",
                tcp_keepalive_idle=KEEP_ALIVE["idle"],
                tcp_keepalive_interval=KEEP_ALIVE["interval"],
                tcp_keepalive_count=KEEP_ALIVE["count"],
            )
        connection._usock.settimeout(None)  # the timeout must not end a long COPY
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
            connection._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_FOR)
        connection.autocommit = True  # the pipeline begins and ends transactions itself
        return connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows it changed."""
        return max(int(self._run(sql, parameters).rowcount), 0)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Row]]:
        """Run one SELECT; return its column names and its rows."""
        cursor = self._run(sql, parameters)
        if not cursor.description:
            return [], []
        return [column[0] for column in cursor.description], [tuple(row) for row in cursor.fetchall()]

    def ask(self, sql: str) -> tuple[list[str], list[Row]]:
        """Run one SELECT written by a user, in a read-only transaction."""
        self.execute("begin read only")
        try:
            columns, rows = self.query(sql)
            if not columns:
                raise WarehouseError(f"{self.label}: the statement returns no rows. Give one SELECT.")
            return columns, rows
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def comments(self) -> dict[tuple[str, str], str]:
        """Return the comments on the tables, views and columns, by (table, column)."""
        rows = self.rows(system_views.COMMENTS, [self._schema, self._schema])
        return {(table, column): text for table, column, text in rows}

    def write_files(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files: UNLOAD writes Parquet to S3, which is downloaded and converted."""
        with self.transaction(), scratch_folder() as folder, self._area() as area:
            for name, path in files.items():
                embedded.copy_out(self.embedded, self._unload(name, area, Path(folder)), path, form)

    def _unload(self, name: str, area: StagingArea, folder: Path) -> str:
        """Unload a table or view, and download its files; return a relation over them."""
        self.execute(unload_statement(name, area.folder(name), area.region, self._config.iam_role_arn))
        rows = int(self.value("select pg_last_unload_count()"))
        parts = area.get(name, folder)
        # Without rows, UNLOAD can write no file: github.com/aws/aws-sdk-pandas/issues/2052.
        relation = (
            f"read_parquet([{', '.join(literal(str(part)) for part in parts)}], hive_partitioning = false)"
            if parts
            else embedded.empty_relation(name)
        )
        [downloaded] = self.embedded.execute(f"select count(*) from {relation}").fetchone() or [0]
        if downloaded != rows:
            raise WarehouseError(
                f"{self.label}: UNLOAD wrote {rows:,} rows of {name}, but {area.folder(name)} contains {downloaded:,}."
                " Export again; if the error remains, check whether something else deletes files in [S3] STAGE."
            )
        return relation

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost."""
        return self._is_lost

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the statements in the block, or roll them back; then update the statistics of the tables that grew."""
        self._grown.clear()
        with super().transaction():
            yield
        for table in sorted(self._grown):  # the batch is published, whether or not this succeeds
            with suppress(WarehouseError):
                self.execute(f"analyze {table}")

    def lock_ledger(self) -> bool:
        """Lock out other runs until the transaction ends; report the sessions that this waits for."""
        with self._waits_reported():
            return super().lock_ledger()

    @contextmanager
    def _watching(self) -> Iterator[Callable[[], list[Holder]]]:
        begun, limit = time.monotonic(), self._config.lock_timeout
        with closing(self._open()) as second, closing(second.cursor()) as cursor:

            def lock_holders() -> list[Holder]:
                cursor.execute(system_views.WAITS, (self._process,))
                if not cursor.fetchall():
                    return []
                if limit and time.monotonic() - begun >= limit:  # Redshift has no such setting
                    self._is_timed_out = True
                    cursor.execute(f"select pg_cancel_backend({self._process})")
                cursor.execute(system_views.HOLDERS, (self._process,))
                holders: list[Holder] = [(int(process), user, "", since) for process, user, since in cursor.fetchall()]
                return holders or [(0, "unknown", "which this login cannot see", None)]

            yield lock_holders

    def require_stage(self) -> None:
        """Raise ConfigError if [S3] STAGE or the role that reads it is missing or invalid."""
        self._area()

    def _area(self) -> StagingArea:
        return StagingArea.of(self._config, owner=self._name)

    def empty_staging(self) -> None:
        """Truncate the staging tables: rows that DELETE removes would occupy space until the next VACUUM.

        TRUNCATE commits ("TRUNCATE", the guide). Therefore it comes before the transaction, and waits for a run that is
        using the tables.
        """
        with self._waits_reported():
            for table in STAGING:
                self.execute(f"truncate {table}")

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Provide a staging area in S3 for the pieces of a batch, until the end of the block."""
        self._slices()  # while the session is in use
        self._gathered, self._staged = {table: [] for table in STAGING}, Counter()
        with self._area() as self._waiting:
            yield

    def gather(self) -> None:
        """Upload the staged piece to the staging area."""
        with scratch_folder() as folder:
            for table in STAGING:
                self._staged[table] += copying.count_rows(self.embedded, table)
                self._gathered[table] += self._upload(table, Path(folder))

    def _upload(self, table: str, folder: Path) -> list[str]:
        """Move the rows of a staging table to the staging area; return the URLs of the files."""
        parts = copying.write_parts(self.embedded, table, folder, self._slices(), first=len(self._gathered[table]))
        self.embedded.execute(f"drop table {table}")
        return self._waiting.put(parts)

    def copy(self) -> None:
        """Load the staging tables from the gathered pieces."""
        with translate_errors(self.label), scratch_folder() as folder:
            copying.create_rejects(self.embedded)
            for table in STAGING:
                parts, rows = list(self._gathered[table]), self._staged[table]
                if table == "staging_rejects":  # the last, to which COPY has added rows of the others
                    rows += copying.count_rows(self.embedded, table)
                    parts += self._upload(table, Path(folder))
                if self.value(f"select count(*) from {table}"):  # of a run that came first
                    self.execute(f"delete from {table}")
                if parts:
                    self._copy_from(table, parts, rows, Path(folder))
                self._grown.discard(table)

    @classmethod
    def copy_statements(cls, config: Config) -> list[str]:
        """Return the statements by which `copy` fills the staging tables. They contain no secret.

        Manifest and region are placeholders, and so are stage and role if they are not set.
        """
        stage = config.stage.rstrip("/") or "s3://STAGE"
        role = config.iam_role_arn or "arn:aws:iam::123456789012:role/ROLE"
        return [
            statement
            for table in STAGING
            for statement in (
                f"truncate {table}",
                copy_statement(table, f"{stage}/RUN/{table}.manifest", "REGION", role),
            )
        ]

    def _slices(self) -> int:
        if self._address.workgroup:
            return copying.SLICES_UNKNOWN
        if self._known_slices is None:
            self._known_slices = int(self.value("select count(*) from stv_slices")) or copying.SLICES_UNKNOWN
        return self._known_slices

    def _copy_from(self, table: str, parts: Sequence[str], rows: int, folder: Path) -> None:
        """Run the COPY of rows in parts; quarantine the rows that it rejects, or raise WarehouseError."""
        area = self._waiting
        self.execute(copy_statement(table, area.manifest(table, parts), area.region, self._config.iam_role_arn))
        rejected = rows - int(self.value("select pg_last_copy_count()"))
        if not rejected:
            return
        errors = self._load_errors(rejected)
        if not copying.can_quarantine(table, rejected, errors, parts):
            shown = "".join(f"\n  {file}:{line}: {column}: {message}" for file, line, column, message, _ in errors[:5])
            raise WarehouseError(
                f"{self.label}: COPY rejected {rejected:,} of {rows:,} rows of {table}, and nothing of this batch was"
                f" published. See sys_load_error_detail.{shown}"
            )
        for part, of_part in groupby(errors, key=lambda error: error[0]):
            copying.quarantine(self.embedded, of_part, area.fetch(part, folder / "refused.json.gz"))

    def _load_errors(self, rejected: int) -> list[copying.LoadError]:
        """Return the rows that the last COPY rejected; wait for them, since system views can lag behind."""
        until = time.monotonic() + _ERRORS_WITHIN
        while True:
            errors: list[copying.LoadError] = self.rows(copying.LOAD_ERRORS)
            if len(errors) >= rejected or time.monotonic() >= until:
                return errors
            time.sleep(0.5)

    def optimize(self, table: str, changed: int) -> None:  # noqa: ARG002 (ANALYZE decides for itself)
        """Schedule an ANALYZE of a table for after the commit."""
        self._grown.add(table)

    def upkeep(self) -> list[tuple[str, float, float]] | None:
        """Return (table, percentage of unsorted rows, staleness of statistics in percent) for each table.

        None means that this login has no permission: SVV_TABLE_INFO is visible to superusers, who can grant it.
        """
        try:
            rows = self.rows(system_views.UPKEEP, [self._schema])
        except Denied:
            return None
        return [(table, float(unsorted or 0), float(stats_off or 0)) for table, unsorted, stats_off in rows]

    def examinations(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield what only AWS knows: the server's certificate, permissions, the stage, the role, and errors of COPY."""
        yield "certificate", lambda: f"of {self._address.host}, checked by sslmode {self._address.sslmode}"
        yield "permissions", self._table_permissions
        yield "stage and role", self._copy_one_row

    def _copy_one_row(self) -> str:
        """Copy a valid and an invalid row from the stage into a temporary table, and roll back."""
        with self._area() as area, scratch_folder() as folder:
            part = Path(folder) / "doctor.json.gz"
            part.write_bytes(gzip.compress(b'{"number": 1}\n{"number": "one"}\n'))
            [url] = area.put([part])
            self.execute("begin")
            try:
                self.execute("create temp table sparkify_doctor (number integer)")
                manifest = area.manifest("sparkify_doctor", [url])
                self.execute(copy_statement("sparkify_doctor", manifest, area.region, self._config.iam_role_arn))
                copied = int(self.value("select pg_last_copy_count()"))
                errors = self._load_errors(1)
            finally:
                with suppress(WarehouseError):
                    self.execute("rollback")
        if copied != 1 or len(errors) != 1:
            raise WarehouseError(
                f"{self.label}: COPY loaded {copied} of a valid and a bad row, and sys_load_error_detail shows"
                f" {len(errors)} of the bad one. A run could not quarantine it; ask an administrator for access to it."
            )
        return f"COPY reads {self._config.stage} with its role, and shows the rows that it rejects"

    @contextmanager
    def _second_schema(self) -> Iterator[str]:
        schema = passing_schema(self._schema)
        try:
            yield schema  # connecting to it creates it
        finally:
            with suppress(WarehouseError):
                self.reconnect()  # the session may have ended while it was idle
                self.execute(f"drop schema if exists {quoted(schema)} cascade")

    def _wake(self) -> None:
        self.reconnect()

    def _hang_up(self) -> None:
        if self._connection:
            from redshift_connector.error import Error  # installed, since a connection exists

            with suppress(Error, OSError):  # the connection can be lost
                self._connection.close()
            self._connection = None

    def _run(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        with self._translate_errors():
            if self._connection is None:
                raise WarehouseError(f"{self.label}: the connection is closed. Run again.")
            cursor = self._connection.cursor()
            cursor.paramstyle = "qmark"
            try:
                cursor.execute(sql, tuple(parameters))
            except KeyboardInterrupt:
                self._abandon()
                raise
            return cursor

    def _abandon(self) -> None:
        """Terminate the session in the middle of a statement, which would otherwise go on and keep its locks."""
        self._is_lost = True
        with suppress(Exception):  # if this fails, the statement runs to its end
            self._hang_up()
            second = self._open()
            second.cursor().execute(f"select pg_terminate_backend({self._process})")
            second.close()

    @contextmanager
    def _translate_errors(self, *, of_session: bool = True) -> Iterator[None]:
        """Translate errors of driver and server into WarehouseError, or Transient if a retry can succeed.

        Errors of another connection than that of the session do not make the session lost.
        """
        from redshift_connector.error import Error

        try:
            yield
        except (Error, OSError, struct.error) as error:
            fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            if not fields:  # the driver lost or never reached the server
                self._is_lost |= of_session
                reason = next((each for each in error.args if isinstance(each, OSError)), error)
                if isinstance(reason, ssl.SSLCertVerificationError):
                    raise login.refused_certificate(self._address, self.label, reason) from error
                raise self._server_error(LOST, f"{network_error(reason)}. {UNREACHED}") from error
            state, text = fields.get("C", ""), fields.get("M", "")
            if state == _CANCELED and self._is_timed_out:
                raise self._lock_timeout() from error
            self._is_lost |= of_session and state in ENDING
            message = f"{text} ({state})." + (" Check [CLUSTER] DB_USER and DB_PASSWORD." if state in NO_LOGIN else "")
            raise self._server_error(state, message) from error
