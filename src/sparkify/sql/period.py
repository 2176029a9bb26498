"""The times of a batch, as literals in the statements that read or change facts.

An engine's planner can use a literal, but not a value from a table: with literals, a statement reads the facts of the
batch's times, by an index or by zone maps, and not those of all of time.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise

Day = tuple[date, datetime, datetime]
"""A day, and the first and last time of the events on it, in UTC."""

Period = tuple[str, str]
"""The first and last time of a span of time, in UTC, as SQL writes them."""

ALL_OF_TIME: tuple[Period, ...] = (("0001-01-01", "9999-12-31 23:59:59.999"),)
"""The periods of a statement as its file has it."""

_MOST = 16
"""The maximum number of periods of a batch. With several, a stray event does not include all days up to the others."""

EVER = "start_time between timestamp '{}' and timestamp '{}'".format(*ALL_OF_TIME[0])
"""The condition on a fact's column that is replaced by that of some periods."""

_EVER = re.compile(r"((?:\w+\.)?)" + re.escape(EVER))


def spans(days: Sequence[Day]) -> tuple[Period, ...]:
    """Return periods that cover days.

    Days that follow each other are one period. If there were too many, those with the smallest gaps are joined.
    """
    days = sorted(days)
    gaps = ((day[0] - previous[0], place) for place, (previous, day) in enumerate(pairwise(days), 1))
    longest = sorted((gap for gap in gaps if gap[0].days > 1), reverse=True)[: _MOST - 1]
    starts = [0, *sorted(place for _, place in longest)] if days else []
    ends = [*starts[1:], len(days)]
    return tuple((str(days[start][1]), str(days[end - 1][2])) for start, end in zip(starts, ends, strict=False))


def limited(statement: str, periods: Sequence[Period]) -> str:
    """Return a statement that reads facts of all of time, as one that reads those of some periods."""

    def condition(column: str) -> str:
        within = (f"{column} between timestamp '{first}' and timestamp '{last}'" for first, last in periods)
        return f"({' or '.join(within)})" if periods else "1 = 0"

    return _EVER.sub(lambda found: condition(f"{found[1]}start_time"), statement)


def of_changed_tracks(statement: str) -> str:
    """Return a statement that reads plays of all of time, as one that reads those of the tracks in new_tracks."""
    return _EVER.sub(r"\1track_id in (select track_id from new_tracks)", statement)
