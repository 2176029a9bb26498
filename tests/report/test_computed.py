"""Every figure of the page equals a second computation from the files, in plain Python, on generated and real data."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import groupby
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest
from tests.support.realdata import catalogue_records, load_sample
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.report import page
from sparkify.sample_data.generate import generate
from sparkify.sql.selection import EVERYTHING, Selection

Event = dict[str, Any]
WEEK = timedelta(days=7)
SHARE = "share of monthly listeners active on an average day"


def day(event: Event) -> date:
    """Return the day of an event in UTC."""
    return datetime.fromtimestamp(event["ts"] / 1000, UTC).date()


def monday(of: date) -> date:
    """Return the Monday of a day's week."""
    return of - timedelta(days=of.weekday())


@dataclass(frozen=True)
class Computed:
    """The figures, computed from events in order of time, and songs as (title, artist, duration) → year."""

    events: list[Event]
    songs: dict[tuple[str, str, float], int]

    @cached_property
    def plays(self) -> list[Event]:
        """The plays."""
        return [event for event in self.events if event["page"] == "NextSong"]

    @cached_property
    def first(self) -> date:
        """The first day of the data."""
        return day(self.events[0])

    @cached_property
    def last(self) -> date:
        """The last day of the data."""
        return day(self.events[-1])

    @property
    def days(self) -> list[date]:
        """The days from the first to the last play."""
        first = day(self.plays[0])
        return [first + timedelta(days=n) for n in range((day(self.plays[-1]) - first).days + 1)]

    def by(self, key: Callable[[Event], Any]) -> dict[Any, list[Event]]:
        """Return the plays by a key."""
        found = defaultdict(list)
        for event in self.plays:
            found[key(event)].append(event)
        return found

    @cached_property
    def listeners(self) -> dict[date, set[str]]:
        """The listeners of each day."""
        found: dict[date, set[str]] = {each: set() for each in self.days}
        for event in self.plays:
            found[day(event)].add(event["userId"])
        return found

    def listening(self, last: date, length: int) -> int:
        """Return the number of listeners in some days up to the last one."""
        return len(set().union(*(self.listeners.get(last - timedelta(days=n), set()) for n in range(length))))

    def share(self, last: date) -> float:
        """Return the share of the listeners of 30 days who listen on the last one."""
        return self.listening(last, 1) / self.listening(last, 30)

    @cached_property
    def sessions(self) -> list[tuple[date, float]]:
        """The first day and the minutes of every session."""
        of: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for event in self.events:
            if event["userId"]:
                of[event["sessionId"], event["userId"]].append(event["ts"])
        return [
            (day({"ts": times[0]}), (times[-1] // 1000 - times[0] // 1000) / 60) for times in map(sorted, of.values())
        ]

    def levels(self, until: date) -> dict[str, str]:
        """Return the level of each user at the end of a day."""
        return {event["userId"]: event["level"] for event in self.events if event["userId"] and day(event) <= until}

    def paid(self, until: date) -> set[str]:
        """Return the paid users at the end of a day."""
        return {user for user, level in self.levels(until).items() if level == "paid"}

    @cached_property
    def weeks(self) -> dict[date, set[str]]:
        """The listeners of each week."""
        return {week: {event["userId"] for event in plays} for week, plays in self.by(lambda e: monday(day(e))).items()}

    @cached_property
    def first_week(self) -> dict[str, date]:
        """The week of the first play of each listener."""
        return {user: week for week, users in sorted(self.weeks.items(), reverse=True) for user in users}

    def is_finished(self, week: date) -> bool:
        """Return whether the data reaches the Sunday of a week."""
        return week + timedelta(days=6) <= self.last

    @cached_property
    def cohorts(self) -> dict[tuple[date, int], tuple[int, int]]:
        """Cohort and week since → listeners of the cohort, and those who played."""
        of = groupby(sorted(self.first_week, key=self.first_week.__getitem__), self.first_week.__getitem__)
        cohorts = {week: set(users) for week, users in of if week > monday(self.first)}
        return {
            (cohort, (week - cohort).days // 7): (len(users), len(users & self.weeks[week]))
            for cohort, users in cohorts.items()
            for week in self.weeks
            if week >= cohort and self.is_finished(week)
        }

    def year(self, event: Event) -> int | None:
        """Return the year of the song of a play."""
        return self.songs.get((event["song"], event["artist"], event["length"])) or None


def repaired(text: str) -> str:
    """Return a text whose UTF-8 was read as Latin-1, once or several times, as it was written."""
    try:
        while (read := text.encode("latin-1").decode()) != text:
            text = read
    except UnicodeError:
        pass
    return text


def read(logs: Path, songs: Iterable[bytes]) -> Computed:
    """Read the events of a folder, and songs."""
    lines = [line for path in logs.rglob("*.json") for line in path.read_text(encoding="utf-8").splitlines()]
    events = sorted(map(json.loads, lines), key=lambda event: (event["ts"], event["itemInSession"]))
    for event in events:
        event.update({key: repaired(event[key]) for key in ("song", "artist", "firstName", "lastName") if event[key]})
    years = {}
    for song in map(json.loads, songs):
        years[repaired(song["title"]), repaired(song["artist_name"]), song["duration"]] = song["year"]
    return Computed(events, years)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, Computed]:
    """Return ten weeks of generated data, in a warehouse and computed."""
    folder = tmp_path_factory.mktemp("generated")
    made = generate(folder / "data", users=40, days=70, songs=80, seed=11)
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder / "folders")
    warehouse.etl(made.log_data, made.song_data)
    songs = (path.read_bytes() for path in made.song_data.rglob("*.json"))
    return warehouse, read(made.log_data, songs)


@pytest.fixture
def public(real: Path, make_warehouse: Warehouses) -> tuple[Sandbox, Computed]:
    """Return the public sample, in a warehouse and computed."""
    warehouse = make_warehouse.shared(load_sample)
    return warehouse, read(real / "log_data", (content for _, content in catalogue_records(real)))


def shown(warehouse: Sandbox, selection: Selection = EVERYTHING) -> page.Page:
    """Return the content of a page."""
    with warehouse.reading() as engine:
        return page.gather(engine, selection)


def rows(content: page.Page) -> dict[str, list[tuple[Any, ...]]]:
    """Return the data of each figure, by its name."""
    figures = [figure for section in content.story.sections.values() for figure in section]
    return {figure.name: [tuple(row.values()) for row in figure.rows] for figure in figures}


def close(expected: Any) -> Any:
    """Return what equals the expected rows, up to rounding."""
    return [tuple(pytest.approx(value) if isinstance(value, float) else value for value in row) for row in expected]


def require_figures(warehouse: Sandbox, of: Computed) -> None:
    """Compare the rows of the figures with those computed."""
    found = rows(shown(warehouse))
    plays, hours = (dict.fromkeys(of.days, 0.0) for _ in range(2))
    for event in of.plays:
        plays[day(event)] += 1
        hours[day(event)] += event["length"] / 3600
    assert found["daily_plays"] == [*plays.items()]
    assert found["daily_hours"] == close(hours.items())
    assert found["daily_listeners"] == [(each, *(of.listening(each, n) for n in (1, 7, 30))) for each in of.days]
    assert found["stickiness"] == close((each, of.share(each)) for each in of.days)
    limits = (1, 10, 30, 60, 120, 240, float("inf"))
    lengths = Counter(sum(minutes >= limit for limit in limits) for _, minutes in of.sessions)
    assert [row[1] for row in found["sessions"]] == [lengths[place] for place in sorted(lengths)]
    assert found["weekly_retention"] == close(
        (cohort, since, size, active, active / size) for (cohort, since), (size, active) in sorted(of.cohorts.items())
    )
    for week, listeners, new, returning, resurrected, lost, churn in found["weekly_churn"]:
        before, users = of.weeks.get(week - WEEK, set()), of.weeks.get(week, set())
        first = {user for user in users if of.first_week[user] == week}
        assert (listeners, new, returning) == (len(users), len(first), len(users & before)), week
        assert (resurrected, lost) == (len(users - before - first), len(before - users)), week
        assert churn == (pytest.approx(lost / len(before)) if before else None), week
    for week, paid, gained, lost, churn in found["weekly_paid_churn"]:
        before, after = of.paid(week - timedelta(days=1)), of.paid(week + timedelta(days=6))
        assert (paid, gained, lost) == (len(after), len(after - before), len(before - after)), week
        assert churn == (pytest.approx(lost / len(before)) if before else None), week
    for each, users, free, paid, *_ in found["daily_levels"]:
        levels = Counter(of.levels(each).values())
        assert (users, free, paid) == (levels.total(), levels["free"], levels["paid"]), each
    for name, places, key in (
        ("top_tracks", slice(1, 4), lambda event: (event["song"], event["artist"])),
        ("top_artists", slice(1, 3), lambda event: (event["artist"],)),
        ("top_listeners", slice(1, 5), lambda event: (event["userId"], event["firstName"], event["lastName"])),
    ):
        counted = Counter(map(key, of.plays))
        best = sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:50]
        assert [row[places] for row in found[name]] == [(*names, number) for names, number in best], name
    years = of.by(of.year)
    assert found["listening_by_year"] == [
        (year, len(years[year]), len({event["userId"] for event in years[year]}))
        for year in sorted(years, key=lambda year: (year is None, year))
    ]


def percent(share: float) -> str:
    """Return a share of an earlier amount as the change in percent."""
    change = round(100 * share) - 100
    return f"{'−' if change < 0 else '+' if change else '±'}{abs(change)}%"


def require_headline(warehouse: Sandbox, of: Computed) -> None:
    """Compare the headline numbers, and their changes, with those computed."""
    numbers = {number.label: number for number in shown(warehouse).story.numbers}
    lengths = [minutes for _, minutes in of.sessions]
    expected = {
        "songs played": (
            f"{len(of.plays):,}",
            f"{sum(event['length'] for event in of.plays) / 3600:,.0f} hours of music",
        ),
        "listeners": (f"{len(of.first_week):,}", f"{of.listening(of.last, 7):,} of them in the last 7 days"),
        "paid users": (f"{len(of.paid(of.last)):,}", f"of {len(of.levels(of.last)):,} users on the last day"),
        "sessions": (f"{len(lengths):,}", f"mean {mean(lengths):,.1f}, median {median(lengths):,.1f} minutes"),
        SHARE: (f"{mean(of.share(of.last - timedelta(days=n)) for n in range(7)):.0%}", "mean of the last 7 days"),
    }
    assert {label: (number.value, number.detail) for label, number in numbers.items()} == expected

    def change(measure: Callable[[date], float]) -> str:
        return f"last 7 days: {percent(measure(of.last) / measure(of.last - WEEK))} on the 7 before"

    def in_week(last: date, days: Iterable[date]) -> int:
        return sum(last - WEEK < each <= last for each in days)

    assert numbers["songs played"].change == change(lambda last: in_week(last, map(day, of.plays)))
    assert numbers["listeners"].change == change(lambda last: of.listening(last, 7))
    assert numbers["paid users"].change == change(lambda last: len(of.paid(last)))
    assert numbers["sessions"].change == change(lambda last: in_week(last, (first for first, _ in of.sessions)))


def test_figures_of_generated_data_are_as_computed(generated: tuple[Sandbox, Computed]) -> None:
    """Every figure and headline number of ten generated weeks equals the computed one."""
    require_figures(*generated)
    require_headline(*generated)


@pytest.mark.usefixtures("real")
def test_figures_of_the_real_data_are_as_computed(public: tuple[Sandbox, Computed]) -> None:
    """Every figure and headline number of the public sample equals the computed one."""
    require_figures(*public)
    require_headline(*public)


def test_sentence_about_retention_is_that_of_the_drawn_cohorts(generated: tuple[Sandbox, Computed]) -> None:
    """The share of new listeners in the headline is that of the cohorts in chart and table."""
    warehouse, of = generated
    sections = shown(warehouse).story.sections.values()
    [figure] = [each for section in sections for each in section if each.name == "weekly_retention"]
    seconds = [counts for (_, since), counts in of.cohorts.items() if since == 1]
    share = sum(active for _, active in seconds) / sum(size for size, _ in seconds)
    assert figure.finding == f"{share:.0%} of new listeners played again in the week after their first."


@pytest.mark.parametrize("length", [7, 10])
def test_period_is_compared_with_as_many_days_before_it(generated: tuple[Sandbox, Computed], length: int) -> None:
    """A selected period is compared with the period of the same length before it, if the data has all of it."""
    warehouse, of = generated
    since = of.first + timedelta(days=20)
    until = since + timedelta(days=length - 1)

    def heard(first: date) -> list[Event]:
        return [event for event in of.plays if first <= day(event) < first + timedelta(days=length)]

    now, before = heard(since), heard(since - timedelta(days=length))
    expected = [len(now) / len(before), len({e["userId"] for e in now}) / len({e["userId"] for e in before})]
    numbers = shown(warehouse, Selection(since, until)).story.numbers
    texts = [f"{percent(share)} on the {length} days before" for share in expected]
    assert [number.change for number in numbers[:2]] == texts
    early = shown(warehouse, Selection(of.first + timedelta(days=3), until)).story.numbers
    assert {number.change for number in early} == {""}
