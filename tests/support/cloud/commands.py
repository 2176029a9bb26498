"""The commands of `sparkify cluster`, as a test runs them."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple

import pytest
from tests.support.cloud.server import Cloud

from sparkify.cli import cluster, output
from sparkify.cli.main import main


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A keyboard at which somebody types."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True


class Cluster:
    """The command line, and the account that it works in."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.cloud = cloud
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, answer: str | None = None) -> Said:
        """Run `sparkify cluster …`; without an answer to type, there is no terminal."""
        self._monkeypatch.setattr(sys, "stdin", io.StringIO() if answer is None else Terminal(answer))
        try:
            code = main(["cluster", *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Said(code, *self._capsys.readouterr())

    def setup(self, *arguments: str) -> Said:
        """Set up, and have it go well."""
        said = self("setup", "--yes", *arguments)
        assert said.code == 0, said.err
        return said

    def interrupted(self, after: int, *arguments: str) -> Said:
        """Run a command, and press Ctrl-C after so many lines of progress."""
        seen = 0

        def say(line: str, end: str = "\n") -> None:
            nonlocal seen
            output.say(line, end)
            seen += line.startswith(("  creating", "  created", "  changing", "  changed", "  deleting", "  deleted"))
            if seen == after:
                raise KeyboardInterrupt

        with self._monkeypatch.context() as patched:
            patched.setattr(cluster, "say", say)
            return self(*arguments)
