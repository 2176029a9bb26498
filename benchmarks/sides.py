"""The two sides of a comparison: sparkify, a rival in its own environment, or a shell command."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

HERE = Path(__file__).parent

Counts = dict[str, int]
"""Loaded rows by table, under the names of counts.py."""


class Unavailable(Exception):
    """A rival cannot run on this machine; the message gives the reason."""


class Side(Protocol):
    """One of two sides that do the same work."""

    def prepare(self) -> None:
        """Prepare a turn, outside the measured time."""

    def command(self) -> list[str]:
        """Return the measured command."""

    def count(self) -> Counts:
        """Return the row counts after the turn."""


@dataclass(frozen=True)
class Etl:
    """`sparkify etl` into a fresh warehouse, or into a copy of a filled one."""

    warehouse: Path
    logs: Path
    songs: Path
    onto: Path | None = None  # the warehouse to copy
    options: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Delete the warehouse of the previous turn; copy the filled one, if any."""
        remove(self.warehouse)
        if self.onto:
            shutil.copyfile(self.onto, self.warehouse)

    def command(self) -> list[str]:
        """Return the command."""
        sources = ["--log-data", str(self.logs), "--song-data", str(self.songs)]
        etl = [sys.executable, "-m", "sparkify", "etl", "--allow-empty", *sources]
        return [*etl, "--warehouse", f"duckdb:///{self.warehouse}", *self.options]

    def count(self) -> Counts:
        """Count by SQL."""
        return _printed([sys.executable, str(HERE / "counts.py"), str(self.warehouse)])


@dataclass(frozen=True)
class Rival:
    """A script in rivals/, run by a Python with its packages."""

    script: str  # below rivals/
    python: str
    logs: Path
    songs: Path
    out: Path
    way: str = "load"  # the script's subcommand

    def prepare(self) -> None:
        """Delete the output of the previous turn."""
        remove(self.out)

    def command(self) -> list[str]:
        """Return the command."""
        places = map(str, (self.logs, self.songs, self.out))
        return [self.python, str(HERE / "rivals" / self.script), self.way, *places]

    def count(self) -> Counts:
        """Run the rival's own count."""
        return _printed([self.python, str(HERE / "rivals" / self.script), "count", str(self.out)])


@dataclass(frozen=True)
class Shell:
    """A shell command that loads nothing."""

    line: str
    loaded: Counts = field(default_factory=dict)

    def prepare(self) -> None:
        """Do nothing."""

    def command(self) -> list[str]:
        """Return the command."""
        return ["sh", "-c", self.line]

    def count(self) -> Counts:
        """Return the given counts, by default none."""
        return self.loaded


def read_all(folder: Path) -> Shell:
    """Return the shell command that reads every file of a folder and discards the bytes."""
    return Shell(f"find {shlex.quote(str(folder))} -type f -print0 | xargs -0 -P4 cat > /dev/null")


def disagreement(ours: Counts, other: Counts) -> str:
    """Return the tables that both sides have and whose row counts differ, as text; empty if none."""
    return ", ".join(
        f"{table}: {ours[table]:,} and {other[table]:,} rows"
        for table in ours
        if table in other and ours[table] != other[table]
    )


def environment(scratch: Path, name: str) -> str:
    """Return the Python of a rival's environment; create it if needed, or raise Unavailable."""
    if name == "spark" and not shutil.which("java"):
        raise Unavailable("there is no Java runtime: apt-get install default-jre-headless")
    requirements = HERE / "rivals" / "requirements" / f"{name}.txt"
    version = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = scratch / "rivals" / f"{name}-{version}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, clear=True, with_pip=True)
        plain = {key: value for key, value in os.environ.items() if "CONSTRAINT" not in key and key != "PYTHONPATH"}
        install = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
        done = subprocess.run(install, env=plain, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise Unavailable(f"its packages could not be installed: pip install -r {requirements.relative_to(HERE)}")
        (folder / "complete").touch()
    return str(python)


def remove(path: Path) -> None:
    """Delete a file or folder, and everything beside it whose name begins with its name."""
    for found in path.parent.glob(f"{path.name}*"):
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink()


def _printed(command: list[str]) -> Counts:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    counts: Counts = json.loads(done.stdout.strip().splitlines()[-1])
    return counts
