"""The page about all listeners, or about one artist."""

from __future__ import annotations

from sparkify.formatting import named
from sparkify.report.figures import (
    artists,
    churn,
    day,
    devices,
    funnel,
    hours,
    listeners,
    match_rate,
    page_errors,
    paid_and_free,
    regions,
    retention,
    session_lengths,
    stickiness,
    tracks,
)
from sparkify.report.story import Answers, Number, Section, Story


def overview(answers: Answers) -> Story:
    """Return what all listeners do, or those of an artist."""
    artist = answers.selection.artist
    title = "What Sparkify’s listeners do" if artist is None else f"{named(artist)} on Sparkify"
    return Story(title, headline(answers), sections(answers))


def headline(answers: Answers) -> list[Number]:
    """Return the numbers that stand at the top."""
    [total] = answers.ask("report/headline")
    days = answers.ask("daily_listeners", "order by day")
    in_week = ""
    if days:  # a period may begin or end outside of the data, and its last week before it
        last_week = "in the 7 days to " + day(days[-1]["day"]) if answers.has_period else "of them in the last 7 days"
        in_week = f"{days[-1]['listeners_7d']:,} {last_week}"
    latest = [row["stickiness"] for row in days[-7:]]
    mean = sum(latest) / len(latest) if latest else 0.0
    numbers = [
        Number(f"{total['plays']:,}", "songs played", f"{total['hours']:,.0f} hours of music"),
        Number(f"{total['listeners']:,}", "listeners", in_week),
        Number(f"{mean:.0%}", "stickiness", "of a month’s listeners come on a day, of the last 7"),
    ]
    if answers.selection.artist is None:
        levels = answers.ask("daily_levels", "order by day")
        last = levels[-1] if levels else {"users": 0, "paid_users": 0}
        lengths = answers.ask("report/session_lengths", "order by day, place")
        begun = sum(row["sessions"] for row in lengths)
        minutes = f"{sum(row['minutes'] for row in lengths) / begun:,.0f} minutes on average" if lengths else ""
        numbers[2:2] = [
            Number(f"{last['paid_users']:,}", "paid users", f"of {last['users']:,} users at the end"),
            Number(f"{begun:,}", "sessions", minutes),
        ]
    return numbers


def sections(answers: Answers) -> list[Section]:
    """Return the figures of the page, in its order; of an artist, those that need nothing but plays."""
    places = Section("Where and with what", [regions(answers), devices(answers)])
    if answers.selection.artist is not None:
        listening = [listeners(answers), stickiness(answers), tracks(answers), hours(answers)]
        return [Section("Listening", listening), places]
    return [
        Section("Listening", [listeners(answers), stickiness(answers), session_lengths(answers), hours(answers)]),
        Section("Growth", [paid_and_free(answers), funnel(answers), retention(answers), churn(answers)]),
        Section("Music", [tracks(answers), artists(answers)]),
        places,
        Section("How sound the data is", [match_rate(answers), page_errors(answers)]),
    ]
