"""Fixtures that run the command line in a folder of its own."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.support.command_line import URL, Ended, Sparkify
from tests.support.sandbox import correct_paths

from sparkify.cli.main import main
from sparkify.warehouse.connect import open_warehouse


@pytest.fixture
def sparkify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sparkify:
    """Return the command line, run in a folder of its own, without a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str) -> Ended:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both deliveries and the default warehouse that holds them, for tests that only read."""
    folder = tmp_path_factory.mktemp("kept")
    sources = [folder / "data/log_data", folder / "data/song_data"]
    deliveries.first(*sources)
    deliveries.second(*sources)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        assert main(["etl"]) == 0
    return folder


@pytest.fixture
def reading(sparkify: Sparkify, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Sparkify:
    """Return the command line in that folder."""
    monkeypatch.chdir(kept)
    return sparkify


@pytest.fixture
def filled(sparkify: Sparkify, kept: Path) -> Sparkify:
    """Return the command line in a copy of that folder."""
    shutil.copytree(kept, Path.cwd(), dirs_exist_ok=True)
    with open_warehouse(URL) as engine:
        correct_paths(engine, kept, Path.cwd())
    return sparkify
