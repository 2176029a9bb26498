"""The page about all listeners, or about those of one artist or level."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from sparkify.formatting import count, isolated
from sparkify.report import figures
from sparkify.report.story import Figure, Number, Rows, Story, Views
from sparkify.sql.selection import Selection


def overview(views: Views) -> Story:
    """Return the page about all listeners, or about those of the selected artist or level."""
    artist = views.selection.artist
    title = "Listening on Sparkify" if artist is None else f"{isolated(artist)} on Sparkify"
    return Story(f"{title}{at_level(views.selection)}", headline(views), sections(views))


def at_level(selection: Selection) -> str:
    """Return the level of a selection, as the end of a title; "" without one."""
    return "" if selection.level is None else f" at level {isolated(selection.level)}"


def headline(views: Views) -> list[Number]:
    """Return the headline numbers, each with its change from the period before."""
    [total] = views.rows("report/headline")
    days = views.rows("daily_listeners", "order by day")
    in_week = ""
    if days:  # a selected period can begin or end outside of the data, so its last 7 days are named by their end
        until = figures.day(days[-1]["day"])
        last_week = f"in the 7 days to {until}" if views.has_period else "of them in the last 7 days"
        in_week = f"{days[-1]['listeners_7d']:,} {last_week}"
    change = changes(views)
    numbers = [
        Number(f"{total['plays']:,}", "songs played", f"{total['hours']:,.0f} hours of music", change("plays")),
        Number(f"{total['listeners']:,}", "listeners", in_week, change("listeners")),
        Number(
            f"{mean_stickiness([row for row in days if views.is_finished(row['day'])]):.0%}",
            "share of monthly listeners active on an average day",
            "mean of the last 7 days",
            change("stickiness"),
        ),
    ]
    if views.selection.is_of_all_events:
        levels = views.rows("daily_levels", "order by day")
        last = levels[-1] if levels else {"users": 0, "paid_users": 0}
        lengths = views.rows("report/session_lengths", "order by day, place")
        started = sum(row["sessions"] for row in lengths)
        numbers[2:2] = [
            Number(
                f"{last['paid_users']:,}",
                "paid users",
                f"of {last['users']:,} users on the last day",
                change("paid_users"),
            ),
            Number(f"{started:,}", "sessions", _minutes(views, lengths, started), change("sessions")),
        ]
    return numbers


def mean_stickiness(days: Rows) -> float:
    """Return the mean of the last 7 days of rows of daily_listeners; 0 without any."""
    latest = [row["stickiness"] for row in days[-7:]]
    return sum(latest) / len(latest) if latest else 0.0


def _minutes(views: Views, lengths: Rows, started: int) -> str:
    """Return the mean and the median length of the sessions, as text."""
    if not started:
        return ""
    mean = sum(row["minutes"] for row in lengths) / started
    middle = views.rows("sessions", f"order by minutes limit {2 - started % 2} offset {(started - 1) // 2}")
    median = sum(row["minutes"] for row in middle) / len(middle)
    return f"mean {mean:,.1f}, median {median:,.1f} minutes"


def changes(views: Views) -> Callable[[str], str]:
    """Return a function that states the change of a measure from the period before; "" if the data lacks that period.

    Without a selected period, it compares the last 7 finished days of the data with the 7 before them.
    """
    if views.reach is None or views.finished_until is None:
        return lambda _: ""
    oldest, _ = views.reach
    until = min(views.selection.until or views.finished_until, views.finished_until)
    since = max(views.selection.since or oldest, oldest) if views.has_period else until - timedelta(days=6)
    length = (until - since).days + 1
    before = since - timedelta(days=length)
    if length < 1 or before < oldest:
        return lambda _: ""
    now, earlier = (_measures(views, first, first + timedelta(days=length - 1)) for first in (since, before))
    span = count(length, "day")

    def change(measure: str) -> str:
        amount, was = now[measure], earlier[measure]
        if measure == "stickiness":
            text = f"{100 * (amount - was):+.1f} points"
        elif was:
            text = f"{amount / was - 1:+.0%}"
        else:
            text = f"{amount:+,.0f}"
        text = text.replace("-", "−").replace("+0%", "±0%").replace("−0%", "±0%")
        if views.has_period:
            return f"{text} on the {span} before"
        return f"last {span}: {text} on the {length} before"

    return change


def _measures(views: Views, since: date, until: date) -> dict[str, float]:
    """Return the headline numbers of a period inside the data."""
    period = replace(views.selection, since=since, until=until)
    [total] = views.rows("report/headline", selection=period)
    days = views.rows("daily_listeners", "order by day", period)
    measures = {"plays": total["plays"], "listeners": total["listeners"], "stickiness": mean_stickiness(days)}
    if views.selection.is_of_all_events:
        levels = views.rows("daily_levels", "order by day", replace(period, since=None))
        lengths = views.rows("report/session_lengths", "order by day, place", period)
        measures["paid_users"] = levels[-1]["paid_users"] if levels else 0
        measures["sessions"] = sum(row["sessions"] for row in lengths)
    return measures


def sections(views: Views) -> dict[str, list[Figure]]:
    """Return the figures of each section, in order; for an artist or a level, only those that plays are enough for."""
    places = (figures.regions, figures.devices)
    listening = (figures.daily_plays, figures.daily_hours, figures.listeners, figures.stickiness)
    if not views.selection.is_of_all_events:
        music = (figures.tracks,) if views.selection.artist else (figures.tracks, figures.artists)
        shown = {
            "Listening": (*listening, *music, figures.hours),
            "Listeners and devices": (figures.top_listeners, figures.years, *places),
        }
    else:
        shown = {
            "Listening": (*listening, figures.session_lengths, figures.hours),
            "Growth": (
                *(figures.churn, figures.retention),
                *(figures.paid_and_free, figures.paid_churn, figures.funnel),
            ),
            "Music and listeners": (figures.tracks, figures.artists, figures.top_listeners, figures.years),
            "Places and devices": places,
            "Data quality": (figures.match_rate, figures.page_errors),
        }
    return {title: [figure(views) for figure in section] for title, section in shown.items()}
