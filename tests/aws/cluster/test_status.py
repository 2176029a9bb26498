"""`sparkify cluster status`, `pause` and `resume`: state, age, cost and allowed addresses."""

from __future__ import annotations

import json
import re
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
from moto.redshift.models import redshift_backends
from tests.support.cloud.commands import Cluster

from sparkify.aws.cluster import status

SECRET = 0.40 / 730  # US dollars an hour, for the administrator's password in Secrets Manager


def set_clock(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, made: str, now: str) -> None:
    """Set the times, in UTC, at which the stack was created and status is requested."""
    (stack,) = cluster.cloud.formation.stacks.values()
    stack.created = datetime.fromisoformat(f"{made}+00:00")

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromisoformat(f"{now}+00:00").astimezone(tz)

    monkeypatch.setattr(status, "datetime", Clock)


def test_status_shows_what_runs(cluster: Cluster, kind: str) -> None:
    """Status shows state, endpoint, capacity, age, cost and allowed addresses within 80 columns."""
    cluster.setup("--allow-from", "198.51.100.0/24")
    ended = cluster("status")
    assert ended.code == 0
    assert f"warehouse  sparkify, {kind}, available\n" in ended.out
    assert re.search(r"host +sparkify\.\S+amazonaws\.com\n", ended.out)
    assert re.search(r"database +sparkifydb, port 5439\n", ended.out)
    capacity = "4 RPU, at most 106 RPU-hours a month" if kind == "serverless" else "1 x ra3.large"
    assert f"capacity   {capacity}\n" in ended.out
    assert re.search(r"created +\d{4}-\d\d-\d\d \d\d:\d\d UTC, \d+ seconds ago\n", ended.out)
    assert re.search(r"cost +0\.\d\d US dollars so far, estimated, without storage:\n", ended.out)
    assert "allowed    198.51.100.0/24, over the internet\n" in ended.out
    assert max(len(line) for line in ended.out.splitlines() if "arn:" not in line) <= 80


def test_status_for_machines_is_json(cluster: Cluster, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json, stdout is one document, with numbers as numbers."""
    cluster.setup()
    set_clock(cluster, monkeypatch, made="2026-03-10 10:00", now="2026-03-10 12:30")
    found = json.loads(cluster("status", "--json").out)
    assert (found["outputs"]["kind"], found["state"], found["allowed"]) == (kind, "available", [])
    assert found["age"] == 2.5 * 3600
    hour = 4 * 0.375 + SECRET if kind == "serverless" else 0.543 + SECRET
    assert found["cost_so_far"] == pytest.approx(2.5 * hour)


@pytest.mark.ci
def test_status_shows_rules_that_were_added_by_hand(cluster: Cluster) -> None:
    """Status shows the addresses that the firewall allows, not those of dwh.cfg."""
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
        ("2026-03-08 12:00", 48, 106),  # 4 RPU reach the limit within 27 hours.
        ("2026-02-28 12:00", 240, 2 * 106),  # These days are in two calendar months.
        ("2025-11-20 12:00", 2640, 5 * 106),
    ],
)
def test_cost_so_far_grows_with_age_up_to_the_limit(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, made: str, hours: int, rpu_hours: int
) -> None:
    """The cost of Serverless so far is at most its limit for each calendar month."""
    cluster.setup()
    set_clock(cluster, monkeypatch, made, now="2026-03-10 12:00")
    found = json.loads(cluster("status", "--json").out)
    assert found["cost_so_far"] == pytest.approx(rpu_hours * 0.375 + hours * SECRET)


def test_status_warns_of_serverless_without_a_limit(cluster: Cluster, kind: str) -> None:
    """Status warns if Serverless has no limit, or one that only logs."""
    cluster.setup()
    warning = "sparkify: nothing limits the cost of sparkify. Run `sparkify cluster setup`"
    assert warning not in cluster("status").err
    for limit in cluster.cloud.serverless.limits.values():
        limit["breachAction"] = "log"
    for arguments in (["status"], ["status", "--json"]):
        assert (warning in cluster(*arguments).err) is (kind == "serverless")
    cluster.cloud.serverless.limits.clear()
    assert json.loads(cluster("status", "--json").out)["unlimited"] is (kind == "serverless")


@pytest.mark.ci
def test_status_without_a_price_says_that_the_cost_is_unknown(
    cluster: Cluster, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a price, status shows everything but the cost."""
    cluster.setup()
    (tmp_path / "none.toml").write_text(
        "as_of = 2026-11-01\nsource = 'ours'\n[regions.us-east-1]\nsecret_month = 0.4\n"
    )
    monkeypatch.setenv("SPARKIFY_DWH_PRICES", str(tmp_path / "none.toml"))
    ended = cluster("status")
    assert ended.code == 0
    assert f"warehouse  sparkify, {kind}, available\n" in ended.out
    assert "cost       unknown:\n           [DWH] PRICES: " in ended.out
    assert json.loads(cluster("status", "--json").out)["cost_so_far"] is None


def test_status_without_a_stack_says_what_to_run(cluster: Cluster) -> None:
    """Without a stack, status says how to set one up."""
    ended = cluster("status")
    assert (ended.code, ended.out) == (1, "")
    assert "Run `sparkify cluster setup`" in ended.err


def test_pause_and_resume_a_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster can be paused and resumed, repeatedly."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    for command, state in (("pause", "paused"), ("resume", "available")):
        assert cluster(command)[:2] == (0, f"sparkify is {state}.\n")
        assert cluster(command)[:2] == (0, f"sparkify is {state} already.\n")
        assert f"sparkify, provisioned, {state}\n" in cluster("status").out
    assert cluster.cloud.calls.count("redshift:PauseCluster") == 1


@pytest.mark.ci
@pytest.mark.parametrize(("command", "needed"), [("pause", "available"), ("resume", "paused")])
def test_busy_cluster_is_not_paused_or_resumed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, command: str, needed: str
) -> None:
    """A cluster that is being changed is neither paused nor resumed, and the message says when to try again."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    cluster.setup()
    redshift_backends[cluster.cloud.account]["us-east-1"].clusters["sparkify"].status = "modifying"
    ended = cluster(command)
    assert (ended.code, ended.out) == (1, "")
    words = f"the cluster is modifying, not {needed}. Run this again when it is {needed}."
    assert ended.err == f"sparkify: sparkify: {words}\n"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_serverless_says_why_there_is_no_pause(cluster: Cluster, command: str) -> None:
    """Serverless needs no pause, and the message says so."""
    cluster.setup()
    ended = cluster(command)
    assert ended.code == 0
    assert ended.out.startswith("Serverless has no pause, and needs none")
