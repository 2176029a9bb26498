"""The commands that fill the warehouse: create-tables and etl."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from sparkify import formatting
from sparkify.cli import output
from sparkify.cli.options import (
    Commands,
    as_json,
    configuration,
    number_of_bytes,
    shared,
    source_folders,
)
from sparkify.cli.output import confirmed, print_json, print_table, say
from sparkify.cli.progress import Narrator

if TYPE_CHECKING:
    from sparkify.config import Config
    from sparkify.pipeline.ledger import Counts
    from sparkify.pipeline.progress import Matches, Summary

_KEYS_SHOWN = 20
_SUFFIXES_SHOWN = 5


def create_tables(options: argparse.Namespace) -> None:
    """Drop every table and create it again, empty."""
    from sparkify.sql import model
    from sparkify.warehouse import install
    from sparkify.warehouse.connect import open_warehouse

    config = configuration(options)
    with open_warehouse(config.warehouse_url, config, say=say) as warehouse:
        rows = sum(install.count_rows(warehouse).values())
        contents = f"{warehouse.label} holds {formatting.count(rows, 'row')}"
        if rows and not confirmed(f"{contents}. Drop all of them?", yes=options.yes):
            return
        install.create_tables(warehouse)
        say(f"Created {len(model.ALL)} empty tables in {warehouse.label}.")


def etl(options: argparse.Namespace) -> None:
    """Load new and changed files into the warehouse."""
    from sparkify.pipeline import run
    from sparkify.pipeline.progress import Options

    config = configuration(options)
    if options.dry_run:
        return _dry_run(options, config)
    run_options = Options(
        full_refresh=options.full_refresh,
        allow_empty=options.allow_empty,
        max_rejected=config.max_rejected,
        skip_bad_files=options.skip_bad_files,
        follow_links=options.follow_links,
        batch_size=options.batch_size,
        keep_staging=options.keep_staging,
    )
    narrator = Narrator()
    try:
        with narrator:
            summary = run.etl(config, run_options, narrator)
    except KeyboardInterrupt:
        rebuilding = "A full refresh replaces the tables only when it is complete. Run it again."
        loading = "Batches published before are complete. Run again to load the rest."
        raise KeyboardInterrupt(rebuilding if options.full_refresh else loading) from None
    if options.json:
        return print_json(_summary_as_json(summary))
    _print_summary(summary)
    if summary.matches.plays:
        print()
        _print_matches(summary.matches)
    if summary.run.counts.rejected:
        # The values are not repeated, because a URL can hold a password.
        given = " and ".join(f"--{name}" for name in ("config", "warehouse") if getattr(options, name))
        print(f"\nList the rejected records: sparkify rejects{given and ', with the same ' + given}")
    return None


def _dry_run(options: argparse.Namespace, config: Config) -> None:
    from sparkify.pipeline.progress import Options
    from sparkify.pipeline.run import plan

    chosen = Options(
        full_refresh=options.full_refresh,
        allow_empty=options.allow_empty,
        skip_bad_files=options.skip_bad_files,
        follow_links=options.follow_links,
    )
    listed = plan(config, chosen, Narrator())
    if listed.not_read:
        say(_not_read(listed.not_read))
    if options.json:
        print_json([file._asdict() for file in listed.files])
        return
    for file in listed.files:
        print(f"{formatting.size(file.size):>9}  {file.kind:6}  {output.on_one_line(file.path)}")
    total = formatting.size(sum(file.size for file in listed.files))
    say(f"Would load {formatting.files(len(listed.files))}, {total}. Nothing was changed.")


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
            "not_read": summary.not_read,
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
        "tables": {table: {"added_or_changed": summary.changed.get(table, 0)} for table in summary.star},
        "matches": summary.matches._asdict(),
        "unknown_keys": {
            kind: {key: found._asdict() for key, found in keys.items()} for kind, keys in summary.unknown_keys.items()
        },
        "unknown_keys_sampled": summary.is_sampled,
        "implausible": summary.implausible,
        "ahead_of_clock": summary.ahead,
    }


def _print_summary(summary: Summary) -> None:
    counts = summary.run.counts
    if summary.skipped and not summary.batches:
        skipped = formatting.files(len(summary.skipped))
        loaded_before = summary.files_listed - len(summary.skipped)
        print(f"Nothing loaded: {skipped} skipped, {loaded_before:,} already in {summary.warehouse}.")
    elif not summary.batches:
        all_files = f"all {summary.files_listed:,} files are" if summary.files_listed != 1 else "the only file is"
        print(f"Nothing new: {all_files} already in {summary.warehouse}.")
    else:
        loaded = f"{formatting.files(counts.files)}, {formatting.size(counts.bytes)}"
        print(f"Loaded {loaded}, into {summary.warehouse} in {summary.seconds:.1f} s.")
        print()
        _print_balance(counts)
        print()
        # A row that several batches change counts for each: the keys of all batches would have to be kept otherwise.
        changed = "rows added or changed"
        changed += f", summed over {summary.batches:,} batches" if summary.batches > 1 else ""
        print_table(["table", changed], ([table, summary.changed.get(table, 0)] for table in summary.star))
    if summary.unknown_keys or summary.not_read or summary.implausible or summary.ahead:
        print()
    for kind, keys in summary.unknown_keys.items():
        print(f"Ignored unknown keys in {kind}:")
        for key, found in islice(keys.items(), _KEYS_SHOWN):
            records = formatting.count(found.records, "record")
            at_least = "at least " if kind == "events" and summary.is_sampled else ""
            print(output.on_one_line(f"  {key}: {at_least}{records}, first in {found.first_file}"))
        if len(keys) > _KEYS_SHOWN:
            print(f"  and {len(keys) - _KEYS_SHOWN:,} more")
    if summary.implausible:
        values = ", ".join(f"{field} {number:,}" for field, number in summary.implausible.items())
        print(f"Implausible values that became null: {values}")
    if summary.ahead:
        print(f"Loaded with a time ahead of this machine's clock: {formatting.count(summary.ahead, 'event')}")
    if summary.not_read:
        print(_not_read(summary.not_read))


def _not_read(counts: Mapping[str, int]) -> str:
    """Return the line that counts the files with other suffixes, the most frequent ones first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], not item[0], item[0]))
    shown = [
        f"{number:,} {output.on_one_line(suffix) or 'without a suffix'}" for suffix, number in ordered[:_SUFFIXES_SHOWN]
    ]
    if rest := sum(number for _, number in ordered[_SUFFIXES_SHOWN:]):
        shown.append(f"{rest:,} with other suffixes")
    return f"Not read: {', '.join(shown)}"


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


def _print_matches(matches: Matches) -> None:
    """Print the share of plays that match the catalogue and, if it is small, the reason."""
    with_song, with_artist = (
        f"{number:,} ({number / matches.plays:.1%})" for number in (matches.with_song, matches.with_artist)
    )
    plays = formatting.count(matches.plays, "play")
    print(f"Of {plays} in the loaded period, the catalogue has")
    print(f"a song for {with_song}, an artist for {with_artist}.")
    if matches.with_song < matches.plays / 2:
        print("Most have no song: the catalogue has none of the same title, artist and length.")


def add_to(commands: Commands) -> None:
    """Add the commands of this module."""
    parser = commands.add("create-tables", create_tables, "--yes", shared)
    parser.add_argument("--yes", action="store_true", help="do not ask, even if the tables hold rows")

    parser = commands.add("etl", etl, "--log-data data/log_data --max-rejected 1%", shared, as_json, source_folders)
    parser.add_argument("--dry-run", action="store_true", help="list the files to load, and change nothing")
    parser.add_argument("--full-refresh", action="store_true", help="rebuild from all files, then replace the tables")
    parser.add_argument(
        "--max-rejected",
        metavar="N|N%",
        help="fail if more records are rejected (default: [ETL] MAX_REJECTED, else half of a kind's records)",
    )
    parser.add_argument("--allow-empty", action="store_true", help="load songs without logs, or logs without songs")
    parser.add_argument("--skip-bad-files", action="store_true", help="skip files and folders that cannot be read")
    parser.add_argument("--follow-links", action="store_true", help="read links that lead out of a source folder")
    parser.add_argument(
        "--batch-size",
        type=number_of_bytes,
        metavar="SIZE",
        help="size of the files per transaction (default: 1GiB, or 32GiB on a server)",
    )
    parser.add_argument(
        "--wait", metavar="DURATION", help="time to wait for a DuckDB file that others have open (default: 5m)"
    )
    parser.add_argument("--keep-staging", action="store_true", help="keep the staging tables of the last batch")
