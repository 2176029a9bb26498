"""The folder in S3 from which Redshift's COPY takes a batch, and into which its UNLOAD writes tables.

What is put there goes when the batch has been copied, or the tables have been fetched.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from sparkify.aws import s3
from sparkify.config import Config
from sparkify.errors import ConfigError, SourceError
from sparkify.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from sparkify.aws.s3 import Bucket


_MAX_ERRORS = 100_000  # the most that MAXERROR takes ("Data load operations", the guide)
_AT_ONCE = 8  # files on their way to S3

LONGEST_STAGE = 150
"""Bytes that [S3] STAGE may have.

Below it a file's address goes on for up to 100, which tell the file from others, and Redshift shows 256 where it says
what COPY refused (SYS_LOAD_ERROR_DETAIL, the guide).
"""
_ROLE = re.compile(r"default|arn:aws[a-z-]*:iam::\d{12}:role/\S+")


class StagingArea:
    """A folder of one run under [S3] STAGE."""

    def __init__(self, bucket: Bucket, owned: str, others_for: int) -> None:
        self._bucket = bucket
        self._owned = owned  # the prefix that is this warehouse's
        self._others_for = others_for  # seconds for which others may be at work there
        self._prefix = f"{owned}{int(time.time())}-{uuid4().hex}/"
        self.region = bucket.region

    @classmethod
    def of(cls, config: Config, owner: str, others_for: int = 0) -> StagingArea:
        """Return the staging area of a warehouse; raise ConfigError where the configuration names none.

        `others_for` is for how many seconds somebody else may be at work in it: under the ledger's lock, nobody is.
        """
        if not s3.is_s3(config.stage):
            raise ConfigError(
                "[S3] STAGE: Redshift takes what it loads from S3, and no folder for that is named. Set it to one that"
                " you may write to and the role of [IAM_ROLE] may read, such as s3://bucket/stage."
            )
        if (length := len(config.stage.encode())) > LONGEST_STAGE:
            raise ConfigError(
                f"[S3] STAGE: is of {length} bytes, and Redshift would cut the names of the files below it where it"
                f" tells what COPY refused. Name a folder of at most {LONGEST_STAGE} bytes."
            )
        if not _ROLE.fullmatch(config.iam_role_arn):
            raise ConfigError(
                "[IAM_ROLE] ARN: no role with which COPY may read [S3] STAGE. Set it to the ARN of a role that the"
                " cluster has, such as arn:aws:iam::123456789012:role/dwhRole, or to default for the cluster's own."
            )
        name, prefix = s3.split(config.stage)
        mark = sha256(owner.encode()).hexdigest()[:12]
        # Names that begin with _ are skipped when sources are listed: the area may lie below one of them.
        return cls(s3.bucket(name, config.aws), f"{prefix.rstrip('/')}/_sparkify-{mark}/".lstrip("/"), others_for)

    def __enter__(self) -> Self:
        """Remove what runs that were killed have left; raise SourceError where nothing may be written or removed."""
        self._bucket.delete([f"{self._prefix}none"])  # which is not there, but may not be forbidden
        left = [key for key, _, _ in self._bucket.list(self._owned) if self._is_left(key)]
        self._bucket.delete(left)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was put here."""
        with suppress(SourceError):  # a run that is published is published: the next one removes it
            self._clear(self._prefix)

    def _is_left(self, key: str) -> bool:
        begun = key.removeprefix(self._owned).partition("-")[0]
        return not begun.isdecimal() or int(begun) <= time.time() - self._others_for

    def put(self, parts: Sequence[Path]) -> dict[str, Path]:
        """Copy files to the area; return them by their addresses."""
        keys = [f"{self._prefix}{part.name}" for part in parts]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._bucket.put, keys, parts))
        return {f"s3://{self._bucket.name}/{key}": part for key, part in zip(keys, parts, strict=True)}

    def folder(self, name: str) -> str:
        """Return the address under which the files of a table are written by the cluster."""
        return f"s3://{self._bucket.name}/{self._prefix}{name}/"

    def get(self, name: str, folder: Path) -> list[Path]:
        """Copy the files that the cluster has written of a table to a folder here; return them in order."""
        found = sorted(key for key, _, _ in self._bucket.list(f"{self._prefix}{name}/"))
        parts = [folder / f"{name}.{number}.parquet" for number, _ in enumerate(found)]
        for key, part in zip(found, parts, strict=True):
            self._bucket.download(key, None, part)
        return parts

    def manifest(self, table: str, files: Sequence[str]) -> str:
        """Write the list of a COPY's files, each of which has to be there; return its address."""
        key = f"{self._prefix}{table}.manifest"
        entries = [{"url": file, "mandatory": True} for file in files]
        self._bucket.put(key, json.dumps({"entries": entries}).encode())
        return f"s3://{self._bucket.name}/{key}"

    def _clear(self, prefix: str) -> None:
        self._bucket.delete([key for key, _, _ in self._bucket.list(prefix)])


def copy_statement(table: str, manifest: str, region: str, role: str) -> str:
    """Return the COPY of a staging table from the files that a manifest in S3 names.

    Every file is compressed JSON, one object a row. No option is given that would drop or cut a value in silence;
    MAXERROR only has all refused rows listed, which are then quarantined, or fail the run.
    """
    return (
        f"copy {table} from {_text(manifest)}\niam_role {_authorised(role)}\nmanifest\nformat json 'auto ignorecase'\n"
        f"gzip\nregion {literal(region)}\ncompupdate off\nstatupdate on\nmaxerror {_MAX_ERRORS}"
    )


def unload_statement(name: str, folder: str, region: str, role: str) -> str:
    """Return the UNLOAD of a table or view into Parquet files in a folder of S3."""
    return (
        f"unload ({_text(f'select * from {quoted(name)}')})\nto {_text(folder)}\niam_role {_authorised(role)}\n"
        f"format parquet\nregion {literal(region)}"
    )


def _text(value: str) -> str:
    """Quote a text for Redshift, in whose literals a backslash escapes."""
    return literal(value.replace("\\", "\\\\"))


def _authorised(role: str) -> str:
    return "default" if role == "default" else literal(role)
