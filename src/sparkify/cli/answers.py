"""The commands that show what the warehouse answers: a page, the same page live, the dictionary, and files."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from sparkify import formats
from sparkify.cli.arguments import Commands, as_json, configuration, day, open_warehouse, path, shared
from sparkify.cli.terminal import print_json, print_table, say
from sparkify.errors import ConfigError

if TYPE_CHECKING:
    from sparkify.engines.base import Engine
    from sparkify.views import Selection


def report(options: argparse.Namespace) -> None:
    """Write what the listeners do to a page that needs no network."""
    _require("report", "jinja2", "vl_convert")
    from sparkify.report import page

    selection = _selection(options)
    with open_warehouse(options) as engine:
        _require_data(engine, selection)
        gathered = page.gather(engine, selection)
    size = page.write(gathered, options.out)
    if options.json:
        return print_json({"path": str(options.out), "bytes": size})
    say(f"Wrote {options.out}, {formats.size(size)}. Open it in a browser.")
    return None


def dashboard(options: argparse.Namespace) -> None:
    """Serve the report on this machine, live."""
    _require("dashboard", "jinja2", "vl_convert", "starlette", "uvicorn")
    from sparkify import dashboard

    with open_warehouse(options):  # what is wrong with it is told before anybody looks
        pass
    with suppress(KeyboardInterrupt):  # which is how it ends
        dashboard.serve(configuration(options), options.port, say)


def describe(options: argparse.Namespace) -> None:
    """Say what a table and each of its columns is, or list the tables."""
    from sparkify import dictionary

    entries = [dictionary.entry(options.table)] if options.table else list(dictionary.entries())
    if options.json:
        return print_json([asdict(entry) for entry in entries])
    if not options.table:
        return print_table(["table", "one row per"], [[entry.name, entry.row] for entry in entries])
    [entry] = entries
    print(fill(f"{entry.name}, a {entry.kind}. {entry.text}", 79))
    print()
    print_table(["column", "type", "is"], [[column.name, column.type, column.text] for column in entry.columns])
    return None


def export(options: argparse.Namespace) -> None:
    """Write tables and views to files for other tools."""
    from sparkify import export, tables

    with open_warehouse(options) as engine:
        files = export.export(engine, options.out, options.format, options.table or tables.ALL, force=options.force)
    sizes = {name: file.stat().st_size for name, file in files.items()}
    if options.json:
        return print_json([{"table": name, "path": str(file), "bytes": sizes[name]} for name, file in files.items()])
    for name, file in files.items():
        print(f"{formats.size(sizes[name]):>9}  {file}")
    say(f"Wrote {formats.files(len(files))}, {formats.size(sum(sizes.values()))}.")
    return None


def _selection(options: argparse.Namespace) -> Selection:
    from sparkify.views import Selection

    if options.since and options.until and options.since > options.until:
        raise ConfigError(f"--since {options.since} is after --until {options.until}. Give them the other way round.")
    return Selection(options.since, options.until, options.artist, options.user)


def _require_data(engine: Engine, selection: Selection) -> None:
    """Raise ConfigError for days that lie before or after all data: a page of them would be empty."""
    [(first, last)] = engine.rows("select cast(min(start_time) as date), cast(max(start_time) as date) from time")
    if first and selection.since and selection.since > last:
        days = f"--since {selection.since}"
    elif first and selection.until and selection.until < first:
        days = f"--until {selection.until}"
    else:
        return
    raise ConfigError(f"{days}: there is nothing in these days. The data goes from {first} to {last}.")


def _require(extra: str, *modules: str) -> None:
    """Raise ConfigError where a package of an extra is not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"sparkify {extra}: needs {' and '.join(missing)}, not installed here."
            f" Run `pip install 'sparkify-warehouse[{extra}]'`."
        )


def add_to(commands: Commands) -> None:
    """Add the commands of this module."""
    made = commands.add("report", report, "--out report.html --since 2018-11-01", shared, as_json)
    made.add_argument("--out", type=path, default=Path("report.html"), metavar="FILE", help="default: report.html")
    made.add_argument("--since", type=day, metavar="DAY", help="the first day, such as 2018-11-01, in UTC")
    made.add_argument("--until", type=day, metavar="DAY", help="the last day, itself included")
    made.add_argument("--artist", metavar="NAME", help="only plays of this artist, as the app names them")
    made.add_argument("--user", metavar="USER_ID", help="the review of this user instead")

    made = commands.add("dashboard", dashboard, "--port 8080", shared)
    made.add_argument(
        "--port", type=int, default=8080, metavar="N", help="on 127.0.0.1 (default: 8080; 0: any free one)"
    )

    made = commands.add("describe", describe, "songplays", as_json)
    made.add_argument("table", nargs="?", metavar="TABLE", help="a table or view (default: list them)")
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")

    made = commands.add("export", export, "--format csv --out exported --table daily_listeners", shared, as_json)
    made.add_argument("--out", type=path, required=True, metavar="DIR", help="folder of the files, one a table")
    made.add_argument("--format", choices=("parquet", "csv"), default="parquet", help="default: parquet")
    made.add_argument(
        "--table", action="append", metavar="NAME", help="only this one; may be repeated (default: all tables)"
    )
    made.add_argument("--force", action="store_true", help="replace files that are there")
