"""Judge how many records of a batch were rejected, before anything of it is published."""

import re
from collections.abc import Sequence

from sparkify.errors import SourceError
from sparkify.formatting import on_one_line
from sparkify.pipeline.progress import Progress
from sparkify.warehouse.base import Row, Warehouse

_LEAST = 10
"""The number of rejected records of a kind from which a run fails if they are more than half of those read."""

_OTHER_KIND = {
    "events": (r'"song_id"', "These are song records: check whether LOG_DATA and SONG_DATA are swapped."),
    "songs": (r'"sessionid"', "These are events: check whether LOG_DATA and SONG_DATA are swapped."),
}
"""Kind → a key that only the other kind has, and the cause that it suggests."""

_CAUSES = (
    (r"version https://git-lfs", "These are Git LFS pointers: run `git lfs pull`."),
    (r"\s*<", "This is HTML or XML, such as an error page: download the files again."),
    (
        r"\s*\{[^\[]*\[\s*[{\]]",
        "An object wraps the records: extract them, for example with `jq -c '.Records[]'`.",
    ),
    (r".*\\x00", "This is UTF-16 or binary: save the files as UTF-8."),
    (r"[^{\[\n]*[,;\t][^{\[\n]*[,;\t]", "This looks like CSV: convert it to JSON."),
)
"""The start of a record → the cause that it suggests."""

# The line and the start of the first record with each reason, in order of files.
_FIRST = """
select path, line, reason, beginning
from (
    select
        f.path, r.line, r.reason, substring(r.record, 1, 1000) as beginning,
        row_number() over (partition by r.reason order by f.path, r.line) as place
    from staging_rejects as r
    join staging_files as f on f.file_id = r.file_id
    where f.source = ?
) as numbered
where place = 1
order by path, line
limit 3
"""


def by_kind(warehouse: Warehouse) -> dict[str, int]:
    """Return the number of rejected records of the staged batch, by kind."""
    return dict(
        warehouse.rows(
            "select f.source, count(*) from staging_rejects as r join staging_files as f on f.file_id = r.file_id"
            " group by f.source"
        )
    )


def require_plausible(warehouse: Warehouse, progress: Progress) -> dict[str, int]:
    """Raise SourceError if most records of a kind break the contract; otherwise, return their numbers by kind.

    Earlier batches of the run count too, since a small batch proves little. Contradictions are not staged as rejected
    yet, and do not count: they do not show that the source is a wrong one.
    """
    rejected = by_kind(warehouse)
    if progress.options.max_rejected is not None:
        return rejected
    counts = progress.run.counts
    earlier = {"events": counts.events_read, "songs": counts.songs_read}
    staged: dict[str, int] = dict(warehouse.rows("select source, sum(read) from staging_files group by source"))
    for kind, number in sorted(rejected.items()):
        refused = progress.refused.get(kind, 0) + number
        read = earlier[kind] + int(staged[kind])
        if refused * 2 <= read or (refused < _LEAST and refused < read):
            continue
        first = warehouse.rows(_FIRST, [kind])
        problem = f"{on_one_line(first[0][0])}: {refused:,} of {read:,} {kind} were rejected.{_cause(kind, first)}"
        if refused < _LEAST:
            progress.narrator.say(problem)
        else:
            remedy = "Correct the source, or set --max-rejected to load the rest."
            raise SourceError(f"{problem} {remedy} {nothing_published(progress)}{_shown(first)}")
    return rejected


def limit(warehouse: Warehouse, progress: Progress) -> None:
    """Raise SourceError if more records were rejected than the options allow."""
    allowed = progress.options.max_rejected
    if allowed is None:
        return
    rejected = progress.run.counts.rejected + sum(by_kind(warehouse).values())
    [(staged,)] = warehouse.rows("select coalesce(sum(read), 0) from staging_files")
    read = progress.run.counts.read + int(staged)
    if allowed.is_exceeded(rejected, read):
        rejects = warehouse.rows(
            "select f.path, r.line, r.reason from staging_rejects as r"
            " join staging_files as f on f.file_id = r.file_id order by f.path, r.line limit 5"
        )
        raise SourceError(
            f"{rejected:,} of {read:,} records were rejected, more than --max-rejected or [ETL] MAX_REJECTED allows."
            f" Correct them or raise the limit. {nothing_published(progress)}{_shown(rejects)}"
        )


def nothing_published(progress: Progress) -> str:
    """Return the sentences that state the effect of a failed batch."""
    published = progress.batches and not progress.options.full_refresh
    return "Nothing of this batch was published." + (" Earlier batches are published." if published else "")


def _shown(rejects: Sequence[Row]) -> str:
    lines = ((path, "" if line is None else f":{line}", reason) for path, line, reason, *_ in rejects)
    return "".join(f"\n  {on_one_line(path)}{line}: {reason}" for path, line, reason in lines)


def _cause(kind: str, rejects: Sequence[Row]) -> str:
    """Return what the first rejected records suggest as the cause, after a space; nothing if they suggest none."""
    beginnings: list[str] = [beginning for *_, beginning in rejects]
    key, cause = _OTHER_KIND[kind]
    if any(re.search(key, beginning, re.IGNORECASE) for beginning in beginnings):
        return f" {cause}"
    for pattern, suggested in _CAUSES:
        if any(re.match(pattern, beginning) for beginning in beginnings):
            return f" {suggested}"
    return ""
