"""Read a batch of JSON files into the staging tables, and account for every record.

There are two paths with one result. On the fast path, DuckDB reads large log files line by line; a line that fails
validation falls back to the exact path. That path takes these lines and all other files: Python splits the bytes into
records and writes them with their file and line to a spool, and DuckDB validates them one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from sparkify.config import Aws, Rules
from sparkify.filesystem import raise_unwritable, scratch_folder
from sparkify.sources.cache import FileCache, NumberedFile
from sparkify.sources.listing import SourceFile
from sparkify.sql import loader
from sparkify.sql.model import STAGING
from sparkify.staging import exact_path, fast_path
from sparkify.staging.contract import contracts
from sparkify.staging.jsonpaths import JsonPaths
from sparkify.staging.session import Findings, Progress, Session
from sparkify.staging.spool import Spool


def stage(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[SourceFile],
    redelivered: frozenset[SourceFile],
    progress: Progress,
    *,
    first: int = 0,
    aws: Aws,
    rules: Rules = Rules(),
    json_paths: JsonPaths | None = None,
    skip_bad_files: bool = False,
) -> Findings:
    """Fill the staging tables with the records of some files, and staging_rejects with the rejected ones.

    `redelivered` are the files of which another version was loaded before. In the staging tables, the files are
    numbered from `first`. An unreadable file raises SourceError or,
    with `skip_bad_files`, is skipped and named in the findings. A file that changed after it was listed is always
    skipped.
    """
    session = Session(connection, progress, contracts(rules), json_paths)
    numbered = list(enumerate(files, first))
    # A checkpoint would compress temporary tables too: 0.4 s for a million rows that are soon dropped.
    session.run("set checkpoint_threshold = '1TB'")
    try:
        with scratch_folder() as folder:
            try:
                _stage(session, Path(folder), numbered, redelivered, aws, skip_bad_files=skip_bad_files)
            except OSError as error:
                raise_unwritable(folder, error)
    finally:
        session.run("reset checkpoint_threshold")
    _count(session)
    return session.findings


def _stage(
    session: Session,
    folder: Path,
    files: Sequence[NumberedFile],
    redelivered: frozenset[SourceFile],
    aws: Aws,
    *,
    skip_bad_files: bool,
) -> None:
    cache = FileCache(folder, aws)
    write = partial(
        Spool.write,
        cache=cache,
        progress=session.advance,
        skipped=session.findings.skipped,
        skip_bad_files=skip_bad_files,
    )
    song_files = [item for item in files if item[1].kind == "songs"]
    songs = Spool(folder, "songs")
    # Python splits the song files while DuckDB stores the list of files and reads the large logs.
    with _in_background(partial(write, songs, song_files), songs, cache) as written:
        _create_tables(session, files, redelivered)
        staged = fast_path.read(session, files, cache)
        written.result()
    session.findings.is_sampled = bool(staged)
    if song_files:
        exact_path.read(session, songs, session.contracts["songs"])
    log_files = [item for item in files if item[1].kind == "events" and staged.get(item[0], True)]
    if log_files:
        events = Spool(folder, "events", staged)
        write(events, log_files)
        exact_path.read(session, events, session.contracts["events"])


@contextmanager
def _in_background(work: Callable[[], None], spool: Spool, cache: FileCache) -> Iterator[Future[None]]:
    """Write a spool in a thread; if the code inside fails or is interrupted, stop the thread and wait for it."""
    with ThreadPoolExecutor(1) as thread:
        try:
            yield thread.submit(work)
        except BaseException:
            spool.stop()
            cache.cancel()
            raise


def _create_tables(session: Session, files: Sequence[NumberedFile], redelivered: frozenset[SourceFile]) -> None:
    """Create the staging tables, empty except for staging_files."""
    for table in STAGING:
        session.run(f"drop table if exists temp.{table}")
        session.run(loader.read(f"tables/{table}", "duckdb"))
    if not files:
        return
    # DuckDB splits one text per column in a third of the time that lists take. No path contains a NUL character.
    columns = zip(*((file.kind, file.path, file.version, str(file.size)) for _, file in files), strict=True)
    cells = ", ".join(["unnest(string_split(?, chr(0)))"] * 4)
    session.run(
        f"insert into staging_files select unnest(range(?, ?)), {cells}, false, 0",
        [files[0][0], files[0][0] + len(files), *("\0".join(column) for column in columns)],
    )
    if redelivered:
        session.run(
            "update staging_files set redelivered = true where file_id in (select unnest(?::integer[]))",
            [[number for number, file in files if file in redelivered]],
        )


def _count(session: Session) -> None:
    """Store the number of records of each file; delete the staged events of skipped files; count events ahead."""
    if session.findings.skipped:
        paths = list(session.findings.skipped)
        skipped = "select file_id from staging_files where path in (select unnest(?::varchar[]))"
        session.run(f"delete from staging_events where file_id in ({skipped})", [paths])
        session.run(f"delete from staging_files where file_id in ({skipped})", [paths])
    session.run(
        "update staging_files set read = counted.read from"
        " (select file_id, count(*) as read from"
        " (select file_id from staging_events union all select file_id from staging_songs"
        " union all select file_id from staging_rejects) as records group by file_id) as counted"
        " where staging_files.file_id = counted.file_id"
    )
    now = datetime.now(UTC).timestamp() * 1000
    [(session.findings.ahead,)] = session.rows("select count(*) from staging_events where ts > ?", [now])
