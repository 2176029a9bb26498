"""The CloudFormation templates: their text, and the resources that they create for given parameters."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sparkify.errors import ClusterError


@dataclass(frozen=True)
class Resource:
    """A resource that the stack creates."""

    name: str  # in the template
    type: str
    purpose: str


def text(kind: str) -> str:
    """Return the template of a kind of warehouse as YAML."""
    import yaml

    return str(yaml.safe_dump(parse(kind), sort_keys=False, width=120))


def parse(kind: str) -> dict[str, Any]:
    """Return the template of a kind of warehouse, with the parts that both kinds share, as Python objects."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise ClusterError("AWS: PyYAML is not installed. Run `pip install 'sparkify-warehouse[aws]'`.") from None
    of_kind, shared = (
        yaml.safe_load((files(__package__) / f"{name}.yaml").read_text("utf-8")) for name in (kind, "shared")
    )
    return _merged(of_kind, shared)


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of both, those of the first one first; what both have is merged likewise."""
    both = {key: _merged(value, second[key]) for key, value in first.items() if key in second}
    return first | second | both


def resources(kind: str, parameters: dict[str, str]) -> list[Resource]:
    """Return the resources that the stack creates with these parameters, in the order of the template."""
    template = parse(kind)
    values = {name: str(declared.get("Default", "")) for name, declared in template["Parameters"].items()} | parameters
    return [
        Resource(name, declared["Type"], declared["Metadata"]["Purpose"])
        for name, declared in template["Resources"].items()
        if "Condition" not in declared or _holds(template["Conditions"][declared["Condition"]], values)
    ]


def _holds(condition: dict[str, Any], values: dict[str, str]) -> bool:
    """Return whether a condition, which consists of Fn::Equals and Fn::Not, is true."""
    ((function, arguments),) = condition.items()
    if function == "Fn::Not":
        return not _holds(arguments[0], values)
    left, right = (values[side["Ref"]] if isinstance(side, dict) else side for side in arguments)
    return bool(left == right)
