"""The form of the dashboard finds artists and listeners as people write them, and keeps what was entered."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.promises.deliveries import HEARD, play, write
from tests.report.test_dashboard import EVIL, Served, on_duckdb, serving
from tests.support import listening
from tests.support.browser import look
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.cli.main import main

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.report.test_dashboard import Answer


def deliver(warehouse: Sandbox) -> None:
    """Load the plays of three listeners, two of whom have the same name."""

    def played(user: str, artist: str, first: str, last: str | None) -> dict[str, Any]:
        return play(int(user), user, **HEARD | {"artist": artist, "firstName": first, "lastName": last})

    write(
        warehouse.log_data / "events.json",
        played("7", "Björk", "Ada", "Ames"),
        played("8", "Sigur Rós", "Ben", "Bell"),
        played("9", "björk", "Ben", "Bell"),
        played("10", EVIL, EVIL, None),
    )
    warehouse.etl()


@pytest.fixture
def named(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse with named listeners, for tests that only read it."""
    return make_warehouse.shared(deliver)


def choices(answer: Answer) -> list[str]:
    """Return the labels of the choices on a page that shows no report."""
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("text/html")
    found = re.findall(r'<li><a href="[^"]+">(.*)</a></li>', answer.text)
    return [html.unescape(label) for label in found]


def artists(served: Served, entered: str) -> list[str]:
    """Return the suggestions for an artist."""
    return choices(served.get(artist=entered))


def test_nearest_artists_are_suggested(named: Sandbox) -> None:
    """A misspelt artist, or a part of a name, gives the nearest names, and another one none."""
    with serving(named) as served:
        assert artists(served, "Bjork") == ["Björk", "björk"]
        assert artists(served, "SIGUR ROS") == ["Sigur Rós"]
        assert artists(served, "rós") == ["Sigur Rós"]
        assert artists(served, "script") == [EVIL]
        assert artists(served, "Nobody of that name") == []


def test_listener_is_found_by_name(named: Sandbox) -> None:
    """A listener is found by name, in any case; several of one name are listed, as are the nearest names."""
    with serving(named) as served:
        for entered in ("7", "Ada Ames", " ada  AMES"):
            assert "Ada Ames’s listening" in served.get(user=entered).text
        assert choices(served.get(user="Ben Bell")) == ["Ben Bell (user 9)", "Ben Bell (user 8)"]
        assert choices(served.get(user="Ada Aimes")) == ["Ada Ames (user 7)"]
        assert choices(served.get(user="ada")) == ["Ada Ames (user 7)"]
        assert choices(served.get(user="Zoe")) == []


@on_duckdb
def test_report_finds_a_listener_by_name(named: Sandbox, capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    """The command line finds a listener by name too, and names the nearest ones."""
    command = ["report", "--warehouse", named.url, "--out", str(tmp_path / "report.html"), "--user"]
    assert main([*command, "Ada Ames"]) == 0
    assert main([*command, "Ben Bel"]) == 2
    assert "Did you mean Ben Bell (user 9) or Ben Bell (user 8)?" in capsys.readouterr().err


@on_duckdb
def test_form_keeps_its_values_and_a_choice_leads_on(chromium: Browser, named: Sandbox) -> None:
    """A typo leaves the form as it was filled in, and a choice leads to the page with the other values."""
    with serving(named) as served, look(chromium, served.url) as opened:
        form = opened.page
        form.get_by_label("From", exact=True).fill("2018-11-01")
        form.get_by_label("Artist", exact=True).fill("Bjork")
        form.get_by_label("Listener", exact=True).fill("Ada Ames")
        form.get_by_role("button", name="Show").click()
        form.get_by_role("alert").wait_for()
        assert "there is no such artist" in form.get_by_role("alert").inner_text()
        kept = [form.get_by_label(label, exact=True).input_value() for label in ("From", "to", "Artist", "Listener")]
        assert kept == ["2018-11-01", "", "Bjork", "Ada Ames"]
        form.get_by_role("link", name="Björk", exact=True).click()
        form.get_by_role("heading", name="Ada Ames’s").wait_for()
        kept = [form.get_by_label(label, exact=True).input_value() for label in ("From", "to", "Artist", "Listener")]
        assert kept == ["2018-11-01", "", "Björk", "Ada Ames"]
        assert [message for message in opened.messages if "status of 400" not in message] == []


@on_duckdb
def test_form_keeps_days_in_the_wrong_order(named: Sandbox) -> None:
    """Days in the wrong order are shown with the reason, in the form."""
    with serving(named) as served:
        answer = served.get(since="2018-11-05", until="2018-11-01", artist=EVIL)
    assert choices(answer) == []
    assert "since 2018-11-05 is after until 2018-11-01" in answer.text
    assert 'name="since" value="2018-11-05"' in answer.text
    assert 'name="until" value="2018-11-01"' in answer.text
    assert EVIL not in answer.text


@on_duckdb
def test_level_is_selected(chromium: Browser, make_warehouse: Warehouses) -> None:
    """A level chosen in the form selects the events at that level, and leaves out what needs all events."""
    warehouse = make_warehouse.shared(listening.deliver)
    with serving(warehouse) as served, look(chromium, served.url) as opened:
        everything = {figure.get_attribute("id") for figure in opened.page.locator("figure").all()}
        opened.page.get_by_label("Level", exact=True).select_option("paid")
        opened.page.get_by_role("button", name="Show").click()
        opened.page.get_by_role("heading", name="Listening on Sparkify at level paid").wait_for()
        assert opened.page.locator("#numbers dd strong").first.inner_text() == "4"
        assert opened.page.get_by_label("Level", exact=True).input_value() == "paid"
        shown = {figure.get_attribute("id") for figure in opened.page.locator("figure").all()}
        assert everything - shown == {
            *("sessions", "daily_levels", "upgrade_funnel", "weekly_retention", "weekly_churn"),
            *("weekly_paid_churn", "daily_match_rate", "daily_page_errors"),
        }
        assert "at level paid" in served.get(user="1", level="paid").text
        assert opened.messages == []
