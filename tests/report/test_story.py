"""Every sentence and number of a report and of a listener's review, over days counted by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pytest
from tests.promises.deliveries import Track, play, song, view, write
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.report import page
from sparkify.report.figures import NOTHING
from sparkify.report.page import Page
from sparkify.report.story import Number
from sparkify.sql.selection import EVERYTHING, Selection

ALPHA: Track = {"song": "Alpha", "artist": "Ann", "length": 1800.0}  # its song is in the catalogue
BETA: Track = {"song": "Beta", "artist": "Ann", "length": 720.0}  # its artist is in the catalogue
GAMMA: Track = {"song": "Gamma", "artist": "Ben", "length": 1800.0}
DELTA: Track = {"song": "Delta", "artist": "Dee", "length": 360.0}

ADA = {
    "userId": "1",
    "firstName": "Ada",
    "lastName": "Ames",
    "location": "San Francisco-Oakland-Hayward, CA",
    "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) Version/7.0 Mobile/11D257 Safari/9537.53",
}
BOB = {
    "userId": "2",
    "firstName": "Bob",
    "level": "paid",
    "location": "New York, NY-NJ",
    "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) Chrome/36.0.1985.143 Safari/537.36",
}
CAY = {
    "userId": "3",
    "firstName": "Cay",
    "location": "Camden, NJ",
    "userAgent": "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0",
}
DAN = {"userId": "4", "firstName": "Dan"}
EVE = {"userId": "5", "firstName": "Eve"}


def at(moment: str) -> int:
    """Return a time of November 2018, such as 8 09:45, in milliseconds."""
    return int(datetime.strptime(f"2018-11-{moment}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()) * 1000


def heard(moment: str, session: int, who: dict[str, str], track: Track, **values: Any) -> dict[str, Any]:
    """Return a play."""
    return play(0, ts=at(moment), sessionId=session, **{**who, **track, **values})


def seen(moment: str, session: int, who: dict[str, str], name: str = "Home", **values: Any) -> dict[str, Any]:
    """Return a page view."""
    return view(0, ts=at(moment), sessionId=session, page=name, **{**who, **values})


FIRST_WEEK = [
    # Ada's first session lasts exactly an hour; in her second she upgrades.
    heard("05 09:00", 11, ADA, ALPHA),
    heard("05 10:00", 11, ADA, BETA),
    heard("08 09:30", 12, ADA, ALPHA),
    heard("08 09:45", 12, ADA, ALPHA),
    seen("08 09:50", 12, ADA, "Upgrade"),
    seen("08 09:55", 12, ADA, "Submit Upgrade", status=307),
    seen("08 09:59", 12, ADA, level="paid"),
    # Bob plays one song, in this week only.
    heard("05 10:00", 21, BOB, GAMMA),
    heard("05 10:10", 21, BOB, GAMMA),
    heard("11 10:00", 22, BOB, GAMMA),
    heard("11 10:01", 22, BOB, GAMMA),
    # Cay does not submit the form; Dan plays nothing.
    heard("06 12:00", 31, CAY, GAMMA),
    seen("06 12:05", 31, CAY, "Upgrade"),
    seen("05 08:00", 41, DAN),
    seen("05 08:01", 41, DAN, "Error", status=400),
]
SECOND_WEEK = [
    # Ada's third session is as long as her first, and its hour has as many plays as that of the others.
    heard("15 21:00", 13, ADA, GAMMA, level="paid"),
    heard("15 21:20", 13, ADA, GAMMA, level="paid"),
    heard("15 21:40", 13, ADA, GAMMA, level="paid"),
    seen("15 22:00", 13, ADA, level="paid"),
    # The week ends on a Sunday, on which Eve is new.
    heard("18 23:00", 32, CAY, ALPHA),
    heard("18 23:30", 32, CAY, ALPHA),
    heard("18 22:10", 51, EVE, BETA),
    heard("18 22:15", 51, EVE, DELTA),
    heard("18 22:20", 51, EVE, BETA),
]


class Content(NamedTuple):
    """The content of a page: its title, its numbers, and the sentences of its figures."""

    title: str
    numbers: list[Number]
    sentences: dict[str, str]


SHARE = "share of monthly listeners active on an average day"
CHANGE, BEFORE = "last 7 days", "on the 7 before"

OVERVIEW = Content(
    "Listening on Sparkify",
    [
        Number("17", "songs played", "7 hours of music", f"{CHANGE}: −11% {BEFORE}"),  # 8 and 9
        Number("4", "listeners", "3 of them in the last 7 days", f"{CHANGE}: ±0% {BEFORE}"),  # 3 and 3
        Number("2", "paid users", "of 5 users on the last day", f"{CHANGE}: ±0% {BEFORE}"),
        Number("9", "sessions", "mean 22.9, median 10.0 minutes", f"{CHANGE}: −50% {BEFORE}"),  # 3 and 6
        # (1/3 + 2/4) / 7, and (1 + 1/3 + 1/3 + 1/3) / 7 in the week before
        Number("12%", SHARE, "mean of the last 7 days", f"{CHANGE}: −16.7 points {BEFORE}"),
    ],
    {
        "daily_plays": "Most plays on one day: 5, on 18 November 2018.",
        "daily_hours": "Most music on one day: 1.7 hours, on 5 November 2018.",
        "daily_listeners": "Most listeners on one day: 2, on 5 November 2018.",  # The 18th has as many.
        "stickiness": "50% on 18 November 2018, the last whole day.",
        "sessions": "22% of 9 sessions last an hour or more.",
        "listening_by_hour": "Busiest hour: Sunday from 22:00, 3 plays.",  # Monday and Thursday have as many.
        "daily_levels": "2 of 5 users are paid on the last day.",
        "upgrade_funnel": "1 of 4 free users became paid (25%).",
        "weekly_retention": "No cohort has a second finished week.",  # Eve is new in the last week.
        "weekly_churn": "33% of the previous week’s listeners did not play in the week of 12 November 2018.",
        "weekly_paid_churn": "0.0% of paid users became free in the week of 12 November 2018.",
        "top_tracks": "“Gamma” by Ben: 8 plays.",
        "top_artists": "Ann: 8 plays by 3 listeners.",  # Ben has as many.
        "top_listeners": "Ada Ames: 7 plays, 3.2 hours.",
        "listening_by_year": "Most played year: 1999, 5 plays by 2 listeners.",
        "listening_by_state": "CA: 7 plays by 1 listener.",  # NJ has as many.
        "listening_by_device": "Safari on iPhone: 41% of plays.",
        "daily_match_rate": "Of 17 plays, 5 match a song of the catalogue (29.4%) and 8 an artist (47.1%).",
        "daily_page_errors": "1 of 7 page views ended in an error (14.3%).",
    },
)
ARTIST = Content(
    "Ann on Sparkify",
    [
        Number("8", "songs played", "3 hours of music", f"{CHANGE}: ±0% {BEFORE}"),  # 4 and 4
        Number("3", "listeners", "2 of them in the last 7 days", f"{CHANGE}: +100% {BEFORE}"),  # 2 and 1
        # 2/3 / 7, and (1 + 1) / 7 in the week before
        Number("10%", SHARE, "mean of the last 7 days", f"{CHANGE}: −19.0 points {BEFORE}"),
    ],
    {
        "daily_plays": "Most plays on one day: 4, on 18 November 2018.",
        "daily_hours": "Most music on one day: 1.4 hours, on 18 November 2018.",
        "daily_listeners": "Most listeners on one day: 2, on 18 November 2018.",
        "stickiness": "67% on 18 November 2018, the last whole day.",
        "top_tracks": "“Alpha” by Ann: 5 plays.",
        "listening_by_hour": "Busiest hour: Sunday from 22:00, 2 plays.",
        "top_listeners": "Ada Ames: 4 plays, 1.7 hours.",
        "listening_by_year": "Most played year: 1999, 5 plays by 2 listeners.",
        "listening_by_state": "CA: 4 plays by 1 listener.",
        "listening_by_device": "Safari on iPhone: 50% of plays.",
    },
)
REVIEW = Content(
    "Ada Ames’s listening",
    [
        Number("7", "songs played", "3 different songs"),
        Number("3.2", "hours of music", "on 3 days"),
        Number("2", "artists", ""),
        Number("9:00", "favourite hour", "UTC, 3 plays"),  # 21:00 has as many.
        Number("60 min", "longest session", "2 plays, started on 5 November 2018"),  # That of the 15th is as long.
    ],
    {
        "top_tracks": "“Alpha” by Ann: 3 plays.",  # Gamma has as many.
        "top_artists": "Ann: 4 plays by 1 listener.",
        "daily_plays": "First play on 5 November 2018, last play on 15 November 2018.",
        "sessions": "67% of 3 sessions last an hour or more.",
        "listening_by_hour": "Busiest hour: Thursday from 21:00, 3 plays.",
        "level_history": "Paid since 8 November 2018.",
        "listening_by_device": "Safari on iPhone: 100% of plays.",
    },
)
REVIEW_OF_AN_ARTIST = Content(
    "Ada Ames’s listening, Ann",
    [
        Number("4", "songs played", "2 different songs"),
        Number("1.7", "hours of music", "on 2 days"),
        Number("1", "artists", ""),
        Number("9:00", "favourite hour", "UTC, 3 plays"),
    ],
    {
        "top_tracks": "“Alpha” by Ann: 3 plays.",
        "daily_plays": "First play on 5 November 2018, last play on 8 November 2018.",
        "listening_by_hour": "Busiest hour: Thursday from 9:00, 2 plays.",
        "listening_by_device": "Safari on iPhone: 100% of plays.",
    },
)
EXPECTED = [
    (EVERYTHING, OVERVIEW),
    (Selection(artist="Ann"), ARTIST),
    (Selection(user="1"), REVIEW),
    (Selection(user="1", artist="Ann"), REVIEW_OF_AN_ARTIST),
]


def load_weeks(warehouse: Sandbox) -> None:
    """Load the two weeks in two runs, with songs and bad records."""
    write(warehouse.song_data / "alpha.json", song("SOALPHA", ALPHA, "ARANN"))
    write(warehouse.log_data / "1.json", *FIRST_WEEK, "{broken", "{broken")
    warehouse.etl()
    epsilon = song("SOEPSILON", {"song": "Epsilon", "artist": "Eli", "length": 60.0}, "ARELI")
    zeta = song("SOZETA", {"song": "Zeta", "artist": "Zoe", "length": 60.0}, "ARZOE")
    write(warehouse.song_data / "more.json", epsilon, zeta, zeta, "{broken")
    write(warehouse.log_data / "2.json", *SECOND_WEEK, SECOND_WEEK[0], "42", "{broken")
    warehouse.etl()


@pytest.fixture
def loaded(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that holds the two weeks, for tests that only read it."""
    return make_warehouse.shared(load_weeks)


def gathered(warehouse: Sandbox, selection: Selection = EVERYTHING) -> Page:
    """Return the page over a selection."""
    with warehouse.reading() as engine:
        return page.gather(engine, selection)


def content(shown: Page) -> Content:
    """Return the content of a page."""
    sentences = {figure.name: figure.finding for section in shown.story.sections.values() for figure in section}
    return Content(shown.story.title, shown.story.numbers, sentences)


def test_every_sentence_and_number_is_as_counted_by_hand(loaded: Sandbox) -> None:
    """Every sentence and number is right, and among equals the first by day, hour or name is shown."""
    for selection, expected in EXPECTED:
        assert content(gathered(loaded, selection)) == expected, selection


def test_every_figure_of_a_silent_period_says_so(loaded: Sandbox) -> None:
    """In a period without events, every sentence says so, and every number is 0."""
    shown = content(gathered(loaded, Selection(date(2019, 1, 1))))
    assert shown.sentences == dict.fromkeys(OVERVIEW.sentences, NOTHING)
    assert {number.value for number in shown.numbers} == {"0", "0%"}


def test_balance_is_that_of_the_last_run(loaded: Sandbox) -> None:
    """The balance shows the records of the last run, and of no earlier run."""
    shown = {row.pop("kind"): row for row in gathered(loaded).balance}
    nothing = {"songplays": 0, "page_views": 0, "songs": 0}
    assert shown == {
        "events": {**nothing, "records_read": 12, "songplays": 8, "page_views": 1, "duplicates": 1, "rejected": 2},
        "songs": {**nothing, "records_read": 4, "songs": 2, "duplicates": 1, "rejected": 1},
    }


def test_reason_of_rejection_is_shown_with_its_records_and_files(loaded: Sandbox) -> None:
    """A reason of rejection is shown with the number of its records and of their files."""
    found = [tuple(row.values()) for row in gathered(loaded).rejections]
    assert found == [
        ("events", "not valid JSON", 3, 2),
        ("events", "not a JSON object", 1, 1),
        ("songs", "not valid JSON", 1, 1),
    ]


YEAR = (date(2018, 1, 1), date(2018, 12, 31))
NO_YEAR = [
    (date(2018, 1, 2), YEAR[1]),
    (YEAR[0], date(2018, 12, 30)),
    (date(2018, 11, 5), date(2018, 11, 8)),
    (date(2017, 1, 1), YEAR[1]),
    (YEAR[0], None),
    (None, YEAR[1]),
]


def test_only_a_whole_year_is_named_by_its_number(loaded: Sandbox) -> None:
    """Only a review of a whole year is named after that year."""
    assert gathered(loaded, Selection(*YEAR, user="1")).story.title == "Ada Ames’s 2018"
    for days in NO_YEAR:
        assert gathered(loaded, Selection(*days, user="1")).story.title == "Ada Ames’s listening", days
    assert gathered(loaded, Selection(*NO_YEAR[2], user="1")).period == "5 November 2018 to 8 November 2018"


def test_one_day_and_one_song_are_singular(loaded: Sandbox) -> None:
    """One day and one song are in the singular."""
    day = date(2018, 11, 5)
    assert content(gathered(loaded, Selection(day, day, user="2"))).numbers[:2] == [
        Number("2", "songs played", "1 different song"),
        Number("1.0", "hours of music", "on 1 day"),
    ]


LENGTHS = ["under 1 min", "1–10 min", "10–30 min", "30–60 min", "1–2 h", "2–4 h", "4 h and more"]


def test_class_of_lengths_begins_with_its_first_minute(warehouse: Sandbox) -> None:
    """A session of exactly an hour is in the class 1–2 h, and one of a second less is not."""
    limits = [0, *(60 * minutes for minutes in (1, 10, 30, 60, 120, 240))]
    lengths = [*limits, *(limit - 1 for limit in limits[1:])]
    ends = [
        view(second, sessionId=session)
        for session, length in enumerate(lengths)
        for second in (-5 * 3600, length - 5 * 3600)
    ]
    write(warehouse.log_data / "1.json", *ends)
    warehouse.etl()
    shown = gathered(warehouse)
    [figure] = [each for section in shown.story.sections.values() for each in section if each.name == "sessions"]
    assert [(row["length"], row["sessions"]) for row in figure.rows] == [
        *((each, 2) for each in LENGTHS[:-1]),
        (LENGTHS[-1], 1),
    ]
    assert figure.finding == "38% of 13 sessions last an hour or more."  # 5 of 13
