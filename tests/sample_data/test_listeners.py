"""Synthetic logs have the habits and proportions of the public sample."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from tests.sample_data.shape import Record, share

from sparkify.sample_data import listeners
from sparkify.sample_data.generate import ARTIST_IN_CATALOGUE, IN_CATALOGUE, Generated
from sparkify.sample_data.listeners import FIRST_DAY, HOURS, NEW_LEVEL, PAID_SHARE, WEEKDAYS

PER_USER_AND_DAY = 8056 / 97 / 30  # events, in the public sample
OF_SAMPLE = {  # page → events, in the public sample
    "NextSong": 6820, "Home": 806, "Login": 92, "Logout": 90, "Downgrade": 60, "Settings": 56, "Help": 47, "About": 36,
    "Upgrade": 21,
}  # fmt: skip


def test_there_are_as_many_events_as_promised(data: Generated) -> None:
    """There are about 2.8 events for each user and day."""
    assert data.events / (1500 * 14) == pytest.approx(PER_USER_AND_DAY, rel=0.1)


def test_pages_are_as_frequent_as_in_the_sample(events: list[Record]) -> None:
    """Every page of the app occurs, the frequent ones in the sample's proportion."""
    found = Counter(event["page"] for event in events)
    for page, number in OF_SAMPLE.items():
        assert share(found[page], events) == pytest.approx(number / 8056, rel=0.25), page
    assert found.keys() - OF_SAMPLE == {"Submit Upgrade", "Submit Downgrade", "Save Settings", "Error"}


def test_every_page_leads_somewhere() -> None:
    """Every page that can follow another one has followers of its own."""
    for level, moves in listeners.MOVES.items():
        for following in moves.values():
            assert following.keys() <= {*moves, "end"}, level


def test_method_and_status_follow_from_the_page(events: list[Record]) -> None:
    """Method and status depend on the page, as in the sample."""
    for event in events:
        redirects = event["page"] in {"Login", "Logout", "Save Settings", "Submit Upgrade", "Submit Downgrade"}
        assert event["method"] == ("PUT" if redirects or event["page"] == "NextSong" else "GET")
        assert event["status"] == (307 if redirects else 404 if event["page"] == "Error" else 200)


def test_sessions_begin_at_the_hours_and_weekdays_of_the_sample(sessions: dict[int, list[Record]]) -> None:
    """Sessions begin at the hours and on the weekdays of the sample."""
    begun = [datetime.fromtimestamp(session[0]["ts"] / 1000, UTC) for session in sessions.values()]
    hours, weekdays = Counter(start.hour for start in begun), Counter(start.weekday() for start in begun)
    for hour, weight in enumerate(HOURS):
        assert hours[hour] / len(begun) == pytest.approx(weight / sum(HOURS), rel=0.3)
    for weekday, usual in enumerate(WEEKDAYS):
        assert weekdays[weekday] / len(begun) == pytest.approx(usual / 7, rel=0.1)


def test_sessions_are_as_long_as_in_the_sample(sessions: dict[int, list[Record]]) -> None:
    """Sessions have 2.0 plays if they begin as free, and 23.8 if they begin as paid."""
    lengths = defaultdict(list)
    for session in sessions.values():
        lengths[session[0]["level"]].append(sum(event["page"] == "NextSong" for event in session))
    assert sum(lengths["free"]) / len(lengths["free"]) == pytest.approx(1.96, rel=0.1)
    assert sum(lengths["paid"]) / len(lengths["paid"]) == pytest.approx(23.78, rel=0.1)
    assert len(lengths["paid"]) / len(sessions) == pytest.approx(PAID_SHARE, rel=0.15)


def test_keys_of_events_are_unique(events: list[Record]) -> None:
    """No two events share time, session, item and user."""
    assert len({(e["ts"], e["sessionId"], e["itemInSession"], e["userId"]) for e in events}) == len(events)


def test_a_session_has_one_user_and_counts_its_items(sessions: dict[int, list[Record]]) -> None:
    """A session has one user, and its items are numbered from 0 in order of time."""
    for session in sessions.values():
        assert [event["itemInSession"] for event in session] == list(range(len(session)))
        assert all(before["ts"] < after["ts"] for before, after in pairwise(session))
        assert len({event["userId"] for event in session} - {""}) <= 1


def test_a_user_has_one_session_at_a_time(sessions: dict[int, list[Record]]) -> None:
    """A user's next session begins after the last one has ended."""
    spans = defaultdict(list)
    for session in sessions.values():
        if user := max(event["userId"] for event in session):
            spans[user].append((session[0]["ts"], session[-1]["ts"]))
    assert all(end < start for found in spans.values() for (_, end), (start, _) in pairwise(sorted(found)))


def test_a_song_is_followed_by_the_next_one_when_it_is_over(sessions: dict[int, list[Record]]) -> None:
    """Two plays in a row are as far apart as the first one is long."""
    for session in sessions.values():
        for before, after in pairwise(session):
            if before["page"] == after["page"] == "NextSong":
                assert after["ts"] - before["ts"] == int(before["length"] * 1000)
        plays = [event for event in session if event["page"] == "NextSong"]
        assert all(after["ts"] - before["ts"] >= int(before["length"] * 1000) for before, after in pairwise(plays))


def test_the_level_changes_with_an_upgrade_or_downgrade_and_only_then(events: list[Record]) -> None:
    """A level changes only with an upgrade or downgrade, and from the next event on."""
    levels: dict[str, str] = {}
    changes = 0
    for event in events:
        user = event["userId"]
        if user:
            assert event["level"] == levels.get(user, event["level"])
            levels[user] = NEW_LEVEL.get(event["page"]) or event["level"]
            changes += levels[user] != event["level"]
    assert changes > 10


def test_an_event_without_a_user_has_no_values_of_a_user(events: list[Record]) -> None:
    """A logged-out event has an empty userId, a level, and null in every other value of a user."""
    out = [event for event in events if event["auth"] == "Logged Out"]
    assert share(len(out), events) == pytest.approx(286 / 8056, rel=0.2)
    for event in events:
        nameless = [event[key] is None for key in ("firstName", "gender", "lastName", "location", "userAgent")]
        assert set(nameless) == {event["auth"] == "Logged Out"} == {event["userId"] == ""}
        assert (event["registration"] is None) == (event["userId"] == "")


def test_only_plays_have_a_song(events: list[Record]) -> None:
    """Song, artist and length are set exactly on NextSong."""
    for event in events:
        assert {event[key] is not None for key in ("song", "artist", "length")} == {event["page"] == "NextSong"}


def test_registration_is_a_float_of_whole_milliseconds(data: Generated) -> None:
    """A registration is a float of whole milliseconds before the first day."""
    for line in (data.log_data / "2026/01/2026-01-01-events.json").read_text().splitlines():
        if '"userId":""' not in line:
            text = line.partition('"registration":')[2].partition(",")[0]
            assert text.endswith(".0")
            assert float(text) < FIRST_DAY.timestamp() * 1000


def test_plays_match_the_catalogue_in_the_proportions_of_the_sample(plays: list[Record], songs: list[Record]) -> None:
    """The shares of plays with a known song and of plays with a known artist are those of the sample."""
    known = {(song["title"], song["artist_name"], song["duration"]) for song in songs}
    names = {song["artist_name"] for song in songs}
    matched = [play for play in plays if (play["song"], play["artist"], play["length"]) in known]
    by_known_artists = sum(play["artist"] in names for play in plays) - len(matched)
    assert share(len(matched), plays) == pytest.approx(IN_CATALOGUE, rel=0.2)
    assert share(by_known_artists, plays) == pytest.approx(ARTIST_IN_CATALOGUE, rel=0.05)
    titles = {(title, name) for title, name, _ in known}
    assert sum((play["song"], play["artist"]) in titles for play in plays) > len(matched)


def test_some_songs_are_far_more_popular_than_others(plays: list[Record]) -> None:
    """The most played track has 0.5 % of all plays, and a tenth of the tracks has a third."""
    counts = sorted(Counter((play["song"], play["artist"], play["length"]) for play in plays).values(), reverse=True)
    assert 0.003 < counts[0] / len(plays) < 0.008
    assert sum(counts[: len(counts) // 10]) > len(plays) / 3


def test_only_open_sessions_are_held_in_memory() -> None:
    """When a day is over, only the events of open sessions are in memory."""
    track = listeners.Track('{"artist":"A"', "200.5", '"S","status":200,"ts":', 200_500)
    app = listeners.App(1, listeners.sign_up(1, 500), [track], [1.0])
    for number in range(20):
        date = FIRST_DAY + timedelta(number)
        events = sum(len(hour) for hour in app.day(date))
        assert min(app.hours, default=10**9) >= (date + timedelta(1)).timestamp() // 3600
        assert sum(len(hour) for hour in app.hours.values()) < events / 3
