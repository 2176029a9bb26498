"""The entry point: parse the arguments, run the command, return its exit code.

stdout is data (a table for people, JSON for machines); stderr is narration.
"""

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
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong usage, 3 a check failed, 130 interrupted."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int | None] = options.command
    code = 0
    try:
        _require_unicode(sys.argv[1:] if arguments is None else arguments)
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


def _require_unicode(arguments: Sequence[str]) -> None:
    """Raise ConfigError for an argument whose bytes are not valid in this locale."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            given = repr(os.fsencode(argument))
            raise ConfigError(f"{given}: the argument is not text in this locale. Write it in UTF-8.") from None


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="sparkify",
        description="Load song metadata and app event logs (JSON) into a checked star schema.",
        epilog="example: sparkify etl --log-data data/log_data --song-data data/song_data",
    )
    top.add_argument("--version", action="version", version=f"sparkify {__version__}")
    commands = Commands(top)
    for module in (etl, inspect, report, generate, cluster):
        module.add_to(commands)
    return top
