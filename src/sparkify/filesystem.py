"""Scratch folders, and files that appear only when they are complete."""

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from sparkify.errors import ConfigError, SourceError, SourceUnreachable, WarehouseError

_RUN = "sparkify-run-"
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def raise_if_limited(where: object, error: OSError) -> None:
    """Raise SourceUnreachable if an error is due to a limit of this machine, and not to the file that was opened."""
    if error.errno in _LIMITS:
        raise SourceUnreachable(
            f"{where}: this machine has reached a limit ({error.strerror})."
            " Close other programs, or raise the limit with `ulimit`, then run again."
        ) from error


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Yield a temporary folder, and delete those left behind by killed processes.

    The lock on a file beside the folder marks it as used. A PID would not: other containers can share TMPDIR.

    Raise ConfigError if the system has no writable temporary folder, and SourceError if nothing can be created in it.
    """
    try:
        parent = Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise ConfigError("TMPDIR: there is no writable temporary folder. Set TMPDIR to a folder on disk.") from None
    with ExitStack() as cleanup:
        try:
            _remove_abandoned(parent, _RUN)
            folder = _folder_of(cleanup.enter_context(_locked_file(parent, _RUN)))
            folder.mkdir(0o700)
        except OSError as error:
            raise_unwritable(parent, error)
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        yield str(folder)


def raise_unwritable(folder: object, error: OSError) -> NoReturn:
    """Raise SourceError for an error of a temporary folder."""
    raise_if_limited(folder, error)
    raise SourceError(
        f"{folder}: temporary files cannot be written ({error.strerror})."
        " Free some space there, or set TMPDIR to a folder with more."
    ) from error


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary file in the same folder; on success, rename it to `path`.

    Raise WarehouseError if `path` is a folder or a device, or cannot be written.
    """
    with ExitStack() as cleanup:
        try:
            if path.exists() and not path.is_file():
                raise WarehouseError(f"{path}: this is a folder or device, not a file. Name another file with --out.")
            prefix = f".{path.name}.sparkify-"
            _remove_abandoned(path.parent, prefix)
            temporary = cleanup.enter_context(_locked_file(path.parent, prefix))
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            with temporary.open("rb") as written:
                os.fsync(written.fileno())  # or a power cut could leave an empty file of this name
            temporary.replace(path)
        except OSError as error:
            raise WarehouseError(
                f"{path}: the file cannot be written ({error.strerror}). Name another file with --out."
            ) from error


@contextmanager
def _locked_file(folder: Path, prefix: str) -> Iterator[Path]:
    """Yield a new file with a random name, which no link can anticipate; hold a lock on it, and delete it in the end.

    The system releases the lock when the process ends, so that `_remove_abandoned` knows the files of killed ones.
    """
    while True:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=prefix, delete=False) as file:
            path = Path(file.name)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink:  # otherwise, another process deleted it before it was locked
                    yield path
                    return
            finally:
                path.unlink(missing_ok=True)


def _folder_of(lock: Path) -> Path:
    """Return the scratch folder that a locked file marks as used."""
    return lock.with_name(f"{lock.name}.files")


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Delete the files of killed processes of this user, which nobody holds a lock on, and the folders beside them."""
    for path in folder.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError):  # such as a link, a folder, or a file in use
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_uid == os.geteuid():
                    shutil.rmtree(_folder_of(path), ignore_errors=True)
                    path.unlink()


def _umask() -> int:
    """Return the umask, which can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
