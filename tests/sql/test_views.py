"""The views say what their definitions say: held against rows that were counted by hand, on every engine."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import START, play, view, write
from tests.support.listening import DAY, EVENTS, deliver
from tests.support.postgres import Server
from tests.support.sandbox import Row, Sandbox

from sparkify.errors import WarehouseError
from sparkify.sql import dictionary, loader, model, selection
from sparkify.sql.selection import Selection, select
from sparkify.warehouse import install
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_tables


def at(second: int) -> datetime:
    """Return the time some seconds after the start."""
    return datetime.fromisoformat("2018-11-01 20:57:10.796") + timedelta(seconds=second)


def nov(day: int) -> date:
    """Return a day of November 2018; 0 and less are in October."""
    return date(2018, 10, 31) + timedelta(days=day)


HOURS_HEARD = 200.5 / 3600
HOURS_LOST = 12.0 / 3600

EXPECTED: dict[str, list[Row]] = {
    "sessions": [
        (11, "1", at(0), at(180), 3.0, 2, 2),
        (12, "1", at(9 * DAY), at(9 * DAY), 0.0, 1, 0),
        (21, "2", at(DAY), at(DAY + 10), 10 / 60, 1, 1),
        (22, "2", at(8 * DAY), at(8 * DAY + 3600), 60.0, 2, 0),
        (31, "3", at(DAY + 20), at(DAY + 25), 5 / 60, 0, 2),
        (41, "4", at(200), at(200), 0.0, 1, 0),
        (42, "4", at(12 * DAY), at(12 * DAY), 0.0, 1, 0),
        (51, "5", at(9 * DAY + 100), at(9 * DAY + 100), 0.0, 1, 0),
    ],
    "daily_listeners": [
        (nov(1), 3, 2, 2, 2, 1.0),
        (nov(2), 1, 1, 3, 3, 1 / 3),
        (nov(3), 0, 0, 3, 3, 0.0),
        (nov(4), 0, 0, 3, 3, 0.0),
        (nov(5), 0, 0, 3, 3, 0.0),
        (nov(6), 0, 0, 3, 3, 0.0),
        (nov(7), 0, 0, 3, 3, 0.0),
        (nov(8), 0, 0, 1, 3, 0.0),
        (nov(9), 2, 1, 1, 3, 1 / 3),
        (nov(10), 2, 2, 3, 4, 0.5),
        (nov(11), 0, 0, 3, 4, 0.0),
        (nov(12), 0, 0, 3, 4, 0.0),
        (nov(13), 1, 1, 4, 4, 0.25),
    ],
    "weekly_retention": [
        (nov(-2), 0, 3, 3, 1.0),
        (nov(-2), 1, 3, 2, 2 / 3),
        (nov(-2), 2, 3, 1, 1 / 3),
        (nov(5), 0, 1, 1, 1.0),
        (nov(5), 1, 1, 0, 0.0),
    ],
    "level_history": [
        ("1", "free", at(0), at(180), None),
        ("1", "free", at(9 * DAY), None, "paid"),
        ("1", "paid", at(180), at(9 * DAY), "free"),
        ("2", "paid", at(DAY), None, None),
        ("3", "free", at(DAY + 20), None, None),
        ("4", "free", at(200), None, None),
        ("5", "free", at(9 * DAY + 100), None, None),
    ],
    "daily_levels": [
        (nov(1), 2, 1, 1, 1, 0),
        (nov(2), 4, 2, 2, 0, 0),
        (nov(9), 4, 2, 2, 0, 0),
        (nov(10), 5, 4, 1, 0, 1),
        (nov(13), 5, 4, 1, 0, 0),
    ],
    "weekly_churn": [
        (nov(-2), 3, 3, 0, 0, 0, None),
        (nov(5), 3, 1, 2, 0, 1, 1 / 3),
        (nov(12), 1, 0, 0, 1, 3, 1.0),
    ],
    "upgrade_funnel": [
        (1, "Free", 4, 1.0, None),
        (2, "Upgrade page", 2, 0.5, 0.5),
        (3, "Submitted", 1, 0.25, 0.5),
        (4, "Paid", 1, 0.25, 1.0),
    ],
    "top_tracks": [
        (1, "Heard", "Known", 5, 3, 5 * HOURS_HEARD, at(0), at(9 * DAY + 100)),
        (2, "Lost", "Known", 3, 2, 3 * HOURS_LOST, at(200), at(12 * DAY)),
        (3, "Late", "Tardy", 1, 1, 99.25 / 3600, at(DAY), at(DAY)),
    ],
    "top_artists": [
        (1, "Known", 8, 4, 2, 5 * HOURS_HEARD + 3 * HOURS_LOST),
        (2, "Tardy", 1, 1, 1, 99.25 / 3600),
    ],
    "listening_by_hour": [
        (2, 20, 1, 1),
        (4, 20, 1, 1),
        (4, 21, 2, 2),
        (5, 20, 2, 1),
        (5, 21, 1, 1),
        (6, 20, 2, 2),
    ],
    "listening_by_region": [
        ("CA", 3, 1),
        ("NJ", 4, 2),
        ("NY", 3, 1),
        ("PA", 3, 1),
        ("unknown", 2, 1),
    ],
    "listening_by_device": [
        ("Mac", "Chrome", 3, 1),
        ("Windows", "Firefox", 1, 1),
        ("iPhone", "Safari", 3, 1),
        ("unknown", "unknown", 2, 1),
    ],
    "page_errors": [(nov(1), 2, 0, 0, 0.0), (nov(2), 4, 1, 1, 0.25)],
    "match_rate": [
        (nov(1), 3, 2, 3, 2 / 3, 1.0),
        (nov(2), 1, 0, 0, 0.0, 0.0),
        (nov(9), 2, 2, 2, 1.0, 1.0),
        (nov(10), 2, 1, 2, 0.5, 1.0),
        (nov(13), 1, 0, 1, 0.0, 1.0),
    ],
}
BY_HAND = ("events", "freshness")  # have tests of their own


def test_every_view_has_rows_counted_by_hand() -> None:
    """Whoever adds a view adds its rows here."""
    assert {*EXPECTED, *BY_HAND} == set(model.VIEWS)


def same(found: list[Row], expected: list[Row]) -> bool:
    """Tell whether two lists hold the same rows, in any order, numbers to the twelfth digit."""
    return _rounded(found) == _rounded(expected)


def _rounded(rows: list[Row]) -> list[str]:
    return sorted(str([f"{value:.12g}" if isinstance(value, float) else value for value in row]) for row in rows)


def test_views_hold_the_rows_counted_by_hand(warehouse: Sandbox) -> None:
    """Each view over the fortnight of tests/listening.py holds exactly the rows that its definition gives."""
    deliver(warehouse)
    for name, expected in EXPECTED.items():
        found = warehouse.query(f"select * from {name}")
        assert same(found, expected), (name, found)


def test_events_are_plays_and_page_views_in_one_shape(warehouse: Sandbox) -> None:
    """Every record delivered is an event, with its page and its place in the session."""
    deliver(warehouse)
    found = warehouse.query("select start_time, user_id, page, session_id, item_in_session from events")
    assert sorted(found, key=str) == sorted(
        (
            (
                at((event["ts"] - START) // 1000),
                event["userId"],
                event["page"],
                event["sessionId"],
                event["itemInSession"],
            )
            for event in EVENTS
        ),
        key=str,
    )


def test_freshness_says_until_when_and_since_when(warehouse: Sandbox) -> None:
    """Freshness is one row: first and last event, last play, last load, files, and the records of them refused."""
    deliver(warehouse)
    [(oldest, newest, newest_play, loaded, files, rejected)] = warehouse.query("select * from freshness")
    assert (oldest, newest, newest_play, files, rejected) == (at(0), at(12 * DAY), at(12 * DAY), 2, 1)
    assert [(loaded,)] == warehouse.query("select max(loaded_at) from etl_files")
    write(warehouse.log_data / "later.json", "[]", "{broken")
    warehouse.etl()
    assert warehouse.query("select files, rejected from freshness") == [(3, 3)]


def test_week_without_a_play_loses_those_of_the_week_before(warehouse: Sandbox) -> None:
    """Of three weeks without any play, the first has its rows: nobody came, and all of the week before are lost."""
    write(warehouse.log_data / "events.json", play(0, "1"), play(60, "2"), play(28 * DAY, "1"))
    warehouse.etl()
    assert same(
        warehouse.query("select * from weekly_churn"),
        [(nov(-2), 2, 2, 0, 0, 0, None), (nov(5), 0, 0, 0, 0, 2, 1.0), (nov(26), 1, 0, 0, 1, 0, None)],
    )
    assert same(
        warehouse.query("select * from weekly_retention"),
        [(nov(-2), 0, 2, 2, 1.0), (nov(-2), 1, 2, 0, 0.0), (nov(-2), 4, 2, 1, 0.5)],
    )


KHTML = "(KHTML, like Gecko)"
AGENTS = [
    (f"(Linux; Android 10) AppleWebKit/537.36 {KHTML} Chrome/100 Safari/537.36 EdgA/100", ("Android", "Edge")),
    (f"(iPhone; CPU OS 15 like Mac OS X) AppleWebKit/605 {KHTML} EdgiOS/100 Safari/604", ("iPhone", "Edge")),
    (f"(iPad; CPU OS 15 like Mac OS X) AppleWebKit/605 {KHTML} Safari/604 OPT/3.3", ("iPad", "Opera")),
    ("(Windows Phone 8.1; Android 4.0; Trident/7.0) like iPhone OS 7", ("Windows", "Internet Explorer")),
]


@pytest.mark.parametrize(("agent", "named"), AGENTS)
def test_browser_is_named_by_its_own_name(agent: str, named: tuple[str, str], warehouse: Sandbox) -> None:
    """A browser that names others too, for sites that ask for them, is none of those."""
    write(warehouse.log_data / "events.json", play(0, userAgent=f"Mozilla/5.0 {agent}"))
    warehouse.etl()
    assert warehouse.query("select device, browser from listening_by_device") == [named]


def test_level_changes_of_one_millisecond_are_ordered_by_their_item(warehouse: Sandbox) -> None:
    """Of events at the same moment, the place in the session says which level came last, by number and not by text."""
    moment = {"ts": START, "sessionId": -7}
    items = [(2, "free"), (9, "paid"), (10, "free")]
    events = [view(0, "1", level, itemInSession=item, userId="a-1", **moment) for item, level in items]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    found = warehouse.query("select level, level_before, valid_to from level_history")
    assert set(found) == {("free", None, at(0)), ("paid", "free", at(0)), ("free", "paid", None)}


def test_level_that_changes_at_midnight_is_another_days(warehouse: Sandbox) -> None:
    """Who is paid from the first millisecond of a day on was free when the day before ended, and upgraded on this."""
    midnight = START - START % (1000 * DAY) + 1000 * DAY
    write(warehouse.log_data / "events.json", view(0), view(0, "1", "paid", ts=midnight))
    warehouse.etl()
    found = warehouse.query("select day, users, free_users, paid_users, upgrades from daily_levels order by day")
    assert found == [(nov(1), 1, 1, 0, 0), (nov(2), 1, 0, 1, 1)]


def test_way_to_paid_may_take_no_time(warehouse: Sandbox) -> None:
    """Who saw the upgrade page, sent its form and was paid at the same moment got through every step."""
    pages = [("Upgrade", "free"), ("Submit Upgrade", "free"), ("Home", "paid")]
    events = [view(0, "1", level, page=page, itemInSession=item) for item, (page, level) in enumerate(pages)]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    assert warehouse.query("select users from upgrade_funnel order by step") == [(1,)] * 4


def test_who_submits_while_paid_already_is_paid(warehouse: Sandbox) -> None:
    """Paid is any event at that level from the form on, also where the level changed before the form was sent."""
    pages = [("Upgrade", "free"), ("Home", "paid"), ("Submit Upgrade", "paid"), ("Home", "paid")]
    events = [view(second, "1", level, page=page) for second, (page, level) in enumerate(pages)]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    assert warehouse.query("select name, users from upgrade_funnel order by step") == [
        ("Free", 1),
        ("Upgrade page", 1),
        ("Submitted", 1),
        ("Paid", 1),
    ]


def test_user_without_a_level_is_neither_free_nor_paid_nor_counted_with_them(warehouse: Sandbox) -> None:
    """Of users, those count whose level is known: the free and the paid are always all of them."""
    events = [view(0, "1", None), view(60, "2"), view(DAY, "1", "paid"), view(DAY, "3", None)]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    found = warehouse.query("select day, users, free_users, paid_users from daily_levels order by day")
    assert found == [(nov(1), 1, 1, 0), (nov(2), 2, 1, 1)]
    assert "level is known" in dictionary.entry("daily_levels").columns[1].text


@pytest.mark.parametrize("name", model.VIEWS)
def test_views_of_an_empty_warehouse_are_empty(name: str, warehouse: Sandbox) -> None:
    """Before anything is loaded, a view that counts has its one row of nothing, and every other has none."""
    with open_warehouse(warehouse.url) as engine:
        create_tables(engine)
        rows = engine.rows(f"select * from {name}")
    if name == "freshness":
        assert rows == [(None, None, None, None, 0, 0)]
    elif name == "upgrade_funnel":
        assert [row[2] for row in rows] == [0, 0, 0, 0]
    else:
        assert rows == []


# What a selection does, whatever the engine.


def ask(warehouse: Sandbox, name: str, selection: Selection) -> list[Row]:
    """Return the rows of a view over a selection."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return sorted(engine.rows(*select(engine.engine, name, selection)), key=str)


def test_whole_selection_is_the_view(warehouse: Sandbox) -> None:
    """Asked over everything, a view's definition gives the rows of the view in the warehouse."""
    deliver(warehouse)
    for name in model.VIEWS:
        assert same(ask(warehouse, name, selection.EVERYTHING), warehouse.query(f"select * from {name}")), name


def test_period_of_days_keeps_the_windows_before_it(warehouse: Sandbox) -> None:
    """The first day of a period counts the listeners of the 30 days before it, though they are not shown."""
    deliver(warehouse)
    assert ask(warehouse, "daily_listeners", Selection(nov(10), nov(11))) == [
        (nov(10), 2, 2, 3, 4, 0.5),
        (nov(11), 0, 0, 3, 4, 0.0),
    ]


def test_period_of_a_ranking_counts_its_plays_only(warehouse: Sandbox) -> None:
    """Both days of a period count, up to the last millisecond, and nothing outside of them."""
    deliver(warehouse)
    found = ask(warehouse, "top_tracks", Selection(nov(9), nov(10)))
    assert [(row[1], row[3]) for row in found] == [("Heard", 3), ("Lost", 1)]


def test_artist_and_user_are_bound_as_values(warehouse: Sandbox) -> None:
    """An artist is chosen by the exact name, a user by the id, and neither is ever read as SQL."""
    deliver(warehouse)
    assert ask(warehouse, "top_tracks", Selection(artist="Tardy"))[0][1] == "Late"
    assert ask(warehouse, "top_tracks", Selection(artist="' or 1 = 1 --")) == []
    assert [row[1] for row in ask(warehouse, "sessions", Selection(user="2"))] == ["2", "2"]
    assert ask(warehouse, "page_errors", Selection(artist="Tardy")) == []


# How views live in a warehouse.


def test_warehouse_from_before_the_views_gets_them_at_the_next_run(warehouse: Sandbox) -> None:
    """A run makes the views that are missing, even when there is nothing new to load."""
    deliver(warehouse)
    with open_warehouse(warehouse.url) as engine:
        install.drop_views(engine)
    with pytest.raises(WarehouseError):
        warehouse.query("select * from sessions")
    assert warehouse.etl().run.counts.files == 0
    assert len(warehouse.query("select * from sessions")) == len(EXPECTED["sessions"])


def test_view_that_is_defined_otherwise_is_made_anew(warehouse: Sandbox) -> None:
    """A run replaces a view that an older version of ours has made, and those that stand on it go on working."""
    deliver(warehouse)
    with open_warehouse(warehouse.url) as engine:
        engine.execute(
            "create or replace view sessions as " + loader.read("views/sessions", engine.engine) + " having 1 = 0"
        )
        engine.execute("comment on view sessions is 'One row per session. (sparkify 00000000)'")
    assert warehouse.query("select * from sessions") == []
    warehouse.etl()
    assert len(warehouse.query("select * from sessions")) == len(EXPECTED["sessions"])


OLD = (
    "create view sessions as select user_id as who, count(*) as events from songplays group by user_id",
    "comment on view sessions is 'One row per session. (sparkify 00000000)'",
)


def test_view_of_other_columns_is_made_anew(warehouse: Sandbox) -> None:
    """A run replaces a view of ours that had other columns in an older version."""
    deliver(warehouse)
    with open_warehouse(warehouse.url) as engine:
        install.drop_views(engine)
        for statement in OLD:
            engine.execute(statement)
    warehouse.etl()
    assert len(warehouse.query("select * from sessions")) == len(EXPECTED["sessions"])


def test_analysts_view_that_stands_in_the_way_is_told(postgres: Server, tmp_path: Path) -> None:
    """Where a server cannot replace a view since somebody's stands on it, the run says which, and changes nothing."""
    with postgres.database() as url:
        warehouse = Sandbox(url, tmp_path / "warehouse")
        deliver(warehouse)
        with open_warehouse(url) as engine:
            install.drop_views(engine)
            for statement in (*OLD, "create view mine as select who from sessions"):
                engine.execute(statement)
        with pytest.raises(WarehouseError, match=r"view mine depends on view sessions(?s:.*)Drop its dependents"):
            warehouse.etl()
        assert len(warehouse.query("select who from mine")) == 4


@pytest.mark.parametrize("kind", ["table", "view"])
def test_name_that_is_taken_is_told_and_left_alone(kind: str, warehouse: Sandbox) -> None:
    """Something of somebody else's under the name of a view stops the run before it changes anything."""
    with open_warehouse(warehouse.url) as engine:
        engine.execute(f"create {kind} top_tracks as select 42 as answer")
    deliveries.first(warehouse.log_data, warehouse.song_data)
    with pytest.raises(WarehouseError, match=r"top_tracks was not created by sparkify"):
        warehouse.etl()
    assert warehouse.query("select answer from top_tracks") == [(42,)]


def test_views_of_an_analyst_survive_a_full_refresh(warehouse: Sandbox) -> None:
    """A view that somebody has built on our tables and on our views goes on working after a rebuild, on new rows."""
    deliver(warehouse)
    mine = "select p.title, s.level from top_tracks as p cross join songplays as s"
    warehouse.execute(f"create view mine as {mine}")
    before = warehouse.query("select * from mine")
    write(warehouse.log_data / "later.json", play(13 * DAY, song="New"))
    warehouse.etl(full_refresh=True)
    after = warehouse.query("select * from mine")
    assert sorted(after) == sorted(warehouse.query(mine))
    assert len(after) > len(before) > 0


def test_create_tables_makes_the_views_anew(warehouse: Sandbox) -> None:
    """After create-tables, tables are empty, and the views stand on the new ones."""
    deliver(warehouse)
    with open_warehouse(warehouse.url) as engine:
        create_tables(engine)
    assert warehouse.query("select * from sessions") == []
    deliver(warehouse)


def test_values_are_of_the_kinds_that_the_dictionary_says(warehouse: Sandbox) -> None:
    """No view gives a decimal where the dictionary says a whole number or a double."""
    deliver(warehouse)
    kinds: dict[str, type] = {"bigint": int, "integer": int, "double": float, "varchar": str, "date": date}
    for entry in dictionary.entries():
        for row in warehouse.query(f"select * from {entry.name}") if entry.kind == "view" else ():
            for column, value in zip(entry.columns, row, strict=True):
                assert value is None or isinstance(value, kinds.get(column.type, datetime)), (entry.name, column)
