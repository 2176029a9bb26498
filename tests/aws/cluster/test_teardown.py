"""`sparkify cluster teardown` deletes everything, or lists what is left."""

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
    """After a teardown, the account holds what it held before the setup."""
    before = cluster.cloud.everything()
    cluster.setup("--allow-from", "198.51.100.7")
    cluster.cloud.fill_stage(1_500)
    ended = cluster("teardown", "--yes", "--no-snapshot")
    assert (ended.code, ended.out) == (0, NOTHING)
    assert cluster.cloud.everything() == before


def test_dry_run_lists_what_a_teardown_would_delete(cluster: Cluster) -> None:
    """--dry-run lists resources and data without a question, and changes neither the account nor dwh.cfg."""
    Path("dwh.cfg").touch()
    cluster.setup("--write-config")
    before, written = cluster.cloud.everything(), Path("dwh.cfg").read_text()
    ended = cluster("teardown", "--dry-run")
    assert (ended.code, ended.out) == (0, "")
    assert "the database sparkifydb, with every table" in ended.err
    assert ended.err.endswith("Nothing was changed.\n")
    assert cluster.cloud.everything() == before
    assert Path("dwh.cfg").read_text() == written


@pytest.mark.usefixtures("kind")
def test_second_teardown_finds_nothing(cluster: Cluster) -> None:
    """A second teardown finds nothing to delete, and asks nothing."""
    cluster.setup()
    cluster("teardown", "--yes", "--no-snapshot")
    ended = cluster("teardown")
    assert (ended.code, ended.out) == (0, NOTHING)


def test_teardown_without_a_stack_succeeds(cluster: Cluster) -> None:
    """A teardown without a stack succeeds."""
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


def test_teardown_shows_what_it_would_delete(cluster: Cluster) -> None:
    """A teardown lists resources, database, objects and snapshot before the question, and "no" deletes nothing."""
    cluster.setup()
    cluster.cloud.fill_stage(3)
    before = cluster.cloud.everything()
    ended = cluster("teardown", answer="n\n")
    assert ended.code == 0
    shown, _, rest = ended.err.partition("Delete all of this? [y/N]")
    for name in template.parse("serverless")["Resources"]:
        assert f"  {name} " in shown or name == "AllowedAddresses"
    assert "the database sparkifydb, with every table" in shown
    assert "the stage's 3 objects, 3.0 kB" in shown
    assert "No snapshot is taken (--snapshot for one)." in shown
    assert "Nothing was changed." in rest
    assert cluster.cloud.everything() == before
    assert cluster("teardown").code == 2


@pytest.mark.ci
def test_stage_of_the_user_is_not_emptied(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that setup did not create is neither emptied nor deleted."""
    s3, bucket = cluster.cloud.client("s3"), f"ours-{cluster.cloud.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="stage/theirs", Body=b"x")
    monkeypatch.setenv("SPARKIFY_S3_STAGE", f"s3://{bucket}/stage")
    cluster.setup()
    assert cluster("teardown", "--yes").code == 0
    assert s3.get_object(Bucket=bucket, Key="stage/theirs")["Body"].read() == b"x"


def test_only_resources_of_setup_are_deleted(cluster: Cluster) -> None:
    """Other warehouses, stacks and roles are left alone."""
    cluster.cloud.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    redshift = cluster.cloud.client("redshift")
    redshift.create_cluster(ClusterIdentifier="theirs", NodeType="ra3.large", MasterUsername="a")
    cluster.cloud.serverless.make_namespace({"NamespaceName": "theirs"}, [])
    before = cluster.cloud.everything()
    cluster.setup()
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)
    assert cluster.cloud.everything() == before


# The final snapshot


@pytest.mark.ci
def test_cluster_leaves_a_final_snapshot_by_default(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a snapshot of a cluster is kept and named, which is not a failure."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    before = set(cluster.cloud.everything())
    cluster.setup()
    for _ in range(2):
        ended = cluster("teardown", "--yes")
        assert ended.code == 0
        assert ended.out.startswith("Kept on purpose: arn:aws:redshift:us-east-1:")
        assert ended.out.endswith(NOTHING)
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
    """A cluster leaves a snapshot by default and Serverless does not; both have options."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cluster.setup()
    assert cluster("teardown", "--yes", *option).code == 0
    assert len([thing for thing in cluster.cloud.everything() if thing.startswith("snapshot")]) == kept


@pytest.mark.ci
def test_cluster_whose_change_failed_leaves_its_snapshot_too(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster whose update could not be rolled back leaves a snapshot too."""
    monkeypatch.setenv("SPARKIFY_DWH_DWH_CLUSTER_TYPE", "multi-node")
    cluster.setup()
    cluster.cloud.formation.fails |= {("update", "Cluster"): REASON, ("rollback", ""): REASON}
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NUM_NODES", "3")
    assert "could not be rolled back (UPDATE_ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    assert cluster("teardown", "--yes").code == 0
    assert len([thing for thing in cluster.cloud.everything() if thing.startswith("snapshot")]) == 1


@pytest.mark.ci
def test_nothing_is_deleted_when_the_snapshot_fails(cluster: Cluster) -> None:
    """If the snapshot fails, nothing is deleted."""
    cluster.setup()
    before = [thing for thing in cluster.cloud.everything() if not thing.startswith("snapshot")]
    cluster.cloud.serverless.snapshot_ends = "FAILED"
    ended = cluster("teardown", "--yes", "--snapshot")
    assert ended.code == 1
    assert "the snapshot could not be taken (failed).\nNothing was deleted." in ended.err
    assert [thing for thing in cluster.cloud.everything() if not thing.startswith("snapshot")] == before


# Failing


@pytest.mark.parametrize(("kind", "resource"), RESOURCES, ids=str)
def test_failure_at_any_resource_is_listed_and_the_rest_is_deleted(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, resource: str
) -> None:
    """A resource that cannot be deleted is listed, and a second teardown deletes the rest."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    before = cluster.cloud.everything()
    cluster.setup("--allow-from", "198.51.100.7")
    cluster.cloud.formation.fails["delete", resource] = REASON
    ended = cluster("teardown", "--yes", "--no-snapshot")
    assert ended.code == 1
    assert f"{resource} (AWS::" in ended.err
    assert REASON in ended.err
    (stack,) = cluster.cloud.formation.stacks.values()
    assert resource in stack.live
    for live in stack.live.values():
        assert live.physical in ended.out
    assert len(stack.live) < len(stack.gone) + len(stack.live)
    cluster.cloud.formation.fails.clear()
    assert cluster("teardown", "--yes", "--no-snapshot")[:2] == (0, NOTHING)
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_transient_failure_is_retried(cluster: Cluster) -> None:
    """A transient failure is retried."""
    cluster.setup()
    cluster.cloud.formation.fails["delete", "Firewall"] = REASON
    cluster.cloud.formation.fails_once.add(("delete", "Firewall"))
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


@pytest.mark.ci
def test_bucket_that_cannot_be_emptied_does_not_keep_the_warehouse(cluster: Cluster) -> None:
    """A bucket that cannot be emptied is listed, and everything else is deleted."""
    cluster.setup()
    cluster.cloud.fill_stage()
    bucket = cluster.cloud.stage_bucket()
    cluster.cloud.denied["s3:DeleteObjects"] = f"on resource: arn:aws:s3:::{bucket}/stage/0.json"
    ended = cluster("teardown", "--yes")
    assert ended.code == 1
    assert bucket in ended.out
    assert cluster.cloud.serverless.workgroups == {}
    assert "AWS::S3::Bucket" in ended.out
    cluster.cloud.denied.clear()
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


@pytest.mark.ci
def test_missing_list_permission_hides_nothing_else(cluster: Cluster) -> None:
    """Without the permission to list some resources, all others are deleted or listed."""
    cluster.setup()
    cluster.cloud.denied |= {"iam:ListRoles": "", "s3:ListObjectVersions": ""}
    cluster.cloud.formation.fails["delete", "Network"] = REASON
    ended = cluster("teardown", "--yes")
    assert ended.code == 1
    assert "the content of the stage, which you lack the permission to list" in ended.err
    for words in (
        "the permission iam:ListRoles",
        "the permission s3:ListObjectVersions",
        f"Network (AWS::EC2::VPC): {REASON}",
    ):
        assert words in ended.err
    assert "AWS::EC2::VPC vpc-" in ended.out
    cluster.cloud.formation.fails.clear()
    ended = cluster("teardown", "--yes")
    assert (ended.code, ended.out) == (
        1,
        "Nothing is known to be left of sparkify, but not everything could be checked.\n",
    )


# Leftovers


@pytest.mark.ci
def test_lagging_tags_are_no_false_alarm(cluster: Cluster) -> None:
    """Deleted resources that the Tagging API still lists are not reported."""
    cluster.cloud.tagging.lag = 10_000
    cluster.setup()
    assert cluster("teardown", "--yes")[:2] == (0, NOTHING)


@pytest.mark.ci
@pytest.mark.usefixtures("kind")
def test_remaining_secret_is_listed(cluster: Cluster) -> None:
    """The administrator's secret, which is not part of the stack, is listed if it remains."""
    cluster.setup()
    secrets = cluster.cloud.client("secretsmanager")
    (arn,) = [secret["ARN"] for secret in secrets.list_secrets()["SecretList"]]
    cluster.cloud.formation.kept_secrets.add(arn)
    ended = cluster("teardown", "--yes", "--no-snapshot")
    assert ended.code == 1
    assert f"Left of sparkify:\n  {arn}\n" in ended.out


@pytest.mark.parametrize("what", ["workgroup", "cluster", "role", "bucket"])
def test_resource_with_the_tag_is_listed(cluster: Cluster, what: str) -> None:
    """A resource with the project's tag outside any stack is listed, with exit code 1."""
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
    ended = cluster("teardown", "--yes")
    assert ended.code == 1
    assert ended.out.startswith("Left of sparkify:\n")
    assert "lost" in ended.out


# Interrupted


@pytest.mark.parametrize("after", [1, 2, 7, 13, 22])
@pytest.mark.usefixtures("kind")
def test_interrupted_teardown_is_completed_by_the_next(cluster: Cluster, after: int) -> None:
    """An interrupted teardown says that the rest costs money, and the next one completes it without a question."""
    before = cluster.cloud.everything()
    cluster.setup()
    ended = cluster.interrupted(after, "teardown", "--yes", "--no-snapshot")
    assert ended.code == 130
    assert "the rest still costs money. Run `sparkify cluster teardown` again" in ended.err
    assert cluster("teardown", "--no-snapshot")[:2] == (0, NOTHING)
    assert cluster.cloud.everything() == before


@pytest.mark.ci
@pytest.mark.usefixtures("kind")
def test_config_is_emptied_after_an_interrupted_teardown(cluster: Cluster) -> None:
    """A teardown removes a warehouse from dwh.cfg that AWS deleted after an interruption."""
    cluster.setup("--write-config")
    cluster.interrupted(1, "teardown", "--yes", "--no-snapshot")
    cluster.cloud.formation.finish()
    ended = cluster("teardown", "--yes")
    assert (ended.code, ended.out) == (0, NOTHING)
    assert "Removed the deleted warehouse from dwh.cfg." in ended.err
    loaded = config.load()
    assert (loaded.cluster.host, loaded.iam_role_arn, loaded.stage) == ("", "", "")


@pytest.mark.ci
def test_config_keeps_other_settings(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage of the user, and a warehouse of another account, stay in dwh.cfg."""
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


@pytest.mark.ci
def test_interrupted_teardown_takes_its_snapshot_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted teardown takes its snapshot only once."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    assert cluster.interrupted(1, "teardown", "--yes").code == 130
    assert cluster("teardown", "--yes").code == 0
    assert len([thing for thing in cluster.cloud.everything() if thing.startswith("snapshot")]) == 1


@pytest.mark.ci
def test_setup_after_an_interrupted_teardown_starts_again(cluster: Cluster) -> None:
    """A setup waits for a running deletion, and then creates the warehouse."""
    cluster.setup()
    cluster.interrupted(5, "teardown", "--yes")
    ended = cluster.setup()
    assert "AWS is working on sparkify (DELETE_IN_PROGRESS)" in ended.err
    assert len(cluster.cloud.serverless.workgroups) == 1
