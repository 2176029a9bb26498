"""Temporary files follow no link, are readable by their owner only, and are gone in the end."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox

from sparkify import filesystem
from sparkify.config import Config
from sparkify.errors import SourceError, WarehouseError
from sparkify.warehouse import embedded, export
from sparkify.warehouse.export import FORMATS, Format

SCRATCH = """
import os, sys
from pathlib import Path
from sparkify.filesystem import scratch_folder
with scratch_folder() as folder:
    (Path(folder) / "rows.csv").write_text("rows")
    print(folder, flush=True)
    sys.stdin.read()
"""
WRITER = """
import os, sys
from pathlib import Path
from sparkify.filesystem import write_whole
with write_whole(Path(sys.argv[1])) as beside:
    print(beside, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Set the umask of most systems."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def one_of_two_killed(command: list[str]) -> Iterator[tuple[Path, Path]]:
    """Run a command twice and kill the first process; yield the paths that they print. The second ends afterwards."""
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running,
    ):
        assert killed.stdout
        assert running.stdout
        left, used = Path(killed.stdout.readline().strip()), Path(running.stdout.readline().strip())
        killed.kill()
        killed.wait()
        killed.stdout.read()  # ends with the last process of a container
        yield left, used
        running.communicate("")


def test_names_of_temporary_files_cannot_be_anticipated(tmp_path: Path) -> None:
    """A link with a name that could be that of a temporary file keeps its target unchanged."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / f".report.html.{os.getpid()}").symlink_to(precious)
    (out / ".report.html.sparkify-").symlink_to(precious)
    names = set()
    for _ in range(2):
        with filesystem.write_whole(out / "report.html") as beside:
            names.add(beside.name)
            beside.write_text("new")
    assert precious.read_text() == "mine"
    assert (out / "report.html").read_text() == "new"
    assert len(names) == 2


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("form", FORMATS)
def test_exported_file_has_usual_permissions_only_when_complete(
    form: Format, warehouse: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file being exported is readable by its owner only, and a complete one as the umask says."""
    deliver(warehouse)
    chmod, seen = Path.chmod, list[tuple[str, int]]()

    def watched(self: Path, mode_: int) -> None:
        seen.extend((path.name, mode(path)) for path in self.parent.iterdir())
        chmod(self, mode_)

    monkeypatch.setattr(Path, "chmod", watched)
    (tmp_path / "out").mkdir()
    with warehouse.reading() as engine:
        [path] = export.export_tables(engine, tmp_path / "out", form, ["users"]).values()
    [(name, before)] = seen
    assert name.startswith(f".users.{form}.")
    assert (before, mode(path)) == (0o600, 0o644)


def test_new_file_is_on_disk_before_it_replaces_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut leaves the old file or the new one, since the new one is stored before it gets the name."""
    path = tmp_path / "report.html"
    path.write_text("old")
    synced: list[tuple[str, str]] = []

    def watched(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").read_text(), path.read_text()))

    monkeypatch.setattr(os, "fsync", watched)
    with filesystem.write_whole(path) as beside:
        beside.write_text("new")
    assert synced == [("new", "old")]
    assert path.read_text() == "new"


def test_file_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    """A new file removes what a killed process left beside it, and leaves what a running one is writing."""
    path = tmp_path / "songs.csv"
    command = [sys.executable, "-c", WRITER, str(path)]
    with one_of_two_killed(command) as (left, used):
        assert left.exists()
        with filesystem.write_whole(path) as beside:
            beside.write_text("new")
        assert set(tmp_path.iterdir()) == {path, used}
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_removed_only_if_no_process_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run removes the scratch folder of a killed one, and leaves one in use, whatever the PID of its process.

    In two containers that share TMPDIR, a PID of one means nothing to the other.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    container = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if not shutil.which("unshare") or subprocess.run([*container, "true"], check=False).returncode:
        container = []  # the kernel forbids it
    command = [*container, sys.executable, "-c", SCRATCH]
    with one_of_two_killed(command) as (left, used):
        assert left.exists()
        with filesystem.scratch_folder() as folder:
            assert set(tmp_path.glob("*/")) == {used, Path(folder)}
        assert (used / "rows.csv").exists()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Prevent this process from opening any more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open() as lowest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno(), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("in_scratch", [filesystem.scratch_folder, partial(embedded.in_memory, Config())])
def test_scratch_folder_that_cannot_be_created_is_an_error(
    in_scratch: Callable[[], AbstractContextManager[object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no scratch folder can be created, the error names TMPDIR or the limit that was reached."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with no_more_descriptors(), pytest.raises(SourceError, match=r"reached a limit .* `ulimit`"), in_scratch():
        pass
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SourceError, match=r"missing: temporary files cannot be written .* set TMPDIR"), in_scratch():
        pass


def test_embedded_database_spills_to_a_private_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into memory goes to the temporary folder, readable by its owner only, and not to ./.tmp."""
    here, scratch = tmp_path / "here", tmp_path / "scratch"
    here.mkdir()
    scratch.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with embedded.in_memory(Config(memory=60_000_000)) as connection:
        connection.execute("create table big as select md5(cast(range as varchar)) as text from range(3_000_000)")
        [folder] = scratch.glob("*/")
        assert list(folder.iterdir())
        assert mode(folder) == 0o700
        assert list(here.iterdir()) == []
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_server_leaves_no_temporary_folder(warehouse: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded database of a server has its temporary folder while the warehouse is open."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    with warehouse.reading() as engine:
        [(folder,)] = engine.embedded.execute("select current_setting('temp_directory')").fetchall()
        assert Path(folder).parent == tmp_path
    assert set(tmp_path.iterdir()) == before


def test_full_disk_is_reported_with_the_file_and_the_remedy() -> None:
    """DuckDB's error about a disk without space becomes one that names the file and says what to do."""
    with (
        embedded.in_memory(Config()) as connection,
        pytest.raises(
            WarehouseError,
            match=r"^w: /dev/full cannot be written, because no space is left on its disk\. .*set TMPDIR",
        ),
        embedded.translate_errors("w"),
    ):
        connection.execute("copy (select * from range(1000000)) to '/dev/full' (format csv, use_tmp_file false)")
