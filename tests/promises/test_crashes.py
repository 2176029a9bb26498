"""Promise 3: a killed or interrupted run publishes whole batches or nothing, and the next run completes its work."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.promises import deliveries
from tests.promises.records import song
from tests.support.killing import (
    EXECUTE,
    WATCHER,
    Contents,
    SideBySide,
    Stage,
    arguments,
    contents,
    everything,
    is_file,
    start,
    stop_at,
)
from tests.support.sandbox import Sandbox, Warehouses

pytestmark = pytest.mark.usefixtures("scratch")

MOMENTS = 20
# The second delivery has four batches.
STAGES: list[Stage] = [
    ("sparkify.sources.listing:list_files", "songs", 1, "after"),
    ("sparkify.pipeline.batch:stage", "", 1, "after"),
    (EXECUTE, "begin", 3, "after"),
    (EXECUTE, "delete from users", 2, "after"),
    ("sparkify.pipeline.batch:transform", "", 1, "after"),
    (EXECUTE, "insert into etl_runs", 1, "after"),
    ("sparkify.pipeline.checks:check_batch", "", 3, "after"),
    (EXECUTE, "commit", 2, "before"),
    (EXECUTE, "commit", 1, "after"),
]


@pytest.mark.ci
def test_run_killed_at_any_moment_is_completed_by_the_next(side_by_side: SideBySide, undisturbed: Contents) -> None:
    """Whenever a run is killed, the next run ends as if nothing had happened."""

    def run(warehouse: Sandbox, call: int) -> subprocess.CompletedProcess[str]:
        stage = (EXECUTE, "", call, "during")
        ended = stop_at(stage, signal.SIGKILL, arguments(warehouse, "--batch-size", "7kB"))
        warehouse.etl()
        return ended

    [(_, whole)] = side_by_side(run, [0])  # No call has the number 0, so this run ends normally.
    calls = int(whole.stdout.splitlines()[-1])
    moments = [1 + attempt * (calls - 1) // (MOMENTS - 1) for attempt in range(MOMENTS)]
    for call, (warehouse, ended) in zip(moments, side_by_side(run, moments), strict=True):
        assert ended.returncode == -signal.SIGKILL, call
        assert contents(warehouse) == undisturbed, call
        assert warehouse.failed_checks() == [], call


def test_run_killed_at_any_stage_is_completed_by_the_next(side_by_side: SideBySide, undisturbed: Contents) -> None:
    """At whatever stage a run is killed, the next run ends as if nothing had happened."""

    def killed(warehouse: Sandbox, stage: Stage) -> int:
        ended = stop_at(stage, signal.SIGKILL, arguments(warehouse, "--batch-size", "1"))
        warehouse.etl()
        return ended.returncode

    stages = STAGES if os.environ.get("CI") else STAGES[::4]
    for stage, (warehouse, code) in zip(stages, side_by_side(killed, stages), strict=True):
        assert code == -signal.SIGKILL, stage
        assert contents(warehouse) == undisturbed, stage
        assert warehouse.failed_checks() == [], stage


def test_work_that_a_killed_run_had_not_committed_is_not_visible(waiting: Sandbox) -> None:
    """A reader right after a crash finds the warehouse unchanged."""
    before = everything(waiting)
    stop_at((EXECUTE, "commit", 1, "before"), signal.SIGKILL, arguments(waiting))
    assert everything(waiting) == before


def test_batches_that_a_killed_run_had_committed_stay(waiting: Sandbox) -> None:
    """Batches committed before a crash are in the ledger and are not loaded again."""
    stop_at((EXECUTE, "commit", 3, "after"), signal.SIGKILL, arguments(waiting, "--batch-size", "1"))
    assert waiting.etl().run.counts.files == 1


def test_killed_first_run_does_not_hinder_the_next(make_warehouse: Warehouses, undisturbed: Contents) -> None:
    """A warehouse whose very first run was killed is filled by the next run like a new one."""
    warehouse = make_warehouse.absent()
    deliveries.first(warehouse.log_data, warehouse.song_data)
    stop_at(("sparkify.pipeline.batch:transform", "", 1, "after"), signal.SIGKILL, arguments(warehouse))
    warehouse.etl()
    deliveries.second(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    assert contents(warehouse) == undisturbed


def test_interrupted_run_says_so_and_leaves_the_warehouse_whole(waiting: Sandbox) -> None:
    """Ctrl-C ends a run with exit code 130 and one line, and rolls back its current batch."""
    before = everything(waiting)
    ended = stop_at(("sparkify.pipeline.batch:transform", "", 1, "after"), signal.SIGINT, arguments(waiting))
    assert ended.returncode == 130
    assert ended.stderr.splitlines()[-1].startswith("sparkify: interrupted.")
    assert "Traceback" not in ended.stderr
    assert everything(waiting) == before


def test_run_interrupted_inside_a_statement_ends_the_same_way(waiting: Sandbox, request: pytest.FixtureRequest) -> None:
    """Ctrl-C during a statement of the warehouse ends a run with exit code 130, and rolls back its batch."""
    watch = "interrupt_duckdb(engine.embedded)"
    if not is_file(waiting):  # Redshift's stand-in runs on PostgreSQL too, and does not show running statements.
        watch = f"interrupt_server({request.getfixturevalue('postgres').url!r}, {urlsplit(waiting.url).path[1:]!r})"
    busy = WATCHER + (
        "from sparkify.pipeline import batch\n"
        "def transform(engine, *_):\n"
        f"    {watch}\n"
        "    engine.execute('create temp table endless as select count(*) from {} as r(n) where n % 7 = 3')\n"
        "batch.transform = transform\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    many = "range(4000000000)" if is_file(waiting) else "generate_series(1, 4000000000)"
    if waiting.url.startswith("redshift:"):  # Redshift does not have generate_series on its compute nodes.
        many = f"(select length(a.level) - 1 from {', '.join(f'songplays as {name}' for name in 'abcdefghijkl')})"
    before = everything(waiting)
    _, narration = (process := start(["-c", busy.replace("{}", many), *arguments(waiting)])).communicate()
    assert process.returncode == 130, narration
    assert "Traceback" not in narration
    assert everything(waiting) == before


def test_run_interrupted_inside_a_statement_of_the_reader_ends_the_same_way(waiting: Sandbox) -> None:
    """Ctrl-C while the embedded DuckDB reads ends a run with exit code 130, whatever the warehouse."""
    busy = WATCHER + (
        "from sparkify.staging import reader\n"
        "def count(session):\n"
        "    interrupt_duckdb(session.run.__self__)\n"
        "    numbers = 'range(4000000000) as numbers(n)'\n"
        "    session.run(f'create temp table endless as select count(*) from {numbers} where n % 7 = 3')\n"
        "reader._count = count\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    before = everything(waiting)
    _, narration = (process := start(["-c", busy, *arguments(waiting)])).communicate()
    assert process.returncode == 130, narration
    assert "Traceback" not in narration
    assert everything(waiting) == before


@pytest.mark.ci
def test_run_interrupted_while_songs_are_cut_ends_soon(waiting: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C ends a run while song files are being split into records, however much is left of them."""
    (waiting.song_data / "endless.json.gz").write_bytes(gzip.compress(song().encode()))
    endless = (
        "import os, signal, sys\n"
        "from sparkify.cli.main import main\n"
        "from sparkify.staging import spool\n"
        "def split(stream, split=spool.split_records):\n"
        "    [record] = split(stream)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    while True:\n"
        "        yield record\n"
        "spool.split_records = split\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    before = everything(waiting)
    _, narration = (process := start(["-c", endless, *arguments(waiting)])).communicate(timeout=30)
    assert process.returncode == 130, narration
    assert "Traceback" not in narration
    assert everything(waiting) == before
    assert not list(tmp_path.glob("sparkify-run-*"))
