"""The page about all listeners, or about one artist."""

from sparkify.formatting import isolated
from sparkify.report import figures
from sparkify.report.story import Figure, Number, Story, Views


def overview(views: Views) -> Story:
    """Return the page about all listeners, or about those of the selected artist."""
    artist = views.selection.artist
    title = "Listening on Sparkify" if artist is None else f"{isolated(artist)} on Sparkify"
    return Story(title, headline(views), sections(views))


def headline(views: Views) -> list[Number]:
    """Return the headline numbers."""
    [total] = views.rows("report/headline")
    days = views.rows("daily_listeners", "order by day")
    in_week = ""
    if days:  # a selected period can begin or end outside of the data, so its last 7 days are named by their end
        until = figures.day(days[-1]["day"])
        last_week = f"in the 7 days to {until}" if views.has_period else "of them in the last 7 days"
        in_week = f"{days[-1]['listeners_7d']:,} {last_week}"
    latest = [row["stickiness"] for row in days[-7:]]
    mean = sum(latest) / len(latest) if latest else 0.0
    numbers = [
        Number(f"{total['plays']:,}", "songs played", f"{total['hours']:,.0f} hours of music"),
        Number(f"{total['listeners']:,}", "listeners", in_week),
        Number(f"{mean:.0%}", "stickiness", "of a month’s listeners on a day, mean of the last 7"),
    ]
    if views.selection.artist is None:
        levels = views.rows("daily_levels", "order by day")
        last = levels[-1] if levels else {"users": 0, "paid_users": 0}
        lengths = views.rows("report/session_lengths", "order by day, place")
        started = sum(row["sessions"] for row in lengths)
        minutes = f"{sum(row['minutes'] for row in lengths) / started:,.0f} minutes on average" if lengths else ""
        numbers[2:2] = [
            Number(f"{last['paid_users']:,}", "paid users", f"of {last['users']:,} users on the last day"),
            Number(f"{started:,}", "sessions", minutes),
        ]
    return numbers


def sections(views: Views) -> dict[str, list[Figure]]:
    """Return the figures of each section, in order; for an artist, only those that need nothing but plays."""
    places = (figures.regions, figures.devices)
    if views.selection.artist is not None:
        shown = {
            "Listening": (figures.listeners, figures.stickiness, figures.tracks, figures.hours),
            "Places and devices": places,
        }
    else:
        shown = {
            "Listening": (figures.listeners, figures.stickiness, figures.session_lengths, figures.hours),
            "Growth": (figures.paid_and_free, figures.funnel, figures.retention, figures.churn),
            "Music": (figures.tracks, figures.artists),
            "Places and devices": places,
            "Data quality": (figures.match_rate, figures.page_errors),
        }
    return {title: [figure(views) for figure in section] for title, section in shown.items()}
