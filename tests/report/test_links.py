"""On the dashboard, the bars of artists and listeners lead to their pages; the report, a single file, has no links."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests.promises.deliveries import play, write
from tests.report.test_dashboard import serving
from tests.support.browser import look
from tests.support.sandbox import Sandbox

from sparkify.report import page
from sparkify.sql.selection import EVERYTHING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ODD = 'A & B="C" <b>/?x#y 100%'


@pytest.fixture
def odd(warehouse: Sandbox) -> Sandbox:
    """Return a warehouse with plays of an artist whose name has the characters of addresses and of markup."""
    write(
        warehouse.log_data / "events.json",
        play(0, artist=ODD),
        play(60, "7", artist=ODD, userId="7 & 8"),
        play(9 * 86_400),
    )
    warehouse.etl()
    return warehouse


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize(
    ("figure", "title"),
    [
        ("top_artists", f"{ODD} on Sparkify"),
        ("top_tracks", f"{ODD} on Sparkify"),
        ("top_listeners", "User 1’s listening"),
    ],
)
def test_bar_leads_to_its_artist_or_listener(chromium: Browser, odd: Sandbox, figure: str, title: str) -> None:
    """A click on a name opens the page of the artist or listener, over the same days."""
    days = {"since": date(2018, 11, 1), "until": date(2018, 11, 2)}
    with serving(odd) as served, look(chromium, served.url + "?since=2018-11-01&until=2018-11-02") as opened:
        opened.page.locator(f"#{figure} .wide svg a").first.click()
        opened.page.wait_for_url("**artist=**" if figure != "top_listeners" else "**user=**")
        assert opened.page.locator("h1").text_content() == title
        assert opened.page.locator("input[name=since]").input_value() == str(days["since"])
        assert opened.page.locator("input[name=until]").input_value() == str(days["until"])
        assert opened.messages == []


@pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
def test_bar_of_a_listeners_artist_leads_to_their_plays(odd: Sandbox) -> None:
    """On a listener's page, an artist's bar leads to the listener's plays of the artist."""
    with serving(odd) as served:
        html = served.get(user="7 & 8").text
        links = set(re.findall(r'href="(/\?[^"]*)"', html))
        assert len(links) == 1
        [link] = links
        assert "User 7’s listening, A &amp; B" in served.get(link.replace("&amp;", "&")).text


def test_report_has_no_links_to_a_server(odd: Sandbox) -> None:
    """The bars of the report lead nowhere."""
    with odd.reading() as engine:
        html = page.render(page.gather(engine, EVERYTHING))
    addresses = re.findall(r"href=.(.{5})", html)
    assert set(addresses) == {"#numb", "data:"}
