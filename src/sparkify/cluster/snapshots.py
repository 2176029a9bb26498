"""The final snapshot of a warehouse: what is kept on purpose when the stack goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sparkify.cluster.account import KEPT, PROJECT, Account
from sparkify.cluster.plan import SERVERLESS
from sparkify.errors import ClusterError


def name_of_final(warehouse: str) -> str:
    """Return a name for a snapshot that is taken now."""
    return f"{warehouse}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def take(account: Account, stack: str, kind: str, warehouse: str, name: str) -> str:
    """Take a snapshot, wait until it is complete, and return its ARN; raise ClusterError where it fails.

    Manual snapshots outlive the cluster or namespace they are of, until somebody deletes them.
    """
    tags = {PROJECT: stack, KEPT: "yes"}
    if kind == SERVERLESS:
        made = _serverless(account).create_snapshot(
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
        status = _status(account, kind, name)
        if status == "available":
            break
        if status in ("failed", "cancelled", "deleted"):
            raise ClusterError(f"{name}: the snapshot could not be taken ({status}). Nothing was deleted.")
    return str(made["snapshotArn"] if kind == SERVERLESS else made["SnapshotArn"])


def _status(account: Account, kind: str, name: str) -> str:
    if kind == SERVERLESS:
        return str(_serverless(account).get_snapshot(snapshotName=name)["snapshot"]["status"]).lower()
    (found,) = account.client("redshift").describe_cluster_snapshots(SnapshotIdentifier=name)["Snapshots"]
    return str(found["Status"]).lower()


def _serverless(account: Account) -> Any:
    return account.client("redshift-serverless")
