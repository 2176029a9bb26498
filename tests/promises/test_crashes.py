"""Promise 3: a run publishes everything or nothing, however it ends; the next one completes what it left."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.promises import deliveries
from tests.promises.records import song
from tests.support.sandbox import Row, Sandbox

from sparkify.cli.main import main
from sparkify.errors import CheckFailed, SourceError, SparkifyError
from sparkify.pipeline import batch
from sparkify.pipeline.progress import BATCH_SIZE, Limit
from sparkify.sql import model
from sparkify.staging import reader
from sparkify.warehouse.connect import open_warehouse

Contents = dict[str, list[Row]]
SideBySide = Callable[[Callable[[Sandbox, Any], Any], Sequence[Any]], list[tuple[Sandbox, Any]]]

# Runs the command line in a process that sends itself a signal before or after a certain call of a certain function, or
# within 50 ms from its beginning. At its end, it tells how many of these calls there were.
DRIVER = """
import importlib, os, random, sys, threading
from sparkify.cli.main import main

(module, path), starts, call, moment, number = sys.argv[1].split(":"), *sys.argv[2:6]
*owners, name = path.split(".")
owner = importlib.import_module(module)
for each in owners:
    owner = getattr(owner, each)
real, calls = getattr(owner, name), 0

def stopped(*arguments, **options):
    global calls
    meant = any(str(argument).startswith(starts) for argument in arguments)
    calls += meant
    if meant and moment == "before" and calls == int(call):
        os.kill(os.getpid(), int(number))
    if meant and moment == "during" and calls == int(call):  # no process ends before its timers
        threading.Timer(random.Random(calls).uniform(0, 0.05), os.kill, (os.getpid(), int(number))).start()
    returned = real(*arguments, **options)
    if meant and moment == "after" and calls == int(call):
        os.kill(os.getpid(), int(number))
    return returned

setattr(owner, name, stopped)
code = main(sys.argv[6:])
print(calls)
sys.exit(code)
"""
# Interrupts the process as soon as a statement is at work, which another thread is told by DuckDB or by the server.
WATCHER = """
import os, signal, sys, threading, time
from sparkify.cli.main import main

def interrupt_once(is_busy):
    def watch():
        for _ in range(6000):
            if is_busy():
                return os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        os._exit(1)  # rather than go on without an end
    threading.Thread(target=watch, daemon=True).start()

def interrupt_duckdb(connection):
    for setting in ("threads = 1", "enable_progress_bar = true", "enable_progress_bar_print = false"):
        connection.execute(f"set {setting}")  # with more threads DuckDB 2.0 may not hear of the signal before the end
    interrupt_once(lambda: connection.query_progress() > 0)

def interrupt_server(url, database):
    import psycopg
    other = psycopg.connect(url, autocommit=True)
    busy = "pid <> pg_backend_pid() and state = 'active' and query like '%endless%' and datname = '" + database + "'"
    interrupt_once(lambda: other.execute("select 1 from pg_stat_activity where " + busy).fetchone())
"""
EXECUTE = "sparkify.warehouse.duckdb:DuckDB.execute"
IN_POSTGRES = ("sparkify.warehouse.duckdb:DuckDB", "sparkify.warehouse.postgres:Postgres")
IN_REDSHIFT = ("sparkify.warehouse.duckdb:DuckDB", "sparkify.warehouse.redshift.engine:Redshift")
# Of the steps of a full refresh: how the statement starts, and which of these calls, when the tables are taken over.
CALL_IN_POSTGRES = {"create or replace table": ("delete from etl_files", 2)}
# A function, how one of its arguments starts, which of these calls, and when: before, after or during it.
Stage = tuple[str, str, int, str]

# The second delivery has four batches.
STAGES: list[Stage] = [
    ("sparkify.sources.listing:list_files", "songs", 1, "after"),
    ("sparkify.pipeline.batch:stage", "", 1, "after"),
    (EXECUTE, "begin", 3, "after"),
    (EXECUTE, "delete from users", 2, "after"),
    ("sparkify.pipeline.batch:transform", "", 1, "after"),
    (EXECUTE, "insert into etl_runs", 1, "after"),
    ("sparkify.pipeline.checks:run_all", "", 3, "after"),
    (EXECUTE, "commit", 2, "before"),
    (EXECUTE, "commit", 1, "after"),
]
# A full refresh loads all files in one batch beside the warehouse, then takes its tables over.
REFRESH_STAGES: list[Stage] = [
    ("sparkify.pipeline.batch:transform", "", 1, "after"),
    (EXECUTE, "commit", 1, "after"),
    (EXECUTE, "create or replace table", 5, "after"),
    (EXECUTE, "commit", 2, "before"),
]
# On Redshift it is one transaction.
REFRESH_STAGES_OF_REDSHIFT: list[Stage] = [
    (EXECUTE, "delete from etl_files", 1, "after"),
    ("sparkify.pipeline.batch:transform", "", 1, "after"),
    (EXECUTE, "commit", 1, "before"),
]


def arguments(warehouse: Sandbox, *more: str) -> list[str]:
    """Return the arguments of an etl over the folders of a warehouse."""
    sources = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    return ["etl", *sources, "--warehouse", warehouse.url, *more]


def start(command: list[str]) -> subprocess.Popen[str]:
    """Start a Python process."""
    return subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stop_at(stage: Stage, sent: signal.Signals, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that is sent a signal at a stage."""
    function, starts, call, moment = stage
    if any("postgresql://" in word for word in command):
        function = function.replace(*IN_POSTGRES)
        starts, call = CALL_IN_POSTGRES.get(starts, (starts, call))
    elif any("redshift://" in word for word in command):
        function = function.replace(*IN_REDSHIFT)
    driven = [sys.executable, "-c", DRIVER, function, starts, str(call), moment, str(int(sent)), *command]
    return subprocess.run(driven, capture_output=True, text=True, check=False)


def everything(warehouse: Sandbox) -> Contents:
    """Return every column of every row of every table, the ledger and the history of the runs too."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return {table: sorted(engine.rows(f"select * from {table}"), key=repr) for table in model.ALL}


def contents(warehouse: Sandbox) -> Contents:
    """Return what does not depend on when and how often the files were loaded, nor on where they lie."""
    found = everything(warehouse)
    folder = str(warehouse.log_data.parent)
    found["etl_files"] = [(source, path.replace(folder, "")) for source, path, *_ in found["etl_files"]]
    found["rejected_records"] = [
        (source, file.replace(folder, ""), *said) for source, file, *said, _ in found["rejected_records"]
    ]
    del found["etl_runs"]
    return found


def deliver_first(warehouse: Sandbox) -> None:
    """Put the first delivery into the folders of a warehouse, and load it."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let killed runs leave their temporary files where the test's own are."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def loaded(warehouse: Sandbox) -> Sandbox:
    """Return a warehouse that holds the first delivery."""
    deliver_first(warehouse)
    return warehouse


@pytest.fixture
def waiting(loaded: Sandbox) -> Sandbox:
    """Return a warehouse that holds the first delivery, while the second waits in its folders."""
    deliveries.second(loaded.log_data, loaded.song_data)
    return loaded


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Return what a warehouse holds that loaded both deliveries, one after the other, without a disturbance."""
    folder = tmp_path_factory.mktemp("undisturbed")
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder)
    deliver_first(warehouse)
    deliveries.second(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    return contents(warehouse)


def file_of(warehouse: Sandbox) -> Path:
    """Return the file of a DuckDB warehouse."""
    return Path(warehouse.url.removeprefix("duckdb:///"))


def is_file(warehouse: Sandbox) -> bool:
    """Tell whether a warehouse is a DuckDB file, which one process at a time may open."""
    return warehouse.url.startswith("duckdb")


def leftovers(warehouse: Sandbox) -> list[str]:
    """Return the names of what lies beside a warehouse and its two folders: files, or schemas of its database."""
    if not is_file(warehouse):
        ours = "select nspname from pg_namespace where nspname like 'sparkify%' and nspname <> 'sparkify'"
        return [name for (name,) in warehouse.query(ours)]
    names = {path.name for path in file_of(warehouse).parent.iterdir()}
    return sorted(names - {"log_data", "song_data", "sparkify.duckdb"})


# Killed


@pytest.fixture
def side_by_side(waiting: Sandbox, make_warehouse: Callable[..., Sandbox]) -> SideBySide:
    """Return a function that does something to many copies of `waiting` at a time, one a given case."""

    def run(done: Callable[[Sandbox, Any], Any], cases: Sequence[Any]) -> list[tuple[Sandbox, Any]]:
        copies = [make_warehouse(waiting) for _ in cases]
        with ThreadPoolExecutor(4) as pool:
            return list(zip(copies, pool.map(done, copies, cases), strict=True))

    return run


def test_run_killed_at_any_moment_is_completed_by_the_next(side_by_side: SideBySide, undisturbed: Contents) -> None:
    """Of 20 runs, each killed at a moment of its own, none leaves anything that the next run does not put right."""

    def run(warehouse: Sandbox, call: int) -> subprocess.CompletedProcess[str]:
        stage = (EXECUTE, "", call, "during")
        ended = stop_at(stage, signal.SIGKILL, arguments(warehouse, "--batch-size", "7kB"))
        warehouse.etl()
        return ended

    [(_, whole)] = side_by_side(run, [0])  # the call that none is: undisturbed
    calls = int(whole.stdout.splitlines()[-1])
    moments = [1 + attempt * (calls - 1) // 19 for attempt in range(20)]
    for call, (warehouse, ended) in zip(moments, side_by_side(run, moments), strict=True):
        assert ended.returncode == -signal.SIGKILL, call
        assert contents(warehouse) == undisturbed, call
        assert warehouse.failed_checks() == [], call


def test_run_killed_at_any_stage_is_completed_by_the_next(side_by_side: SideBySide, undisturbed: Contents) -> None:
    """Wherever a run dies, the next one ends where it would have ended."""

    def killed(warehouse: Sandbox, stage: Stage) -> int:
        ended = stop_at(stage, signal.SIGKILL, arguments(warehouse, "--batch-size", "1"))
        warehouse.etl()
        return ended.returncode

    for stage, (warehouse, code) in zip(STAGES, side_by_side(killed, STAGES), strict=True):
        assert code == -signal.SIGKILL, stage
        assert contents(warehouse) == undisturbed, stage
        assert warehouse.failed_checks() == [], stage


def test_what_a_killed_run_had_not_committed_is_not_seen(waiting: Sandbox) -> None:
    """A reader who comes right after the crash finds the warehouse as it was before the run."""
    before = everything(waiting)
    stop_at((EXECUTE, "commit", 1, "before"), signal.SIGKILL, arguments(waiting))
    assert everything(waiting) == before


def test_what_a_killed_run_had_committed_stays(waiting: Sandbox) -> None:
    """The batches before the crash are published, in the ledger, and not loaded again."""
    stop_at((EXECUTE, "commit", 3, "after"), signal.SIGKILL, arguments(waiting, "--batch-size", "1"))
    assert waiting.etl().run.counts.files == 1


def test_killed_first_run_leaves_nothing_in_the_way(warehouse: Sandbox, undisturbed: Contents) -> None:
    """A warehouse whose very first run died is filled by the next as if it were new."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    stop_at(("sparkify.pipeline.batch:transform", "", 1, "after"), signal.SIGKILL, arguments(warehouse))
    warehouse.etl()
    deliveries.second(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    assert contents(warehouse) == undisturbed


def test_interrupted_run_says_so_and_leaves_the_warehouse_whole(waiting: Sandbox) -> None:
    """Ctrl-C ends a run with exit code 130 and one line, and undoes the batch that it was at."""
    before = everything(waiting)
    ended = stop_at(("sparkify.pipeline.batch:transform", "", 1, "after"), signal.SIGINT, arguments(waiting))
    assert ended.returncode == 130
    assert ended.stderr.splitlines()[-1].startswith("sparkify: interrupted.")
    assert "Traceback" not in ended.stderr
    assert everything(waiting) == before


def test_run_interrupted_inside_a_statement_says_the_same(waiting: Sandbox, request: pytest.FixtureRequest) -> None:
    """Ctrl-C while the engine is busy with a statement is no other ending."""
    watch = "interrupt_duckdb(engine.embedded)"
    if not is_file(waiting):  # Redshift's stand-in is a server of PostgreSQL too, and does not say what is at work
        watch = f"interrupt_server({request.getfixturevalue('postgres').url!r}, {urlsplit(waiting.url).path[1:]!r})"
    busy = WATCHER + (
        "from sparkify.pipeline import batch\n"
        "def transform(engine):\n"
        f"    {watch}\n"
        "    engine.execute('create temp table endless as select count(*) from {} as r(n) where n % 7 = 3')\n"
        "batch.transform = transform\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    many = "range(4000000000)" if is_file(waiting) else "generate_series(1, 4000000000)"
    if waiting.url.startswith("redshift:"):  # which has no such function
        many = f"(select length(a.level) - 1 from {', '.join(f'songplays as {name}' for name in 'abcdefghijkl')})"
    before = everything(waiting)
    _, narration = (process := start(["-c", busy.replace("{}", many), *arguments(waiting)])).communicate()
    assert process.returncode == 130, narration
    assert "Traceback" not in narration
    assert everything(waiting) == before


def test_run_interrupted_inside_a_statement_of_the_reader_says_the_same(waiting: Sandbox) -> None:
    """Ctrl-C while DuckDB reads, whatever the warehouse that it reads for, is no other ending."""
    busy = WATCHER + (
        "from sparkify.staging import reader\n"
        "def count(session):\n"
        "    interrupt_duckdb(session.run.__self__)\n"
        "    session.run('create temp table endless as select count(*) from range(4000000000) as r(n) where n % 7 = 3')\n"
        "reader._count = count\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    before = everything(waiting)
    _, narration = (process := start(["-c", busy, *arguments(waiting)])).communicate()
    assert process.returncode == 130, narration
    assert "Traceback" not in narration
    assert everything(waiting) == before


def test_run_interrupted_while_songs_are_cut_ends_soon(waiting: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C is heard while song files are read beside the logs, however much is left of them."""
    (waiting.song_data / "endless.json.gz").write_bytes(gzip.compress(song().encode()))
    endless = (
        "import os, signal, sys\n"
        "from sparkify.cli.main import main\n"
        "from sparkify.staging import spool\n"
        "def cut(stream, cut=spool.cut):\n"
        "    [piece] = cut(stream)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    while True:\n"
        "        yield piece\n"
        "spool.cut = cut\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    before = everything(waiting)
    _, narration = (process := start(["-c", endless, *arguments(waiting)])).communicate(timeout=30)
    assert process.returncode == 130, narration
    assert "Traceback" not in narration
    assert everything(waiting) == before
    assert not list(tmp_path.glob("sparkify-run-*"))


# Two at once


def test_two_runs_at_once_end_right(waiting: Sandbox, undisturbed: Contents) -> None:
    """Of two runs started together each does its work or is told plainly, and after one more all is loaded."""
    runs = [start(["-m", "sparkify", *arguments(waiting, "--batch-size", "1")]) for _ in range(2)]
    said = [run.communicate()[1] for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes
    for code, narration in zip(codes, said, strict=True):
        assert code == 0 or (code == 1 and "another process is using it" in narration), narration
    waiting.etl()
    assert contents(waiting) == undisturbed


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("command", ["etl", "create-tables", "status"])
def test_command_on_a_warehouse_in_use_is_told_plainly(loaded: Sandbox, command: str) -> None:
    """While one process has a file open, another is told who holds the warehouse and to wait, and fails."""
    words = arguments(loaded) if command == "etl" else [command, "--warehouse", loaded.url]
    with open_warehouse(loaded.url) as held:
        process = start(["-m", "sparkify", *words])
        _, narration = process.communicate()
        assert process.returncode == 1
        assert "another process is using it" in narration
        assert str(os.getpid()) in narration
        assert "Traceback" not in narration
        assert held.value("select count(*) from etl_runs") == 1


@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_run_waits_for_the_one_that_publishes_and_is_told_who_it_is(loaded: Sandbox) -> None:
    """On a server, a run that finds another at work says who that is, waits for its end, and then does its part."""
    deliveries.second(loaded.log_data, loaded.song_data)
    with open_warehouse(loaded.url) as held:
        with held.transaction():
            held.lock_ledger()
            process = start(["-m", "sparkify", *arguments(loaded)])
            assert process.stderr
            told = next(line for line in process.stderr if "Waiting" in line)
            assert f"server process {held.value('select pg_backend_pid()')}" in told
            assert held.value("select count(*) from etl_runs") == 1
        process.communicate()
        assert process.returncode == 0
        assert held.value("select count(*) from etl_runs") == 2


@pytest.mark.parametrize("batch_size", [BATCH_SIZE, 1], ids=["one batch", "batches"])
@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_file_that_another_run_has_loaded_meanwhile_is_not_loaded_again(
    waiting: Sandbox, undisturbed: Contents, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    """What was pending is asked again under the lock: the run that comes second loads nothing twice, in any batch."""
    real, first = reader.stage, True

    def overtaken(*words: Any, **options: Any) -> Any:
        nonlocal first
        read = real(*words, **options)
        if first:
            first = False
            waiting.etl()
        return read

    monkeypatch.setattr(batch, "stage", overtaken)
    assert waiting.etl(batch_size=batch_size).run.counts.files == 0
    assert contents(waiting) == undisturbed
    assert waiting.failed_checks() == []


# Failed


def spoil(warehouse: Sandbox, how: str) -> None:
    """Deliver a file on which a run must fail."""
    if how == "check":
        deliveries.write(warehouse.log_data / "4.json", deliveries.play(130, level="gold"))
    else:
        (warehouse.log_data / "4.json.gz").write_bytes(b"\x1f\x8b\x08\x00 truncated")


def test_run_that_fails_a_check_changes_nothing(waiting: Sandbox) -> None:
    """A bad row in a delivery leaves every table as it was, the ledger too, though nothing is wrong with the rest."""
    spoil(waiting, "check")
    before = everything(waiting)
    with pytest.raises(CheckFailed):
        waiting.etl()
    assert everything(waiting) == before


def test_failed_check_is_named_with_its_rows(loaded: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Who runs into a check reads which one, and on what; the exit code says that it was a check."""
    deliveries.write(loaded.log_data / "4.json", event := deliveries.play(130, level="gold"))
    assert main(arguments(loaded)) == 3
    narration = capsys.readouterr().err
    assert "levels are known" in narration
    assert f"found_at = {event['ts']}-1-130-1, level = gold" in narration
    assert "Traceback" not in narration


def test_batches_before_a_failed_one_stay(waiting: Sandbox) -> None:
    """What was published before the bad batch is whole, and only the bad batch waits for the next run."""
    spoil(waiting, "check")
    with pytest.raises(CheckFailed):
        waiting.etl(batch_size=1)
    assert waiting.failed_checks() == []
    deliveries.write(waiting.log_data / "4.json", deliveries.play(130, level="paid"))
    assert waiting.etl().run.counts.files == 1


def test_run_that_rejects_too_much_changes_nothing(waiting: Sandbox) -> None:
    """More rejected records than allowed fail the run before anything is published."""
    deliveries.write(waiting.log_data / "4.json", "{", "{", deliveries.view(130))
    before = everything(waiting)
    with pytest.raises(SourceError, match="rejected"):
        waiting.etl(max_rejected=Limit(0.02, is_share=True))
    assert everything(waiting) == before


# Full refresh


def test_full_refresh_equals_a_first_load(waiting: Sandbox, make_warehouse: Callable[[], Sandbox]) -> None:
    """All files loaded anew give what they give in a warehouse that never held anything."""
    waiting.etl()
    waiting.etl(full_refresh=True)
    new = make_warehouse()
    new.etl(log_data=waiting.log_data, song_data=waiting.song_data)
    assert waiting.contents() == new.contents()
    assert waiting.failed_checks() == []


def test_full_refresh_drops_the_rows_of_files_that_are_gone(waiting: Sandbox) -> None:
    """A file removed from the folders is in the warehouse until the next full refresh, and not after it."""
    waiting.etl()
    (waiting.log_data / "3.json").unlink()
    (waiting.song_data / "B" / "late.json").unlink()
    waiting.etl()
    assert waiting.query("select count(*), count(distinct song_id) from songplays") == [(96, 2)]
    waiting.etl(full_refresh=True)
    assert waiting.query("select count(*), count(distinct song_id) from songplays") == [(73, 1)]
    assert waiting.query("select song_id from songs") == [("SOHEARD",)]
    assert not [path for (path,) in waiting.query("select path from etl_files") if path.endswith("3.json")]


@pytest.mark.parametrize("kind", ["songs", "events"])
def test_full_refresh_from_a_folder_without_files_changes_nothing(waiting: Sandbox, kind: str) -> None:
    """A wrong folder named for a rebuild does not cost the plays, or the catalogue, that are there."""
    waiting.etl()
    before = waiting.contents()
    folder = waiting.log_data if kind == "events" else waiting.song_data
    for file in folder.rglob("*.json*"):
        file.unlink()
    with pytest.raises(SourceError, match=f"would drop the {kind}"):
        waiting.etl(full_refresh=True)
    assert waiting.contents() == before


@pytest.mark.parametrize("kind", ["songs", "events"])
def test_full_refresh_from_files_of_which_none_can_be_read_changes_nothing(waiting: Sandbox, kind: str) -> None:
    """A delivery that arrived cut short does not cost the plays, or the catalogue, though bad files may be skipped."""
    waiting.etl()
    before = everything(waiting)
    folder = waiting.log_data if kind == "events" else waiting.song_data
    for file in folder.rglob("*.json*"):
        file.with_name(f"{file.stem}.json.gz").write_bytes(gzip.compress(file.read_bytes())[:-9])
        file.unlink()
    with pytest.raises(SourceError, match=f"would drop the {kind}"):
        waiting.etl(full_refresh=True, skip_bad_files=True)
    assert everything(waiting) == before


def test_full_refresh_keeps_the_history_of_runs(waiting: Sandbox) -> None:
    """The runs before stand in etl_runs as they did, and the refresh stands beside them."""
    waiting.etl()
    before = everything(waiting)["etl_runs"]
    refresh = waiting.etl(full_refresh=True)
    assert [row[0] for row in everything(waiting)["etl_runs"]] == [*(row[0] for row in before), refresh.run.id]
    assert everything(waiting)["etl_runs"][: len(before)] == before


@pytest.mark.parametrize("how", ["check", "file"])
def test_full_refresh_that_fails_changes_nothing(waiting: Sandbox, how: str) -> None:
    """A bad file or a failed check midway leaves the old warehouse."""
    spoil(waiting, how)
    before = everything(waiting)
    with pytest.raises(SparkifyError):
        waiting.etl(full_refresh=True, batch_size=1)
    assert everything(waiting) == before


def test_full_refresh_that_fails_leaves_nothing_beside(waiting: Sandbox) -> None:
    """What it had built so far is removed."""
    spoil(waiting, "check")
    with pytest.raises(SparkifyError):
        waiting.etl(full_refresh=True)
    assert leftovers(waiting) == []


def test_full_refresh_killed_at_any_stage_leaves_the_old_warehouse(
    waiting: Sandbox, side_by_side: SideBySide, undisturbed: Contents
) -> None:
    """Wherever a full refresh dies before its end, the old warehouse stands; the next run goes on and cleans up."""

    def killed(warehouse: Sandbox, stage: Stage) -> tuple[int, Contents, Contents]:
        before = everything(warehouse)
        ended = stop_at(stage, signal.SIGKILL, arguments(warehouse, "--full-refresh"))
        after = everything(warehouse)
        warehouse.etl()
        return ended.returncode, before, after

    stages = REFRESH_STAGES_OF_REDSHIFT if waiting.url.startswith("redshift:") else REFRESH_STAGES
    for stage, (warehouse, found) in zip(stages, side_by_side(killed, stages), strict=True):
        code, before, after = found
        assert code == -signal.SIGKILL, stage
        assert after == before, stage
        assert contents(warehouse) == undisturbed, stage
        assert leftovers(warehouse) == [], stage


def test_full_refresh_killed_after_its_end_is_complete(waiting: Sandbox) -> None:
    """From the moment at which the new tables are taken over, they are what everybody sees."""
    stop_at((EXECUTE, "commit", 2, "after"), signal.SIGKILL, arguments(waiting, "--full-refresh"))
    refreshed = waiting.contents()
    assert len(everything(waiting)["etl_runs"]) == 2
    waiting.etl(full_refresh=True)
    assert waiting.contents() == refreshed
    assert leftovers(waiting) == []
