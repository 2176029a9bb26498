"""How DuckDB finds the rows of a batch: the row groups that each statement of a run scans, as DuckDB counts them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.promises import deliveries
from tests.promises.records import play
from tests.support.sandbox import Sandbox

from sparkify.warehouse.duckdb import DuckDB

FACTS = {"songplays", "page_views", "time"}
HISTORY = """
insert into songplays (songplay_id, start_time, user_id, level, session_id, item_in_session, track_id)
select n || '-' || n % 500 || '-0-1', timestamp '2014-01-01' + to_minutes(n), '1', 'free', n % 500, 0,
    md5(cast(n % 20000 as varchar))
from range(1000000) as minutes (n);
insert into tracks select md5(cast(n as varchar)), 'Title ' || n, 'Artist ' || n % 500, 100, null, null
from range(20000) as tracks (n);
insert into page_views (page_view_id, start_time, user_id, level, page, session_id, item_in_session)
select n || '-' || n % 500 || '-1-1', timestamp '2014-01-01' + to_minutes(n), '1', 'free', 'Home', n % 500, 1
from range(1000000) as minutes (n);
insert into time select timestamp '2014-01-01' + to_minutes(n), 0, 0, 0, 0, 0, 0 from range(1000000) as minutes (n);
checkpoint
"""
NIGHT = 1_541_030_400_000  # 2018-11-01, after all of the history


class Scan(NamedTuple):
    """A scan of a table in a statement."""

    table: str
    scanned: int
    row_groups: int
    sql: str


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Scan]:
    """Return the list to which DuckDB adds the scans of each statement of a run."""
    profile, scans = tmp_path / "profile.json", list[Scan]()

    def scans_of(node: dict[str, Any], sql: str) -> Iterator[Scan]:
        if node.get("type") == "TABLE_SCAN":
            table = str(node["extra_info"].get("Table", "")).rpartition(".")[2].strip('"')
            yield Scan(table, node.get("row_groups_scanned", 0), node.get("total_row_groups_to_scan", 0), sql)
        for below in node.get("children", ()):
            yield from scans_of(below, sql)

    def profiled(name: str) -> None:
        run = getattr(DuckDB, name)

        def wrapper(self: DuckDB, sql: str, parameters: Sequence[Any] = ()) -> Any:
            for setting in ("enable_profiling = 'json'", f"profiling_output = '{profile}'"):
                self.embedded.execute(f"set {setting}")
            profile.unlink(missing_ok=True)
            result = run(self, sql, parameters)
            self.embedded.execute("set enable_profiling = 'no_output'")
            if profile.exists():
                scans.extend(
                    scan for root in json.loads(profile.read_text())["operator"] for scan in scans_of(root, sql)
                )
            return result

        monkeypatch.setattr(DuckDB, name, wrapper)

    profiled("execute")
    profiled("query")
    return scans


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_no_statement_of_a_night_scans_the_history(warehouse: Sandbox, scans: list[Scan]) -> None:
    """A night, and its days delivered again, skip the row groups of other times in each table of facts."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    for statement in HISTORY.split(";\n"):
        warehouse.execute(statement)
    for again in range(2):
        scans.clear()
        plays = [play(ts=NIGHT + 1000 * item, sessionId=9, itemInSession=item) for item in range(300)]
        (warehouse.log_data / "night.json").write_text("\n".join([*plays, *([""] * again)]))
        counts = warehouse.etl().run.counts
        assert (counts.songplays, counts.events_duplicate) == ((0, 300) if again else (300, 0))
        of_facts = [scan for scan in scans if scan.table in FACTS]
        assert {scan.table for scan in of_facts} == FACTS
        assert max(scan.row_groups for scan in of_facts) > 8
        assert [scan for scan in of_facts if scan.scanned > 2] == []
