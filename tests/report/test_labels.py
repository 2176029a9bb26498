"""A name of any characters is drawn, and a chart that cannot be drawn does not take the page with it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from tests.promises.deliveries import play, write
from tests.support.sandbox import Sandbox, Warehouses

from sparkify.report import charts, page, svg
from sparkify.sql.selection import EVERYTHING
from sparkify.warehouse.connect import open_warehouse

on_duckdb = pytest.mark.parametrize("make_warehouse", ["duckdb"], indirect=True)
WHOLE = ("🎵", "👩\u200d👩\u200d👧", "❤\ufe0f", "👍🏽", "e\u0301", "日", "न\u0940")


def labels(name: str, width: int) -> list[str]:
    """Return the texts of a chart with one bar of this name, in their order."""
    chart = charts.ranked([{"name": name, "plays": 1}], lambda row: row["name"], "plays", lambda _: "1 play")
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)", svg.svg(chart(width), "one", "One"))]


@pytest.mark.parametrize("grapheme", WHOLE)
@pytest.mark.parametrize("width", [charts.FULL, charts.PHONE])
def test_label_is_cut_between_graphemes(grapheme: str, width: int) -> None:
    """A long name is cut before or after an emoji, or a letter with its accent, and never inside it."""
    for before in range(len(grapheme) + 2):
        name, shown = f"{'x' * before}{grapheme * 300}", labels("x" * before + grapheme * 300, width)
        assert shown[1] == "1 play"
        cut = shown[0].removesuffix("…")
        assert name.startswith(cut)
        assert len(cut) < len(name)
        assert cut == "x" * before + grapheme * ((len(cut) - before) // len(grapheme))


def test_name_that_fits_is_drawn_in_full() -> None:
    """A name is cut only where it would run into the number beside it."""
    name = "You're The One · Dwight Yoakam"
    assert labels(name, charts.PHONE) == [name, "1 play"]
    assert labels(name * 4, charts.FULL)[0].startswith(name * 3)


@on_duckdb
def test_page_shows_titles_full_of_emoji(warehouse: Sandbox) -> None:
    """Titles and artists of many emoji are drawn, wherever the labels are cut."""
    plays = [play(60 * n, song=f"{'x' * n}{'🎵' * 60}", artist="🎸" * (20 + n)) for n in range(10)]
    write(warehouse.log_data / "events.json", *plays)
    warehouse.etl()
    html = rendered(warehouse)
    assert "cannot be drawn" not in html
    assert "🎵…" in html


@on_duckdb
def test_chart_that_cannot_be_drawn_says_so_in_its_place(
    make_warehouse: Warehouses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of a chart that cannot be drawn has a sentence and the table in its place, and all other charts."""
    warehouse = make_warehouse()
    write(warehouse.log_data / "events.json", play(0))
    warehouse.etl()
    whole = rendered(warehouse)
    ranked = charts.ranked

    def broken(*words: object) -> charts.Chart:
        return lambda width: ranked(*words)(width) | {"layer": [{"mark": "no such mark"}]}  # type: ignore[arg-type]

    monkeypatch.setattr(charts, "ranked", broken)
    html = rendered(warehouse)
    figure = html[html.index('<figure id="top_tracks"') :].partition("</figure>")[0]
    assert "This chart cannot be drawn." in figure
    assert "<svg" not in figure
    assert "<table>" in figure
    assert 0 < html.count("<svg") < whole.count("<svg")


def rendered(warehouse: Sandbox) -> str:
    """Return the page of a warehouse as HTML."""
    with open_warehouse(warehouse.url, read_only=True) as engine:
        return page.render(page.gather(engine, EVERYTHING))
