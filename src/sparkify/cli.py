"""The command line: parse, call, print. The only module that prints or exits.

stdout is data (a table for people, JSON for machines), stderr is narration.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkify import __version__, formats
from sparkify.errors import CheckFailed, ConfigError, SparkifyError, WarehouseError

if TYPE_CHECKING:  # each command imports what it needs: --help loads neither duckdb nor rich
    from sparkify.config import Config
    from sparkify.engines.base import Engine
    from sparkify.ledger import Counts
    from sparkify.pipeline import Limit, Summary

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong usage, 3 a check failed."""
    options = parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int | None] = options.command
        return command(options) or 0
    except SparkifyError as error:
        if options.debug:
            raise
        _say(f"sparkify: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        if options.debug:
            raise
        _say("sparkify: interrupted. What was published before is whole; run again to go on.")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


# The commands


def create_tables(options: argparse.Namespace) -> None:
    """Drop every table and create it anew."""
    from sparkify import engines, pipeline, tables

    config = _config(options)
    with engines.connect(config.warehouse_url, schema=config.schema) as engine:
        pipeline.create_missing_tables(engine)
        rows = sum(pipeline.count_rows(engine).values())
        if rows and not options.yes:
            question = f"{engine.label} holds {rows:,} rows. Drop them all?"
            if not sys.stdin.isatty():
                raise ConfigError(f"{question} Pass --yes to say so.")
            _say(f"{question} [y/N] ", end="")
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                _say("Nothing was changed.")
                return
        pipeline.create_tables(engine)
        _say(f"Created {len(tables.ALL)} empty tables in {engine.label}.")


def etl(options: argparse.Namespace) -> None:
    """Load what is new."""
    from sparkify import pipeline

    config = _config(options)
    if options.dry_run:
        return _dry_run(options, config)
    chosen = pipeline.Options(
        full_refresh=options.full_refresh,
        max_rejected=options.max_rejected,
        skip_bad_files=options.skip_bad_files,
        batch_size=options.batch_size,
        keep_staging=options.keep_staging,
    )
    narrator = _Narrator()
    with narrator:
        summary = pipeline.etl(config, chosen, narrator)
    _print_json(_summary_as_json(summary)) if options.json else _print_summary(summary)
    return None


def _dry_run(options: argparse.Namespace, config: Config) -> None:
    from sparkify import pipeline

    files = pipeline.plan(config, pipeline.Options(full_refresh=options.full_refresh), _Narrator())
    if options.json:
        _print_json([asdict(file) for file in files])
        return
    for file in files:
        print(f"{formats.size(file.size):>9}  {file.kind:6}  {file.path}")
    total = formats.size(sum(file.size for file in files))
    _say(f"Would load {formats.files(len(files))}, {total}. Nothing was changed.")


def status(options: argparse.Namespace) -> None:
    """Show what is loaded and what waits."""
    from sparkify import status as asked

    config = _config(options)
    with _open(options) as engine:
        state = asked.status(engine, config)
        label = engine.label
    if options.json:
        return _print_json({"warehouse": label, **asdict(state)})
    print(f"warehouse     {label}")
    if state.newest_event:
        print(f"newest event  {state.newest_event:%Y-%m-%d %H:%M} UTC, {formats.age(state.newest_event_age or 0)} ago")
    if state.files_pending is None:
        waiting = "not known how many pending"
    else:
        waiting = f"{state.files_pending:,} pending ({formats.size(state.bytes_pending or 0)})"
    print(f"files         {state.files_loaded:,} loaded, {waiting}")
    if state.not_listed:
        _say(f"sparkify: {state.not_listed}")
    print()
    _print_table(["table", "rows"], state.rows.items())
    if state.runs:
        columns = ["last runs", "seconds", "files", "plays", "page views", "songs", "duplicates", "rejected"]
        print()
        _print_table(columns, map(_run_as_row, state.runs))
    return None


def _run_as_row(run: dict[str, Any]) -> list[Any]:
    duplicates = run["events_duplicate"] + run["songs_duplicate"]
    rejected = run["events_rejected"] + run["songs_rejected"]
    counts = (run["files"], run["songplays"], run["page_views"], run["songs"], duplicates, rejected)
    return [f"{run['started_at']:%Y-%m-%d %H:%M}", round(run["seconds"], 1), *counts]


def rejects(options: argparse.Namespace) -> None:
    """Show what was refused and why."""
    from sparkify import status as asked

    with _open(options) as engine:
        found = asked.rejects(engine, options.file, options.reason)
    if options.json:
        return _print_json(found)
    for reject in found:
        record = formats.printable(reject["record"].replace("\n", " "))
        print(f"{formats.printable(reject['file'])}:{reject['line']}: {reject['reason']}")
        print(f"    {record if len(record) <= 76 else record[:75] + '…'}")
    _say(f"{len(found):,} rejected records." if found else "No rejected records.")
    return None


def check(options: argparse.Namespace) -> None:
    """Run every check on the whole warehouse."""
    from sparkify import checks, queries

    with _open(options) as engine:
        checks.set_period(engine)
        failed = checks.offences(engine)
    names = queries.names("checks")
    if options.json:
        _print_json(
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
    with _open(options) as engine:
        columns, rows = engine.ask(options.sql)
    match options.format:
        case "csv":
            import csv

            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        case "json":
            names = formats.distinct(columns)
            _print_json([dict(zip(names, row, strict=True)) for row in rows])
        case _:
            _print_table(columns, rows)


def generate(options: argparse.Namespace) -> None:
    """Write a synthetic catalogue and logs."""
    from sparkify.generate import generate as write

    made = write(
        options.out,
        users=options.users,
        days=options.days,
        songs=options.songs,
        seed=options.seed,
        dirty=options.dirty,
    )
    if options.json:
        return _print_json(asdict(made))
    bad = f", {made.bad_records:,} of them bad" if made.bad_records else ""
    _say(f"Wrote {made.songs:,} songs and {made.events:,} events{bad} to {options.out}.")
    return None


# What they share


def _config(options: argparse.Namespace) -> Config:
    from sparkify import config

    return config.load(
        options.config,
        log_data=getattr(options, "log_data", None),
        song_data=getattr(options, "song_data", None),
        warehouse=options.warehouse,
    )


def _open(options: argparse.Namespace) -> Engine:
    """Open a warehouse that has been filled, for reading only."""
    from sparkify import engines

    config = _config(options)
    engine = engines.connect(config.warehouse_url, schema=config.schema, read_only=True)
    if not engine.has_tables():
        engine.close()
        raise WarehouseError(f"{engine.label}: holds no tables of ours. Run `sparkify etl` first.")
    return engine


class _Narrator:
    """Says on stderr how a run goes: a bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = nullcontext()
        self._records = 0

    def __enter__(self) -> _Narrator:
        return self

    def __exit__(self, *problem: object) -> None:
        self._bar.__exit__(None, None, None)

    def say(self, line: str) -> None:
        _say(line)

    def start(self, files: int, size: int) -> None:
        if not files:
            return
        if not sys.stderr.isatty():
            _say(f"Loading {formats.files(files)}, {formats.size(size)}")
            return
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("Loading"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TextColumn("{task.fields[records]:,} records"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.__enter__()
        self._task = self._bar.add_task("", total=size, records=0)

    def advance(self, size: int, records: int) -> None:
        self._records += records
        if hasattr(self, "_task"):
            self._bar.update(self._task, advance=size, records=self._records)


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
    if not summary.batches:
        print(f"Nothing new: all {formats.files(summary.files_listed)} are in {summary.warehouse} already.")
    else:
        loaded = f"{formats.files(counts.files)}, {formats.size(counts.bytes)}"
        print(f"Loaded {loaded}, into {summary.warehouse} in {summary.seconds:.1f} s.")
        print()
        _print_balance(counts)
        print()
        rows = [[table, summary.rows[table], summary.changed.get(table, 0)] for table in summary.star]
        _print_table(["table", "rows", "added or changed"], rows)
    if summary.unknown_keys:
        print()
    for kind, keys in summary.unknown_keys.items():
        shown = ", ".join(formats.printable(key) for key in keys[:20])
        more = f" and {len(keys) - 20:,} more" if len(keys) > 20 else ""
        print(f"Ignored keys that no {kind[:-1]} has by contract: {shown}{more}")
    if counts.rejected:
        print("\nSee what was rejected, and why: sparkify rejects")


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
    _print_table(columns, [["events", *events], ["songs", *songs]])


def _say(line: str, end: str = "\n") -> None:
    print(line, end=end, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(formats.as_json(value), indent=2, ensure_ascii=False, allow_nan=False))


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    # Somewhere else than on a terminal nothing is folded: another program may read the lines.
    print(formats.table(columns, rows, width=None if sys.stdout.isatty() else 1000))


# The parser


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", metavar="FILE", help="configuration (default: dwh.cfg here, if there is one)")
    shared.add_argument("--warehouse", metavar="URL", help="warehouse, such as duckdb:///sparkify.duckdb")
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON, for machines")

    top = argparse.ArgumentParser(
        prog="sparkify",
        description="Song metadata and app event logs, JSON, become a star schema that is checked and balanced.",
        epilog="example: sparkify etl --log-data data/log_data --song-data data/song_data",
    )
    top.add_argument("--version", action="version", version=f"sparkify {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, command: Callable[[argparse.Namespace], None], example: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        text = (command.__doc__ or "").strip()
        made = commands.add_parser(
            name, help=text.rstrip("."), description=text, epilog=f"example: sparkify {name} {example}", parents=parents
        )
        made.set_defaults(command=command)
        return made

    made = add("create-tables", create_tables, "--yes", shared)
    made.add_argument("--yes", action="store_true", help="do not ask, even if the tables hold rows")

    made = add("etl", etl, "--log-data data/log_data --max-rejected 1%", shared, as_json)
    made.add_argument("--log-data", metavar="PATH", help="folder of the event logs (default: [S3] LOG_DATA)")
    made.add_argument("--song-data", metavar="PATH", help="folder of the song files (default: [S3] SONG_DATA)")
    made.add_argument("--dry-run", action="store_true", help="list what would be loaded, and change nothing")
    made.add_argument("--full-refresh", action="store_true", help="rebuild from all files, and swap in when complete")
    made.add_argument(
        "--max-rejected", type=_limit, metavar="N|N%", help="fail if more records are rejected (default: no limit)"
    )
    made.add_argument("--skip-bad-files", action="store_true", help="leave out files that cannot be read")
    made.add_argument(
        "--batch-size", type=_bytes, default=1 << 30, metavar="SIZE", help="files in one transaction (default: 1GB)"
    )
    made.add_argument("--keep-staging", action="store_true", help="leave the staging tables of the last batch")

    made = add("status", status, "--json", shared, as_json)
    made = add("rejects", rejects, "--reason 'not valid JSON'", shared, as_json)
    made.add_argument("--file", default="", metavar="WORDS", help="only files whose path holds these words")
    made.add_argument("--reason", default="", metavar="WORDS", help="only reasons that hold these words")
    add("check", check, "--warehouse duckdb:///sparkify.duckdb", shared, as_json)
    made = add("query", query, "'select level, count(*) from users group by level' --format csv", shared)
    made.add_argument("sql", metavar="SQL", help="one SELECT; the warehouse is opened for reading only")
    made.add_argument("--format", choices=("table", "csv", "json"), default="table")

    made = add("generate", generate, "--out data --users 100 --days 30 --songs 200", as_json)
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="where song_data and log_data go")
    made.add_argument("--users", type=int, default=100, metavar="N")
    made.add_argument("--days", type=int, default=30, metavar="N")
    made.add_argument("--songs", type=int, default=200, metavar="N")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same bytes")
    made.add_argument("--dirty", type=float, default=0.0, metavar="SHARE", help="share of bad records, 0 to 1")
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return top


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", text.strip().upper())
    size = float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index(found[2] or " ") if found else 0
    if not 1 <= size < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no size. Write it like 500MB or 1GB.")
    return int(size)


def _limit(text: str) -> Limit:
    from sparkify.pipeline import Limit

    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    if not found or (not found[2] and "." in found[1]) or (found[2] and float(found[1]) > 100):
        raise argparse.ArgumentTypeError(f"{text!r} is no limit. Write a number, like 100, or a share, like 1%.")
    return Limit(float(found[1]) / 100, is_share=True) if found[2] else Limit(int(found[1]))


if __name__ == "__main__":
    sys.exit(main())
