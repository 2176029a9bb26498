"""Set values in dwh.cfg, and clear them again; the rest of the file stays unchanged."""

import tempfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from sparkify import config
from sparkify.aws.cluster.outputs import Outputs
from sparkify.errors import ConfigError

Key = tuple[str, str]  # section, key

HOST, ROLE, STAGE = ("CLUSTER", "HOST"), ("IAM_ROLE", "ARN"), ("S3", "STAGE")


def write_outputs(path: Path, outputs: Outputs, allow_from: str) -> None:
    """Write the warehouse's address, role and stage, so that `etl` needs no request to CloudFormation; no secret.

    Raise ConfigError for a file that cannot be written.
    """
    write(
        path,
        {
            HOST: outputs.host,
            ("CLUSTER", "DB_NAME"): outputs.db,
            ("CLUSTER", "DB_PORT"): str(outputs.port),
            ROLE: outputs.role_arn,
            STAGE: outputs.stage,
            ("DWH", "REGION"): outputs.region,
            ("DWH", "ALLOW_FROM"): allow_from,
        },
    )


def clear(path: Path | None, deleted: Iterable[str]) -> bool:
    """Clear the host, role and stage that match a pattern of deleted ones; return whether there were any.

    In a pattern, * stands for any text.
    """
    if path is None:
        return False
    values = config.from_lines(path, config.read_lines(path, may_be_missing=False) or [])
    stale = {
        key: ""
        for key in (HOST, ROLE, STAGE)
        if key in values and any(fnmatchcase(values[key].text, pattern) for pattern in deleted)
    }
    if stale:
        write(path, stale)
    return bool(stale)


def write(path: Path, values: Mapping[Key, str]) -> None:
    """Set keys of a dwh.cfg, each in its line or in a new line of its section; the file is replaced atomically."""
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
            f"{path}: the file cannot be replaced ({error.strerror}), and is unchanged. Check the folder's permissions;"
            " in a container, mount the folder and not the file."
        ) from None
    finally:
        if new is not None:
            new.unlink(missing_ok=True)  # the copy can contain secrets


def _set(lines: list[str], section: str, key: str, line: str) -> None:
    """Replace the line of a key, or append it to its section, or to a new section.

    The line is indented like its neighbours: a line that is indented further than the key above is an error.
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
