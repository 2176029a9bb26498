"""A limit of the machine fails a run: it is not the fault of a file."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.promises.records import joined, play, song
from tests.support.s3 import S3
from tests.support.sandbox import Warehouses

# The limit applies when everything is imported, as in a process that has many files open already.
ETL = """
import resource, sys
import duckdb
from sparkify.cli.main import main
from sparkify.pipeline import run
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
sys.exit(main(["etl", "--allow-empty", "--skip-bad-files", *sys.argv[2:]]))
"""
REASON = "this machine has reached a limit (Too many open files)."
REMEDY = "Close other programs, or raise the limit with `ulimit`, then run again."


def plays(session: int, number: int = 1) -> bytes:
    """Return some plays of one session."""
    return joined(*(play(sessionId=session, itemInSession=item) for item in range(number)))


def require_all_or_nothing(make_warehouse: Warehouses, limits: Iterable[int], log_data: object, songs: object) -> None:
    """Run under some limits of open files, and require that each run loads every file, or fails and loads none."""
    failed = 0
    for limit in limits:
        warehouse = make_warehouse()
        folders = ["--log-data", str(log_data), "--song-data", str(songs), "--warehouse", warehouse.url]
        command = [sys.executable, "-c", ETL, str(limit), *folders]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Skipped" not in ended.stderr
        if ended.returncode:
            failed += 1
            assert ended.returncode == 1
            assert ended.stderr.splitlines()[-1].endswith(f": {REASON} {REMEDY}")
            assert not any(warehouse.contents().values())
        else:
            assert warehouse.query("select count(*) from songplays") == [(404,)]
            assert warehouse.query("select count(*) from songs") == [(50,)]
    assert failed


@pytest.fixture
def delivered(tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder with logs for each way to read one, and a folder with 50 songs."""
    logs, songs = tmp_path / "logs", tmp_path / "songs"
    (logs / "a" / "b" / "c").mkdir(parents=True)
    songs.mkdir()
    (logs / "small.json").write_bytes(plays(1))
    (logs / "large.json").write_bytes(plays(2, 400))
    (logs / "packed.json.gz").write_bytes(gzip.compress(plays(3)))
    (logs / "packed.json").write_bytes(gzip.compress(plays(4)))
    (logs / "a" / "b" / "c" / "deep.json").write_bytes(plays(5))
    for number in range(50):
        (songs / f"{number}.json").write_text(song(song_id=f"SO{number}"))
    return logs, songs


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_full_table_of_open_files_skips_nothing(make_warehouse: Warehouses, delivered: tuple[Path, Path]) -> None:
    """If the machine can open no more files, the run fails, even with --skip-bad-files."""
    require_all_or_nothing(make_warehouse, (8, 9, 10), *delivered)


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_full_table_of_open_files_skips_no_object(
    make_warehouse: Warehouses, delivered: tuple[Path, Path], s3: S3
) -> None:
    """If the machine can open no more connections and copies, the run fails, even with --skip-bad-files."""
    s3.add_bucket("bucket")
    for folder in delivered:
        for path in folder.rglob("*.json*"):
            s3.put(f"s3://bucket/{path.relative_to(folder.parent)}", path.read_bytes())
    require_all_or_nothing(make_warehouse, (16, 24, 32), "s3://bucket/logs", "s3://bucket/songs")
