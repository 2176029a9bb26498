"""`sparkify init` writes a dwh.cfg and prints a line for cron; it replaces no file unasked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.support.command_line import Sparkify
from tests.support.realdata import REPOSITORY

from sparkify.cli.main import main


def test_file_is_that_of_the_repository(sparkify: Sparkify) -> None:
    """The dwh.cfg that init writes is the repository's, and only its owner can read it."""
    assert sparkify("init").code == 0
    written, ours = Path("dwh.cfg").read_text(), (REPOSITORY / "dwh.cfg").read_text()
    assert written == ours, "Change src/sparkify/dwh.cfg, then run `sparkify init --force` in the repository."
    assert Path("dwh.cfg").stat().st_mode & 0o777 == 0o600
    assert sparkify("etl", "--dry-run").err.startswith("sparkify: data/song_data: ")  # the file is read


@pytest.mark.parametrize(
    ("name", "forced"), [("dwh.cfg", 0), ("link.cfg", 0), ("missing/my.cfg", 2), ("folder", 2), ("/dev/full", 2)]
)
def test_existing_file_is_kept_unless_asked(sparkify: Sparkify, name: str, forced: int) -> None:
    """Whatever has the name is left unchanged; --force replaces the content of a file, or reports why it cannot."""
    Path("dwh.cfg").write_text("[S3]\nLOG_DATA = mine\n")
    Path("link.cfg").symlink_to("dwh.cfg")
    Path("folder").mkdir()
    ended = sparkify("init", "--config", name)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"sparkify: {name}: the file ")
    assert Path("dwh.cfg").read_text() == "[S3]\nLOG_DATA = mine\n"
    assert sparkify("init", "--config", name, "--force").code == forced
    assert ("[WAREHOUSE]" in Path("dwh.cfg").read_text()) is (forced == 0)


@pytest.mark.parametrize("name", ["dwh.cfg", "my 5%.cfg"])
def test_line_for_cron_loads_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The printed command, run as cron runs it, loads the folders of the file."""
    folder = tmp_path / "Bob's music, 100%"
    folder.mkdir()
    monkeypatch.chdir(folder)
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    assert main(["init", "--config", name]) == 0
    *_, command = capsys.readouterr().out.rstrip("\n").split(" ", 5)
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    shell = ["/bin/sh", "-c", command.replace(r"\%", "%")]
    assert subprocess.run(shell, cwd="/", env=environ, capture_output=True, check=True).stdout == b""
    assert "Loaded 3 files" in (folder / "sparkify.log").read_text()
    assert (folder / "sparkify.duckdb").exists()
