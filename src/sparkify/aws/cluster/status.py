"""What runs, where, since when, who may connect, and what it may have cost; pause and resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sparkify.aws.account import Account, code, plain_errors
from sparkify.aws.cluster import prices
from sparkify.aws.cluster.outputs import Outputs, complete_stack, stack_outputs
from sparkify.aws.cluster.resources import limit_in_force
from sparkify.aws.cluster.stack import Say, Stack, interruptible
from sparkify.aws.cluster.validation import SERVERLESS, stack_name
from sparkify.config import Config
from sparkify.errors import ClusterError, ConfigError

NO_PAUSE = (
    "Serverless has no pause, and needs none: while no query runs its compute\n"
    "costs nothing, and it begins again with the next query."
)


@dataclass(frozen=True)
class Status:
    """A warehouse and its state."""

    outputs: Outputs
    state: str  # in Redshift's words, such as available or paused
    capacity: str
    created: datetime
    age: float  # seconds
    unlimited: bool  # Serverless without a limit that stops queries, as an interrupted setup leaves it
    cost_so_far: float | None  # US dollars, estimated from above; without what is stored; None where it is not known
    cost_basis: str  # what this is reckoned from, or why it is not known
    public: bool  # whether the endpoint has an address on the internet
    allowed: tuple[str, ...]  # the ranges of addresses that the firewall lets in


def status(config: Config) -> Status:
    """Ask AWS for the state of the warehouse of [DWH] STACK; raise ClusterError where there is none."""
    with plain_errors(), Account(config) as account:
        stack = complete_stack(account, stack_name(config.dwh))
        known = prices.load(account.region, config.dwh.prices)
        age = (datetime.now(UTC) - stack.created).total_seconds()
        look = _serverless if stack.kind == SERVERLESS else _provisioned
        seen = look(account, stack, known, age)
        return Status(
            outputs=stack_outputs(account, stack),
            state=seen.state,
            capacity=seen.capacity,
            created=stack.created,
            age=age,
            unlimited=seen.unlimited,
            cost_so_far=seen.cost,
            cost_basis=seen.basis,
            public=seen.public,
            allowed=_allowed(account, stack),
        )


@dataclass(frozen=True)
class _Seen:
    """What only one kind of warehouse can tell of itself."""

    state: str
    capacity: str
    public: bool
    cost: float | None
    basis: str
    unlimited: bool = False


def _serverless(account: Account, stack: Stack, known: prices.Prices, age: float) -> _Seen:
    name = stack.outputs["Name"]
    workgroup = account.client("redshift-serverless").get_workgroup(workgroupName=name)["workgroup"]
    capacity, public, hours = workgroup["baseCapacity"], bool(workgroup["publiclyAccessible"]), age / 3600
    limited = limit_in_force(account, name)
    words = f"{capacity} RPU, at most {limited:,} RPU-hours a month" if limited else f"{capacity} RPU, without a limit"

    def cost() -> float:
        worked = hours * capacity
        if limited:
            worked = min(worked, _months_begun(stack.created, datetime.now(UTC)) * limited)
        return float(worked * known.of("serverless_rpu_hour") + hours * prices.standing(known, public=public))

    basis = "had it worked without a pause at its base capacity" + (", up to the limit" if limited else "")
    return _Seen(workgroup["status"].lower(), words, public, *_reckoned(cost, basis), unlimited=not limited)


def _reckoned(cost: Callable[[], float], basis: str) -> tuple[float | None, str]:
    """Return a cost and what it is reckoned from, or None and which price is missing: that is no reason to fail."""
    try:
        return cost(), basis
    except ConfigError as error:
        return None, str(error)


def _months_begun(since: datetime, now: datetime) -> int:
    """Return in how many calendar months a warehouse has been there: each has a limit of its own."""
    return (now.year - since.year) * 12 + now.month - since.month + 1


def _provisioned(account: Account, stack: Stack, known: prices.Prices, age: float) -> _Seen:
    found = cluster(account, stack)
    nodes, node_type = found["NumberOfNodes"], found["NodeType"]
    public = bool(found["PubliclyAccessible"])

    def cost() -> float:
        return prices.provisioned(known, node_type, nodes, public=public).hour * age / 3600

    basis = f"{nodes} x {node_type} since it was made; less, if it was paused"
    return _Seen(found["ClusterStatus"], f"{nodes} x {node_type}", public, *_reckoned(cost, basis))


def cluster(account: Account, stack: Stack) -> dict[str, Any]:
    """Return the cluster of a stack as Redshift describes it."""
    (found,) = account.client("redshift").describe_clusters(ClusterIdentifier=stack.outputs["Name"])["Clusters"]
    return dict(found)


def _allowed(account: Account, stack: Stack) -> tuple[str, ...]:
    """Return whom the firewall lets in now: somebody may have changed it by hand."""
    groups = account.client("ec2").describe_security_groups(GroupIds=[stack.outputs["FirewallId"]])["SecurityGroups"]
    ranges = [
        found
        for group in groups
        for rule in group["IpPermissions"]
        for found in (
            *(r["CidrIp"] for r in rule.get("IpRanges", ())),
            *(r["CidrIpv6"] for r in rule.get("Ipv6Ranges", ())),
            *(r["GroupId"] for r in rule.get("UserIdGroupPairs", ())),
            *(r["PrefixListId"] for r in rule.get("PrefixListIds", ())),
        )
    ]
    return tuple(dict.fromkeys(ranges))


def pause(config: Config, say: Say) -> str:
    """Stop paying for a cluster's nodes, and wait until it has stopped; return a sentence on how that went."""
    return _turn(config, say, "pause_cluster", "available", "paused", "pausing")


def resume(config: Config, say: Say) -> str:
    """Start a paused cluster, and wait until it can be used; return a sentence on how that went."""
    return _turn(config, say, "resume_cluster", "paused", "available", "resuming")


def _turn(config: Config, say: Say, call: str, before: str, after: str, under_way: str) -> str:
    with plain_errors(), Account(config) as account:
        stack = complete_stack(account, stack_name(config.dwh))
        if stack.kind == SERVERLESS:
            return NO_PAUSE
        name = stack.outputs["Name"]
        state = cluster(account, stack)["ClusterStatus"]
        if state == after:
            return f"{name} is {after} already."
        if state not in (before, under_way):
            raise ClusterError(f"{name}: is {state}, and has to be {before} first. Try again when it is.")
        if state == before:
            _order(account, call, name)
        say(f"{name} is {under_way}.")
        with interruptible(f"{name} goes on {under_way}: `sparkify cluster status` shows when it is {after}."):
            for _ in account.looks(name):
                if cluster(account, stack)["ClusterStatus"] == after:
                    break
        return f"{name} is {after}."


def _order(account: Account, call: str, name: str) -> None:
    from botocore.exceptions import ClientError

    try:
        getattr(account.client("redshift"), call)(ClusterIdentifier=name)
    except ClientError as error:
        if not code(error).startswith("InvalidClusterState"):
            raise
        words = error.response["Error"]["Message"]
        raise ClusterError(f"{name}: AWS will not do it now: {words}. Try again in some minutes.") from error
