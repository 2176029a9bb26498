"""A JSONPaths file: where the logs hold each column of staging_events, when their keys are not named as usual.

The rules are those of Redshift's COPY ("COPY from JSON format" in its documentation): one object whose key
``jsonpaths`` lists one path a column, in the order of the columns. A path leads to one value, in dots (``$.user.id``)
or in brackets (``$['user']['id']``), the same notation throughout the file; ``[0]`` counts the elements of a list from
0. Wildcards and filters are not taken. Names match exactly, their case too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from sparkify.aws import s3
from sparkify.config import Config
from sparkify.errors import ConfigError, SourceError, SourceUnreachable
from sparkify.staging.contract import EVENTS

_DOTS = re.compile(r"\$(?:\.[^.'\[\]]+(?:\[\d+\])*)+")
_BRACKETS = re.compile(r"\$(?:\['[^']+'\](?:\[\d+\])*)+")
_STEP = re.compile(r"\['([^']+)'\]|\[(\d+)\]|\.([^.\[]+)")
_SETTING = "Correct the file, or leave [S3] LOG_JSONPATH empty."


@dataclass(frozen=True)
class JsonPath:
    """The way to one value of a record."""

    steps: tuple[str | int, ...]  # the first is a name

    @property
    def sql(self) -> str:
        """The path as DuckDB writes it."""
        return "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in self.steps)


JsonPaths = tuple[JsonPath, ...]
"""The path of each field of an event, in the order of the contract."""


def load(config: Config) -> JsonPaths | None:
    """Read the file of [S3] LOG_JSONPATH, on disk or in S3; None without one, and for one that changes nothing.

    Raise ConfigError for a file that Redshift would not take, or not as it is meant.
    """
    where = config.log_jsonpath
    if not where:
        return None
    try:
        if s3.is_s3(where):
            name, key = s3.split(where)
            content = s3.bucket(name, config.aws).get(key)
        else:
            content = Path(where).read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read ({error.strerror}). Set [S3] LOG_JSONPATH.") from error
    except SourceUnreachable:
        raise
    except SourceError as error:
        raise ConfigError(f"{where}: cannot be read. Set [S3] LOG_JSONPATH to an object that is there.") from error
    paths = parsed(content, where)
    usual = tuple(JsonPath((field.name,)) for field in EVENTS.fields)
    return None if paths == usual else paths


def parsed(content: bytes, where: str) -> JsonPaths:
    """Return the paths that a file holds."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: is not JSON. {_SETTING}") from error
    listed = found.get("jsonpaths") if isinstance(found, dict) and len(found) == 1 else None
    if not isinstance(listed, list):
        raise ConfigError(f'{where}: is not an object of one list, "jsonpaths". {_SETTING}')
    if len(listed) != len(EVENTS.fields):
        columns = (
            f"{len(EVENTS.fields)} columns of staging_events ({EVENTS.fields[0].name} to {EVENTS.fields[-1].name})"
        )
        raise ConfigError(f"{where}: lists {len(listed)} paths for the {columns}. {_SETTING}")
    paths = tuple(_path(text, f"{where}: path {number}") for number, text in enumerate(listed, start=1))
    if len({"['" in text for text in listed}) > 1:
        raise ConfigError(f"{where}: mixes dots and brackets, which Redshift refuses. Write all paths in one way.")
    return paths


def _path(text: object, what: str) -> JsonPath:
    if not isinstance(text, str) or not (_DOTS.fullmatch(text) or _BRACKETS.fullmatch(text)):
        raise ConfigError(f"{what}: {text!r} is no path to one value, like $.user.id or $['user']['id']. {_SETTING}")
    if re.search(r'["\\*?@\x00-\x1f]', text):
        raise ConfigError(f"{what}: {text!r} holds a character that no path may hold. {_SETTING}")
    steps = (name or dotted or int(number) for name, number, dotted in _STEP.findall(text))
    return JsonPath(tuple(steps))
