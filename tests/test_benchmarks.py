"""The benchmarks run, report sides that did different work, and write pages with what was measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks import report, run
from benchmarks.cases import CASES, Bench, Case, Pair
from benchmarks.data import Delivery
from benchmarks.measure import Failed, _Sampler, measure
from tests.support.realdata import REPOSITORY


def cost(seconds: float, peak: int = 200_000_000) -> dict[str, float]:
    """Return the costs of one run, as in results.json."""
    return {"seconds": seconds, "processor": seconds, "peak": peak}


def raw(*cases: dict[str, Any], series: tuple[dict[str, Any], ...] = (), scale: float = 1) -> dict[str, Any]:
    """Return the results of a session."""
    return {
        "date": "2026-11-22",
        "machine": {"processor": "Abacus, 4 cores", "memory": "16 GiB", "system": "Linux 6"},
        "versions": {"Python": "3.11.7", "duckdb": "2.0.0"},
        "scale": scale,
        "runs": 3,
        "data": {"log files": 60, "log bytes": 1_867_000_000, "song files": 100_000},
        "cases": list(cases),
        "series": list(series),
    }


FIRST = {
    "name": "first",
    "ours": [cost(6), cost(5), cost(7, peak=1_600_000_000)],
    "other": [cost(5), cost(5), cost(5)],
    "counts": {"events": 4_000_000},
    "disagreement": "",
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a bench with very few data."""
    return Bench(tmp_path, scale=0.0005, days=3)


def row(page: str, *parts: str) -> list[str]:
    """Return the cells of the table row that contains these parts."""
    [found] = [line for line in page.splitlines() if line.startswith("|") and all(part in line for part in parts)]
    return [cell.strip() for cell in found.strip("|").replace(r"\|", "¦").split("|")]


@pytest.mark.ci
def test_the_smoke_benchmark_prints_the_ratios(tmp_path: Path) -> None:
    """The smoke benchmark runs both sides of its cases and prints their ratios."""
    some = ["--cases", "logs", "nightly", "--scratch", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks.run", "--smoke", *some]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["logs", "nightly"]
    assert all(" times " in line for line in lines)
    assert "yes" not in ended.stdout


def test_different_rows_are_reported_and_fail_the_benchmark(bench: Bench) -> None:
    """If two sides loaded different rows, the tables are named, and the benchmark fails."""

    def unequal(bench: Bench, large: Delivery) -> Pair:
        some = bench.source.first_days(1)
        return Pair(bench.etl(large.logs, bench.empty), bench.etl(some, bench.empty, name="other"))

    measured = run.measure_case(bench, Case("logs", "all", "some", unequal), 1, False)
    assert "events: " in measured["disagreement"]
    assert "songs" not in measured["disagreement"]
    assert report.is_wrong(raw({"name": "logs", **measured}))
    assert "**not the same rows**: events" in report.table(raw({"name": "logs", **measured}))


def test_failed_case_is_reported_and_the_rest_is_measured(bench: Bench) -> None:
    """A case that fails is reported, the others are measured, and the benchmark fails."""
    nowhere = Case("logs", "", "", lambda bench, _: Pair(bench.etl(bench.scratch / "nowhere", bench.empty)))
    nothing = Case("nothing", "", "", lambda bench, _: Pair(bench.etl(bench.empty, bench.empty)))
    measured = run.measure_all(bench, [nowhere, nothing], [], 1, warm=False)
    failed, done = measured["cases"]
    assert "there is no such folder" in failed["failed"]
    assert len(done["ours"]) == 1
    assert report.is_wrong(measured)


def test_a_missing_rival_is_not_a_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rival that is not installed is named on the page, and nothing fails."""
    monkeypatch.setenv("PATH", str(bench.empty))
    [spark] = [case for case in CASES if case.name == "spark"]
    found = {"name": "spark", **run.attempt(run.measure_case, bench, spark, 1, False)}
    assert not report.is_wrong(raw(found))
    assert row(report.results(raw(found)), "Spark")[-1].startswith("not to be had here: there is no Java")


def test_the_page_says_which_targets_are_met() -> None:
    """A row has medians, their ratio, and whether each target is met."""
    page = report.results(raw(FIRST))
    assert row(page, "first load, logs and catalogue") == [
        "first load, logs and catalogue",
        "6.00",
        "6.00",
        "200",
        "DuckDB's `CREATE TABLE AS SELECT * FROM read_json`, 18 typed columns",
        "5.00",
        "5.00",
        "200",
        "1.20",
        "≤ 1.3 and ≤ 1.5 GB",
        "yes, yes",
    ]
    late = {**FIRST, "name": "late-songs"}
    assert row(report.results(raw(late)), "after all the plays")[-3:] == ["1.20", "≤ 1", "**no**"]
    assert row(report.results(raw({**FIRST, "name": "songs"})), "xargs")[4] == "`find ¦ xargs -P4 cat > /dev/null`"


def test_a_rival_has_the_ratio_of_its_time() -> None:
    """The ratio of a rival is its time divided by ours, and its target is a lower bound."""
    chdb = {**FIRST, "name": "dbt", "ours": [cost(5)], "other": [cost(14)]}
    assert row(report.results(raw(chdb)), "| dbt-duckdb |")[-3:] == ["2.80", "≥ 3 times slower", "**no**"]


def test_extrapolated_figures_are_marked() -> None:
    """The time of a slow rival is extrapolated from two sizes, and the page marks it."""
    dlt = {
        "name": "dlt",
        "events": [50_000, 100_000],
        "other": [[cost(15), cost(15)], [cost(25), cost(25)]],
        "counts": {},
        "disagreement": "",
    }
    page = report.results(raw(FIRST, dlt))
    assert row(page, "with its own reader")[5:] == ["805.00", "", "", r"134.17 \*", "≥ 80 times slower", "yes"]
    assert "dlt into DuckDB, with its own reader: 15.0 s for 50,000 events, 25.0 s for 100,000 events" in page
    assert row(report.results(raw(dlt)), "with its own reader")[-1] == "not measured: needs the case `first`"


def test_a_small_scale_is_named() -> None:
    """Pages of a smaller scale than that of the targets say so."""
    series = {"name": "logs", "sizes": [1, 2, 4, 8], "ours": [[cost(1)], [cost(2)], [cost(4)], [cost(8)]]}
    for page in (report.results, report.scaling):
        assert "This is scale 0.05" in page(raw(FIRST, series=(series,), scale=0.05))
        assert "This is scale" not in page(raw(FIRST, series=(series,)))


def test_calls_on_the_same_machine_are_merged() -> None:
    """A case that a later call measured replaces the earlier one, and the page counts the calls."""
    again = raw({**FIRST, "ours": [cost(4)] * 3}, {**FIRST, "name": "logs"})
    both = report.added(raw(FIRST), again)
    assert [one["name"] for one in both["cases"]] == ["logs", "first"]
    assert both["cases"][1] == again["cases"][0]
    assert "in 2 calls" in report.results(both)
    with pytest.raises(SystemExit):
        report.added(raw(FIRST), raw(FIRST, scale=0.5))


def test_growth_faster_than_the_data_is_marked() -> None:
    """The page compares the time of the last pieces of data with that of the first."""

    def page(*seconds: float) -> str:
        taken = [[cost(second)] for second in seconds]
        return report.scaling(raw(series=({"name": "logs", "sizes": [1, 2, 4, 8], "ours": taken},)))

    assert "The last to the first: 1.00. Linear." in page(2, 3, 5, 9)
    assert "The last to the first: 2.00. **Faster than linear.**" in page(2, 3, 5, 13)


def test_the_cost_of_a_process_includes_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory held at the same time by a process and its child is counted together."""
    look = _Sampler._look
    samplers: list[_Sampler] = []

    def looking(self: _Sampler) -> list[int]:
        samplers.append(self)
        sizes = look(self)
        if len([size for size in sizes if size > 100_000_000]) == 2:
            (tmp_path / "both-seen").touch()
        return sizes

    monkeypatch.setattr(_Sampler, "_look", looking)
    hold = "held = bytearray(100_000_000)\nimport os, sys, subprocess, time\n"
    start = "subprocess.run([sys.executable, '-c', sys.argv[1]])\n"
    wait = "for _ in range(3000):\n    if not os.path.exists('both-seen'): time.sleep(0.01)\n"
    alone = measure([sys.executable, "-c", hold], folder=tmp_path)
    both = measure([sys.executable, "-c", hold + start, hold + wait], folder=tmp_path)
    assert alone.peak > 100_000_000
    # The kernel's own peak of a process would begin with the size of its parent, which is the test.
    assert both.peak >= samplers[-1].peak > 200_000_000


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    """The error about a failed process contains its output."""
    with pytest.raises(Failed, match=r"ended with 3:\nno luck"):
        measure(["sh", "-c", "echo no luck; exit 3"], folder=tmp_path)
