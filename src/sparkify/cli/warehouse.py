"""The commands that fill the warehouse, look into it, and ask it."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from sparkify import formats
from sparkify.cli.arguments import (
    Commands,
    as_json,
    configuration,
    limit,
    number_of_bytes,
    of_sources,
    open_warehouse,
    shared,
)
from sparkify.cli.terminal import Narrator, confirmed, print_csv, print_json, print_table, say
from sparkify.config import SCHEMES
from sparkify.errors import CheckFailed

if TYPE_CHECKING:
    from sparkify.config import Config
    from sparkify.ledger import Counts
    from sparkify.pipeline import Summary


def create_tables(options: argparse.Namespace) -> None:
    """Drop every table and create it anew."""
    from sparkify import engines, pipeline, tables

    config = configuration(options)
    with engines.connect(config.warehouse_url, config) as engine:
        pipeline.create_missing_tables(engine)
        rows = sum(pipeline.count_rows(engine).values())
        held = f"{engine.label} holds {formats.count(rows, 'row')}"
        if rows and not confirmed(f"{held}. Drop all?", yes=options.yes):
            return
        pipeline.create_tables(engine)
        say(f"Created {len(tables.ALL)} empty tables in {engine.label}.")


def etl(options: argparse.Namespace) -> None:
    """Load what is new."""
    from sparkify import pipeline

    config = configuration(options)
    if options.dry_run:
        return _dry_run(options, config)
    chosen = pipeline.Options(
        full_refresh=options.full_refresh,
        max_rejected=options.max_rejected,
        skip_bad_files=options.skip_bad_files,
        batch_size=options.batch_size,
        keep_staging=options.keep_staging,
    )
    narrator = Narrator()
    try:
        with narrator:
            summary = pipeline.etl(config, chosen, narrator)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What was published before is whole; run again to go on.") from None
    if options.json:
        return print_json(_summary_as_json(summary))
    _print_summary(summary)
    if summary.run.counts.rejected:  # a URL is not repeated: it may hold a password
        given = " and ".join(f"--{name}" for name in ("config", "warehouse") if getattr(options, name))
        print(f"\nSee what was rejected, and why: sparkify rejects{given and ', with the same ' + given}")
    return None


def sql(options: argparse.Namespace) -> None:
    """Print every statement of a run, in order."""
    from sparkify import statements

    config = configuration(options)
    if options.engine:
        config = replace(config, url=f"{options.engine}:")
    print(*statements.script(config), sep=";\n\n", end=";\n")


def _dry_run(options: argparse.Namespace, config: Config) -> None:
    from sparkify import pipeline

    files = pipeline.plan(config, pipeline.Options(full_refresh=options.full_refresh), Narrator())
    if options.json:
        print_json([file._asdict() for file in files])
        return
    for file in files:
        print(f"{formats.size(file.size):>9}  {file.kind:6}  {formats.printable(file.path)}")
    total = formats.size(sum(file.size for file in files))
    say(f"Would load {formats.files(len(files))}, {total}. Nothing was changed.")


def status(options: argparse.Namespace) -> None:
    """Show what is loaded and what waits."""
    from sparkify import status as asked

    config = configuration(options)
    with open_warehouse(options) as engine:
        state = asked.status(engine, config)
        label = engine.label
    if state.upkeep is None:
        say(
            "sparkify: how well the tables are kept is not shown: this login may not read svv_table_info. An"
            " administrator allows it: grant select on svv_table_info to its user."
        )
    if options.json:
        return print_json({"warehouse": label, **asdict(state)})
    print(f"warehouse     {label}")
    if state.newest_event:
        print(f"newest event  {state.newest_event:%Y-%m-%d %H:%M} UTC, {formats.ago(state.newest_event_age or 0)}")
    if state.files_pending is None:
        waiting = "not known how many pending"
    else:
        waiting = f"{state.files_pending:,} pending ({formats.size(state.bytes_pending or 0)})"
    print(f"files         {state.files_loaded:,} loaded, {waiting}")
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
    """Show what was refused and why."""
    from sparkify import status as asked

    with open_warehouse(options) as engine:
        found = asked.rejects(engine, options.file, options.reason)
    if options.json:
        return print_json(found)
    for reject in found:
        record = formats.printable(reject["record"].replace("\n", " "))
        line = "" if reject["line"] is None else f":{reject['line']}"
        print(f"{formats.printable(reject['file'])}{line}: {reject['reason']}")
        print(f"    {record if len(record) <= 76 else record[:75] + '…'}")
    say(f"{formats.count(len(found), 'rejected record')}." if found else "No rejected records.")
    return None


def check(options: argparse.Namespace) -> None:
    """Run every check on the whole warehouse."""
    from sparkify import checks, queries

    with open_warehouse(options) as engine:
        checks.set_period(engine)
        failed = checks.offences(engine)
    names = queries.names("checks")
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
        raise CheckFailed("\n".join(checks.told(name, *found) for name, found in failed.items()))


def query(options: argparse.Namespace) -> None:
    """Run one SELECT and show its rows."""
    with open_warehouse(options) as engine:
        columns, rows = engine.ask(options.sql)
    match options.format:
        case "csv":
            print_csv(columns, rows)
        case "json":
            names = formats.distinct(columns)
            print_json([dict(zip(names, row, strict=True)) for row in rows])
        case _:
            print_table(columns, rows, grouped=False)


def _summary_as_json(summary: Summary) -> dict[str, Any]:
    counts = summary.run.counts
    return {
        "run_id": summary.run.id,
        "warehouse": summary.warehouse,
        "started_at": f"{summary.run.started_at.isoformat()}Z",
        "seconds": summary.seconds,
        "files": {
            "listed": summary.files_listed,
            "loaded": counts.files,
            "bytes": counts.bytes,
            "skipped": summary.skipped,
        },
        "batches": summary.batches,
        "events": {
            "read": counts.events_read,
            "songplays": counts.songplays,
            "page_views": counts.page_views,
            "duplicates": counts.events_duplicate,
            "rejected": counts.events_rejected,
        },
        "songs": {
            "read": counts.songs_read,
            "added_or_changed": counts.songs,
            "duplicates": counts.songs_duplicate,
            "rejected": counts.songs_rejected,
        },
        "tables": {
            table: {"rows": rows, "added_or_changed": summary.changed.get(table, 0)}
            for table, rows in summary.rows.items()
            if table in summary.star
        },
        "unknown_keys": summary.unknown_keys,
    }


def _print_summary(summary: Summary) -> None:
    counts = summary.run.counts
    if summary.skipped and not summary.batches:
        others = summary.files_listed - len(summary.skipped)
        print(
            f"Nothing loaded: {formats.files(len(summary.skipped))} skipped, {others:,} in {summary.warehouse} already."
        )
    elif not summary.batches:
        print(f"Nothing new: all {formats.files(summary.files_listed)} are in {summary.warehouse} already.")
    else:
        loaded = f"{formats.files(counts.files)}, {formats.size(counts.bytes)}"
        print(f"Loaded {loaded}, into {summary.warehouse} in {summary.seconds:.1f} s.")
        print()
        _print_balance(counts)
        print()
        rows = [[table, summary.rows[table], summary.changed.get(table, 0)] for table in summary.star]
        print_table(["table", "rows", "added or changed"], rows)
    if summary.unknown_keys:
        print()
    for kind, keys in summary.unknown_keys.items():
        shown = ", ".join(formats.printable(key) for key in keys[:20])
        more = f" and {len(keys) - 20:,} more" if len(keys) > 20 else ""
        print(f"Ignored keys that no {kind[:-1]} has by contract: {shown}{more}")


def _print_balance(counts: Counts) -> None:
    columns = ["", "read", "= songplays", "+ page views", "+ songs", "+ duplicates", "+ rejected"]
    events = [
        counts.events_read,
        counts.songplays,
        counts.page_views,
        0,
        counts.events_duplicate,
        counts.events_rejected,
    ]
    songs = [counts.songs_read, 0, 0, counts.songs, counts.songs_duplicate, counts.songs_rejected]
    print_table(columns, [["events", *events], ["songs", *songs]])


def add_to(commands: Commands) -> None:
    """Add the commands of this module."""
    made = commands.add("create-tables", create_tables, "--yes", shared)
    made.add_argument("--yes", action="store_true", help="do not ask, even if the tables hold rows")

    made = commands.add("etl", etl, "--log-data data/log_data --max-rejected 1%", shared, as_json, of_sources)
    made.add_argument("--dry-run", action="store_true", help="list what would be loaded, and change nothing")
    made.add_argument("--full-refresh", action="store_true", help="rebuild from all files, and swap in when complete")
    made.add_argument(
        "--max-rejected", type=limit, metavar="N|N%", help="fail if more records are rejected (default: no limit)"
    )
    made.add_argument("--skip-bad-files", action="store_true", help="leave out files whose content cannot be read")
    made.add_argument(
        "--batch-size",
        type=number_of_bytes,
        default=1 << 30,
        metavar="SIZE",
        help="files in one transaction (default: 1GiB)",
    )
    made.add_argument("--keep-staging", action="store_true", help="leave the staging tables of the last batch")

    commands.add("status", status, "--json", shared, as_json, of_sources)
    made = commands.add("rejects", rejects, "--reason 'not valid JSON'", shared, as_json)
    made.add_argument("--file", default="", metavar="WORDS", help="only files whose path holds these words")
    made.add_argument("--reason", default="", metavar="WORDS", help="only reasons that hold these words")
    made = commands.add("sql", sql, "--engine redshift", shared)
    made.add_argument("--engine", choices=SCHEMES, help="for which kind of warehouse (default: the configured one)")
    commands.add("check", check, "--warehouse duckdb:///sparkify.duckdb", shared, as_json)
    made = commands.add("query", query, "'select level, count(*) from users group by 1'", shared)
    made.add_argument(
        "sql", metavar="SQL", help="one SELECT, for reading only, unless asked by a superuser of PostgreSQL"
    )
    made.add_argument("--format", choices=("table", "csv", "json"), default="table")
