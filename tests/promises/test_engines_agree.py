"""Promise 1: the same files give the same warehouse on every engine, from disk and from S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from tests.promises.deliveries import Track, play, song, write
from tests.support.postgres import Server
from tests.support.realdata import catalogue_records
from tests.support.redshift import Standin
from tests.support.s3 import S3
from tests.support.sandbox import Row, Sandbox

from sparkify.cli.main import main
from sparkify.errors import WarehouseError
from sparkify.sample_data.generate import generate

ROLE = "arn:aws:iam::123456789012:role/dwhRole"
ByEngine = dict[str, Sandbox]


@pytest.fixture
def warehouses(request: pytest.FixtureRequest, postgres: Server, s3: S3, tmp_path: Path) -> Iterator[ByEngine]:
    """Create an empty warehouse on each engine; without CI, on DuckDB and PostgreSQL only."""
    s3.add_bucket("stage")
    with ExitStack() as created:
        urls = {
            "duckdb": f"duckdb:///{tmp_path / 'duckdb' / 'sparkify.duckdb'}",
            "postgresql": created.enter_context(postgres.database()),
        }
        if os.environ.get("CI"):
            redshift: Standin = request.getfixturevalue("redshift")
            urls["redshift"] = created.enter_context(redshift.database())
        warehouses = {name: Sandbox(url, tmp_path / name) for name, url in urls.items()}
        if "redshift" in warehouses:
            warehouses["redshift"].environ = {"SPARKIFY_S3_STAGE": "s3://stage", "SPARKIFY_IAM_ROLE_ARN": ROLE}
        yield warehouses


def compare(warehouses: ByEngine, log_data: Path | str, song_data: Path | str) -> dict[str, list[Row]]:
    """Load the same files on each engine and compare every table; return the tables."""
    found = {}
    for name, warehouse in warehouses.items():
        warehouse.etl(log_data, song_data)
        found[name] = warehouse.contents()
        assert warehouse.failed_checks() == []
    for name, tables in found.items():
        for table, rows in found["duckdb"].items():
            if table == "rejected_records":
                rows = [(*row[:-1], warehouses[name].quarantined(row[-1])) for row in rows]  # noqa: PLW2901
            assert tables[table] == rows, (name, table)
    return found["duckdb"]


@pytest.mark.ci
@pytest.mark.parametrize("place", ["disk", "s3"])
def test_real_data_with_the_whole_catalogue(
    warehouses: ByEngine, real: Path, tmp_path: Path, s3: S3, place: str
) -> None:
    """The public sample with its 14,896 songs gives the same warehouse on each engine, from disk and from S3."""
    songs = tmp_path / "song_data"
    songs.mkdir()
    for name, content in catalogue_records(real):
        (songs / name).write_bytes(content)
    log_data, song_data = str(real / "log_data"), str(songs)
    if place == "s3":
        s3.add_folder("s3://source/logs", real / "log_data")
        s3.add_folder("s3://source/songs", songs)
        log_data, song_data = "s3://source/logs", "s3://source/songs"
    tables = compare(warehouses, log_data, song_data)
    assert {
        table: len(tables[table]) for table in ("songplays", "page_views", "users", "songs", "artists", "time")
    } == {
        "songplays": 6820,
        "page_views": 1236,
        "users": 97,
        "songs": 14896,
        "artists": 9553,
        "time": 8023,
    }
    columns = ("song_id", "artist_id")
    assert [sum(row[4 + place] is not None for row in tables["songplays"]) for place, _ in enumerate(columns)] == [
        327,
        4451,
    ]


def test_dirty_data(warehouses: ByEngine, tmp_path: Path) -> None:
    """Every kind of dirty data gives the same star schema and the same rejected records on each engine."""
    made = generate(tmp_path / "data", users=40, days=8, songs=60, seed=7, dirty=0.2)
    tables = compare(warehouses, str(made.log_data), str(made.song_data))
    assert len(tables["rejected_records"]) > 50


SETTINGS = {
    "PGCLIENTENCODING": ["LATIN1", "SQL_ASCII"],
    "PGOPTIONS": ["-c extra_float_digits=0", "-c extra_float_digits=-15", "-c datestyle=German"],
}


@pytest.mark.parametrize(
    ("variable", "value"), [(variable, value) for variable, values in SETTINGS.items() for value in values]
)
def test_settings_of_a_client_of_postgresql_change_nothing(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Text, keys and exported times do not depend on the client settings of PostgreSQL."""
    track: Track = {"song": "Jóga", "artist": "Björk", "length": 0.3}
    logs, songs = tmp_path / "logs", tmp_path / "songs"
    write(songs / "1.json", song("SO1", track, "AR1"))
    write(logs / "1.json", play(1, **track), play(2, **{**track, "length": 0.30000000000000004}))
    monkeypatch.setenv(variable, value)
    tables, files = [], []
    with postgres.database() as url:
        for name, where in (("duckdb", f"duckdb:///{tmp_path / 'duckdb' / 'sparkify.duckdb'}"), ("postgresql", url)):
            warehouse = Sandbox(where, tmp_path / name)
            warehouse.etl(logs, songs)
            assert warehouse.failed_checks() == []
            tables.append(warehouse.contents())
            out = tmp_path / f"{name}.files"
            command = ["export", "--warehouse", where, "--table", "songplays", "--table", "artists", "--out", str(out)]
            assert main([*command, "--format", "csv"]) == 0
            files.append([path.read_text() for path in sorted(out.iterdir())])
    assert (tables[0], files[0]) == (tables[1], files[1])


def test_database_that_cannot_hold_all_text_is_refused(postgres: Server, tmp_path: Path) -> None:
    """A database in another encoding than UTF-8 is refused before anything is created."""
    with postgres.database() as url:
        name = f"{url.rpartition('/')[2]}_latin1"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"create database {name} template template0 encoding 'LATIN1' locale 'C'".encode())
        latin1 = Sandbox(f"{url.rpartition('/')[0]}/{name}", tmp_path)
        with pytest.raises(
            WarehouseError, match=r"encoding of this database is LATIN1.*createdb --template template0 --encoding UTF8"
        ):
            latin1.etl()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"drop database {name}".encode())
