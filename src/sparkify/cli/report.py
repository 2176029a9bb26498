"""The commands report and dashboard."""

from __future__ import annotations

import argparse
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sparkify import formatting
from sparkify.cli.options import (
    LEAST_TO_DRAW,
    Commands,
    as_json,
    configuration,
    day,
    open_warehouse,
    path,
    require_address_space,
    shared,
)
from sparkify.cli.output import print_json, say
from sparkify.errors import ConfigError

if TYPE_CHECKING:
    from sparkify.sql.selection import Selection
    from sparkify.warehouse.base import Warehouse


def report(options: argparse.Namespace) -> None:
    """Write a report on listening as one HTML file that needs no network."""
    _require("report", "jinja2", "vl_convert")
    from sparkify.report import page

    selection = _selection(options)
    with open_warehouse(options) as warehouse:
        _require_data(warehouse, selection)
        content = page.gather(warehouse, selection)
    size = page.write(content, options.out)
    if options.json:
        return print_json({"path": str(options.out), "bytes": size})
    say(f"Wrote {options.out}, {formatting.size(size)}. Open it in a browser.")
    return None


def dashboard(options: argparse.Namespace) -> None:
    """Serve the report on this machine, updated after each run."""
    _require("dashboard", "jinja2", "vl_convert", "starlette", "uvicorn")
    from sparkify.report import dashboard

    with open_warehouse(options):  # raises for a faulty warehouse before the server starts
        pass
    with suppress(KeyboardInterrupt):  # Ctrl-C is the normal way to stop it
        dashboard.serve(configuration(options), options.port, say)


def _selection(options: argparse.Namespace) -> Selection:
    from sparkify.sql.selection import Selection

    if options.since and options.until and options.since > options.until:
        raise ConfigError(f"--since {options.since} is after --until {options.until}. Swap them.")
    return Selection(options.since, options.until, options.artist, options.user, options.level)


def _require_data(warehouse: Warehouse, selection: Selection) -> None:
    """Raise ConfigError for a period before or after all data, whose page would be empty."""
    [(first, last)] = warehouse.rows("select cast(min(start_time) as date), cast(max(start_time) as date) from time")
    if first and selection.since and selection.since > last:
        option = f"--since {selection.since}"
    elif first and selection.until and selection.until < first:
        option = f"--until {selection.until}"
    else:
        return
    raise ConfigError(f"{option}: there is no data in this period. Choose days from {first} to {last}.")


def _require(extra: str, *modules: str) -> None:
    """Raise ConfigError if a package of an extra is not installed, or cannot run here."""
    require_address_space(LEAST_TO_DRAW)
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"sparkify {extra}: required packages are not installed: {', '.join(missing)}."
            f" Run `pip install 'sparkify-warehouse[{extra}]'`."
        )


def add_to(commands: Commands) -> None:
    """Add the commands of this module."""
    parser = commands.add("report", report, "--out report.html --since 2018-11-01", shared, as_json)
    parser.add_argument("--out", type=path, default=Path("report.html"), metavar="FILE", help="default: report.html")
    parser.add_argument("--since", type=day, metavar="DAY", help="first day, in UTC, such as 2018-11-01")
    parser.add_argument("--until", type=day, metavar="DAY", help="last day, inclusive")
    parser.add_argument("--artist", metavar="NAME", help="only plays of this artist, as named in the logs")
    parser.add_argument(
        "--user", metavar="USER", help="review of one user, by user_id or name, instead of the report on all"
    )

    parser.add_argument("--level", metavar="LEVEL", help="only events at this level, such as paid")

    parser = commands.add("dashboard", dashboard, "--port 8080", shared)
    parser.add_argument(
        "--port", type=int, default=8080, metavar="N", help="port on 127.0.0.1 (default: 8080; 0: any free port)"
    )
