"""The command that generates sample data."""

import argparse
from dataclasses import asdict

from sparkify import formatting
from sparkify.cli.options import Commands, as_json, path
from sparkify.cli.output import print_json, say


def generate(options: argparse.Namespace) -> None:
    """Write a synthetic song catalogue and event logs."""
    from sparkify.sample_data.generate import generate as write

    generated = write(
        options.out,
        users=options.users,
        days=options.days,
        songs=options.songs,
        seed=options.seed,
        dirty=options.dirty,
    )
    if options.json:
        return print_json(asdict(generated))
    good = f"{formatting.count(generated.songs, 'song')} and {formatting.count(generated.events, 'event')}"
    bad = f", plus {formatting.count(generated.bad_records, 'bad record')}," if generated.bad_records else ""
    say(f"Wrote {good}{bad} to {options.out}.")
    return None


def add_to(commands: Commands) -> None:
    """Add the command of this module."""
    parser = commands.add("generate", generate, "--out data --users 100 --days 30 --songs 200", as_json)
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="folder for song_data and log_data")
    parser.add_argument("--users", type=int, default=100, metavar="N", help="number of users (default: 100)")
    parser.add_argument("--days", type=int, default=30, metavar="N", help="number of days (default: 30)")
    parser.add_argument("--songs", type=int, default=200, metavar="N", help="number of songs (default: 200)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="equal seeds give equal files (default: 1)")
    parser.add_argument(
        "--dirty",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of bad and unusual records, from 0 to 1 (default: 0)",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
