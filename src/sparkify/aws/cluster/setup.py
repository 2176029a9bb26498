"""Make the stack what dwh.cfg calls for: from nothing, from what is there, or from where an interruption left it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from sparkify.aws import s3
from sparkify.aws.account import Account, plain_errors, told
from sparkify.aws.cluster import prices, stack, template
from sparkify.aws.cluster.outputs import Outputs, complete_stack, stack_outputs
from sparkify.aws.cluster.plan import Plan, priced
from sparkify.aws.cluster.resources import bucket_exists, empty_bucket, limit_in_force, nearest_limit, set_limit
from sparkify.aws.cluster.stack import Change, Outcome, Say, Stack
from sparkify.aws.cluster.validation import SERVERLESS
from sparkify.config import Config
from sparkify.errors import ClusterError, ConfigError

# Whoever replaces one of these loses what is in it.
HOLDS_DATA = ("AWS::RedshiftServerless::Namespace", "AWS::Redshift::Cluster")
# UpdateNamespace cannot change it, though CloudFormation does not say so beforehand.
FIXED = "DbName"

# Zones by their ids, which mean the same in every account: the first of us-east-1 lacks what is newer than itself.
OUTDATED_ZONES = ("use1-az3",)


@dataclass(frozen=True)
class Result:
    """What a setup came to."""

    outputs: Outputs
    changed: bool


def setup(
    config: Config, plan: Plan, say: Say, agree: Callable[[Plan, Sequence[Change] | None], bool]
) -> Result | None:
    """Make the stack what the plan says, after asking; return None where the answer was no.

    `agree` is shown the changes to a stack that is there, None when there is none yet.

    Raise ClusterError where AWS refuses, or a failure was rolled back.
    """
    with plain_errors(), Account(config) as account:
        known = prices.load(account.region, config.dwh.prices)
        plan = priced(replace(plan, region=account.region, prices=known))
        say(f"AWS account {account.number()}, {account.region}.")
        found = settled(account, plan, say)
        # Whatever becomes of the changes: what an interrupted setup has left costs, and nothing may limit it.
        limited = found is not None and _limit_if_there_is_none(account, found, plan, say)
        _refuse_stage_of_nobody(account, plan)
        changed = _create(account, plan, say, agree) if found is None else _change(account, found, plan, say, agree)
        if changed is None:
            return None
        if plan.kind == SERVERLESS and (done := _limited(account, plan)):
            say(done)
            changed = True
        return Result(stack_outputs(account, complete_stack(account, plan.stack)), changed or limited)


def _refuse_stage_of_nobody(account: Account, plan: Plan) -> None:
    bucket = plan.parameters["OwnStageBucket"]
    if bucket and not bucket_exists(account, bucket):
        raise ConfigError(
            f"[S3] STAGE: there is no bucket {bucket}, and whoever made one of that name could read what is staged."
            " Make it, name another, or leave STAGE empty for one of the stack's own."
        )


def _limit_if_there_is_none(account: Account, found: Stack, plan: Plan, say: Say) -> bool:
    if found.kind != SERVERLESS or limit_in_force(account, found.outputs["Name"]):
        return False
    limited = plan.kind == SERVERLESS
    say(_limited(account, plan) if limited else f"Nothing limits what {plan.stack} costs.")
    return limited


def _limited(account: Account, plan: Plan) -> str:
    """Set the limit of the spend; raise ClusterError where that is refused: the warehouse stands without it."""
    from botocore.exceptions import ClientError

    at_ctrl_c = f"{plan.stack} stands, perhaps without a limit of what it costs. Run `{plan.command}` to set it."
    try:
        with stack.interruptible(at_ctrl_c):
            return set_limit(account, plan.name, plan.rpu_hours)
    except ClientError as error:
        raise ClusterError(
            f"{plan.stack}: stands, but nothing limits what it costs.\n{told(error)}\n"
            f"Put that right, then run `{plan.command}` again."
        ) from error


def settled(account: Account, plan: Plan, say: Say) -> Stack | None:
    """Return the stack when AWS is done with it and all of it stands, None when there is none.

    What an earlier setup left under way is waited for; what it left behind of a failure is cleared away.
    """
    name = plan.stack
    while found := stack.find(account, name):
        if found.stands:
            return found
        after = ""
        if found.status == "UPDATE_ROLLBACK_FAILED":
            say(f"An earlier change of {name} could not be undone. Trying again.")
            after = stack.continue_rollback(account, found)
        elif found.status == "ROLLBACK_COMPLETE":
            say(f"An earlier setup of {name} failed and was rolled back. Beginning anew.")
            after = stack.delete(account, found)
        elif found.in_progress:
            say(f"AWS is at work on {name} ({found.status}). Waiting for it.")
        else:
            raise ClusterError(
                f"{name}: is in a state that a setup cannot mend ({found.status}). Run `sparkify cluster teardown`,"
                " then set up anew."
            )
        with _going_on(plan, unlimited=found.kind == SERVERLESS and found.status.startswith("CREATE")):
            outcome = stack.follow(account, found.id, say, after)
        if outcome.failures and "DELETE" not in outcome.status:
            raise _failed(account, stack.find(account, name), name, outcome)
    return None


def _going_on(plan: Plan, *, unlimited: bool = False) -> AbstractContextManager[None]:
    without = " Nothing limits what it may cost until a setup has ended: that sets the limit." if unlimited else ""
    return stack.interruptible(
        f"AWS goes on with the stack {plan.stack}, which costs from now on.{without} Run `{plan.command}` to go on with"
        " it, or `sparkify cluster teardown` to be rid of it."
    )


def _create(
    account: Account, plan: Plan, say: Say, agree: Callable[[Plan, Sequence[Change] | None], bool]
) -> bool | None:
    if not agree(plan, None):
        return None
    parameters = plan.parameters | {"Zones": _zones(account)}
    with _going_on(plan, unlimited=plan.kind == SERVERLESS):
        made = stack.create(account, plan.stack, plan.kind, template.text(plan.kind), parameters)
        outcome = stack.follow(account, made, say)
    if outcome.status != "CREATE_COMPLETE":
        raise _failed(account, stack.find(account, plan.stack), plan.stack, outcome)
    return True


def _zones(account: Account) -> str:
    """Return three zones for the three subnets; in a region that gives two, one of them serves twice.

    ("Considerations when using Amazon Redshift Serverless", Redshift Management Guide.)
    """
    filters = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
    found = account.client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    names = sorted(zone["ZoneName"] for zone in found if zone["ZoneId"] not in OUTDATED_ZONES)
    return ",".join(names[place % len(names)] for place in range(3))


def _change(
    account: Account,
    found: Stack,
    plan: Plan,
    say: Say,
    agree: Callable[[Plan, Sequence[Change] | None], bool],
) -> bool | None:
    if found.kind != plan.kind:
        raise ClusterError(
            f"{plan.stack}: is {found.kind}, and dwh.cfg now calls for {plan.kind}. Run `sparkify cluster teardown`"
            " first, or name another stack in [DWH] STACK."
        )
    parameters = plan.parameters | {"Zones": found.parameters["Zones"]}
    bucket, _ = s3.split(found.outputs["StageUrl"])
    if not found.parameters["OwnStageBucket"] and parameters["OwnStageBucket"] == bucket:  # as --write-config wrote it
        parameters["OwnStageBucket"] = ""
    limit = _change_of_limit(account, plan)
    with stack.change_set(account, found, template.text(plan.kind), parameters) as (changes, execute):
        if not changes and not limit:
            return False
        _refuse_loss(plan, changes)
        if not agree(plan, [*changes, *limit]):
            return None
        if not changes:
            return False  # the limit is set when the stack stands, changed or not
        if any(change.action == "Remove" and change.type == "AWS::S3::Bucket" for change in changes):
            empty_bucket(account, found.outputs["StageUrl"])
        with _going_on(plan):
            outcome = stack.follow(account, found.id, say, after=execute())
    if outcome.status != "UPDATE_COMPLETE":
        raise _failed(account, stack.find(account, plan.stack), plan.stack, outcome)
    return True


def _change_of_limit(account: Account, plan: Plan) -> list[Change]:
    """Return what setting the limit will change, to be shown with the changes of the stack."""
    standing = nearest_limit(account, plan.name, plan.rpu_hours) if plan.kind == SERVERLESS else None
    if standing is None or standing["amount"] == plan.rpu_hours:
        return []
    words = f"{plan.rpu_hours:,} RPU-hours a month; now {standing['amount']:,}"
    return [Change("Modify", "UsageLimit", "", replaces=False, properties=(words,))]


def _refuse_loss(plan: Plan, changes: Sequence[Change]) -> None:
    for change in changes:
        loses = change.replaces or change.action == "Remove" or FIXED in change.properties
        if change.type in HOLDS_DATA and loses:
            what = ", ".join(change.properties) or "what dwh.cfg now says"
            raise ClusterError(
                f"{plan.stack}: {what} cannot be changed without a new {change.resource.lower()}, and the data would go"
                " with the old one. Undo the change, or run `sparkify cluster teardown` and set up anew."
            )


def _failed(account: Account, left: Stack | None, name: str, outcome: Outcome) -> ClusterError:
    """Return the error of a stack that failed, after clearing away what is left of one that was never made."""
    causes = "\n".join(outcome.failures) or outcome.status
    if left and left.status == "ROLLBACK_COMPLETE":
        stack.follow(account, left.id, lambda _: None, after=stack.delete(account, left))
        left = None
    if left is None:
        return ClusterError(
            f"{name}: could not be made, and was rolled back; nothing is left.\n{causes}\n"
            "Put that right, then run `sparkify cluster setup` again."
        )
    if left.stands:
        return ClusterError(
            f"{name}: could not be changed, and is as it was before.\n{causes}\n"
            "Put that right, then run `sparkify cluster setup` again."
        )
    return ClusterError(
        f"{name}: failed, and could not be rolled back ({left.status}).\n{causes}\nRun `sparkify cluster teardown`."
    )
