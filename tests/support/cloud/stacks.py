"""Stacks and resources of the fake CloudFormation, and the functions that need only a template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml
from tests.support.cloud.intrinsics import Scope, references
from tests.support.cloud.refused import Refused
from tests.support.cloud.resources import Made

Thing = dict[str, Any]


@dataclass
class Live:
    """A resource of a stack, and its state."""

    name: str
    type: str
    properties: Thing
    status: str = "CREATE_IN_PROGRESS"
    physical: str = ""
    attributes: Thing = field(default_factory=dict)
    arn: str = ""

    def became(self, made: Made) -> None:
        """Take over the id and attributes of the created resource."""
        self.physical, self.attributes, self.arn = made


@dataclass
class Stack:
    """A stack, and its running operation."""

    id: str
    name: str
    template: Thing
    parameters: dict[str, str]
    tags: list[dict[str, str]]
    status: str
    live: dict[str, Live] = field(default_factory=dict)
    gone: list[Live] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    events: list[Thing] = field(default_factory=list)  # oldest first
    under_way: Iterator[None] = field(default_factory=lambda: iter(()))
    change_sets: dict[str, Thing] = field(default_factory=dict)
    policy: Thing = field(default_factory=dict)
    protected: bool = False
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


def values(template: str, given: list[Thing]) -> dict[str, str]:
    """Return the values of a template's parameters, including defaults."""
    declared = yaml.safe_load(template)["Parameters"]
    values = {name: str(of["Default"]) for name, of in declared.items() if "Default" in of}
    values |= {parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in given}
    unknown, missing = values.keys() - declared.keys(), declared.keys() - values.keys()
    if unknown or missing:
        raise Refused("ValidationError", f"Parameters: {sorted(unknown)} unknown, {sorted(missing)} missing")
    return values


def in_order(template: Thing, scope: Scope) -> list[str]:
    """Return the resources whose condition holds, each after those that it needs."""
    declared = {
        name: of for name, of in template["Resources"].items() if "Condition" not in of or scope.holds(of["Condition"])
    }
    order: list[str] = []

    def visit(name: str) -> None:
        if name in declared and name not in order:
            for needed in sorted(references(declared[name].get("Properties")) | {declared[name].get("DependsOn", "")}):
                visit(needed)
            order.append(name)

    for name in declared:
        visit(name)
    return order


def change(action: str, name: str, type_of: str, properties: Iterable[str] = (), *, replaces: bool = False) -> Thing:
    """Return a change as a change set describes it."""
    details = [{"Target": {"Attribute": "Properties", "Name": key}} for key in sorted(properties)]
    change: Thing = {"Action": action, "LogicalResourceId": name, "ResourceType": type_of, "Details": details}
    if action == "Modify":
        change["Replacement"] = str(replaces)
    return change


def denies(policy: Thing, name: str) -> bool:
    """Return whether a stack policy denies the replacement of a resource."""
    denied = [each for each in policy.get("Statement", ()) if each["Effect"] == "Deny"]
    return any(f"LogicalResourceId/{name}" in each["Resource"] for each in denied)
