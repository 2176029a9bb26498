"""What the page shows: each figure asks a view, says in a sentence what it finds, and gives its rows to a chart."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sparkify.formatting import named
from sparkify.report import charts
from sparkify.report.story import Answers, Figure

SHOWN = 10
"""So many tracks, artists and states stand in a chart, and five times as many in its table."""

COHORTS = 12
"""So many weekly cohorts are drawn, the latest ones, for as many weeks; all are counted."""

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def matched(answers: Answers) -> dict[str, int]:
    """Return how many plays there are, and of how many the catalogue knows the song and the artist."""
    rows = answers.ask("match_rate", "order by day")
    return {column: sum(row[column] for row in rows) for column in ("plays", "song_plays", "artist_plays")}


def listeners(answers: Answers) -> Figure:
    """Listeners per day, with the windows of 7 and 30 days."""
    daily = answers.ask("daily_listeners", "order by day")
    best = max(daily, key=lambda day: day["listeners"], default=None)
    says = f"Most listeners on one day: {best['listeners']:,}, on {day(best['day'])}." if best else NOTHING
    series = {"listeners": "on the day", "listeners_7d": "in 7 days", "listeners_30d": "in 30 days"}
    return Figure(
        "daily_listeners",
        "Listeners per day",
        says,
        "Users who started a song on the day, and in the 7 and 30 days that end with it. Days of UTC.",
        daily,
        charts.lines(daily, "day", series),
        is_wide=True,
    )


def stickiness(answers: Answers) -> Figure:
    """The share of a month's listeners who come on a day."""
    daily = answers.ask("daily_listeners", "order by day")
    says = f"{daily[-1]['stickiness']:.0%} on the last day." if daily else NOTHING
    rows = [{"day": row["day"], "stickiness": row["stickiness"]} for row in daily]
    return Figure(
        "stickiness",
        "Stickiness",
        says,
        "Listeners of the day / listeners of 30 days. In the data's first 30 days too high, as the month is not full.",
        rows,
        charts.lines(rows, "day", {"stickiness": "stickiness"}, ".0%", "of the month's listeners"),
    )


def session_lengths(answers: Answers) -> Figure:
    """How long sessions are."""
    rows = answers.ask("report/session_lengths", "order by day, place")
    total = sum(row["sessions"] for row in rows)
    long = sum(row["sessions"] for row in rows if row["place"] >= 5)
    says = f"{long / total:.0%} of {total:,} sessions last an hour or more." if total else NOTHING
    shown = [
        {"length": length}
        | {key: sum(row[key] for row in rows if row["place"] == place) for key in ("sessions", "plays")}
        for place, length in sorted({(row["place"], row["length"]) for row in rows})
    ]
    return Figure(
        "sessions",
        "Length of sessions",
        says,
        "From the first to the last event of a user's session; how long the last song was heard is not known. A session"
        " counts on the day on which it began, in full.",
        shown,
        charts.ranked(shown, lambda row: row["length"], "sessions", lambda row: f"{row['sessions']:,}"),
    )


def hours(answers: Answers) -> Figure:
    """When people listen."""
    rows = answers.ask("listening_by_hour", "order by weekday, hour")
    best = max(rows, key=lambda row: row["plays"], default=None)
    says = f"The busiest hour: {WEEKDAYS[best['weekday']]} from {best['hour']}:00, {plays(best)}." if best else NOTHING
    found = {(row["weekday"], row["hour"]): row for row in rows}
    nothing = {"plays": 0, "listeners": 0}
    cells = [
        {
            "weekday": WEEKDAYS[weekday],
            "hour": hour,
            **{key: found.get((weekday, hour), nothing)[key] for key in nothing},
        }
        for weekday in (1, 2, 3, 4, 5, 6, 0)
        for hour in range(24)
    ]
    short = [cell | {"weekday": cell["weekday"][:3]} for cell in cells]
    chart = charts.grid(
        short, "hour", "weekday", "plays", form=",d", unit="plays", titles=("hour (UTC)", ""), written=False
    )
    return Figure(
        "listening_by_hour",
        "Plays by weekday and hour",
        says,
        "Songs started; stronger is more. Hours of UTC: the logs do not say what the clock showed at the listener's.",
        cells if rows else [],
        chart,
        is_wide=True,
    )


def paid_and_free(answers: Answers) -> Figure:
    """How many users are paid and free."""
    levels = answers.ask("daily_levels", "order by day")
    last = levels[-1] if levels else None
    says = f"{last['paid_users']:,} of {last['users']:,} users are paid at the end." if last else NOTHING
    return Figure(
        "daily_levels",
        "Paid and free users",
        says,
        "Users of a known level, by that when the day ends. The app does not say who has left; nobody is taken off.",
        levels,
        charts.stack(levels, "day", {"paid_users": "paid", "free_users": "free"}),
    )


def funnel(answers: Answers) -> Figure:
    """The way from free to paid."""
    rows = answers.ask("upgrade_funnel", "order by step")
    first, last = rows[0]["users"], rows[-1]["users"]
    says = f"{last:,} of {first:,} free users became paid ({last / first:.0%})." if first else NOTHING
    return Figure(
        "upgrade_funnel",
        "From free to paid",
        says,
        "Users who were free, saw the upgrade page, sent its form, and were then paid: each step after the other.",
        rows if first else [],
        charts.ranked(rows, lambda row: row["name"], "users", lambda row: f"{row['users']:,}"),
    )


def retention(answers: Answers) -> Figure:
    """Which of those who began in a week came back in later ones."""
    rows = answers.ask("weekly_retention", "order by cohort_week, weeks_since")
    size = sum(row["cohort_listeners"] for row in rows if row["weeks_since"] == 1)
    back = sum(row["active_listeners"] for row in rows if row["weeks_since"] == 1)
    says = "No cohort has a second week." if rows else _no_week(answers)
    if size:
        says = f"{back / size:.0%} of new listeners played again in the week after their first."
    latest = sorted({row["cohort_week"] for row in rows})[-COHORTS:]
    drawn = [row for row in rows if row["cohort_week"] in latest and row["weeks_since"] < COHORTS]
    cells = [
        row | {"cohort": f"{row['cohort_week'].day} {row['cohort_week']:%b %Y} · {row['cohort_listeners']:,}"}
        for row in drawn
    ]
    cut = f" The chart has the latest {COHORTS} cohorts, for {COHORTS} weeks." if len(drawn) < len(rows) else ""
    titles = ("weeks since the first play", "")
    return Figure(
        "weekly_retention",
        "Weekly cohorts",
        says,
        "Listeners by the week of their first play, and the share of them who played in each week since. Who listened"
        f" before the data begins looks new in its first week; the last week may not be over.{cut}",
        rows,
        charts.grid(
            cells, "weeks_since", "cohort", "retention", form=".0%", unit="came back", titles=titles, written=True
        ),
        is_wide=True,
    )


def churn(answers: Answers) -> Figure:
    """Who comes, who comes back, and who does not."""
    rows = answers.ask("weekly_churn", "order by week")
    days = answers.ask("daily_listeners", "order by day")
    over = [row for row in rows if row["churn"] is not None and row["week"] + timedelta(days=6) <= days[-1]["day"]]
    says = "No two weeks are over." if rows else _no_week(answers)
    if over:
        lost, week = f"{over[-1]['churn']:.0%}", day(over[-1]["week"])
        says = f"{lost} of the listeners of the week before did not play in the week of {week}."
    series = {"listeners": "listeners", "new_listeners": "new", "lost_listeners": "lost"}
    return Figure(
        "weekly_churn",
        "New and lost listeners by week",
        says,
        "Lost is who played in the week before and not in this one; they may return. The last week may not be over.",
        rows,
        charts.lines(rows, "week", series, every=7),
        is_wide=True,
    )


def tracks(answers: Answers) -> Figure:
    """What is played most."""
    rows = answers.ask("top_tracks", f"order by place, title, artist_name limit {5 * SHOWN}")
    best = rows[0] if rows else None
    says = f"“{named(best['title'])}” by {named(best['artist_name'])}: {plays(best)}." if best else NOTHING
    return Figure(
        "top_tracks",
        "Top tracks",
        says,
        "Songs started, by title and artist as the app named them. There is no skip rate: the app does not say when a"
        " song ended.",
        rows,
        charts.ranked(rows[:SHOWN], lambda row: f"{named(row['title'])} · {named(row['artist_name'])}", "plays", plays),
    )


def artists(answers: Answers) -> Figure:
    """Who is played most."""
    rows = answers.ask("top_artists", f"order by place, artist_name limit {5 * SHOWN}")
    best = rows[0] if rows else None
    says = f"{named(best['artist_name'])}: {heard(best)}." if best else NOTHING
    return Figure(
        "top_artists",
        "Top artists",
        says,
        "Songs started, by the artist as the app credited them; a guest's credit is a name of its own.",
        rows,
        charts.ranked(rows[:SHOWN], lambda row: named(row["artist_name"]), "plays", plays),
    )


def regions(answers: Answers) -> Figure:
    """Where people listen."""
    rows = answers.ask("listening_by_region", "order by plays desc, state")
    best = rows[0] if rows else None
    says = f"{named(best['state'])}: {heard(best)}." if best else NOTHING
    return Figure(
        "listening_by_region",
        "By state",
        says,
        "The state of the location. A metropolitan area in several states counts for each of them.",
        rows,
        charts.ranked(rows[:SHOWN], lambda row: named(row["state"]), "plays", plays),
    )


def devices(answers: Answers) -> Figure:
    """What people listen with."""
    rows = answers.ask("listening_by_device", "order by plays desc, device, browser")
    total = sum(row["plays"] for row in rows)
    best = rows[0] if rows else None
    says = f"{best['browser']} on {best['device']}: {best['plays'] / total:.0%} of plays." if best else NOTHING
    return Figure(
        "listening_by_device",
        "By device and browser",
        says,
        "Read from the browser's own description of itself.",
        rows,
        charts.ranked(rows[:SHOWN], lambda row: f"{row['device']} · {row['browser']}", "plays", plays),
    )


def match_rate(answers: Answers) -> Figure:
    """How many plays the catalogue knows."""
    rows = answers.ask("match_rate", "order by day")
    total, songs, by_artist = matched(answers).values()
    says = (
        f"Of {total:,} plays, the catalogue knows the song of {songs:,} ({songs / total:.1%}),"
        f" the artist of {by_artist:,} ({by_artist / total:.1%})."
        if total
        else NOTHING
    )
    series = {"song_rate": "song known", "artist_rate": "artist known"}
    return Figure(
        "match_rate",
        "Plays that the catalogue knows",
        says,
        "A song is matched by title, artist and duration, all exactly; else perhaps its artist alone, by name.",
        rows,
        charts.lines(rows, "day", series, ".0%"),
    )


def page_errors(answers: Answers) -> Figure:
    """How often a page ends in an error."""
    rows = answers.ask("page_errors", "order by day")
    views_, errors = sum(row["page_views"] for row in rows), sum(row["errors"] for row in rows)
    says = f"{errors:,} of {views_:,} pages ended in an error ({errors / views_:.1%})." if views_ else NOTHING
    return Figure(
        "page_errors",
        "Page errors",
        says,
        "Page views with a status of 400 or more. Plays are not pages.",
        rows,
        charts.columns(rows, "day", "errors", "errors"),
    )


NOTHING = "Nothing in this selection."


def _no_week(answers: Answers) -> str:
    """Say why a figure by week is empty: weeks belong to the period in which their Monday lies."""
    is_silent = not answers.ask("daily_listeners", "order by day")
    return NOTHING if is_silent or not answers.has_period else "No week begins in this period."


def day(value: date) -> str:
    """Return a day for people: 30 November 2018."""
    return f"{value.day} {value:%B %Y}"


def counted(number: int, what: str) -> str:
    """Return a number of things in words: 1 play, 2 plays."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def plays(row: dict[str, Any]) -> str:
    """Return a row's number of plays in words."""
    return counted(row["plays"], "play")


def heard(row: dict[str, Any]) -> str:
    """Return a row's number of plays and of listeners in words."""
    return f"{plays(row)} by {counted(row['listeners'], 'listener')}"
