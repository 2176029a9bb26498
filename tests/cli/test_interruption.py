"""Ctrl-C ends a command promptly."""

from __future__ import annotations

import signal
import subprocess
import sys
from time import sleep

import pytest

LONG_FUNCTION = "select levenshtein(repeat('ab', 400000), repeat('ba', 400000))"
MANY_ROWS = "select max(levenshtein(repeat('ab', 100) || a.i, repeat('ba', 100))) from range(1e9::bigint) as a (i)"


def interrupted(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command, and interrupt it after two seconds; fail if it does not end."""
    program = [sys.executable, "-m", "sparkify", *command]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        sleep(2)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(program, process.returncode, out, err)


@pytest.mark.parametrize("sql", [LONG_FUNCTION, MANY_ROWS], ids=["one long function", "many rows"])
@pytest.mark.usefixtures("reading")
def test_statement_of_minutes_ends_at_ctrl_c(sql: str) -> None:
    """A statement that would take minutes ends with 130 and no traceback."""
    ended = interrupted("query", sql)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "sparkify: interrupted.\n")
