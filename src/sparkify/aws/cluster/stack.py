"""One CloudFormation stack: find, create, change and delete it, and follow its events."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkify.aws.account import KIND, PROJECT, Account, code, missing_permission, translate
from sparkify.errors import ClusterError

Say = Callable[[str], None]

DELETED = "DELETE_COMPLETE"

# No update can replace or delete the warehouse's data, even one from the AWS console.
STACK_POLICY = {
    "Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": ["Update:Replace", "Update:Delete"],
            "Principal": "*",
            "Resource": ["LogicalResourceId/Namespace", "LogicalResourceId/Cluster"],
        },
    ]
}


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it."""

    id: str
    name: str
    status: str
    created: datetime
    kind: str
    parameters: dict[str, str]
    outputs: dict[str, str]
    protected: bool = False  # against deletion

    @property
    def in_progress(self) -> bool:
        """Whether AWS is working on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_complete(self) -> bool:
        """Whether all of its resources exist."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


@dataclass(frozen=True)
class Change:
    """The effect of an update on one resource."""

    action: str  # Add, Modify, Remove
    resource: str
    type: str
    replaces: bool
    properties: tuple[str, ...]


def find(account: Account, name: str) -> Stack | None:
    """Return the stack of a name, if it exists; raise ClusterError where sparkify did not create it."""
    try:
        (found,) = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except account.refusal as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
    if tags.get(PROJECT) != found["StackName"]:
        raise ClusterError(
            f"{name}: the stack lacks the tag {PROJECT}, so sparkify did not create it. Name another in [DWH] STACK."
        )
    return Stack(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        created=found["CreationTime"],
        kind=tags.get(KIND, ""),
        parameters={p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", ())},
        outputs={o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", ())},
        protected=found.get("EnableTerminationProtection", False),
    )


def create(account: Account, name: str, kind: str, template: str, parameters: dict[str, str]) -> str:
    """Start the creation of a stack and return its id; AWS rolls back a failure."""
    response = account.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=_as_list(parameters),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=_tags(name, kind),
        OnFailure="ROLLBACK",
        StackPolicyBody=json.dumps(STACK_POLICY),
        EnableTerminationProtection=True,
        ClientRequestToken=uuid.uuid4().hex,
    )
    return str(response["StackId"])


def _as_list(parameters: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _tags(name: str, kind: str) -> list[dict[str, str]]:
    """Return the stack's tags, which CloudFormation copies to every resource."""
    return [{"Key": PROJECT, "Value": name}, {"Key": KIND, "Value": kind}]


@contextmanager
def change_set(
    account: Account, stack: Stack, template: str, parameters: dict[str, str]
) -> Iterator[tuple[list[Change], Callable[[], str]]]:
    """Yield the changes of an update, and the function that starts it; delete an update that was not started.

    The function returns the event after which to follow.
    """
    client = account.client("cloudformation")
    change_set_id = client.create_change_set(
        StackName=stack.id,
        ChangeSetName=f"sparkify-{uuid.uuid4().hex}",
        ChangeSetType="UPDATE",
        TemplateBody=template,
        Parameters=_as_list(parameters),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=_tags(stack.name, stack.kind),
    )["Id"]
    started = False

    def execute() -> str:
        nonlocal started
        before = newest_event(account, stack.id)
        client.execute_change_set(ChangeSetName=change_set_id, StackName=stack.id)
        started = True
        return before

    try:
        yield _changes(account, change_set_id, stack), execute
    finally:
        if not started:
            with suppress(account.refusal):  # AWS deletes none that it is still computing, and one costs nothing.
                client.delete_change_set(ChangeSetName=change_set_id, StackName=stack.id)


NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def _changes(account: Account, change_set_id: str, stack: Stack) -> list[Change]:
    client = account.client("cloudformation")
    for _ in account.polls(f"{stack.name}: the change set"):
        page = client.describe_change_set(ChangeSetName=change_set_id, StackName=stack.id)
        if page["Status"] == "FAILED":
            reason = page.get("StatusReason", "")
            if any(text in reason for text in NO_CHANGES):
                return []
            causes = _causes(account, StackName=stack.id, ChangeSetName=change_set_id)
            text = "\n".join([f"{stack.name}: AWS cannot compute the changes ({reason}).", *causes])
            raise ClusterError(f"{text}\nCorrect dwh.cfg, then run this again.")
        if page["Status"] == "CREATE_COMPLETE":
            break
    changes = list(page["Changes"])
    while page.get("NextToken"):
        page = client.describe_change_set(ChangeSetName=change_set_id, StackName=stack.id, NextToken=page["NextToken"])
        changes += page["Changes"]
    return [_change(change["ResourceChange"]) for change in changes]


def _change(change: dict[str, Any]) -> Change:
    targets = [detail["Target"] for detail in change.get("Details", ())]
    return Change(
        action=change["Action"],
        resource=change["LogicalResourceId"],
        type=change["ResourceType"],
        # "Conditional" counts too: CloudFormation decides during the update, when it is too late to ask.
        replaces=change.get("Replacement", "False") != "False",
        properties=tuple(sorted({target.get("Name") or target["Attribute"] for target in targets})),
    )


def delete(account: Account, stack: Stack) -> str:
    """Start the deletion of a stack, protected or not; return the event after which to follow."""
    before = newest_event(account, stack.id)
    if stack.protected:
        account.client("cloudformation").update_termination_protection(
            StackName=stack.id, EnableTerminationProtection=False
        )
    account.client("cloudformation").delete_stack(StackName=stack.id)
    return before


def continue_rollback(account: Account, stack: Stack) -> str:
    """Continue the rollback of an update that failed to roll back; return the event after which to follow."""
    before = newest_event(account, stack.id)
    account.client("cloudformation").continue_update_rollback(StackName=stack.id)
    return before


@dataclass(frozen=True)
class Member:
    """A resource of a stack."""

    name: str
    type: str
    id: str  # assigned by AWS; "" before that
    status: str


def members(account: Account, stack_id: str) -> list[Member]:
    """Return the resources of a stack, even of a deleted one."""
    pages = account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return [
        Member(
            resource["LogicalResourceId"],
            resource["ResourceType"],
            resource.get("PhysicalResourceId", ""),
            resource["ResourceStatus"],
        )
        for page in pages
        for resource in page["StackResourceSummaries"]
    ]


def deleted(account: Account, name: str) -> list[str]:
    """Return the ids of the deleted stacks of a name, newest first; CloudFormation keeps them for 90 days."""
    pages = account.client("cloudformation").get_paginator("list_stacks").paginate(StackStatusFilter=[DELETED])
    found = [stack for page in pages for stack in page["StackSummaries"] if stack["StackName"] == name]
    return [stack["StackId"] for stack in sorted(found, key=lambda stack: stack["CreationTime"], reverse=True)]


# Following


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Add a message to the KeyboardInterrupt of Ctrl-C: what AWS continues to do, and which command to run."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(message) from None


@dataclass(frozen=True)
class Outcome:
    """The result of an operation on a stack."""

    status: str
    failures: tuple[str, ...]  # "Resource (Type): AWS's reason", the cause first


def newest_event(account: Account, stack_id: str) -> str:
    """Return the id of a stack's newest event, after which to follow."""
    return str(account.client("cloudformation").describe_stack_events(StackName=stack_id)["StackEvents"][0]["EventId"])


def follow(account: Account, stack_id: str, say: Say, after: str = "") -> Outcome:
    """Report each event of a stack's resources until AWS has finished the operation, and return its result.

    Only events after `after` count, because the status can still be that of an earlier operation. Without it, the
    operation in progress is followed.
    """
    reported: set[tuple[str, str]] = set()
    failures: list[str] = []
    for _ in account.polls(stack_id.split("/")[1] if "/" in stack_id else stack_id):
        events = _events(account, stack_id, after)
        for event in events:
            resource, status = event["LogicalResourceId"], event["ResourceStatus"]
            if event["PhysicalResourceId"] == stack_id or (resource, status) in reported:
                continue
            reported.add((resource, status))
            say(f"  {WORDS.get(status, status.lower().replace('_', ' ')):9} {resource}")
            reason = event.get("ResourceStatusReason", "")
            if status.endswith("_FAILED") and "cancelled" not in reason:  # after a failure, AWS cancels the others
                missing = missing_permission(reason)
                failures.append(f"{resource} ({event['ResourceType']}): {reason}" + (f"\n{missing}" if missing else ""))
        own = [event for event in events if event["PhysicalResourceId"] == stack_id]
        if ended := [event for event in own if not event["ResourceStatus"].endswith("_IN_PROGRESS")]:
            status = ended[-1]["ResourceStatus"]
            if not failures and ("ROLLBACK" in status or "FAILED" in status):
                failures = _reasons(account, own)
            return Outcome(status, tuple(dict.fromkeys(failures)))
    raise AssertionError("polls ends by raising")


def _reasons(account: Account, own: list[dict[str, Any]]) -> list[str]:
    """Return why an operation failed before it reached a resource, from a stack's own events.

    Of a failed validation before the deployment, only DescribeEvents knows the causes.
    """
    reasons = [event["ResourceStatusReason"] for event in own if event.get("ResourceStatusReason")]
    reasons = [reason for reason in reasons if reason != "User Initiated"]
    operation = {"OperationId": own[-1]["OperationId"]} if own[-1].get("OperationId") else {}
    return [*reasons, *_causes(account, **(operation or {"StackName": own[-1]["StackId"]}))]


def _causes(account: Account, **of: str) -> list[str]:
    """Return the failed events of an operation or change set; a sentence instead if they cannot be read."""
    pages = account.client("cloudformation").get_paginator("describe_events")
    try:
        events = [
            event for page in pages.paginate(**of, Filters={"FailedEvents": True}) for event in page["OperationEvents"]
        ]
    except account.refusal as error:
        return [str(translate(error))]
    causes = []
    for event in events:
        keys = ("ValidationStatusReason", "HookStatusReason", "ResourceStatusReason")
        if reason := next((event[key] for key in keys if event.get(key)), ""):
            where = f"{event.get('LogicalResourceId', 'The stack')} ({event.get('ResourceType', 'stack')})"
            path = f" at {event['ValidationPath']}" if event.get("ValidationPath") else ""
            missing = missing_permission(reason)
            causes.append(f"{where}: {reason}{path}" + (f"\n{missing}" if missing else ""))
    return list(dict.fromkeys(causes))


def _events(account: Account, stack_id: str, after: str) -> list[dict[str, Any]]:
    """Return the events after a given one, or of the operation in progress, oldest first."""
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
    "CREATE_IN_PROGRESS": "creating",
    "CREATE_COMPLETE": "created",
    "CREATE_FAILED": "FAILED",
    "UPDATE_IN_PROGRESS": "changing",
    "UPDATE_COMPLETE": "changed",
    "UPDATE_FAILED": "FAILED",
    "DELETE_IN_PROGRESS": "deleting",
    "DELETE_COMPLETE": "deleted",
    "DELETE_FAILED": "FAILED",
    "DELETE_SKIPPED": "kept",
}
