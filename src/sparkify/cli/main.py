"""The entry point: parse the arguments, run the command, return its exit code.

stdout is data (a table for people, JSON for machines); stderr is narration.
"""

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from sparkify import __version__
from sparkify.cli import cluster, doctor, etl, generate, init, inspect, report
from sparkify.cli.interruption import INTERRUPTED, ends_promptly
from sparkify.cli.options import LEAST, Commands, require_address_space
from sparkify.cli.output import printing, say
from sparkify.errors import ConfigError, SparkifyError

_LOGIN = re.compile(r"(?<=: |//).*@")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong usage, 3 a check failed, 130 interrupted."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int | None] = options.command
    code = 0
    try:
        _require_unicode(sys.argv[1:] if arguments is None else arguments)
        require_address_space(LEAST)
        with printing(), nullcontext() if command is report.dashboard else ends_promptly():
            code = command(options) or 0
    except SparkifyError as error:
        if options.debug:
            say(_traceback(error), end="")
        say(f"sparkify: {error}")
        return error.exit_code
    except (MemoryError, RuntimeError) as error:
        if options.debug or not (isinstance(error, MemoryError) or "start new thread" in str(error)):
            raise
        say(
            "sparkify: this machine has too little memory, or allows too few threads. Raise the limit of the container"
            " or of `ulimit`, or lower [WAREHOUSE] MEMORY."
        )
        return SparkifyError.exit_code
    except KeyboardInterrupt as interrupted:
        if options.debug:
            say(_traceback(interrupted), end="")
        say(f"sparkify: interrupted. {interrupted}".rstrip())
        return INTERRUPTED
    return code


def _traceback(error: BaseException) -> str:
    """Return the traceback of an error and its causes, without the logins in URLs that clients quote."""
    return _LOGIN.sub("", "".join(traceback.format_exception(error)))


def _require_unicode(arguments: Sequence[str]) -> None:
    """Raise ConfigError for an argument that is not UTF-8.

    Where it is UTF-8 in a locale that is not, run the command again in Python's UTF-8 mode. Otherwise, the name of one
    file would differ between Python and DuckDB.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:  # The locale cannot decode it, so that Python keeps its bytes as surrogates.
            from sparkify.sources.records import is_utf8

            given = os.fsencode(argument)
            if argument in sys.argv and is_utf8(given):
                os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
            raise ConfigError(f"{given!r}: the argument is not valid UTF-8. Write it in UTF-8.") from None


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="sparkify",
        description="Load song metadata and app event logs (JSON) into a checked star schema.",
        epilog="example: sparkify etl --log-data data/log_data --song-data data/song_data",
    )
    top.add_argument("--version", action="version", version=f"sparkify {__version__}")
    commands = Commands(top)
    for module in (init, doctor, etl, inspect, report, generate, cluster):
        module.add_to(commands)
    return top
