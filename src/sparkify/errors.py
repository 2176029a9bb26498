"""The errors of sparkify form one tree.

    SparkifyError         exit code 1: the command failed, and nothing changed
    ├── ConfigError       exit code 2: wrong usage, in dwh.cfg, the environment or on the command line
    ├── SourceError       a file or folder cannot be listed or read
    │   ├── BadFile            one file cannot be read: a run can skip it
    │   ├── SourceChanged      an object changed after it was listed: the next run loads it
    │   └── SourceUnreachable  S3 or this machine refuses every file: skipping one would not help
    ├── WarehouseError    the warehouse cannot be reached, or rejects a statement
    │   ├── Denied        the login lacks a permission
    │   ├── StillNeeded   a table or view cannot be dropped: an object that sparkify did not create depends on it
    │   ├── Damaged       DuckDB cannot read its file: a full refresh loads a new one
    │   ├── CommitUnknown the connection was lost during a commit: the ledger shows whether it succeeded
    │   └── Transient     nothing was published, and a retry may succeed
    ├── ClusterError      a cluster cannot be set up, found or torn down
    └── CheckFailed       exit code 3: a check found offending rows, and nothing changed

A message reads `where: what is wrong. What to do.`, and never holds a secret.
Only `sparkify.cli.main` turns a SparkifyError into a message and an exit code. Any other exception is a bug, and shows
its traceback.
"""

from pathlib import Path


class SparkifyError(Exception):
    """An error that the user can correct."""

    exit_code = 1


class ConfigError(SparkifyError):
    """A setting is misspelt, malformed or missing."""

    exit_code = 2


class SourceError(SparkifyError):
    """A file or folder cannot be listed or read."""


class BadFile(SourceError):
    """One file cannot be read."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Build the message from `path: what is wrong` and a remedy, both without a full stop."""
        problem = problem.replace("\n", "\\n")  # A name can contain a line ending.
        super().__init__(f"{problem}. {remedy}, or pass --skip-bad-files.")
        self.of_skipped = f"{problem}. {remedy}."  # the message when --skip-bad-files is set


class SourceChanged(SourceError):
    """An object changed after it was listed."""


class SourceUnreachable(SourceError):
    """S3 cannot be reached, or this machine has reached a limit, so skipping a file would not help."""


class WarehouseError(SparkifyError):
    """The warehouse cannot be reached, or rejects a statement."""


class Denied(WarehouseError):
    """The login lacks a permission."""


class StillNeeded(WarehouseError):
    """A table or view cannot be dropped, because an object that sparkify did not create depends on it."""


class Damaged(WarehouseError):
    """DuckDB cannot read its file."""

    def __init__(self, problem: str, file: Path, identity: tuple[int, int] | None) -> None:
        """Build the message from `path: what is wrong`, without a full stop.

        The device and inode number identify the file after another process has replaced it.
        """
        super().__init__(
            f"{problem}. Run `sparkify etl --full-refresh`, which keeps the damaged file under another name and loads"
            " all files into a new one."
        )
        self.problem, self.file, self.identity = problem, file, identity


class CommitUnknown(WarehouseError):
    """The connection was lost during a commit."""


class Transient(WarehouseError):
    """A temporary failure of the warehouse: a conflict, a restart or a lost connection."""


class ClusterError(SparkifyError):
    """The cluster cannot be set up, found or torn down."""


class CheckFailed(SparkifyError):
    """A check found offending rows."""

    exit_code = 3
