"""Check that the policy in docs/aws.md allows what CloudFormation calls for the templates: `make lint` runs it.

The permissions of each resource are those of its schema, which cfn-lint carries.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.cloud.policy import missing

from sparkify.aws.cluster import template

# Permissions that the schemas list for properties and operations that the templates do not use.
UNUSED = {
    "a key of the user": ["kms:*", "redshift:RotateEncryptionKey"],
    "a policy on the warehouse": ["redshift:*ResourcePolicy"],
    "logs and metrics of Redshift": ["redshift:EnableLogging", "redshift:DisableLogging", "cloudwatch:PutMetricData"],
    "copies of snapshots": ["redshift*:*SnapshotCopy*"],
    "recovery points, other revisions, maintenance": [
        "redshift-serverless:RestoreFromRecoveryPoint",
        "redshift:*ClusterDbRevisions",
        "redshift:ModifyClusterMaintenance",
        "redshift:ModifyAquaConfiguration",
        "redshift:FailoverPrimaryCompute",
    ],
    "addresses and interfaces, which Redshift's service-linked role creates": [
        "ec2:*Address",
        "ec2:*NetworkInterface*",
        "ec2:*VpcEndpoint",
    ],
    "properties of a network that the templates leave at their defaults": [
        "ec2:*VpnGateway",
        "ec2:*SecurityGroupEgress",
        "ec2:*VpcEncryptionControl",
        "ec2:ModifyVpcTenancy",
        "ec2:ModifySubnetAttribute",
        "ec2:*SubnetCidrBlock",
        "ec2:ReplaceRoute*",
        "ec2:UpdateSecurityGroupRuleDescriptions*",
    ],
    "managed policies": ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
    "properties of a bucket that the templates do not set": [
        "s3:PutA*",
        "s3:PutBucketA*",
        "s3:PutBucketCORS",
        "s3:PutBucketLogging",
        "s3:PutBucketNotification",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketReplication",
        "s3:PutBucketVersioning",
        "s3:PutBucketWebsite",
        "s3:PutI*",
        "s3:PutMetricsConfiguration",
        "s3:PutObject?*",
        "s3:PutReplicationConfiguration",
        "s3:DeleteBucket[ACELMRW]*",
        "s3:*MetadataTableConfiguration",
        "s3:UpdateBucketMetadata*",
        "s3tables:*",
    ],
    "a restart, which no parameter here needs": ["redshift:RebootCluster"],
    "the list of all buckets": ["s3:ListAllMyBuckets"],
    "a mistake in the schema": ["initech:*"],
}


def lacking(type_of: str) -> set[str]:
    """Return the actions of a resource's schema that the policy does not grant, and that the templates need."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_of).schema
    handlers = [schema.get("handlers", {}).get(name, {}) for name in ("create", "read", "update", "delete")]
    needed = {action for listed in (*handlers, schema["tagging"]) for action in listed.get("permissions", ())}
    unused = [pattern for patterns in UNUSED.values() for pattern in patterns]
    return {action for action in missing(needed) if not any(fnmatchcase(action, each) for each in unused)}


def main() -> int:
    """Print what is missing for each resource; return the exit code."""
    declared = [template.parse(kind)["Resources"].values() for kind in ("serverless", "provisioned")]
    types = sorted({resource["Type"] for resources in declared for resource in resources})
    found = {type_of: sorted(actions) for type_of in types if (actions := lacking(type_of))}
    lines = (
        f"docs/aws.md: the policy lacks {', '.join(actions)} for {each}. Add it.\n" for each, actions in found.items()
    )
    sys.stdout.write("".join(lines) or "The documented policy allows what the templates need.\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
