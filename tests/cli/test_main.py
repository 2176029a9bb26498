"""Help, exit codes and errors of the command line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import write
from tests.support.command_line import Sparkify

from sparkify.cli.main import parser
from sparkify.warehouse import connect

COMMANDS = (
    "init",
    "doctor",
    "create-tables",
    "etl",
    "status",
    "rejects",
    "check",
    "query",
    "describe",
    "export",
    "report",
    "dashboard",
    "generate",
    "cluster",
)


def test_one_thing_is_in_the_singular(sparkify: Sparkify) -> None:
    """Messages about one song, row or record are in the singular."""
    ended = sparkify("generate", "--out", "data", "--songs", "1", "--users", "0")
    assert ended.err == "Wrote 1 song and 0 events to data.\n"
    write(Path("data/log_data/1.json"), "{broken")
    assert sparkify("etl").code == 0
    assert sparkify("rejects").err == "1 rejected record.\n"


def test_every_command_is_tested_here(sparkify: Sparkify) -> None:
    """Every command is in the list of this file."""
    assert f"choose from {', '.join(map(repr, COMMANDS))})" in sparkify("unknown").err.replace('"', "'")


@pytest.mark.parametrize("command", ["", *COMMANDS, "cluster setup"])
def test_help_lists_the_exit_codes(sparkify: Sparkify, command: str) -> None:
    """The help of the program and of every command lists the exit codes."""
    shown = " ".join(sparkify(*command.split(), "--help").out.split())
    assert "exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check failed, 130 interrupted by Ctrl-C" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_ends_with_an_example_that_parses(
    sparkify: Sparkify, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The help of every command ends with a valid example on one line."""
    monkeypatch.setenv("COLUMNS", "80")
    ended = sparkify(command, "--help")
    assert ended.code == 0
    before, _, example = ended.out.splitlines()[-1].partition(f"example: sparkify {command} ")
    assert example
    assert not before
    assert parser().parse_args([command, *shlex.split(example)]).command


def test_help_imports_no_engine_and_no_terminal_library() -> None:
    """`sparkify --help` loads neither an engine nor a terminal library."""
    program = (
        "import sys; from sparkify.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print({'duckdb', 'rich', 'boto3', 'jinja2', 'uvicorn'} & set(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "set()"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["etl", "--nonsense"],
        ["query"],
        ["query", "select 1", "--format", "xml"],
        ["etl", "--config", "missing.cfg"],
        ["etl", "--log-data", ""],
        ["etl", "--warehouse", "nonsense"],
        *(["etl", f"--batch-size={size}"] for size in ("", "0", "-1", "lots", "1XB", "0.1", "9" * 400)),
        *(["etl", f"--max-rejected={limit}"] for limit in ("", "-1", "1.5", "101%", "some", "%")),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_wrong_usage_ends_with_2(sparkify: Sparkify, arguments: list[str]) -> None:
    """Wrong usage is reported on stderr with exit code 2, and creates no warehouse."""
    deliveries.first(Path("data/log_data"), Path("data/song_data"))
    ended = sparkify(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "sparkify" in ended.err
    assert not Path("sparkify.duckdb").exists()


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("500MB", 500_000_000), ("1.5 gb", 1_500_000_000), ("2KiB", 2048), ("3T", 3 * 10**12)]
)
def test_batch_size_takes_the_usual_units(text: str, size: int) -> None:
    """A size is in bytes, in units of 1000 such as MB, or in units of 1024 such as KiB."""
    assert parser().parse_args(["etl", "--batch-size", text]).batch_size == size


def test_failed_run_ends_with_1_and_leaves_nothing(sparkify: Sparkify) -> None:
    """A run without its folder ends with exit code 1 and the folder's name, and creates no warehouse."""
    ended = sparkify("etl", "--log-data", "nowhere", "--song-data", "nowhere")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("sparkify: nowhere: there is no such folder.")
    assert not Path("sparkify.duckdb").exists()


@pytest.mark.parametrize("command", [["status"], ["rejects"], ["check"], ["query", "select 1"]])
def test_missing_warehouse_is_reported_with_what_to_do(sparkify: Sparkify, command: list[str]) -> None:
    """A command on a missing warehouse says how to create it, and does not create it."""
    ended = sparkify(*command)
    assert (ended.code, ended.out) == (1, "")
    assert "sparkify etl" in ended.err
    assert not Path("sparkify.duckdb").exists()


@pytest.mark.parametrize(
    "command",
    [["report", "--out"], ["export", "--out"], ["generate", "--out"], ["etl", "--config"], ["etl", "--warehouse"]],
)
def test_empty_value_is_wrong_usage(sparkify: Sparkify, command: list[str]) -> None:
    """An empty value, as of an unset shell variable, is wrong usage, and nothing is written."""
    ended = sparkify(*command, "")
    assert (ended.code, ended.out) == (2, "")
    assert f"{command[1]}: the path is empty." in ended.err or f"{command[1]} is empty." in ended.err
    assert list(Path().iterdir()) == []


def test_folder_that_is_not_writable_fails_before_anything_is_read(
    sparkify: Sparkify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose warehouse is in a read-only folder fails before it reads anything."""
    with TemporaryDirectory() as folder:  # Every user can enter the parent folder.
        monkeypatch.chdir(folder)
        deliveries.first(Path("data/log_data"), Path("data/song_data"))
        assert sparkify("create-tables").code == 0
        Path("sparkify.duckdb").chmod(0o666)
        Path(folder).chmod(0o555)
        user = os.getuid() or 65534  # root can write everywhere.
        os.setresuid(user, user, os.getuid())
        try:
            ended = sparkify("etl")
        finally:
            os.setresuid(*[os.getresuid()[2]] * 3)
            Path(folder).chmod(0o755)
            monkeypatch.chdir("/")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith("Fix its permissions, or set [WAREHOUSE] URL.\n")
    assert "Loading" not in ended.err


def test_debug_shows_the_traceback(sparkify: Sparkify) -> None:
    """`--debug` adds the traceback to the message, and keeps the exit code."""
    plain, debugged = sparkify("etl"), sparkify("etl", "--debug")
    assert (debugged.code, debugged.out) == (plain.code, plain.out)
    assert debugged.err.startswith("Traceback (most recent call last):\n")
    assert debugged.err.endswith(f": {plain.err.removeprefix('sparkify: ')}{plain.err}")


REBUILDING = " A full refresh replaces the tables only when it is complete. Run it again."
LOADING = " Batches published before are complete. Run again to load the rest."


@pytest.mark.parametrize(
    ("command", "what_now"),
    [(["query", "select 1"], ""), (["check"], ""), (["etl"], LOADING), (["etl", "--full-refresh"], REBUILDING)],
)
def test_interrupted_command_ends_with_130(
    reading: Sparkify, monkeypatch: pytest.MonkeyPatch, command: list[str], what_now: str
) -> None:
    """Ctrl-C ends a command with exit code 130, and a run says what it has published."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(connect, "warehouse_class", interrupt)
    ended = reading(*command)
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == f"sparkify: interrupted.{what_now}\n"
