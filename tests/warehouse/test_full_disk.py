"""A disk without space is reported with the file and the remedy."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.support.sandbox import Sandbox

from sparkify.errors import WarehouseError

_LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 500 kB, as only root can."""
    (disk := tmp_path / "disk").mkdir()
    if _LIBC.mount(b"tmpfs", bytes(disk), b"tmpfs", 0, b"size=500k"):
        pytest.skip(f"a small disk cannot be mounted: {os.strerror(ctypes.get_errno())}")
    yield disk
    _LIBC.umount2(bytes(disk), 2)


@pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)
def test_pieces_that_do_not_fit_are_reported_with_a_remedy(
    warehouse: Sandbox, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose pieces fill the disk of TMPDIR says which file, and what to do; it leaves nothing there."""
    deliveries.write(warehouse.log_data / "a.json", *(deliveries.play(number) for number in range(20_000)))
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    with pytest.raises(WarehouseError, match=r"no space is left on its disk\. .*TMPDIR"):
        warehouse.etl()
    assert list(small_disk.iterdir()) == []
