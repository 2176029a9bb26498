"""Resources beside the stack: the stage bucket, snapshots and usage limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sparkify.aws.account import KEPT, PROJECT, Account, code
from sparkify.aws.cluster.validation import SERVERLESS
from sparkify.errors import ClusterError


@dataclass(frozen=True)
class BucketContent:
    """What a bucket holds."""

    objects: int
    bytes: int


def count_objects(account: Account, bucket: str) -> BucketContent:
    """Return how much a bucket holds; nothing, where it is gone."""
    sizes = [version.get("Size", 0) for page in _pages(account, bucket) for version in page.get("Versions", ())]
    return BucketContent(len(sizes), sum(sizes))


def bucket_exists(account: Account, bucket: str) -> bool:
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


def empty_bucket(account: Account, bucket: str) -> None:
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


def final_snapshot_name(warehouse: str) -> str:
    """Return a name for a snapshot that is taken now."""
    return f"{warehouse}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def take_snapshot(account: Account, stack: str, kind: str, warehouse: str, name: str) -> str:
    """Take a snapshot, wait until it is complete, and return its ARN; raise ClusterError where it fails.

    Manual snapshots outlive the cluster or namespace they are of, until somebody deletes them.
    """
    tags = {PROJECT: stack, KEPT: "yes"}
    if kind == SERVERLESS:
        made = _serverless_client(account).create_snapshot(
            namespaceName=warehouse,
            snapshotName=name,
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )["snapshot"]
    else:
        made = account.client("redshift").create_cluster_snapshot(
            ClusterIdentifier=warehouse,
            SnapshotIdentifier=name,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )["Snapshot"]
    for _ in account.looks(f"{name}: the snapshot"):
        status = _snapshot_status(account, kind, name)
        if status == "available":
            break
        if status in ("failed", "cancelled", "deleted"):
            raise ClusterError(f"{name}: the snapshot could not be taken ({status}). Nothing was deleted.")
    return str(made["snapshotArn"] if kind == SERVERLESS else made["SnapshotArn"])


def _snapshot_status(account: Account, kind: str, name: str) -> str:
    if kind == SERVERLESS:
        return str(_serverless_client(account).get_snapshot(snapshotName=name)["snapshot"]["status"]).lower()
    (found,) = account.client("redshift").describe_cluster_snapshots(SnapshotIdentifier=name)["Snapshots"]
    return str(found["Status"]).lower()


def _serverless_client(account: Account) -> Any:
    return account.client("redshift-serverless")


COMPUTE = "serverless-compute"
STOP = "deactivate"  # what happens at a limit; by default its breach is only logged


def limits(account: Account, workgroup: str) -> list[dict[str, Any]]:
    """Return the monthly limits of a workgroup's compute; none where there is no such workgroup."""
    client = account.client("redshift-serverless")
    try:
        arn = client.get_workgroup(workgroupName=workgroup)["workgroup"]["workgroupArn"]
    except client.exceptions.ResourceNotFoundException:
        return []
    pages = client.get_paginator("list_usage_limits").paginate(resourceArn=arn, usageType=COMPUTE)
    return [limit for page in pages for limit in page["usageLimits"] if limit["period"] == "monthly"]


def limit_in_force(account: Account, workgroup: str) -> int:
    """Return the RPU-hours a month after which a workgroup runs no more queries; 0 where it would run on."""
    return min((limit["amount"] for limit in limits(account, workgroup) if _stops(limit)), default=0)


def _stops(limit: dict[str, Any]) -> bool:
    """Whether queries are refused at a limit; at others its breach is only told."""
    return bool(limit["breachAction"] == STOP)


def nearest_limit(account: Account, workgroup: str, rpu_hours: int) -> dict[str, Any] | None:
    """Return the limit that setting one would set: one that stops queries before one that only tells."""
    found = limits(account, workgroup)
    return min(found, key=lambda limit: (not _stops(limit), limit["amount"] != rpu_hours), default=None)


def set_limit(account: Account, workgroup: str, rpu_hours: int) -> str:
    """Let a workgroup use so many RPU-hours a month, and then run no more queries; return what was done, or ""."""
    client = account.client("redshift-serverless")
    wanted = {"amount": rpu_hours, "breachAction": STOP}
    if limit := nearest_limit(account, workgroup, rpu_hours):
        if {key: limit[key] for key in wanted} == wanted:
            return ""
        client.update_usage_limit(usageLimitId=limit["usageLimitId"], **wanted)
        before = f"{limit['amount']:,}" + ("" if _stops(limit) else ", and stopped nothing")
        return f"The limit is now {rpu_hours:,} RPU-hours a month; it was {before}."
    arn = client.get_workgroup(workgroupName=workgroup)["workgroup"]["workgroupArn"]
    client.create_usage_limit(resourceArn=arn, usageType=COMPUTE, period="monthly", **wanted)
    return f"Set the limit: {rpu_hours:,} RPU-hours a month, then no query runs until the next month."
