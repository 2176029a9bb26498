"""Amazon Redshift, the warehouse of production: provisioned or Serverless.

What is said here of Redshift is from its documentation, the Database Developer Guide, whose pages are named where it
matters. Nothing needs what another kind of warehouse has and this one has not: no key is enforced, no sequence used.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparkify import export, tables
from sparkify.config import Config
from sparkify.contract import CONTRACTS, Contract, literal
from sparkify.engines import redshift_login
from sparkify.engines.base import Row
from sparkify.engines.server import Server
from sparkify.engines.staging_area import StagingArea, copy_statement, unload_statement
from sparkify.errors import Denied, Transient, WarehouseError
from sparkify.origin import locate
from sparkify.reader import STAGING, Reading, plainly, scratch_folder
from sparkify.sources import Kind, SourceFile
from sparkify.spool import Progress

if TYPE_CHECKING:  # loaded when a warehouse is opened
    from redshift_connector.core import Connection
    from redshift_connector.cursor import Cursor

_ROWS_AN_OBJECT = 500_000  # about 20 MB compressed: the guide wants 1 MB to 1 GB ("Loading data files")
_ROWS_WORTH_DIVIDING = 10_000
_SLICES_UNKNOWN = 8  # of Serverless, which does not show its slices
_LONGEST_RECORD = 16_000  # characters kept of a refused record: at four bytes each, what varchar(65535) holds

_PASSING = {
    "40001": "a conflict with another transaction",
    "40P01": "a deadlock with another transaction",
    "53300": "too many connections",
    "57P01": "the cluster is shutting down",
    "57P02": "the cluster restarts",
    "57P03": "the cluster is starting",
    "08000": "the connection failed",
    "08001": "the connection was refused",
    "08003": "the connection is closed",
    "08006": "the connection was lost",
}
"""SQLSTATEs of what can pass, so that another try makes sense ("PostgreSQL error codes", its documentation, A)."""

_ENDING = {"57P01", "57P02", "08000", "08003", "08006"}
"""SQLSTATEs with which the server ends the connection."""

_NO_LOGIN = {"28000", "28P01"}
_EXPORTED_WITHIN = 86_400  # seconds: what an older export has left was killed
_CONNECTED_WITHIN = 15  # seconds: a firewall that drops what we send says nothing
_UNREACHED = "Check host and port, who may connect (its security group), that it is not paused; then run again."

_CONFLICT = "1023"  # how Redshift begins the message of a serializable isolation violation, under SQLSTATE XX000

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

_LOAD_ERRORS = """
select trim(file_name), line_number, trim(column_name), trim(error_message), trim(column_length)
from sys_load_error_detail
where query_id = pg_last_copy_id()
order by file_name, line_number
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

    name: ClassVar[str] = "redshift"
    temporary: ClassVar[str] = ""  # a temporary table hides another of its name ("CREATE TABLE", the guide)
    longest_name: ClassVar[int] = 127  # "Names and identifiers", the guide
    # A table that nobody else reads, since LOCK keeps readers out too. LOCK takes no snapshot, so that what is read
    # after it is what the run before has left ("Isolation levels in Amazon Redshift", the guide).
    lock: ClassVar[str] = "lock staging_files"

    def __init__(self, url: str, config: Config, *, read_only: bool = False) -> None:
        self._address, config, self._secret = redshift_login.found(url, config)
        # Names are in small letters, also those in double quotes ("Names and identifiers", the guide): the catalogue's
        # are compared with ours.
        config = replace(config, schema=config.schema.lower())
        at = self._address
        self._name = f"{at.host}:{at.port}/{at.database}/{config.schema}"
        self._connection: Connection | None = None
        self._is_lost = False
        self._is_rebuilding = False
        self._grown: set[str] = set()  # tables to analyze once the transaction has gone well
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
            administrator = self._open(*redshift_login.administrator(self._secret, self._address, self._config.aws))
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
            user, password = (at.user, at.password) if at.password else redshift_login.temporary(at, self._config.aws)
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

    def export(self, files: Mapping[str, Path], form: str) -> None:
        """Write tables or views to files: by UNLOAD into S3, and from there into their form here.

        An export keeps no run out: its files lie in an area of exports, which no run clears.
        """
        area = StagingArea.of(self._config, owner=f"{self._name}/export", others_for=_EXPORTED_WITHIN)
        with self.transaction(), scratch_folder() as folder, area:
            for name, path in files.items():
                export.copy_out(self._read, self._unload(name, area, Path(folder)), path, form)

    def _unload(self, name: str, area: StagingArea, folder: Path) -> str:
        """Have the cluster write a table or view to the area, and fetch it; return the relation of its rows here."""
        self.execute(unload_statement(name, area.folder(name), area.region, self._config.iam_role_arn))
        rows = int(self.value("select pg_last_unload_count()"))
        parts = area.get(name, folder)
        # Of nothing, the cluster may write no file: github.com/aws/aws-sdk-pandas/issues/2052.
        relation = f"read_parquet([{', '.join(literal(str(part)) for part in parts)}])" if parts else export.empty(name)
        [found] = self._read.execute(f"select count(*) from {relation}").fetchone() or [0]
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

    def create_tables(self, names: Iterable[str]) -> None:
        """Create the tables, those of staging too."""
        super().create_tables(names)
        self._create_views()

    def other_runs(self) -> list[str]:
        """Tell of the runs that hold the ledger: who and since when."""
        # Two questions, since the catalogue of tables lies on the leader node and cannot be joined to the other.
        table = self.value(_LOCKED_TABLE, [self._schema])
        return [
            f"user {str(user).strip()}, server process {pid}, publishing since {since:%Y-%m-%d %H:%M:%S} UTC"
            for pid, user, since in self.rows(_HOLDERS, [int(table)])
        ]

    def prepare(
        self,
        files: Sequence[SourceFile],
        redelivered: frozenset[SourceFile],
        progress: Progress,
        *,
        skip_bad_files: bool,
    ) -> Reading:
        """Read a batch of files into the database embedded in this process, if there is a place to stage it."""
        self._area()
        return super().prepare(files, redelivered, progress, skip_bad_files=skip_bad_files)

    def _area(self) -> StagingArea:
        return StagingArea.of(self._config, owner=self._name)

    def copy(self) -> None:
        """Put the batch that was read into the staging area, and have the staging tables filled from there."""
        with plainly(self.label), scratch_folder() as folder, self._area() as area:
            for table in STAGING:
                self.execute(f"delete from {table}")  # and no TRUNCATE, which would commit
                if parts := self._write(table, Path(folder)):
                    self._copy_from(area, table, parts)
                self._read.execute(f"drop table {table}")
                self._grown.discard(table)

    @classmethod
    def staging_statements(cls, config: Config) -> list[str]:
        """Return the statements that fill staging from S3; who may read there is a role, so no secret is in them."""
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

    def _write(self, table: str, folder: Path) -> list[Path]:
        """Write a staging table to compressed files of even size, as many as a multiple of the cluster's slices."""
        [rows] = self._read.execute(f"select count(*) from {table}").fetchone() or [0]
        number = 1
        if rows >= _ROWS_WORTH_DIVIDING:
            slices = self._slices()
            number = slices * -(-rows // (slices * _ROWS_AN_OBJECT))
        parts = [folder / f"{table}.{part}.json.gz" for part in range(number if rows else 0)]
        for part, path in enumerate(parts):
            self._read.execute(
                f"copy (select {_COLUMNS.get(table, '*')} from {table} where rowid % {number} = {part})"
                f" to {literal(str(path))} (format json, compression gzip)"
            )
        return parts

    def _slices(self) -> int:
        if self._address.workgroup:
            return _SLICES_UNKNOWN
        return int(self.value("select count(*) from stv_slices")) or _SLICES_UNKNOWN

    def _copy_from(self, area: StagingArea, table: str, parts: Sequence[Path]) -> None:
        """Run the COPY of one staging table, and see to it that every row is loaded or refused by name."""
        [rows] = self._read.execute(f"select count(*) from {table}").fetchone() or [0]
        named = area.put(parts)
        self.execute(copy_statement(table, area.manifest(table, list(named)), area.region, self._config.iam_role_arn))
        refused = rows - int(self.value("select pg_last_copy_count()"))
        if refused:
            errors = self.rows(_LOAD_ERRORS)
            known = all(file in named for file, *_ in errors)
            if len(errors) != refused or table not in _KINDS or not known:
                told = "".join(f"\n  {file}:{line}: {column}: {said}" for file, line, column, said, _ in errors[:5])
                raise WarehouseError(
                    f"{self.label}: COPY refused {refused:,} of {rows:,} rows of {table}. See sys_load_error_detail;"
                    f" nothing of this batch is published.{told}"
                )
            passed: set[tuple[int, bytes]] = set()  # records that are quarantined already
            for file, line, column, said, length in errors:
                row = _row(named[file], line)
                self._quarantine(CONTRACTS[_KINDS[table]], row, column, _reason(said, length), passed)

    def _quarantine(
        self, rules: Contract, row: dict[str, Any], column: str, said: str, passed: set[tuple[int, bytes]]
    ) -> None:
        """Move a row that the reader accepted and COPY refused to the rejected records, as it stands in its file."""
        found = self._read.execute(
            "select path, version, size from staging_files where file_id = ?", [row["file_id"]]
        ).fetchone()
        assert found  # every row came from a file of the batch
        piece = locate(SourceFile(rules.kind, *found), rules, row, self._config, passed)
        if piece:
            passed.add((piece.line, piece.text))
        field = next((field.name for field in rules.fields if field.name.lower() == column.lower()), column)
        record = piece.text.decode(errors="backslashreplace") if piece else json.dumps(row)
        self._read.execute(
            "insert into staging_rejects values (?, ?, ?, ?)",
            [row["file_id"], piece.line if piece else None, f"{field}: {said}"[:200], record],
        )

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
            for table in tables.ALL:
                if table != tables.RUNS:  # their history goes on
                    self.execute(f"delete from {table}")
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
                raise kind(f"{self.label}: {_plain(reason)}. {_UNREACHED}") from error
            state, said = fields.get("C", ""), fields.get("M", "")
            self._is_lost |= state in _ENDING
            can_pass = state in _PASSING or said.startswith(_CONFLICT)
            told = f"{said} ({state})." + (" Check [CLUSTER] DB_USER and DB_PASSWORD." if state in _NO_LOGIN else "")
            if can_pass and not self._is_rebuilding:
                raise Transient(f"{self.label}: {told}") from error
            raise self._refused(state, told) from error


def _plain(error: BaseException) -> str:
    """Return what an error of the network says, without the driver's guesses."""
    said = getattr(error, "strerror", None) or str(error)
    return "the connection was lost" if "server socket closed" in said else said.rstrip(".")


_KINDS: dict[str, Kind] = {rules.table: kind for kind, rules in CONTRACTS.items()}
_COLUMNS = {
    "staging_events": "*, cast(length as varchar) as length_text",
    "staging_rejects": (
        f"* replace (case when strlen(record) > {4 * _LONGEST_RECORD} then left(record, {_LONGEST_RECORD})"
        " || ' … (' || strlen(record) || ' bytes in all)' else record end as record)"
    ),
}


def _reason(said: str, length: str | None) -> str:
    """Say what COPY says as the reader would have said it ("Load error reference", the guide)."""
    if "exceeds DDL length" in said:
        return f"longer than {length} bytes"
    if "Invalid digit" in said:
        return "not a whole number"
    if "Overflow" in said:
        return "out of range"
    return said


def _row(path: Path, line: int) -> dict[str, Any]:
    """Return a row of a staged file."""
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        row: dict[str, Any] = json.loads(next(islice(rows, line - 1, None)))
        return row
