"""The figures of a page: each reads a view, states its main finding in a sentence, and draws its rows as a chart."""

from datetime import date, timedelta
from typing import Any

from sparkify.formatting import count, isolated
from sparkify.report import charts
from sparkify.report.story import Figure, Rows, Views

SHOWN = 10
"""Tracks, artists and states in a chart; its table lists five times as many tracks and artists."""

COHORTS = 12
"""Weekly cohorts in the chart, the latest ones, and weeks of each; the finding and the table cover all."""

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

NOTHING = "Nothing in this selection."


# Texts


def day(value: date) -> str:
    """Return a day such as 30 November 2018."""
    return f"{value.day} {value:%B %Y}"


def plays(row: dict[str, Any]) -> str:
    """Return the plays of a row: 2 plays."""
    return count(row["plays"], "play")


def heard(row: dict[str, Any]) -> str:
    """Return the plays and listeners of a row: 2 plays by 1 listener."""
    return f"{plays(row)} by {count(row['listeners'], 'listener')}"


def open_day(views: Views, rows: Rows) -> tuple[date | None, str]:
    """Return the last day if it is not over yet, and the sentence about it."""
    if not rows or views.is_finished(rows[-1]["day"]):
        return None, ""
    return rows[-1]["day"], f" Unfinished: {day(rows[-1]['day'])}, drawn dashed or pale."


def open_week(views: Views, rows: Rows) -> tuple[date | None, str]:
    """Return the Monday of the last week if the data does not reach its end, and the sentence about it."""
    if not rows or views.is_finished(rows[-1]["week"] + timedelta(days=6)):
        return None, ""
    return rows[-1]["week"], f" Unfinished: the week of {day(rows[-1]['week'])}, drawn dashed or pale."


# Figures, in the order of the page


def daily_plays(views: Views) -> Figure:
    """Return the plays per day."""
    rows = [{key: row[key] for key in ("day", "plays")} for row in views.rows("daily_listeners", "order by day")]
    best = max(rows, key=lambda row: row["plays"], default=None)
    finding = f"Most plays on one day: {best['plays']:,}, on {day(best['day'])}." if best else NOTHING
    unfinished, remark = open_day(views, rows)
    return Figure(
        "daily_plays",
        "Plays per day",
        finding,
        f"Songs started. Days are in UTC.{remark}",
        rows,
        charts.columns(rows, "plays", unfinished),
    )


def daily_hours(views: Views) -> Figure:
    """Return the hours of music per day."""
    rows = [{key: row[key] for key in ("day", "hours")} for row in views.rows("daily_listeners", "order by day")]
    best = max(rows, key=lambda row: row["hours"], default=None)
    finding = f"Most music on one day: {best['hours']:,.1f} hours, on {day(best['day'])}." if best else NOTHING
    unfinished, remark = open_day(views, rows)
    return Figure(
        "daily_hours",
        "Hours of music per day",
        finding,
        f"The length of the songs started; one that the listener left early counts in full.{remark}",
        rows,
        charts.columns(rows, "hours", unfinished),
    )


def listeners(views: Views) -> Figure:
    """Return the listeners per day, and in windows of 7 and 30 days."""
    daily = views.rows("daily_listeners", "order by day")
    best = max(daily, key=lambda day: day["listeners"], default=None)
    finding = f"Most listeners on one day: {best['listeners']:,}, on {day(best['day'])}." if best else NOTHING
    series = {"listeners": "on the day", "listeners_7d": "in 7 days", "listeners_30d": "in 30 days"}
    unfinished, remark = open_day(views, daily)
    return Figure(
        "daily_listeners",
        "Listeners per day",
        finding,
        f"Users who started a song on the day, and in the 7 and 30 days up to it. Days are in UTC.{remark}",
        [{key: row[key] for key in ("day", *series)} for row in daily],
        charts.lines(daily, "day", series, unfinished=unfinished),
        is_wide=True,
    )


def stickiness(views: Views) -> Figure:
    """Return the share of a month's listeners who listen on a day."""
    rows = [{key: row[key] for key in ("day", "stickiness")} for row in views.rows("daily_listeners", "order by day")]
    last = next((row for row in reversed(rows) if views.is_finished(row["day"])), None)
    finding = f"{last['stickiness']:.0%} on {day(last['day'])}, the last whole day." if last else NOTHING
    unfinished, remark = open_day(views, rows)
    return Figure(
        "stickiness",
        "Share of monthly listeners active on the day",
        finding,
        "Listeners of the day, divided by those of the 30 days up to it (stickiness). Too high in the first 30 days of"
        f" the data.{remark}",
        rows,
        charts.lines(
            rows, "day", {"stickiness": "stickiness"}, ".0%", "of the month's listeners", unfinished=unfinished
        ),
    )


def session_lengths(views: Views) -> Figure:
    """Return the sessions by length."""
    rows = views.rows("report/session_lengths", "order by day, place")
    total = sum(row["sessions"] for row in rows)
    long = sum(row["sessions"] for row in rows if row["place"] >= 5)
    finding = f"{long / total:.0%} of {total:,} sessions last an hour or more." if total else NOTHING
    shown = [
        {"length": length}
        | {key: sum(row[key] for row in rows if row["place"] == place) for key in ("sessions", "plays")}
        for place, length in sorted({(row["place"], row["length"]) for row in rows})
    ]
    return Figure(
        "sessions",
        "Session length",
        finding,
        "From the first to the last event of a session; how long its last song was heard is unknown. A session counts"
        " in full on the day on which it began.",
        shown,
        charts.ranked(shown, lambda row: row["length"], "sessions", lambda row: f"{row['sessions']:,}"),
    )


def hours(views: Views) -> Figure:
    """Return the plays by weekday and hour."""
    rows = views.rows("listening_by_hour", "order by weekday, hour")
    best = max(rows, key=lambda row: row["plays"], default=None)
    finding = f"Busiest hour: {WEEKDAYS[best['weekday']]} from {best['hour']}:00, {plays(best)}." if best else NOTHING
    by_hour = {(row["weekday"], row["hour"]): {key: row[key] for key in ("plays", "listeners")} for row in rows}
    cells = [
        {"weekday": WEEKDAYS[weekday], "hour": hour, **by_hour.get((weekday, hour), {"plays": 0, "listeners": 0})}
        for weekday in (1, 2, 3, 4, 5, 6, 0)
        for hour in range(24)
    ]
    short = [cell | {"weekday": cell["weekday"][:3]} for cell in cells]
    chart = charts.grid(
        short, "hour", "weekday", "plays", form=",d", unit="plays", titles=("hour (UTC)", ""), labelled=False
    )
    return Figure(
        "listening_by_hour",
        "Plays by weekday and hour",
        finding,
        "Songs started; a stronger colour means more. Hours are in UTC, since the logs hold no time zone.",
        cells if rows else [],
        chart,
        is_wide=True,
    )


def paid_and_free(views: Views) -> Figure:
    """Return the paid and free users per day."""
    levels = views.rows("daily_levels", "order by day")
    unfinished, remark = open_day(views, levels)
    last = levels[-1] if levels else None
    finding = f"{last['paid_users']:,} of {last['users']:,} users are paid on the last day." if last else NOTHING
    return Figure(
        "daily_levels",
        "Paid and free users",
        finding,
        f"Users by their level at the end of the day. The app does not log who leaves, so nobody is removed.{remark}",
        levels,
        charts.stack(levels, {"paid_users": "paid", "free_users": "free"}, unfinished),
    )


def funnel(views: Views) -> Figure:
    """Return the users at each step from free to paid."""
    rows = views.rows("upgrade_funnel", "order by step")
    first, last = rows[0]["users"], rows[-1]["users"]
    finding = f"{last:,} of {first:,} free users became paid ({last / first:.0%})." if first else NOTHING
    return Figure(
        "upgrade_funnel",
        "From free to paid",
        finding,
        "Users who were free, then saw the upgrade page, then submitted its form, then were paid.",
        rows if first else [],
        charts.ranked(rows, lambda row: row["name"], "users", lambda row: f"{row['users']:,}"),
        is_wide=True,
    )


def retention(views: Views) -> Figure:
    """Return the share of each week's new listeners who came back in later weeks."""
    rows = [
        row
        for row in views.rows("weekly_retention", "order by cohort_week, weeks_since")
        if views.is_finished(row["cohort_week"] + timedelta(days=7 * row["weeks_since"] + 6))
    ]
    size = sum(row["cohort_listeners"] for row in rows if row["weeks_since"] == 1)
    back = sum(row["active_listeners"] for row in rows if row["weeks_since"] == 1)
    finding = "No cohort has a second finished week." if rows else _no_week(views, "No cohort has a finished week.")
    if size:
        finding = f"{back / size:.0%} of new listeners played again in the week after their first."
    latest = sorted({row["cohort_week"] for row in rows})[-COHORTS:]
    drawn = [row for row in rows if row["cohort_week"] in latest and row["weeks_since"] < COHORTS]
    cells = [
        row | {"cohort": f"{row['cohort_week'].day} {row['cohort_week']:%b %Y} · {row['cohort_listeners']:,}"}
        for row in drawn
    ]
    cut = f" The chart shows the latest {COHORTS} cohorts, for {COHORTS} weeks." if len(drawn) < len(rows) else ""
    titles = ("weeks since the first play", "")
    return Figure(
        "weekly_retention",
        "Weekly cohorts",
        finding,
        "Listeners by the week of their first play, and the share of them who played in each week since. Only finished"
        " weeks count. The first week of the data has no cohort, since earlier listeners would look new in it."
        f"{cut}",
        rows,
        charts.grid(
            cells, "weeks_since", "cohort", "retention", form=".0%", unit="came back", titles=titles, labelled=True
        ),
        is_wide=True,
    )


def churn(views: Views) -> Figure:
    """Return the new, returning, resurrected and lost listeners per week."""
    rows = views.rows("weekly_churn", "order by week")
    over = [row for row in rows if row["churn"] is not None and views.is_finished(row["week"] + timedelta(days=6))]
    finding = "There are no two complete weeks." if rows else _no_week(views)
    if over:
        lost, week = f"{over[-1]['churn']:.0%}", day(over[-1]["week"])
        finding = f"{lost} of the previous week’s listeners did not play in the week of {week}."
    unfinished, remark = open_week(views, rows)
    return Figure(
        "weekly_churn",
        "New, returning and lost listeners by week",
        finding,
        "New: first play in this week; in the data’s first week, everyone is. Returning: also played the week before."
        " Resurrected: played earlier, but not the week before. Lost: played the week before, not this week."
        f"{remark}",
        rows,
        charts.gains(
            rows,
            "week",
            {
                "returning_listeners": "returning",
                "new_listeners": "new",
                "resurrected_listeners": "resurrected",
                "lost_listeners": "lost",
            },
            unfinished,
        ),
        is_wide=True,
    )


def paid_churn(views: Views) -> Figure:
    """Return the share of paid users who became free, per week."""
    rows = views.rows("weekly_paid_churn", "order by week")
    over = [row for row in rows if row["paid_churn"] is not None and views.is_finished(row["week"] + timedelta(days=6))]
    finding = "There are no two complete weeks with paid users." if rows else _no_week(views)
    if over:
        finding = f"{over[-1]['paid_churn']:.1%} of paid users became free in the week of {day(over[-1]['week'])}."
    unfinished, remark = open_week(views, rows)
    return Figure(
        "weekly_paid_churn",
        "Paid churn by week",
        finding,
        "Users who were paid before the week and free at its end, divided by all who were paid before it. The app does"
        f" not log who leaves.{remark}",
        rows,
        charts.lines(rows, "week", {"paid_churn": "paid churn"}, ".0%", "became free", every=7, unfinished=unfinished),
    )


def _no_week(views: Views, otherwise: str = NOTHING) -> str:
    """Return why a weekly figure is empty: a week belongs to the period in which its Monday lies."""
    if not views.rows("daily_listeners", "order by day"):
        return NOTHING
    return "No week begins in this period." if views.has_period else otherwise


def tracks(views: Views) -> Figure:
    """Return the most played tracks."""
    return _ranking(
        "top_tracks",
        "Top tracks",
        "Songs started, by title and artist as the app named them. There is no skip rate, since the app does not log"
        " when a song ends.",
        views.rows("top_tracks", most=5 * SHOWN),
        lambda row: f"{isolated(row['title'])} · {isolated(row['artist_name'])}",
        lambda best: f"“{isolated(best['title'])}” by {isolated(best['artist_name'])}: {plays(best)}.",
        views.link("artist", "artist_name"),
    )


def artists(views: Views) -> Figure:
    """Return the most played artists."""
    return _ranking(
        "top_artists",
        "Top artists",
        "Songs started, by artist as the app credited them. A credit that names a guest counts as a separate artist.",
        views.rows("top_artists", most=5 * SHOWN),
        lambda row: isolated(row["artist_name"]),
        lambda best: f"{isolated(best['artist_name'])}: {heard(best)}.",
        views.link("artist", "artist_name"),
    )


def top_listeners(views: Views) -> Figure:
    """Return the users with the most plays."""
    return _ranking(
        "top_listeners",
        "Top listeners",
        "Songs started, by user. The table has their user_id, as several can have the same name.",
        views.rows("top_listeners", f"order by rank, user_id limit {5 * SHOWN}"),
        listener,
        lambda best: f"{listener(best)}: {plays(best)}, {best['hours']:,.1f} hours.",
        views.link("user", "user_id"),
    )


def listener(row: dict[str, Any]) -> str:
    """Return the name of a user, or the user_id of one without a name."""
    names = [row[key] for key in ("first_name", "last_name") if row[key]]
    return isolated(" ".join(names) or f"User {row['user_id']}")


def years(views: Views) -> Figure:
    """Return the plays by decade of release; the table has the years."""
    rows = views.rows("listening_by_year", "order by year")
    known = [row for row in rows if row["year"] is not None]
    total, dated = (sum(row["plays"] for row in some) for some in (rows, known))
    best = max(known, key=lambda row: row["plays"], default=None)
    finding = "No play matches a song of a known year." if rows else NOTHING
    if best:
        finding = f"Most played year: {best['year']}, {heard(best)}."
    decades: dict[int, int] = {}
    for row in known:
        decades[row["year"] // 10 * 10] = decades.get(row["year"] // 10 * 10, 0) + row["plays"]
    bars = [{"decade": f"{decade}s", "plays": number} for decade, number in decades.items()]
    return Figure(
        "listening_by_year",
        "Plays by year of release",
        finding,
        "The year is that of the matched song of the catalogue. The chart joins years into decades."
        f" {dated:,} of {count(total, 'play')} {'has' if dated == 1 else 'have'} a year.",
        rows if bars else [],
        charts.ranked(bars, lambda row: row["decade"], "plays", plays),
    )


def regions(views: Views) -> Figure:
    """Return the plays by state."""
    return _ranking(
        "listening_by_state",
        "Plays by state",
        "The state of the listener's location. A metropolitan area in several states counts in each of them.",
        views.rows("listening_by_state", "order by plays desc, state"),
        lambda row: isolated(row["state"]),
        lambda best: f"{isolated(best['state'])}: {heard(best)}.",
    )


def devices(views: Views) -> Figure:
    """Return the plays by device and browser."""
    rows = views.rows("listening_by_device", "order by plays desc, device, browser")
    total = sum(row["plays"] for row in rows)
    return _ranking(
        "listening_by_device",
        "Plays by device and browser",
        "Derived from the user agent that the browser sends.",
        rows,
        lambda row: f"{row['device']} · {row['browser']}",
        lambda best: f"{best['browser']} on {best['device']}: {best['plays'] / total:.0%} of plays.",
    )


def _ranking(
    name: str,
    title: str,
    note: str,
    rows: Rows,
    label: charts.RowText,
    finding: charts.RowText,
    link: charts.RowText | None = None,
) -> Figure:
    """Return a chart of the rows with the most plays; the finding describes the first one."""
    chart = charts.ranked(rows[:SHOWN], label, "plays", plays, link)
    return Figure(name, title, finding(rows[0]) if rows else NOTHING, note, rows, chart)


def matched(views: Views) -> dict[str, int]:
    """Return the number of plays, and of those whose song and whose artist match the catalogue."""
    rows = views.rows("daily_match_rate", "order by day")
    return {column: sum(row[column] for row in rows) for column in ("plays", "song_plays", "artist_plays")}


def match_rate(views: Views) -> Figure:
    """Return the share of plays that match the catalogue."""
    rows = views.rows("daily_match_rate", "order by day")
    total, songs, by_artist = matched(views).values()
    finding = (
        f"Of {total:,} plays, {songs:,} match a song of the catalogue ({songs / total:.1%})"
        f" and {by_artist:,} an artist ({by_artist / total:.1%})."
        if total
        else NOTHING
    )
    series = {"song_rate": "song matched", "artist_rate": "artist matched"}
    unfinished, remark = open_day(views, rows)
    return Figure(
        "daily_match_rate",
        "Plays that match the catalogue",
        finding,
        "A song matches by its exact title, artist and duration. Otherwise the artist alone can match, by exact name."
        f"{remark}",
        rows,
        charts.lines(rows, "day", series, ".0%", unfinished=unfinished),
    )


def page_errors(views: Views) -> Figure:
    """Return the page errors per day."""
    rows = views.rows("daily_page_errors", "order by day")
    total, errors = sum(row["page_views"] for row in rows), sum(row["errors"] for row in rows)
    unfinished, remark = open_day(views, rows)
    finding = f"{errors:,} of {total:,} page views ended in an error ({errors / total:.1%})." if total else NOTHING
    return Figure(
        "daily_page_errors",
        "Page errors",
        finding,
        f"Page views with a status of 400 or more. Plays are not page views.{remark}",
        rows,
        charts.columns(rows, "errors", unfinished),
    )
