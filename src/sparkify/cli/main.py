"""The command line: parse, call, print. The only package that prints or exits.

stdout is data (a table for people, JSON for machines), stderr is narration.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from sparkify import __version__
from sparkify.cli import cluster, etl, generate, inspect, report
from sparkify.cli.options import Commands
from sparkify.cli.output import printing, say
from sparkify.errors import ConfigError, SparkifyError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong usage, 3 a check failed."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int | None] = options.command
    code = 0
    try:
        _refuse_what_is_no_text(sys.argv[1:] if arguments is None else arguments)
        with printing():
            code = command(options) or 0
    except SparkifyError as error:
        if options.debug:
            raise
        say(f"sparkify: {error}")
        return error.exit_code
    except KeyboardInterrupt as interrupted:
        if options.debug:
            raise
        say(f"sparkify: interrupted. {interrupted}".rstrip())
        return INTERRUPTED
    return code


def _refuse_what_is_no_text(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{os.fsencode(argument)!r}: is no text in this locale. Write it in UTF-8.") from None


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="sparkify",
        description="Song metadata and app event logs, JSON, become a star schema that is checked and balanced.",
        epilog="example: sparkify etl --log-data data/log_data --song-data data/song_data",
    )
    top.add_argument("--version", action="version", version=f"sparkify {__version__}")
    commands = Commands(top)
    for module in (etl, inspect, report, generate, cluster):
        module.add_to(commands)
    return top
