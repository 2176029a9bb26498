"""Redshift Serverless and the Tagging API, as far as the cluster's commands use them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.cloud.refused import Refused

if TYPE_CHECKING:
    from tests.support.cloud.server import Cloud

Thing = dict[str, Any]


class Serverless:
    """Namespaces, workgroups, usage limits and snapshots; operations by their names in the API."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.namespaces: dict[str, Thing] = {}
        self.workgroups: dict[str, Thing] = {}
        self.limits: dict[str, Thing] = {}
        self.snapshots: dict[str, Thing] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}  # by ARN
        self.snapshot_ends = "AVAILABLE"
        self.smallest_capacity = 4  # RPU; 8 in some regions

    def arn(self, kind: str, key: str) -> str:
        """Return an ARN of this account."""
        return f"arn:aws:redshift-serverless:us-east-1:{self.cloud.account}:{kind}/{key}"

    def make_namespace(self, properties: Thing, tags: list[dict[str, str]]) -> Thing:
        """Create a namespace, as CloudFormation would."""
        name = properties["NamespaceName"]
        if name in self.namespaces:
            raise Refused("ConflictException", f"There's already a namespace with name {name}.")
        secret = self.cloud.make_password(name, properties.get("AdminUsername", "admin"))
        made = {
            "namespaceName": name,
            "namespaceArn": self.arn("namespace", str(uuid.uuid4())),
            "adminPasswordSecretArn": secret,
            "properties": properties,
        }
        self.namespaces[name] = made
        self.tags[made["namespaceArn"]] = tags
        return made

    def make_workgroup(self, properties: Thing, tags: list[dict[str, str]]) -> Thing:
        """Create a workgroup, as CloudFormation would."""
        name = properties["WorkgroupName"]
        if int(properties["BaseCapacity"]) < self.smallest_capacity:
            raise Refused("ValidationException", f"Base capacity must be at least {self.smallest_capacity} RPUs.")
        if snapshot := properties.get("SnapshotName"):
            _found(self.snapshots, snapshot, "Snapshot")
            self.cloud.restored[name] = snapshot
        made = {
            "workgroupName": name,
            "workgroupArn": self.arn("workgroup", str(uuid.uuid4())),
            "status": "AVAILABLE",
            "baseCapacity": int(properties["BaseCapacity"]),
            "publiclyAccessible": properties["PubliclyAccessible"],
            "endpoint": {
                "address": f"{name}.{self.cloud.account}.us-east-1.redshift-serverless.amazonaws.com",
                "port": int(properties["Port"]),
            },
            "properties": properties,
        }
        self.workgroups[name] = made
        self.tags[made["workgroupArn"]] = tags
        return made

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace, and the secret that Redshift made for it."""
        gone = self.namespaces.pop(name)
        if gone["adminPasswordSecretArn"] not in self.cloud.formation.kept_secrets:
            secrets = self.cloud.client("secretsmanager")
            secrets.delete_secret(SecretId=gone["adminPasswordSecretArn"], ForceDeleteWithoutRecovery=True)

    def delete_workgroup(self, name: str) -> None:
        """Delete a workgroup, and its limits."""
        gone = self.workgroups.pop(name)
        self.limits = {i: limit for i, limit in self.limits.items() if limit["resourceArn"] != gone["workgroupArn"]}

    # The API's own names

    def GetNamespace(self, namespaceName: str) -> Thing:  # noqa: N802, N803
        """Describe a namespace."""
        return {"namespace": _found(self.namespaces, namespaceName, "Namespace")}

    def GetWorkgroup(self, workgroupName: str) -> Thing:  # noqa: N802, N803
        """Describe a workgroup."""
        return {"workgroup": _found(self.workgroups, workgroupName, "Workgroup")}

    def ListWorkgroups(self, **_: Any) -> Thing:  # noqa: N802
        """List the workgroups."""
        return {"workgroups": list(self.workgroups.values())}

    def ListNamespaces(self, **_: Any) -> Thing:  # noqa: N802
        """List the namespaces."""
        return {"namespaces": list(self.namespaces.values())}

    def ListTagsForResource(self, resourceArn: str) -> Thing:  # noqa: N802, N803
        """List the tags of a resource."""
        return {"tags": [{"key": tag["Key"], "value": tag["Value"]} for tag in self.tags[resourceArn]]}

    def CreateUsageLimit(self, **limit: Any) -> Thing:  # noqa: N802
        """Create a limit."""
        made = {"usageLimitId": str(uuid.uuid4()), "period": "monthly", "breachAction": "log", **limit}
        self.limits[made["usageLimitId"]] = made
        return {"usageLimit": made}

    def UpdateUsageLimit(self, usageLimitId: str, **changed: Any) -> Thing:  # noqa: N802, N803
        """Change a limit."""
        _found(self.limits, usageLimitId, "Usage limit").update(changed)
        return {"usageLimit": self.limits[usageLimitId]}

    def ListUsageLimits(self, resourceArn: str, **_: Any) -> Thing:  # noqa: N802, N803
        """List the limits of a workgroup."""
        return {"usageLimits": [limit for limit in self.limits.values() if limit["resourceArn"] == resourceArn]}

    def CreateSnapshot(self, namespaceName: str, snapshotName: str, tags: list[dict[str, str]]) -> Thing:  # noqa: N802, N803
        """Begin a snapshot, which is complete at the third look."""
        _found(self.namespaces, namespaceName, "Namespace")
        if namespaceName not in self.workgroups:  # Ours have the namespace's name.
            raise Refused("ConflictException", "There is no workgroup associated with the namespace.")
        made: Thing = {
            "snapshotName": snapshotName,
            "namespaceName": namespaceName,
            "snapshotArn": self.arn("snapshot", str(uuid.uuid4())),
            "snapshotCreateTime": datetime.now(UTC),
            "status": "CREATING",
            "looks": 0,
        }
        self.snapshots[snapshotName] = made
        self.tags[made["snapshotArn"]] = [{"Key": tag["key"], "Value": tag["value"]} for tag in tags]
        return {"snapshot": made}

    def GetSnapshot(self, snapshotName: str) -> Thing:  # noqa: N802, N803
        """Describe a snapshot."""
        found = _found(self.snapshots, snapshotName, "Snapshot")
        found["looks"] += 1
        found["status"] = self.snapshot_ends if found["looks"] > 2 else "CREATING"
        return {"snapshot": found}

    def ListSnapshots(self, **_: Any) -> Thing:  # noqa: N802
        """List the snapshots."""
        return {"snapshots": list(self.snapshots.values())}


def _found(things: dict[str, Thing], key: str, what: str) -> Thing:
    if key not in things:
        raise Refused("ResourceNotFoundException", f"{what} {key} not found")
    return things[key]


class Tagging:
    """The Resource Groups Tagging API: it lists deleted resources for a while longer, and never an IAM role."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.lag = 2  # calls during which a deleted resource is still listed
        self._lagging: dict[str, tuple[int, list[dict[str, str]]]] = {}  # ARN → calls left, tags

    def forget(self, arn: str, tags: list[dict[str, str]]) -> None:
        """Record that a resource has been deleted."""
        self._lagging[arn] = (self.lag, tags)

    def GetResources(self, TagFilters: list[Thing], **_: Any) -> Thing:  # noqa: N802, N803
        """List the resources with a tag."""
        listed = dict(self.cloud.formation.tagged())
        for arn, (calls, tags) in list(self._lagging.items()):
            listed.setdefault(arn, tags)
            self._lagging[arn] = (calls - 1, tags)
            if calls <= 1:
                del self._lagging[arn]
        for snapshot in self.cloud.serverless.snapshots.values():
            listed[snapshot["snapshotArn"]] = self.cloud.serverless.tags[snapshot["snapshotArn"]]
        for snapshot in self.cloud.client("redshift").describe_cluster_snapshots()["Snapshots"]:
            arn = f"arn:aws:redshift:us-east-1:{self.cloud.account}:snapshot:{snapshot['SnapshotIdentifier']}"
            listed[arn] = snapshot["Tags"]
        wanted = [(asked["Key"], value) for asked in TagFilters for value in asked["Values"]]
        return {
            "ResourceTagMappingList": [
                {"ResourceARN": arn, "Tags": tags}
                for arn, tags in listed.items()
                if all({"Key": key, "Value": value} in tags for key, value in wanted)
            ]
        }
