"""The commands of `sparkify cluster`, as a test runs them."""

from __future__ import annotations

import io
import sys

import pytest
from tests.support.cloud.server import Cloud
from tests.support.command_line import Ended

from sparkify.cli import cluster, output
from sparkify.cli.main import main


class Terminal(io.StringIO):
    """A keyboard."""

    def isatty(self) -> bool:
        """Return that this is a terminal."""
        return True


class Cluster:
    """The command line, and the account that it works in."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.cloud = cloud
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, answer: str | None = None) -> Ended:
        """Run `sparkify cluster …`; without an answer, standard input is not a terminal."""
        self._monkeypatch.setattr(sys, "stdin", io.StringIO() if answer is None else Terminal(answer))
        try:
            code = main(["cluster", *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Ended(code, *self._capsys.readouterr())

    def setup(self, *arguments: str) -> Ended:
        """Set up a warehouse, and assert success."""
        ended = self("setup", "--yes", *arguments)
        assert ended.code == 0, ended.err
        return ended

    def interrupted(self, after: int, *arguments: str) -> Ended:
        """Run a command, and interrupt it after so many lines of progress."""
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
