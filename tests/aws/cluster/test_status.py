"""Status, pause and resume: what runs, since when, at what cost, and who may connect."""

from __future__ import annotations

import json
import re
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
from moto.redshift.models import redshift_backends
from tests.support.cloud.commands import Cluster

from sparkify.aws.cluster import status

SECRET = 0.40 / 730  # US dollars an hour: what keeps the administrator's password costs, whatever else is done


def set_clock(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, made: str, now: str) -> None:
    """Have the stack made at one moment, and status asked for at another, both in UTC."""
    (stack,) = cluster.cloud.formation.stacks.values()
    stack.created = datetime.fromisoformat(f"{made}+00:00")

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromisoformat(f"{now}+00:00").astimezone(tz)

    monkeypatch.setattr(status, "datetime", Clock)


def test_status_shows_what_runs(cluster: Cluster, kind: str) -> None:
    """State, endpoint, capacity, age, cost so far and who may connect, in lines that fit a terminal."""
    cluster.setup("--allow-from", "198.51.100.0/24")
    said = cluster("status")
    assert said.code == 0
    assert f"warehouse  sparkify, {kind}, available\n" in said.out
    assert re.search(r"host +sparkify\.\S+amazonaws\.com\n", said.out)
    assert re.search(r"database +sparkifydb, port 5439\n", said.out)
    capacity = "4 RPU, at most 106 RPU-hours a month" if kind == "serverless" else "1 x ra3.large"
    assert f"capacity   {capacity}\n" in said.out
    assert re.search(r"created +\d{4}-\d\d-\d\d \d\d:\d\d UTC, \d+ seconds ago\n", said.out)
    assert re.search(r"cost +0\.\d\d US dollars so far, estimated, without storage:\n", said.out)
    assert "allowed    198.51.100.0/24, over the internet\n" in said.out
    assert max(len(line) for line in said.out.splitlines() if "arn:" not in line) <= 80


def test_status_for_machines_is_json(cluster: Cluster, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json all of stdout is one document, with numbers as numbers."""
    cluster.setup()
    set_clock(cluster, monkeypatch, made="2026-03-10 10:00", now="2026-03-10 12:30")
    found = json.loads(cluster("status", "--json").out)
    assert (found["outputs"]["kind"], found["state"], found["allowed"]) == (kind, "available", [])
    assert found["age"] == 2.5 * 3600
    hour = 4 * 0.375 + SECRET if kind == "serverless" else 0.543 + SECRET
    assert found["cost_so_far"] == pytest.approx(2.5 * hour)


def test_status_sees_a_door_that_somebody_opened(cluster: Cluster) -> None:
    """Who may connect is asked of the firewall, not of dwh.cfg: a rule made by hand shows."""
    cluster.setup()
    ec2 = cluster.cloud.client("ec2")
    (group,) = [g for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"].startswith("firewall")]
    rule = {"IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439, "CidrIp": "0.0.0.0/0"}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], **rule)
    of_ipv6 = {"IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[of_ipv6])
    assert json.loads(cluster("status", "--json").out)["allowed"] == ["0.0.0.0/0", "2001:db8::/32"]
    assert "allowed    0.0.0.0/0, 2001:db8::/32" in cluster("status").out


@pytest.mark.parametrize(
    ("made", "hours", "rpu_hours"),
    [
        ("2026-03-10 10:00", 2, 2 * 4),
        ("2026-03-08 12:00", 48, 106),  # which 4 RPU have worked in 27 hours
        ("2026-02-28 12:00", 240, 2 * 106),  # in two months of the calendar, though it was made days ago
        ("2025-11-20 12:00", 2640, 5 * 106),
    ],
)
def test_cost_so_far_grows_with_age_up_to_the_limit(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, made: str, hours: int, rpu_hours: int
) -> None:
    """Serverless may have worked all the time since it was made, but never beyond its limit for each month."""
    cluster.setup()
    set_clock(cluster, monkeypatch, made, now="2026-03-10 12:00")
    found = json.loads(cluster("status", "--json").out)
    assert found["cost_so_far"] == pytest.approx(rpu_hours * 0.375 + hours * SECRET)


def test_status_warns_of_serverless_without_a_limit(cluster: Cluster, kind: str) -> None:
    """A limit that is not there, or that only logs, limits nothing: status says so, and what sets it."""
    cluster.setup()
    warning = "sparkify: nothing limits the cost of sparkify. Run `sparkify cluster setup`"
    assert warning not in cluster("status").err
    for limit in cluster.cloud.serverless.limits.values():  # as somebody may have changed it by hand
        limit["breachAction"] = "log"
    for arguments in (["status"], ["status", "--json"]):
        assert (warning in cluster(*arguments).err) is (kind == "serverless")
    cluster.cloud.serverless.limits.clear()  # as an interrupted setup leaves it
    assert json.loads(cluster("status", "--json").out)["unlimited"] is (kind == "serverless")


def test_status_without_a_price_says_that_the_cost_is_unknown(
    cluster: Cluster, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A price that is missing hides nothing but the cost."""
    cluster.setup()
    (tmp_path / "none.toml").write_text(
        "as_of = 2026-11-01\nsource = 'ours'\n[regions.us-east-1]\nsecret_month = 0.4\n"
    )
    monkeypatch.setenv("SPARKIFY_DWH_PRICES", str(tmp_path / "none.toml"))
    said = cluster("status")
    assert said.code == 0
    assert f"warehouse  sparkify, {kind}, available\n" in said.out
    assert "cost       unknown:\n           [DWH] PRICES: " in said.out
    assert json.loads(cluster("status", "--json").out)["cost_so_far"] is None


def test_status_without_a_stack_says_what_to_run(cluster: Cluster) -> None:
    """There is no status of nothing."""
    said = cluster("status")
    assert (said.code, said.out) == (1, "")
    assert "Run `sparkify cluster setup`" in said.err


def test_pause_and_resume_a_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster is paused and resumed, each as often as one likes; status says which it is."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    for command, state in (("pause", "paused"), ("resume", "available")):
        assert cluster(command)[:2] == (0, f"sparkify is {state}.\n")
        assert cluster(command)[:2] == (0, f"sparkify is {state} already.\n")
        assert f"sparkify, provisioned, {state}\n" in cluster("status").out
    assert cluster.cloud.calls.count("redshift:PauseCluster") == 1


@pytest.mark.parametrize(("command", "needed"), [("pause", "available"), ("resume", "paused")])
def test_cluster_at_work_on_something_else_is_left_alone(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, command: str, needed: str
) -> None:
    """A cluster that is being changed is neither paused nor resumed, nor waited for: a line says when to try again."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    redshift_backends[cluster.cloud.account]["us-east-1"].clusters["sparkify"].status = "modifying"
    said = cluster(command)
    assert (said.code, said.out) == (1, "")
    words = f"the cluster is modifying, not {needed}. Run this again when it is {needed}."
    assert said.err == f"sparkify: sparkify: {words}\n"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_serverless_says_why_there_is_no_pause(cluster: Cluster, command: str) -> None:
    """Serverless needs no pause: a sentence says so, and nothing is done."""
    cluster.setup()
    said = cluster(command)
    assert said.code == 0
    assert said.out.startswith("Serverless has no pause, and needs none")
