"""The page about one listener: a review of a year, or of any other period."""

from dataclasses import replace
from datetime import date

from sparkify.formatting import count, isolated
from sparkify.report import charts, figures, overview
from sparkify.report.story import Figure, Number, Story, Views
from sparkify.sql.selection import Selection


def review(views: Views) -> Story:
    """Return the page about the selected user."""
    user = views.selection.user
    [names] = views.warehouse.rows("select first_name, last_name from users where user_id = ?", [user])
    name = isolated(" ".join(part for part in names if part) or f"User {user}")
    title = f"{name}’s {_year(views.selection) or 'listening'}"
    artist = views.selection.artist
    if not views.selection.is_of_all_events:
        title += "" if artist is None else f", {isolated(artist)}"
        return Story(
            f"{title}{overview.at_level(views.selection)}",
            _numbers(views),
            {
                "Music": [figures.tracks(views)] if artist else [figures.tracks(views), figures.artists(views)],
                "Times and devices": [_days(views), figures.hours(views), figures.devices(views)],
            },
        )
    return Story(
        title,
        [*_numbers(views), *_longest_session(views)],
        {
            "Music": [figures.tracks(views), figures.artists(views)],
            "Times": [_days(views), figures.session_lengths(views), figures.hours(views)],
            "Subscription and devices": [_levels(views), figures.devices(views)],
        },
    )


def _year(selection: Selection) -> str:
    """Return the selected calendar year, or "" if the selection is not one whole year."""
    since, until = selection.since, selection.until
    if since and until == date(since.year, 12, 31) and since == date(since.year, 1, 1):
        return f"{since.year}"
    return ""


def _numbers(views: Views) -> list[Number]:
    [total] = views.rows("report/headline")
    days = views.rows("report/daily_plays", "order by day")
    hours = views.rows("report/favourite_hour", "order by plays desc, hour")
    [variety] = views.rows("report/variety")
    numbers = [
        Number(f"{total['plays']:,}", "songs played", count(variety["titles"], "different song")),
        Number(f"{total['hours']:,.1f}", "hours of music", f"on {count(len(days), 'day')}"),
        Number(f"{variety['artists']:,}", "artists"),
    ]
    if hours:
        numbers.append(Number(f"{hours[0]['hour']}:00", "favourite hour", f"UTC, {figures.plays(hours[0])}"))
    return numbers


def _longest_session(views: Views) -> list[Number]:
    longest = views.rows("sessions", "order by minutes desc, started_at limit 1")
    return [
        Number(
            f"{row['minutes']:,.0f} min",
            "longest session",
            f"{figures.plays(row)}, started on {figures.day(row['started_at'])}",
        )
        for row in longest
    ]


def _days(views: Views) -> Figure:
    rows = views.rows("report/daily_plays", "order by day")
    finding = figures.NOTHING
    if rows:
        finding = f"First play on {figures.day(rows[0]['day'])}, last play on {figures.day(rows[-1]['day'])}."
    return Figure(
        "daily_plays",
        "Plays per day",
        finding,
        "Songs started. Days are in UTC.",
        rows,
        charts.columns(rows, "plays"),
    )


def _levels(views: Views) -> Figure:
    all_time = replace(views.selection, since=None, until=None)
    rows = views.rows("level_history", "order by valid_from", all_time)
    shown = [{key: row[key] for key in ("level", "valid_from", "valid_to")} for row in rows]
    finding = figures.NOTHING
    if rows:
        finding = f"{rows[-1]['level'].capitalize()} since {figures.day(rows[-1]['valid_from'])}."
    return Figure(
        "level_history",
        "Free and paid",
        finding,
        "The level that the app logged, over all time. A level begins with its first event.",
        shown,
        None,
    )
