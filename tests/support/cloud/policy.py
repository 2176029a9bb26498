"""The policy in docs/aws.md, and the actions that it does not grant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from tests.support.realdata import REPOSITORY


def policy() -> tuple[str, list[str]]:
    """Return the text of the documented policy, and the patterns of the actions that it grants."""
    text = (REPOSITORY / "docs" / "aws.md").read_text("utf-8")
    (found,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    return found, [action for statement in json.loads(found)["Statement"] for action in statement["Action"]]


def missing(needed: Iterable[str]) -> set[str]:
    """Return the actions that the documented policy does not grant; IAM ignores case."""
    granted = [pattern.lower() for pattern in policy()[1]]
    return {action for action in needed if not any(fnmatchcase(action.lower(), pattern) for pattern in granted)}
