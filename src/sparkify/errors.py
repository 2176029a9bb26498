"""What can go wrong, as one tree.

    SparkifyError         exit code 1: failed, and nothing changed
    ├── ConfigError       exit code 2: wrong usage, in dwh.cfg, the environment or on the command line
    ├── SourceError       a file or folder that cannot be listed or read
    │   ├── BadFile            one file: a run may leave it out
    │   ├── SourceChanged      an object that is no more what was listed: it waits for the next run
    │   └── SourceUnreachable  S3 itself refuses or cannot be reached: no one file is at fault
    ├── WarehouseError    a warehouse that cannot be reached, or refuses
    │   ├── Denied        the login lacks a right
    │   ├── StillNeeded   what was to be dropped has something of somebody else's standing on it
    │   ├── CommitUnknown the connection was lost while committing: the ledger knows how that ended
    │   └── Transient     nothing was published, and the reason can pass: another try may go well
    ├── ClusterError      a cluster that cannot be set up, found or torn down
    └── CheckFailed       exit code 3: a check found offending rows, and nothing changed

A message says what, where, and what to do, in that order, and never holds a secret.
Only `sparkify.cli.main` catches, and only SparkifyError: anything else is a bug and shows its traceback.
"""


class SparkifyError(Exception):
    """Something that the user can put right."""

    exit_code = 1


class ConfigError(SparkifyError):
    """A setting is misspelt, malformed or missing."""

    exit_code = 2


class SourceError(SparkifyError):
    """A file or folder cannot be listed or read."""


class BadFile(SourceError):
    """One file cannot be read."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Say what is wrong, with the file's path before it, and what to do."""
        super().__init__(f"{problem}. {remedy}, or pass --skip-bad-files.")
        self.of_skipped = f"{problem}. {remedy}."  # for who has passed it


class SourceChanged(SourceError):
    """An object is no more what was listed."""


class SourceUnreachable(SourceError):
    """S3 itself refuses or cannot be reached: to leave out a file would not help."""


class WarehouseError(SparkifyError):
    """The warehouse cannot be reached, or refuses what was asked."""


class Denied(WarehouseError):
    """The login lacks a right."""


class StillNeeded(WarehouseError):
    """What was to be dropped has something of somebody else's standing on it."""


class CommitUnknown(WarehouseError):
    """The connection was lost while committing."""


class Transient(WarehouseError):
    """The warehouse refused for a reason that can pass: a conflict, a restart, a connection that was lost."""


class ClusterError(SparkifyError):
    """The cluster cannot be set up, found or torn down."""


class CheckFailed(SparkifyError):
    """A check found rows that must not be there."""

    exit_code = 3
