"""Data go to stdout and narration to stderr, in any encoding and width."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import URL, Sparkify
from tests.support.terminal import on_terminal

from sparkify.warehouse.connect import open_warehouse


def in_shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command, in which `sparkify` is the package under test."""
    line = command.replace("sparkify", f"{shlex.quote(sys.executable)} -m sparkify", 1)
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize("to", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("command", ["status", "status --json", "query 'select 1' --format csv", "describe", "etl"])
@pytest.mark.usefixtures("reading")
def test_output_that_cannot_be_written_is_reported(command: str, to: str) -> None:
    """If stdout is full or closed, a command ends with exit code 1 and one line."""
    for unbuffered in ("", "1"):
        ended = in_shell(f"sparkify {command} {to}", PYTHONUNBUFFERED=unbuffered)
        assert ended.returncode == 1
        assert re.fullmatch(r"sparkify: stdout .+\n", ended.stderr)


def test_narration_never_goes_to_stdout(reading: Sparkify) -> None:
    """With stderr closed, stdout has the data and nothing else."""
    assert in_shell("sparkify etl --json 2>&-").stdout.startswith("{")
    assert in_shell("sparkify rejects 2>&-").stdout == reading("rejects").out


@pytest.mark.usefixtures("reading")
def test_reader_of_the_output_may_stop_early() -> None:
    """`sparkify describe | true` is not an error."""
    assert in_shell("sparkify describe | true").stderr == ""


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("command", ["describe top_tracks", "query 'select null as n, chr(246) as o'"])
@pytest.mark.usefixtures("reading")
def test_output_is_written_in_any_encoding(command: str) -> None:
    """Characters that the encoding of the output lacks are written as escapes."""
    ended = in_shell(f"sparkify {command}", **ASCII)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()


@pytest.mark.usefixtures("reading")
def test_json_is_json_in_any_encoding() -> None:
    """Characters that the encoding of the output lacks are written as JSON escapes."""
    for character in (246, 128512):
        ended = in_shell(f"sparkify query 'select chr({character}) as c' --format json", **ASCII).stdout
        assert json.loads(ended) == [{"c": chr(character)}]


@pytest.mark.parametrize("arguments", ["query \xff", "export --out \xff", "describe \xff", "rejects --file \xff"])
@pytest.mark.usefixtures("reading")
def test_argument_that_is_not_utf8_is_wrong_usage(arguments: str) -> None:
    """An argument that is not UTF-8 is wrong usage."""
    ended = subprocess.run(
        [sys.executable, "-m", "sparkify", *arguments.encode("latin-1").split()], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr == b"sparkify: b'\\xff': the argument is not valid UTF-8. Write it in UTF-8.\n"


def test_argument_in_utf8_works_in_any_locale(sparkify: Sparkify) -> None:
    """In a C locale, where Python takes arguments for ASCII, every command takes a path or text in UTF-8."""
    warehouse = "--warehouse duckdb:///Zoë.duckdb"
    for command in (
        "generate --out Zoë/data --users 9 --days 2 --songs 2",
        f"etl --log-data Zoë/data/log_data --song-data Zoë/data/song_data {warehouse}",
        f"status {warehouse}",
        f"export --out Zoë/exported {warehouse}",
        f"report --out Zoë/report.html {warehouse}",
        f"query \"select 'ß' as letter\" --format json {warehouse}",
    ):
        ended = in_shell(f"sparkify {command}", **ASCII)
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), command
    assert json.loads(ended.stdout) == [{"letter": "ß"}]
    assert {"Zoë", "Zoë.duckdb"} <= {path.name for path in Path().iterdir()}
    assert {"data", "exported", "report.html"} <= {path.name for path in Path("Zoë").iterdir()}
    again = sparkify("etl", "--log-data", "Zoë/data/log_data", "--song-data", "Zoë/data/song_data", *warehouse.split())
    assert again.out.startswith("Nothing new")


@pytest.mark.parametrize(
    "command",
    [
        *("status", "check", "rejects", "etl --full-refresh"),
        *("describe", "describe weekly_retention", "report", "export --out files"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_output_fits_80_columns(command: str) -> None:
    """On a terminal of 80 columns only paths are longer than a line, even with millions of plays."""
    with open_warehouse(URL) as engine:
        engine.execute("update etl_runs set songplays = songplays + 123456789, events_read = events_read + 123456789")
    code, shown = on_terminal(*command.split())
    assert code == 0
    lines = [line for line in shown.splitlines() if not line.startswith(str(Path.cwd()))]
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.usefixtures("reading")
def test_terminal_that_does_not_know_its_width_has_80_columns() -> None:
    """A terminal with COLUMNS=0 is taken for one of 80 columns."""
    _, shown = on_terminal("describe", "songs")
    assert "song_id" in shown
    assert on_terminal("describe", "songs", columns="0") == (0, shown)


def test_summary_of_the_real_data_fits_80_columns(sparkify: Sparkify, real: Path) -> None:
    """The summary of a run over the public sample fits 80 columns."""
    assert sparkify("create-tables").code == 0
    _, shown = on_terminal("etl", "--log-data", str(real / "log_data"), "--song-data", str(real / "song_data"))
    assert "6,820" in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []
