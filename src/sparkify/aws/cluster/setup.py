"""Set the stack up as planned: create it, change an existing one, or continue an interrupted setup."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace

from sparkify.aws import s3
from sparkify.aws.account import Account, translate, translate_errors
from sparkify.aws.cluster import plan as plans
from sparkify.aws.cluster import stack, template
from sparkify.aws.cluster.outputs import Outputs, complete_stack, stack_outputs
from sparkify.aws.cluster.plan import Plan
from sparkify.aws.cluster.resources import (
    bucket_exists,
    empty_bucket,
    limit_in_force,
    nearest_limit,
    require_snapshot,
    set_limit,
)
from sparkify.aws.cluster.stack import Change, Outcome, Say, Stack
from sparkify.aws.cluster.validation import PROVISIONED, SERVERLESS
from sparkify.config import Config
from sparkify.errors import ClusterError, ConfigError

# Replacing one of these deletes its data.
HOLDS_DATA = ("AWS::RedshiftServerless::Namespace", "AWS::Redshift::Cluster")
# UpdateNamespace cannot change these properties (the user only with a password), but no change set says so.
FIXED = {"DbName", "AdminUsername"}

# The parameters that set properties of a workgroup. "You can't update multiple parameters in one request"
# (UpdateWorkgroup, Redshift Serverless API Reference), so each has an update of its own.
ONE_AT_A_TIME = ("BaseCapacity", "Port", "AllowFrom")

# Zones by their IDs, which mean the same in every account. This old one lacks newer services such as Serverless.
OUTDATED_ZONES = ("use1-az3",)


Agree = Callable[[Plan, Sequence[Change] | None], bool]
"""Asks for a confirmation of the plan and the changes of an existing stack, or None for a new one."""


@dataclass(frozen=True)
class Result:
    """The result of a setup."""

    outputs: Outputs
    changed: bool


def setup(config: Config, plan: Plan, say: Say, agree: Agree) -> Result | None:
    """Create the stack, or change it to match the plan, after a confirmation; return None if it is declined.

    Raise ClusterError where AWS refuses a request or rolls it back.
    """
    with translate_errors(), Account(config) as account:
        plan = plans.plan(config, plan.allow_from, account.region, plan.parameters["SnapshotName"])
        say(f"AWS account {account.account_id()}, {account.region}.")
        live = _wait_for_stack(account, plan, say)
        # An interrupted setup can leave a warehouse that costs money without a limit, even if the changes are declined.
        limited = live is not None and _limit_if_unlimited(account, live, plan, say)
        if live and plan.kind == live.kind == SERVERLESS and config.dwh.base_capacity is None:
            capacity = live.parameters["BaseCapacity"]  # a default is for a new warehouse
            plan = replace(plan, base_capacity=int(capacity), parameters=plan.parameters | {"BaseCapacity": capacity})
        _require_stage_bucket(account, plan)
        changed = _create(account, plan, say, agree) if live is None else _change(account, live, plan, say, agree)
        if changed is None:
            return None
        if plan.kind == SERVERLESS and (change := _set_limit(account, plan)):
            say(change)
            changed = True
        return Result(stack_outputs(account, complete_stack(account, plan.stack)), changed or limited)


def _require_stage_bucket(account: Account, plan: Plan) -> None:
    bucket = plan.parameters["OwnStageBucket"]
    if bucket and not bucket_exists(account, bucket):
        raise ConfigError(
            f"[S3] STAGE: there is no bucket {bucket}, and anyone who creates it could read the staged data. Create it,"
            " name another, or leave STAGE empty for a bucket of the stack."
        )


def _limit_if_unlimited(account: Account, live: Stack, plan: Plan, say: Say) -> bool:
    """Set the limit of an existing warehouse that has none; return whether it was set."""
    if live.kind != SERVERLESS or limit_in_force(account, live.outputs["Name"]):
        return False
    limited = plan.kind == SERVERLESS
    say(_set_limit(account, plan) if limited else f"Nothing limits the cost of {plan.stack}.")
    return limited


def _set_limit(account: Account, plan: Plan) -> str:
    """Set the spending limit and return a description of the change; raise ClusterError where AWS refuses it."""
    at_ctrl_c = f"The warehouse {plan.stack} may have no spending limit. Run `{plan.command}` to set it."
    try:
        with stack.interruptible(at_ctrl_c):
            return set_limit(account, plan.name, plan.rpu_hours)
    except account.refusal as error:
        raise ClusterError(
            f"{plan.stack}: the warehouse exists, but nothing limits its cost.\n{translate(error)}\n"
            f"Correct that, then run `{plan.command}` again."
        ) from error


def _wait_for_stack(account: Account, plan: Plan, say: Say) -> Stack | None:
    """Return the complete stack, or None if there is none.

    Wait for an operation in progress, continue a failed rollback, and delete a stack that was never complete.
    """
    name = plan.stack
    while live := stack.find(account, name):
        if live.is_complete:
            return live
        after = ""
        if live.status == "UPDATE_ROLLBACK_FAILED":
            say(f"An earlier change of {name} could not be rolled back. Trying again.")
            after = stack.continue_rollback(account, live)
        elif live.status == "ROLLBACK_COMPLETE":
            say(f"An earlier setup of {name} failed and was rolled back. Starting again.")
            after = stack.delete(account, live)
        elif live.in_progress:
            say(f"AWS is working on {name} ({live.status}). Waiting for it.")
        else:
            raise ClusterError(
                f"{name}: setup cannot repair a stack in this state ({live.status}). Run `sparkify cluster"
                " teardown`, then run setup again."
            )
        with _explain_ctrl_c(plan, unlimited=live.kind == SERVERLESS and live.status.startswith("CREATE")):
            outcome = stack.follow(account, live.id, say, after)
        if outcome.failures and "DELETE" not in outcome.status:
            raise _failure(account, name, outcome)
    return None


def _explain_ctrl_c(plan: Plan, *, unlimited: bool = False) -> AbstractContextManager[None]:
    without = " Nothing limits its cost until a setup completes and sets the limit." if unlimited else ""
    return stack.interruptible(
        f"AWS continues with the stack {plan.stack}, which costs money from now on.{without} Run `{plan.command}` to"
        " continue, or `sparkify cluster teardown` to delete it."
    )


def _create(account: Account, plan: Plan, say: Say, agree: Agree) -> bool | None:
    if plan.parameters["SnapshotName"]:
        require_snapshot(account, plan.kind, plan.parameters["SnapshotName"])
    if not agree(plan, None):
        return None
    # Redshift creates this role for an account's first warehouse, which can fail in the seconds until IAM knows it.
    with suppress(account.refusal):  # It exists already; or the stack's error names the permission.
        account.client("iam").create_service_linked_role(AWSServiceName="redshift.amazonaws.com")
    parameters = plan.parameters | {"Zones": _zones(account)}
    with _explain_ctrl_c(plan, unlimited=plan.kind == SERVERLESS):
        stack_id = stack.create(account, plan.stack, plan.kind, template.text(plan.kind), parameters)
        outcome = stack.follow(account, stack_id, say)
    if outcome.status != "CREATE_COMPLETE":
        raise _failure(account, plan.stack, outcome)
    return True


def _zones(account: Account) -> str:
    """Return two Availability Zones for the two subnets, as many as Serverless needs without enhanced VPC routing."""
    filters = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
    zones = account.client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    names = sorted(zone["ZoneName"] for zone in zones if zone["ZoneId"] not in OUTDATED_ZONES)
    return ",".join(names[number % len(names)] for number in range(2))


def _change(account: Account, live: Stack, plan: Plan, say: Say, agree: Agree) -> bool | None:
    if live.kind != plan.kind:
        raise ClusterError(
            f"{plan.stack}: the warehouse is {live.kind}, but dwh.cfg now calls for {plan.kind}. Run `sparkify"
            " cluster teardown` first, or name another stack in [DWH] STACK."
        )
    parameters = _parameters(live, plan)
    limit = _limit_change(account, plan)
    with stack.change_set(account, live, template.text(plan.kind), parameters) as (changes, execute):
        if not changes and not limit:
            return False
        _refuse_data_loss(plan, changes)
        if not agree(plan, [*changes, *limit]):
            return None
        if not changes:
            return False  # the caller sets the limit
        if any(change.action == "Remove" and change.type == "AWS::S3::Bucket" for change in changes):
            empty_bucket(account, live.outputs["StageUrl"])
        steps = _steps(live, parameters, changes)
        if len(steps) == 1:
            _update(account, live, plan, say, execute)
    if len(steps) > 1:
        say("AWS changes one property of a workgroup at a time, so this takes several updates.")
        for step in steps:
            with stack.change_set(account, live, template.text(plan.kind), step) as (changes, execute):
                if changes:
                    _update(account, live, plan, say, execute)
    return True


def _parameters(live: Stack, plan: Plan) -> dict[str, str]:
    """Return the parameters of an update; raise ClusterError for a snapshot or a resize that AWS would refuse."""
    if plan.parameters["SnapshotName"]:
        raise ClusterError(
            f"{plan.stack}: the warehouse exists, and a snapshot can only fill a new one. Run `sparkify cluster"
            " teardown` first, or name another stack in [DWH] STACK."
        )
    _refuse_resize(live, plan)
    kept = {key: live.parameters[key] for key in ("Zones", "SnapshotName") if key in live.parameters}
    parameters = plan.parameters | kept
    bucket, _ = s3.split(live.outputs["StageUrl"])
    # --write-config writes the stack's own bucket into dwh.cfg, which does not make it the user's.
    if not live.parameters["OwnStageBucket"] and parameters["OwnStageBucket"] == bucket:
        parameters["OwnStageBucket"] = ""
    return parameters


def _update(account: Account, live: Stack, plan: Plan, say: Say, execute: Callable[[], str]) -> None:
    with _explain_ctrl_c(plan):
        outcome = stack.follow(account, live.id, say, after=execute())
    if outcome.status != "UPDATE_COMPLETE":
        raise _failure(account, plan.stack, outcome)


def _steps(live: Stack, parameters: dict[str, str], changes: Sequence[Change]) -> list[dict[str, str]]:
    """Return the parameters of successive updates, each of which changes at most one of ONE_AT_A_TIME."""
    workgroup = [change for change in changes if change.type == "AWS::RedshiftServerless::Workgroup"]
    if not any(len(change.properties) > 1 for change in workgroup):
        return [parameters]
    singly = [key for key in ONE_AT_A_TIME if parameters[key] != live.parameters[key]]
    step = parameters | {key: live.parameters[key] for key in singly}
    steps = [step]
    for key in singly:
        step = step | {key: parameters[key]}
        steps.append(step)
    return steps


def _refuse_resize(live: Stack, plan: Plan) -> None:
    """Raise ClusterError for a resize between one node and several, which CloudFormation's elastic resize refuses.

    ("Elastic resize", Redshift Management Guide.)
    """
    before = int(live.parameters.get("NumberOfNodes", plan.nodes))
    if plan.kind == PROVISIONED and (before == 1) != (plan.nodes == 1):
        raise ClusterError(
            f"{plan.stack}: AWS cannot resize a cluster from {before} to {plan.nodes} nodes, because one of them is a"
            " single node. Undo the change; or run `sparkify cluster teardown`, then `sparkify cluster setup`, and load"
            " the data again."
        )


def _limit_change(account: Account, plan: Plan) -> list[Change]:
    """Return the change of the limit, to be shown with the changes of the stack."""
    limit = nearest_limit(account, plan.name, plan.rpu_hours) if plan.kind == SERVERLESS else None
    if limit is None or limit["amount"] == plan.rpu_hours:
        return []
    text = f"{plan.rpu_hours:,} RPU-hours a month; now {limit['amount']:,}"
    return [Change("Modify", "UsageLimit", "", replaces=False, properties=(text,))]


def _refuse_data_loss(plan: Plan, changes: Sequence[Change]) -> None:
    for change in changes:
        loses = change.replaces or change.action == "Remove" or not FIXED.isdisjoint(change.properties)
        if change.type in HOLDS_DATA and loses:
            what = ", ".join(change.properties) or "the configuration"
            raise ClusterError(
                f"{plan.stack}: {what} cannot be changed without a new {change.resource.lower()}, and the data would be"
                " deleted with the old one. Undo the change, or run `sparkify cluster teardown`, then setup."
            )


def _failure(account: Account, name: str, outcome: Outcome) -> ClusterError:
    """Return the error of a failed operation, after the deletion of a stack that was never complete."""
    left = stack.find(account, name)
    causes = "\n".join(outcome.failures) or outcome.status
    if left and left.status == "ROLLBACK_COMPLETE":
        deleted = stack.follow(account, left.id, lambda _: None, after=stack.delete(account, left))
        left = None if deleted.status == stack.DELETED else stack.find(account, name)
    if left is None:
        return ClusterError(
            f"{name}: the stack could not be created, and was rolled back; nothing is left.\n{causes}\n"
            "Correct that, then run `sparkify cluster setup` again."
        )
    if left.is_complete:
        return ClusterError(
            f"{name}: the stack could not be changed, and the change was rolled back.\n{causes}\n"
            "Correct that, then run `sparkify cluster setup` again."
        )
    return ClusterError(
        f"{name}: the operation failed, and could not be rolled back ({left.status}).\n{causes}\n"
        "Run `sparkify cluster teardown`."
    )
