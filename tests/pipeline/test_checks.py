"""Each check finds the fault that it is for, and passes on a correct warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.promises import deliveries
from tests.support.killing import FAULT
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.errors import CheckFailed
from sparkify.pipeline import checks, transform
from sparkify.sql import loader
from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.connect import open_warehouse


class Case(NamedTuple):
    """One offending row, and what reports it."""

    check: str
    planted: str  # the statement that makes it
    also: tuple[str, ...] = ()  # other checks that see the same row


PLAY = "songplay_id = (select min(songplay_id) from songplays where song_id is not null)"
VIEW = "page_view_id = (select min(page_view_id) from page_views)"
TRACK_DIFFERS = ("every_play_agrees_with_its_track",)

CASES = [
    Case("artist_ids_are_unique", "insert into artists select * from artists where artist_id = 'ARKNOWN'"),
    Case("artist_ids_are_unique", "insert into artists (name) values ('nobody')"),
    Case("catalogue_song_ids_are_unique", "insert into catalogue select * from catalogue where song_id = 'SOHEARD'"),
    Case("catalogue_song_ids_are_unique", "insert into catalogue (title) values ('untitled')"),
    Case("files_are_in_the_ledger_once", "insert into etl_files select * from etl_files limit 1"),
    Case("every_page_view_has_its_time", f"update page_views set start_time = '2018-01-01' where {VIEW}"),
    Case("every_page_view_has_its_user", f"update page_views set user_id = 'ghost' where {VIEW}"),
    Case("every_play_has_its_artist", f"update songplays set artist_id = 'ghost' where {PLAY}", TRACK_DIFFERS),
    Case("every_play_has_its_song", f"update songplays set song_id = 'ghost' where {PLAY}", TRACK_DIFFERS),
    Case("every_play_has_its_time", f"update songplays set start_time = '2018-01-01' where {PLAY}"),
    Case("every_play_has_its_track", f"update songplays set track_id = 'ghost' where {PLAY}"),
    Case("every_play_has_its_track", f"update songplays set track_id = null where {PLAY}"),
    Case("every_play_has_its_user", f"update songplays set user_id = 'ghost' where {PLAY}"),
    Case("every_play_has_its_user", f"update songplays set user_id = null where {PLAY}"),
    Case("every_play_agrees_with_its_track", f"update songplays set song_id = null where {PLAY}"),
    Case("every_play_agrees_with_its_track", f"update songplays set artist_id = null where {PLAY}"),
    Case("every_song_has_its_artist", "insert into songs (song_id, artist_id) values ('SONEW', 'ghost')"),
    Case("every_track_has_its_artist", "insert into tracks (track_id, artist_id) values ('new', 'ghost')"),
    Case("every_track_has_its_song", "insert into tracks (track_id, song_id) values ('new', 'ghost')"),
    Case("files_balance", "update etl_files set read = read + 1 where path = (select min(path) from etl_files)"),
    Case("files_balance", "update etl_files set rejected = 9 where path = (select max(path) from etl_files)"),
    Case("page_view_ids_are_unique", f"insert into page_views select * from page_views where {VIEW}"),
    Case("page_view_ids_are_unique", f"update page_views set page_view_id = null where {VIEW}"),
    Case("runs_balance", "insert into etl_runs select * replace (songplays + 1 as songplays) from etl_runs limit 1"),
    Case("runs_balance", "insert into etl_runs select * replace (songs_read + 1 as songs_read) from etl_runs limit 1"),
    Case("song_ids_are_unique", "insert into songs select * from songs where song_id = 'SOHEARD'"),
    Case("song_ids_are_unique", "insert into songs (title) values ('untitled')"),
    Case("songplay_ids_are_unique", f"insert into songplays select * from songplays where {PLAY}"),
    Case("songplay_ids_are_unique", f"update songplays set songplay_id = null where {PLAY}"),
    Case("start_times_are_unique", "insert into time select * from time limit 1"),
    Case("track_ids_are_unique", "insert into tracks select * from tracks where title = 'Heard'"),
    Case("track_ids_are_unique", "insert into tracks (title) values ('unknown')"),
    Case("user_ids_are_unique", "insert into users select * from users where user_id = '1'"),
    Case("user_ids_are_unique", "insert into users (level) values ('free')"),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Return a warehouse that holds both deliveries: no test of this file may change it."""
    folder = tmp_path_factory.mktemp("checks")
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder)
    for deliver in (deliveries.first, deliveries.second):
        deliver(warehouse.log_data, warehouse.song_data)
        warehouse.etl()
    return warehouse


@pytest.fixture
def engine(loaded: Sandbox) -> Iterator[Warehouse]:
    """Open the warehouse, and roll back the changes of the test at its end."""
    with open_warehouse(loaded.url) as engine:
        engine.execute("begin")
        yield engine
        engine.execute("rollback")


def test_every_check_has_its_case() -> None:
    """Every check has a case in which it fails."""
    assert {case.check for case in CASES} == set(loader.names("checks"))


def test_loaded_warehouse_passes_every_check(engine: Warehouse) -> None:
    """Every check passes on a warehouse that a run has loaded."""
    assert checks.offences(engine) == {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.planted.partition(' where ')[0]}")
def test_check_finds_its_row_and_nothing_else_does(engine: Warehouse, case: Case) -> None:
    """One bad row is one row of the check for it, and of no other check."""
    engine.execute(case.planted)
    found = checks.offences(engine)
    assert set(found) == {case.check, *case.also}
    assert len(found[case.check][1]) == 1


def test_message_names_the_check_and_its_rows(engine: Warehouse) -> None:
    """The message of a failed check names the check, and each row with its columns."""
    engine.execute("insert into tracks (track_id, song_id) values ('new', 'ghost')")
    with pytest.raises(CheckFailed) as failed:
        checks.check_batch(engine)
    first, *rows, advice = str(failed.value).splitlines()
    assert "every track has its song" in first
    assert rows == ["  track_id = new, song_id = ghost"]
    assert "Correct these rows" in advice


def test_message_shows_ten_rows_and_counts_the_others(engine: Warehouse) -> None:
    """The message of a failed check shows at most ten rows, and counts the others."""
    engine.execute("insert into tracks (track_id, song_id) select 'new' || n, 'ghost' from range(1234) as r(n)")
    with pytest.raises(CheckFailed) as failed:
        checks.check_batch(engine)
    first, *rows, last, _ = str(failed.value).splitlines()
    assert "1234" in first.replace(",", "")
    assert len(rows) == 10
    assert "1224" in last.replace(",", "")


@pytest.mark.parametrize("planted", [FAULT, "insert into songs (title) values ('x')"])
def test_run_fails_on_an_earlier_fault_in_a_dimension(warehouse: Sandbox, planted: str) -> None:
    """A bad row in a dimension fails the next run, which changes nothing."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    warehouse.execute(planted)
    deliveries.write(warehouse.log_data / "9.json", deliveries.view(200, user="9"))
    with pytest.raises(CheckFailed):
        warehouse.etl()
    assert warehouse.query("select count(*) from page_views where user_id = '9'") == [(0,)]


@pytest.mark.parametrize("events", [True, False])
def test_run_with_songs_checks_the_plays_that_they_match(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, *, events: bool
) -> None:
    """A run that loads songs checks the plays of the tracks that they match, whenever these were played."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    monkeypatch.setattr(transform, "_match_known_plays", lambda _: None)
    deliveries.write(warehouse.song_data / "late.json", deliveries.song("SOLATE", deliveries.LATE, "ARTARDY"))
    if events:
        deliveries.write(warehouse.log_data / "9.json", deliveries.view(60, user="9"))
    before = warehouse.contents()
    with pytest.raises(CheckFailed, match="every play agrees with its track"):
        warehouse.etl()
    assert warehouse.contents() == before


def test_check_command_lists_every_check(warehouse: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """`sparkify check` lists every check and its result, shows bad rows on stderr, and ends with exit code 3."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    assert main(["check", "--warehouse", warehouse.url]) == 0
    capsys.readouterr()
    warehouse.execute(FAULT)
    assert main(["check", "--warehouse", warehouse.url]) == 3
    output = capsys.readouterr()
    names = [name.replace("_", " ") for name in loader.names("checks")]
    found = [line.split(maxsplit=1) for line in output.out.splitlines()]
    assert found == [["FAILED" if name == "user ids are unique" else "ok", name] for name in names]
    assert "user_id = null, times = 1" in output.err


def test_check_command_lists_every_check_as_json(loaded: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """`sparkify check --json` lists every check, whether it passed, and how many rows fail it."""
    assert main(["check", "--json", "--warehouse", loaded.url]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"check": name, "passed": True, "offending_rows": 0} for name in loader.names("checks")
    ]


def test_check_command_is_json_for_a_failure_too(warehouse: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed check is JSON on stdout, text on stderr, and exit code 3."""
    warehouse.etl()
    warehouse.execute(FAULT)
    assert main(["check", "--json", "--warehouse", warehouse.url]) == 3
    failed = [check for check in json.loads(capsys.readouterr().out) if not check["passed"]]
    assert failed == [{"check": "user_ids_are_unique", "passed": False, "offending_rows": 1}]


@pytest.mark.parametrize("name", loader.names("checks"))
def test_period_of_a_check_is_written_into_it(name: str) -> None:
    """Every check that reads facts reads those of the given period alone, which its statement holds as literals."""
    facts = {"songplays", "page_views", "time"} & loader.reads(loader.read(f"checks/{name}", "duckdb"))
    statement = checks.statement(name, "duckdb", [("2018-11-01", "2018-11-02")])
    assert ("timestamp '2018-11-01' and timestamp '2018-11-02'" in statement) == bool(facts)
    assert "9999" not in statement
