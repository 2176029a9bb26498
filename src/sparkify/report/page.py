"""The page: figures, drawn and put into the template; one file that asks nothing of any network."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sparkify import formatting
from sparkify.errors import ConfigError, WarehouseError
from sparkify.filesystem import write_whole
from sparkify.report import charts, figures, overview, review, svg
from sparkify.report.story import Answers, Figure, Rows, Story
from sparkify.sql.selection import Selection
from sparkify.warehouse import base
from sparkify.warehouse.base import Warehouse

_DOCTYPE = b"<!doctype html"


@dataclass(frozen=True)
class Page:
    """All that a page shows, once the warehouse has been asked."""

    story: Story
    period: str
    fresh: dict[str, Any]
    age: str  # of the newest event: 3 days ago
    matched: dict[str, int]
    balance: Rows
    rejections: Rows
    warehouse: str
    made_at: datetime


@dataclass(frozen=True)
class Drawing:
    """A figure with its chart drawn, wide and for a phone."""

    figure: Figure
    wide: Markup
    narrow: Markup


def gather(warehouse: Warehouse, selection: Selection) -> Page:
    """Ask the warehouse for all that the page over a selection shows: of a user, their review.

    Raise ConfigError if there is no such user or artist.
    """
    if selection.artist is not None:
        _require_artist(warehouse, selection.artist)
    answers = Answers(warehouse, selection)
    [fresh] = answers.ask_all("freshness")
    made_at = base.now()
    newest = fresh["newest_event_at"]
    return Page(
        story=overview.overview(answers) if selection.user is None else review.review(answers),
        period=_period(selection, fresh),
        fresh=fresh,
        age=formatting.ago((made_at - newest).total_seconds()) if newest else "",
        matched=figures.matched(answers),
        balance=answers.ask_all("report/balance", "order by kind"),
        rejections=answers.ask_all("report/rejections", "order by records desc, source, reason limit 20"),
        warehouse=warehouse.label,
        made_at=made_at,
    )


def render(page: Page, template: str = "page.html.j2", **more: Any) -> str:
    """Return a page as HTML, its charts drawn. `more` is what another template than the report's asks for."""
    sections = [(section.title, [draw(figure) for figure in section.figures]) for section in page.story.sections]
    return _environment().get_template(template).render(page=page, sections=sections, **more)


def waiting(why: str, seconds: int) -> str:
    """Return a page as HTML that says why there is none yet, and asks for itself again after some seconds."""
    return _environment().get_template("waiting.html.j2").render(why=why, seconds=seconds)


def write(page: Page, path: Path) -> int:
    """Write a page to a file, which is there whole or not at all; return its bytes.

    Raise WarehouseError for a place that cannot be written to, or a file that is there and is no page.
    """
    if path.is_file() and not _is_page(path):  # the warehouse's own file, say
        raise WarehouseError(f"{path}: is there already, and is no HTML page. Name another file with --out.")
    content = render(page).encode()
    with write_whole(path) as beside:
        beside.write_bytes(content)
    return len(content)


def _is_page(path: Path) -> bool:
    try:
        with path.open("rb") as there:
            return there.read(len(_DOCTYPE)).lower() == _DOCTYPE
    except OSError as error:
        raise WarehouseError(f"{path}: cannot be read ({error.strerror}). Name another file with --out.") from error


def draw(figure: Figure) -> Drawing:
    """Draw the chart of a figure."""
    wide = charts.FULL if figure.is_wide else charts.HALF
    label = f"{figure.title}. {figure.says}"
    if not figure.rows or figure.chart is None:
        return Drawing(figure, Markup(), Markup())
    drawn = [Markup(svg.svg(figure.chart(width), f"{figure.name}-{width}", label)) for width in (wide, charts.PHONE)]
    return Drawing(figure, *drawn)


def _require_artist(warehouse: Warehouse, artist: str) -> None:
    """Raise ConfigError for an artist whom no play names, with the spelling that differs only in case, if any."""
    like = "select distinct artist_name from tracks where lower(artist_name) = lower(?) order by artist_name"
    spelt = [name for (name,) in warehouse.rows(like, [artist])]
    if artist in spelt:
        return
    hint = f"Is it {' or '.join(spelt)}?" if spelt else "Name one by the artist_name of the table tracks."
    raise ConfigError(f"{artist}: there is no such artist in the plays. {hint}")


def _period(selection: Selection, fresh: dict[str, Any]) -> str:
    """Return the days that the page is about, for people, and whether the data lies outside of them."""
    if fresh["oldest_event_at"] is None:
        return "no events yet"
    oldest, newest = fresh["oldest_event_at"].date(), fresh["newest_event_at"].date()
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
    made = Environment(
        loader=PackageLoader("sparkify", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["shown"] = _shown
    made.globals["inline"] = _inline
    made.globals["fingerprint"] = _fingerprint
    return made


@cache
def _inline(name: str) -> Markup:
    """Return a style sheet or script of this folder, to stand in the page."""
    return Markup(files("sparkify").joinpath("report", name).read_text(encoding="utf-8"))


@cache
def _fingerprint(name: str) -> str:
    """Return what a Content-Security-Policy names an inline script or style by."""
    return "sha256-" + base64.b64encode(sha256(_inline(name).encode()).digest()).decode()


def _shown(value: Any) -> str:
    """Return a value of a table for people."""
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
            return f"{value:,}"
    return formatting.legible(str(value))
