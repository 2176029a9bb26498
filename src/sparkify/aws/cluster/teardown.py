"""Delete the stack and what it cannot delete itself, wait until all of it is gone, and list what is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sparkify.aws.account import Account, plain_errors, told
from sparkify.aws.cluster import remains, stack
from sparkify.aws.cluster.outputs import secret_arn
from sparkify.aws.cluster.remains import Remains
from sparkify.aws.cluster.resources import (
    BucketContent,
    count_objects,
    empty_bucket,
    final_snapshot_name,
    take_snapshot,
)
from sparkify.aws.cluster.stack import Member, Say, Stack
from sparkify.aws.cluster.validation import PROVISIONED, stack_name
from sparkify.config import Config
from sparkify.errors import ClusterError

ATTEMPTS = 2  # Redshift frees its network interfaces late now and then, and a subnet cannot go before they have

# What `setup --write-config` writes down of a resource, by its type.
NAMES = {
    "AWS::RedshiftServerless::Workgroup": "{id}.{account}.{region}.redshift-serverless.amazonaws.com*",
    "AWS::Redshift::Cluster": "{id}.*.{region}.redshift.amazonaws.com*",
    "AWS::IAM::Role": "arn:*:iam::{account}:role/sparkify/{stack}/{id}",
    "AWS::S3::Bucket": "s3://{id}/*",
}


@dataclass(frozen=True)
class Doomed:
    """What a teardown is about to delete."""

    stack: str
    region: str
    kind: str
    database: str
    members: tuple[Member, ...]
    staged: BucketContent | None  # None where the stage is not the stack's own, or may not be listed
    snapshot: str  # the name of the final snapshot; "" for none


@dataclass(frozen=True)
class Result:
    """What a teardown came to."""

    remains: Remains
    problems: tuple[str, ...]
    named: tuple[str, ...]  # how dwh.cfg may name what is gone, * for anything


def teardown(config: Config, say: Say, agree: Callable[[Doomed], bool], snapshot: bool | None = None) -> Result | None:
    """Delete everything that setup made, after asking; return None where the answer was no.

    A provisioned cluster leaves a final snapshot unless `snapshot` is False, a Serverless one only if it is True.

    Raise ClusterError where AWS cannot be asked, the stack is somebody else's, or the snapshot fails: then nothing has
    been deleted. What cannot be deleted raises nothing: it is told in the result.
    """
    name = stack_name(config.dwh)
    with plain_errors(), Account(config) as account:
        say(f"AWS account {account.number()}, {account.region}.")
        found = _settled(account, name, say)
        if found is None:
            left = remains.find_remains(account, name)
            return Result(left, (), _named(account, name, left.gone))
        doomed = _look(account, found, snapshot)
        if found.status != "DELETE_IN_PROGRESS" and not agree(doomed):
            return None
        with _again(name):
            kept = _take_snapshot(account, doomed, say)
            secret = _secret(account, found)
            problems = _delete(account, found, doomed, say)
            say("Looking for what is left.")
            left = remains.find_remains(account, name, secret, kept)
        return Result(left, tuple(problems), _named(account, name, left.gone))


def _named(account: Account, stack: str, gone: Sequence[Member]) -> tuple[str, ...]:
    """Return what dwh.cfg may hold of what is gone; asked of CloudFormation, since AWS may have gone on without us."""
    known = {"account": account.number(), "region": account.region, "stack": stack}
    return tuple(NAMES[member.type].format(id=member.id, **known) for member in gone if member.type in NAMES)


def _again(name: str) -> AbstractContextManager[None]:
    return stack.interruptible(
        f"the stack {name} may be deleted in part; what is not costs on. Run `sparkify cluster teardown` again: it goes"
        " on from there."
    )


def _settled(account: Account, name: str, say: Say) -> Stack | None:
    """Return the stack when nobody but a teardown is at work on it: CloudFormation takes one order at a time."""
    while found := stack.find(account, name):
        if not found.in_progress or found.status == "DELETE_IN_PROGRESS":
            return found
        say(f"AWS is at work on {name} ({found.status}). Waiting for it.")
        with _again(name):
            stack.follow(account, found.id, say)
    return None


def _look(account: Account, found: Stack, snapshot: bool | None) -> Doomed:
    members = tuple(member for member in stack.members(account, found.id) if member.status != stack.GONE)
    bucket = _own_bucket(members)
    warehouse = _warehouse(members)
    wanted = found.kind == PROVISIONED if snapshot is None else snapshot
    if found.status == "DELETE_IN_PROGRESS":  # taken, or done without, before that began
        wanted = False
    return Doomed(
        stack=found.name,
        region=account.region,
        kind=found.kind,
        database=found.parameters.get("DatabaseName", ""),
        members=members,
        staged=_staged(account, bucket),
        snapshot=final_snapshot_name(warehouse) if wanted and warehouse else "",
    )


def _staged(account: Account, bucket: str) -> BucketContent | None:
    try:
        return count_objects(account, bucket) if bucket else None
    except _client_error():  # to count is no condition for deleting
        return None


def _own_bucket(members: tuple[Member, ...]) -> str:
    return next((member.id for member in members if member.type == "AWS::S3::Bucket"), "")


def _warehouse(members: tuple[Member, ...]) -> str:
    """Return the id of the namespace or cluster that holds data, "" where it was never made."""
    holding = ("AWS::RedshiftServerless::Namespace", "AWS::Redshift::Cluster")
    standing = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "DELETE_FAILED")
    return next((m.id for m in members if m.type in holding and m.status in standing), "")


def _take_snapshot(account: Account, doomed: Doomed, say: Say) -> str:
    if not doomed.snapshot:
        return ""
    say(f"Taking the final snapshot {doomed.snapshot}.")
    try:
        return take_snapshot(account, doomed.stack, doomed.kind, _warehouse(doomed.members), doomed.snapshot)
    except (ClusterError, _client_error()) as error:
        plain = error if isinstance(error, ClusterError) else told(error)
        raise ClusterError(
            f"{plain}\nNothing was deleted. A paused cluster has to be resumed for a snapshot; --no-snapshot goes"
            " without one."
        ) from error


def _client_error() -> type[Exception]:
    from botocore.exceptions import ClientError

    kind: type[Exception] = ClientError
    return kind


def _secret(account: Account, found: Stack) -> str:
    try:
        return found.outputs.get("SecretArn") or (secret_arn(account, found) if found.outputs else "")
    except _client_error():  # gone before the stack is
        return ""


def _delete(account: Account, found: Stack, doomed: Doomed, say: Say) -> list[str]:
    """Delete the stack, with another attempt at what would not go; return what still did not, in AWS's words."""
    problems: list[str] = []
    for _ in range(ATTEMPTS):
        problems = []
        bucket = _own_bucket(doomed.members)
        if bucket:
            try:
                empty_bucket(account, bucket)
            except (ClusterError, _client_error()) as error:
                problems.append(str(error if isinstance(error, ClusterError) else told(error)))
        after = "" if found.status == "DELETE_IN_PROGRESS" else stack.delete(account, found)
        outcome = stack.follow(account, found.id, say, after)
        if outcome.status == stack.GONE:
            return []
        problems += outcome.failures or [f"{found.name}: {outcome.status}"]
        still = stack.find(account, found.name)
        if still is None:
            return []
        found = still
    return problems
