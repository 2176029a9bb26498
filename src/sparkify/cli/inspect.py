"""The commands that read the warehouse: status, rejects, check, query, describe, export."""

import argparse
from dataclasses import asdict
from textwrap import fill
from typing import Any

from sparkify import formatting
from sparkify.cli.options import Commands, as_json, configuration, open_warehouse, path, shared, source_folders
from sparkify.cli.output import on_one_line, print_csv, print_json, print_table, printable, say, unique_names
from sparkify.errors import CheckFailed


def status(options: argparse.Namespace) -> None:
    """Show row counts, loaded and pending files, and the last runs."""
    from sparkify.pipeline import status

    config = configuration(options)
    with open_warehouse(options) as warehouse:
        state = status.read_status(warehouse, config)
        label = warehouse.label
    if state.upkeep is None:
        say(
            "sparkify: the upkeep of the tables is not shown, because this login cannot read svv_table_info. Have an"
            " administrator grant select on svv_table_info to its user."
        )
    if options.json:
        return print_json({"warehouse": label, **asdict(state)})
    print(f"warehouse     {label}")
    if state.newest_event:
        print(f"newest event  {state.newest_event:%Y-%m-%d %H:%M} UTC, {formatting.ago(state.newest_event_age or 0)}")
    if state.events_ahead:
        print(f"ahead         {formatting.count(state.events_ahead, 'event')} later than this machine's clock")
    if state.files_pending is None:
        pending = "an unknown number pending"
    else:
        pending = f"{state.files_pending:,} pending ({formatting.size(state.bytes_pending or 0)})"
    print(f"files         {state.files_loaded:,} loaded, {pending}")
    if state.not_listed:
        say(f"sparkify: {state.not_listed}")
    print()
    print_table(["table", "rows"], state.rows.items())
    if state.upkeep:
        print()
        print_table(["upkeep", "unsorted %", "statistics stale %"], [list(table.values()) for table in state.upkeep])
    if state.runs:
        columns = ["last runs", "seconds", "files", "plays", "page views", "songs", "duplicates", "rejected"]
        print()
        print_table(columns, map(_run_as_row, state.runs))
    return None


def _run_as_row(run: dict[str, Any]) -> list[Any]:
    duplicates = run["events_duplicate"] + run["songs_duplicate"]
    rejected = run["events_rejected"] + run["songs_rejected"]
    counts = (run["files"], run["songplays"], run["page_views"], run["songs"], duplicates, rejected)
    return [f"{run['started_at']:%Y-%m-%d %H:%M}", round(run["seconds"], 1), *counts]


def rejects(options: argparse.Namespace) -> None:
    """List the rejected records and the reasons."""
    from sparkify.pipeline import status

    with open_warehouse(options) as warehouse:
        records = status.rejects(warehouse, options.file, options.reason)
    if options.json:
        return print_json(records)
    for reject in records:
        record = printable(reject["record"].replace("\n", " "))
        line = "" if reject["line"] is None else f":{reject['line']}"
        print(f"{on_one_line(reject['file'] or 'loaded before')}{line}: {reject['reason']}")
        print(f"    {record if len(record) <= 76 else record[:75] + '…'}")
    say(f"{formatting.count(len(records), 'rejected record')}." if records else "No rejected records.")
    return None


def check(options: argparse.Namespace) -> None:
    """Run every check on the whole warehouse."""
    from sparkify.pipeline import checks
    from sparkify.sql import loader

    with open_warehouse(options) as warehouse:
        failed = checks.offences(warehouse)
    names = loader.names("checks")
    if options.json:
        print_json(
            [
                {"check": name, "passed": name not in failed, "offending_rows": len(failed.get(name, ((), ()))[1])}
                for name in names
            ]
        )
    else:
        for name in names:
            print(f"{'FAILED' if name in failed else 'ok':6}  {name.replace('_', ' ')}")
    if failed:
        raise CheckFailed("\n".join(checks.message(name, *offences) for name, offences in failed.items()))


def query(options: argparse.Namespace) -> None:
    """Run one SELECT and print its rows."""
    with open_warehouse(options) as warehouse:
        columns, rows = warehouse.ask(options.sql)
    match options.format:
        case "csv":
            print_csv(columns, rows)
        case "json":
            names = unique_names(columns)
            print_json([dict(zip(names, row, strict=True)) for row in rows])
        case _:
            print_table(columns, rows, grouped=False)


def describe(options: argparse.Namespace) -> None:
    """Describe a table or view and its columns, or list all of them."""
    from sparkify.sql import dictionary

    entries = [dictionary.entry(options.table)] if options.table else list(dictionary.entries())
    if options.json:
        return print_json([asdict(entry) for entry in entries])
    if not options.table:
        return print_table(["table", "one row per"], [[entry.name, entry.row] for entry in entries])
    [entry] = entries
    print(fill(f"{entry.name}, a {entry.kind}. {entry.text}", 79))
    print()
    print_table(["column", "type", "meaning"], [[column.name, column.type, column.text] for column in entry.columns])
    return None


def export(options: argparse.Namespace) -> None:
    """Write tables and views to Parquet or CSV files."""
    from sparkify.sql import model
    from sparkify.warehouse import export

    names = (*(options.table or model.ALL), *(model.VIEWS if options.views else ()))
    with open_warehouse(options) as warehouse:
        files = export.export_tables(
            warehouse,
            options.out,
            options.format or ("csv" if options.spreadsheet else "parquet"),
            names,
            force=options.force,
            spreadsheet=options.spreadsheet,
        )
    sizes = {name: file.stat().st_size for name, file in files.items()}
    if options.json:
        return print_json([{"table": name, "path": str(file), "bytes": sizes[name]} for name, file in files.items()])
    for name, file in files.items():
        print(f"{formatting.size(sizes[name]):>9}  {file}")
    say(f"Wrote {formatting.files(len(files))}, {formatting.size(sum(sizes.values()))}.")
    return None


def add_to(commands: Commands) -> None:
    """Add the commands of this module."""
    commands.add("status", status, "--json", shared, as_json, source_folders)

    parser = commands.add("rejects", rejects, "--reason 'not valid JSON'", shared, as_json)
    parser.add_argument("--file", default="", metavar="TEXT", help="only files whose path contains this text")
    parser.add_argument("--reason", default="", metavar="TEXT", help="only reasons that contain this text")

    commands.add("check", check, "--warehouse duckdb:///sparkify.duckdb", shared, as_json)

    parser = commands.add("query", query, "'select level, count(*) from users group by 1'", shared)
    parser.add_argument("sql", metavar="SQL", help="one SELECT; read-only, unless a PostgreSQL superuser bypasses it")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="default: table")

    parser = commands.add("describe", describe, "songplays", as_json)
    parser.add_argument("table", nargs="?", metavar="TABLE", help="a table or view (default: list all of them)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")

    parser = commands.add("export", export, "--format csv --out exported --table daily_listeners", shared, as_json)
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="folder to write to, one file per table")
    parser.add_argument("--format", choices=("parquet", "csv"), help="default: parquet")
    parser.add_argument(
        "--spreadsheet", action="store_true", help="CSV in which a quote precedes text that begins like a formula"
    )
    parser.add_argument(
        "--table", action="append", metavar="NAME", help="only this table or view; repeatable (default: all tables)"
    )
    parser.add_argument("--views", action="store_true", help="all views too")
    parser.add_argument("--force", action="store_true", help="replace existing files")
