"""The commands in README.md run as written, but for the placeholders of the reader's own names."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from tests.support.cloud.commands import Cluster
from tests.support.postgres import Server
from tests.support.realdata import REPOSITORY, load_sample
from tests.support.s3 import S3
from tests.support.sandbox import Warehouses

from sparkify.aws.cluster import addresses
from sparkify.cli.main import main, parser

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
INSTALLATION = re.findall(r"## Install\n.*?```sh\n(.*?)\n```", README, re.DOTALL)[0].splitlines()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def run(command: str) -> None:
    """Run a `sparkify` command line in this process; fail unless it succeeds."""
    assert main(shlex.split(command)[1:]) == 0, command


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder in which the README's first command has been run."""
    monkeypatch.chdir(tmp_path)
    run(next(command for command in COMMANDS if command.startswith("sparkify generate")))
    return tmp_path


def test_every_command_has_its_test() -> None:
    """Each command of the README is run by a test of this module, but for the installation, which has its own."""
    for command in COMMANDS:
        assert command.startswith("sparkify ") or command in INSTALLATION, command


def test_installation_needs_no_package_index() -> None:
    """The README and docs/aws.md install from the project's repository, with extras that it has; CI runs the rest."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository, extras = project["urls"]["Repository"], project["optional-dependencies"]
    pages = README + (REPOSITORY / "docs" / "aws.md").read_text(encoding="utf-8")
    named = re.findall(rf"{project['name']}\[(.*?)\](.*)", pages)
    assert len(named) == 2
    for names, source in named:
        assert source == f" @ git+{repository}'"
        assert set(names.split(",")) <= set(extras)
    assert "\nmake install\nmake run\n" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


def test_commands_on_duckdb_run(generated: Path, s3: S3) -> None:
    """The commands that need no server of SQL run one after the other; the course's bucket is one of the tests."""
    s3.add_bucket("udacity-dend", is_public=True)
    s3.add_folder("s3://udacity-dend", generated / "data")
    (generated / "path").mkdir()
    (generated / "path" / "to").symlink_to(generated / "data")
    commands = [command for command in COMMANDS if command.startswith("sparkify ") and "://user@" not in command]
    for command in [command for command in commands if "cluster" not in command and "redshift" not in command][1:]:
        run(command)
    assert (generated / "report.html").stat().st_size > 100_000
    assert (generated / "my.duckdb").exists()


@pytest.mark.usefixtures("real")
def test_right_load_is_that_of_the_sample(make_warehouse: Warehouses) -> None:
    """The numbers of a right load with all songs are those that the sample gives."""
    cells = [row.split("|")[3] for row in re.findall(r"(?m)^\|.*8,056[^#]*?4,451 \|$", README)[0].splitlines()]
    ask = make_warehouse.shared(load_sample).query
    counts = ["sum(events_read) from etl_runs", *(f"count(*) from {table}" for table in ("songplays", "page_views"))]
    counts += ["count(*) from users", "count(*) from users where level = 'paid'", "count(*) from time"]
    counts += ["count(*) from songs", "count(*) from artists", "count(song_id) from songplays"]
    counts += ["count(artist_id) from songplays"]
    found = [f"{int(ask(f'select {count}')[0][0]):,}" for count in counts]
    assert re.findall(r"[\d,]*\d", " ".join(cells)) == found


def test_command_on_postgresql_runs(generated: Path, postgres: Server) -> None:
    """The command for PostgreSQL loads a database, given its URL."""
    assert generated == Path.cwd()
    [command] = [command for command in COMMANDS if "postgresql://" in command]
    with postgres.database() as url:
        run(command.replace("postgresql://user@host:5432/dbname", url))


def test_commands_of_the_cluster_run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README sets up a warehouse in AWS and tears it down; tests/warehouse/redshift/test_login.py loads it."""
    monkeypatch.setattr(addresses, "mine", lambda: "198.51.100.7")
    setup, load, teardown = (command for command in COMMANDS if "cluster" in command or "redshift" in command)
    assert cluster(*shlex.split(setup)[2:], answer="y\n").code == 0
    assert parser().parse_args(shlex.split(load)[1:]).warehouse == "redshift://"
    assert cluster(*shlex.split(teardown)[2:], answer="y\ny\n").code == 0
