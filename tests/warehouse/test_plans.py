"""How PostgreSQL finds the rows of a batch: its plans for every statement of a run, with the rows that they met."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.promises import deliveries
from tests.promises.records import play, song
from tests.support.postgres import Server
from tests.support.sandbox import Sandbox

from sparkify.warehouse.postgres import Postgres

Plan = dict[str, Any]

FACTS = {"songplays", "page_views", "time"}
MANY = 1000  # rows; a night of the test has fewer, and each table of facts has more
TRACKED = """
load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_analyze = on;
set auto_explain.log_timing = off;
set auto_explain.log_format = json;
set auto_explain.log_level = warning;
"""
HISTORY = """
insert into tracks
select md5(length(title) || ':' || title || length(artist) || ':' || artist || duration), title, artist, duration
from (select 'Title ' || n as title, 'Artist ' || n % 500 as artist, 100 + n % 200 as duration
    from generate_series(1, 20000) as n) as played;
insert into users (user_id, level, last_seen_at, last_session_id, last_item_in_session)
select n, 'free', '2018-01-01', 1, 1 from generate_series(1000, 1999) as n;
insert into songplays (songplay_id, start_time, user_id, level, session_id, item_in_session, track_id)
select n || '-' || n % 500 || '-0-' || 1000 + n % 1000, '2018-01-01'::timestamp + n * interval '1 minute',
    1000 + n % 1000, 'free', n % 500, 0, track_id
from generate_series(1, 200000) as n
join tracks on title = 'Title ' || 1 + n % 20000;
insert into page_views (page_view_id, start_time, user_id, level, page, session_id, item_in_session)
select n || '-' || n % 500 || '-1-' || 1000 + n % 1000, '2018-01-01'::timestamp + n * interval '5 minutes',
    1000 + n % 1000, 'free', 'Home', n % 500, 1
from generate_series(1, 40000) as n;
insert into time select start_time, 0, 0, 0, 0, 0, 0
from (select start_time from songplays union select start_time from page_views except select start_time from time) as t;
vacuum analyze;
"""
NIGHT = 1_541_030_400_000  # 2018-11-01, after all of the history


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Return the list to which the server adds its plan of each statement of a run."""
    connect, plans = Postgres._open, list[Plan]()

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        _, _, plan = (diagnostic.message_primary or "").partition("plan:\n")
        plans.append(json.loads(plan))

    def tracked(engine: Postgres) -> psycopg.Connection:
        connection = connect(engine)
        connection.execute(TRACKED)
        connection.add_notice_handler(note)
        return connection

    monkeypatch.setattr(Postgres, "_open", tracked)
    return plans


@pytest.fixture
def large(postgres: Server, tmp_path: Path) -> Iterator[Sandbox]:
    """Return a warehouse with 200,000 plays of 20,000 tracks."""
    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliveries.first(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
        with psycopg.connect(url, autocommit=True, options="-c search_path=sparkify") as connection:
            for statement in HISTORY.split(";\n"):
                connection.execute(statement.encode())
        yield warehouse


def nodes(plan: Plan) -> Iterator[Plan]:
    """Yield the nodes of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def compares(loop: Plan) -> int:
    """Return how many pairs of rows a nested loop compares, at least as the server expects; 0 if it uses an index."""
    _, inner = loop["Plans"]
    if any("Index Cond" in node for node in nodes(inner)):
        return 0
    return int(max(loop["Plan Rows"], inner["Actual Loops"] * inner["Actual Rows"]))


def costly(plans: list[Plan]) -> list[str]:
    """Return the scans of whole facts, and the nested loops that compare many rows."""
    found = []
    for plan in plans:
        for node in nodes(plan["Plan"]):
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in FACTS:
                found.append(f"{node['Node Type']} of {node['Relation Name']}: {plan['Query Text']}")
            if node["Node Type"] == "Nested Loop" and (compared := compares(node)) > MANY:
                found.append(f"Nested Loop over {compared} rows: {plan['Query Text']}")
    return found


def night(warehouse: Sandbox, **changes: Any) -> None:
    """Deliver a night of 300 plays by 100 users of known tracks, in 100 files."""
    for file in range(1, 101):
        track = {"song": f"Title {file}", "artist": f"Artist {file % 500}", "length": 100 + file % 200}
        events = [
            play(**{
                "ts": NIGHT + 1000 * (3 * file + item), "sessionId": file, "itemInSession": item,
                "userId": str(1000 + file), **track, **changes,
            })
            for item in range(3)
        ]  # fmt: skip
        (warehouse.log_data / f"night-{file}.json").write_text("\n".join(events))


def test_no_statement_of_a_night_reads_the_history(large: Sandbox, plans: list[Plan]) -> None:
    """A night, its correction and late songs are loaded without a scan of a fact, or a nested loop over many rows."""
    plans.clear()
    night(large)
    large.etl()
    night(large, userAgent="corrected")
    large.etl()
    night(large, song="Title 7777")
    large.etl()
    for number in range(1, 100):
        late = song(
            song_id=f"SOLATE{number}", title=f"Title {number}", artist_name=f"Artist {number}", duration=100 + number
        )
        (large.song_data / f"late-{number}.json").write_text(late)
    assert large.etl().run.counts.songs == 99
    assert {"songplays", "tracks", "new_tracks"} <= {
        node.get("Relation Name") for p in plans for node in nodes(p["Plan"])
    }
    assert costly(plans) == []
    assert large.query("select count(*) from songplays where song_id like 'SOLATE%'") == [(99 * 10,)]
    assert large.failed_checks() == []
