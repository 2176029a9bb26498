"""On Redshift, UNLOAD's files are fetched completely or not at all, and then deleted from the staging area."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.support.redshift import Standin
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox

from sparkify.errors import WarehouseError
from sparkify.sql import model
from sparkify.warehouse import export

on_redshift = pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)


def _exported(warehouse: Sandbox, folder: Path, *names: str) -> dict[str, Path]:
    with warehouse.reading() as engine:
        return export.export_tables(engine, folder, "parquet", names or model.ALL)


def _area(stage: S3) -> list[str]:
    """Return the keys in the staging area."""
    keys = stage.buckets["stage"].keys()
    return [key for key in keys if key.startswith("area/")]


@on_redshift
def test_export_leaves_nothing_in_the_area(delivered: Sandbox, stage: S3, tmp_path: Path) -> None:
    """After an export the staging area is empty."""
    delivered.etl()
    _exported(delivered, tmp_path / "out")
    assert _area(stage) == []


@on_redshift
def test_unload_that_fails_leaves_no_file_here_or_there(
    delivered: Sandbox, redshift: Standin, stage: S3, tmp_path: Path
) -> None:
    """An UNLOAD that fails at the start or midway is an error, and leaves no file anywhere."""
    delivered.etl()
    redshift.faults.fail("unload", "permission denied for relation users", "42501")
    with pytest.raises(WarehouseError, match="permission denied"):
        _exported(delivered, tmp_path, "users")

    def refuse_the_next() -> None:
        stage.refuse("PutObject", status=403, code="AccessDenied", times=1)

    stage.when("PutObject", None, refuse_the_next)
    with pytest.raises(WarehouseError, match="AccessDenied"):
        _exported(delivered, tmp_path, "users")
    assert _area(stage) == []
    assert list(tmp_path.glob("**/users*")) == []


@on_redshift
def test_file_that_is_missing_in_the_area_fails_the_export(delivered: Sandbox, stage: S3, tmp_path: Path) -> None:
    """An export that finds fewer rows than UNLOAD reported fails, and writes no file."""
    delivered.etl()

    def lose() -> None:
        stage.remove(f"s3://stage/{_area(stage)[0]}")

    stage.when("PutObject", None, lambda: stage.when("ListObjectsV2", None, lose))  # after the write, before the read
    with pytest.raises(WarehouseError, match=r"UNLOAD wrote 3 rows of users, but s3://stage/area/\S+ contains \d"):
        _exported(delivered, tmp_path, "users")
    assert list(tmp_path.glob("**/users*")) == []


@on_redshift
def test_files_of_a_killed_export_are_deleted_after_half_a_day(delivered: Sandbox, stage: S3, tmp_path: Path) -> None:
    """An export deletes files that a killed export left half a day ago, and no younger ones."""
    delivered.etl()
    begin = len(stage.asked("PutObject"))
    _exported(delivered, tmp_path / "one", "users")
    warehouse_id = stage.asked("PutObject")[begin].split("/_sparkify-")[1].partition("/")[0]
    old, young = (
        f"area/_sparkify-{warehouse_id}/{int(time.time()) - age}-0123/left.parquet" for age in (43_300, 43_000)
    )
    for key in (old, young):
        stage.put(f"s3://stage/{key}", b"left")
    _exported(delivered, tmp_path / "two", "users")
    remaining = set(stage.buckets["stage"].keys())
    assert (old in remaining, young in remaining) == (False, True)
    stage.remove(f"s3://stage/{young}")


@on_redshift
def test_stage_may_hold_quotes_and_backslashes(delivered: Sandbox, tmp_path: Path) -> None:
    """[S3] STAGE may hold any character."""
    delivered.environ = {**delivered.environ, "SPARKIFY_S3_STAGE": "s3://stage/it's\\area"}
    delivered.etl()
    assert _exported(delivered, tmp_path, "users")["users"].exists()
