"""Scratch folders, and files that appear only when they are complete."""

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
    """Yield a temporary folder; delete those left behind by killed processes, whose PIDs are in the names."""
    for folder in Path(tempfile.gettempdir()).glob("sparkify-run-*-*"):
        pid = folder.name.split("-")[2]
        if pid.isdecimal() and not _is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"sparkify-run-{os.getpid()}-") as name:
        yield name


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success, rename the file written there to `path`.

    Raise WarehouseError if `path` is a folder or a device, or cannot be written.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        if path.exists() and not path.is_file():
            raise WarehouseError(f"{path}: this is a folder or device, not a file. Name another file with --out.")
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise WarehouseError(
            f"{path}: the file cannot be written ({error.strerror}). Name another file with --out."
        ) from error
    finally:
        with suppress(OSError):  # A name that is too long raises here again.
            temporary.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # The process belongs to another user.
        return True
    return True
