"""Too little memory is an error that states what is needed, and not the end of the process by a signal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.promises.deliveries import play, write

MEGABYTE = 10**6
LIMITED = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)),) * 2);"
RUN = "from sparkify.cli.main import main; sys.exit(main())"


@pytest.mark.parametrize("space", [300, 500, 800, 3_000])
def test_little_address_space_is_an_error_or_enough(tmp_path: Path, space: int) -> None:
    """With any address space a run succeeds, or fails with a message of its own, and never by a signal."""
    (tmp_path / "songs").mkdir()
    write(tmp_path / "logs" / "a.json", *(play(n) for n in range(1000)))
    folders = ["--log-data", str(tmp_path / "logs"), "--song-data", str(tmp_path / "songs")]
    command = ["etl", "--allow-empty", *folders, "--warehouse", f"duckdb:///{tmp_path / 'a.duckdb'}"]
    ended = limited(space * MEGABYTE, command)
    if space >= 3_000:
        assert ended.returncode == 0, ended.stderr
    assert ended.returncode in (0, 1, 2), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["report", "dashboard"])
def test_charts_state_how_much_address_space_they_need(command: str) -> None:
    """The renderer of charts would end the process where the address space is limited, so that the command refuses."""
    ended = limited(8_000 * MEGABYTE, [command])
    assert ended.returncode == 2
    assert "limited to 8.0 GB, and this command needs 80.0 GB. Run `ulimit -v unlimited`" in ended.stderr


def limited(space: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command with a limit of its address space, in bytes."""
    words = [sys.executable, "-c", LIMITED + RUN, str(space), *command]
    return subprocess.run(words, capture_output=True, text=True, check=False)
