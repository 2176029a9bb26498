"""The pipeline from top to bottom: list, stage, publish, check, record."""

import os
from collections.abc import Sequence

from sparkify import formatting
from sparkify.config import Config
from sparkify.errors import BadFile, Damaged, SourceError
from sparkify.pipeline import ledger
from sparkify.pipeline.batch import load_batch
from sparkify.pipeline.progress import Matches, Narrator, Options, Progress, Summary
from sparkify.sources import listing
from sparkify.sources.listing import Kind, Listing, SourceFile
from sparkify.sql import model
from sparkify.sql.period import EVER, limited, spans
from sparkify.staging import jsonpaths
from sparkify.warehouse import install
from sparkify.warehouse.base import Known, Warehouse, now
from sparkify.warehouse.connect import may_exist, open_warehouse

_CATCH_UPS = 3
"""The number of times that a rebuild loads what changed since its last listing, before it fails."""


def list_sources(config: Config, options: Options, narrator: Narrator) -> Listing:
    """List the files of the catalogue and the logs, in loading order.

    Raise SourceError where there is no file of a kind, unless the options allow it: a wrong folder is the likely cause.
    """
    listed, not_read = Listing(), {}
    roots: tuple[tuple[Kind, str], ...] = (("songs", config.song_data), ("events", config.log_data))
    for kind, root in roots:
        found = listing.list_files(
            kind, root, config.aws, skip_bad_files=options.skip_bad_files, follow_links=options.follow_links
        )
        if not found.files:
            problem = f"{root}: contains no {listing.READ}"
            if not options.allow_empty:
                skipped = "".join(f"\n  {reason}" for reason in found.skipped.values())
                remedy = f"Set {listing.SETTINGS[kind]}, or pass --allow-empty to load without {kind}."
                raise SourceError(f"{problem}. {remedy}{skipped}")
            narrator.say(f"{problem}.")
        listed.files += found.files
        listed.skipped |= found.skipped
        not_read[root] = found.not_read  # once, if logs and songs are in one folder
    for counts in not_read.values():
        listed.not_read += counts
    return listed


def plan(config: Config, options: Options, narrator: Narrator) -> Listing:
    """List the files that a run would load. Change nothing, and create no warehouse."""
    jsonpaths.load(config)
    listed = list_sources(config, options, narrator)
    Progress(options, narrator).skip(listed.skipped)
    if not options.full_refresh and may_exist(config.warehouse_url):
        with open_warehouse(config.warehouse_url, config, read_only=True) as warehouse:
            install.require_versions(warehouse, config.contract)
            if warehouse.has_tables():
                listed.files = ledger.pending(listed.files, ledger.loaded(warehouse))
    return listed


def etl(config: Config, options: Options, narrator: Narrator) -> Summary:
    """Load the pending files; a full refresh of a damaged DuckDB file loads all of them into a new one."""
    try:
        return _etl(config, options, narrator)
    except Damaged as error:
        if not options.full_refresh:
            raise
        from sparkify.warehouse.duckdb_file import set_aside  # loaded already

        if kept := set_aside(error):
            narrator.say(f"{error.problem}. The damaged file is kept as {kept}.")
        return _etl(config, options, narrator)


def _etl(config: Config, options: Options, narrator: Narrator) -> Summary:
    """Load the pending files: stage, transform, check and publish them, together with their ledger."""
    may_exist(config.warehouse_url)  # raises for an invalid URL before any work
    progress = Progress(options, narrator, config.aws, config.contract, jsonpaths.load(config))
    listed = list_sources(config, options, narrator)  # raises for a missing folder before a warehouse is created
    progress.skip(listed.skipped)
    with open_warehouse(config.warehouse_url, config, say=narrator.say) as warehouse:
        warehouse.require_stage()
        install.create_missing_tables(warehouse)
        if options.full_refresh:
            _rebuild(warehouse, listed.files, config, progress)
        else:
            install.require_versions(warehouse, config.contract)
            load_all(warehouse, listed.files, progress)
        return _summary(warehouse, listed, progress)


def _rebuild(warehouse: Warehouse, files: Sequence[SourceFile], config: Config, progress: Progress) -> None:
    """Load all files into an empty warehouse, whose tables then replace those of this one."""
    before = ledger.loaded(warehouse)
    kinds = {kind for kind, _ in before}
    _require_kinds(warehouse, kinds - {file.kind for file in files}, listing.READ, config)
    here = {(file.kind, file.path) for file in files}
    roots = {"songs": config.song_data, "events": config.log_data}
    gone = [path for kind, path in before if (kind, path) not in here and _is_under(roots[kind], path)]
    if elsewhere := [path for kind, path in before if (kind, path) not in here and not _is_under(roots[kind], path)]:
        number, first = formatting.files(len(elsewhere)), formatting.on_one_line(min(elsewhere))
        progress.narrator.say(f"A full refresh leaves out {number} loaded from other folders, such as {first}.")
    _leave_out(gone, "the file was loaded, but is missing from the source", "Restore it", progress)

    def catch_up(fresh: Warehouse, published: Known) -> None:
        _catch_up(fresh, published, before, files, config, progress)
        _require_kinds(warehouse, kinds - {kind for kind, _ in ledger.loaded(fresh)}, "readable file", config)

    with warehouse.rebuild(catch_up) as fresh:
        fresh.add_tables(model.ALL)
        load_all(fresh, files, progress)
    install.write_comments(warehouse)  # new tables can lack them


def _catch_up(
    fresh: Warehouse,
    published: Known,
    before: Known,
    files: Sequence[SourceFile],
    config: Config,
    progress: Progress,
) -> None:
    """Load into a rebuild what changed at the sources, or was published by other runs, since it began.

    `before` and `files` are the ledger and the listing at that time, and `published` is the ledger, locked now.
    Raise SourceError for a file whose rows the rebuild would lose, unless bad files are skipped.
    """
    listed: Known = {(file.kind, file.path): file.version for file in files}
    for _ in range(_CATCH_UPS):
        changed = ledger.pending(list_sources(config, progress.options, progress.narrator).files, listed)
        if changed:
            listed |= {(file.kind, file.path): file.version for file in changed}
            progress.narrator.say(f"Loading what changed since the listing: {formatting.files(len(changed))}.")
            load_all(fresh, changed, progress)
        rebuilt = ledger.loaded(fresh)
        lost = ledger.lost(published, before, rebuilt, listed)
        if not (lost and changed):
            break
    for path in {path for _, path in rebuilt} & progress.skipped.keys():
        del progress.skipped[path]  # loaded after all
    changing = [path for path in lost if path not in progress.skipped or not progress.options.skip_bad_files]
    problem = "the file changed or was deleted during the full refresh"
    _leave_out(changing, problem, "Run again when it is complete", progress)


def _leave_out(paths: Sequence[str], problem: str, remedy: str, progress: Progress) -> None:
    """Report files whose rows a rebuild leaves out; raise BadFile unless bad files are skipped."""
    if paths and not progress.options.skip_bad_files:
        others = f" (and {len(paths) - 1:,} more)" if len(paths) > 1 else ""
        raise BadFile(f"{paths[0]}{others}: {problem}", remedy)
    progress.skip({path: f"{formatting.on_one_line(path)}: {problem}." for path in paths})


def _is_under(root: str, path: str) -> bool:
    """Return whether a path of the ledger is in a source folder. Files of other folders are not expected there."""
    folder = root if "://" in root else os.path.abspath(root)  # noqa: PTH100 (as the listing does)
    return path.startswith(folder.rstrip("/") + "/")


def _require_kinds(warehouse: Warehouse, lost: set[str], what: str, config: Config) -> None:
    """Raise SourceError if a rebuild would lose every record of a kind, songs or events."""
    roots: dict[Kind, str] = {"songs": config.song_data, "events": config.log_data}
    for kind in (kind for kind in roots if kind in lost):
        raise SourceError(
            f"{roots[kind]}: contains no {what}, so a full refresh would drop all {kind} of {warehouse.label}."
            " Name a folder with such files, or empty the warehouse with `sparkify create-tables`."
        )


def load_all(warehouse: Warehouse, files: Sequence[SourceFile], progress: Progress) -> None:
    """Load the pending ones of some files, batch by batch."""
    known = ledger.loaded(warehouse)
    pending = ledger.pending(files, known)
    progress.narrator.start(len(pending), sum(file.size for file in pending))
    for batch in listing.batches(pending, progress.options.batch_size or warehouse.batch_size):
        # Pending files are computed for each batch, since another run may have loaded some of them.
        while (left := ledger.pending(batch, known)) and not load_batch(warehouse, left, known, progress):
            known = ledger.loaded(warehouse)
    if progress.options.keep_staging and progress.batches:
        warehouse.keep_staging()


def _matches(warehouse: Warehouse, progress: Progress) -> Matches:
    """Return how many plays at the times of the run's events match the catalogue."""
    if not progress.days:
        return Matches(0, 0, 0)
    select = f"select count(*), count(song_id), count(artist_id) from songplays where {EVER}"
    limited_select = limited(select, spans(list(progress.days.values())))
    [counts] = warehouse.retry(lambda: warehouse.rows(limited_select), "The run is published.")
    return Matches(*counts)


def _summary(warehouse: Warehouse, listed: Listing, progress: Progress) -> Summary:
    return Summary(
        run=progress.run,
        warehouse=warehouse.label,
        files_listed=len(listed.files) + len(listed.skipped),
        batches=progress.batches,
        changed=progress.changed,
        matches=_matches(warehouse, progress),
        skipped=progress.skipped,
        not_read=dict(listed.not_read),
        unknown_keys={kind: dict(sorted(keys.items())) for kind, keys in progress.unknown_keys.items() if keys},
        is_sampled=progress.is_sampled,
        implausible=dict(progress.implausible),
        ahead=progress.ahead,
        seconds=(now() - progress.run.started_at).total_seconds(),
    )
