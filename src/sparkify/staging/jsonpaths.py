"""A JSONPaths file: the place of each column of staging_events in the logs, if their keys have other names.

The rules are those of Redshift's COPY (its documentation, "COPY from JSON format"). The file is one object whose key
``jsonpaths`` lists one path per column, in the order of the columns. A path leads to one value, in dot notation
(``$.user.id``) or bracket notation (``$['user']['id']``), the same one throughout the file. ``[0]`` is the first
element of a list. Wildcards and filters are not supported. Names match exactly, including their case.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from sparkify.aws import s3
from sparkify.config import Config
from sparkify.errors import ConfigError, SourceError, SourceUnreachable
from sparkify.staging.contract import CONTRACTS

_DOTS = re.compile(r"\$(?:\.[^.'\[\]]+(?:\[\d+\])*)+")
_BRACKETS = re.compile(r"\$(?:\['[^']+'\](?:\[\d+\])*)+")
_STEP = re.compile(r"\['([^']+)'\]|\[(\d+)\]|\.([^.\[]+)")
_FIX = "Correct the file, or leave [S3] LOG_JSONPATH empty."


@dataclass(frozen=True)
class JsonPath:
    """The path to one value of a record."""

    steps: tuple[str | int, ...]  # the first is a name

    @property
    def sql(self) -> str:
        """The path in DuckDB's notation."""
        return "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in self.steps)


JsonPaths = tuple[JsonPath, ...]
"""The path of each field of an event, in the order of the contract."""


def load(config: Config) -> JsonPaths | None:
    """Read the file of [S3] LOG_JSONPATH, on disk or in S3; return None if it is not set or changes nothing.

    Raise ConfigError for a file that Redshift would reject or read in another way.
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
        raise ConfigError(f"{where}: the file cannot be read ({error.strerror}). Correct [S3] LOG_JSONPATH.") from error
    except SourceUnreachable:
        raise
    except SourceError as error:
        raise ConfigError(f"{where}: the object cannot be read. Correct [S3] LOG_JSONPATH.") from error
    paths = parse(content, where)
    default = tuple(JsonPath((field.name,)) for field in CONTRACTS["events"].fields)
    return None if paths == default else paths


def parse(content: bytes, where: str) -> JsonPaths:
    """Return the paths in the content of a file; `where` names it in errors."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: the file is not valid JSON. {_FIX}") from error
    texts = document.get("jsonpaths") if isinstance(document, dict) and len(document) == 1 else None
    if not isinstance(texts, list):
        raise ConfigError(f'{where}: the file is not an object with one list, "jsonpaths". {_FIX}')
    fields = CONTRACTS["events"].fields
    if len(texts) != len(fields):
        columns = f"{len(fields)} columns of staging_events ({fields[0].name} to {fields[-1].name})"
        raise ConfigError(f"{where}: the file lists {len(texts)} paths for the {columns}. {_FIX}")
    paths = tuple(_path(text, f"{where}: path {number}") for number, text in enumerate(texts, start=1))
    if len({"['" in text for text in texts}) > 1:
        raise ConfigError(f"{where}: the file mixes dots and brackets, which Redshift rejects. Use one notation.")
    return paths


def _path(text: object, where: str) -> JsonPath:
    if not isinstance(text, str) or not (_DOTS.fullmatch(text) or _BRACKETS.fullmatch(text)):
        raise ConfigError(f"{where}: {text!r} is not a path to one value, like $.user.id or $['user']['id']. {_FIX}")
    if re.search(r'["\\*?@\x00-\x1f]', text):
        raise ConfigError(f"{where}: {text!r} contains a character not allowed in a path. {_FIX}")
    steps = (name or dotted or int(number) for name, number, dotted in _STEP.findall(text))
    return JsonPath(tuple(steps))
