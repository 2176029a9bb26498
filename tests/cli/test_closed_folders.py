"""A path that the system refuses is an error with its name and the reason, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import Sparkify
from tests.support.permissions import obeying_permissions

TOO_LONG = "a" * 300
DENIED = "Permission denied"
COMMANDS = [
    "report --out {}",
    "export --out {}",
    "generate --out {}",
    "etl --config {}",
    "etl --log-data {}",
    "etl --song-data {} --dry-run",
    "etl --warehouse duckdb:///{}",
    "status --warehouse duckdb:///{}",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("reading")
def test_path_below_a_closed_folder_is_refused_with_the_reason(command: str, tmp_path: Path) -> None:
    """A path below a folder without permission is not reported as missing: the message names it and the reason."""
    closed = tmp_path / "closed"
    (closed / "x").mkdir(parents=True)
    closed.chmod(0)
    words = command.format(closed / "x").split()
    program = [*obeying_permissions(), sys.executable, "-m", "sparkify", *words]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    closed.chmod(0o700)
    assert ended.returncode in (1, 2), ended.stderr
    assert ended.stderr.startswith(f"sparkify: {closed / 'x'}"), ended.stderr
    assert f"({DENIED})" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", [TOO_LONG, "dwh.db/x"])
def test_path_that_cannot_exist_is_refused(reading: Sparkify, name: str, command: str) -> None:
    """A name that is too long, and a path below a file, are errors."""
    Path("dwh.db").touch()
    ended = reading(*command.format(name).split())
    assert ended.code in (1, 2)
    assert name in ended.err


@pytest.mark.parametrize("command", ["status", "etl", "report", "generate --out data", "export --out exported"])
def test_working_directory_that_was_deleted_is_an_error(command: str, tmp_path: Path) -> None:
    """In a folder that was deleted, a command fails with a message."""
    program = [sys.executable, "-m", "sparkify", *command.split()]
    deleted = ["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", *program]
    ended = subprocess.run(deleted, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert ended.returncode in (1, 2), ended.stderr
    assert ended.stderr.startswith("sparkify: ")
