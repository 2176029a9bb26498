"""The report: one page that shows the warehouse's numbers, whole, small, and of no harm."""

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
from tests.support.listening import DAY, deliver
from tests.support.realdata import catalogue_records
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.report import charts, page, svg
from sparkify.sample_data.generate import generate
from sparkify.sql.selection import EVERYTHING, Selection
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_tables

BIGGEST = 2_000_000  # bytes

EVIL = "<script>alert('hi')</script> & \"'><svg onload=alert(1)>"


def rendered(warehouse: Sandbox, selection: Selection = EVERYTHING) -> str:
    """Return the page of a warehouse."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        gathered = page.gather(engine, selection)
    return page.render(gathered)


def text_of(html: str) -> str:
    """Return the words of a page, without marks and charts."""
    plain = re.sub(r"<(style|script|svg)\b.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(plain).split())


def test_page_says_the_numbers_of_the_real_data(warehouse: Sandbox, real: Path) -> None:
    """22 of 97 users are paid, "You're The One" was played 37 times, the catalogue knows 327 of 6,820 plays."""
    for name, content in catalogue_records(real):
        (warehouse.song_data / name).write_bytes(content)
    warehouse.etl(real / "log_data")
    html = rendered(warehouse)
    said = text_of(html)
    assert "22 of 97 users are paid on the last day." in said
    assert "“You're The One” by Dwight Yoakam: 37 plays." in said
    assert "327 match a song of the catalogue (4.8%) and 4,451 an artist (65.3%)" in said
    assert "songs played 6,820" in said
    assert "8,056" in said  # events read, in the last run's balance
    assert len(html.encode()) < BIGGEST


def test_page_says_the_numbers_of_the_fortnight(warehouse: Sandbox) -> None:
    """Figures say what was counted by hand, and the record that was refused is told with its reason."""
    deliver(warehouse)
    said = text_of(rendered(warehouse))
    assert "1 of 5 users are paid on the last day." in said
    assert "1 of 4 free users became paid (25%)." in said
    assert "“Heard” by Known: 5 plays." in said
    assert "33% of the previous week’s listeners did not play in the week of 5 November 2018." in said
    assert "1 of 6 page views ended in an error (16.7%)." in said
    assert "read 17 records and rejected 1" in said
    assert "not valid JSON" in said


def test_period_is_what_the_page_is_about(warehouse: Sandbox) -> None:
    """With a first and a last day, the page counts the plays of those days, both included."""
    deliver(warehouse)
    begin, end = date(2018, 11, 9), date(2018, 11, 10)
    said = text_of(rendered(warehouse, Selection(begin, end)))
    assert "9 November 2018 to 10 November 2018" in said
    assert "songs played 4" in said
    assert "listeners 3 3 in the 7 days to 10 November 2018" in said
    assert said.count("No week begins in this period.") == 2


def test_week_of_the_headline_is_named_by_its_last_day(warehouse: Sandbox) -> None:
    """A period that goes on after the data has the listeners of the data's last week, and says which week that is."""
    deliver(warehouse)
    said = text_of(rendered(warehouse, Selection(date(2018, 11, 12), date(2018, 12, 31))))
    assert "listeners 1 4 in the 7 days to 13 November 2018" in said
    assert "listeners 0 paid users" in text_of(rendered(warehouse, Selection(date(2019, 1, 1))))


def test_session_counts_in_full_in_the_period_in_which_it_began(warehouse: Sandbox) -> None:
    """A session over midnight is one of the first day, with all its plays and minutes, and none of the second."""
    midnight = 3 * 3600 + 170  # seconds after the start of the deliveries
    night = [play(midnight + 60 * minute, sessionId=1) for minute in (-90, -60, 60, 90)]
    write(warehouse.log_data / "events.json", *night, play(midnight + 7200, "2"))
    warehouse.etl()
    first, second = (Selection(day, day) for day in (date(2018, 11, 1), date(2018, 11, 2)))
    assert "songs played 2 0 hours of music" in text_of(rendered(warehouse, first))
    for selection in (first, Selection(first.since, second.until, user="1")):
        assert "100% of 1 sessions last an hour or more." in text_of(rendered(warehouse, selection))
        assert "length sessions plays 2–4 h 1 4 " in text_of(rendered(warehouse, selection))
    assert "sessions 1 180 minutes on average" in text_of(rendered(warehouse, first))
    assert "180 min 4 plays, started on 1 November 2018" in text_of(rendered(warehouse, replace(first, user="1")))
    assert "0% of 1 sessions last an hour or more." in text_of(rendered(warehouse, second))
    assert "longest session" not in text_of(rendered(warehouse, replace(second, user="1")))


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
def test_title_says_the_days_in_their_order(
    since: date | None, until: date | None, title: str, warehouse: Sandbox
) -> None:
    """A period outside the data is told as what it is, and the first and the last day there is are days."""
    deliver(warehouse)
    assert f"Listening on Sparkify {title} " in text_of(rendered(warehouse, Selection(since, until)))


def test_page_of_an_artist_and_of_a_listener(warehouse: Sandbox) -> None:
    """Of an artist it shows their listeners, of a listener what they heard and when they were paid."""
    deliver(warehouse)
    artist = text_of(rendered(warehouse, Selection(artist="Tardy")))
    assert "Tardy on Sparkify" in artist
    assert "“Late” by Tardy: 1 play." in artist
    listener = text_of(rendered(warehouse, Selection(user="1")))
    assert "User 1’s listening" in listener
    assert "Free since 10 November 2018." in listener
    assert "First play on 1 November 2018, last play on 10 November 2018." in listener


def test_page_of_a_listener_and_an_artist_says_nothing_of_levels_and_sessions(warehouse: Sandbox) -> None:
    """Of the artist's plays alone, no session is whole and no change of level is seen, so the page has neither."""
    deliver(warehouse)
    said = text_of(rendered(warehouse, Selection(artist="Known", user="1")))
    assert "User 1’s listening, Known" in said
    assert "songs played 3" in said
    assert "session" not in said
    assert not re.search(r"\b(free|paid)\b", said, re.IGNORECASE)


@pytest.mark.parametrize("where", ["title", "artist", "name", "agent", "reason"])
def test_what_the_warehouse_holds_is_shown_as_text(where: str, warehouse: Sandbox) -> None:
    """A song, an artist or a user called <script> is their name, and no mark of the page."""
    said = {
        "title": {"song": EVIL},
        "artist": {"artist": EVIL},
        "name": {"firstName": EVIL},
        "agent": {"userAgent": EVIL},
    }
    write(warehouse.log_data / "events.json", play(0, **said.get(where, {})), f'{{"ts": "{EVIL}"}}')
    warehouse.etl()
    artist = EVIL if where == "artist" else "Known"
    for selection in (EVERYTHING, Selection(artist=artist), Selection(user="1")):
        html = rendered(warehouse, selection)
        assert "<script>alert" not in html
        assert "<svg onload" not in html
        assert html.count("<script>") == 1


def test_name_of_any_characters_is_drawn(warehouse: Sandbox) -> None:
    """A title with every character that JSON can carry and XML cannot is drawn, each of them as U+FFFD."""
    odd = [*map(chr, range(1, 32)), "\ufffe", "\uffff"]
    write(warehouse.log_data / "events.json", play(0, song=f"One{''.join(odd)}Two", artist="Odd\x07"))
    warehouse.etl()
    for selection in (EVERYTHING, Selection(artist="Odd\x07"), Selection(user="1")):
        html = rendered(warehouse, selection)
        assert "One\ufffd" in html
        assert not any(c in "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL)) for c in odd if not c.isspace())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("evil \u202e", "\u2068evil \u2069"),
        ("evil \u2069\u202e", "\u2068evil \u2069"),
        ("אבג (live)", "\u2068אבג (live)\u2069"),
        ("Björk", "Björk"),
    ],
)
def test_name_does_not_turn_its_sentence_round(name: str, shown: str, warehouse: Sandbox) -> None:
    """A name that runs from right to left, or overrides the direction, is set apart from the words around it."""
    write(warehouse.log_data / "events.json", play(0, song=name, artist=name, firstName=name))
    warehouse.etl()
    html = rendered(warehouse)
    assert f'<p class="finding">“{shown}” by {shown}: 1 play.</p>' in html
    assert f'<p class="finding">{shown}: 1 play by 1 listener.</p>' in html
    assert f">{shown} · {shown}<" in html
    assert f"<h1>{shown} on Sparkify</h1>" in rendered(warehouse, Selection(artist=name))
    assert f"<h1>{shown}’s listening</h1>" in rendered(warehouse, Selection(user="1"))


def test_table_of_the_page_shows_names_as_they_are(warehouse: Sandbox) -> None:
    """Joined emoji, and letters and blanks that no terminal shows, stand in a table as the app wrote them."""
    name = "👩\u200d👩\u200d👧 می\u200cخواهم a\u00a0b\tc"
    write(warehouse.log_data / "events.json", play(0, song=name))
    warehouse.etl()
    assert f"<td>{name}</td>" in rendered(warehouse)


def test_page_of_an_empty_warehouse_says_so(warehouse: Sandbox) -> None:
    """Before anything is loaded there is a page, with zeros and without charts."""
    with open_warehouse(warehouse.url) as engine:
        create_tables(engine)
    said = text_of(rendered(warehouse))
    assert "songs played 0" in said
    assert "Nothing in this selection." in said


OF_VIEWS = {"sessions", "daily_levels", "upgrade_funnel", "page_errors"}
OF_PLAYS = {
    *("daily_listeners", "stickiness", "sessions", "listening_by_hour", "daily_levels", "upgrade_funnel"),
    *("weekly_retention", "weekly_churn", "top_tracks", "top_artists", "listening_by_region", "listening_by_device"),
    "match_rate",
}


@pytest.mark.parametrize(
    ("events", "drawn"), [([view(0)], OF_VIEWS), ([play(0)], OF_PLAYS), ([play(0), play(40 * DAY)], OF_PLAYS)]
)
def test_page_of_next_to_nothing_is_drawn(events: list[dict[str, object]], drawn: set[str], warehouse: Sandbox) -> None:
    """One page view, one play, or two far apart are drawn, wide and for a phone, in each figure that they belong to."""
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    figures = dict(re.findall(r'<figure id="(\w+)"(.*?)</figure>', rendered(warehouse), re.DOTALL))
    charts_of = {name: re.findall(r"<svg.*?</svg>", figure, re.DOTALL) for name, figure in figures.items()}
    assert {name for name, found in charts_of.items() if len(found) == 2} == drawn
    for name, found in charts_of.items():
        for chart in found:
            marks = [each for each in ElementTree.fromstring(chart).iter() if "role-mark" in each.get("class", "")]
            assert any(list(mark) for mark in marks), name


def test_years_of_data_stay_below_two_megabytes(tmp_path: Path) -> None:
    """Three years of every day, with hundreds of artists, make a page below 2 MB."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    made = generate(tmp_path / "data", users=40, days=1100, songs=300, seed=3)
    warehouse.etl(made.log_data, made.song_data)
    assert len(rendered(warehouse).encode()) < BIGGEST


def test_cohorts_that_are_not_drawn_are_counted(warehouse: Sandbox) -> None:
    """Of twenty weekly cohorts the sentence and the table have all; the chart has the latest, and says so."""
    events = [play(7 * DAY * week, str(week)) for week in range(1, 21)]
    events += [play(7 * DAY * (week + 1) + 60, str(week)) for week in range(1, 9)]
    write(warehouse.log_data / "events.json", *events)
    warehouse.etl()
    html = rendered(warehouse)
    said = text_of(html)
    assert "42% of new listeners played again in the week after their first." in said
    assert "The chart shows the latest 12 cohorts, for 12 weeks." in said
    table = html[html.index('aria-label="Weekly cohorts, as a table"') :]
    assert table[: table.index("</table>")].count("<tr>") == 1 + 20 * 21 // 2


def test_weeks_of_the_cohorts_are_drawn_in_their_order(warehouse: Sandbox) -> None:
    """Where the first cohort has no row for a week, and a later one has, the week still stands in its place."""
    weeks = [play(7 * DAY * week, user) for week, user in ((0, "1"), (1, "2"), (4, "3"), (5, "4"))]
    write(warehouse.log_data / "events.json", *weeks)
    warehouse.etl()
    html = rendered(warehouse)
    chart = html[html.index('<figure id="weekly_retention"') :].partition("</svg>")[0]
    labels = re.findall(r'<text text-anchor="middle" transform="translate\(([\d.]+),[^>]*>(\d+)<', chart)
    assert [week for _, week in sorted(labels, key=lambda label: float(label[0]))] == list("012345")


def test_lines_have_no_value_where_nothing_was_counted() -> None:
    """Where days are missing, a line of amounts lies at 0 and one of rates is broken; a lonely rate is a point."""
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
    assert line.count("L") == 1  # from the first day to the second, and no further
    assert sum(way.get("fill") == "var(--first)" and way.get("opacity") != "0" for way in ways) == 1


def test_page_asks_for_nothing_and_forbids_to(warehouse: Sandbox) -> None:
    """The page names no address to load from, and its policy forbids it everything but its own style and script."""
    deliver(warehouse)
    html = rendered(warehouse)
    assert "default-src 'none'" in html
    assert not re.search(r"""(?:src|href|action)\s*=\s*["']?(?!#)\w*:?//|url\(\s*["']?(?!#)|@import""", html)


# The command.


def test_event_ahead_of_the_clock_is_told_as_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the newest event has yet to come, page and status say how far ahead it is; nothing is of a negative age."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    in_ten_days = int(time.time()) - START // 1000 + 10 * DAY + 3600
    write(warehouse.log_data / "events.json", play(0), play(in_ten_days))
    warehouse.etl()
    assert text_of(rendered(warehouse)).count("10 days ahead of the clock.") == 2
    assert main(["status", "--warehouse", warehouse.url]) == 0
    assert "UTC, 10 days ahead of the clock\n" in capsys.readouterr().out


@pytest.fixture
def loaded(tmp_path: Path) -> Sandbox:
    """Return a warehouse on DuckDB with the first delivery."""
    warehouse = Sandbox(f"duckdb:///{tmp_path / 'sparkify.duckdb'}", tmp_path / "folders")
    deliveries.first(warehouse.log_data, warehouse.song_data)
    warehouse.etl()
    return warehouse


def test_command_writes_the_page_and_names_it(
    loaded: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sparkify report` leaves one file, replaces it the next time, and says its name."""
    out = tmp_path / "pages" / "report.html"
    out.parent.mkdir()
    for _ in range(2):
        assert main(["report", "--warehouse", loaded.url, "--out", str(out)]) == 0
        assert str(out) in capsys.readouterr().err
        assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_nothing_but_a_page_is_replaced(loaded: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The warehouse's own file, another file, a folder, a pipe: each stays what it is, and is told."""
    notes, pipe, linked = tmp_path / "notes.txt", tmp_path / "pipe", tmp_path / "linked.html"
    notes.write_text("doctype html")
    os.mkfifo(pipe)
    linked.symlink_to(notes)
    before = loaded.contents()
    warehouse = Path(loaded.url.removeprefix("duckdb:///"))
    for out in (warehouse, notes, linked, tmp_path, pipe, "."):
        assert main(["report", "--warehouse", loaded.url, "--out", str(out)]) == 1
        said = capsys.readouterr().err
        assert str(Path(out)) in said
        assert "with --out" in said
    assert loaded.contents() == before
    assert notes.read_text() == "doctype html"
    assert pipe.is_fifo()


def test_page_of_another_hand_is_replaced(loaded: Sandbox, tmp_path: Path) -> None:
    """A file that is HTML, in whatever case it says so, gives way."""
    out = tmp_path / "report.html"
    out.write_text("<!DOCTYPE HTML><title>old</title>")
    assert main(["report", "--warehouse", loaded.url, "--out", str(out)]) == 0
    assert "Sparkify" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--since", "2018-11-31"], 2, "is not a valid day"),
        (["--since", "2018-11-02", "--until", "2018-11-01"], 2, "is after"),
        (["--user", "nobody"], 2, "no such user"),
        (["--artist", "nobody"], 2, "no such artist"),
        (["--artist", "KNOWN"], 2, "Did you mean Known?"),
        (["--out", "/nowhere/report.html"], 1, "/nowhere/report.html"),
    ],
)
def test_wrong_usage_is_told(
    arguments: list[str], code: int, told: str, loaded: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be reported is told without a traceback, and no file is left."""
    try:
        ended = main(["report", "--warehouse", loaded.url, *arguments])
    except SystemExit as stopped:
        ended = int(stopped.code or 0)
    assert ended == code
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_missing_packages_are_named_with_what_to_do(
    loaded: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the extra is not installed, the command says which package is missing and how to get it."""
    found: Callable[[str], object] = lambda name: None if name == "vl_convert" else object()  # noqa: E731
    monkeypatch.setattr("sparkify.cli.report.find_spec", found)
    assert main(["report", "--warehouse", loaded.url]) == 2
    assert (
        "packages are not installed: vl_convert. Run `pip install 'sparkify-warehouse[report]'`."
        in capsys.readouterr().err
    )


def test_late_song_changes_the_match_rate(loaded: Sandbox) -> None:
    """What the page says of the catalogue is as of the last run: of three songs played as often, one more is known."""
    known = "Of 48 plays, 16 match a song of the catalogue (33.3%) and 32 an artist (66.7%)."
    assert known in text_of(rendered(loaded))
    write(loaded.song_data / "late.json", song("SOLATE", deliveries.LATE, "ARTARDY"))
    loaded.etl()
    known = "Of 48 plays, 32 match a song of the catalogue (66.7%) and 48 an artist (100.0%)."
    assert known in text_of(rendered(loaded))
