"""The file of a DuckDB warehouse: its names, the wait for other processes, and damage."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest
from tests.promises.deliveries import play, write
from tests.support.killing import EXECUTE, arguments, file_of, stop_at
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox

from sparkify import config
from sparkify.cli.main import main
from sparkify.config import Config
from sparkify.errors import Damaged, WarehouseError
from sparkify.warehouse import duckdb_file
from sparkify.warehouse.connect import open_warehouse

pytestmark = pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)

HOLDER = """
import sys
from sparkify.warehouse.connect import open_warehouse
with open_warehouse(sys.argv[1], read_only=sys.argv[2] == "reader"):
    print("open", flush=True)
    sys.stdin.read()
"""
READERS = """
import sys, time
from sparkify.errors import WarehouseError
from sparkify.warehouse.connect import open_warehouse
while True:
    try:
        with open_warehouse(sys.argv[1], read_only=True):
            print("open", flush=True)
            time.sleep(0.5)
    except WarehouseError:
        pass
"""

Hold = Callable[[Sandbox, str], "subprocess.Popen[str]"]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Return a function that starts a process that opens a warehouse: a reader, a writer, or readers in turn."""
    with ExitStack() as started:

        def start(warehouse: Sandbox, how: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", READERS if how == "readers" else HOLDER, warehouse.url, how]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            started.enter_context(process)
            started.callback(process.kill)
            assert process.stdout
            assert process.stdout.readline() == "open\n"
            return process

        yield start


def killed(warehouse: Sandbox) -> Path:
    """Load a delivery, and kill the run after its commit; return the log that this leaves."""
    write(warehouse.log_data / "a.json", play(1), play(2))
    stop_at((EXECUTE, "commit", 1, "after"), signal.SIGKILL, arguments(warehouse))
    log = Path(f"{file_of(warehouse)}.wal")
    assert log.exists()
    return log


def test_link_to_the_file_is_the_file(warehouse: Sandbox, tmp_path: Path) -> None:
    """A batch that was committed through a link before a kill is seen by the file's own name."""
    (tmp_path / "folder").symlink_to(file_of(warehouse).parent)
    link = tmp_path / "link.duckdb"
    link.symlink_to(tmp_path / "folder" / file_of(warehouse).name)
    url, warehouse.url = warehouse.url, f"duckdb:///{link}"
    write(warehouse.log_data / "a.json", play(1), play(2))
    stop_at((EXECUTE, "commit", 1, "after"), signal.SIGKILL, arguments(warehouse))
    warehouse.url = url
    assert warehouse.query("select count(*) from songplays") == [(2,)]


@pytest.mark.parametrize("how", ["file", "log of a link", "log of another file", "log alone"])
def test_data_under_another_name_is_refused(warehouse: Sandbox, how: str) -> None:
    """Neither a run nor a reader opens a file if committed data may be in the log of another name."""
    file, log = file_of(warehouse), killed(warehouse)
    other = file.with_name("other.duckdb")
    if how == "file":
        os.link(file, other)
    elif how == "log of a link":
        other.symlink_to(file)
        log.rename(f"{other}.wal")
    elif how == "log of another file":
        duckdb.connect(other).close()
        log.rename(f"{other}.wal")
    else:
        file.rename(other)
        other = file
    before = {path.name: path.stat().st_size for path in file.parent.iterdir()}
    for read_only in (True, False):
        with pytest.raises(
            WarehouseError, match=r"names \(hard links\)|through a link|belongs to another|which is missing"
        ):
            open_warehouse(f"duckdb:///{other}", read_only=read_only)
    assert {path.name: path.stat().st_size for path in file.parent.iterdir()} == before


def test_second_reader_of_a_process_keeps_its_lock(warehouse: Sandbox) -> None:
    """While a process reads a warehouse, no other can write to it, however often the process opens it again."""
    opening = "import sys; from sparkify.warehouse.connect import open_warehouse; from sparkify.config import Config"
    writer = [sys.executable, "-c", f"{opening}; open_warehouse(sys.argv[1], Config(wait=0))", warehouse.url]
    with open_warehouse(warehouse.url, read_only=True):
        with open_warehouse(warehouse.url, read_only=True):
            pass
        ended = subprocess.run(writer, capture_output=True, text=True, check=False)
    assert "another process is using it" in ended.stderr


@pytest.mark.parametrize("how", ["reader", "writer"])
def test_run_waits_for_its_turn_and_says_for_whom(warehouse: Sandbox, hold: Hold, how: str) -> None:
    """A run waits for a process that has the file open, and names it."""
    holder = hold(warehouse, how)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        holder.communicate("")

    with open_warehouse(warehouse.url, say=say) as engine:
        engine.execute("create table numbers (a integer)")
    [line] = said
    assert "waiting up to 300 s for another process that is using it: python" in line
    assert f"PID {holder.pid}" in line


def test_reader_waits_a_short_while(warehouse: Sandbox, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader waits for a run that ends soon."""
    holder = hold(warehouse, "writer")
    monkeypatch.setattr("sparkify.warehouse.duckdb_file.time.sleep", lambda _: holder.communicate(""))
    assert warehouse.query("select count(*) from songplays") == [(0,)]


def test_wait_ends_with_an_error(warehouse: Sandbox, hold: Hold) -> None:
    """A run that has waited as long as --wait allows fails, names the process, and leaves no file behind."""
    holder = hold(warehouse, "reader")
    before = set(file_of(warehouse).parent.iterdir())
    with pytest.raises(WarehouseError, match=rf"using it: python.*, PID {holder.pid}\. Wait until it ends\."):
        open_warehouse(warehouse.url, Config(wait=0))
    assert set(file_of(warehouse).parent.iterdir()) == before


def test_wait_of_the_command_line_is_a_duration(
    warehouse: Sandbox, hold: Hold, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--wait` takes a duration and overrides [WAREHOUSE] WAIT."""
    assert main(arguments(warehouse, "--wait", "soon")) == 2
    assert "--wait: [WAREHOUSE] WAIT must be a time such as 90, 90s, 5m or 1h" in capsys.readouterr().err
    assert config.load(wait="2m", environ={"SPARKIFY_WAREHOUSE_WAIT": "1h"}).wait == 120
    holder = hold(warehouse, "reader")
    assert main(arguments(warehouse, "--wait", "0s")) == 1
    assert f"PID {holder.pid}" in capsys.readouterr().err


def test_mark_of_a_killed_run_is_ignored_and_removed(warehouse: Sandbox) -> None:
    """What a run that was killed while it waited left behind keeps nobody out, and the next run deletes it."""
    mark = Path(f"{file_of(warehouse)}.sparkify-waits")
    mark.touch()
    assert warehouse.query("select count(*) from songplays") == [(0,)]
    warehouse.etl()
    assert not mark.exists()


def test_readers_in_turn_do_not_keep_a_run_out(warehouse: Sandbox, hold: Hold) -> None:
    """A run gets in between readers that follow each other without a gap."""
    for _ in range(6):
        hold(warehouse, "readers")
    with open_warehouse(warehouse.url, Config(wait=60)) as engine:
        engine.execute("create table numbers (a integer)")
    assert not list(file_of(warehouse).parent.glob("*waits"))


def test_wait_keeps_no_file_open(warehouse: Sandbox, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waits behind another waiting run opens no more files, however long it waits."""
    holder = hold(warehouse, "reader")
    opened: list[int] = []

    def attempted(_: float) -> None:
        opened.append(len(list(Path("/proc/self/fd").iterdir())))
        if len(opened) == 20:
            holder.communicate("")

    monkeypatch.setattr("sparkify.warehouse.duckdb_file.time.sleep", attempted)
    with Path(f"{file_of(warehouse)}.sparkify-waits").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        with open_warehouse(warehouse.url):
            assert max(opened) - opened[0] < 10


@pytest.mark.parametrize("what", ["log", "blocks", "end", "head", "everything"])
def test_damaged_file_is_rebuilt_by_the_command_that_the_error_names(warehouse: Sandbox, what: str) -> None:
    """What a power cut can leave is refused, and a full refresh loads all files into a new file."""
    file = file_of(warehouse)
    if what == "log":
        log = killed(warehouse)
        damaged = bytearray(log.read_bytes())
        damaged[len(damaged) // 2] ^= 0xFF
        log.write_bytes(damaged)
    else:
        deliver(warehouse)
        whole = file.read_bytes()
        head, blocks = whole[:12_288], whole[12_288:]
        remains = {"blocks": head + bytes(len(blocks)), "end": head, "head": bytes(12_288) + blocks, "everything": b""}
        file.write_bytes(remains[what])
    content, names = file.read_bytes(), set(file.parent.iterdir())
    with pytest.raises(WarehouseError, match=r"DuckDB cannot read it .* Run `sparkify etl --full-refresh`"):
        warehouse.etl()
    assert set(file.parent.iterdir()) == names
    warehouse.etl(full_refresh=True)
    assert [line for line in warehouse.narration if "The damaged file is kept as " in line]
    [kept] = [path for path in file.parent.glob("*.damaged-*") if path.suffix != ".wal"]
    assert kept.read_bytes() == content
    rebuilt = warehouse.contents()
    file.unlink()
    warehouse.etl()
    assert warehouse.contents() == rebuilt
    assert warehouse.failed_checks() == []


@pytest.mark.parametrize("other", ["has replaced it", "is reading it"])
def test_damaged_file_is_set_aside_once(
    warehouse: Sandbox, hold: Hold, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """A full refresh keeps the warehouse by which another run has replaced the damaged file, or which others use."""
    deliver(warehouse)
    file, whole, set_aside = file_of(warehouse), file_of(warehouse).read_bytes(), duckdb_file.set_aside
    expected = warehouse.contents()
    file.write_bytes(bytes(len(whole)))

    def set_aside_late(damaged: Damaged) -> Path | None:
        monkeypatch.setattr(duckdb_file, "set_aside", set_aside)
        if other == "has replaced it":
            warehouse.etl(full_refresh=True)
            return set_aside(damaged)
        file.write_bytes(whole)  # as if the damage had shown only in some blocks
        reader = hold(warehouse, "reader")
        kept = set_aside(damaged)
        reader.communicate("")
        return kept

    monkeypatch.setattr(duckdb_file, "set_aside", set_aside_late)
    warehouse.etl(full_refresh=True)
    assert len(list(file.parent.glob("*.damaged-*"))) == (other == "has replaced it")
    assert warehouse.contents() == expected
