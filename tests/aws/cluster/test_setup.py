"""Setting up: from nothing, twice, changed, failing at each resource, interrupted; unchanged boto3 against a server."""

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


def asked(cluster: Cluster, what: str) -> int:
    """Return how often something was asked of AWS."""
    return cluster.cloud.calls.count(what)


def test_zone_that_serverless_is_not_in_is_passed_over(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """No subnet is made in an outdated zone, whatever the account calls it: names of zones are each account's own."""
    monkeypatch.setattr(RegionsAndZonesBackend.zones["us-east-1"][0], "zone_id", "use1-az3")
    cluster.setup()
    (stack,) = cluster.cloud.formation.stacks.values()
    assert stack.parameters["Zones"] == "us-east-1b,us-east-1c,us-east-1d"


@pytest.mark.usefixtures("kind")
def test_setup_makes_every_resource_and_carries_the_tag(cluster: Cluster) -> None:
    """All of the template stands afterwards, tagged with the project; every resource was named while it was made."""
    said = cluster.setup("--allow-from", "198.51.100.7")
    (stack,) = cluster.cloud.formation.stacks.values()
    assert stack.status == "CREATE_COMPLETE"
    assert {"Key": "sparkify:project", "Value": "sparkify"} in stack.tags
    for name in stack.template["Resources"]:
        assert f"  creating  {name}\n" in said.err
        assert f"  created   {name}\n" in said.err
    assert said.out.startswith("The warehouse sparkify is ready.")


def test_serverless_is_limited_in_what_it_may_spend(cluster: Cluster) -> None:
    """When setup has ended there is a limit for the month, at which queries are refused."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    assert (limit["amount"], limit["period"], limit["breachAction"]) == (106, "monthly", "deactivate")
    assert limit["resourceArn"] == cluster.cloud.serverless.workgroups["sparkify"]["workgroupArn"]


def test_changed_limit_is_changed_in_aws(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new MONTHLY_LIMIT replaces the old one: there is never a second."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_MONTHLY_LIMIT", "80")
    assert "The limit is now 213 RPU-hours a month; it was 106." in cluster.setup().err
    assert [limit["amount"] for limit in cluster.cloud.serverless.limits.values()] == [213]


def test_limit_that_somebody_took_away_is_set_again(cluster: Cluster) -> None:
    """A stack without its limit, as an interruption leaves it, has it after the next setup."""
    cluster.setup()
    cluster.cloud.serverless.limits.clear()
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


def test_missing_limit_is_told_loudly(cluster: Cluster) -> None:
    """A warehouse that stands without a limit of its spend is a failure, and says so."""
    cluster.cloud.denied["redshift-serverless:CreateUsageLimit"] = ""
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert "sparkify: the warehouse exists, but nothing limits its cost." in said.err
    cluster.cloud.denied.clear()
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


def test_changed_limit_is_asked_for(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be spent is shown and asked about like any other change: the answer no leaves the limit as it was."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_MONTHLY_LIMIT", "100000")
    for answer, amount in (("n\n", 106), ("y\n", 266_666)):
        said = cluster("setup", answer=answer)
        assert said.code == 0
        shown, _, _ = said.err.partition("Make these changes? [y/N]")
        assert "  change  UsageLimit (266,666 RPU-hours a month; now 106)" in shown
        assert [limit["amount"] for limit in cluster.cloud.serverless.limits.values()] == [amount]


@pytest.mark.parametrize("action", ["log", "emit-metric"])
def test_limit_that_stops_nothing_is_none(cluster: Cluster, action: str) -> None:
    """A limit that only tells of its breach does not limit the spend: setup makes it one that does."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    limit |= {"breachAction": action, "amount": 50}
    assert "The limit is now 106 RPU-hours a month; it was 50, and stopped no query." in cluster.setup().err
    assert (limit["amount"], limit["breachAction"]) == (106, "deactivate")


@pytest.mark.parametrize("action", ["log", "deactivate"])
def test_limit_of_the_users_own_stays(cluster: Cluster, action: str) -> None:
    """Beside the limit that dwh.cfg calls for there may be one that warns, or stops, before: setup leaves it as is."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    theirs = {**limit, "usageLimitId": "theirs", "breachAction": action, "amount": 80}
    cluster.cloud.serverless.limits = {"theirs": theirs, limit["usageLimitId"]: limit}
    assert cluster.setup().out.startswith("Nothing to change")
    assert (theirs["amount"], theirs["breachAction"]) == (80, action)


@pytest.mark.usefixtures("kind")
def test_second_setup_changes_nothing(cluster: Cluster) -> None:
    """Set up twice, the account is the same after the second time, and no update was begun."""
    cluster.setup("--allow-from", "198.51.100.7")
    before = cluster.cloud.everything()
    said = cluster.setup("--allow-from", "198.51.100.7")
    assert said.out.startswith("Nothing to change")
    assert cluster.cloud.everything() == before
    assert asked(cluster, "cloudformation:ExecuteChangeSet") == 0
    assert not next(iter(cluster.cloud.formation.stacks.values())).change_sets


def test_changed_dwh_cfg_shows_its_changes_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an update will do is shown before the question; the answer no leaves everything as it is."""
    cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    said = cluster("setup", "--allow-from", "198.51.100.7", answer="n\n")
    assert said.code == 0
    shown, _, rest = said.err.partition("Make these changes? [y/N]")
    assert "  add     AllowedAddresses" in shown
    assert "  change  Workgroup (BaseCapacity, PubliclyAccessible)" in shown
    assert "Nothing was changed." in rest
    assert cluster.cloud.everything() == before
    assert asked(cluster, "cloudformation:ExecuteChangeSet") == 0


def test_agreed_change_is_made(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """After yes, the warehouse is what dwh.cfg says, and the rest is the same as before."""
    cluster.setup()
    before = set(cluster.cloud.everything())
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    said = cluster("setup", "--allow-from", "198.51.100.7", answer="y\n")
    assert said.code == 0, said.err
    workgroup = cluster.cloud.serverless.workgroups["sparkify"]
    assert (workgroup["baseCapacity"], workgroup["publiclyAccessible"]) == (8, True)
    added = set(cluster.cloud.everything()) - before
    assert len(added) == 1
    assert next(iter(added)).startswith("sgr-")


def test_setup_asks_before_it_makes_anything(cluster: Cluster) -> None:
    """Without a yes nothing is made; without a terminal to ask at, that is wrong usage."""
    before = cluster.cloud.everything()
    assert cluster("setup", answer="n\n").code == 0
    said = cluster("setup")
    assert said.code == 2
    assert "Set this up? Pass --yes to confirm." in said.err
    assert cluster.cloud.everything() == before
    assert asked(cluster, "cloudformation:CreateStack") == 0


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("provisioned", "DWH_DB", "another"),
        ("provisioned", "DWH_DB_USER", "another"),
        ("serverless", "DWH_DB", "another"),
    ],
)
def test_change_that_would_lose_the_data_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, key: str, value: str
) -> None:
    """An update for which CloudFormation would make a new cluster and delete the old one is not begun."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv(f"SPARKIFY_DWH_{key}", value)
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert re.search(
        "cannot be changed without a new (cluster|namespace), and the data would be deleted with the old", said.err
    )
    assert cluster.cloud.everything() == before


def test_change_that_may_lose_the_data_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CloudFormation knows only on the way whether the cluster is made anew, the update is not begun either."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    cluster.cloud.formation.undecided.add("Cluster")
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NUM_NODES", "2")
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert "cannot be changed without a new cluster, and the data would be deleted with the old" in said.err
    assert asked(cluster, "cloudformation:ExecuteChangeSet") == 0


def test_other_kind_is_not_made_of_what_is_there(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Serverless warehouse does not become a cluster: that would be another warehouse, without the data."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert "is serverless, but dwh.cfg now calls for provisioned" in said.err


def test_stack_of_somebody_else_is_left_alone(cluster: Cluster) -> None:
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
        said = cluster(command, "--yes")
        assert said.code == 1
        assert "so sparkify did not create it" in said.err
    assert cluster.cloud.everything() == before


# Failing


@pytest.mark.parametrize(("kind", "resource"), RESOURCES, ids=str)
def test_failure_at_any_resource_is_rolled_back_and_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, resource: str
) -> None:
    """Whatever cannot be made is named, with AWS's words; nothing is left, and the next setup goes through."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cloud = cluster.cloud
    before = cloud.everything()
    cloud.formation.fails["create", resource] = REASON
    said = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert said.code == 1
    assert f"{resource} (AWS::" in said.err
    assert REASON in said.err
    assert "was rolled back; nothing is left" in said.err
    assert "cancelled" not in said.err
    assert cloud.everything() == before
    cloud.formation.fails.clear()
    cluster.setup("--allow-from", "198.51.100.7")


def test_rollback_that_fails_leads_to_teardown(cluster: Cluster) -> None:
    """If even the rollback fails, the message says so; a second setup says the same, and teardown clears up."""
    before = cluster.cloud.everything()
    cluster.cloud.formation.fails |= {("create", "Workgroup"): REASON, ("delete", "Role"): REASON}
    assert "could not be rolled back (ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    cluster.cloud.formation.fails.clear()
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert "Run `sparkify cluster teardown`" in said.err
    assert cluster("teardown", "--yes").code == 0
    assert cluster.cloud.everything() == before


def test_update_that_fails_leaves_the_warehouse_as_it_was(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that AWS cannot make is undone, told with the resource and AWS's words, and can be tried again."""
    cluster.setup()
    before = cluster.cloud.everything()
    cluster.cloud.formation.fails["update", "Workgroup"] = REASON
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    said = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert said.code == 1
    assert "the stack could not be changed, and the change was rolled back" in said.err
    assert f"Workgroup (AWS::RedshiftServerless::Workgroup): {REASON}" in said.err
    assert cluster.cloud.everything() == before
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 4
    cluster.cloud.formation.fails.clear()
    cluster.setup("--allow-from", "198.51.100.7")
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


def test_update_that_could_not_be_undone_is_picked_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack stuck in UPDATE_ROLLBACK_FAILED is told of, and the next setup takes the rollback up again."""
    cluster.setup()
    cluster.cloud.formation.fails |= {("update", "Workgroup"): REASON, ("rollback", ""): REASON}
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    assert "could not be rolled back (UPDATE_ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    cluster.cloud.formation.fails.clear()
    assert "could not be rolled back. Trying again." in cluster.setup().err
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


def test_throttled_calls_are_made_again(cluster: Cluster) -> None:
    """AWS asking for slower calls fails nothing."""
    cluster.cloud.throttled["cloudformation:DescribeStackEvents"] = 2
    cluster.cloud.throttled["redshift-serverless:CreateUsageLimit"] = 1
    cluster.setup()
    assert cluster.cloud.throttled.total() == 0


# Interrupted


@pytest.mark.parametrize("after", [1, 2, 11, 22, 33])
@pytest.mark.usefixtures("kind")
def test_interrupted_setup_is_picked_up_by_the_next(cluster: Cluster, after: int) -> None:
    """Ctrl-C leaves AWS at work and says so; the next setup waits for it and ends as if nothing had been."""
    said = cluster.interrupted(after, "setup", "--yes")
    assert said.code == 130
    assert "AWS continues with the stack sparkify" in said.err
    assert "cluster teardown" in said.err
    said = cluster.setup()
    assert "AWS is working on sparkify (CREATE_IN_PROGRESS)" in said.err
    assert asked(cluster, "cloudformation:CreateStack") == 1
    before = cluster.cloud.everything()
    assert cluster.setup().out.startswith("Nothing to change")
    assert cluster.cloud.everything() == before


@pytest.mark.parametrize("after", [1, 2, 11, 22, 33])
@pytest.mark.usefixtures("kind")
def test_interrupted_setup_is_cleared_away_by_teardown(cluster: Cluster, after: int) -> None:
    """Whenever it was interrupted, a teardown leaves nothing of it."""
    before = cluster.cloud.everything()
    assert cluster.interrupted(after, "setup", "--yes").code == 130
    said = cluster("teardown", "--yes", "--no-snapshot")
    assert (said.code, said.out) == (0, "Nothing is left of sparkify.\n")
    assert cluster.cloud.everything() == before


def test_interrupted_setup_says_that_nothing_limits_the_cost(cluster: Cluster) -> None:
    """Serverless has its limit only when a setup has ended: who stops one earlier reads so, and again."""
    for _ in range(2):
        said = cluster.interrupted(2, "setup", "--yes")
        assert "Nothing limits its cost until a setup completes and sets the limit." in said.err
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


@pytest.mark.parametrize("after", [2, 33])
def test_limit_is_set_even_if_a_change_is_declined_or_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Whatever becomes of a change, a warehouse that stands without a limit has one after the next setup."""
    cluster.interrupted(after, "setup", "--yes", "--allow-from", "198.51.100.7")
    said = cluster("setup", answer="n\n")
    assert said.code == 0
    assert "Set the limit: 106 RPU-hours a month" in said.err
    assert len(cluster.cloud.serverless.limits) == 1
    cluster.cloud.serverless.limits.clear()
    monkeypatch.setenv("SPARKIFY_DWH_DWH_DB", "another")
    said = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert said.code == 1
    assert "the data would be deleted with the old one" in said.err
    assert len(cluster.cloud.serverless.limits) == 1


def test_warehouse_of_another_kind_without_a_limit_is_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where dwh.cfg calls for a cluster, setup has no limit to set on what stands, and says that there is none."""
    cluster.setup()
    cluster.cloud.serverless.limits.clear()
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    assert "Nothing limits the cost of sparkify." in cluster("setup", "--yes").err


def test_what_to_run_after_ctrl_c_keeps_the_door_open(cluster: Cluster) -> None:
    """The command that the message gives goes on with the same setup: who was let in on the command line stays in."""
    for _ in range(2):
        said = cluster.interrupted(2, "setup", "--yes", "--allow-from", "198.51.100.7")
        assert "Run `sparkify cluster setup --allow-from 198.51.100.7/32` to continue" in said.err
    assert cluster.setup("--allow-from", "198.51.100.7/32").out.startswith("The warehouse sparkify is ready.")
    assert asked(cluster, "cloudformation:ExecuteChangeSet") == 0


def test_interrupted_setup_of_a_cluster_speaks_of_no_limit(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster never has a limit, and nothing is said of one."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    assert "limits" not in cluster.interrupted(2, "setup", "--yes").err


def test_failure_that_nobody_watched_is_told_by_the_next_setup(cluster: Cluster) -> None:
    """Interrupted, then failed in AWS: the next setup says what failed if it sees it, and can always be repeated."""
    cluster.cloud.formation.fails["create", "Workgroup"] = REASON
    cluster.interrupted(4, "setup", "--yes")
    assert REASON in cluster("setup", "--yes").err
    cluster.interrupted(4, "setup", "--yes")
    cluster.cloud.formation.finish()
    cluster.cloud.formation.fails.clear()
    assert "An earlier setup of sparkify failed and was rolled back. Starting again." in cluster.setup().err


def test_interrupted_change_is_picked_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of an update: the next setup waits for its end, and finds nothing more to change."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    assert cluster.interrupted(1, "setup", "--yes").code == 130
    assert cluster.setup().out.startswith("Nothing to change")
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


def test_ctrl_c_on_a_real_process_says_what_to_run(cloud: Cloud, tmp_path: Path) -> None:
    """A signal ends the process with 130 and a sentence, not with a traceback."""
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


def test_doors_of_the_original_set_up_and_tear_down(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python redshift_cluster_setup.py`, then `python redshift_cluster_teardown.py`, as the original's README says."""
    before = cluster.cloud.everything()
    for door, result in (("setup", 1), ("teardown", 0)):
        monkeypatch.setattr(sys, "argv", [f"redshift_cluster_{door}.py", "--yes"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / f"redshift_cluster_{door}.py"), run_name="__main__")
        assert ended.value.code == 0
        assert len(cluster.cloud.serverless.workgroups) == result
    assert cluster.cloud.everything() == before
