"""The command that begins a project of one's own: init."""

import argparse
import os
import shlex
import sys
from importlib.resources import files
from pathlib import Path

from sparkify import config
from sparkify.cli.options import Commands, path
from sparkify.cli.output import say
from sparkify.errors import ConfigError


def init(options: argparse.Namespace) -> None:
    """Write a dwh.cfg with every setting and its meaning, and print a line for cron."""
    file: Path = options.config
    _write(file, files("sparkify").joinpath("dwh.cfg").read_bytes(), force=options.force)
    say(f"Wrote {file}, with the defaults. To load new files every night at 3:30, add this line with `crontab -e`:")
    print(_cron_line(file))


def _write(file: Path, content: bytes, *, force: bool) -> None:
    """Write a file that nobody else can read, since it may get a password; raise ConfigError if it exists."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL), 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    except FileExistsError:
        raise ConfigError(f"{file}: the file already exists. Name another with --config, or add --force.") from None
    except OSError as error:
        problem = f"{file}: the file cannot be written ({error.strerror})"
        raise ConfigError(f"{problem}. Name another with --config.") from error


def _cron_line(file: Path) -> str:
    """Return a line of a crontab, in which a % that is not escaped ends the command (crontab(5))."""
    command = [sys.executable, "-m", "sparkify", "etl"]
    if file != config.DEFAULT_FILE:
        command += ["--config", str(file.absolute())]
    run = f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(command)} >> sparkify.log 2>&1"
    return "30 3 * * * " + run.replace("%", r"\%")


def add_to(commands: Commands) -> None:
    """Add the commands of this module."""
    parser = commands.add("init", init, "--config dwh.cfg")
    parser.add_argument(
        "--config", type=path, default=config.DEFAULT_FILE, metavar="FILE", help="file to write (default: dwh.cfg)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
