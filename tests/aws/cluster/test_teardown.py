"""Tearing down: nothing is left, or a list of what is; twice, interrupted, failing at each resource."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.cloud.commands import Cluster

from sparkify import config
from sparkify.aws.cluster import dwh_cfg, template

REASON = "Resource handler returned message: The network interface is in use (Service: Ec2, Status Code: 400)"
NOTHING = "Nothing is left of sparkify.\n"
RESOURCES = [(kind, name) for kind in ("serverless", "provisioned") for name in template.parse(kind)["Resources"]]


@pytest.mark.usefixtures("kind")
def test_teardown_leaves_nothing(cluster: Cluster) -> None:
    """Afterwards the account holds what it held before the setup, asked service by service, and exit code is 0."""
    before = cluster.cloud.everything()
    cluster.setup("--allow-from", "198.51.100.7")
    cluster.cloud.fill_stage(1_500)
    said = cluster("teardown", "--yes", "--no-snapshot")
    assert (said.code, said.out) == (0, NOTHING)
    assert cluster.cloud.everything() == before


@pytest.mark.usefixtures("kind")
def test_teardown_twice_is_fine(cluster: Cluster) -> None:
    """The second teardown finds nothing to do, asks nothing, and ends as well as the first."""
    cluster.setup()
    cluster("teardown", "--yes", "--no-snapshot")
    said = cluster("teardown")
    assert (said.code, said.out) == (0, NOTHING)


def test_teardown_of_what_never_was_is_fine(cluster: Cluster) -> None:
    """Without a stack there is nothing to delete, and nothing is left."""
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


def test_teardown_shows_what_goes_before_it_asks(cluster: Cluster) -> None:
    """Every resource, the database, the staged objects and the snapshot are named; the answer no deletes nothing."""
    cluster.setup()
    cluster.cloud.fill_stage(3)
    before = cluster.cloud.everything()
    said = cluster("teardown", answer="n\n")
    assert said.code == 0
    shown, _, rest = said.err.partition("Delete all of this? [y/N]")
    for name in template.parse("serverless")["Resources"]:
        assert f"  {name} " in shown or name == "AllowedAddresses"
    assert "the database sparkifydb, with every table" in shown
    assert "the stage's 3 objects, 3.0 kB" in shown
    assert "No snapshot is taken (--snapshot for one)." in shown
    assert "Nothing was changed." in rest
    assert cluster.cloud.everything() == before
    assert cluster("teardown").code == 2


def test_stage_of_the_users_own_is_not_emptied(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that setup did not make is neither emptied nor deleted."""
    s3, bucket = cluster.cloud.client("s3"), f"ours-{cluster.cloud.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="stage/theirs", Body=b"x")
    monkeypatch.setenv("SPARKIFY_S3_STAGE", f"s3://{bucket}/stage")
    cluster.setup()
    assert cluster("teardown", "--yes").code == 0
    assert s3.get_object(Bucket=bucket, Key="stage/theirs")["Body"].read() == b"x"


def test_only_what_setup_made_is_deleted(cluster: Cluster) -> None:
    """Another warehouse, another stack, another role beside it stand afterwards as they did before."""
    cluster.cloud.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    redshift = cluster.cloud.client("redshift")
    redshift.create_cluster(ClusterIdentifier="theirs", NodeType="ra3.large", MasterUsername="a")
    cluster.cloud.serverless.make_namespace({"NamespaceName": "theirs"}, [])
    before = cluster.cloud.everything()
    cluster.setup()
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)
    assert cluster.cloud.everything() == before


# The final snapshot


def test_cluster_leaves_a_final_snapshot_unless_told_otherwise(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a provisioned cluster a snapshot is kept by default; it is named as kept on purpose, and no reason to fail."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    before = set(cluster.cloud.everything())
    cluster.setup()
    for _ in range(2):
        said = cluster("teardown", "--yes")
        assert said.code == 0
        assert said.out.startswith("Kept on purpose: arn:aws:redshift:us-east-1:")
        assert said.out.endswith(NOTHING)
        (kept,) = set(cluster.cloud.everything()) - before
        assert kept.startswith("snapshot sparkify-")


@pytest.mark.parametrize(
    ("kind", "option", "kept"),
    [
        ("provisioned", [], 1),
        ("provisioned", ["--no-snapshot"], 0),
        ("serverless", [], 0),
        ("serverless", ["--snapshot"], 1),
    ],
)
def test_snapshot_is_the_users_choice(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, option: list[str], kept: int
) -> None:
    """A snapshot by default for a cluster, none for Serverless; either can be had otherwise."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cluster.setup()
    assert cluster("teardown", "--yes", *option).code == 0
    assert len([thing for thing in cluster.cloud.everything() if thing.startswith("snapshot")]) == kept


def test_cluster_whose_change_failed_leaves_its_snapshot_too(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is stuck in a change which could not be undone still has its data: a snapshot is kept of it."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    cluster.cloud.formation.fails |= {("update", "Cluster"): REASON, ("rollback", ""): REASON}
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NUM_NODES", "2")
    assert "could not be rolled back (UPDATE_ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    assert cluster("teardown", "--yes").code == 0
    assert len([thing for thing in cluster.cloud.everything() if thing.startswith("snapshot")]) == 1


def test_nothing_is_deleted_when_the_snapshot_fails(cluster: Cluster) -> None:
    """Who wants a snapshot and cannot have it keeps the warehouse."""
    cluster.setup()
    before = [thing for thing in cluster.cloud.everything() if not thing.startswith("snapshot")]
    cluster.cloud.serverless.snapshot_ends = "FAILED"
    said = cluster("teardown", "--yes", "--snapshot")
    assert said.code == 1
    assert "the snapshot could not be taken (failed).\nNothing was deleted." in said.err
    assert [thing for thing in cluster.cloud.everything() if not thing.startswith("snapshot")] == before


# Failing


@pytest.mark.parametrize(("kind", "resource"), RESOURCES, ids=str)
def test_failure_at_any_resource_is_listed_and_the_rest_goes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, resource: str
) -> None:
    """What cannot be deleted is told in AWS's words and listed, with exit code 1; a second teardown has the rest."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    before = cluster.cloud.everything()
    cluster.setup("--allow-from", "198.51.100.7")
    cluster.cloud.formation.fails["delete", resource] = REASON
    said = cluster("teardown", "--yes", "--no-snapshot")
    assert said.code == 1
    assert f"{resource} (AWS::" in said.err
    assert REASON in said.err
    (stack,) = cluster.cloud.formation.stacks.values()
    assert resource in stack.live
    for live in stack.live.values():
        assert live.physical in said.out
    assert len(stack.live) < len(stack.gone) + len(stack.live)
    cluster.cloud.formation.fails.clear()
    assert cluster("teardown", "--yes", "--no-snapshot")[:2] == (0, NOTHING)
    assert cluster.cloud.everything() == before


def test_passing_failure_is_tried_again(cluster: Cluster) -> None:
    """A network interface that is freed late costs a second attempt, not the user's attention."""
    cluster.setup()
    cluster.cloud.formation.fails["delete", "Firewall"] = REASON
    cluster.cloud.formation.fails_once.add(("delete", "Firewall"))
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


def test_bucket_that_cannot_be_emptied_does_not_keep_the_warehouse(cluster: Cluster) -> None:
    """The permission to empty the stage is missing: all that costs more goes nevertheless, and the bucket is listed."""
    cluster.setup()
    cluster.cloud.fill_stage()
    bucket = cluster.cloud.stage_bucket()
    cluster.cloud.denied["s3:DeleteObjects"] = f"on resource: arn:aws:s3:::{bucket}/stage/0.json"
    said = cluster("teardown", "--yes")
    assert said.code == 1
    assert bucket in said.out
    assert cluster.cloud.serverless.workgroups == {}
    assert "AWS::S3::Bucket" in said.out
    cluster.cloud.denied.clear()
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


def test_what_may_not_be_asked_hides_nothing_else(cluster: Cluster) -> None:
    """Without the permission to list roles and to list the stage, all else is deleted, told and listed."""
    cluster.setup()
    cluster.cloud.denied |= {"iam:ListRoles": "", "s3:ListObjectVersions": ""}
    cluster.cloud.formation.fails["delete", "Network"] = REASON
    said = cluster("teardown", "--yes")
    assert said.code == 1
    assert "the content of the stage, which you lack the permission to list" in said.err
    for words in (
        "the permission iam:ListRoles",
        "the permission s3:ListObjectVersions",
        f"Network (AWS::EC2::VPC): {REASON}",
    ):
        assert words in said.err
    assert "AWS::EC2::VPC vpc-" in said.out
    cluster.cloud.formation.fails.clear()
    said = cluster("teardown", "--yes")
    assert (said.code, said.out) == (
        1,
        "Nothing is known to be left of sparkify, but not everything could be checked.\n",
    )


# What is left


def test_lagging_tags_are_no_false_alarm(cluster: Cluster) -> None:
    """The Tagging API lists what is gone for minutes; what CloudFormation has deleted is not listed for that."""
    cluster.cloud.tagging.lag = 10_000
    cluster.setup()
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


@pytest.mark.usefixtures("kind")
def test_forgotten_secret_is_found(cluster: Cluster) -> None:
    """The administrator's secret is not the stack's: it is asked for by its ARN, and listed if it stands."""
    cluster.setup()
    secrets = cluster.cloud.client("secretsmanager")
    (arn,) = [secret["ARN"] for secret in secrets.list_secrets()["SecretList"]]
    cluster.cloud.formation.kept_secrets.add(arn)
    said = cluster("teardown", "--yes", "--no-snapshot")
    assert said.code == 1
    assert f"Left of sparkify:\n  {arn}\n" in said.out


@pytest.mark.parametrize("what", ["workgroup", "cluster", "role", "bucket"])
def test_whatever_still_carries_the_tag_is_listed(cluster: Cluster, what: str) -> None:
    """A resource with the project's tag that no stack knows of is found, with exit code 1."""
    cloud, tags = cluster.cloud, [{"Key": "sparkify:project", "Value": "sparkify"}]
    if what == "workgroup":
        properties = {"BaseCapacity": 4, "PubliclyAccessible": False, "Port": 5439}
        cloud.serverless.make_workgroup({"WorkgroupName": "lost", **properties}, tags)
    elif what == "cluster":
        redshift = cloud.client("redshift")
        redshift.create_cluster(ClusterIdentifier="lost", NodeType="ra3.large", MasterUsername="a", Tags=tags)
    elif what == "role":
        cloud.client("iam").create_role(RoleName="lost", Path="/sparkify/sparkify/", AssumeRolePolicyDocument="{}")
    else:
        cloud.tagging.lag = 10_000
        cloud.tagging.forget("arn:aws:s3:::lost", tags)
    said = cluster("teardown", "--yes")
    assert said.code == 1
    assert said.out.startswith("Left of sparkify:\n")
    assert "lost" in said.out


# Interrupted


@pytest.mark.parametrize("after", [1, 2, 11, 22, 33])
@pytest.mark.usefixtures("kind")
def test_interrupted_teardown_is_gone_on_with(cluster: Cluster, after: int) -> None:
    """Ctrl-C says that what is not deleted costs on; the next teardown asks nothing again, and leaves nothing."""
    before = cluster.cloud.everything()
    cluster.setup()
    said = cluster.interrupted(after, "teardown", "--yes", "--no-snapshot")
    assert said.code == 130
    assert "the rest still costs money. Run `sparkify cluster teardown` again" in said.err
    assert cluster("teardown", "--no-snapshot")[:2] == (0, NOTHING)
    assert cluster.cloud.everything() == before


@pytest.mark.usefixtures("kind")
def test_config_is_emptied_also_of_what_aws_deleted_alone(cluster: Cluster) -> None:
    """After Ctrl-C AWS may end the teardown by itself: the next one still takes out of dwh.cfg what is gone."""
    cluster.setup("--write-config")
    cluster.interrupted(1, "teardown", "--yes", "--no-snapshot")
    cluster.cloud.formation.finish()
    said = cluster("teardown", "--yes")
    assert (said.code, said.out) == (0, NOTHING)
    assert "Removed the deleted warehouse from dwh.cfg." in said.err
    loaded = config.load()
    assert (loaded.cluster.host, loaded.iam_role_arn, loaded.stage) == ("", "", "")


def test_config_keeps_what_setup_did_not_make(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage of the user's own, and a warehouse of another account, stand in dwh.cfg after a teardown as before."""
    bucket = f"ours-{cluster.cloud.account}"
    cluster.cloud.client("s3").create_bucket(Bucket=bucket)
    monkeypatch.setenv("SPARKIFY_S3_STAGE", f"s3://{bucket}/stage")
    cluster.setup("--write-config")
    monkeypatch.delenv("SPARKIFY_S3_STAGE")
    host = "sparkify.999999999999.us-east-1.redshift-serverless.amazonaws.com"
    role = "arn:aws:iam::999999999999:role/sparkify/sparkify/Role"
    dwh_cfg.write(Path("dwh.cfg"), {("CLUSTER", "HOST"): host, ("IAM_ROLE", "ARN"): role})
    assert cluster("teardown", "--yes").code == 0
    loaded = config.load()
    assert (loaded.cluster.host, loaded.iam_role_arn, loaded.stage) == (host, role, f"s3://{bucket}/stage")


def test_interrupted_teardown_takes_its_snapshot_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A teardown that goes on with another's deletion does not ask a half-deleted cluster for a second snapshot."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    assert cluster.interrupted(1, "teardown", "--yes").code == 130
    assert cluster("teardown", "--yes").code == 0
    assert len([thing for thing in cluster.cloud.everything() if thing.startswith("snapshot")]) == 1


def test_setup_after_an_interrupted_teardown_begins_anew(cluster: Cluster) -> None:
    """A setup waits for what is being deleted, and makes it new."""
    cluster.setup()
    cluster.interrupted(5, "teardown", "--yes")
    said = cluster.setup()
    assert "AWS is working on sparkify (DELETE_IN_PROGRESS)" in said.err
    assert len(cluster.cloud.serverless.workgroups) == 1
