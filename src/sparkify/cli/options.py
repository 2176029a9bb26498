"""What the commands share to be called: their parsers, the options of all of them, and what those open."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # each command imports what it needs: --help loads neither duckdb nor rich
    from sparkify.config import Config
    from sparkify.pipeline.progress import Limit
    from sparkify.warehouse.base import Warehouse


def path(text: str) -> Path:
    """Read a path; an empty one is a mistake (an unset shell variable), and not the folder where we are."""
    if not text:
        raise argparse.ArgumentTypeError("is empty. Give it a value, or leave it out.")
    return Path(text)


shared = argparse.ArgumentParser(add_help=False)
shared.add_argument(
    "--config", type=path, metavar="FILE", help="configuration (default: dwh.cfg here, if there is one)"
)
shared.add_argument("--warehouse", metavar="URL", help="warehouse, such as duckdb:///sparkify.duckdb")
shared.add_argument("--debug", action="store_true", help="show the traceback of an error")

as_json = argparse.ArgumentParser(add_help=False)
as_json.add_argument("--json", action="store_true", help="print JSON, for machines")

of_sources = argparse.ArgumentParser(add_help=False)
of_sources.add_argument("--log-data", metavar="PATH", help="folder of the event logs (default: [S3] LOG_DATA)")
of_sources.add_argument("--song-data", metavar="PATH", help="folder of the song files (default: [S3] SONG_DATA)")


class Commands:
    """The commands of the command line, or of a group of them such as ``sparkify cluster``."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._prog = parser.prog
        self._parsers: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        self,
        name: str,
        command: Callable[[argparse.Namespace], int | None],
        example: str,
        *parents: argparse.ArgumentParser,
    ) -> argparse.ArgumentParser:
        """Add a command, described by the docstring of its function; return its parser, for its own options."""
        made = self._made(name, (command.__doc__ or "").strip(), f"{name} {example}", *parents)
        made.set_defaults(command=command)
        return made

    def add_group(self, name: str, text: str, example: str) -> Commands:
        """Add a group of commands."""
        return Commands(self._made(name, text, f"{name} {example}"))

    def _made(self, name: str, text: str, example: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        epilog = f"example: {self._prog} {example}".rstrip()
        made: argparse.ArgumentParser = self._parsers.add_parser(
            name, help=text.rstrip("."), description=text, epilog=epilog, parents=parents
        )
        return made


def configuration(options: argparse.Namespace) -> Config:
    """Load the configuration that the options name and overrule."""
    from sparkify import config

    return config.load(
        options.config,
        log_data=getattr(options, "log_data", None),
        song_data=getattr(options, "song_data", None),
        warehouse=options.warehouse,
    )


def open_warehouse(options: argparse.Namespace) -> Warehouse:
    """Open a warehouse that has been filled, for reading only."""
    from sparkify.warehouse.connect import open_filled

    return open_filled(configuration(options))


def day(text: str) -> date:
    """Read a day such as 2018-11-01."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day. Write it like 2018-11-01.") from None


def number_of_bytes(text: str) -> int:
    """Read a size such as 500MB or 1GiB."""
    from sparkify.config import size

    try:
        return size(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size. Write it like 500MB or 1GB.") from None


def limit(text: str) -> Limit:
    """Read a number of records or a share of them."""
    from sparkify.pipeline.progress import Limit

    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    if not found or (not found[2] and "." in found[1]) or (found[2] and float(found[1]) > 100):
        raise argparse.ArgumentTypeError(f"{text!r} is no limit. Write a number, like 100, or a share, like 1%.")
    return Limit(float(found[1]) / 100, is_share=True) if found[2] else Limit(int(found[1]))
