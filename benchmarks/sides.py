"""The two sides of a comparison: ours, a rival in an environment of its own, or a command of the system."""

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
"""What was loaded: table, in the words of counts.py → rows."""


class Unavailable(Exception):
    """A rival cannot be run on this machine, and why."""


class Side(Protocol):
    """One of two that do the same work."""

    def prepare(self) -> None:
        """Make ready for a turn, outside the time that is taken."""

    def command(self) -> list[str]:
        """Return the command that is timed."""

    def count(self) -> Counts:
        """Return what the turn has loaded."""


@dataclass(frozen=True)
class Etl:
    """`sparkify etl` into a fresh warehouse, or into a copy of one that is filled already."""

    warehouse: Path
    logs: Path
    songs: Path
    onto: Path | None = None  # the warehouse that is copied
    options: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Remove the warehouse of the turn before."""
        remove(self.warehouse)
        if self.onto:
            shutil.copyfile(self.onto, self.warehouse)

    def command(self) -> list[str]:
        """Return the command."""
        sources = ["--log-data", str(self.logs), "--song-data", str(self.songs)]
        etl = [sys.executable, "-m", "sparkify", "etl", *sources]
        return [*etl, "--warehouse", f"duckdb:///{self.warehouse}", *self.options]

    def count(self) -> Counts:
        """Count by SQL."""
        return _printed([sys.executable, str(HERE / "counts.py"), str(self.warehouse)])


@dataclass(frozen=True)
class Rival:
    """A script in rivals/, run by a Python that has its packages."""

    script: str  # below rivals/
    python: str
    logs: Path
    songs: Path
    out: Path
    way: str = "load"  # what the script calls it

    def prepare(self) -> None:
        """Remove what the turn before has made."""
        remove(self.out)

    def command(self) -> list[str]:
        """Return the command."""
        places = map(str, (self.logs, self.songs, self.out))
        return [self.python, str(HERE / "rivals" / self.script), self.way, *places]

    def count(self) -> Counts:
        """Let the rival count."""
        return _printed([self.python, str(HERE / "rivals" / self.script), "count", str(self.out)])


@dataclass(frozen=True)
class Shell:
    """A line of shell that loads nothing."""

    line: str
    loaded: Counts = field(default_factory=dict)

    def prepare(self) -> None:
        """Do nothing."""

    def command(self) -> list[str]:
        """Return the command."""
        return ["sh", "-c", self.line]

    def count(self) -> Counts:
        """Return nothing to compare."""
        return self.loaded


def read_all(folder: Path) -> Shell:
    """Return the line that reads every file of a folder and throws away what it reads."""
    return Shell(f"find {shlex.quote(str(folder))} -type f -print0 | xargs -0 -P4 cat > /dev/null")


def disagreement(ours: Counts, other: Counts) -> str:
    """Say in which tables, of those that both have, the numbers of rows differ; nothing if in none."""
    return ", ".join(
        f"{table}: {ours[table]:,} and {other[table]:,} rows"
        for table in ours
        if table in other and ours[table] != other[table]
    )


def environment(scratch: Path, name: str) -> str:
    """Return the Python of a rival's environment, made if need be; raise Unavailable where it cannot be had."""
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
            raise Unavailable(f"its packages cannot be installed: pip install -r {requirements.relative_to(HERE)}")
        (folder / "complete").touch()
    return str(python)


def remove(path: Path) -> None:
    """Remove a file or folder, and what stands beside it under its name with an ending."""
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
