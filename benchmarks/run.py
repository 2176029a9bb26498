"""Generate the data, run sparkify and its rivals in turn, compare their row counts, and write the report.

    .venv/bin/python -m benchmarks.run [--scale 1] [--runs 5] [--cases logs nightly] [--out benchmarks]
    .venv/bin/python -m benchmarks.run --smoke

Each run is a whole process, cold start included, with warm files. The first turn is not counted, and the order
alternates. Every run has a fresh warehouse, created and deleted outside the measured time.

The scratch folder keeps the data and the rivals' environments. At scale 1 it takes 40 GB, and the runs take an hour or
two. The folder of --out receives results.json, RESULTS.md and scaling.md. The pages are generated from results.json;
`python -m benchmarks.report results.json` generates them again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.cases import CASES, SERIES, STEPS, Bench, Case, Pair, Series
from benchmarks.data import DAYS, files_of
from benchmarks.measure import Cost, Failed, measure
from benchmarks.sides import Side, Unavailable, disagreement

REPOSITORY = Path(__file__).resolve().parent.parent
SMOKE_SCALE, SMOKE_DAYS = 0.01, 10  # few days, so that each file is large enough for the fast path

Raw = dict[str, Any]
"""The measurements, as stored in results.json."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; return 1 if a case failed or row counts differ."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="1: 4 million events and 100,000 songs")
    parser.add_argument("--runs", type=int, default=5, help="measured turns")
    parser.add_argument("--cases", nargs="*", metavar="CASE", help="only these, and no series without --series")
    parser.add_argument("--series", nargs="*", metavar="SERIES", help="only these, and no cases without --cases")
    parser.add_argument("--smoke", action="store_true", help="run a few tiny cases once, and compare their row counts")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "sparkify-benchmarks")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the report here (default: no report)")
    options = parser.parse_args(arguments)
    cases = chosen(CASES, options.cases, options.series is None, parser)
    series = chosen(SERIES, options.series, options.cases is None, parser)
    days = DAYS
    if options.smoke:
        cases, series = [case for case in cases if case.smoke], []
        options.scale, options.runs, days = SMOKE_SCALE, 1, SMOKE_DAYS
    options.scratch.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.scratch.resolve(), scale=options.scale, days=days)

    def keep(raw: Raw) -> None:
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "results.json").write_text(json.dumps(raw, indent=1) + "\n")
            report.write(raw, options.out)

    raw = measure_all(bench, cases, series, options.runs, warm=not options.smoke, keep=keep)
    print(report.lines(raw))
    return report.is_wrong(raw)


def chosen(
    table: Sequence[Any], names: list[str] | None, all_of_it: bool, parser: argparse.ArgumentParser
) -> list[Any]:
    """Return the named entries; without names, all or none."""
    if names is None:
        return list(table) if all_of_it else []
    known = {entry.name: entry for entry in table}
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}. Choose from {', '.join(known)}.")
    return [known[name] for name in names]


def measure_all(
    bench: Bench,
    cases: Sequence[Case],
    series: Sequence[Series],
    runs: int,
    *,
    warm: bool = True,
    keep: Callable[[Raw], None] = lambda _: None,
) -> Raw:
    """Measure cases and series in one session; call `keep` with the results so far after each."""
    large = bench.source.large()
    raw: Raw = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine.describe(),
        "versions": machine.versions(),
        "scale": bench.source.scale,
        "runs": runs,
        "data": {
            "log files": len(files_of(large.logs)),
            "log bytes": sum(path.stat().st_size for path in files_of(large.logs)),
            "song files": bench.source.songs,
        },
        "cases": [],
        "series": [],
    }
    for case in cases:
        print(f"{case.name} …", file=sys.stderr, flush=True)
        found = attempt(measure_slow if case.sizes else measure_case, bench, case, min(runs, case.turns or runs), warm)
        raw["cases"].append({"name": case.name, **found})
        keep(raw)
    for one in series:
        print(f"{one.name}, step by step …", file=sys.stderr, flush=True)
        raw["series"].append({"name": one.name, **attempt(measure_series, bench, one, min(runs, 3))})
        keep(raw)
    return raw


def attempt(measuring: Callable[..., Raw], *arguments: Any) -> Raw:
    """Measure; or return why a rival is unavailable, or the error."""
    try:
        return measuring(*arguments)
    except Unavailable as reason:
        return {"unavailable": str(reason)}
    except Failed as error:
        return {"failed": str(error)}


def measure_case(bench: Bench, case: Case, runs: int, warm: bool) -> Raw:
    """Run both sides of a case in turn, then compare their row counts."""
    pair = case.make(bench, bench.source.large())
    sides = [side for side in (pair.ours, pair.other) if side]
    costs: list[list[Cost]] = [[] for _ in sides]
    for turn in range(-1 if warm else 0, runs):
        for number in range(len(sides)) if turn % 2 else reversed(range(len(sides))):
            cost = timed(bench, sides[number])
            if turn >= 0:
                costs[number].append(cost)
    ours, other = [*costs, []][:2]
    return {"ours": [asdict(cost) for cost in ours], "other": [asdict(cost) for cost in other], **compared(pair)}


def measure_slow(bench: Bench, case: Case, runs: int, warm: bool) -> Raw:  # noqa: ARG001 - called like measure_case
    """Run a slow rival at its sizes, and sparkify once at each to compare row counts."""
    found: Raw = {"events": [], "other": []}
    for size in case.sizes:
        pair = case.make(bench, bench.source.small(size))
        assert pair.other
        timed(bench, pair.ours)
        found["other"].append([asdict(timed(bench, pair.other)) for _ in range(runs)])
        found.update(compared(pair))
        found["events"].append(found["counts"]["events"])
    return found


def measure_series(bench: Bench, series: Series, runs: int) -> Raw:
    """Run every step of a series in each turn."""
    steps = [series.make(bench, step) for step in STEPS]
    costs: list[list[Cost]] = [[] for _ in steps]
    for turn in range(-1, runs):
        for (_, side), taken in zip(steps, costs, strict=True):
            cost = timed(bench, side)
            if turn >= 0:
                taken.append(cost)
    return {"sizes": [size for size, _ in steps], "ours": [[asdict(cost) for cost in taken] for taken in costs]}


def timed(bench: Bench, side: Side) -> Cost:
    """Run one side once, in a folder without configuration, and with bytecode as in an installed package."""
    side.prepare()
    kept_away = ("SPARKIFY_", "PYTHONDONTWRITEBYTECODE")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(kept_away)}
    return measure(side.command(), folder=bench.scratch, environment=plain)


def compared(pair: Pair) -> Raw:
    """Return the row counts of sparkify, and how the other side's differ."""
    ours = pair.ours.count()
    expected = pair.expected() if pair.expected else pair.other.count() if pair.other else {}
    return {"counts": ours, "disagreement": disagreement(ours, expected)}


if __name__ == "__main__":
    sys.exit(main())
