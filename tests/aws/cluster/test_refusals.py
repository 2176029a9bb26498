"""Errors of AWS are reported with their remedy: permissions, credentials, regions, networks."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.support.cloud.commands import Cluster
from tests.support.cloud.refused import Refused

from sparkify.aws.account import missing_permission

# Codes for an expired login and for unknown keys ("Common Error Types" of the services' API references).
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch")

# The calls of each command, in order; each is denied once.
CALLS = [
    ("setup", "cloudformation:DescribeStacks"),
    ("setup", "ec2:DescribeAvailabilityZones"),
    ("setup", "cloudformation:CreateStack"),
    ("setup", "cloudformation:DescribeStackEvents"),
    ("setup", "redshift-serverless:GetWorkgroup"),
    ("setup", "redshift-serverless:ListUsageLimits"),
    ("setup", "redshift-serverless:CreateUsageLimit"),
    ("setup", "redshift-serverless:GetNamespace"),
    ("teardown", "cloudformation:DeleteStack"),
    ("teardown", "cloudformation:ListStackResources"),
    ("teardown", "cloudformation:ListStacks"),
    ("teardown", "tagging:GetResources"),
    ("teardown", "iam:ListRoles"),
    ("teardown", "redshift:DescribeClusters"),
]


@pytest.mark.parametrize(("command", "action"), CALLS)
def test_missing_permission_is_named_with_the_line_that_grants_it(cluster: Cluster, command: str, action: str) -> None:
    """The message about a denied call has the action and a policy that allows it."""
    if command == "teardown":
        cluster.setup()
    cluster.cloud.denied[action] = "on resource: arn:aws:any:::thing because no identity-based policy allows it"
    ended = cluster(command, "--yes")
    assert ended.code == 1
    assert f"You lack the permission {action}." in ended.err
    assert f'{{"Effect": "Allow", "Action": "{action}", "Resource": "arn:aws:any:::thing"}}' in ended.err
    assert "Traceback" not in ended.err
    cluster.cloud.denied.clear()
    assert cluster(command, "--yes").code == 0


@pytest.mark.ci
def test_missing_permission_inside_the_stack_is_named_too(cluster: Cluster) -> None:
    """A missing permission inside CloudFormation is named too."""
    words = (
        "Resource handler returned message: User: arn:aws:iam::123456789012:user/ada is not authorized to perform:"
        " redshift-serverless:CreateNamespace on resource: arn:aws:redshift-serverless:us-east-1:123456789012:*"
        " because no identity-based policy allows the redshift-serverless:CreateNamespace action"
    )
    cluster.cloud.formation.fails["create", "Namespace"] = words
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert words in ended.err
    assert "You lack the permission redshift-serverless:CreateNamespace." in ended.err
    assert '"Resource": "arn:aws:redshift-serverless:us-east-1:123456789012:*"}' in ended.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("User: x is not authorized to perform: s3:PutObject", '"Action": "s3:PutObject", "Resource": "*"}'),
        (
            "not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/x.",
            '"Resource": "arn:aws:iam::1:role/x"}',
        ),
        (
            "not authorized to perform: s3:Get on resource: y with an explicit deny in a service control policy",
            "Ask the administrator",
        ),
        ("The service is busy", ""),
    ],
)
def test_permission_is_found_in_the_words_of_aws(words: str, expected: str) -> None:
    """The missing permission is found with or without a resource, and an explicit denial is not."""
    assert expected in missing_permission(words)
    assert bool(missing_permission(words)) == bool(expected)


# Credentials, regions, networks


@pytest.mark.parametrize("command", ["setup", "status", "pause", "teardown"])
def test_missing_credentials_are_reported_with_the_remedy(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Without credentials, every command says how to provide them."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ended = cluster(command, *(["--yes"] if command in ("setup", "teardown") else []))
    assert ended.code == 1
    assert "no credentials were found" in ended.err


def test_keys_of_dwh_cfg_are_used_and_never_shown(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """[AWS] KEY and SECRET are used, and never shown."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    Path("dwh.cfg").write_text("[AWS]\nKEY = AKIAMINE\nSECRET = hunter2\n[DWH]\nDWH_DB_PASSWORD = hunter3\n")
    ended = cluster.setup("--write-config")
    cluster.cloud.denied["cloudformation:DeleteStack"] = ""
    failed = cluster("teardown", "--yes")
    assert failed.code == 1
    for secret in ("AKIAMINE", "hunter2", "hunter3"):
        assert secret not in ended.out + ended.err + failed.out + failed.err


@pytest.mark.parametrize(
    ("code", "words"),
    [
        *((code, "your login has expired. Log in again (`aws sso login`)") for code in EXPIRED),
        *((code, "these credentials are not valid. Check AWS_PROFILE, or [AWS] KEY and SECRET.") for code in UNKNOWN),
    ],
)
def test_login_that_aws_rejects_is_reported_at_once(cluster: Cluster, code: str, words: str) -> None:
    """An expired login or unknown keys are reported in one line with the remedy."""
    cluster.cloud.refused["cloudformation:DescribeStacks"] = Refused(code, "The request was not accepted.")
    ended = cluster("status")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"sparkify: AWS: {words}")
    assert cluster.cloud.calls == ["cloudformation:DescribeStacks"]


def test_missing_region_is_wrong_usage(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region, the message names the key to set."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    ended = cluster("setup", "--yes")
    assert ended.code == 2
    assert "[DWH] REGION is empty" in ended.err


def test_unknown_profile_is_reported(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown profile is reported by its name."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    ended = cluster("status")
    assert ended.code == 1
    assert "nobody" in ended.err


@pytest.mark.parametrize(
    "endpoint",
    [
        pytest.param("http://{}", marks=pytest.mark.ci),
        "http://user:s3cret@{}",
        pytest.param("user:s3cret@{}", marks=pytest.mark.ci),
    ],
)
def test_unreachable_aws_is_reported(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """If AWS cannot be reached, the message has its host, and no password."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.format(place))
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        ended = cluster("status")
    assert ended.code == 1
    assert ended.err.startswith("sparkify: AWS: the request failed (")
    assert place in ended.err
    assert "s3cret" not in ended.err
