"""The views over the public sample equal a second computation from the log files, in plain Python."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.realdata import load_sample
from tests.support.sandbox import Row, Sandbox, Warehouses

Event = dict[str, Any]


@pytest.fixture(scope="module")
def loaded(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Return a warehouse of the sample with 71 of its songs, for tests that only read it."""
    folder = tmp_path_factory.mktemp("real")
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder)
    warehouse.etl(real / "log_data", real / "song_data")
    return warehouse


@pytest.fixture(scope="module")
def events(real: Path) -> list[Event]:
    """Return the events of the log files, in order of time."""
    found = [
        json.loads(line) | {"file": path.name}
        for path in sorted((real / "log_data").rglob("*.json"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return sorted(found, key=lambda event: (event["ts"], event["itemInSession"]))


def day(event: Event) -> date:
    """Return the day of an event in UTC."""
    return datetime.fromtimestamp(event["ts"] / 1000, UTC).date()


def plays(events: list[Event]) -> Iterator[Event]:
    """Return the plays."""
    return (event for event in events if event["page"] == "NextSong")


@pytest.mark.usefixtures("real")
def test_known_numbers(make_warehouse: Warehouses) -> None:
    """The views show the known numbers of the sample."""
    ask = make_warehouse.shared(load_sample).query
    assert ask("select users, paid_users from daily_levels order by day desc limit 1") == [(97, 22)]
    assert ask("select sum(plays), sum(song_plays), sum(artist_plays) from daily_match_rate") == [(6820, 327, 4451)]
    assert ask("select title, plays from top_tracks where rank = 1") == [("You're The One", 37)]


def test_listeners_of_every_window(loaded: Sandbox, events: list[Event]) -> None:
    """The listeners of a day, of 7 days and of 30 days are right on every day."""
    heard: defaultdict[date, set[str]] = defaultdict(set)
    for event in plays(events):
        heard[day(event)].add(event["userId"])
    expected = {
        last: tuple(
            len(set().union(*(heard.get(last - timedelta(days=back), set()) for back in range(width))))
            for width in (1, 7, 30)
        )
        for last in heard
    }
    found = loaded.query("select day, listeners, listeners_7d, listeners_30d from daily_listeners")
    assert {row[0]: row[1:] for row in found} == expected


def test_level_history_of_every_user(loaded: Sandbox, events: list[Event]) -> None:
    """The level history of every user is right, such as paid, free, paid for user 15."""
    expected: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        levels = expected[event["userId"]]
        if event["userId"] and levels[-1:] != [event["level"]]:
            levels.append(event["level"])
    found: defaultdict[str, list[str]] = defaultdict(list)
    for user, level in loaded.query("select user_id, level from level_history order by user_id, valid_from, valid_to"):
        found[user].append(level)
    del expected[""]
    assert found == expected
    assert found["15"] == ["paid", "free", "paid"]
    assert loaded.query("select count(*) from level_history where valid_to is null and level = 'paid'") == [(22,)]


def test_sessions_of_every_user(loaded: Sandbox, events: list[Event]) -> None:
    """The numbers of sessions, plays and page views of users are right."""
    known = [event for event in events if event["userId"]]
    pages = Counter(event["page"] == "NextSong" for event in known)
    sessions = len({(event["sessionId"], event["userId"]) for event in known})
    found = loaded.query("select count(*), sum(plays), sum(page_views) from sessions")
    assert found == [(sessions, pages[True], pages[False])]


def test_rankings(loaded: Sandbox, events: list[Event]) -> None:
    """The plays of states, hours and artists are right."""

    def states(event: Event) -> list[str]:
        return str(event["location"]).rpartition(", ")[2].split("-")

    def hour(event: Event) -> tuple[int, int]:
        moment = datetime.fromtimestamp(event["ts"] / 1000, UTC)
        return moment.isoweekday() % 7, moment.hour

    counts: dict[str, Callable[[Event], list[Any]]] = {
        "select state, plays from listening_by_state": states,
        "select weekday, hour, plays from listening_by_hour": lambda event: [hour(event)],
    }
    for question, names in counts.items():
        expected = Counter(name for event in plays(events) for name in names(event))
        found: list[Row] = loaded.query(question)
        assert {row[:-1] if len(row) > 2 else row[0]: row[-1] for row in found} == expected
    top = Counter(event["artist"] for event in plays(events)).most_common(1)[0]
    assert loaded.query("select artist_name, plays from top_artists where rank = 1") == [top]


def test_funnel_and_errors(loaded: Sandbox, events: list[Event]) -> None:
    """The steps of the upgrade and the errors are right."""
    steps: dict[int, set[str]] = {1: set(), 2: set(), 3: set(), 4: set()}
    for event in events:
        user, free = event["userId"], event["level"] == "free"
        if user and free:
            steps[1].add(user)
        if user and free and event["page"] == "Upgrade":
            steps[2].add(user)
        if user in steps[2] and event["page"] == "Submit Upgrade":
            steps[3].add(user)
        if user in steps[3] and not free:
            steps[4].add(user)
    found = loaded.query("select step, users from upgrade_funnel")
    assert dict(found) == {step: len(users) for step, users in steps.items()}
    errors = sum(event["status"] >= 400 for event in events if event["page"] != "NextSong")
    assert loaded.query("select sum(errors), sum(page_views) from daily_page_errors") == [(errors, 1236)]


def test_weekly_cohorts_and_churn(loaded: Sandbox, events: list[Event]) -> None:
    """The cohorts and the lost listeners of every week are right."""
    weeks: defaultdict[date, set[str]] = defaultdict(set)
    for event in plays(events):
        weeks[day(event) - timedelta(days=day(event).weekday())].add(event["userId"])
    first = {user: min(week for week, users in weeks.items() if user in users) for user in set().union(*weeks.values())}
    data_from, data_until = min(weeks), day(events[-1])
    cohorts = {
        (cohort, (week - cohort).days // 7): len({user for user in weeks[week] if first[user] == cohort})
        for cohort in set(first.values())
        for week in weeks
        if week >= cohort and cohort > data_from and week + timedelta(days=6) <= data_until
    }
    found = loaded.query("select cohort_week, weeks_since, active_listeners from weekly_retention")
    assert {row[:2]: row[2] for row in found} == cohorts
    assert len(cohorts) == 6  # three whole weeks of November 2018
    lost = {week: len(weeks.get(week - timedelta(days=7), set()) - users) for week, users in weeks.items()}
    assert dict(loaded.query("select week, lost_listeners from weekly_churn")) == lost
    split = {}
    for week, users in weeks.items():
        before = weeks.get(week - timedelta(days=7), set())
        new = {user for user in users if first[user] == week}
        split[week] = (len(new), len(users & before), len(users - before - new))
    found = loaded.query("select week, new_listeners, returning_listeners, resurrected_listeners from weekly_churn")
    assert {row[0]: row[1:] for row in found} == split


def test_paid_users_of_every_week(loaded: Sandbox, events: list[Event]) -> None:
    """The paid users at the end of every week, and those gained and lost in it, are right."""
    paid: dict[date, set[str]] = {}
    levels: dict[str, str] = {}
    for event in events:
        if event["userId"]:
            levels[event["userId"]] = event["level"]
        week = day(event) - timedelta(days=day(event).weekday())
        paid[week] = {user for user, level in levels.items() if level == "paid"}
    expected: dict[date, tuple[int, int, int]] = {}
    before: set[str] = set()
    for week in sorted(paid):
        expected[week] = (len(paid[week]), len(paid[week] - before), len(before - paid[week]))
        before = paid[week]
    found = loaded.query("select week, paid_users, gained_paid_users, lost_paid_users from weekly_paid_churn")
    assert {row[0]: row[1:] for row in found} == expected
    assert sum(gained for _, gained, _ in expected.values()) == 22


def test_hours_and_plays_of_every_day_and_listener(loaded: Sandbox, events: list[Event]) -> None:
    """The plays and hours of every day and of every listener are right."""
    for name, key in (("daily_listeners", day), ("top_listeners", lambda event: event["userId"])):
        expected: defaultdict[Any, list[float]] = defaultdict(list)
        for event in plays(events):
            expected[key(event)].append(event["length"])
        column = "day" if name == "daily_listeners" else "user_id"
        found = {row[0]: row[1:] for row in loaded.query(f"select {column}, plays, hours from {name}")}
        assert found == {each: (len(it), pytest.approx(sum(it) / 3600)) for each, it in expected.items()}


def test_every_agent_of_the_sample_has_a_device_and_a_browser(loaded: Sandbox) -> None:
    """Each of the sample's 40 user agents has a known device and browser."""
    named = loaded.query("select distinct device, browser from listening_by_device")
    assert {word for pair in named for word in pair} == {
        *("iPhone", "Windows", "Mac", "Linux"),
        *("Chrome", "Firefox", "Safari", "Internet Explorer"),
    }
