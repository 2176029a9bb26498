"""The policy in docs/aws.md allows what the commands call, and what CloudFormation calls for the templates."""

from __future__ import annotations

import re

import pytest
from tests.support.cloud.commands import Cluster
from tests.support.cloud.policy import missing, policy

from sparkify import config
from sparkify.aws import redshift_login
from sparkify.aws.cluster.outputs import outputs

LARGEST = 6_144  # characters of a managed policy without whitespace ("IAM and AWS STS quotas", IAM User Guide)


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
