"""Resources outside the template: the content of the stage bucket, snapshots, and the limit of Serverless spending."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sparkify.aws.account import KEPT, PROJECT, Account, code
from sparkify.aws.cluster.validation import SERVERLESS
from sparkify.errors import ClusterError

# The stage bucket


@dataclass(frozen=True)
class BucketContent:
    """The number and total size of a bucket's objects."""

    objects: int
    bytes: int


def bucket_exists(account: Account, bucket: str) -> bool:
    """Return whether there is a bucket of this name, in this account or another."""
    try:
        account.client("s3").head_bucket(Bucket=bucket)
    except account.refusal as error:
        if code(error) == "404":
            return False
        if code(error) not in ("301", "400", "403"):  # a bucket in another region, or without permission to read it
            raise
    return True


def count_objects(account: Account, bucket: str) -> BucketContent:
    """Return the number and size of a bucket's objects, all versions included; 0 for a deleted bucket."""
    sizes = [version.get("Size", 0) for page in _versions(account, bucket) for version in page.get("Versions", ())]
    return BucketContent(len(sizes), sum(sizes))


def empty_bucket(account: Account, bucket: str) -> None:
    """Delete all objects of a bucket, given by name or s3:// URL; raise ClusterError for the first that stays."""
    bucket = bucket.removeprefix("s3://").partition("/")[0]
    client = account.client("s3")
    for page in _versions(account, bucket):
        versions = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        objects = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
        if not objects:
            continue
        errors = client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", ())
        for error in errors:
            raise ClusterError(
                f"s3://{bucket}/{error['Key']}: the object cannot be deleted ({error['Message']})."
                " Check your permissions, then run this again."
            )


def _versions(account: Account, bucket: str) -> Iterator[dict[str, Any]]:
    client = account.client("s3")
    with suppress(client.exceptions.NoSuchBucket):
        yield from client.get_paginator("list_object_versions").paginate(Bucket=bucket)


# Snapshots


def final_snapshot_name(warehouse: str) -> str:
    """Return a name for a snapshot that is taken now."""
    return f"{warehouse}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def take_snapshot(account: Account, stack: str, kind: str, warehouse: str, name: str) -> str:
    """Take a manual snapshot, wait until it is complete, and return its ARN; raise ClusterError where it fails.

    A manual snapshot remains after its cluster or namespace is deleted, until a user deletes it.
    """
    tags = {PROJECT: stack, KEPT: "yes"}
    if kind == SERVERLESS:
        snapshot = account.client("redshift-serverless").create_snapshot(
            namespaceName=warehouse,
            snapshotName=name,
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )["snapshot"]
    else:
        snapshot = account.client("redshift").create_cluster_snapshot(
            ClusterIdentifier=warehouse,
            SnapshotIdentifier=name,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )["Snapshot"]
    for _ in account.polls(f"{name}: the snapshot"):
        status = _snapshot_status(account, kind, name)
        if status == "available":
            break
        if status in ("failed", "cancelled", "deleted"):
            raise ClusterError(f"{name}: the snapshot could not be taken ({status}).")
    return str(snapshot["snapshotArn"] if kind == SERVERLESS else snapshot["SnapshotArn"])


def require_snapshot(account: Account, kind: str, name: str) -> None:
    """Raise ClusterError unless there is a complete snapshot of this name and kind."""
    try:
        status = _snapshot_status(account, kind, name)
    except account.refusal as error:
        if code(error) not in ("ResourceNotFoundException", "ClusterSnapshotNotFound"):
            raise
        status = "missing"
    if status != "available":
        raise ClusterError(
            f"{name}: the snapshot of a {kind} warehouse is {status} in {account.region}. Name one that teardown kept,"
            " and the KIND of its warehouse in dwh.cfg."
        )


def kept_snapshot(account: Account, namespace: str) -> str:
    """Return the ARN of a kept snapshot of a namespace, or ""."""
    client = account.client("redshift-serverless")
    pages = client.get_paginator("list_snapshots").paginate(namespaceName=namespace)
    for snapshot in (snapshot for page in pages for snapshot in page["snapshots"]):
        tags = client.list_tags_for_resource(resourceArn=snapshot["snapshotArn"])["tags"]
        if any(tag["key"] == KEPT for tag in tags):
            return str(snapshot["snapshotArn"])
    return ""


def _snapshot_status(account: Account, kind: str, name: str) -> str:
    if kind == SERVERLESS:
        snapshot = account.client("redshift-serverless").get_snapshot(snapshotName=name)["snapshot"]
        return str(snapshot["status"]).lower()
    (snapshot,) = account.client("redshift").describe_cluster_snapshots(SnapshotIdentifier=name)["Snapshots"]
    return str(snapshot["Status"]).lower()


# Usage limits

COMPUTE = "serverless-compute"
STOP = "deactivate"  # refuses queries at the limit; by default a breach is only logged


def limits(account: Account, workgroup: str) -> list[dict[str, Any]]:
    """Return the monthly compute limits of a workgroup; none where there is no such workgroup."""
    client = account.client("redshift-serverless")
    try:
        arn = client.get_workgroup(workgroupName=workgroup)["workgroup"]["workgroupArn"]
    except client.exceptions.ResourceNotFoundException:
        return []
    pages = client.get_paginator("list_usage_limits").paginate(resourceArn=arn, usageType=COMPUTE)
    return [limit for page in pages for limit in page["usageLimits"] if limit["period"] == "monthly"]


def limit_in_force(account: Account, workgroup: str) -> int:
    """Return the RPU-hours a month after which a workgroup refuses queries; 0 without such a limit."""
    return min((limit["amount"] for limit in limits(account, workgroup) if _stops(limit)), default=0)


def _stops(limit: dict[str, Any]) -> bool:
    return bool(limit["breachAction"] == STOP)


def nearest_limit(account: Account, workgroup: str, rpu_hours: int) -> dict[str, Any] | None:
    """Return the limit that `set_limit` updates, preferably one that stops queries; None without any."""
    found = limits(account, workgroup)
    return min(found, key=lambda limit: (not _stops(limit), limit["amount"] != rpu_hours), default=None)


def set_limit(account: Account, workgroup: str, rpu_hours: int) -> str:
    """Set the RPU-hours a month after which a workgroup refuses queries; return a description of the change, or ""."""
    client = account.client("redshift-serverless")
    wanted = {"amount": rpu_hours, "breachAction": STOP}
    if limit := nearest_limit(account, workgroup, rpu_hours):
        if {key: limit[key] for key in wanted} == wanted:
            return ""
        client.update_usage_limit(usageLimitId=limit["usageLimitId"], **wanted)
        before = f"{limit['amount']:,}" + ("" if _stops(limit) else ", and stopped no query")
        return f"The limit is now {rpu_hours:,} RPU-hours a month; it was {before}."
    arn = client.get_workgroup(workgroupName=workgroup)["workgroup"]["workgroupArn"]
    client.create_usage_limit(resourceArn=arn, usageType=COMPUTE, period="monthly", **wanted)
    return f"Set the limit: {rpu_hours:,} RPU-hours a month, then queries are refused until the next month."
