"""One warehouse, whatever it stands on: row for row, keys included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Row, Warehouse
from tests.postgres import Server
from tests.realdata import catalogue_records

from sparkify.generate import generate


@pytest.fixture
def both(postgres: Server, tmp_path: Path) -> Iterator[tuple[Warehouse, Warehouse]]:
    """Make an empty warehouse on each engine."""
    with postgres.database() as url:
        file = tmp_path / "duckdb" / "sparkify.duckdb"
        yield Warehouse(f"duckdb:///{file}", tmp_path / "duckdb"), Warehouse(url, tmp_path / "postgresql")


def compare(both: tuple[Warehouse, Warehouse], log_data: Path, song_data: Path) -> dict[str, list[Row]]:
    """Load the same files on each engine and compare every table; return the tables."""
    embedded: dict[str, list[Row]] = {}
    server: dict[str, list[Row]] = {}
    for warehouse, found in zip(both, (embedded, server), strict=True):
        warehouse.etl(log_data, song_data)
        found.update(warehouse.contents())
        assert warehouse.failed_checks() == []
    for table, rows in embedded.items():
        assert rows == server[table], table
    return embedded


def test_real_data_with_the_whole_catalogue(both: tuple[Warehouse, Warehouse], real: Path, tmp_path: Path) -> None:
    """The public sample with all of its 14,896 songs is the same warehouse on each engine."""
    songs = tmp_path / "song_data"
    songs.mkdir()
    for name, content in catalogue_records(real):
        (songs / name).write_bytes(content)
    tables = compare(both, real / "log_data", songs)
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


def test_dirty_data(both: tuple[Warehouse, Warehouse], tmp_path: Path) -> None:
    """Every kind of dirt gives the same star and the same rejected records, text included, on each engine."""
    made = generate(tmp_path / "data", users=40, days=8, songs=60, seed=7, dirty=0.2)
    tables = compare(both, made.log_data, made.song_data)
    assert len(tables["rejected_records"]) > 50
