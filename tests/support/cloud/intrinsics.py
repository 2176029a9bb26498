"""The functions of a template, evaluated as CloudFormation does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NOTHING = object()  # AWS::NoValue


class Scope:
    """The names that a template's functions refer to."""

    def __init__(self, template: Mapping[str, Any], values: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        self.template = template
        self.values = values  # parameters and pseudo parameters
        self.made = made  # logical name → something with `physical` and `attributes`

    def holds(self, condition: Any) -> bool:
        """Evaluate a condition, given by its name or in full."""
        if isinstance(condition, str):
            return self.holds(self.template["Conditions"][condition])
        ((function, arguments),) = condition.items()
        if function == "Fn::Not":
            return not self.holds(arguments[0])
        assert function == "Fn::Equals", function
        return bool(str(self.resolve(arguments[0])) == str(self.resolve(arguments[1])))

    def resolve(self, value: Any) -> Any:
        """Return a value with all functions in it called."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._ref(argument)
            if function.startswith("Fn::"):
                return self._call(function.removeprefix("Fn::"), argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NOTHING}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        return self.values[name] if name in self.values else self.made[name].physical

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "GetAtt":
                return self.made[argument[0]].attributes[argument[1]]
            case "If":
                return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])
            case "Select":
                chosen = self.resolve(argument[1])
                return (chosen.split(",") if isinstance(chosen, str) else chosen)[int(argument[0])]
            case "Sub":
                text, more = (argument, {}) if isinstance(argument, str) else argument
                return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._named(found[1], more)), text)
        raise AssertionError(f"Fn::{function} is not played")

    def _named(self, name: str, more: Mapping[str, Any]) -> Any:
        if name in more:
            return self.resolve(more[name])
        resource, _, attribute = name.partition(".")
        return self.made[resource].attributes[attribute] if attribute else self._ref(name)


def references(value: Any) -> set[str]:
    """Return every name that a value refers to."""
    if isinstance(value, list):
        return set().union(*map(references, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, item in value.items():
        if key == "Ref":
            found.add(item)
        elif key == "Fn::GetAtt":
            found.add(item[0])
        elif key == "Fn::Sub":
            text = item if isinstance(item, str) else item[0]
            found |= {name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text)}
            found |= references(item[1]) if isinstance(item, list) else set()
        else:
            found |= references(item)
    return found
