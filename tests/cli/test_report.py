"""`sparkify report` writes the report of a period."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import Sparkify


@pytest.mark.parametrize("days", [["--since", "2018-12-01"], ["--until", "2018-10-31"]])
def test_report_of_days_without_data_leaves_the_last_one(reading: Sparkify, tmp_path: Path, days: list[str]) -> None:
    """A period without data is wrong usage, and the last report is not replaced."""
    out = tmp_path / "report.html"
    out.write_text("<!doctype html>good")
    ended = reading("report", *days, "--out", str(out))
    assert (ended.code, ended.out) == (2, "")
    assert f"sparkify: {' '.join(days)}: there is no data in this period. Choose days from 2018-11-01 to " in ended.err
    assert out.read_text() == "<!doctype html>good"


@pytest.mark.parametrize("day", ["--since", "--until"])
def test_report_of_the_first_or_last_day_alone_is_written(reading: Sparkify, tmp_path: Path, day: str) -> None:
    """A period includes its first and last day."""
    out = tmp_path / "report.html"
    assert reading("report", day, "2018-11-01", "--out", str(out)).code == 0
    assert "1 November 2018" in out.read_text()
