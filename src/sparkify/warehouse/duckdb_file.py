"""The file of a DuckDB warehouse: its name and log, the wait for other processes, and damage.

No code opens this file but DuckDB, since closing it would drop the lock that DuckDB holds on it in this process
("fcntl_locking(2)", the Linux manual). Only a file that DuckDB has refused is read.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from sparkify.errors import ConfigError, Damaged, WarehouseError
from sparkify.warehouse.base import Say
from sparkify.warehouse.embedded import interruptible, translate_errors

Settings = dict[str, str | bool | int | float | list[str]]

_LOCKED = "IO Error: Could not set lock on file"
_HOLDER = re.compile(r"held in (.+?) \(PID (\d+)\)")
_DAMAGED = re.compile(
    r"Corrupt (database|WAL) file|Failure while replaying WAL|This WAL was|Could not read enough bytes"
    r"|is not a valid DuckDB database file"
)
_OTHERS_LOG = "WAL does not match database file"
_READERS_WAIT = 5  # seconds, at most
_SAY_AFTER = 1  # seconds; a page of the dashboard takes less


def named(url: str) -> Path:
    """Return the path that a URL names; raise ConfigError or WarehouseError if it cannot be that of a file."""
    prefix = "duckdb:///"
    if not url.startswith(prefix) or len(url) == len(prefix):
        raise ConfigError(
            "[WAREHOUSE] URL or --warehouse: not a valid DuckDB URL. Write duckdb:///relative.duckdb or"
            " duckdb:////absolute.duckdb."
        )
    if "?" in url:
        raise ConfigError("[WAREHOUSE] URL or --warehouse: DuckDB cannot open a file with ? in its path. Rename it.")
    path = Path(url[len(prefix) :])
    try:
        path = path.expanduser()
        path.exists()
        path.resolve()
    except PermissionError as error:
        problem = f"the file cannot be reached ({error.strerror})"
        raise WarehouseError(
            f"{path}: {problem}. Fix the permissions of its folders, or set [WAREHOUSE] URL."
        ) from error
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle, ~ of nobody
        raise WarehouseError(f"[WAREHOUSE] URL or --warehouse: the path is not valid ({error}). Correct it.") from error
    if path.is_dir():
        raise WarehouseError(f"{path}: this is a folder. Name a file in it with [WAREHOUSE] URL or --warehouse.")
    return path


def behind(path: Path) -> Path:
    """Return the file to which a path leads, through links or not.

    Raise WarehouseError if there may be committed data in a log that DuckDB would not read: it looks for the log by
    the file's own name.
    """
    file = path.resolve()
    own, other = log_of(file), log_of(path.parent.resolve() / path.name)
    if not file.exists() and own.exists():
        raise WarehouseError(
            f"{own}: this log holds data of {file.name}, which is missing. Move that file back; or delete the log, if"
            " the file is gone for good."
        )
    if other != own and other.exists():
        raise WarehouseError(
            f"{other}: this log was written through a link to {file}. Rename it to {own.name} beside that file if there"
            " is none; otherwise, delete it and run `sparkify etl --full-refresh`."
        )
    if file.exists() and (names := file.stat().st_nlink) > 1:
        raise WarehouseError(
            f"{path}: this file has {names} names (hard links), and data written under one can be missing under"
            " another. Delete the other names, or copy the file."
        )
    return file


def log_of(file: Path) -> Path:
    """Return the path of the write-ahead log of a file."""
    return file.with_name(f"{file.name}.wal")


def connect(
    path: Path, file: Path, settings: Settings, *, read_only: bool, wait: float, say: Say
) -> duckdb.DuckDBPyConnection:
    """Open a file, which messages call `path`; wait while other processes have it open.

    New readers let a waiting run go first, since readers that follow each other could keep it out for good.
    """
    started, has_said = time.monotonic(), False
    limit = min(wait, _READERS_WAIT) if read_only else wait
    mark = file.with_name(f"{file.name}.sparkify-waits")
    with ExitStack() as until_open, translate_damage(path, file):
        is_first = False
        while True:
            try:
                if not (read_only and _is_locked(mark)):
                    connection = duckdb.connect(file, read_only=read_only, config=settings)
                    if mark.exists() and not (read_only or is_first):  # a killed run left it behind
                        _lock(mark, until_open)
                    return interruptible(connection)
                holder = "a run that waits for it"
            except duckdb.Error as error:
                holder = _holder(path, file, error)
            waited = time.monotonic() - started
            if waited >= limit:
                raise WarehouseError(f"{path}: another process is using it: {holder}. Wait until it ends.")
            if waited >= _SAY_AFTER and not (has_said or read_only):
                has_said = True
                say(f"{path}: waiting up to {limit:g} s for another process that is using it: {holder}.")
            if not (is_first or read_only):
                is_first = _lock(mark, until_open)
            time.sleep(0.05)


def _holder(path: Path, file: Path, error: duckdb.Error) -> str:
    """Return the process that has the file open; raise WarehouseError if that is not why DuckDB refuses the file."""
    message = str(error)
    if message.startswith(_LOCKED):
        holder = _HOLDER.search(message)
        return f"{Path(holder[1]).name}, PID {holder[2]}" if holder else "of another machine or container"
    if not isinstance(error, duckdb.IOException):  # for example, this process has the file open in another way
        raise error
    if is_other_file(file):
        raise WarehouseError(f"{path}: this file is not a DuckDB database. Name another with [WAREHOUSE] URL.")
    if _DAMAGED.search(message):
        raise error
    reason = message.removeprefix("IO Error: ").rstrip(".!")
    raise WarehouseError(f"{path}: cannot be opened ({reason}). Name another file with [WAREHOUSE] URL.") from error


def _lock(mark: Path, until: ExitStack) -> bool:
    """Lock a file, which readers then see, until the end of a block; return False if another run has it locked."""
    with suppress(OSError), ExitStack() as opened:
        descriptor = os.open(mark, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o644)
        opened.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened.callback(mark.unlink, missing_ok=True)
        until.enter_context(opened.pop_all())
        return True
    return False


def _is_locked(mark: Path) -> bool:
    with suppress(OSError), mark.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def translate_damage(path: Path, file: Path) -> Iterator[None]:
    """Translate DuckDB errors into WarehouseError, and those about a damaged file into Damaged."""
    identity = _identity(file)
    try:
        with translate_errors(path):
            yield
    except WarehouseError as error:
        if _OTHERS_LOG in str(error):
            raise WarehouseError(
                f"{log_of(file)}: this log belongs to another DuckDB file, of which it can hold data. Move it to where"
                " that file is, or elsewhere; then run again."
            ) from error
        if not _DAMAGED.search(str(error)):
            raise
        problem = str(error).removeprefix(f"{path}: ").splitlines()[0].rstrip(".! ")
        raise Damaged(f"{path}: DuckDB cannot read it ({problem})", file, identity) from error


def _identity(file: Path) -> tuple[int, int] | None:
    """Return the device and inode number of a file, or None if it does not exist."""
    with suppress(OSError):
        status = file.stat()
        return status.st_dev, status.st_ino
    return None


def set_aside(damaged: Damaged) -> Path | None:
    """Rename a damaged file and its log, and return the new name of the file.

    Return None, and rename nothing, if another process is using the file or has replaced it.
    """
    file = damaged.file
    kept = file.with_name(f"{file.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    with ExitStack() as until_renamed:
        try:
            stream = until_renamed.enter_context(file.open("r+b"))
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock that DuckDB takes
        except OSError:
            return None
        if _identity(file) != damaged.identity:
            return None
        if kept.exists() or log_of(kept).exists():
            raise WarehouseError(f"{kept}: this file exists, and would be replaced by another damaged one. Run again.")
        for old, new in ((log_of(file), log_of(kept)), (file, kept)):
            if old.exists():
                old.rename(new)
    return kept


def is_other_file(file: Path) -> bool:
    """Return whether a file exists, and is neither a DuckDB database nor one that a power cut damaged."""
    with suppress(OSError), file.open("rb") as stream:
        head = stream.read(12)
        return any(head) and head[8:] != b"DUCK"  # "Storage Versions and Format", DuckDB's documentation
    return False


def remove(file: Path) -> None:
    """Delete the file of a rebuild, but keep a file that is not a DuckDB database."""
    if is_other_file(file):
        return
    for leftover in (file, log_of(file)):
        if leftover.is_dir():
            raise WarehouseError(f"{leftover}: this is a folder, where a full refresh needs a file. Rename it.")
        leftover.unlink(missing_ok=True)
