"""The report is one small, complete and harmless page that shows the warehouse's numbers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.promises import deliveries
from tests.promises.deliveries import START, play, song, view, write
from tests.support.listening import DAY
from tests.support.realdata import load_sample
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.cli.main import main
from sparkify.report import charts, page, svg
from sparkify.sample_data.generate import generate
from sparkify.sql.selection import EVERYTHING, Selection
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_tables

BIGGEST = 2_000_000  # bytes

EVIL = "<script>alert('hi')</script> & \"'><svg onload=alert(1)>"


def gathered(warehouse: Sandbox, selection: Selection) -> page.Page:
    """Return the content of a page."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return page.gather(engine, selection)


def rendered(warehouse: Sandbox, selection: Selection = EVERYTHING) -> str:
    """Return a page as HTML."""
    return page.render(gathered(warehouse, selection))


def text_of(html: str) -> str:
    """Return the words of a page, without markup and charts."""
    plain = re.sub(r"<(style|script|svg)\b.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(plain).split())


@pytest.mark.usefixtures("real")
def test_page_shows_the_numbers_of_the_real_data(make_warehouse: Warehouses) -> None:
    """The page of the public sample shows its known numbers."""
    html = rendered(make_warehouse.shared(load_sample))
    text = text_of(html)
    assert "22 of 97 users are paid on the last day." in text
    assert "“You're The One” by Dwight Yoakam: 37 plays." in text
    assert "327 match a song of the catalogue (4.8%) and 4,451 an artist (65.3%)" in text
    assert "songs played 6,820" in text
    assert "8,056" in text  # events read, in the last run's balance
    assert "year plays listeners" in text
    assert " 1990 38 22 " in text  # a year has no thousands
    assert len(html.encode()) < BIGGEST


def test_page_shows_the_numbers_of_the_fortnight(fortnight: Sandbox) -> None:
    """Figures show the numbers counted by hand, and a rejected record is shown with its reason."""
    text = text_of(rendered(fortnight))
    assert "1 of 5 users are paid on the last day." in text
    assert "1 of 4 free users became paid (25%)." in text
    assert "“Heard” by Known: 5 plays." in text
    assert "33% of the previous week’s listeners did not play in the week of 5 November 2018." in text
    assert "1 of 6 page views ended in an error (16.7%)." in text
    assert "read 17 records and rejected 1" in text
    assert "not valid JSON" in text


def test_page_of_a_period_counts_its_days(fortnight: Sandbox) -> None:
    """The page of a period counts the plays of its days, the first and the last included."""
    begin, end = date(2018, 11, 9), date(2018, 11, 10)
    text = text_of(rendered(fortnight, Selection(begin, end)))
    assert "9 November 2018 to 10 November 2018" in text
    assert "songs played 4" in text
    assert "listeners 3 3 in the 7 days to 10 November 2018" in text
    assert text.count("No week begins in this period.") == 3


@pytest.mark.ci
def test_week_of_the_headline_is_named_by_its_last_day(fortnight: Sandbox) -> None:
    """A period that goes on after the data shows the listeners of the data's last week, and names that week."""
    text = text_of(rendered(fortnight, Selection(date(2018, 11, 12), date(2018, 12, 31))))
    assert "listeners 1 4 in the 7 days to 13 November 2018" in text
    assert "listeners 0 paid users" in text_of(rendered(fortnight, Selection(date(2019, 1, 1))))


def test_session_counts_in_full_in_the_period_in_which_it_began(warehouse: Sandbox) -> None:
    """A session over midnight belongs to its first day, with all its plays and minutes."""
    midnight = 3 * 3600 + 170  # seconds after the start of the deliveries
    night = [play(midnight + 60 * minute, sessionId=1) for minute in (-90, -60, 60, 90)]
    write(warehouse.log_data / "events.json", *night, play(midnight + 7200, "2"))
    warehouse.etl()
    days = [Selection(day, day) for day in (date(2018, 11, 1), date(2018, 11, 2))]
    first, second = (text_of(rendered(warehouse, day)) for day in days)
    of_user_1 = [text_of(rendered(warehouse, replace(day, user="1"))) for day in days]
    assert "songs played 2 0 hours of music" in first
    for text in (first, of_user_1[0]):
        assert "100% of 1 sessions last an hour or more." in text
        assert "length sessions plays 2–4 h 1 4 " in text
    assert "sessions 1 mean 180.0, median 180.0 minutes" in first
    assert "180 min 4 plays, started on 1 November 2018" in of_user_1[0]
    assert "0% of 1 sessions last an hour or more." in second
    assert "longest session" not in of_user_1[1]


@pytest.mark.parametrize(
    ("since", "until", "title"),
    [
        (date(2019, 1, 1), None, "from 1 January 2019, after the data, which ends on 13 November 2018"),
        (None, date(2018, 1, 31), "until 31 January 2018, before the data, which begins on 1 November 2018"),
        (date(2019, 1, 1), date(2019, 1, 1), "1 January 2019, after the data, which ends on 13 November 2018"),
        (date(2018, 11, 10), None, "10 November 2018 to 13 November 2018"),
        (date.min, date.max, "1 January 1 to 31 December 9999"),
    ],
)
def test_title_names_the_period(since: date | None, until: date | None, title: str, fortnight: Sandbox) -> None:
    """The title names the days of a period, and whether it is before or after the data."""
    content = gathered(fortnight, Selection(since, until))
    assert f"{content.story.title} {content.period}" == f"Listening on Sparkify {title}"


def test_page_of_an_artist_and_of_a_listener(fortnight: Sandbox) -> None:
    """The page of an artist shows the artist's listeners, and that of a listener their plays and levels."""
    artist = text_of(rendered(fortnight, Selection(artist="Tardy")))
    assert "Tardy on Sparkify" in artist
    assert "“Late” by Tardy: 1 play." in artist
    listener = text_of(rendered(fortnight, Selection(user="1")))
    assert "User 1’s listening" in listener
    assert "Free since 10 November 2018." in listener
    assert "First play on 1 November 2018, last play on 10 November 2018." in listener


@pytest.mark.ci
def test_page_of_a_listener_and_an_artist_omits_levels_and_sessions(fortnight: Sandbox) -> None:
    """The page of a listener's plays of one artist has neither sessions nor levels, which it cannot know."""
    text = text_of(rendered(fortnight, Selection(artist="Known", user="1")))
    assert "User 1’s listening, Known" in text
    assert "songs played 3" in text
    assert "session" not in text
    assert not re.search(r"\b(free|paid)\b", text, re.IGNORECASE)


def test_names_are_shown_as_text(warehouse: Sandbox) -> None:
    """Markup in a song, an artist, a user, a browser or a reason of rejection is shown as text."""
    odd = [{"song": EVIL}, {"artist": EVIL}, {"firstName": EVIL}, {"userAgent": EVIL}]
    plays = [play(second, **values) for second, values in enumerate(odd)]
    write(warehouse.log_data / "events.json", *plays, f'{{"ts": "{EVIL}"}}')
    warehouse.etl()
    for selection in (EVERYTHING, Selection(artist=EVIL), Selection(artist="Known"), Selection(user="1")):
        html = rendered(warehouse, selection)
        assert "<script>alert" not in html
        assert "<svg onload" not in html
        assert html.count("<script>") == 1


@pytest.mark.ci
def test_name_of_any_characters_is_drawn(warehouse: Sandbox) -> None:
    """A title with characters that XML cannot hold is drawn, each of them as U+FFFD."""
    odd = [*map(chr, range(1, 32)), "\ufffe", "\uffff"]
    write(warehouse.log_data / "events.json", play(0, song=f"One{''.join(odd)}Two", artist="Odd\x07"))
    warehouse.etl()
    for selection in (EVERYTHING, Selection(artist="Odd\x07"), Selection(user="1")):
        html = rendered(warehouse, selection)
        assert "One\ufffd" in html
        assert not any(c in "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL)) for c in odd if not c.isspace())


@pytest.mark.ci
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("evil \u202e", "\u2068evil \u2069"),
        pytest.param("evil \u2069\u202e", "\u2068evil \u2069", marks=pytest.mark.ci),
        ("אבג (live)", "\u2068אבג (live)\u2069"),
        pytest.param("Björk", "Björk", marks=pytest.mark.ci),
    ],
)
def test_name_from_right_to_left_is_isolated(name: str, shown: str, warehouse: Sandbox) -> None:
    """A name from right to left, or with a direction override, does not affect the words around it."""
    write(warehouse.log_data / "events.json", play(0, song=name, artist=name, firstName=name))
    warehouse.etl()
    html = rendered(warehouse)
    assert f'<p class="finding">“{shown}” by {shown}: 1 play.</p>' in html
    assert f'<p class="finding">{shown}: 1 play by 1 listener.</p>' in html
    assert f">{shown} · {shown}<" in html
    assert f"<h1>{shown} on Sparkify</h1>" in rendered(warehouse, Selection(artist=name))
    assert f"<h1>{shown}’s listening</h1>" in rendered(warehouse, Selection(user="1"))


@pytest.mark.ci
def test_table_shows_names_unchanged(warehouse: Sandbox) -> None:
    """Tables show joined emoji and invisible characters unchanged."""
    name = "👩\u200d👩\u200d👧 می\u200cخواهم a\u00a0b\tc"
    write(warehouse.log_data / "events.json", play(0, song=name))
    warehouse.etl()
    assert f"<td>{name}</td>" in rendered(warehouse)


def test_page_of_an_empty_warehouse_says_so(warehouse: Sandbox) -> None:
    """The page of an empty warehouse has zeros and no charts."""
    with open_warehouse(warehouse.url) as engine:
        create_tables(engine)
    text = text_of(rendered(warehouse))
    assert "songs played 0" in text
    assert "Nothing in this selection." in text


OF_VIEWS = {"sessions", "daily_levels", "weekly_paid_churn", "upgrade_funnel", "daily_page_errors"}
OF_PLAYS = {
    *("daily_plays", "daily_hours", "weekly_paid_churn", "top_listeners"),
    *("daily_listeners", "stickiness", "sessions", "listening_by_hour", "daily_levels", "upgrade_funnel"),
    *("weekly_churn", "top_tracks", "top_artists", "listening_by_state", "listening_by_device"),
    "daily_match_rate",
}


@pytest.mark.parametrize(
    ("events", "drawn"), [([view(0)], OF_VIEWS), ([play(0)], OF_PLAYS), ([play(0), play(40 * DAY)], OF_PLAYS)]
)
def test_page_of_next_to_nothing_is_drawn(events: list[dict[str, object]], drawn: set[str], warehouse: Sandbox) -> None:
    """One page view, one play, or two plays far apart are drawn in each figure that they belong to."""
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    figures = dict(re.findall(r'<figure id="(\w+)"(.*?)</figure>', rendered(warehouse), re.DOTALL))
    charts_of = {name: re.findall(r"<svg.*?</svg>", figure, re.DOTALL) for name, figure in figures.items()}
    assert {name for name, found in charts_of.items() if len(found) == 2} == drawn
    for name, found in charts_of.items():
        for chart in found:
            marks = [each for each in ElementTree.fromstring(chart).iter() if "role-mark" in each.get("class", "")]
            assert any(list(mark) for mark in marks), name


DASHED = {"daily_listeners", "stickiness", "weekly_paid_churn", "daily_match_rate"}
PALE = {"daily_plays", "daily_hours", "weekly_churn", "daily_levels", "daily_page_errors"}


def test_day_and_week_that_are_not_over_are_marked_in_every_chart(warehouse: Sandbox) -> None:
    """The newest day is dashed or pale in the charts of days, and its week in those of weeks, until they are over."""
    later = int(time.time()) - START // 1000 + 6 * 3600
    events = [event for days in (15, 8, 1, 0) for event in (play(later - days * DAY), view(later - days * DAY + 1))]
    paid = play(later - 15 * DAY + 2, "2", "paid")
    write(warehouse.log_data / "events.json", *events, paid, view(later + 2, status=404), play(later + 3, "2", "paid"))
    warehouse.etl()
    html = rendered(warehouse)
    figures = dict(re.findall(r'<figure id="(\w+)"(.*?)</figure>', html, re.DOTALL))
    assert {name for name, figure in figures.items() if 'stroke-dasharray="2,4"' in figure} == DASHED
    assert {name for name, figure in figures.items() if 'opacity="0.4"' in figure} == PALE
    assert {name for name, figure in figures.items() if "Unfinished: " in figure} == DASHED | PALE


@pytest.mark.ci
def test_years_of_data_stay_below_two_megabytes(tmp_path: Path) -> None:
    """Three years of data with hundreds of artists make a page below 2 MB."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    made = generate(tmp_path / "data", users=40, days=1100, songs=300, seed=3)
    warehouse.etl(made.log_data, made.song_data)
    assert len(rendered(warehouse).encode()) < BIGGEST


@pytest.mark.ci
def test_cohorts_that_are_not_drawn_are_counted(warehouse: Sandbox) -> None:
    """Sentence and table count all weekly cohorts, and the chart shows the latest ones."""
    events = [play(7 * DAY * week, str(week)) for week in range(21)]
    events += [play(7 * DAY * (week + 1) + 60, str(week)) for week in range(1, 9)]
    write(warehouse.log_data / "events.json", *events, play(7 * DAY * 20 + 3 * DAY, "20"))
    warehouse.etl()
    html = rendered(warehouse)
    text = text_of(html)
    assert "42% of new listeners played again in the week after their first." in text  # 8 of 19
    assert "The chart shows the latest 12 cohorts, for 12 weeks." in text
    table = html[html.index('aria-label="Weekly cohorts, as a table"') :]
    assert table[: table.index("</table>")].count("<tr>") == 1 + 20 * 21 // 2


@pytest.mark.ci
def test_weeks_of_the_cohorts_are_drawn_in_their_order(warehouse: Sandbox) -> None:
    """A week that is missing in the first cohort keeps its place on the axis."""
    weeks = [play(7 * DAY * week, user) for week, user in ((0, "0"), (1, "1"), (2, "2"), (5, "3"), (6, "4"))]
    write(warehouse.log_data / "events.json", *weeks, view(7 * DAY * 6 + 3 * DAY))
    warehouse.etl()
    html = rendered(warehouse)
    chart = html[html.index('<figure id="weekly_retention"') :].partition("</svg>")[0]
    labels = re.findall(r'<text text-anchor="middle" transform="translate\(([\d.]+),[^>]*>(\d+)<', chart)
    assert [week for _, week in sorted(labels, key=lambda label: float(label[0]))] == list("012345")


def test_lines_have_no_value_where_nothing_was_counted() -> None:
    """Where days are missing, a line of amounts is 0, a line of rates is broken, and a single rate is a point."""
    first, second = date(2020, 1, 6), date(2020, 6, 1)
    rows = [{"day": day, "plays": 1, "rate": 0.5} for day in (first, first + timedelta(1), second)]
    amounts = charts.lines(rows, "day", {"plays": "plays"})(charts.FULL)["data"]["values"]
    assert [(value["when"], value["value"]) for value in amounts] == [
        (first, 1),
        (first + timedelta(1), 1),
        (first + timedelta(2), 0),
        (second - timedelta(1), 0),
        (second, 1),
    ]
    chart = charts.lines(rows, "day", {"rate": "rate"}, ".0%")(charts.FULL)
    assert [value["value"] for value in chart["data"]["values"]] == [0.5, 0.5, None, None, 0.5]
    drawn = ElementTree.fromstring(svg.svg(chart, "rate", "A rate"))
    ways = [element.attrib for element in drawn.iter("{http://www.w3.org/2000/svg}path")]
    [line] = [way["d"] for way in ways if way.get("stroke") == "var(--first)"]
    assert line.count("L") == 1  # The line ends on the second day.
    assert sum(way.get("fill") == "var(--first)" and way.get("opacity") != "0" for way in ways) == 1


@pytest.mark.parametrize("weeks", [3, 20, 80, 300])
def test_labels_of_weeks_are_on_the_days_of_their_points(weeks: int) -> None:
    """A label below a point of a week names its Monday, however many weeks there are."""
    rows = [{"week": date(2018, 1, 1) + timedelta(7 * week), "churn": 0.1, "lost": 1} for week in range(weeks)]
    for chart in (
        charts.lines(rows, "week", {"churn": "churn"}, ".0%", every=7),
        charts.gains(rows, "week", {"lost": "lost"}),
    ):
        for width in (charts.FULL, charts.HALF, charts.PHONE):
            labels = chart(width)["encoding"]["x"]["axis"]["values"]
            assert {day.weekday() for day in labels} == {0}
            assert 2 <= len(labels) <= 12
            assert {*labels} <= {row["week"] for row in rows}


def test_page_loads_nothing(fortnight: Sandbox) -> None:
    """The page names no address to load from, and its policy allows only its own style and script."""
    html = rendered(fortnight)
    assert "default-src 'none'" in html
    assert not re.search(r"""(?:src|href|action)\s*=\s*["']?(?!#)\w*:?//|url\(\s*["']?(?!#)|@import""", html)


# The command


@pytest.mark.ci
def test_event_in_the_future_is_named_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the newest event is in the future, page and status say how far, and show no negative age."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    in_ten_days = int(time.time()) - START // 1000 + 10 * DAY + 3600
    write(warehouse.log_data / "events.json", play(0), play(in_ten_days))
    warehouse.etl()
    assert text_of(rendered(warehouse)).count("10 days ahead of the clock.") == 2
    assert main(["status", "--warehouse", warehouse.url]) == 0
    assert "UTC, 10 days ahead of the clock\n" in capsys.readouterr().out


def load_first(warehouse: Sandbox) -> None:
    """Load the first delivery."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()


@pytest.fixture
def loaded(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that holds the first delivery, for tests that only read it."""
    return make_warehouse.shared(load_first)


on_duckdb = pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)


@on_duckdb
def test_command_writes_the_page_and_names_it(
    loaded: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sparkify report` writes one file, replaces it the next time, and names it."""
    out = tmp_path / "pages" / "report.html"
    out.parent.mkdir()
    for _ in range(2):
        assert main(["report", "--warehouse", loaded.url, "--out", str(out)]) == 0
        assert str(out) in capsys.readouterr().err
        assert [path.name for path in out.parent.iterdir()] == ["report.html"]


@on_duckdb
def test_nothing_but_a_page_is_replaced(
    make_warehouse: Warehouses, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warehouse's file, another file, a folder or a pipe is not replaced."""
    loaded = make_warehouse.filled(load_first)
    notes, pipe, linked = tmp_path / "notes.txt", tmp_path / "pipe", tmp_path / "linked.html"
    notes.write_text("doctype html")
    os.mkfifo(pipe)
    linked.symlink_to(notes)
    before = loaded.contents()
    warehouse = Path(loaded.url.removeprefix("duckdb:///"))
    for out in (warehouse, notes, linked, tmp_path, pipe, "."):
        assert main(["report", "--warehouse", loaded.url, "--out", str(out)]) == 1
        text = capsys.readouterr().err
        assert str(Path(out)) in text
        assert "with --out" in text
    assert loaded.contents() == before
    assert notes.read_text() == "doctype html"
    assert pipe.is_fifo()


@pytest.mark.ci
@on_duckdb
def test_any_html_file_is_replaced(loaded: Sandbox, tmp_path: Path) -> None:
    """Any HTML file is replaced, whoever wrote it."""
    out = tmp_path / "report.html"
    out.write_text("<!DOCTYPE HTML><title>old</title>")
    assert main(["report", "--warehouse", loaded.url, "--out", str(out)]) == 0
    assert "Sparkify" in out.read_text(encoding="utf-8")


@on_duckdb
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--since", "2018-11-31"], 2, "is not a valid day"),
        (["--since", "2018-11-02", "--until", "2018-11-01"], 2, "is after"),
        (["--user", "nobody"], 2, "no such user"),
        (["--artist", "nobody"], 2, "no such artist"),
        (["--artist", "KNOWN"], 2, "Did you mean Known?"),
        (["--out", "/nowhere/report.html"], 1, "/nowhere/report.html"),
    ],
)
def test_wrong_usage_is_reported(
    arguments: list[str], code: int, message: str, loaded: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report that is not possible ends with a message, without a traceback and without a file."""
    try:
        ended = main(["report", "--warehouse", loaded.url, *arguments])
    except SystemExit as stopped:
        ended = int(stopped.code or 0)
    assert ended == code
    text = capsys.readouterr().err
    assert message in text
    assert "Traceback" not in text


@on_duckdb
def test_missing_packages_are_named_with_what_to_do(
    loaded: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the report packages, the message names the missing one and how to install it."""
    found: Callable[[str], object] = lambda name: None if name == "vl_convert" else object()  # noqa: E731
    monkeypatch.setattr("sparkify.cli.report.find_spec", found)
    assert main(["report", "--warehouse", loaded.url]) == 2
    assert (
        "packages are not installed: vl_convert. Run `pip install 'sparkify-warehouse[report]'`."
        in capsys.readouterr().err
    )


@pytest.mark.ci
@on_duckdb
def test_late_song_changes_the_match_rate(make_warehouse: Warehouses) -> None:
    """The page shows the match rate as of the last run."""
    loaded = make_warehouse.filled(load_first)
    known = "Of 48 plays, 16 match a song of the catalogue (33.3%) and 32 an artist (66.7%)."
    assert known in text_of(rendered(loaded))
    write(loaded.song_data / "late.json", song("SOLATE", deliveries.LATE, "ARTARDY"))
    loaded.etl()
    known = "Of 48 plays, 32 match a song of the catalogue (66.7%) and 48 an artist (100.0%)."
    assert known in text_of(rendered(loaded))
