"""The folder in S3 from which Redshift's COPY reads a batch, and to which its UNLOAD writes tables.

The pieces of a batch wait here until it is published. The files are deleted when the batch has been published, or the
tables have been downloaded.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from sparkify.aws import s3
from sparkify.config import Config
from sparkify.errors import ConfigError, SourceError
from sparkify.sql.quoting import literal, quoted
from sparkify.warehouse.server import ABANDONED_AFTER

if TYPE_CHECKING:
    from sparkify.aws.s3 import Bucket


_MAX_ERRORS = 100_000  # the maximum of MAXERROR ("Data load operations", the guide)
_AT_ONCE = 8  # concurrent uploads

LONGEST_STAGE = 150
"""The maximum length of [S3] STAGE, in bytes.

Redshift reports the first 256 bytes of a file's URL with each rejected row (SYS_LOAD_ERROR_DETAIL, the guide), and up
to 100 of them follow the stage.
"""
_ROLE = re.compile(r"default|arn:aws[a-z-]*:iam::\d{12}:role/\S+")


class StagingArea:
    """A folder of one run under [S3] STAGE."""

    def __init__(self, bucket: Bucket, owned: str) -> None:
        self._bucket = bucket
        self._owned = owned  # the prefix of this warehouse
        self._prefix = f"{owned}{int(time.time())}-{uuid4().hex}/"
        self.region = bucket.region

    @classmethod
    def of(cls, config: Config, owner: str) -> StagingArea:
        """Return the staging area of a warehouse; raise ConfigError if the configuration lacks a setting for it."""
        if not s3.is_s3(config.stage):
            raise ConfigError(
                "[S3] STAGE: Redshift loads from S3, and no folder for its files is set. Set one that you can write and"
                " the role of [IAM_ROLE] can read, such as s3://bucket/stage."
            )
        if (length := len(config.stage.encode())) > LONGEST_STAGE:
            raise ConfigError(
                f"[S3] STAGE: {length} bytes are too long, since Redshift would truncate the names of the files with"
                f" rejected rows. Name a folder of at most {LONGEST_STAGE} bytes."
            )
        if not _ROLE.fullmatch(config.iam_role_arn):
            raise ConfigError(
                "[IAM_ROLE] ARN: not a valid role for COPY to read [S3] STAGE. Set the ARN of a role of the cluster,"
                " such as arn:aws:iam::123456789012:role/dwhRole, or set default for its default role."
            )
        name, prefix = s3.split(config.stage)
        mark = sha256(owner.encode()).hexdigest()[:12]
        # The listing of sources skips names that begin with _, so the area can be inside a source folder.
        aws = replace(config.aws, anonymous=False)  # only sources can be public
        return cls(s3.bucket(name, aws), f"{prefix.rstrip('/')}/_sparkify-{mark}/".lstrip("/"))

    def __enter__(self) -> Self:
        """Delete the files of killed runs; raise SourceError if files cannot be deleted."""
        self._bucket.delete([f"{self._prefix}none"])  # a missing key, to test the permission
        leftovers = [key for key, _, _ in self._bucket.list(self._owned) if self._is_leftover(key)]
        self._bucket.delete(leftovers)
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the files of this run."""
        with suppress(SourceError):  # the run is published, and the next one deletes them
            self._clear(self._prefix)

    def _is_leftover(self, key: str) -> bool:
        begun = key.removeprefix(self._owned).partition("-")[0]
        return not begun.isdecimal() or int(begun) <= time.time() - ABANDONED_AFTER

    def put(self, parts: Sequence[Path]) -> list[str]:
        """Upload files to the area; return their S3 URLs."""
        keys = [f"{self._prefix}{part.name}" for part in parts]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._bucket.put, keys, parts))
        return [self._bucket.url(key) for key in keys]

    def fetch(self, url: str, path: Path) -> Path:
        """Download a file of the area; return the path."""
        self._bucket.download(url.removeprefix(self._bucket.url("")), None, path)
        return path

    def folder(self, name: str) -> str:
        """Return the S3 URL of the folder to which the cluster writes the files of a table."""
        return f"s3://{self._bucket.name}/{self._prefix}{name}/"

    def get(self, name: str, folder: Path) -> list[Path]:
        """Download the files that the cluster wrote of a table to a folder; return them in order."""
        keys = sorted(key for key, _, _ in self._bucket.list(f"{self._prefix}{name}/"))
        parts = [folder / f"{name}.{number}.parquet" for number, _ in enumerate(keys)]
        for key, part in zip(keys, parts, strict=True):
            self._bucket.download(key, None, part)
        return parts

    def manifest(self, table: str, files: Sequence[str]) -> str:
        """Write the manifest of a COPY, in which each file is mandatory; return its S3 URL."""
        key = f"{self._prefix}{table}.manifest"
        entries = [{"url": file, "mandatory": True} for file in files]
        self._bucket.put(key, json.dumps({"entries": entries}).encode())
        return f"s3://{self._bucket.name}/{key}"

    def _clear(self, prefix: str) -> None:
        self._bucket.delete([key for key, _, _ in self._bucket.list(prefix)])


def copy_statement(table: str, manifest: str, region: str, role: str) -> str:
    """Return the COPY of a staging table from the files that a manifest in S3 lists.

    The files are compressed JSON with one object per row. No option silently drops or truncates a value. MAXERROR makes
    COPY report all rejected rows, which are then quarantined or fail the run.
    """
    return (
        f"copy {table} from {_text(manifest)}\niam_role {_role(role)}\nmanifest\nformat json 'auto ignorecase'\n"
        f"gzip\nregion {literal(region)}\ncompupdate off\nmaxerror {_MAX_ERRORS}"
    )


def unload_statement(name: str, folder: str, region: str, role: str) -> str:
    """Return the UNLOAD of a table or view to Parquet files in a folder in S3."""
    return (
        f"unload ({_text(f'select * from {quoted(name)}')})\nto {_text(folder)}\niam_role {_role(role)}\n"
        f"format parquet\nregion {literal(region)}"
    )


def _text(value: str) -> str:
    """Return text as a string literal for Redshift, in which a backslash escapes."""
    return literal(value.replace("\\", "\\\\"))


def _role(role: str) -> str:
    return "default" if role == "default" else literal(role)
