"""Load one batch of files: publish all of it, or nothing."""

from collections.abc import Sequence

from sparkify.errors import CommitUnknown, Transient
from sparkify.pipeline import checks, ledger, rejections
from sparkify.pipeline.ledger import Counts
from sparkify.pipeline.progress import Progress
from sparkify.pipeline.transform import Changed, transform
from sparkify.sources.listing import SourceFile, batches
from sparkify.sql.period import Day, spans
from sparkify.staging.reader import stage
from sparkify.staging.session import Findings
from sparkify.warehouse import install
from sparkify.warehouse.base import Known, Warehouse
from sparkify.warehouse.embedded import translate_errors


def load_batch(warehouse: Warehouse, batch: Sequence[SourceFile], known: Known, progress: Progress) -> bool:
    """Publish all of a batch, or nothing; return False if another run has loaded some of its files.

    `known` is the ledger as it was when the batch was cut. After a Transient error, publishing is retried; the files
    are not read again. Raise WarehouseError if another run has since published under another contract.
    """
    with warehouse.gathering():
        findings = _stage(warehouse, batch, known, progress)
        skipped = {path for found in findings for path in found.skipped}
        is_complete = all(file.path in skipped for file in batch) or warehouse.retry(
            lambda: _publish(warehouse, known, progress), "Nothing of the batch was published."
        )
    if is_complete:
        for found in findings:
            progress.add_findings(found)
    return is_complete


def _publish(warehouse: Warehouse, known: Known, progress: Progress) -> bool:
    """Publish the gathered batch; return False if another run has loaded some of its files."""
    warehouse.empty_staging()
    try:
        with warehouse.transaction():
            others_may_publish = warehouse.lock_ledger()
            if others_may_publish:
                install.require_versions(warehouse, progress.rules)
            warehouse.copy()
            if others_may_publish and not ledger.is_current(warehouse, known):
                return False
            refused = rejections.require_plausible(warehouse, progress)
            days = _days(warehouse)
            periods = spans(days)
            changed, has_rematched = transform(warehouse, progress.run.id, periods)
            rejections.limit(warehouse, progress)
            run = progress.run.plus(_count(warehouse, changed))
            ledger.record(warehouse, run, progress.rules)
            checks.check_batch(warehouse, periods, has_rematched=has_rematched)
    except CommitUnknown as unknown:
        try:
            warehouse.reconnect()
            is_published = ledger.has(warehouse, run)
        except Transient:  # a retry of the batch would not count what this one may have published
            raise unknown from None
        if not is_published:
            raise
        progress.narrator.say("The connection was lost while committing. The ledger shows that the batch is published.")
    progress.add_batch(run, changed, refused, days)
    return True


def _stage(warehouse: Warehouse, batch: Sequence[SourceFile], known: Known, progress: Progress) -> list[Findings]:
    """Read a batch piece by piece, and gather the pieces; every faulty file is found here."""
    pieces = list(batches(batch, warehouse.piece_size)) if warehouse.piece_size else [batch]
    findings, first = list[Findings](), 0
    for piece in pieces:
        findings.append(_stage_piece(warehouse, piece, first, known, progress))
        first += len(piece)
    return findings


def _stage_piece(
    warehouse: Warehouse, piece: Sequence[SourceFile], first: int, known: Known, progress: Progress
) -> Findings:
    with translate_errors(warehouse.label):
        findings = stage(
            warehouse.embedded,
            piece,
            frozenset(file for file in piece if (file.kind, file.path) in known),
            progress.narrator.advance,
            first=first,
            aws=progress.aws,
            rules=progress.rules,
            json_paths=progress.json_paths,
            skip_bad_files=progress.options.skip_bad_files,
        )
        warehouse.gather()
    return findings


def _days(warehouse: Warehouse) -> list[Day]:
    """Return the days of the batch's events, with their first and last times."""
    return warehouse.rows(
        "select cast(start_time as date), min(start_time), max(start_time) from staged_events"
        " group by cast(start_time as date)"
    )


def _count(warehouse: Warehouse, changed: Changed) -> Counts:
    """Return the numbers of records read, published, dropped as duplicates and rejected."""
    files = {
        source: (number, size, read)
        for source, number, size, read in warehouse.rows(
            "select source, count(*), sum(size), sum(read) from staging_files group by source"
        )
    }
    rejected = rejections.by_kind(warehouse)
    return Counts(
        files=sum(number for number, _, _ in files.values()),
        bytes=int(sum(size for _, size, _ in files.values())),
        events_read=int(files.get("events", (0, 0, 0))[2]),
        songplays=changed["songplays"],
        page_views=changed["page_views"],
        events_duplicate=warehouse.value("select count(*) from staging_events where duplicate"),
        events_rejected=rejected.get("events", 0),
        songs_read=int(files.get("songs", (0, 0, 0))[2]),
        songs=changed["songs"],
        songs_duplicate=warehouse.value("select count(*) from staging_songs where duplicate"),
        songs_rejected=rejected.get("songs", 0),
    )
