"""`sparkify cluster setup`: from nothing, twice, with changes, with failures, and interrupted."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from tests.support.cloud import Cloud
from tests.support.cloud.commands import Cluster
from tests.support.realdata import REPOSITORY

from sparkify.aws.cluster import template

REASON = "Resource handler returned message: The service is busy (Service: Any, Status Code: 500)"
RESOURCES = [(kind, name) for kind in ("serverless", "provisioned") for name in template.parse(kind)["Resources"]]


def count(cluster: Cluster, what: str) -> int:
    """Return how often AWS received a call."""
    return cluster.cloud.calls.count(what)


@pytest.mark.ci
def test_zone_without_serverless_is_skipped(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """No subnet is created in an outdated zone, whatever name the account has for it."""
    monkeypatch.setattr(RegionsAndZonesBackend.zones["us-east-1"][0], "zone_id", "use1-az3")
    cluster.setup()
    (stack,) = cluster.cloud.formation.stacks.values()
    assert stack.parameters["Zones"] == "us-east-1b,us-east-1c"


@pytest.mark.usefixtures("kind")
def test_setup_creates_and_tags_every_resource(cluster: Cluster) -> None:
    """Setup creates every resource of the template, names each one, and tags the stack with the project."""
    ended = cluster.setup("--allow-from", "198.51.100.7")
    (stack,) = cluster.cloud.formation.stacks.values()
    assert stack.status == "CREATE_COMPLETE"
    assert {"Key": "sparkify:project", "Value": "sparkify"} in stack.tags
    for name in stack.template["Resources"]:
        assert f"  creating  {name}\n" in ended.err
        assert f"  created   {name}\n" in ended.err
    assert ended.out.startswith("The warehouse sparkify is ready.")


def test_setup_limits_the_cost_of_serverless(cluster: Cluster) -> None:
    """After setup, Serverless has a monthly limit at which queries are rejected."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    assert (limit["amount"], limit["period"], limit["breachAction"]) == (106, "monthly", "deactivate")
    assert limit["resourceArn"] == cluster.cloud.serverless.workgroups["sparkify"]["workgroupArn"]


@pytest.mark.ci
def test_changed_limit_is_changed_in_aws(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new MONTHLY_LIMIT replaces the old limit."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_MONTHLY_LIMIT", "80")
    assert "The limit is now 213 RPU-hours a month; it was 106." in cluster.setup().err
    assert [limit["amount"] for limit in cluster.cloud.serverless.limits.values()] == [213]


@pytest.mark.ci
def test_missing_limit_is_set_again(cluster: Cluster) -> None:
    """Setup sets a missing limit again."""
    cluster.setup()
    cluster.cloud.serverless.limits.clear()
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


@pytest.mark.ci
def test_limit_that_cannot_be_set_is_an_error(cluster: Cluster) -> None:
    """A warehouse without a limit is an error."""
    cluster.cloud.denied["redshift-serverless:CreateUsageLimit"] = ""
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "sparkify: the warehouse exists, but nothing limits its cost." in ended.err
    cluster.cloud.denied.clear()
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


@pytest.mark.ci
def test_changed_limit_is_asked_for(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the limit is shown before the question, and "no" leaves the limit unchanged."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_MONTHLY_LIMIT", "100000")
    for answer, amount in (("n\n", 106), ("y\n", 266_666)):
        ended = cluster("setup", answer=answer)
        assert ended.code == 0
        shown, _, _ = ended.err.partition("Make these changes? [y/N]")
        assert "  change  UsageLimit (266,666 RPU-hours a month; now 106)" in shown
        assert [limit["amount"] for limit in cluster.cloud.serverless.limits.values()] == [amount]


@pytest.mark.ci
@pytest.mark.parametrize("action", ["log", "emit-metric"])
def test_limit_without_effect_is_replaced(cluster: Cluster, action: str) -> None:
    """Setup replaces a limit that only logs by one that stops queries."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    limit |= {"breachAction": action, "amount": 50}
    assert "The limit is now 106 RPU-hours a month; it was 50, and stopped no query." in cluster.setup().err
    assert (limit["amount"], limit["breachAction"]) == (106, "deactivate")


@pytest.mark.ci
@pytest.mark.parametrize("action", ["log", "deactivate"])
def test_other_limit_stays(cluster: Cluster, action: str) -> None:
    """Setup does not change an additional limit of the user."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    theirs = {**limit, "usageLimitId": "theirs", "breachAction": action, "amount": 80}
    cluster.cloud.serverless.limits = {"theirs": theirs, limit["usageLimitId"]: limit}
    assert cluster.setup().out.startswith("Nothing to change")
    assert (theirs["amount"], theirs["breachAction"]) == (80, action)


@pytest.mark.usefixtures("kind")
def test_second_setup_changes_nothing(cluster: Cluster) -> None:
    """A second setup changes nothing and begins no update."""
    cluster.setup("--allow-from", "198.51.100.7")
    before = cluster.cloud.everything()
    ended = cluster.setup("--allow-from", "198.51.100.7")
    assert ended.out.startswith("Nothing to change")
    assert cluster.cloud.everything() == before
    assert count(cluster, "cloudformation:ExecuteChangeSet") == 0
    assert not next(iter(cluster.cloud.formation.stacks.values())).change_sets


def test_changed_dwh_cfg_shows_its_changes_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update is shown before the question, and "no" leaves everything unchanged."""
    cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    ended = cluster("setup", "--allow-from", "198.51.100.7", answer="n\n")
    assert ended.code == 0
    shown, _, rest = ended.err.partition("Make these changes? [y/N]")
    assert "  add     AllowedAddresses" in shown
    assert "  change  Workgroup (BaseCapacity, PubliclyAccessible)" in shown
    assert "Nothing was changed." in rest
    assert cluster.cloud.everything() == before
    assert count(cluster, "cloudformation:ExecuteChangeSet") == 0


@pytest.mark.ci
def test_agreed_change_is_made(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """After "yes", the warehouse is as in dwh.cfg, and everything else is unchanged."""
    cluster.setup()
    before = set(cluster.cloud.everything())
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    ended = cluster("setup", "--allow-from", "198.51.100.7", answer="y\n")
    assert ended.code == 0, ended.err
    workgroup = cluster.cloud.serverless.workgroups["sparkify"]
    assert (workgroup["baseCapacity"], workgroup["publiclyAccessible"]) == (8, True)
    added = set(cluster.cloud.everything()) - before
    assert len(added) == 1
    assert next(iter(added)).startswith("sgr-")


def test_setup_asks_before_it_creates_anything(cluster: Cluster) -> None:
    """Without "yes" setup creates nothing, and without a terminal it needs --yes."""
    before = cluster.cloud.everything()
    assert cluster("setup", answer="n\n").code == 0
    ended = cluster("setup")
    assert ended.code == 2
    assert "Set this up? Pass --yes to confirm." in ended.err
    assert cluster.cloud.everything() == before
    assert count(cluster, "cloudformation:CreateStack") == 0


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("provisioned", "DWH_DB", "another"),
        ("provisioned", "DWH_DB_USER", "another"),
        ("serverless", "DWH_DB", "another"),
        ("serverless", "DWH_DB_USER", "another"),
    ],
)
def test_change_that_would_lose_the_data_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, key: str, value: str
) -> None:
    """An update that would replace the cluster, and delete its data, is not begun."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv(f"SPARKIFY_DWH_{key}", value)
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert re.search(
        "cannot be changed without a new (cluster|namespace), and the data would be deleted with the old", ended.err
    )
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_change_that_may_lose_the_data_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that might replace the cluster is not begun."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    monkeypatch.setenv("SPARKIFY_DWH_DWH_CLUSTER_TYPE", "multi-node")
    cluster.setup()
    cluster.cloud.formation.undecided.add("Cluster")
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NUM_NODES", "3")
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "cannot be changed without a new cluster, and the data would be deleted with the old" in ended.err
    assert count(cluster, "cloudformation:ExecuteChangeSet") == 0


@pytest.mark.ci
def test_kind_of_an_existing_warehouse_is_not_changed(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Serverless warehouse is not replaced by a cluster without its data."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "is serverless, but dwh.cfg now calls for provisioned" in ended.err


def test_stack_without_the_tag_is_left_alone(cluster: Cluster) -> None:
    """A stack of the same name without the project's tag is neither changed nor deleted."""
    text = template.text("serverless")
    values = {"Name": "theirs", "Zones": "us-east-1a,us-east-1b,us-east-1c", "DatabaseName": "d", "AdminUser": "a"}
    values |= {"Port": "5439", "BaseCapacity": "8"}
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    client = cluster.cloud.client("cloudformation")
    client.create_stack(StackName="sparkify", TemplateBody=text, Parameters=given, Tags=[])
    cluster.cloud.formation.finish()
    before = cluster.cloud.everything()
    for command in ("setup", "teardown"):
        ended = cluster(command, "--yes")
        assert ended.code == 1
        assert "so sparkify did not create it" in ended.err
    assert cluster.cloud.everything() == before


# Failing


@pytest.mark.parametrize(("kind", "resource"), RESOURCES, ids=str)
def test_failure_at_any_resource_is_rolled_back_and_reported(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, resource: str
) -> None:
    """A resource that cannot be created is named, nothing is left, and the next setup succeeds."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cloud = cluster.cloud
    before = cloud.everything()
    cloud.formation.fails["create", resource] = REASON
    ended = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert ended.code == 1
    assert f"{resource} (AWS::" in ended.err
    assert REASON in ended.err
    assert "was rolled back; nothing is left" in ended.err
    assert "cancelled" not in ended.err
    assert cloud.everything() == before
    cloud.formation.fails.clear()
    cluster.setup("--allow-from", "198.51.100.7")


@pytest.mark.ci
def test_rollback_that_fails_leads_to_teardown(cluster: Cluster) -> None:
    """If the rollback fails too, setup advises a teardown, which deletes everything."""
    before = cluster.cloud.everything()
    cluster.cloud.formation.fails |= {("create", "Workgroup"): REASON, ("delete", "Role"): REASON}
    assert "could not be rolled back (ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    cluster.cloud.formation.fails.clear()
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "Run `sparkify cluster teardown`" in ended.err
    assert cluster("teardown", "--yes").code == 0
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_update_that_fails_leaves_the_warehouse_as_it_was(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed update is rolled back and reported, and can be tried again."""
    cluster.setup()
    before = cluster.cloud.everything()
    cluster.cloud.formation.fails["update", "Workgroup"] = REASON
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    ended = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert ended.code == 1
    assert "the stack could not be changed, and the change was rolled back" in ended.err
    assert f"Workgroup (AWS::RedshiftServerless::Workgroup): {REASON}" in ended.err
    assert cluster.cloud.everything() == before
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 4
    cluster.cloud.formation.fails.clear()
    cluster.setup("--allow-from", "198.51.100.7")
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


@pytest.mark.ci
def test_failed_rollback_of_an_update_is_continued(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setup continues the rollback of an update that could not be rolled back."""
    cluster.setup()
    cluster.cloud.formation.fails |= {("update", "Workgroup"): REASON, ("rollback", ""): REASON}
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    assert "could not be rolled back (UPDATE_ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    cluster.cloud.formation.fails.clear()
    assert "could not be rolled back. Trying again." in cluster.setup().err
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


@pytest.mark.ci
def test_throttled_calls_are_retried(cluster: Cluster) -> None:
    """Throttled calls are retried."""
    cluster.cloud.throttled["cloudformation:DescribeStackEvents"] = 2
    cluster.cloud.throttled["redshift-serverless:CreateUsageLimit"] = 1
    cluster.setup()
    assert cluster.cloud.throttled.total() == 0


# Interrupted


@pytest.mark.parametrize("after", [1, 2, 7, 13, 22])
@pytest.mark.usefixtures("kind")
def test_interrupted_setup_is_completed_by_the_next(cluster: Cluster, after: int) -> None:
    """After Ctrl-C, AWS continues, and the next setup waits for it and completes the warehouse."""
    ended = cluster.interrupted(after, "setup", "--yes")
    assert ended.code == 130
    assert "AWS continues with the stack sparkify" in ended.err
    assert "cluster teardown" in ended.err
    ended = cluster.setup()
    assert "AWS is working on sparkify (CREATE_IN_PROGRESS)" in ended.err
    assert count(cluster, "cloudformation:CreateStack") == 1
    before = cluster.cloud.everything()
    assert cluster.setup().out.startswith("Nothing to change")
    assert cluster.cloud.everything() == before


@pytest.mark.parametrize("after", [1, 2, 7, 13, 22])
@pytest.mark.usefixtures("kind")
def test_interrupted_setup_is_deleted_by_teardown(cluster: Cluster, after: int) -> None:
    """Whenever setup was interrupted, a teardown deletes everything."""
    before = cluster.cloud.everything()
    assert cluster.interrupted(after, "setup", "--yes").code == 130
    ended = cluster("teardown", "--yes", "--no-snapshot")
    assert (ended.code, ended.out) == (0, "Nothing is left of sparkify.\n")
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_interrupted_setup_says_that_nothing_limits_the_cost(cluster: Cluster) -> None:
    """A setup of Serverless that is interrupted says that nothing limits the cost yet."""
    for _ in range(2):
        ended = cluster.interrupted(2, "setup", "--yes")
        assert "Nothing limits its cost until a setup completes and sets the limit." in ended.err
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


@pytest.mark.ci
@pytest.mark.parametrize("after", [2, 31])
def test_limit_is_set_even_if_a_change_is_declined_or_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Setup sets a missing limit even if a change is declined or impossible."""
    cluster.interrupted(after, "setup", "--yes", "--allow-from", "198.51.100.7")
    ended = cluster("setup", answer="n\n")
    assert ended.code == 0
    assert "Set the limit: 106 RPU-hours a month" in ended.err
    assert len(cluster.cloud.serverless.limits) == 1
    cluster.cloud.serverless.limits.clear()
    monkeypatch.setenv("SPARKIFY_DWH_DWH_DB", "another")
    ended = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert ended.code == 1
    assert "the data would be deleted with the old one" in ended.err
    assert len(cluster.cloud.serverless.limits) == 1


@pytest.mark.ci
def test_missing_limit_of_another_kind_is_reported(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setup reports a missing limit that it cannot set, because dwh.cfg asks for a cluster."""
    cluster.setup()
    cluster.cloud.serverless.limits.clear()
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    assert "Nothing limits the cost of sparkify." in cluster("setup", "--yes").err


@pytest.mark.ci
def test_command_to_continue_keeps_allowed_addresses(cluster: Cluster) -> None:
    """The command that setup advises after Ctrl-C contains the allowed addresses."""
    for _ in range(2):
        ended = cluster.interrupted(2, "setup", "--yes", "--allow-from", "198.51.100.7")
        assert "Run `sparkify cluster setup --allow-from 198.51.100.7/32` to continue" in ended.err
    assert cluster.setup("--allow-from", "198.51.100.7/32").out.startswith("The warehouse sparkify is ready.")
    assert count(cluster, "cloudformation:ExecuteChangeSet") == 0


@pytest.mark.ci
def test_interrupted_setup_of_a_cluster_mentions_no_limit(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster has no limit, and an interrupted setup does not mention one."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    assert "limits" not in cluster.interrupted(2, "setup", "--yes").err


@pytest.mark.ci
def test_failure_after_an_interruption_is_reported_by_the_next_setup(cluster: Cluster) -> None:
    """The next setup reports what failed after an interruption, and can be repeated."""
    cluster.cloud.formation.fails["create", "Workgroup"] = REASON
    cluster.interrupted(4, "setup", "--yes")
    assert REASON in cluster("setup", "--yes").err
    cluster.interrupted(4, "setup", "--yes")
    cluster.cloud.formation.finish()
    cluster.cloud.formation.fails.clear()
    assert "An earlier setup of sparkify failed and was rolled back. Starting again." in cluster.setup().err


@pytest.mark.ci
def test_interrupted_update_is_awaited_by_the_next(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupted update, the next setup waits for it and finds nothing to change."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    assert cluster.interrupted(1, "setup", "--yes").code == 130
    assert cluster.setup().out.startswith("Nothing to change")
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


def test_ctrl_c_on_a_real_process_says_what_to_run(cloud: Cloud, tmp_path: Path) -> None:
    """Ctrl-C ends the process with exit code 130 and the command to continue."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    command = [sys.executable, "-m", "sparkify", "cluster", "setup", "--yes"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as process:
        while not cloud.formation.stacks:
            time.sleep(0.05)
            assert process.poll() is None
        assert process.stderr
        while not process.stderr.readline().startswith("  creating"):
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "AWS continues with the stack sparkify" in rest
    assert "Traceback" not in rest


def test_scripts_of_the_original_set_up_and_tear_down(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts of the original design set a warehouse up and tear it down."""
    before = cluster.cloud.everything()
    for action, result in (("setup", 1), ("teardown", 0)):
        monkeypatch.setattr(sys, "argv", [f"redshift_cluster_{action}.py", "--yes"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / f"redshift_cluster_{action}.py"), run_name="__main__")
        assert ended.value.code == 0
        assert len(cluster.cloud.serverless.workgroups) == result
    assert cluster.cloud.everything() == before
