"""The command that makes sample data."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sparkify import formatting
from sparkify.cli.options import Commands, as_json, path
from sparkify.cli.output import print_json, say


def generate(options: argparse.Namespace) -> None:
    """Write a synthetic catalogue and logs."""
    from sparkify.sample_data.generate import generate as write

    made = write(
        options.out,
        users=options.users,
        days=options.days,
        songs=options.songs,
        seed=options.seed,
        dirty=options.dirty,
    )
    if options.json:
        return print_json(asdict(made))
    good = f"{formatting.count(made.songs, 'song')} and {formatting.count(made.events, 'event')}"
    bad = f", and {formatting.count(made.bad_records, 'bad record')} among them," if made.bad_records else ""
    say(f"Wrote {good}{bad} to {options.out}.")
    return None


def add_to(commands: Commands) -> None:
    """Add the command of this module."""
    made = commands.add("generate", generate, "--out data --users 100 --days 30 --songs 200", as_json)
    made.add_argument("--out", type=path, required=True, metavar="DIR", help="where song_data and log_data go")
    made.add_argument("--users", type=int, default=100, metavar="N")
    made.add_argument("--days", type=int, default=30, metavar="N")
    made.add_argument("--songs", type=int, default=200, metavar="N")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same bytes")
    made.add_argument(
        "--dirty",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of records that something odd happens to, 0 to 1",
    )
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
