"""Each view holds the rows that its definition describes, counted by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import START, play, view, write
from tests.support.listening import DAY, EVENTS, deliver
from tests.support.sandbox import Row, Sandbox, Warehouses

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
    """Return a day of November 2018; 0 and negative days are in October."""
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
        (nov(1), 3, (2 * 200.5 + 12.0) / 3600, 2, 2, 2, 1.0),
        (nov(2), 1, 99.25 / 3600, 1, 3, 3, 1 / 3),
        (nov(3), 0, 0.0, 0, 3, 3, 0.0),
        (nov(4), 0, 0.0, 0, 3, 3, 0.0),
        (nov(5), 0, 0.0, 0, 3, 3, 0.0),
        (nov(6), 0, 0.0, 0, 3, 3, 0.0),
        (nov(7), 0, 0.0, 0, 3, 3, 0.0),
        (nov(8), 0, 0.0, 0, 1, 3, 0.0),
        (nov(9), 2, 2 * HOURS_HEARD, 1, 1, 3, 1 / 3),
        (nov(10), 2, HOURS_HEARD + HOURS_LOST, 2, 3, 4, 0.5),
        (nov(11), 0, 0.0, 0, 3, 4, 0.0),
        (nov(12), 0, 0.0, 0, 3, 4, 0.0),
        (nov(13), 1, HOURS_LOST, 1, 4, 4, 0.25),
    ],
    "weekly_retention": [(nov(5), 0, 1, 1, 1.0)],
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
    "weekly_paid_churn": [
        (nov(-2), 2, 2, 0, None),
        (nov(5), 1, 0, 1, 0.5),
        (nov(12), 1, 0, 0, 0.0),
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
    "top_listeners": [
        (1, "1", "User 1", None, 3, 2 * HOURS_HEARD + HOURS_LOST, at(9 * DAY)),
        (1, "2", "User 2", None, 3, 2 * HOURS_HEARD + 99.25 / 3600, at(8 * DAY + 3600)),
        (3, "4", "User 4", None, 2, 2 * HOURS_LOST, at(12 * DAY)),
        (4, "5", "User 5", None, 1, HOURS_HEARD, at(9 * DAY + 100)),
    ],
    "listening_by_hour": [
        (2, 20, 1, 1),
        (4, 20, 1, 1),
        (4, 21, 2, 2),
        (5, 20, 2, 1),
        (5, 21, 1, 1),
        (6, 20, 2, 2),
    ],
    "listening_by_state": [
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
    "listening_by_year": [(1999, 5, 3), (None, 4, 3)],
    "daily_page_errors": [(nov(1), 2, 0, 0, 0.0), (nov(2), 4, 1, 1, 0.25)],
    "daily_match_rate": [
        (nov(1), 3, 2, 3, 2 / 3, 1.0),
        (nov(2), 1, 0, 0, 0.0, 0.0),
        (nov(9), 2, 2, 2, 1.0, 1.0),
        (nov(10), 2, 1, 2, 0.5, 1.0),
        (nov(13), 1, 0, 1, 0.0, 1.0),
    ],
}
ELSEWHERE = ("events", "freshness")  # These have tests of their own.


def test_every_view_has_rows_counted_by_hand() -> None:
    """Every view has a test of its rows."""
    counted = {*EXPECTED, *ELSEWHERE}
    assert counted == set(model.VIEWS), "Add the rows of a new view over the fortnight to EXPECTED."


def same(found: list[Row], expected: list[Row]) -> bool:
    """Return whether two lists hold the same rows, in any order, with numbers to the twelfth digit."""
    return _rounded(found) == _rounded(expected)


def _rounded(rows: list[Row]) -> list[str]:
    return sorted(str([f"{value:.12g}" if isinstance(value, float) else value for value in row]) for row in rows)


def test_views_hold_the_rows_counted_by_hand(fortnight: Sandbox) -> None:
    """Each view over the fortnight holds exactly the rows counted by hand."""
    for name, expected in EXPECTED.items():
        found = fortnight.query(f"select * from {name}")
        assert same(found, expected), (name, found)


def test_events_are_plays_and_page_views_in_one_shape(fortnight: Sandbox) -> None:
    """Every record delivered is a row of `events`, with its page and its place in the session."""
    found = fortnight.query("select start_time, user_id, page, session_id, item_in_session from events")
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


def test_freshness_is_one_row(make_warehouse: Warehouses) -> None:
    """`freshness` is one row: first and last event, last play, last load, files, and rejected records."""
    warehouse = make_warehouse.filled(deliver)
    [(oldest, newest, newest_play, loaded, files, rejected)] = warehouse.query("select * from freshness")
    assert (oldest, newest, newest_play, files, rejected) == (at(0), at(12 * DAY), at(12 * DAY), 2, 1)
    assert [(loaded,)] == warehouse.query("select max(loaded_at) from etl_files")
    write(warehouse.log_data / "later.json", "42", "{broken")
    warehouse.etl()
    assert warehouse.query("select files, rejected from freshness") == [(3, 3)]


def test_week_without_plays_loses_the_listeners_of_the_week_before(warehouse: Sandbox) -> None:
    """Of several weeks without plays, the first has a row in which all earlier listeners are lost."""
    plays = [play(0, "0"), play(7 * DAY, "1"), play(7 * DAY + 60, "2"), play(35 * DAY, "1"), play(38 * DAY, "1")]
    write(warehouse.log_data / "events.json", *plays)
    warehouse.etl()
    assert same(
        warehouse.query("select * from weekly_churn"),
        [
            (nov(-2), 1, 1, 0, 0, 0, None),
            (nov(5), 2, 2, 0, 0, 1, 1.0),
            (nov(12), 0, 0, 0, 0, 2, 1.0),
            (nov(33), 1, 0, 0, 1, 0, None),
        ],
    )
    assert same(
        warehouse.query("select * from weekly_retention"),
        [(nov(5), 0, 2, 2, 1.0), (nov(5), 1, 2, 0, 0.0), (nov(5), 4, 2, 1, 0.5)],
    )


def test_retention_counts_finished_weeks_only(warehouse: Sandbox) -> None:
    """A week counts from its Sunday on, whichever event reaches it, and the data's first week has no cohort."""
    write(warehouse.log_data / "1.json", play(0, "0"), play(4 * DAY, "1"), play(11 * DAY, "1"), view(16 * DAY))
    warehouse.etl()
    assert warehouse.query("select * from weekly_retention") == [(nov(5), 0, 1, 1, 1.0)]
    write(warehouse.log_data / "2.json", view(17 * DAY))
    warehouse.etl()
    assert warehouse.query("select cohort_week, weeks_since from weekly_retention order by 2") == [
        (nov(5), 0),
        (nov(5), 1),
    ]


def test_user_who_changes_level_twice_in_a_week_is_neither_lost_nor_gained(warehouse: Sandbox) -> None:
    """A paid user who is free for a day of a week is not lost, and one who is free at its end is."""
    seconds = (0, 7 * DAY, 8 * DAY, 15 * DAY, 21 * DAY)
    levels = ["paid", "free", "paid", "paid", "free"]
    events = [view(second, "1", level) for second, level in zip(seconds, levels, strict=True)]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    assert warehouse.query("select * from weekly_paid_churn order by week") == [
        (nov(-2), 1, 1, 0, None),
        (nov(5), 1, 0, 0, 0.0),
        (nov(12), 1, 0, 0, 0.0),
        (nov(19), 0, 0, 1, 1.0),
    ]


KHTML = "(KHTML, like Gecko)"
AGENTS = [
    (f"(Linux; Android 10) AppleWebKit/537.36 {KHTML} Chrome/100 Safari/537.36 EdgA/100", ("Android", "Edge")),
    (f"(iPhone; CPU OS 15 like Mac OS X) AppleWebKit/605 {KHTML} EdgiOS/100 Safari/604", ("iPhone", "Edge")),
    (f"(iPad; CPU OS 15 like Mac OS X) AppleWebKit/605 {KHTML} Safari/604 OPT/3.3", ("iPad", "Opera")),
    ("(Windows Phone 8.1; Android 4.0; Trident/7.0) like iPhone OS 7", ("Windows", "Internet Explorer")),
]


def test_browser_is_named_by_its_own_name(warehouse: Sandbox) -> None:
    """A browser that claims to be several others is recognised as itself."""
    plays = [play(second, userAgent=f"Mozilla/5.0 {agent}") for second, (agent, _) in enumerate(AGENTS)]
    write(warehouse.log_data / "events.json", *plays)
    warehouse.etl()
    named = warehouse.query("select device, browser from listening_by_device")
    assert sorted(named) == sorted(names for _, names in AGENTS)


def test_level_changes_of_one_millisecond_are_ordered_by_their_item(warehouse: Sandbox) -> None:
    """Of events in one millisecond, the number of the item, not its text, decides which level comes last."""
    moment = {"ts": START, "sessionId": -7}
    items = [(2, "free"), (9, "paid"), (10, "free")]
    events = [view(0, "1", level, itemInSession=item, userId="a-1", **moment) for item, level in items]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    found = warehouse.query("select level, level_before, valid_to from level_history")
    assert set(found) == {("free", None, at(0)), ("paid", "free", at(0)), ("free", "paid", None)}
    assert warehouse.query("select paid_users, gained_paid_users from weekly_paid_churn") == [(0, 0)]


def test_level_that_changes_at_midnight_belongs_to_the_new_day(warehouse: Sandbox) -> None:
    """A user who is paid from the first millisecond of a day was free at the end of the day before."""
    midnight = START - START % (1000 * DAY) + 1000 * DAY
    write(warehouse.log_data / "events.json", view(0), view(0, "1", "paid", ts=midnight))
    warehouse.etl()
    found = warehouse.query("select day, users, free_users, paid_users, upgrades from daily_levels order by day")
    assert found == [(nov(1), 1, 1, 0, 0), (nov(2), 1, 0, 1, 1)]


def test_upgrade_may_take_no_time(warehouse: Sandbox) -> None:
    """A user who passes every step of the upgrade in one moment counts in every step."""
    pages = [("Upgrade", "free"), ("Submit Upgrade", "free"), ("Home", "paid")]
    events = [view(0, "1", level, page=page, itemInSession=item) for item, (page, level) in enumerate(pages)]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    assert warehouse.query("select users from upgrade_funnel order by step") == [(1,)] * 4


def test_user_who_submits_when_already_paid_counts_as_paid(warehouse: Sandbox) -> None:
    """A user whose level changed before the form was submitted counts as paid."""
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


def test_user_without_a_level_is_not_counted(warehouse: Sandbox) -> None:
    """Users without a known level are not counted, so free and paid users are always all users."""
    events = [view(0, "1", None), view(60, "2"), view(DAY, "1", "paid"), view(DAY, "3", None)]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    found = warehouse.query("select day, users, free_users, paid_users from daily_levels order by day")
    assert found == [(nov(1), 1, 1, 0), (nov(2), 2, 1, 1)]
    assert "level is known" in dictionary.entry("daily_levels").columns[1].text


def test_views_of_an_empty_warehouse_are_empty(warehouse: Sandbox) -> None:
    """On an empty warehouse, a view that counts has one row of zeros, and every other view has none."""
    with open_warehouse(warehouse.url) as engine:
        create_tables(engine)
    rows = {name: warehouse.query(f"select * from {name}") for name in model.VIEWS}
    assert rows.pop("freshness") == [(None, None, None, None, 0, 0)]
    assert [row[2] for row in rows.pop("upgrade_funnel")] == [0, 0, 0, 0]
    assert not any(rows.values())


# Selections


def ask(warehouse: Sandbox, name: str, selection: Selection) -> list[Row]:
    """Return the rows of a view over a selection."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return sorted(engine.rows(*select(engine.engine, name, selection)), key=str)


def test_whole_selection_is_the_view(fortnight: Sandbox) -> None:
    """A view's definition over everything gives the rows of the view."""
    for name in model.VIEWS:
        assert same(ask(fortnight, name, selection.EVERYTHING), fortnight.query(f"select * from {name}")), name


def test_period_of_days_keeps_the_windows_before_it(fortnight: Sandbox) -> None:
    """The first day of a period counts the listeners of the 30 days before it."""
    assert ask(fortnight, "daily_listeners", Selection(nov(10), nov(11))) == [
        (nov(10), 2, HOURS_HEARD + HOURS_LOST, 2, 3, 4, 0.5),
        (nov(11), 0, 0.0, 0, 3, 4, 0.0),
    ]


def test_period_of_a_ranking_counts_its_plays_only(fortnight: Sandbox) -> None:
    """A period includes both its days, to the last millisecond, and nothing else."""
    found = ask(fortnight, "top_tracks", Selection(nov(9), nov(10)))
    assert [(row[1], row[3]) for row in found] == [("Heard", 3), ("Lost", 1)]


def test_artist_and_user_are_bound_as_values(fortnight: Sandbox) -> None:
    """An artist is selected by exact name and a user by id, and neither is read as SQL."""
    assert ask(fortnight, "top_tracks", Selection(artist="Tardy"))[0][1] == "Late"
    assert ask(fortnight, "top_tracks", Selection(artist="' or 1 = 1 --")) == []
    assert [row[1] for row in ask(fortnight, "sessions", Selection(user="2"))] == ["2", "2"]
    assert ask(fortnight, "daily_page_errors", Selection(artist="Tardy")) == []


# Views in a warehouse


def test_missing_views_are_created_by_the_next_run(make_warehouse: Warehouses) -> None:
    """A run creates missing views, even if there is nothing to load."""
    warehouse = make_warehouse.filled(deliver)
    with open_warehouse(warehouse.url) as engine:
        install.drop_views(engine)
    with pytest.raises(WarehouseError):
        warehouse.query("select * from sessions")
    assert warehouse.etl().run.counts.files == 0
    assert len(warehouse.query("select * from sessions")) == len(EXPECTED["sessions"])


def test_view_of_an_older_version_is_replaced(make_warehouse: Warehouses) -> None:
    """A run replaces a view of an older version, and the views that depend on it keep working."""
    warehouse = make_warehouse.filled(deliver)
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


def test_view_with_other_columns_is_replaced(make_warehouse: Warehouses) -> None:
    """A run replaces a view of an older version that had other columns."""
    warehouse = make_warehouse.filled(deliver)
    with open_warehouse(warehouse.url) as engine:
        install.drop_views(engine)
        for statement in OLD:
            engine.execute(statement)
    warehouse.etl()
    assert len(warehouse.query("select * from sessions")) == len(EXPECTED["sessions"])


def test_view_of_an_earlier_name_is_dropped(make_warehouse: Warehouses) -> None:
    """A run drops a view that this version of sparkify does not have, and keeps an analyst's view."""
    warehouse = make_warehouse.filled(deliver)
    with open_warehouse(warehouse.url) as engine:
        for name, comment in (("match_rate", "One row per day. (sparkify 00000000)"), ("mine", "My own.")):
            engine.execute(f"create view {name} as select count(*) as plays from songplays")
            engine.execute(f"comment on view {name} is '{comment}'")
    warehouse.etl()
    assert warehouse.query("select plays from mine") == [(9,)]
    with pytest.raises(WarehouseError):
        warehouse.query("select plays from match_rate")


@pytest.mark.parametrize("make_warehouse", ["postgresql"], indirect=True)
def test_dependent_view_is_named(make_warehouse: Warehouses) -> None:
    """Where a dependent view prevents the replacement of a view, the run names it and changes nothing."""
    warehouse = make_warehouse.filled(deliver)
    with open_warehouse(warehouse.url) as engine:
        install.drop_views(engine)
        for statement in (*OLD, "create view mine as select who from sessions"):
            engine.execute(statement)
    with pytest.raises(WarehouseError, match=r"view mine depends on view sessions(?s:.*)Drop its dependents"):
        warehouse.etl()
    assert len(warehouse.query("select who from mine")) == 4


@pytest.mark.parametrize("kind", ["table", "view"])
def test_name_in_use_stops_the_run(kind: str, make_warehouse: Warehouses) -> None:
    """A table or view of another owner with the name of a view stops the run before it changes anything."""
    warehouse = make_warehouse.absent()
    with open_warehouse(warehouse.url) as engine:
        engine.execute(f"create {kind} top_tracks as select 42 as answer")
    deliveries.first(warehouse.log_data, warehouse.song_data)
    with pytest.raises(WarehouseError, match=r"top_tracks was not created by sparkify"):
        warehouse.etl()
    assert warehouse.query("select answer from top_tracks") == [(42,)]


def test_views_of_an_analyst_survive_a_full_refresh(make_warehouse: Warehouses) -> None:
    """An analyst's view on tables and views works after a full refresh, on the new rows."""
    warehouse = make_warehouse.filled(deliver)
    mine = "select p.title, s.level from top_tracks as p cross join songplays as s"
    warehouse.execute(f"create view mine as {mine}")
    before = warehouse.query("select * from mine")
    write(warehouse.log_data / "later.json", play(13 * DAY, song="New"))
    warehouse.etl(full_refresh=True)
    after = warehouse.query("select * from mine")
    assert sorted(after) == sorted(warehouse.query(mine))
    assert len(after) > len(before) > 0


def test_create_tables_creates_the_views_again(make_warehouse: Warehouses) -> None:
    """After create-tables, tables are empty, and the views read the new tables."""
    warehouse = make_warehouse.filled(deliver)
    with open_warehouse(warehouse.url) as engine:
        create_tables(engine)
    assert warehouse.query("select * from sessions") == []
    deliver(warehouse)


def test_values_have_the_documented_types(fortnight: Sandbox) -> None:
    """A value of a view has the type of the data dictionary."""
    kinds: dict[str, type] = {"bigint": int, "integer": int, "double": float, "varchar": str, "date": date}
    for entry in dictionary.entries():
        for row in fortnight.query(f"select * from {entry.name}") if entry.kind == "view" else ():
            for column, value in zip(entry.columns, row, strict=True):
                assert value is None or isinstance(value, kinds.get(column.type, datetime)), (entry.name, column)
