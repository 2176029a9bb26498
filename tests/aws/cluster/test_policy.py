"""The policy in docs/aws.md allows what the commands call, and what CloudFormation calls for the templates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

import pytest
from tests.support.cloud.commands import Cluster
from tests.support.realdata import REPOSITORY

from sparkify import config
from sparkify.aws import redshift_login
from sparkify.aws.cluster import template
from sparkify.aws.cluster.outputs import outputs

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
LARGEST = 6_144  # characters of a managed policy without whitespace ("IAM and AWS STS quotas", IAM User Guide)


def policy() -> tuple[str, list[str]]:
    """Return the text of the documented policy, and the patterns of the actions that it grants."""
    text = (REPOSITORY / "docs" / "aws.md").read_text("utf-8")
    (found,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    return found, [action for statement in json.loads(found)["Statement"] for action in statement["Action"]]


def missing(needed: Iterable[str]) -> set[str]:
    """Return the actions that the documented policy does not grant; IAM ignores case."""
    granted = [pattern.lower() for pattern in policy()[1]]
    return {action for action in needed if not any(fnmatchcase(action.lower(), pattern) for pattern in granted)}


@pytest.mark.parametrize("kind", ["serverless", "provisioned"])
def test_documented_policy_covers_the_schemas_of_the_templates(kind: str) -> None:
    """The policy allows what a resource's schema lists, except for properties that the templates do not use.

    `make lint` installs cfn-lint, which has the schemas, and runs this test.
    """
    schemas = pytest.importorskip("cfnlint.schema.manager").PROVIDER_SCHEMA_MANAGER
    unused = [pattern for patterns in UNUSED.values() for pattern in patterns]
    for type_of in {declared["Type"] for declared in template.parse(kind)["Resources"].values()}:
        schema = schemas.get_resource_schema("us-east-1", type_of).schema
        handlers = [schema.get("handlers", {}).get(name, {}) for name in ("create", "read", "update", "delete")]
        needed = {action for listed in (*handlers, schema["tagging"]) for action in listed.get("permissions", ())}
        lacking = {action for action in missing(needed) if not any(fnmatchcase(action, each) for each in unused)}
        assert lacking == set(), type_of


def test_documented_policy_fits_into_a_managed_policy() -> None:
    """The policy is not larger than IAM accepts."""
    assert len(re.sub(r"\s", "", policy()[0])) <= LARGEST


@pytest.mark.ci
def test_documented_policy_covers_every_call(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy in docs/aws.md allows every call that any command makes."""
    for kind in ("serverless", "provisioned"):
        monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
        cluster.setup()
        cluster.setup("--allow-from", "198.51.100.7")
        cluster.cloud.fill_stage()
        found = outputs(config.load())
        user, _ = redshift_login.administrator(found.host, found.secret_arn, found.region, config.Aws())
        assert user == "sparkify_admin"
        for arguments in (["status"], ["pause"], ["resume"], ["teardown", "--yes", "--snapshot"]):
            assert cluster(*arguments).code == 0
    names = {
        "s3:ListObjectVersions": {"s3:ListBucketVersions"},
        "s3:DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
        "tagging:GetResources": {"tag:GetResources"},
        "sts:GetCallerIdentity": set(),  # This call needs no permission.
    }
    assert missing(action for call in cluster.cloud.calls for action in names.get(call, {call})) == set()
