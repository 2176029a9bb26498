"""Temporary folders, and files that appear only when they are complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sparkify.errors import WarehouseError


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Give a temporary folder, and remove those that killed runs have left: their names tell whose they were."""
    for left in Path(tempfile.gettempdir()).glob("sparkify-run-*-*"):
        number = left.name.split("-")[2]
        if number.isdecimal() and not _is_running(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"sparkify-run-{os.getpid()}-") as folder:
        yield folder


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Give a name beside a file to write to; when that has gone well, it takes the file's place in one moment.

    Raise WarehouseError for a place that cannot be written to, such as a folder or a device.
    """
    beside = path.parent / f".{path.name}.{os.getpid()}"
    try:
        if path.exists() and not path.is_file():
            raise WarehouseError(f"{path}: is a folder or device, not a file. Name another place with --out.")
        yield beside
        beside.replace(path)
    except OSError as error:
        raise WarehouseError(f"{path}: cannot be written ({error.strerror}). Name another place with --out.") from error
    finally:
        with suppress(OSError):  # a name that is too long cannot be looked for either
            beside.unlink(missing_ok=True)
