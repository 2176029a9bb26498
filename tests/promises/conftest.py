"""Fixtures of the tests that kill, interrupt and fail runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.promises import deliveries
from tests.support.killing import Contents, SideBySide, contents
from tests.support.sandbox import Sandbox, Warehouses


def load_first(warehouse: Sandbox) -> None:
    """Load the first delivery."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the temporary files of killed runs in the folder of the test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def loaded(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that holds the first delivery."""
    return make_warehouse.filled(load_first)


@pytest.fixture
def waiting(loaded: Sandbox) -> Sandbox:
    """Return a warehouse that holds the first delivery, with the second one in its folders."""
    deliveries.second(loaded.log_data, loaded.song_data)
    return loaded


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Return the contents of a warehouse that loaded both deliveries, one after the other."""
    folder = tmp_path_factory.mktemp("undisturbed")
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder)
    load_first(warehouse)
    deliveries.second(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    return contents(warehouse)


@pytest.fixture
def side_by_side(waiting: Sandbox, make_warehouse: Warehouses) -> SideBySide:
    """Return a function that runs another on many copies of `waiting` at a time."""

    def run(work: Callable[[Sandbox, Any], Any], cases: Sequence[Any]) -> list[tuple[Sandbox, Any]]:
        copies = [make_warehouse(waiting) for _ in cases]
        with ThreadPoolExecutor(4) as pool:
            return list(zip(copies, pool.map(work, copies, cases), strict=True))

    return run
