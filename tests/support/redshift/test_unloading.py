"""UNLOAD to S3: statements, files and values.

The pages that the rules come from are named beside the rules, in unloading.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.support.redshift.conftest import Bucket, Client

ROLE = "iam_role 'arn:aws:iam::123456789012:role/unloader'"
PARQUET = f"{ROLE} format as parquet"


@pytest.fixture
def plays(client: Client) -> Client:
    """Open a session on a database with a table of three plays."""
    client.run("create table plays (id integer, song varchar(16))")
    client.run("insert into plays values (1, 'a'), (2, 'b'), (3, null)")
    return client


def _columns(bucket: Bucket, key: str, folder: Path) -> list[tuple[str, str]]:
    """Return the columns of a Parquet file, with their types."""
    return [(name, kind) for name, kind, *_ in _asked(bucket, key, folder, "describe from")]


def _rows(bucket: Bucket, key: str, folder: Path) -> list[tuple[Any, ...]]:
    """Return the rows of a Parquet file."""
    return _asked(bucket, key, folder, "from")


def _asked(bucket: Bucket, key: str, folder: Path, what: str) -> list[tuple[Any, ...]]:
    path = folder / "fetched.parquet"
    path.write_bytes(bucket.get(key))
    with duckdb.connect() as reader:
        return reader.execute(f"{what} read_parquet(?)", [str(path)]).fetchall()


# The statement


@pytest.mark.parametrize(
    "options",
    [
        f"{ROLE} parquet",
        f"{ROLE} format parquet",
        PARQUET,
        "iam_role default format parquet",
        "credentials 'aws_iam_role=arn:aws:iam::123456789012:role/unloader' parquet",
        "access_key_id 'a' secret_access_key 'b' session_token 'c' parquet",
        f"{PARQUET} region 'us-west-2' parallel on maxfilesize 6.2 gb rowgroupsize as 128 mb allowoverwrite",
        f"{PARQUET} region as 'us-west-2' parallel true maxfilesize as 5 cleanpath",
    ],
)
def test_documented_options_are_accepted(plays: Client, bucket: Bucket, options: str) -> None:
    """Documented options are accepted, with and without their optional words."""
    plays.run(f"unload ('select * from plays') to 's3://{bucket.name}/plays_' {options}")
    assert bucket.keys() == ["plays_0000_part_00.parquet", "plays_0001_part_00.parquet"]


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ("parquet", "XX000"),  # no authorization
        ("access_key_id 'a' parquet", "XX000"),
        (f"{ROLE} credentials 'a=b' parquet", "42601"),
        ("iam_role 'unloader' parquet", "22023"),
        (ROLE, "0A000"),  # text, which the stand-in does not write
        (f"{ROLE} csv", "0A000"),
        (f"{ROLE} format json", "0A000"),
        (f"{ROLE} format avro", "42601"),
        (f"{PARQUET} parquet", "42601"),
        (f"{PARQUET} header", "0A000"),
        (f"{PARQUET} gzip", "0A000"),
        (f"{PARQUET} null as 'x'", "0A000"),
        (f"{PARQUET} delimiter ','", "0A000"),
        (f"{PARQUET} manifest", "0A000"),
        (f"{PARQUET} partition by (id)", "0A000"),
        (f"{PARQUET} allowoverwrite cleanpath", "42601"),
        (f"{PARQUET} overwrite", "42601"),
        (f"{PARQUET} region 'somewhere'", "22023"),
        (f"{PARQUET} maxfilesize 4.9", "22023"),
        (f"{PARQUET} maxfilesize 6.3 gb", "22023"),
        (f"{PARQUET} rowgroupsize 31", "22023"),
        (f"{PARQUET} rowgroupsize 32.5", "22023"),
        (f"{PARQUET} compupdate off", "42601"),
    ],
)
def test_anything_else_is_refused(plays: Client, bucket: Bucket, options: str, state: str) -> None:
    """A lack of authorization, other options and values out of range are refused, and nothing is written."""
    assert plays.refusal(f"unload ('select * from plays') to 's3://{bucket.name}/' {options}")[0] == state
    assert bucket.keys() == []


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("delete from plays", "42601"),
        ("", "42601"),
        ("select * from plays limit 1", "0A000"),
        ("select * from plays; select 1", "42601"),
        ("select string_agg(song) from plays", "42883"),
        ("select * from nowhere", "42P01"),
        ("select id, song as id from plays", "42701"),
        ("select 1::time as t from plays", "42846"),
    ],
)
def test_query_follows_the_rules_of_any_query(plays: Client, bucket: Bucket, query: str, state: str) -> None:
    """The query follows the rules of any query, and has no LIMIT of its own."""
    assert plays.refusal(f"unload ('{query}') to 's3://{bucket.name}/' {PARQUET}")[0] == state
    assert bucket.keys() == []


def test_nested_limit_is_accepted(plays: Client, bucket: Bucket, tmp_path: Path) -> None:
    """A nested query may have a LIMIT, and WITH may precede the query."""
    query = "with few as (select id from plays order by id limit 1) select * from few"
    plays.run(f"unload ('{query}') to 's3://{bucket.name}/' {PARQUET}")
    assert _rows(bucket, "0000_part_00.parquet", tmp_path) == [(1,)]


@pytest.mark.parametrize("quote", ["''", "\\'"])
def test_quotes_in_the_query_are_doubled_or_escaped(plays: Client, bucket: Bucket, tmp_path: Path, quote: str) -> None:
    """Quotes in the query, which is a literal, are doubled or escaped."""
    plays.run(f"unload ('select id from plays where song = {quote}b{quote}') to 's3://{bucket.name}/' {PARQUET}")
    assert _rows(bucket, "0000_part_00.parquet", tmp_path) == [(2,)]


# The files


def test_every_slice_writes_a_file_of_its_own(plays: Client, bucket: Bucket, tmp_path: Path) -> None:
    """The rows are shared between two slices, whose files are numbered, each in the order of the query."""
    plays.run(f"unload ('select id from plays order by id desc') to 's3://{bucket.name}/a/b' {PARQUET}")
    assert bucket.keys("a/") == ["b0000_part_00.parquet", "b0001_part_00.parquet"]
    parts = [_rows(bucket, f"a/{key}", tmp_path) for key in bucket.keys("a/")]
    assert sorted(row for part in parts for row in part) == [(1,), (2,), (3,)]
    assert all(part == sorted(part, reverse=True) for part in parts)


def test_parallel_off_writes_one_file(plays: Client, bucket: Bucket, tmp_path: Path) -> None:
    """With PARALLEL OFF all rows are in one file, in the order of the query."""
    plays.run(f"unload ('select id from plays order by id desc') to 's3://{bucket.name}/' {PARQUET} parallel off")
    assert bucket.keys() == ["000.parquet"]
    assert _rows(bucket, "000.parquet", tmp_path) == [(3,), (2,), (1,)]


@pytest.mark.parametrize(("condition", "files"), [("id = 1", ["0000_part_00.parquet"]), ("false", [])])
def test_slice_without_rows_writes_no_file(plays: Client, bucket: Bucket, condition: str, files: list[str]) -> None:
    """A single row makes a single file, and no row makes none."""
    plays.run(f"unload ('select * from plays where {condition}') to 's3://{bucket.name}/' {PARQUET}")
    assert bucket.keys() == files


def test_destination_has_to_be_empty(plays: Client, bucket: Bucket) -> None:
    """An existing object whose key begins with the destination fails UNLOAD, and stays unchanged."""
    bucket.put("plays_old", "old")
    assert plays.refusal(f"unload ('select 1 as x') to 's3://{bucket.name}/plays' {PARQUET}")[0] == "XX000"
    assert bucket.keys() == ["plays_old"]
    plays.run(f"unload ('select 1 as x') to 's3://{bucket.name}/plays_new' {PARQUET}")


def test_allowoverwrite_replaces_and_cleanpath_deletes(plays: Client, bucket: Bucket) -> None:
    """ALLOWOVERWRITE replaces files of the same name, and CLEANPATH deletes all existing ones."""
    unload = f"unload ('select 1 as x') to 's3://{bucket.name}/plays_' {PARQUET}"
    for key in ("plays_0000_part_00.parquet", "plays_0001_part_00.parquet", "plays"):
        bucket.put(key, "old")
    plays.run(f"{unload} allowoverwrite")
    assert bucket.keys() == ["plays", "plays_0000_part_00.parquet", "plays_0001_part_00.parquet"]
    assert bucket.get("plays_0000_part_00.parquet") != b"old"
    assert bucket.get("plays_0001_part_00.parquet") == b"old"
    plays.run(f"{unload} cleanpath")
    assert bucket.keys() == ["plays", "plays_0000_part_00.parquet"]


def test_error_of_s3_is_reported(plays: Client, bucket: Bucket) -> None:
    """An error of S3 is that of the UNLOAD."""
    state, said = plays.refusal(f"unload ('select 1 as x') to 's3://{bucket.name}-not/' {PARQUET}")
    assert state == "XX000"
    assert "NoSuchBucket" in said
    assert plays.refusal(f"unload ('select 1 as x') to '{bucket.name}' {PARQUET}")[0] == "0A000"


# The values


def test_values_are_exact(client: Client, bucket: Bucket, tmp_path: Path) -> None:
    """A value of every type is exact, null is null, and an empty text is not null."""
    client.run(
        "create table held (b bigint, i integer, s smallint, d double precision, t varchar(64), y boolean,"
        " m timestamp, a date, n numeric(38, 2), r real)"
    )
    client.run(
        "insert into held values (9223372036854775807, -1, 2, 0.1::double precision + 0.2, ' a''\"\\\\n\n é🎵', true,"
        " '2018-11-01 20:57:10.796', '2018-11-01', 123456789012345678901234567890.12, 1.5)"
    )
    client.run("insert into held (t) values ('')")
    client.run(f"unload ('select * from held order by i nulls last') to 's3://{bucket.name}/' {PARQUET} parallel off")
    kinds = "bigint integer smallint double varchar boolean timestamp date decimal(38,2) float".upper().split()
    assert [kind for _, kind in _columns(bucket, "000.parquet", tmp_path)] == kinds
    full, empty = _rows(bucket, "000.parquet", tmp_path)
    assert full[:6] == (9223372036854775807, -1, 2, 0.1 + 0.2, " a'\"\\n\n é🎵", True)
    assert full[6:8] == (datetime(2018, 11, 1, 20, 57, 10, 796000), date(2018, 11, 1))  # noqa: DTZ001 (has no zone)
    assert (str(full[8]), full[9]) == ("123456789012345678901234567890.12", 1.5)
    assert empty == (None, None, None, None, "", None, None, None, None, None)


@pytest.mark.parametrize("query", ["select sum(b) as x from held", "select z from held"])
def test_type_that_the_standin_does_not_write_is_refused(client: Client, bucket: Bucket, query: str) -> None:
    """A computed NUMERIC of unknown width and a time with a zone are refused."""
    client.run("create table held (b bigint, z timestamptz)")
    state, said = client.refusal(f"unload ('{query}') to 's3://{bucket.name}/' {PARQUET}")
    assert state == "0A000"
    assert said.startswith("the stand-in")


# The session


def test_unload_sees_its_transaction_and_outlives_it(
    plays: Client, connect: Callable[[], Client], bucket: Bucket, tmp_path: Path
) -> None:
    """UNLOAD sees its own transaction and no later commits, and its files survive a rollback."""
    plays.run("begin")
    plays.run("insert into plays values (4, 'd')")
    connect().run("insert into plays values (5, 'e')")
    plays.run(f"unload ('select id from plays order by id') to 's3://{bucket.name}/' {PARQUET} parallel off")
    plays.run("rollback")
    assert _rows(bucket, "000.parquet", tmp_path) == [(1,), (2,), (3,), (4,)]


def test_refused_unload_fails_its_transaction(plays: Client, bucket: Bucket) -> None:
    """After a refusal, a transaction accepts only its end."""
    plays.run("begin")
    plays.refusal(f"unload ('select * from nowhere') to 's3://{bucket.name}/' {PARQUET}")
    assert plays.refusal(f"unload ('select 1 as x') to 's3://{bucket.name}/' {PARQUET}")[0] == "25P02"
    plays.run("rollback")
    assert bucket.keys() == []


def test_unload_leaves_the_session_s_digits(client: Client, bucket: Bucket) -> None:
    """Doubles are unloaded exactly, and the session's setting for text stays unchanged."""
    client.run("set extra_float_digits to 1")
    client.run(f"unload ('select 1 as x') to 's3://{bucket.name}/a' {PARQUET}")
    client.refusal(f"unload ('select * from nowhere') to 's3://{bucket.name}/b' {PARQUET}")
    assert client.value("show extra_float_digits") == "1"


def test_session_knows_its_last_unload(plays: Client, bucket: Bucket) -> None:
    """A session knows the query and the rows of its last UNLOAD: -1 and 0 before, and 0 after a failure."""
    told = "select pg_last_unload_id(), pg_last_unload_count()"
    unload = f"unload ('select * from plays') to 's3://{bucket.name}/' {PARQUET}"
    assert plays.run(told) == [(-1, 0)]
    plays.run(unload)
    [(number, rows)] = plays.run(told)
    assert rows == 3
    plays.refusal(f"{unload} compupdate off")
    assert plays.run(told) == [(number, 3)]
    plays.refusal(unload)
    assert plays.value("select pg_last_unload_count()") == 0
