"""The review of one listener: what they heard in a year, or in whatever time is selected."""

from __future__ import annotations

from datetime import date

from sparkify.errors import ConfigError
from sparkify.formatting import named
from sparkify.report import charts, figures
from sparkify.report.story import Answers, Figure, Number, Section, Story
from sparkify.sql.selection import Selection


def review(answers: Answers) -> Story:
    """Return what a listener heard; raise ConfigError if there is no such user."""
    user = answers.selection.user
    names = answers.warehouse.rows("select first_name, last_name from users where user_id = ?", [user])
    if not names:
        raise ConfigError(f"{user}: there is no such user. Name one by the user_id of the table users.")
    name = named(" ".join(part for part in names[0] if part) or f"User {user}")
    heard = _year(answers.selection) or "listening"
    artist = answers.selection.artist
    if artist is not None:  # an artist's plays say nothing of sessions and levels
        return Story(
            f"{name}’s {heard}, {named(artist)}",
            _numbers(answers),
            [
                Section("Music", [figures.tracks(answers)]),
                Section("When and with what", [_days(answers), figures.hours(answers), figures.devices(answers)]),
            ],
        )
    return Story(
        f"{name}’s {heard}",
        [*_numbers(answers), *_longest_session(answers)],
        [
            Section("Music", [figures.tracks(answers), figures.artists(answers)]),
            Section("When", [_days(answers), figures.session_lengths(answers), figures.hours(answers)]),
            Section("Subscription and devices", [_levels(answers), figures.devices(answers)]),
        ],
    )


def _year(selection: Selection) -> str:
    """Return the calendar year that is selected, if it is a whole one; of other periods, the page says the days."""
    since, until = selection.since, selection.until
    if since and until == date(since.year, 12, 31) and since == date(since.year, 1, 1):
        return f"{since.year}"
    return ""


def _numbers(answers: Answers) -> list[Number]:
    [total] = answers.ask("report/headline")
    days = answers.ask("report/daily_plays", "order by day")
    hours = answers.ask("report/favourite_hour", "order by plays desc, hour")
    [kinds] = answers.ask("report/variety")
    numbers = [
        Number(f"{total['plays']:,}", "songs played", figures.counted(kinds["titles"], "different one")),
        Number(f"{total['hours']:,.1f}", "hours of music", f"on {figures.counted(len(days), 'day')}"),
        Number(f"{kinds['artists']:,}", "artists", ""),
    ]
    if hours:
        numbers.append(Number(f"{hours[0]['hour']}:00", "favourite hour", f"UTC, {figures.plays(hours[0])}"))
    return numbers


def _longest_session(answers: Answers) -> list[Number]:
    longest = answers.ask("sessions", "order by minutes desc, started_at limit 1")
    return [
        Number(
            f"{row['minutes']:,.0f} min",
            "longest session",
            f"{figures.plays(row)}, begun on {figures.day(row['started_at'])}",
        )
        for row in longest
    ]


def _days(answers: Answers) -> Figure:
    rows = answers.ask("report/daily_plays", "order by day")
    says = figures.NOTHING
    if rows:
        says = f"The first play on {figures.day(rows[0]['day'])}, the last on {figures.day(rows[-1]['day'])}."
    return Figure(
        "daily_plays",
        "Plays per day",
        says,
        "Songs started. Days of UTC.",
        rows,
        charts.columns(rows, "day", "plays", "plays"),
    )


def _levels(answers: Answers) -> Figure:
    rows = answers.ask_of_all_time("level_history", "order by valid_from")
    shown = [{key: row[key] for key in ("level", "valid_from", "valid_to")} for row in rows]
    says = f"{rows[-1]['level'].capitalize()} since {figures.day(rows[-1]['valid_from'])}." if rows else figures.NOTHING
    return Figure(
        "level_history",
        "Free and paid",
        says,
        "By what the app wrote on the events, over all of time: the first event at a level begins it.",
        shown,
        None,
    )
