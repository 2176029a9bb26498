"""The bucket that a stack makes for what COPY loads: how full it is, and how to empty it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sparkify.cluster.account import Account, code
from sparkify.errors import ClusterError


@dataclass(frozen=True)
class Held:
    """What a bucket holds."""

    objects: int
    bytes: int


def held(account: Account, bucket: str) -> Held:
    """Return how much a bucket holds; nothing, where it is gone."""
    sizes = [version.get("Size", 0) for page in _pages(account, bucket) for version in page.get("Versions", ())]
    return Held(len(sizes), sum(sizes))


def exists(account: Account, bucket: str) -> bool:
    """Tell whether there is a bucket of this name, whoever's it is."""
    from botocore.exceptions import ClientError

    try:
        account.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        if code(error) == "404":
            return False
        if code(error) not in ("301", "400", "403"):  # a bucket elsewhere, or one that may not be looked at
            raise
    return True


def empty(account: Account, bucket: str) -> None:
    """Delete everything in a bucket; raise ClusterError naming the first object that stays."""
    bucket = bucket.removeprefix("s3://").partition("/")[0]
    client = account.client("s3")
    for page in _pages(account, bucket):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        doomed = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in found]
        if not doomed:
            continue
        errors = client.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True}).get("Errors", ())
        for error in errors:
            raise ClusterError(f"s3://{bucket}/{error['Key']}: cannot be deleted: {error['Message']}")


def _pages(account: Account, bucket: str) -> Iterator[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        yield from account.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket)
    except ClientError as error:
        if code(error) != "NoSuchBucket":
            raise
