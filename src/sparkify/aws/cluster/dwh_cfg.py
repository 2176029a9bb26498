"""Fill values into dwh.cfg, and take them out again; the rest of the file stays as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from sparkify import config
from sparkify.aws.cluster.outputs import Outputs
from sparkify.errors import ConfigError

Place = tuple[str, str]  # section, key


HOST, ROLE, STAGE = ("CLUSTER", "HOST"), ("IAM_ROLE", "ARN"), ("S3", "STAGE")


def fill_in(path: Path, found: Outputs, allow_from: str) -> None:
    """Write down where the warehouse is and who may connect: with it, `etl` need not ask CloudFormation. No secret.

    Raise ConfigError for a file that cannot be written.
    """
    write(
        path,
        {
            HOST: found.host,
            ("CLUSTER", "DB_NAME"): found.db,
            ("CLUSTER", "DB_PORT"): str(found.port),
            ROLE: found.role_arn,
            STAGE: found.stage,
            ("DWH", "REGION"): found.region,
            ("DWH", "ALLOW_FROM"): allow_from,
        },
    )


def take_out(path: Path | None, named: Iterable[str]) -> bool:
    """Empty what names a warehouse, its role or its stage that are gone; tell whether there was any of it.

    In the names given, * stands for anything.
    """
    if path is None:
        return False
    given = config.from_lines(path, config.read_lines(path, may_be_missing=False) or [])
    stale = {
        place: ""
        for place in (HOST, ROLE, STAGE)
        if place in given and any(fnmatchcase(given[place].text, name) for name in named)
    }
    if stale:
        write(path, stale)
    return bool(stale)


def write(path: Path, values: Mapping[Place, str]) -> None:
    """Set keys of a dwh.cfg, each in its line, or in a new one in its section; the file is replaced in one moment."""
    lines = config.read_lines(path, may_be_missing=True) or []
    for (section, key), value in values.items():
        _set(lines, section, key, f"{key} = {value}".rstrip())
    path = path.resolve()
    new: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
        ) as file:
            new = Path(file.name)
            file.write("\n".join(lines).rstrip("\n") + "\n")
        if path.exists():
            new.chmod(path.stat().st_mode)
        new.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be replaced ({error.strerror}), and is as it was. Check the folder's permissions; do not"
            " mount a file alone, but its folder."
        ) from None
    finally:
        if new is not None:
            new.unlink(missing_ok=True)  # a copy, with the secrets that the file may hold


def _set(lines: list[str], section: str, key: str, line: str) -> None:
    """Put a line in the place of a key's, or at the end of its section, or below a new one.

    It is indented as the lines beside it: one that is indented further than the key above would not be read.
    """
    at, last, indent = "", -1, ""
    for number, text in enumerate(lines):
        content = text.strip()
        if header := config.HEADER.fullmatch(content):
            at = header[1].upper()
        if at == section:
            if (pair := config.PAIR.fullmatch(content)) and pair[1].upper() == key:
                lines[number] = _indent(text) + line
                return
            if content:
                last, indent = number, _indent(text)
    if last < 0:
        lines += [*([""] if lines and lines[-1] else []), f"[{section}]"]
        last = len(lines) - 1
    lines.insert(last + 1, indent + line)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
