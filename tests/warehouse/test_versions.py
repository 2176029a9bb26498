"""A warehouse states the versions by which it was filled, and is never mixed with another."""

from __future__ import annotations

import re
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ENGINES
from tests.promises.deliveries import play, write
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.config import Rules
from sparkify.errors import WarehouseError
from sparkify.pipeline import batch
from sparkify.sql import loader
from sparkify.staging.reader import stage
from sparkify.staging.session import Findings
from sparkify.warehouse import install
from sparkify.warehouse.install import LAYOUT, contract_version

TABLES = "1 0e041715"
"""The version of the layout, and a digest of the statements that create its tables."""

LAYOUTS = {
    "not stored": "alter table etl_runs drop column layout",
    "another": f"update etl_runs set layout = {LAYOUT + 1}",
}
COMMANDS = ("etl", "etl --dry-run", "status", "check", "report --out {0}/r.html", "export --out {0}/out")


def run(command: str, warehouse: Sandbox, folder: Path) -> int:
    """Run a command on a warehouse and its folders."""
    words = command.format(folder).split()
    sources = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
    return main([*words, "--warehouse", warehouse.url, *(sources if words[0] == "etl" else [])])


@pytest.mark.parametrize("how", LAYOUTS)
def test_warehouse_of_another_layout_is_refused_and_rebuilt(
    warehouse: Sandbox, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command refuses a warehouse of another layout, and the commands that it then names load it again."""
    deliver(warehouse)
    expected = warehouse.contents()
    warehouse.execute(LAYOUTS[how])
    stored = 0 if how == "not stored" else LAYOUT + 1
    for command in (*COMMANDS, "etl --full-refresh"):
        assert run(command, warehouse, tmp_path) == 1, command
        said = capsys.readouterr().err
        assert f"have layout {stored}, but this version of sparkify needs layout {LAYOUT}." in said, command
        assert re.findall("`sparkify (.+?)`", said) == ["create-tables", "etl"]
    assert run("create-tables --yes", warehouse, tmp_path) == 0
    assert run("etl", warehouse, tmp_path) == 0
    assert warehouse.contents() == expected
    assert warehouse.query("select distinct layout from etl_runs") == [(LAYOUT,)]


def test_table_that_has_lost_a_column_is_called_ours(
    warehouse: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table from which somebody dropped a column is not called another program's, and can be made again."""
    deliver(warehouse)
    expected = warehouse.contents()
    warehouse.execute("alter table catalogue drop column year")
    assert run("etl", warehouse, tmp_path) == 1
    said = capsys.readouterr().err
    assert "the table catalogue has lost its column year since sparkify created it." in said
    assert re.findall("`sparkify (.+?)`", said) == ["create-tables", "etl"]
    assert run("create-tables --yes", warehouse, tmp_path) == 0
    assert run("etl", warehouse, tmp_path) == 0
    assert warehouse.contents() == expected


def test_warehouse_of_another_contract_is_refused_and_rebuilt(
    warehouse: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command refuses a warehouse that was filled under other settings, and a full refresh applies them."""
    deliver(warehouse)
    before = contract_version(Rules())
    monkeypatch.setenv("SPARKIFY_CONTRACT_EARLIEST", "2001-02-03")
    now = contract_version(Rules(earliest=date(2001, 2, 3)))
    for command in COMMANDS:
        assert run(command, warehouse, tmp_path) == 1, command
        said = capsys.readouterr().err
        assert f"filled under contract {before}, but the current one is contract {now}." in said, command
        assert re.findall("`sparkify (.+?)`", said) == ["etl --full-refresh"]
    assert run("etl --full-refresh", warehouse, tmp_path) == 0
    for command in COMMANDS:
        assert run(command, warehouse, tmp_path) == 0, command
    assert warehouse.query("select contract from etl_runs order by started_at") == [(before,), (now,)]


def test_settings_are_blamed_only_for_a_contract_that_differs_in_nothing_else(
    warehouse: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """[CONTRACT] is named as the cause if it is, and not if this version of sparkify judges records otherwise."""
    deliver(warehouse)
    for number, earliest in ((install.CONTRACT, "2001-02-03"), (install.CONTRACT + 1, "2000-01-01")):
        monkeypatch.setattr(install, "CONTRACT", number)
        monkeypatch.setenv("SPARKIFY_CONTRACT_EARLIEST", earliest)
        assert run("status", warehouse, tmp_path) == 1
        is_blamed = "Correct [CONTRACT]" in capsys.readouterr().err
        assert is_blamed == (earliest == "2001-02-03")


@pytest.mark.parametrize("make_warehouse", ["postgresql", "redshift"], indirect=True)
def test_contracts_of_two_runs_at_once_are_not_mixed(
    delivered: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run publishes nothing if, since it began, another one has filled the warehouse under another contract."""
    other = Sandbox(delivered.url, tmp_path / "other")
    other.environ = {**delivered.environ, "SPARKIFY_CONTRACT_EARLIEST": "2001-02-03"}
    write(other.log_data / "other.json", play(1))

    def read_after_the_other(*files: Any, **settings: Any) -> Findings:
        monkeypatch.setattr(batch, "stage", stage)
        other.etl()
        return stage(*files, **settings)

    monkeypatch.setattr(batch, "stage", read_after_the_other)
    with pytest.raises(WarehouseError, match=r"was filled under contract .*2001-02-03"):
        delivered.etl()
    assert delivered.query("select count(*), count(distinct contract) from etl_runs") == [(1, 1)]
    assert delivered.query("select count(*) from etl_files") == [(1,)]


def test_contract_version_comprises_its_settings() -> None:
    """Two contracts have one version only if they judge every record alike."""
    versions = [
        Rules(),
        Rules(levels=("free",)),
        Rules(earliest=date(1999, 1, 1)),
    ]
    assert len(set(map(contract_version, versions))) == len(versions)
    assert contract_version(Rules(levels=("paid", "free"))) == contract_version(Rules())


def test_layout_version_is_raised_with_every_change_of_a_table() -> None:
    """The statements that create the tables belong to the current layout, unless that is not yet released."""
    tables = (loader.read(f"tables/{name}", engine) for engine in ENGINES for name in loader.names("tables"))
    statements = "\n".join(re.sub("(?m)^--.*\n", "", table) for table in tables)
    found = f"{LAYOUT} {sha256(statements.encode()).hexdigest()[:8]}"
    assert found == TABLES, "Raise LAYOUT if a release has the old tables. Then correct TABLES here."
