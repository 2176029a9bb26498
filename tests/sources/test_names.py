"""Names that are not UTF-8, unreadable and very deep folders, other locales, and links out of the source folder."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.promises.records import joined, keys, loaded, play
from tests.support.permissions import obeying_permissions
from tests.support.sandbox import Sandbox

from sparkify.errors import SourceError

RUN = "import sys; from sparkify.cli.main import main; sys.exit(main(sys.argv[1:]))"
ETL = [sys.executable, "-c", RUN, "etl", "--allow-empty"]


def make(warehouse: Sandbox, name: bytes) -> bytes:
    """Create an empty file in the folder of logs; return its path."""
    path = os.path.join(os.fsencode(warehouse.log_data), name)  # noqa: PTH118 - a Path holds no bytes
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    os.close(os.open(path, os.O_CREAT))
    return path


@pytest.mark.parametrize("name", [b"\xff.json", b"\xff/a.json"])
def test_name_that_is_not_utf8_is_a_bad_file(warehouse: Sandbox, name: bytes) -> None:
    """A name that is not UTF-8, which no database can store, fails the run with that name, or is skipped on request."""
    (warehouse.log_data / "a.json").write_text(play())
    path = make(warehouse, name)
    problem = f"{path!r}: the name is not valid UTF-8. Rename the file or folder"
    with pytest.raises(SourceError) as caught:
        warehouse.etl()
    assert str(caught.value) == f"{problem}, or pass --skip-bad-files."
    summary = warehouse.etl(skip_bad_files=True)
    assert (summary.skipped, summary.files_listed) == ({repr(path): f"{problem}."}, 2)
    assert f"Skipped: {problem}." in warehouse.narration
    assert loaded(warehouse, "events") == keys("events", 0)


@pytest.mark.parametrize("name", [b"notes-\xe9t\xe9.txt", b"\xff/a.txt"])
def test_name_is_judged_only_if_the_file_is_read(warehouse: Sandbox, name: bytes) -> None:
    """A name that is not UTF-8 does not matter on a file that is not read anyway."""
    (warehouse.log_data / "a.json").write_text(play())
    make(warehouse, name)
    assert warehouse.etl().not_read == {".txt": 1}
    assert loaded(warehouse, "events") == keys("events", 0)


def test_unreadable_folder_is_skipped_on_request(warehouse: Sandbox) -> None:
    """A folder without read permission fails the run by name, or is skipped on request, and the rest is loaded."""
    (warehouse.log_data / "a.json").write_text(play())
    closed = warehouse.log_data / "lost+found"
    closed.mkdir(mode=0)
    folders = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    command = [*obeying_permissions(), *ETL, *folders, "--warehouse", warehouse.url, "--json"]
    environ = {**os.environ, **warehouse.environ}
    problem = f"{closed}: the folder is unreadable (Permission denied). Check its permissions"
    failed = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.endswith(f"sparkify: {problem}, or pass --skip-bad-files.\n")
    passed = subprocess.run([*command, "--skip-bad-files"], env=environ, capture_output=True, text=True, check=True)
    assert f"Skipped: {problem}.\n" in passed.stderr
    assert json.loads(passed.stdout)["files"]["skipped"] == {str(closed): f"{problem}."}
    assert loaded(warehouse, "events") == keys("events", 0)


def test_folders_may_be_deeper_than_pythons_recursion(warehouse: Sandbox) -> None:
    """A file in a folder 1,200 levels deep is read."""
    folder = warehouse.log_data / "/".join("d" * 1200)
    subprocess.run(["mkdir", "-p", str(folder)], check=True)  # the ways of Python are recursive
    try:
        (folder / "a.json").write_text(play())
        warehouse.etl()
        assert warehouse.query("select path from etl_files") == [(f"{folder}/a.json",)]
        assert loaded(warehouse, "events") == keys("events", 0)
    finally:
        subprocess.run(["rm", "-r", str(warehouse.log_data / "d")], check=True)


def test_path_does_not_depend_on_the_locale(warehouse: Sandbox) -> None:
    """In a C locale, where Python takes names for ASCII, a UTF-8 name has the same path in the ledger."""
    logs = warehouse.log_data / "Zoë"
    logs.mkdir()
    (logs / "ß.json").write_text(play())
    large = joined(*(play(sessionId=39, itemInSession=number) for number in range(200)))
    (logs / "🎵.json").write_bytes(gzip.compress(large))
    (logs / "é.json").write_bytes(large)
    environ = {**os.environ, **warehouse.environ, "SPARKIFY_S3_LOG_DATA": str(logs)}
    subprocess.run(
        [*ETL, "--song-data", str(warehouse.song_data), "--warehouse", warehouse.url],
        env={**environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        check=True,
    )
    assert warehouse.query("select count(*) from songplays") == [(201,)]
    assert warehouse.etl(log_data=logs).run.counts.files == 0


@pytest.mark.parametrize("target", ["../secrets/secret.json", "../secrets", "hop/../../secrets/secret.json", ".."])
def test_link_out_of_the_folder_is_refused(warehouse: Sandbox, target: str) -> None:
    """A link that leads out of the source folder fails the run, is skipped on request, or is read on request."""
    secret = warehouse.folder / "secrets" / "secret.json"
    secret.parent.mkdir()
    secret.write_text(play(itemInSession=7))
    (warehouse.log_data / "hop").mkdir()
    link = warehouse.log_data / "a.json"
    link.symlink_to(target)
    problem = f"{link}: this link leads out of the source folder. Pass --follow-links to read it"
    with pytest.raises(SourceError) as caught:
        warehouse.etl()
    assert str(caught.value) == f"{problem}, or pass --skip-bad-files."
    assert warehouse.etl(skip_bad_files=True).skipped == {str(link): f"{problem}."}
    assert not any(warehouse.contents().values())
    warehouse.etl(follow_links=True)
    assert loaded(warehouse, "events") == keys("events", 7)


def test_link_within_the_folder_is_followed(warehouse: Sandbox) -> None:
    """A link that stays in the source folder is read, and the folder itself may be a link."""
    (warehouse.log_data / "..2026").mkdir()
    (warehouse.log_data / "..2026" / "a.json").write_text(play())
    (warehouse.log_data / "a.json").symlink_to("..2026/a.json")
    (warehouse.log_data / "notes.txt").symlink_to("/etc/passwd")
    linked = warehouse.folder / "linked"
    linked.symlink_to(warehouse.log_data)
    assert warehouse.etl(log_data=linked).run.counts.songplays == 1
    assert warehouse.query("select path from etl_files") == [(str(Path(linked) / "a.json"),)]
