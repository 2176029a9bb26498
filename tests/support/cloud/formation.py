"""CloudFormation: stacks that advance a few events with every look, and fail on request."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml
from botocore.exceptions import ClientError
from tests.support.cloud.intrinsics import Scope, references
from tests.support.cloud.refused import Refused
from tests.support.cloud.resources import MAKERS
from tests.support.cloud.stacks import Live, Stack, Thing, change, denies, in_order, values

if TYPE_CHECKING:
    from tests.support.cloud.server import Cloud

EVENTS_PER_LOOK = 6
INVALID = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early"
    " Validation errors, use the DescribeEvents API for detailed failure information."
)
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


class Formation:
    """The stacks of an account; operations by their names in the API."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.stacks: dict[str, Stack] = {}  # by id
        self.fails: dict[tuple[str, str], str] = {}  # (create, update or delete; resource) → the reason AWS gives
        self.fails_once: set[tuple[str, str]] = set()  # failures that do not occur a second time
        self.invalid: dict[str, str] = {}  # resource → why AWS refuses it before it deploys anything
        self.undecided: set[str] = set()  # resources whose replacement is decided only during the update
        self.kept_secrets: set[str] = set()  # secrets that Redshift forgets to delete

    def named(self, name: str) -> Stack | None:
        """Return the stack of a name that has not been deleted, or any stack by its id."""
        if name in self.stacks:
            return self.stacks[name]
        return next((s for s in self.stacks.values() if s.name == name and s.status != "DELETE_COMPLETE"), None)

    def existing(self) -> list[str]:
        """Return every existing resource of any stack, as "Type id"."""
        return [f"{live.type} {live.physical}" for stack in self.stacks.values() for live in stack.live.values()]

    def tagged(self) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """Yield the ARNs and tags of the existing resources that can be tagged."""
        for stack in self.stacks.values():
            yield from ((live.arn, stack.tags) for live in stack.live.values() if live.arn)

    def finish(self) -> None:
        """Complete every running operation, as AWS does when nobody looks."""
        for stack in self.stacks.values():
            for _ in stack.under_way:
                pass

    # The API's own names

    def CreateStack(  # noqa: N802
        self,
        StackName: str,  # noqa: N803
        TemplateBody: str,  # noqa: N803
        Parameters: list[Thing],  # noqa: N803
        Tags: Any,  # noqa: N803
        StackPolicyBody: str = "{}",  # noqa: N803
        EnableTerminationProtection: bool = False,  # noqa: N803
        **_: Any,
    ) -> Thing:
        """Begin to create a stack."""
        if self.named(StackName):
            raise Refused("AlreadyExistsException", f"Stack [{StackName}] already exists")
        if StackPolicyBody != "{}":
            self.cloud.permit("cloudformation:SetStackPolicy")
        if EnableTerminationProtection:
            self.cloud.permit("cloudformation:UpdateTerminationProtection")
        stack = Stack(
            id=f"arn:aws:cloudformation:us-east-1:{self.cloud.account}:stack/{StackName}/{uuid.uuid4()}",
            name=StackName,
            template=yaml.safe_load(TemplateBody),
            parameters=values(TemplateBody, Parameters),
            tags=[{"Key": tag["Key"], "Value": tag["Value"]} for tag in Tags],
            status="CREATE_IN_PROGRESS",
            policy=json.loads(StackPolicyBody),
            protected=EnableTerminationProtection,
        )
        self.stacks[stack.id] = stack
        self._event(stack, stack, "CREATE_IN_PROGRESS", "User Initiated")
        stack.under_way = self._create(stack)
        return {"StackId": stack.id}

    def DescribeStacks(self, StackName: str, **_: Any) -> Thing:  # noqa: N802, N803
        """Describe a stack, and let it advance."""
        stack = self._stack(StackName)
        _advance(stack)
        return {
            "Stacks": [
                {
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "StackStatus": stack.status,
                    "CreationTime": stack.created,
                    "EnableTerminationProtection": stack.protected,
                    "Tags": stack.tags,
                    "Parameters": [
                        {"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()
                    ],
                    "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in stack.outputs.items()],
                }
            ]
        }

    def DescribeStackEvents(self, StackName: str, NextToken: str = "", **_: Any) -> Thing:  # noqa: N802, N803
        """List the events of a stack, newest first, 40 a page, and let it advance."""
        stack = self._stack(StackName)
        if not NextToken:
            _advance(stack)
        begin = int(NextToken or 0)
        page = stack.events[::-1][begin : begin + 40]
        more = {"NextToken": str(begin + 40)} if begin + 40 < len(stack.events) else {}
        return {"StackEvents": page, **more}

    def ListStackResources(self, StackName: str, **_: Any) -> Thing:  # noqa: N802, N803
        """List the resources of a stack, including a deleted one."""
        stack = self._stack(StackName)
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": live.name,
                    "PhysicalResourceId": live.physical,
                    "ResourceType": live.type,
                    "ResourceStatus": live.status,
                    "LastUpdatedTimestamp": stack.created,
                }
                for live in [*stack.live.values(), *stack.gone]
            ]
        }

    def ListStacks(self, StackStatusFilter: list[str], **_: Any) -> Thing:  # noqa: N802, N803
        """List the stacks with some statuses, newest first."""
        found = [stack for stack in self.stacks.values() if stack.status in StackStatusFilter]
        return {
            "StackSummaries": [
                {"StackId": s.id, "StackName": s.name, "StackStatus": s.status, "CreationTime": s.created}
                for s in reversed(found)
            ]
        }

    def DeleteStack(self, StackName: str, **_: Any) -> None:  # noqa: N802, N803
        """Begin to delete a stack."""
        stack = self.named(StackName)
        if stack and stack.protected:
            raise Refused(
                "ValidationError", f"Stack [{stack.name}] cannot be deleted while TerminationProtection is on"
            )
        if stack and stack.status not in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            if self._failure("delete", ""):
                self._event(stack, stack, "DELETE_IN_PROGRESS", "User Initiated")
                stack.under_way = self._end(stack, "DELETE_FAILED")
                return
            stack.status = "DELETE_IN_PROGRESS"
            self._event(stack, stack, "DELETE_IN_PROGRESS", "User Initiated")
            stack.under_way = self._delete(stack)

    def UpdateTerminationProtection(self, StackName: str, EnableTerminationProtection: bool) -> Thing:  # noqa: N802, N803
        """Protect a stack against deletion, or no longer."""
        stack = self._stack(StackName)
        stack.protected = EnableTerminationProtection
        return {"StackId": stack.id}

    def DescribeEvents(self, **_: Any) -> Thing:  # noqa: N802
        """List the failures of validations before a deployment."""
        return {
            "OperationEvents": [
                {
                    "EventId": str(uuid.uuid4()),
                    "EventType": "VALIDATION_ERROR",
                    "LogicalResourceId": name,
                    "ResourceType": "AWS::RedshiftServerless::Workgroup",
                    "ValidationStatusReason": reason,
                    "ValidationPath": f"/Resources/{name}",
                }
                for name, reason in self.invalid.items()
            ]
        }

    def CreateChangeSet(  # noqa: N802
        self,
        StackName: str,  # noqa: N803
        ChangeSetName: str,  # noqa: N803
        TemplateBody: str,  # noqa: N803
        Parameters: list[Thing],  # noqa: N803
        **_: Any,
    ) -> Thing:
        """Compute the changes of an update."""
        stack = self._stack(StackName)
        if not stack.status.endswith("_COMPLETE") or stack.status == "ROLLBACK_COMPLETE":
            text = f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            raise Refused("ValidationError", text)
        arn = f"arn:aws:cloudformation:us-east-1:{self.cloud.account}:changeSet/{ChangeSetName}/{uuid.uuid4()}"
        template, parameters = yaml.safe_load(TemplateBody), values(TemplateBody, Parameters)
        changes = self._changes(stack, template, parameters)
        stack.change_sets[arn] = {
            "template": template,
            "parameters": parameters,
            "changes": changes,
            "looks": 0,
        }
        return {"Id": arn, "StackId": stack.id}

    def DescribeChangeSet(  # noqa: N802
        self,
        ChangeSetName: str,  # noqa: N803
        StackName: str,  # noqa: N803
        NextToken: str = "",  # noqa: N803
        **_: Any,
    ) -> Thing:
        """Describe a change set: complete at the second look, one change a page."""
        stack = self._stack(StackName)
        found = stack.change_sets[ChangeSetName]
        found["looks"] += not NextToken
        if found["looks"] < 2:
            return {"Status": "CREATE_IN_PROGRESS", "Changes": []}
        if self.invalid:
            return {"Status": "FAILED", "StatusReason": INVALID, "Changes": []}
        if not found["changes"]:
            return {"Status": "FAILED", "StatusReason": NO_CHANGES, "Changes": []}
        begin = int(NextToken or 0)
        page = [{"Type": "Resource", "ResourceChange": change} for change in found["changes"][begin : begin + 1]]
        more = {"NextToken": str(begin + 1)} if begin + 1 < len(found["changes"]) else {}
        return {"Status": "CREATE_COMPLETE", "Changes": page, **more}

    def DeleteChangeSet(self, ChangeSetName: str, StackName: str) -> Thing:  # noqa: N802, N803
        """Delete a change set."""
        change_sets = self._stack(StackName).change_sets
        if change_sets[ChangeSetName]["looks"] < 2:
            raise Refused("InvalidChangeSetStatus", f"ChangeSet [{ChangeSetName}] is in CREATE_IN_PROGRESS status")
        del change_sets[ChangeSetName]
        return {}

    def ExecuteChangeSet(self, ChangeSetName: str, StackName: str, **_: Any) -> Thing:  # noqa: N802, N803
        """Begin an update; as in AWS, the stack shows no change at first."""
        stack = self._stack(StackName)
        stack.under_way = self._update(stack, stack.change_sets.pop(ChangeSetName))
        return {}

    def ContinueUpdateRollback(self, StackName: str, **_: Any) -> Thing:  # noqa: N802, N803
        """Begin to roll an update back replaces."""
        stack = self._stack(StackName)
        stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        self._event(stack, stack, stack.status, "User Initiated")
        stack.under_way = self._end(stack, "UPDATE_ROLLBACK_COMPLETE")
        return {}

    # Operations

    def _stack(self, name: str) -> Stack:
        stack = self.named(name)
        if stack is None:
            raise Refused("ValidationError", f"Stack with id {name} does not exist")
        return stack

    def _event(self, stack: Stack, of: Stack | Live, status: str, reason: str = "") -> None:
        of.status = status
        is_stack = isinstance(of, Stack)
        stack.events.append(
            {
                "StackId": stack.id,
                "StackName": stack.name,
                "EventId": str(uuid.uuid4()),
                "Timestamp": datetime.now(UTC),
                "LogicalResourceId": of.name,
                "PhysicalResourceId": of.id if isinstance(of, Stack) else of.physical,
                "ResourceType": "AWS::CloudFormation::Stack" if is_stack else of.type,  # type: ignore[union-attr]
                "ResourceStatus": status,
                **({"ResourceStatusReason": reason} if reason else {}),
            }
        )

    def _failure(self, action: str, name: str) -> str:
        reason = self.fails.get((action, name), "")
        if (action, name) in self.fails_once:
            self.fails.pop((action, name), None)
        return reason

    def _scope(self, stack: Stack, template: Thing, parameters: dict[str, str]) -> Scope:
        pseudo = {
            "AWS::Partition": "aws",
            "AWS::Region": "us-east-1",
            "AWS::AccountId": self.cloud.account,
            "AWS::StackName": stack.name,
        }
        return Scope(template, parameters | pseudo, stack.live)

    def _make(self, stack: Stack, live: Live) -> str:
        """Create a resource; return the reason of a failure, or ""."""
        if reason := self._failure("create", live.name):
            return reason
        try:
            live.became(MAKERS[live.type].create(self.cloud, live.properties, stack.tags))
        except (ClientError, Refused) as error:
            return str(error)
        return ""

    def _create(self, stack: Stack) -> Iterator[None]:
        if self.invalid:
            self._event(stack, stack, "ROLLBACK_IN_PROGRESS", INVALID)
            yield
            yield from self._end(stack, "ROLLBACK_COMPLETE")
            return
        scope = self._scope(stack, stack.template, stack.parameters)
        names = in_order(stack.template, scope)
        for place, name in enumerate(names):
            declared = stack.template["Resources"][name]
            live = Live(
                name, declared["Type"], scope.resolve(declared["Properties"]) if "Properties" in declared else {}
            )
            stack.live[name] = live
            self._event(stack, live, "CREATE_IN_PROGRESS")
            yield
            if reason := self._make(stack, live):
                self._event(stack, live, "CREATE_FAILED", reason)
                for other in names[place + 1 : place + 2]:  # Another resource is being created at the same time.
                    type_of = stack.template["Resources"][other]["Type"]
                    stack.live[other] = Live(other, type_of, {})
                    self._event(stack, stack.live[other], "CREATE_FAILED", "Resource creation cancelled")
                self._event(
                    stack, stack, "ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to create: [{name}]."
                )
                yield
                yield from self._remove_all(stack)
                failed = bool(stack.live)
                yield from self._end(stack, "ROLLBACK_FAILED" if failed else "ROLLBACK_COMPLETE")
                return
            self._event(stack, live, "CREATE_COMPLETE")
            yield
        self._set_outputs(stack)
        yield from self._end(stack, "CREATE_COMPLETE")

    def _set_outputs(self, stack: Stack) -> None:
        scope = self._scope(stack, stack.template, stack.parameters)
        stack.outputs = {key: str(scope.resolve(out["Value"])) for key, out in stack.template["Outputs"].items()}

    def _end(self, stack: Stack, status: str) -> Iterator[None]:
        self._event(stack, stack, status)
        yield

    def _remove(self, stack: Stack, live: Live, reason: str = "") -> bool:
        """Delete a resource; return whether it was deleted."""
        reason = reason or self._failure("delete", live.name)
        if not reason and live.physical:
            try:
                MAKERS[live.type].delete(self.cloud, live.physical, live.properties)
            except (ClientError, Refused) as error:
                reason = str(error)
        if reason:
            self._event(stack, live, "DELETE_FAILED", reason)
            return False
        self._event(stack, live, "DELETE_COMPLETE")
        stack.gone.append(live)
        with suppress(KeyError):
            del stack.live[live.name]
        if live.arn:
            self.cloud.tagging.forget(live.arn, stack.tags)
        return True

    def _remove_all(self, stack: Stack) -> Iterator[None]:
        """Delete every resource, the last first; a resource that another one needs is kept with it."""
        needed: set[str] = set()
        for live in list(stack.live.values())[::-1]:
            declared = stack.template["Resources"][live.name]
            depends = references(declared.get("Properties")) | {declared.get("DependsOn")}
            if live.name in needed:
                needed |= depends
                continue
            self._event(stack, live, "DELETE_IN_PROGRESS")
            yield
            if not self._remove(stack, live):
                needed |= depends
            yield

    def _delete(self, stack: Stack) -> Iterator[None]:
        yield from self._remove_all(stack)
        yield from self._end(stack, "DELETE_FAILED" if stack.live else "DELETE_COMPLETE")

    def _changes(self, stack: Stack, template: Thing, parameters: dict[str, str]) -> list[Thing]:
        """Compare the existing resources with those of a template."""
        scope = self._scope(stack, template, parameters)
        declared_names = in_order(template, scope)
        changes = [
            change("Remove", live.name, live.type) for live in stack.live.values() if live.name not in declared_names
        ]
        replaced: set[str] = set()
        for name in declared_names:
            declared = template["Resources"][name]
            if name not in stack.live:
                changes.append(change("Add", name, declared["Type"]))
                replaced.add(name)
                continue
            needs = references(declared.get("Properties")) & replaced
            properties = {} if needs else scope.resolve(declared.get("Properties", {}))
            before = stack.live[name].properties
            differing = (
                {key for key in before.keys() | properties.keys() if before.get(key) != properties.get(key)}
                if not needs
                else {"Policies"}
            )
            if differing:
                replaces = bool(differing & MAKERS[declared["Type"]].replaced_by)
                changes.append(change("Modify", name, declared["Type"], differing, replaces=replaces))
                if name in self.undecided:
                    changes[-1]["Replacement"] = "Conditional"
        return changes

    def _update(self, stack: Stack, change_set: Thing) -> Iterator[None]:
        before = {name: (live.properties, live.status) for name, live in stack.live.items()}
        yield  # The status has not changed yet.
        self._event(stack, stack, "UPDATE_IN_PROGRESS", "User Initiated")
        yield
        scope = self._scope(stack, change_set["template"], change_set["parameters"])
        doomed: list[Live] = []
        undo: list[tuple[Live, Thing]] = []
        added: list[Live] = []
        for step in change_set["changes"]:
            name, type_of = step["LogicalResourceId"], step["ResourceType"]
            if step["Action"] == "Remove":
                doomed.append(stack.live[name])
                continue
            properties = scope.resolve(change_set["template"]["Resources"][name].get("Properties", {}))
            adds = step["Action"] == "Add" or step.get("Replacement") == "True"
            live = Live(name, type_of, properties) if adds else stack.live[name]
            verb = "CREATE" if step["Action"] == "Add" else "UPDATE"
            self._event(stack, live, f"{verb}_IN_PROGRESS")
            yield
            if reason := self._failure("update", name) or self._apply(stack, step, live, properties):
                self._event(stack, live, f"{verb}_FAILED", reason)
                yield from self._undo(stack, undo, added, before)
                return
            if adds:
                if name in stack.live:
                    doomed.append(stack.live[name])
                stack.live[name] = live
                added.append(live)
            else:
                undo.append((live, live.properties))
                live.properties = properties
            self._event(stack, live, f"{verb}_COMPLETE")
            yield
        stack.template, stack.parameters = change_set["template"], change_set["parameters"]
        self._event(stack, stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        yield
        for live in doomed:
            existing = stack.live.get(live.name)
            self._remove(stack, live)
            if existing is not None and existing is not live:
                stack.live[live.name] = existing
        self._set_outputs(stack)
        yield from self._end(stack, "UPDATE_COMPLETE")

    def _apply(self, stack: Stack, step: Thing, live: Live, properties: Thing) -> str:
        """Add, replace or change a resource; return the reason of a failure, or ""."""
        replaces = step.get("Replacement") == "True"
        if replaces and denies(stack.policy, live.name):
            return "Action denied by stack policy: Statement [#2] does not allow [Update:Replace]"
        if replaces or step["Action"] == "Add":
            return self._make(stack, live)
        try:
            MAKERS[live.type].update(self.cloud, live.physical, live.properties, properties)
        except (ClientError, Refused) as error:
            return str(error)
        return ""

    def _undo(
        self, stack: Stack, undo: list[tuple[Live, Thing]], added: list[Live], before: dict[str, tuple[Thing, str]]
    ) -> Iterator[None]:
        self._event(stack, stack, "UPDATE_ROLLBACK_IN_PROGRESS")
        yield
        for live, properties in undo:
            MAKERS[live.type].update(self.cloud, live.physical, live.properties, properties)
            live.properties = properties
        for live in added:
            self._remove(stack, live)
        if self._failure("rollback", ""):
            yield from self._end(stack, "UPDATE_ROLLBACK_FAILED")
            return
        for name, (_, status) in before.items():
            if name in stack.live:
                stack.live[name].status = status
        yield from self._end(stack, "UPDATE_ROLLBACK_COMPLETE")


def _advance(stack: Stack) -> None:
    """Advance a stack by a few events, but show the beginning of an operation before its progress."""
    for _ in range(EVENTS_PER_LOOK if stack.status.endswith("_IN_PROGRESS") else 1):
        next(stack.under_way, None)
