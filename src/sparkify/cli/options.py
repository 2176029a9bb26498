"""The parsers and options that commands share, and the configuration and warehouse that they select."""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkify import formatting
from sparkify.errors import ConfigError

if TYPE_CHECKING:  # each command imports its own needs, so that --help loads neither duckdb nor rich
    from sparkify.config import Config
    from sparkify.warehouse.base import Warehouse


LEAST = 10**9
"""Bytes of address space without which libraries can end the process with a signal and no message."""

LEAST_TO_DRAW = 80 * 10**9
"""The same for charts, whose renderer reserves most of it and uses little."""


def require_address_space(least: int) -> None:
    """Raise ConfigError if the system allows this process less address space."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least:
        raise ConfigError(
            f"ulimit -v: the address space is limited to {formatting.size(limit)}, and this command needs"
            f" {formatting.size(least)}. Run `ulimit -v unlimited`, and limit memory with [WAREHOUSE] MEMORY instead."
        )


def path(text: str) -> Path:
    """Parse a path. An empty one usually comes from an unset shell variable, so it is not the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty. Give it a value, or omit the option.")
    return Path(text)


shared = argparse.ArgumentParser(add_help=False)
shared.add_argument("--config", type=path, metavar="FILE", help="configuration file (default: dwh.cfg, if it exists)")
shared.add_argument("--warehouse", metavar="URL", help="warehouse, such as duckdb:///sparkify.duckdb")
shared.add_argument("--debug", action="store_true", help="show the traceback of an error")

as_json = argparse.ArgumentParser(add_help=False)
as_json.add_argument("--json", action="store_true", help="print JSON, for machines")

source_folders = argparse.ArgumentParser(add_help=False)
source_folders.add_argument("--log-data", metavar="PATH", help="folder of the event logs (default: [S3] LOG_DATA)")
source_folders.add_argument("--song-data", metavar="PATH", help="folder of the song files (default: [S3] SONG_DATA)")
source_folders.add_argument(
    "--no-sign-request", action="store_true", help="read public buckets without credentials (see [S3] ANONYMOUS)"
)


_EXIT_CODES = "0 done, 1 failed, 2 wrong usage, 3 a check failed, 130 interrupted by Ctrl-C"


class Commands:
    """The commands of the command line, or of a group of them such as ``sparkify cluster``."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._prog = parser.prog
        self._parsers: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        parser.add_argument_group("exit codes", _EXIT_CODES)

    def add(
        self,
        name: str,
        command: Callable[[argparse.Namespace], int | None],
        example: str,
        *parents: argparse.ArgumentParser,
    ) -> argparse.ArgumentParser:
        """Add a command, described by its function's docstring; return its parser, to which options can be added."""
        parser = self._add_parser(name, (command.__doc__ or "").strip(), f"{name} {example}", *parents)
        parser.add_argument_group("exit codes", _EXIT_CODES)
        parser.set_defaults(command=command)
        return parser

    def add_group(self, name: str, text: str, example: str) -> Commands:
        """Add a group of commands."""
        return Commands(self._add_parser(name, text, f"{name} {example}"))

    def _add_parser(
        self, name: str, text: str, example: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        epilog = f"example: {self._prog} {example}".rstrip()
        parser: argparse.ArgumentParser = self._parsers.add_parser(
            name, help=text.rstrip("."), description=text, epilog=epilog, parents=parents
        )
        return parser


def configuration(options: argparse.Namespace) -> Config:
    """Load the configuration that --config names, overridden by the other options; warn once of an exposed file."""
    from sparkify import config
    from sparkify.cli.output import say

    loaded = config.load(
        options.config,
        log_data=getattr(options, "log_data", None),
        song_data=getattr(options, "song_data", None),
        warehouse=getattr(options, "warehouse", None),
        wait=getattr(options, "wait", None),
        anonymous=getattr(options, "no_sign_request", False),
        max_rejected=getattr(options, "max_rejected", None),
    )
    if loaded.is_exposed and not getattr(options, "has_warned", False):
        options.has_warned = True
        say(
            f"sparkify: {loaded.path}: the file has a password or key, and other users can read or change it."
            f" Run `chmod 600 {loaded.path}`."
        )
    return loaded


def open_warehouse(options: argparse.Namespace) -> Warehouse:
    """Open the selected warehouse, read-only; raise WarehouseError if it has no Sparkify tables."""
    from sparkify.warehouse.connect import open_filled

    return open_filled(configuration(options))


def day(text: str) -> date:
    """Parse a day such as 2018-11-01."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid day. Write it like 2018-11-01.") from None


def number_of_bytes(text: str) -> int:
    """Parse a size such as 500MB or 1GiB."""
    from sparkify.config import size

    try:
        return size(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid size. Write it like 500MB or 1GB.") from None
