"""A DuckDB warehouse is one file, and only that file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from tests.promises.records import event
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.errors import ConfigError, WarehouseError
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_tables


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("how", ["full refresh", "create-tables"])
def test_kept_staging_is_dropped_with_the_tables(warehouse: Sandbox, how: str) -> None:
    """Staging tables that were kept are dropped by a full refresh and by create-tables."""
    (warehouse.log_data / "a.json").write_text(event())
    warehouse.etl(keep_staging=True)
    assert warehouse.query("select userId from staging_events") == [("7",)]
    if how == "full refresh":
        warehouse.etl(full_refresh=True)
    else:
        with open_warehouse(warehouse.url) as engine:
            create_tables(engine)
    assert warehouse.query("select table_name from duckdb_tables() where table_name like 'staging%'") == []


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("name", ["sparkify.duckdb.rebuild", "sparkify.duckdb.sparkify-rebuild"])
def test_other_file_beside_the_warehouse_stays(warehouse: Sandbox, name: str) -> None:
    """A file beside the warehouse that is not a database is not taken for the remains of a rebuild."""
    (beside := warehouse.log_data.parent / name).write_text("mine, and longer than a header")
    (warehouse.log_data / "a.json").write_text(event())
    warehouse.etl()
    with suppress(WarehouseError):
        warehouse.etl(full_refresh=True)
    assert beside.read_text().startswith("mine")


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_file_can_be_opened_by_duckdb_1_4(make_warehouse: Warehouses) -> None:
    """Runs, full refreshes and later runs write the storage format of DuckDB 1.4 LTS."""
    warehouse = make_warehouse.absent()
    for name, is_rebuilt in (("a", False), ("b", True), ("c", False)):
        (warehouse.log_data / f"{name}.json").write_text(event())
        warehouse.etl(full_refresh=is_rebuilt)
        # The version of the format (duckdb/src/storage/version_map.json): 1.4 reads 64 to 67.
        assert 64 <= int.from_bytes(Path(warehouse.url[10:]).read_bytes()[12:20], "little") <= 67


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"text", "is not a DuckDB database"),
        (b"SQLite format 3\0", "is not a DuckDB database"),
        (b"", "DuckDB cannot read it"),
    ],
)
def test_file_that_is_not_a_database_is_reported(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file that is not a database is reported as such, not as locked, and stays unchanged."""
    path = tmp_path / "block.duckdb"
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match=reason):
        open_warehouse(f"duckdb:///{path}")
    assert path.read_bytes() == content


def test_warehouse_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means memory or a server to DuckDB is the name of a file, and an impossible name is an error."""
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "md:x"):
        with open_warehouse(f"duckdb:///{name}") as engine:
            engine.execute("create table numbers (a integer)")
        assert (tmp_path / name).is_file()
    with pytest.raises(ConfigError, match="with \\? in its path"):
        open_warehouse("duckdb:///a?b=c")


@pytest.mark.parametrize("name", ["x" * 300, ""])
def test_path_that_cannot_be_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    """A path that is too long, or a folder, is an error."""
    with pytest.raises(WarehouseError):
        open_warehouse(f"duckdb:///{tmp_path / name}")


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_row_groups_do_not_pile_up(warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small loads leave small row groups, which every few loads are merged."""
    monkeypatch.setattr("sparkify.warehouse.duckdb._MERGE_EVERY", 5)
    found: list[int] = []
    for night in range(10):
        (warehouse.log_data / f"{night}.json").write_text(event(itemInSession=night))
        warehouse.etl()
        [groups] = warehouse.query("select count(distinct row_group_id) from pragma_storage_info('page_views')")
        found += groups
    assert found[3] > 1
    assert found[4] == found[9] == 1
    assert warehouse.query("select count(*) from page_views") == [(10,)]


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_too_little_memory_names_the_setting(warehouse: Sandbox) -> None:
    """A load that needs more memory than DuckDB may use fails, and names the setting to raise."""
    lines = "".join(event(itemInSession=item, location="x" * 400 + str(item)) for item in range(20_000))
    (warehouse.log_data / "a.json").write_text(lines)
    warehouse.environ = {"SPARKIFY_WAREHOUSE_MEMORY": "10MB"}
    with pytest.raises(WarehouseError, match=r"Raise \[WAREHOUSE\] MEMORY, or lower --batch-size\.$"):
        warehouse.etl()
