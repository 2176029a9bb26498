"""Delete the stack and the content of its bucket, wait until all of it is deleted, and list the leftovers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sparkify.aws.account import Account, translate, translate_errors
from sparkify.aws.cluster import stack
from sparkify.aws.cluster.leftovers import Leftovers, find_leftovers
from sparkify.aws.cluster.outputs import secret_arn
from sparkify.aws.cluster.resources import (
    BucketContent,
    count_objects,
    empty_bucket,
    final_snapshot_name,
    kept_snapshot,
    take_snapshot,
)
from sparkify.aws.cluster.stack import Member, Say, Stack
from sparkify.aws.cluster.validation import PROVISIONED, SERVERLESS, stack_name
from sparkify.config import Config
from sparkify.errors import ClusterError

ATTEMPTS = 2  # Redshift sometimes frees its network interfaces late, and a subnet cannot be deleted before that

# Type of a resource -> pattern of the value that `setup --write-config` writes for it.
PATTERNS = {
    "AWS::RedshiftServerless::Workgroup": "{id}.{account}.{region}.redshift-serverless.amazonaws.com*",
    "AWS::Redshift::Cluster": "{id}.*.{region}.redshift.amazonaws.com*",
    "AWS::IAM::Role": "arn:*:iam::{account}:role/sparkify/{stack}/{id}",
    "AWS::S3::Bucket": "s3://{id}/*",
}


@dataclass(frozen=True)
class Deletion:
    """The resources and data that a teardown is about to delete."""

    stack: str
    region: str
    kind: str
    database: str
    members: tuple[Member, ...]
    staged: BucketContent | None  # None for a stage of the user, and without the permission to list it
    snapshot: str  # the name of the final snapshot; "" for none
    has_begun: bool  # an earlier teardown was interrupted, and AWS goes on with it


@dataclass(frozen=True)
class Result:
    """The result of a teardown."""

    leftovers: Leftovers
    problems: tuple[str, ...]
    deleted: tuple[str, ...]  # patterns of values in dwh.cfg that name a deleted resource; * stands for any text


def teardown(
    config: Config, say: Say, agree: Callable[[Deletion], bool], snapshot: bool | None = None
) -> Result | None:
    """Delete everything that setup created, if `agree` returns True for it; return None otherwise.

    A provisioned cluster leaves a final snapshot unless `snapshot` is False, a Serverless one only if it is True.

    Raise ClusterError, before anything is deleted, where AWS does not respond, sparkify did not create the stack, or
    the snapshot fails. Failed deletions raise no error: the result lists them.
    """
    name = stack_name(config.dwh)
    with translate_errors(), Account(config) as account:
        say(f"AWS account {account.account_id()}, {account.region}.")
        live = _wait_for_stack(account, name, say)
        if live is None:
            leftovers = find_leftovers(account, name)
            return Result(leftovers, (), _patterns(account, name, leftovers.deleted))
        deletion = _plan_deletion(account, live, snapshot)
        if not agree(deletion):
            return None
        with _explain_ctrl_c(name):
            kept = _take_snapshot(account, deletion, say)
            secret = _secret(account, live)
            problems = _delete(account, live, deletion, say)
            say("Checking for leftovers.")
            leftovers = find_leftovers(account, name, secret, kept)
        return Result(leftovers, tuple(problems), _patterns(account, name, leftovers.deleted))


def _patterns(account: Account, stack: str, deleted: Sequence[Member]) -> tuple[str, ...]:
    """Return patterns of the values in dwh.cfg that name deleted resources, even if AWS finished after Ctrl-C."""
    known = {"account": account.account_id(), "region": account.region, "stack": stack}
    return tuple(PATTERNS[member.type].format(id=member.id, **known) for member in deleted if member.type in PATTERNS)


def _explain_ctrl_c(name: str) -> AbstractContextManager[None]:
    return stack.interruptible(
        f"The stack {name} may be partly deleted, and the rest still costs money. Run `sparkify cluster teardown` again"
        " to continue."
    )


def _wait_for_stack(account: Account, name: str, say: Say) -> Stack | None:
    """Return the stack when only a teardown is in progress: CloudFormation accepts one operation at a time."""
    while live := stack.find(account, name):
        if not live.in_progress or live.status == "DELETE_IN_PROGRESS":
            return live
        say(f"AWS is working on {name} ({live.status}). Waiting for it.")
        with _explain_ctrl_c(name):
            stack.follow(account, live.id, say)
    return None


def _plan_deletion(account: Account, live: Stack, snapshot: bool | None) -> Deletion:
    members = tuple(member for member in stack.members(account, live.id) if member.status != stack.DELETED)
    warehouse = _warehouse(members)
    wanted = live.kind == PROVISIONED if snapshot is None else snapshot
    has_begun = live.status == "DELETE_IN_PROGRESS"
    if has_begun:  # the snapshot was taken or declined before
        wanted = False
    return Deletion(
        stack=live.name,
        region=account.region,
        kind=live.kind,
        database=live.parameters.get("DatabaseName", ""),
        members=members,
        staged=_staged(account, _own_bucket(members)),
        snapshot=final_snapshot_name(warehouse) if wanted and warehouse else "",
        has_begun=has_begun,
    )


def _staged(account: Account, bucket: str) -> BucketContent | None:
    try:
        return count_objects(account, bucket) if bucket else None
    except account.refusal:  # the count is only for display
        return None


def _own_bucket(members: tuple[Member, ...]) -> str:
    return next((member.id for member in members if member.type == "AWS::S3::Bucket"), "")


def _warehouse(members: tuple[Member, ...]) -> str:
    """Return the id of the namespace or cluster that holds data, "" where it was never created."""
    types = ("AWS::RedshiftServerless::Namespace", "AWS::Redshift::Cluster")
    complete = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "DELETE_FAILED")
    return next((m.id for m in members if m.type in types and m.status in complete), "")


def _take_snapshot(account: Account, deletion: Deletion, say: Say) -> str:
    if not deletion.snapshot:
        return ""
    warehouse = _warehouse(deletion.members)
    if deletion.kind == SERVERLESS and not _has_workgroup(deletion.members):
        if kept := kept_snapshot(account, warehouse):
            return kept
        raise ClusterError(
            f"{warehouse}: a snapshot of a namespace needs its workgroup, which is deleted. Nothing was deleted."
            " Run this with --no-snapshot to delete the data, or create a workgroup for it in the AWS console."
        )
    name = deletion.snapshot
    say(f"Taking the final snapshot {name}. To restore it: sparkify cluster setup --from-snapshot {name}")
    try:
        return take_snapshot(account, deletion.stack, deletion.kind, warehouse, deletion.snapshot)
    except (ClusterError, account.refusal) as error:
        cause = error if isinstance(error, ClusterError) else translate(error)
        raise ClusterError(
            f"{cause}\nNothing was deleted. If the cluster is paused, resume it for the snapshot, or pass"
            " --no-snapshot."
        ) from error


def _has_workgroup(members: tuple[Member, ...]) -> bool:
    return any(member.type == "AWS::RedshiftServerless::Workgroup" and member.id for member in members)


def _secret(account: Account, live: Stack) -> str:
    try:
        return live.outputs.get("SecretArn") or (secret_arn(account, live) if live.outputs else "")
    except account.refusal:  # the namespace was deleted before the stack
        return ""


def _delete(account: Account, live: Stack, deletion: Deletion, say: Say) -> list[str]:
    """Delete the stack, with a second attempt after a failure; return the failures of the last attempt."""
    problems: list[str] = []
    for _ in range(ATTEMPTS):
        problems = []
        if bucket := _own_bucket(deletion.members):
            try:
                empty_bucket(account, bucket)
            except (ClusterError, account.refusal) as error:
                problems.append(str(error if isinstance(error, ClusterError) else translate(error)))
        after = "" if live.status == "DELETE_IN_PROGRESS" else stack.delete(account, live)
        outcome = stack.follow(account, live.id, say, after)
        if outcome.status == stack.DELETED:
            return []
        problems += outcome.failures or [f"{live.name}: {outcome.status}"]
        remaining = stack.find(account, live.name)
        if remaining is None:
            return []
        live = remaining
    return problems
