"""Describe the machine and the versions behind a report, without the machine's name."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "rivals" / "requirements"


def describe() -> dict[str, str]:
    """Return processor, memory and system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": f"{found[1].strip() if found else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, Java, the rivals and DuckDB."""
    ours = {name: metadata.version(name) for name in ("duckdb",)}
    rivals = {
        found[1]: found[2]
        for path in sorted(REQUIREMENTS.glob("*.txt"))
        for found in re.finditer(r"^([a-z-]+)(?:\[.*\])?==(.*)$", path.read_text(), re.MULTILINE)
    }
    return {"Python": platform.python_version(), **_java(), **rivals, **ours}


def _java() -> dict[str, str]:
    if not (java := shutil.which("java")):
        return {}
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "([^"]+)"', said)
    return {"Java": found[1]} if found else {}
