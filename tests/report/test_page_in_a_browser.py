"""The page in a real browser: drawn completely, without errors or requests, readable in every theme and width."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from tests.promises.deliveries import play, write
from tests.support.browser import look
from tests.support.sandbox import Sandbox

from sparkify.report import page
from sparkify.sample_data.generate import generate
from sparkify.sql.selection import EVERYTHING, Selection
from sparkify.warehouse.connect import open_warehouse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS = (1200, 390)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a month of thirty users, with some bad records."""
    folder = tmp_path_factory.mktemp("report")
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder / "folders")
    made = generate(folder / "data", users=30, days=30, songs=100, seed=5, dirty=0.01)
    warehouse.etl(made.log_data, made.song_data)
    with open_warehouse(warehouse.url, read_only=True) as engine:
        gathered = page.gather(engine, EVERYTHING)
    page.write(gathered, folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_page_logs_no_error_and_requests_nothing(chromium: Browser, report: Path, width: int, dark: bool) -> None:
    """The page logs nothing on the console, and requests nothing but itself."""
    with look(chromium, report.as_uri(), width=width, dark=dark) as opened:
        assert opened.messages == []
        assert opened.requests == [report.as_uri()]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_chart_is_drawn_and_fits(chromium: Browser, report: Path, width: int) -> None:
    """Each figure shows one chart with marks and text, and the page does not scroll sideways."""
    with look(chromium, report.as_uri(), width=width) as opened:
        figures = opened.page.locator("figure").all()
        assert len(figures) == 19
        for figure in figures:
            shown = [chart for chart in figure.locator("svg").all() if chart.is_visible()]
            name = figure.get_attribute("id")
            assert len(shown) == 1, name
            box = shown[0].bounding_box()
            assert box, name
            assert (box["width"] > 250, box["height"] > 100) == (True, True), name
            assert shown[0].locator("path[d], rect, line").count() > 3, name
            assert shown[0].locator("text").count() > 1, name
            assert shown[0].get_attribute("aria-label"), name
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture(scope="module")
def long_words(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Write the reports of a warehouse whose names have 250 letters: of everything, of an artist, and of a user."""
    folder = tmp_path_factory.mktemp("long_words")
    warehouse = Sandbox(f"duckdb:///{folder / 'sparkify.duckdb'}", folder / "folders")
    long = "W" * 250
    write(warehouse.log_data / "events.json", play(0, artist=long, song=long, firstName=long, location=f"X, {long}"))
    warehouse.etl()
    paths = []
    for name, selection in (("all", EVERYTHING), ("artist", Selection(artist=long)), ("user", Selection(user="1"))):
        with open_warehouse(warehouse.url, read_only=True) as engine:
            gathered = page.gather(engine, selection)
        page.write(gathered, path := folder / f"{name}.html")
        paths.append(path)
    return paths


@pytest.mark.parametrize("width", WIDTHS)
def test_long_words_do_not_widen_the_page(chromium: Browser, long_words: list[Path], width: int) -> None:
    """Names of 250 letters are broken into lines, in tables too, so that no page scrolls sideways."""
    for path in long_words:
        with look(chromium, path.as_uri(), width=width) as opened:
            opened.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
            cells = "[...document.querySelectorAll('td')].map(cell => cell.getBoundingClientRect().width)"
            assert max(opened.page.evaluate(cells)) < 500


@pytest.mark.ci
def test_every_chart_offers_its_data_as_a_table(chromium: Browser, report: Path) -> None:
    """The table of a chart can be opened by keyboard, with a header and rows."""
    with look(chromium, report.as_uri()) as opened:
        for figure in opened.page.locator("figure").all():
            table = figure.locator("table")
            assert not table.is_visible()
            figure.locator("summary").focus()
            opened.page.keyboard.press("Enter")
            assert table.is_visible()
            assert table.locator("th[scope=col]").count() > 1
            assert table.locator("tbody tr").count() > 0


@pytest.mark.ci
def test_every_figure_has_its_data_as_csv(chromium: Browser, report: Path) -> None:
    """The link below a figure saves all its rows, also without scripts, with the columns and values of the table."""
    context = chromium.new_context(java_script_enabled=False)
    try:
        opened = context.new_page()
        opened.goto(report.as_uri())
        for figure in opened.locator("figure").all():
            link = figure.locator("a.csv")
            assert link.get_attribute("download") == f"{figure.get_attribute('id')}.csv"
            with urlopen(str(link.get_attribute("href"))) as data:  # A browser may refuse many downloads in a row.
                header, *rows = csv.reader(data.read().decode("utf-8-sig").splitlines())
            heads = [head.text_content() for head in figure.locator("th").all()]
            assert [name.replace("_", " ") for name in header] == heads
            assert len(rows) == figure.locator("tbody tr").count()
        with opened.expect_download() as download:
            link.click()
        assert Path(download.value.path()).read_text(encoding="utf-8-sig").startswith(",".join(header))
    finally:
        context.close()


# The ends of all texts and of the page's content, in pixels.
ENDS = """
() => {
  const box = document.querySelector("main").getBoundingClientRect();
  return [...document.querySelectorAll("figure svg text")]
    .map(text => [text.textContent, text.getBoundingClientRect()])
    .filter(([, ends]) => ends.width && (ends.left < box.left - 1 || ends.right > box.right + 1))
    .map(([text]) => text);
}
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_labels_are_inside_the_margins(chromium: Browser, report: Path, width: int) -> None:
    """No label of a chart runs into the margin of the page."""
    with look(chromium, report.as_uri(), width=width) as opened:
        assert opened.page.evaluate(ENDS) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_headline_number_is_never_broken(chromium: Browser, report: Path, width: int) -> None:
    """A number of ten digits is on one line, and the page does not scroll sideways."""
    with look(chromium, report.as_uri(), width=width) as opened:
        height = "[...document.querySelectorAll('.numbers strong')].map(each => each.getBoundingClientRect().height)"
        before = opened.page.evaluate(height)
        opened.page.evaluate(
            "document.querySelectorAll('.numbers strong').forEach(it => it.textContent = '1,234,567,890')"
        )
        assert opened.page.evaluate(height) == before
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


# WCAG 2.2, success criteria 1.4.3 and 1.4.11 (www.w3.org/TR/WCAG22): contrast of text and of graphics.
LOOKS = """
const parts = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
const light = colour => {
  const [red, green, blue] = colour.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (...colours) => {
  const [one, other] = colours.map(light).sort((a, b) => b - a);
  return (one + 0.05) / (other + 0.05);
};
"""
CONTRAST = f"""
names => {{
  {LOOKS}
  return contrast(...names.map(name => {{
    const probe = document.createElement("i");
    probe.style.color = getComputedStyle(document.documentElement).getPropertyValue(name);
    document.body.append(probe);
    const colour = parts(getComputedStyle(probe).color);
    probe.remove();
    return colour;
  }}));
}}
"""
CELLS = f"""
() => {{
  {LOOKS}
  const card = parts(getComputedStyle(document.body).backgroundColor);
  const chart = document.querySelector("#weekly_retention .wide svg");
  const texts = [...chart.querySelectorAll(".mark-text.layer_1_marks text")];
  return [...chart.querySelectorAll(".mark-rect path")].map((cell, place) => {{
    const look = getComputedStyle(cell);
    const ground = parts(look.fill).map((c, i) => c * look.fillOpacity + card[i] * (1 - look.fillOpacity));
    return contrast(ground, parts(getComputedStyle(texts[place]).fill));
  }});
}}
"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("colour", "least"),
    [("--ink", 4.5), ("--soft", 4.5), ("--first", 4.5), ("--second", 3), ("--third", 3), ("--fourth", 3)],
)
def test_colours_have_enough_contrast(chromium: Browser, report: Path, colour: str, least: float, dark: bool) -> None:
    """Text has a contrast of 4.5 to 1, and lines and areas one of 3 to 1, in both themes."""
    with look(chromium, report.as_uri(), dark=dark) as opened:
        assert opened.page.evaluate(CONTRAST, [colour, "--card"]) >= least


@pytest.mark.parametrize("dark", [False, True])
def test_text_in_cells_has_enough_contrast(chromium: Browser, report: Path, dark: bool) -> None:
    """Text in a cell has a contrast of 4.5 to 1 to the cell, whatever its colour."""
    with look(chromium, report.as_uri(), dark=dark) as opened:
        contrasts = opened.page.evaluate(CELLS)
        assert len(contrasts) > 5
        assert min(contrasts) >= 4.5


@pytest.mark.ci
def test_theme_is_the_readers_until_they_choose(chromium: Browser, report: Path) -> None:
    """The page begins in the system's theme, and a button switches it."""
    background = "getComputedStyle(document.body).backgroundColor"
    with look(chromium, report.as_uri(), dark=True) as opened:
        dark = opened.page.evaluate(background)
        opened.page.get_by_role("button", name="Light").click()
        light = opened.page.evaluate(background)
        assert dark != light
        opened.page.get_by_role("button", name="Dark").click()
        assert opened.page.evaluate(background) == dark


def test_page_reads_without_scripts(chromium: Browser, report: Path) -> None:
    """Without JavaScript, the page shows every chart and number."""
    context = chromium.new_context(java_script_enabled=False)
    try:
        opened = context.new_page()
        opened.goto(report.as_uri())
        assert opened.locator("figure svg:visible").count() == 19
        assert not opened.locator("#theme").is_visible()
    finally:
        context.close()


def test_print_is_light_and_without_controls(chromium: Browser, report: Path) -> None:
    """A printed page is dark on white without buttons, whatever the theme; its tables are printed if they are open."""
    with look(chromium, report.as_uri(), dark=True) as opened:
        opened.page.get_by_role("button", name="Open tables").click()
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.locator("figure table").last.is_visible()
        opened.page.emulate_media(media="screen", color_scheme="dark")
        opened.page.get_by_role("button", name="Close tables").click()
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not opened.page.locator("#theme").is_visible()
        assert not opened.page.locator("summary").first.is_visible()
        assert not opened.page.locator("figure table").last.is_visible()


# In a PDF the sheet and position of a link are plain text, so each figure gets a link at either end.
LINK_BOTH_ENDS = """
() => {
  const figures = [...document.querySelectorAll("figure, .figures > div:not(.long)")];
  figures.forEach((figure, number) => ["top", "bottom"].forEach(end => {
    figure.style.position = "relative";
    const link = document.createElement("a");
    link.href = `end:${number}`;
    link.style.cssText = `position: absolute; left: 0; right: 0; height: 1px; ${end}: 0`;
    figure.append(link);
  }));
  return figures.length;
}
"""
A4, MARGIN = 595, 38  # points; 14 mm, rounded as a browser rounds
Place = tuple[int, float, float]
"""A sheet, and the left and right ends on it, in points."""


def links(pdf: bytes) -> dict[str, list[Place]]:
    """Return where the links of a PDF are, by their address."""
    objects = dict(re.findall(rb"^(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL | re.MULTILINE))
    sheets = [text for text in objects.values() if text.startswith(b"<</Type /Page\n")]
    found: dict[str, list[Place]] = {}
    for sheet, text in enumerate(sheets):
        for listed in re.findall(rb"/Annots \[(.*?)\]", text):
            for number in re.findall(rb"(\d+) 0 R", listed):
                left, right = re.findall(rb"/Rect \[(\S+) \S+ (\S+) ", objects[number])[0]
                [address] = re.findall(rb"/URI \((.*?)\)", objects[number])
                found.setdefault(address.decode(), []).append((sheet, float(left), float(right)))
    return found


@pytest.mark.ci
def test_print_cuts_no_figure(chromium: Browser, report: Path) -> None:
    """Printed on A4, every figure ends on the sheet where it begins, and within the margins; long tables can go on."""
    with look(chromium, report.as_uri()) as opened:
        figures = opened.page.evaluate(LINK_BOTH_ENDS)
        printed = opened.page.pdf(format="A4")
    found = links(printed)
    assert found.keys() == {f"end:{number}" for number in range(figures)}
    for address, ends in found.items():
        assert [sheet for sheet, _, _ in ends] == [ends[0][0]] * 2, address
        assert all(left > MARGIN and right < A4 - MARGIN for _, left, right in ends), address
    assert len({ends[0][0] for ends in found.values()}) > 1


@pytest.mark.ci
def test_page_of_the_fortnight_is_drawn_too(chromium: Browser, fortnight: Sandbox, tmp_path: Path) -> None:
    """A page of very few data is drawn without an error."""
    with open_warehouse(fortnight.url, read_only=True) as engine:
        gathered = page.gather(engine, EVERYTHING)
    page.write(gathered, tmp_path / "report.html")
    with look(chromium, (tmp_path / "report.html").as_uri()) as opened:
        assert opened.messages == []
        assert opened.page.locator("figure svg:visible").count() == 19
