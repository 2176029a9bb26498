"""The status of the warehouse: state, address, age, firewall and estimated cost; pause and resume."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sparkify.aws.account import Account, code, translate_errors
from sparkify.aws.cluster import prices
from sparkify.aws.cluster.outputs import Outputs, complete_stack, stack_outputs
from sparkify.aws.cluster.resources import limit_in_force
from sparkify.aws.cluster.stack import Say, Stack, interruptible
from sparkify.aws.cluster.validation import SERVERLESS, stack_name
from sparkify.config import Config
from sparkify.errors import ClusterError, ConfigError

NO_PAUSE = (
    "Serverless has no pause, and needs none: its compute costs nothing while no\n"
    "query runs, and starts again with the next query."
)


@dataclass(frozen=True)
class ClusterStatus:
    """A warehouse and its state."""

    outputs: Outputs
    state: str  # as Redshift names it, such as available or paused
    capacity: str
    created: datetime
    age: float  # seconds
    unlimited: bool  # Serverless without a limit that stops queries, as an interrupted setup leaves it
    cost_so_far: float | None  # US dollars without storage, an estimate; None if it is unknown
    cost_basis: str  # of the estimate, or why the cost is unknown
    public: bool  # whether the endpoint has an address on the internet
    allowed: tuple[str, ...]  # the ranges of addresses that the firewall lets in


def read_status(config: Config) -> ClusterStatus:
    """Return the status of the warehouse of [DWH] STACK; raise ClusterError where there is none."""
    with translate_errors(), Account(config) as account:
        stack = complete_stack(account, stack_name(config.dwh))
        known = prices.load(account.region, config.dwh.prices)
        age = (datetime.now(UTC) - stack.created).total_seconds()
        describe = _serverless if stack.kind == SERVERLESS else _provisioned
        return ClusterStatus(
            outputs=stack_outputs(account, stack),
            created=stack.created,
            age=age,
            allowed=_allowed(account, stack),
            **describe(account, stack, known, age),
        )


def _serverless(account: Account, stack: Stack, known: prices.Prices, age: float) -> dict[str, Any]:
    """Return the part of a status that depends on the kind of warehouse; likewise `_provisioned`."""
    name = stack.outputs["Name"]
    workgroup = account.client("redshift-serverless").get_workgroup(workgroupName=name)["workgroup"]
    capacity, public, hours = workgroup["baseCapacity"], bool(workgroup["publiclyAccessible"]), age / 3600
    limit = limit_in_force(account, name)
    text = f"{capacity} RPU, at most {limit:,} RPU-hours a month" if limit else f"{capacity} RPU, without a limit"

    def cost() -> float:
        rpu_hours = hours * capacity
        if limit:
            rpu_hours = min(rpu_hours, _months_begun(stack.created, datetime.now(UTC)) * limit)
        return float(
            rpu_hours * known.of("serverless_rpu_hour")
            + hours * prices.idle_hour(known, addresses=_addresses(stack, public))
        )

    basis = "at its base capacity without a pause" + (", up to the limit" if limit else "")
    state = {"state": workgroup["status"].lower(), "capacity": text, "public": public, "unlimited": not limit}
    return state | _estimate(cost, basis)


def _addresses(stack: Stack, public: bool) -> int:
    return prices.public_addresses(stack.kind) if public else 0


def _estimate(cost: Callable[[], float], basis: str) -> dict[str, Any]:
    """Return a cost and its basis, or None and an error: a missing price hides only the cost."""
    try:
        return {"cost_so_far": cost(), "cost_basis": basis}
    except ConfigError as error:
        return {"cost_so_far": None, "cost_basis": str(error)}


def _months_begun(since: datetime, now: datetime) -> int:
    """Return the number of calendar months of a warehouse, the current one included: each has its own limit."""
    return (now.year - since.year) * 12 + now.month - since.month + 1


def _provisioned(account: Account, stack: Stack, known: prices.Prices, age: float) -> dict[str, Any]:
    described = cluster(account, stack)
    nodes, node_type = described["NumberOfNodes"], described["NodeType"]
    public = bool(described["PubliclyAccessible"])

    def cost() -> float:
        return (
            float(nodes * known.of(node_type) + prices.idle_hour(known, addresses=_addresses(stack, public)))
            * age
            / 3600
        )

    basis = f"{nodes} x {node_type} since its creation; less if it was paused"
    capacity = f"{nodes} x {node_type}"
    state = {"state": described["ClusterStatus"], "capacity": capacity, "public": public, "unlimited": False}
    return state | _estimate(cost, basis)


def cluster(account: Account, stack: Stack) -> dict[str, Any]:
    """Return the cluster of a stack as Redshift describes it."""
    (described,) = account.client("redshift").describe_clusters(ClusterIdentifier=stack.outputs["Name"])["Clusters"]
    return dict(described)


def _allowed(account: Account, stack: Stack) -> tuple[str, ...]:
    """Return the sources that the firewall lets in, including rules that were added by hand."""
    groups = account.client("ec2").describe_security_groups(GroupIds=[stack.outputs["FirewallId"]])["SecurityGroups"]
    ranges = [
        source
        for group in groups
        for rule in group["IpPermissions"]
        for source in (
            *(r["CidrIp"] for r in rule.get("IpRanges", ())),
            *(r["CidrIpv6"] for r in rule.get("Ipv6Ranges", ())),
            *(r["GroupId"] for r in rule.get("UserIdGroupPairs", ())),
            *(r["PrefixListId"] for r in rule.get("PrefixListIds", ())),
        )
    ]
    return tuple(dict.fromkeys(ranges))


def pause(config: Config, say: Say) -> str:
    """Pause a cluster, so that its nodes cost nothing, and wait; return a sentence on the result."""
    return _switch(config, say, "pause_cluster", "available", "paused", "pausing")


def resume(config: Config, say: Say) -> str:
    """Resume a paused cluster, and wait until it is available; return a sentence on the result."""
    return _switch(config, say, "resume_cluster", "paused", "available", "resuming")


def _switch(config: Config, say: Say, call: str, before: str, after: str, between: str) -> str:
    with translate_errors(), Account(config) as account:
        stack = complete_stack(account, stack_name(config.dwh))
        if stack.kind == SERVERLESS:
            return NO_PAUSE
        name = stack.outputs["Name"]
        state = cluster(account, stack)["ClusterStatus"]
        if state == after:
            return f"{name} is {after} already."
        if state not in (before, between):
            raise ClusterError(f"{name}: the cluster is {state}, not {before}. Run this again when it is {before}.")
        if state == before:
            _request(account, call, name)
        say(f"{name} is {between}.")
        with interruptible(f"AWS continues {between} {name}: `sparkify cluster status` shows when it is {after}."):
            for _ in account.polls(name):
                if cluster(account, stack)["ClusterStatus"] == after:
                    break
        return f"{name} is {after}."


def _request(account: Account, call: str, name: str) -> None:
    try:
        getattr(account.client("redshift"), call)(ClusterIdentifier=name)
    except account.refusal as error:
        if not code(error).startswith("InvalidClusterState"):
            raise
        reason = error.response["Error"]["Message"]
        raise ClusterError(f"{name}: AWS cannot do this now ({reason}). Run this again in a few minutes.") from error
