"""The periods of a batch, which are written into the statements that read facts."""

import re
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkify.sql import loader
from sparkify.sql.period import ALL_OF_TIME, limited, of_changed_tracks, spans

DAYS = st.lists(st.dates(date(1970, 1, 1), date(9999, 12, 31)), unique=True)


def day(of: date) -> tuple[date, datetime, datetime]:
    """Return a day with its first and last event."""
    return of, datetime.combine(of, time(1)), datetime.combine(of, time(23, 30))


@given(days=DAYS)
def test_periods_cover_every_day(days: list[date]) -> None:
    """Every event is in exactly one period, in order, and there are at most 16 periods."""
    periods = spans([day(each) for each in days])
    assert len(periods) <= 16
    ends = [end for period in periods for end in period]
    assert ends == sorted(ends)
    for each in days:
        _, first, last = day(each)
        assert sum(start <= str(first) and str(last) <= end for start, end in periods) == 1


def test_days_far_apart_are_separate_periods() -> None:
    """A stray event has a period of its own, so that nothing between it and the others is read."""
    first = date(2018, 11, 1)
    assert spans([day(first + timedelta(days)) for days in (1, 0, 400)]) == (
        ("2018-11-01 01:00:00", "2018-11-02 23:30:00"),
        ("2019-12-06 01:00:00", "2019-12-06 23:30:00"),
    )


@pytest.mark.parametrize(
    "name", [f"{folder}/{name}" for folder in ("checks", "deduplicate") for name in loader.names(folder)]
)
def test_every_read_of_a_fact_is_limited(name: str) -> None:
    """Each time that a statement reads a fact, it states the periods."""
    statement = loader.read(name, "redshift")
    read = re.findall(r"\b(?:from|join) (?:songplays|page_views|time)\b", statement)
    assert statement.count("9999") == len(read)
    assert "9999" not in limited(statement, [("2018-11-01", "2018-11-02")])
    assert (
        "timestamp '2018-11-01' and timestamp '2018-11-02'" in limited(statement, [("2018-11-01", "2018-11-02")])
    ) == bool(read)
    assert ("1 = 0" in limited(statement, [])) == bool(read)


def test_several_periods_are_alternatives() -> None:
    """A statement has one condition for all periods of its column."""
    statement = "select 1 from songplays as p where p.start_time between timestamp '{}' and timestamp '{}' and true"
    several = limited(statement.format(*ALL_OF_TIME[0]), [("2018-11-01", "2018-11-02"), ("2019-01-01", "2019-01-02")])
    assert several == (
        "select 1 from songplays as p where (p.start_time between timestamp '2018-11-01' and timestamp '2018-11-02'"
        " or p.start_time between timestamp '2019-01-01' and timestamp '2019-01-02') and true"
    )
    assert "p.track_id in (select track_id from new_tracks)" in of_changed_tracks(statement.format(*ALL_OF_TIME[0]))
