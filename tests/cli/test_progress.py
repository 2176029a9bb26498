"""Elsewhere than on a terminal, a run reports its progress in lines."""

from __future__ import annotations

import re
from pathlib import Path
from time import sleep

import pytest
from tests.promises import deliveries
from tests.support.command_line import Sparkify

from sparkify.cli import progress


def test_lines_of_a_run_have_their_times(sparkify: Sparkify) -> None:
    """Each line of a run begins with its time in UTC."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    ended = sparkify("etl")
    lines = ended.err.splitlines()
    assert [line[21:] for line in lines if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line)] == [
        "Loading 3 files, 12.0 kB"
    ]
    assert len(lines) == 1


def test_run_goes_on_printing_until_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that has printed nothing for a while prints how far it is, until it ends."""
    monkeypatch.setattr(progress, "_SILENT_FOR", 0.01)

    def wait_for(line: str) -> None:
        while line not in capsys.readouterr().err:
            sleep(0.01)

    with progress.Narrator() as narrator:
        wait_for("No file was read yet")
        narrator.start(2, 1000)
        narrator.advance(500, 1)
        wait_for("Read 500 B of 1.0 kB, 1 record\n")
        narrator.advance(500, 2)
        wait_for("Publishing 3 records")
    capsys.readouterr()
    sleep(0.1)
    assert capsys.readouterr().err == ""
