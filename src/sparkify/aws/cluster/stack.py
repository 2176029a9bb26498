"""One CloudFormation stack: look at it, make it, change it, delete it, and follow what happens to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkify.aws.account import KIND, PROJECT, Account, code, what_is_missing
from sparkify.errors import ClusterError

Say = Callable[[str], None]

GONE = "DELETE_COMPLETE"


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it."""

    id: str
    name: str
    status: str
    reason: str
    created: datetime
    kind: str
    parameters: dict[str, str]
    outputs: dict[str, str]

    @property
    def in_progress(self) -> bool:
        """Whether AWS is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def stands(self) -> bool:
        """Whether all of it is there."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


@dataclass(frozen=True)
class Change:
    """What an update does to one resource."""

    action: str  # Add, Modify, Remove
    resource: str
    type: str
    replaces: bool
    properties: tuple[str, ...]


def find(account: Account, name: str) -> Stack | None:
    """Return the stack of a name, if there is one; raise ClusterError where it is not one of ours."""
    from botocore.exceptions import ClientError

    try:
        (found,) = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
    if tags.get(PROJECT) != found["StackName"]:
        raise ClusterError(
            f"{name}: is a stack of somebody else's: it has no tag {PROJECT}. Name another in [DWH] STACK."
        )
    return Stack(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        created=found["CreationTime"],
        kind=tags.get(KIND, ""),
        parameters={p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", ())},
        outputs={o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", ())},
    )


def create(account: Account, name: str, kind: str, template: str, parameters: dict[str, str]) -> str:
    """Begin to make a stack; return its id. What fails is rolled back."""
    made = account.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=_as_list(parameters),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=_tags(name, kind),
        OnFailure="ROLLBACK",
        ClientRequestToken=uuid.uuid4().hex,
    )
    return str(made["StackId"])


def _as_list(parameters: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _tags(name: str, kind: str) -> list[dict[str, str]]:
    """Return the stack's tags; CloudFormation puts them on every resource."""
    return [{"Key": PROJECT, "Value": name}, {"Key": KIND, "Value": kind}]


@contextmanager
def change_set(
    account: Account, stack: Stack, template: str, parameters: dict[str, str]
) -> Iterator[tuple[list[Change], Callable[[], str]]]:
    """Give what an update would change, and the function that begins it; what is not begun is forgotten.

    The function returns the event after which to follow.
    """
    client = account.client("cloudformation")
    made = client.create_change_set(
        StackName=stack.id,
        ChangeSetName=f"sparkify-{uuid.uuid4().hex}",
        ChangeSetType="UPDATE",
        TemplateBody=template,
        Parameters=_as_list(parameters),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=_tags(stack.name, stack.kind),
    )["Id"]
    begun = False

    def execute() -> str:
        nonlocal begun
        before = newest_event(account, stack.id)
        client.execute_change_set(ChangeSetName=made, StackName=stack.id)
        begun = True
        return before

    try:
        yield _changes(account, made, stack), execute
    finally:
        if not begun:
            client.delete_change_set(ChangeSetName=made, StackName=stack.id)


NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def _changes(account: Account, change_set: str, stack: Stack) -> list[Change]:
    client = account.client("cloudformation")
    for _ in account.looks(f"{stack.name}: its change set"):
        page = client.describe_change_set(ChangeSetName=change_set, StackName=stack.id)
        if page["Status"] == "FAILED":
            reason = page.get("StatusReason", "")
            if any(words in reason for words in NO_CHANGES):
                return []
            raise ClusterError(f"{stack.name}: AWS cannot work out the change: {reason}")
        if page["Status"] == "CREATE_COMPLETE":
            break
    changes = list(page["Changes"])
    while page.get("NextToken"):
        page = client.describe_change_set(ChangeSetName=change_set, StackName=stack.id, NextToken=page["NextToken"])
        changes += page["Changes"]
    return [_change(change["ResourceChange"]) for change in changes]


def _change(change: dict[str, Any]) -> Change:
    targets = [detail["Target"] for detail in change.get("Details", ())]
    return Change(
        action=change["Action"],
        resource=change["LogicalResourceId"],
        type=change["ResourceType"],
        # "Conditional" as well: CloudFormation knows only on the way, and then it is too late to ask.
        replaces=change.get("Replacement", "False") != "False",
        properties=tuple(sorted({target.get("Name") or target["Attribute"] for target in targets})),
    )


def delete(account: Account, stack: Stack) -> str:
    """Begin to delete a stack; return the event after which to follow."""
    before = newest_event(account, stack.id)
    account.client("cloudformation").delete_stack(StackName=stack.id)
    return before


def continue_rollback(account: Account, stack: Stack) -> str:
    """Begin again to undo an update, where that got stuck; return the event after which to follow."""
    before = newest_event(account, stack.id)
    account.client("cloudformation").continue_update_rollback(StackName=stack.id)
    return before


@dataclass(frozen=True)
class Member:
    """A resource of a stack."""

    name: str
    type: str
    id: str  # AWS's own; "" before it has one
    status: str


def members(account: Account, stack_id: str) -> list[Member]:
    """Return the resources of a stack, of a deleted one too (by its id)."""
    pages = account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return [
        Member(
            found["LogicalResourceId"],
            found["ResourceType"],
            found.get("PhysicalResourceId", ""),
            found["ResourceStatus"],
        )
        for page in pages
        for found in page["StackResourceSummaries"]
    ]


def deleted(account: Account, name: str) -> list[str]:
    """Return the ids of the deleted stacks of a name, newest first; CloudFormation remembers 90 days."""
    pages = account.client("cloudformation").get_paginator("list_stacks").paginate(StackStatusFilter=[GONE])
    found = [stack for page in pages for stack in page["StackSummaries"] if stack["StackName"] == name]
    return [stack["StackId"] for stack in sorted(found, key=lambda stack: stack["CreationTime"], reverse=True)]


# Following


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Let Ctrl-C say what AWS goes on with, and what to run."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(message) from None


@dataclass(frozen=True)
class Outcome:
    """How an operation on a stack ended."""

    status: str
    failures: tuple[str, ...]  # "Resource (Type): AWS's words", the cause first


def newest_event(account: Account, stack_id: str) -> str:
    """Return the id of a stack's newest event: what is followed comes after it."""
    return str(account.client("cloudformation").describe_stack_events(StackName=stack_id)["StackEvents"][0]["EventId"])


def follow(account: Account, stack_id: str, say: Say, after: str = "") -> Outcome:
    """Say what happens to the resources of a stack until AWS is done with it.

    Only what comes after an event counts: the status of a stack may still be the one from before. Without one, what is
    followed is the operation that is under way.
    """
    said: set[tuple[str, str]] = set()
    failures: list[str] = []
    for _ in account.looks(stack_id.split("/")[1] if "/" in stack_id else stack_id):
        events = _events(account, stack_id, after)
        for event in events:
            resource, status = event["LogicalResourceId"], event["ResourceStatus"]
            if event["PhysicalResourceId"] == stack_id or (resource, status) in said:
                continue
            said.add((resource, status))
            say(_line(resource, status))
            reason = event.get("ResourceStatusReason", "")
            if status.endswith("_FAILED") and "cancelled" not in reason:  # the others were only stopped
                failures.append(_failure(resource, event["ResourceType"], reason))
        if ended := [e for e in events if e["PhysicalResourceId"] == stack_id and _is_end(e["ResourceStatus"])]:
            return Outcome(ended[-1]["ResourceStatus"], tuple(dict.fromkeys(failures)))
    raise AssertionError("looks ends by raising")


def _is_end(status: str) -> bool:
    return not status.endswith("_IN_PROGRESS")


def _events(account: Account, stack_id: str, after: str) -> list[dict[str, Any]]:
    """Return the events after a given one, or of the operation under way, oldest first."""
    found: list[dict[str, Any]] = []
    pages = account.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id)
    for event in (event for page in pages for event in page["StackEvents"]):  # newest first
        if event["EventId"] == after:
            break
        found.append(event)
        begins = event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
        if not after and event["PhysicalResourceId"] == stack_id and begins:
            break
    return found[::-1]


WORDS = {
    "CREATE_IN_PROGRESS": "making",
    "CREATE_COMPLETE": "made",
    "CREATE_FAILED": "FAILED",
    "UPDATE_IN_PROGRESS": "changing",
    "UPDATE_COMPLETE": "changed",
    "UPDATE_FAILED": "FAILED",
    "DELETE_IN_PROGRESS": "deleting",
    "DELETE_COMPLETE": "deleted",
    "DELETE_FAILED": "FAILED",
    "DELETE_SKIPPED": "left",
}


def _line(resource: str, status: str) -> str:
    return f"  {WORDS.get(status, status.lower().replace('_', ' ')):9} {resource}"


def _failure(resource: str, type: str, reason: str) -> str:  # noqa: A002 (AWS's word)
    missing = what_is_missing(reason)
    return f"{resource} ({type}): {reason}" + (f"\n{missing}" if missing else "")
