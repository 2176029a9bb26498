"""The report as one HTML file that needs no network: gather the content, draw the charts, fill the template."""

import base64
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sparkify import formatting
from sparkify.errors import WarehouseError
from sparkify.filesystem import write_whole
from sparkify.report import charts, figures, names, overview, review, svg
from sparkify.report.story import Figure, Results, Rows, Story, Views
from sparkify.sql.selection import EVERYTHING, Selection
from sparkify.warehouse import base
from sparkify.warehouse.base import Warehouse

_DOCTYPE = b"<!doctype html"


@dataclass(frozen=True)
class Page:
    """The content of a page, read from the warehouse."""

    story: Story
    period: str
    freshness: dict[str, Any]
    age: str  # of the newest event, such as "3 days ago"
    matched: dict[str, int]
    balance: Rows
    rejections: Rows
    warehouse: str
    made_at: datetime


@dataclass(frozen=True)
class Drawing:
    """A figure with its chart drawn, wide and for a phone; both are empty without a chart."""

    figure: Figure
    wide: Markup
    narrow: Markup
    is_faulty: bool = False  # the chart cannot be drawn


def gather(warehouse: Warehouse, selection: Selection, known: Results | None = None) -> Page:
    """Read the content of the page over a selection, which is a review if a user is selected.

    `known` holds the results over all data, for the pages of the same data. Raise names.Unknown if there is no such
    user or artist.
    """
    selection = names.identified(warehouse, selection)
    views = Views(warehouse, selection, known)
    [freshness] = views.rows("freshness", selection=EVERYTHING)
    made_at = base.now()
    newest = freshness["newest_event_at"]
    return Page(
        story=overview.overview(views) if selection.user is None else review.review(views),
        period=_period(selection, freshness),
        freshness=freshness,
        age=formatting.ago((made_at - newest).total_seconds()) if newest else "",
        matched=figures.matched(views),
        balance=views.rows("report/balance", "order by kind", EVERYTHING),
        rejections=views.rows("report/rejections", "order by records desc, source, reason limit 20", EVERYTHING),
        warehouse=warehouse.label,
        made_at=made_at,
    )


def render(page: Page, template: str = "page.html.j2", *, linked: bool = False, **more: Any) -> str:
    """Return a page as HTML, with its charts drawn; `more` holds further variables of the template.

    With `linked`, the bars of artists and listeners lead to their pages, which only the dashboard has.
    """
    sections = [(title, [draw(figure, linked) for figure in section]) for title, section in page.story.sections.items()]
    return _environment().get_template(template).render(page=page, sections=sections, **more)


def waiting(reason: str, seconds: int) -> str:
    """Return an HTML page with the reason why the report is not available; it reloads after some seconds."""
    return _environment().get_template("waiting.html.j2").render(reason=reason, seconds=seconds)


def refusal(reason: str, choices: Sequence[tuple[str, str]], **more: Any) -> str:
    """Return an HTML page with the form, the reason why it cannot be answered, and choices: addresses and labels."""
    return _environment().get_template("refusal.html.j2").render(reason=reason, choices=choices, **more)


def write(page: Page, path: Path) -> int:
    """Write a page to a file, completely or not at all; return its size in bytes.

    Raise WarehouseError if the path cannot be written, or is an existing file that is not an HTML page.
    """
    if not _may_be_replaced(path):  # for example, the file of the warehouse
        raise WarehouseError(f"{path}: the file exists and is not an HTML page. Name another file with --out.")
    content = render(page).encode()
    with write_whole(path) as beside:
        beside.write_bytes(content)
    return len(content)


def _may_be_replaced(path: Path) -> bool:
    """Return whether a path is not an existing file, or is an HTML page."""
    try:
        if not path.is_file():
            return True
        with path.open("rb") as file:
            return file.read(len(_DOCTYPE)).lower() == _DOCTYPE
    except OSError as error:
        raise WarehouseError(
            f"{path}: the file cannot be read ({error.strerror}). Name another file with --out."
        ) from error


def draw(figure: Figure, linked: bool = False) -> Drawing:
    """Draw the chart of a figure; one that cannot be drawn leaves the rest of the page as it would be."""
    widths = charts.FULL if figure.is_wide else charts.HALF, charts.PHONE
    label = f"{figure.title}. {figure.finding}"
    if not figure.rows or figure.chart is None:
        return Drawing(figure, Markup(), Markup())
    try:
        drawn = {
            width: Markup(svg.svg(figure.chart(width), f"{figure.name}-{width}", label, linked=linked))
            for width in widths
        }
    except (ValueError, ElementTree.ParseError):  # from vl_convert, and for a drawing that is not valid XML
        return Drawing(figure, Markup(), Markup(), is_faulty=True)
    return Drawing(figure, drawn[widths[0]], drawn[widths[1]])


def _period(selection: Selection, freshness: dict[str, Any]) -> str:
    """Return the days of the page as text, with a remark if they are outside of the data."""
    if freshness["oldest_event_at"] is None:
        return "no events yet"
    oldest, newest = freshness["oldest_event_at"].date(), freshness["newest_event_at"].date()
    since, until = selection.since, selection.until
    if since and since > newest:
        days = _days(since, until) if until else f"from {figures.day(since)}"
        return f"{days}, after the data, which ends on {figures.day(newest)}"
    if until and until < oldest:
        days = _days(since, until) if since else f"until {figures.day(until)}"
        return f"{days}, before the data, which begins on {figures.day(oldest)}"
    return _days(since or oldest, until or newest)


def _days(first: date, last: date) -> str:
    return figures.day(first) if first == last else f"{figures.day(first)} to {figures.day(last)}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sparkify", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["display"] = _display
    environment.filters["csv_link"] = csv_link
    environment.globals["inline"] = _inline
    environment.globals["fingerprint"] = _fingerprint
    return environment


@cache
def _inline(name: str) -> Markup:
    """Return a style sheet or script of this folder, for use inside the page."""
    return Markup(files("sparkify").joinpath("report", name).read_text(encoding="utf-8"))


@cache
def _fingerprint(name: str) -> str:
    """Return the hash by which a Content-Security-Policy allows an inline script or style."""
    return "sha256-" + base64.b64encode(sha256(_inline(name).encode()).digest()).decode()


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_link(rows: Rows) -> str:
    """Return rows as a CSV file inside a `data:` address, so that the link needs neither server nor script.

    As in `sparkify export --spreadsheet`, a quote precedes text that a spreadsheet would run as a formula.
    """
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return "data:text/csv;charset=utf-8," + quote("\ufeff" + text.getvalue(), safe=",:/ ()'")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _display(value: Any, column: str = "") -> str:
    """Return a table's value as text for people."""
    match value:
        case None:
            return "–"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case date():
            return f"{value:%Y-%m-%d}"
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        case int():
            return str(value) if column == "year" else f"{value:,}"
    return formatting.xml_text(str(value))
