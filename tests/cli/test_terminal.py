"""No name, key or record can take control of the terminal."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import view, write
from tests.support.sandbox import Sandbox
from tests.support.terminal import on_terminal

from sparkify.cli.main import main

RED = "\x1b[31mred\x9b2J"
AS_ESCAPES = r"\x1b[31mred\x9b2J"

pytestmark = pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)

Run = Callable[..., str]


@pytest.fixture
def run(warehouse: Sandbox, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command on a warehouse and returns its output, stdout first."""

    def run(command: str, *words: str) -> str:
        main([command, *words, "--warehouse", warehouse.url])
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


@pytest.fixture
def sources(warehouse: Sandbox) -> list[str]:
    """Return the options that name the folders of the warehouse."""
    return ["--allow-empty", "--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]


def steers(shown: str) -> list[str]:
    """Return the control characters in a text, apart from line feeds."""
    return [character for character in shown if not character.isprintable() and character != "\n"]


def test_name_of_a_file_does_not_steer_the_terminal(run: Run, warehouse: Sandbox, sources: list[str]) -> None:
    """Control characters in a file's name are shown as escapes by every command."""
    bad = warehouse.log_data / f"{RED}.json.gz"
    bad.write_bytes(gzip.compress(b"{}")[:-4])
    (warehouse.log_data / f"{RED}.json").write_text("{")
    for shown in (
        run("etl", *sources, "--dry-run"),
        run("etl", *sources),
        run("etl", *sources, "--skip-bad-files"),
        run("rejects"),
    ):
        assert f"/{AS_ESCAPES}.json" in shown
        assert steers(shown) == []


def test_rejected_record_does_not_steer_the_terminal(run: Run, warehouse: Sandbox) -> None:
    """Control characters in a rejected record are shown as escapes, and as JSON escapes with --json."""
    (warehouse.log_data / "a.json").write_text(f"{{{RED}")
    warehouse.etl()
    shown = run("rejects")
    assert f"\n    {{{AS_ESCAPES}\n" in shown
    assert steers(shown) == []
    [reject] = json.loads(run("rejects", "--json"))
    assert reject["record"] == f"{{{RED}"


def test_unknown_keys_are_shown_up_to_twenty_and_do_not_steer_the_terminal(
    run: Run, warehouse: Sandbox, sources: list[str]
) -> None:
    """Twenty unknown keys are named with their control characters as escapes, and the others are counted."""
    keys = [f"key {number:04}" for number in range(1024)]
    unknown: dict[str, Any] = dict.fromkeys([RED, *keys], 1)
    write(warehouse.log_data / "a.json", view(1, **unknown))
    shown = run("etl", *sources)
    named = re.findall(r"^  (.*): 1 record, first in .*a\.json$", shown, re.MULTILINE)
    assert named == [AS_ESCAPES, *keys[:19]]
    assert "\n  and 1,005 more\n" in shown
    assert steers(shown) == []


def test_twenty_unknown_keys_are_all_named(run: Run, warehouse: Sandbox, sources: list[str]) -> None:
    """Twenty unknown keys are all named, and none is counted."""
    keys = [f"key {number:04}" for number in range(20)]
    unknown: dict[str, Any] = dict.fromkeys(keys, 1)
    write(warehouse.log_data / "a.json", view(1, **unknown))
    shown = run("etl", *sources)
    assert re.findall(r"^  (.*): 1 record, first in", shown, re.MULTILINE) == keys
    assert " more" not in shown


def test_progress_is_shown_on_stderr(warehouse: Sandbox, sources: list[str], tmp_path: Path) -> None:
    """On a terminal, stderr shows progress while stdout has the data alone."""
    write(warehouse.log_data / "a.json", *(view(second) for second in range(5)))
    out = tmp_path / "out.json"
    code, shown = on_terminal("etl", *sources, "--json", "--warehouse", warehouse.url, stdout=out)
    assert code == 0
    assert "Loading" in shown
    assert "5 records" in shown
    assert json.loads(out.read_text())["events"]["read"] == 5


def test_question_that_is_interrupted_changes_nothing_and_says_so(
    run: Run, warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the question of create-tables is a no."""

    def interrupt() -> str:
        raise KeyboardInterrupt

    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    before = warehouse.contents()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True, readline=interrupt))
    shown = run("create-tables")
    assert "Drop all of them? [y/N]" in shown
    assert shown.endswith("sparkify: interrupted. Nothing was changed.\n")
    assert warehouse.contents() == before
