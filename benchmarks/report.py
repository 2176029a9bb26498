"""RESULTS.md and scaling.md, made from what was measured.

python -m benchmarks.report results.json [others]    writes both beside it, after adding what others hold
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import CASES, SERIES, STEPS, Case, Series, Target

Raw = dict[str, Any]

LINEAR = 1.2
"""How much more the last pieces of the data may cost, each, than the first ones, before that counts as growth."""


def main() -> None:
    """Make the pages again."""
    path, *others = map(Path, sys.argv[1:])
    raw = json.loads(path.read_text())
    for other in others:
        raw = added(raw, json.loads(other.read_text()))
    if others:
        path.write_text(json.dumps(raw, indent=1) + "\n")
    write(raw, path.parent)


def added(raw: Raw, other: Raw) -> Raw:
    """Return what was measured by two calls on the same data and machine; of both, what the second measured counts."""
    if any(raw[key] != other[key] for key in ("machine", "versions", "scale", "data")):
        raise SystemExit("These are of other data, another machine or other versions. Measure them again together.")
    both = {**raw, "calls": raw.get("calls", 1) + other.get("calls", 1)}
    for key, order in (("cases", CASES), ("series", SERIES)):
        measured = {one["name"]: one for one in (*raw[key], *other[key])}
        both[key] = [measured[one.name] for one in order if one.name in measured]
    return both


def made(raw: Raw) -> str:
    """Say how the numbers came about."""
    calls = f" in {raw['calls']} calls, one after the other," if "calls" in raw else ""
    return f"Made by `make bench`{calls} on {raw['date']}; nothing here is written by hand."


def write(raw: Raw, folder: Path) -> None:
    """Write both pages, as far as there is something for them."""
    if raw["cases"]:
        (folder / "RESULTS.md").write_text(results(raw))
    if raw["series"]:
        (folder / "scaling.md").write_text(scaling(raw))


def is_wrong(raw: Raw) -> bool:
    """Tell whether something failed, or loaded other rows than its rival. What is not to be had is not wrong."""
    return any(one.get("failed") or one.get("disagreement") for one in [*raw["cases"], *raw["series"]])


def results(raw: Raw) -> str:
    """Return the page of all cases."""
    data = raw["data"]
    small = "" if raw["scale"] == 1 else f" **This is scale {raw['scale']:g}, not 1: the targets are set for scale 1.**"
    return f"""# What was measured

{made(raw)}{small}

{setting(raw)}

The large set: {data["log bytes"] / 1e6:,.0f} MB of logs in {data["log files"]} files, and {data["song files"]:,} song
files of one song each. Whole processes, cold start included, files warm, ours and the other in turn, the order swapped
every turn; medians of {raw["runs"]} turns (of fewer where one takes long). A ratio is the median of the turns' ratios,
so it need not be the ratio of the medians. Compare within a line only; differences under 15 % are noise. Seconds are
from start to end, *cores' s* the processor time of all cores; it and the peak memory are those of all processes of a
run together.

{table(raw)}

What the rivals do stands in [rivals/](rivals). chdb, dbt-duckdb, Spark, dlt and the row inserts build the five tables
of the original; ours builds seven, with keys, a ledger and checks. The row counts of what both have are held together
in every case.
{notes(raw)}"""


def setting(raw: Raw) -> str:
    """Return the machine and the versions, as a list."""
    of_all = ", ".join(f"{name} {version}" for name, version in raw["versions"].items())
    machine = "\n".join(f"- {name}: {value}" for name, value in raw["machine"].items())
    return f"{machine}\n- versions: {of_all}"


def table(raw: Raw) -> str:
    """Return the cases as a table."""
    known = {case.name: case for case in CASES}
    rows = [
        "| ours | s | cores' s | peak MB | against | s | cores' s | peak MB | ratio | target | met |",
        "|---|--:|--:|--:|---|--:|--:|--:|--:|---|---|",
    ]
    return "\n".join([*rows, *(row(known[one["name"]], one, raw) for one in raw["cases"])])


def lines(raw: Raw) -> str:
    """Return a line a case, for the terminal: the ratio, and no judgement."""
    known = {case.name: case for case in CASES}
    return "\n".join(line(known[one["name"]], one, raw) for one in raw["cases"])


def line(case: Case, measured: Raw, raw: Raw) -> str:
    """Return one case as a line."""
    if reason := unmeasured(measured):
        return f"{case.name:<18} {reason}"
    values = figures(case, measured, raw)
    took = f"{values['seconds']:7.2f} s" if "seconds" in values else " " * 9
    what = case.ours.capitalize()
    if "ratio" in values and case.of_rival:
        what += f": {case.other} takes {shown_ratio(values['ratio'])} times that"
    elif "ratio" in values:
        what += f": {shown_ratio(values['ratio'])} times {case.other}"
    return f"{case.name:<18}{took}  {what}"


def row(case: Case, measured: Raw, raw: Raw) -> str:
    """Return one case as a row."""
    told = " and ".join(wanted(target, case) for target in case.targets)
    against = case.other.replace("|", r"\|")  # or it would end the cell
    if reason := unmeasured(measured):
        return f"| {case.ours} | | | | {against} | | | | | {told} | {reason} |"
    values = figures(case, measured, raw)
    met = ", ".join(verdict(target, values) for target in case.targets)
    ratio = shown_ratio(values["ratio"]) if "ratio" in values else ""
    mark = " \\*" if case.sizes else ""
    ours, other = (pair(values, name) for name in ("", "other "))
    return f"| {case.ours} | {ours} | {against} | {other} | {ratio}{mark} | {told} | {met} |"


def verdict(target: Target, values: dict[str, float]) -> str:
    """Say whether a target is met."""
    if target.of not in values:
        return "not measured: needs the case `first`"
    return "yes" if target.is_met(values[target.of]) else "**no**"


def shown_ratio(ratio: float) -> str:
    """Write a ratio, a small one as a fraction."""
    return f"{ratio:.2f}" if ratio >= 0.2 else f"1/{1 / ratio:.1f}"


def unmeasured(measured: Raw) -> str:
    """Say why there is no result, or why it must not be believed; nothing if it may."""
    if reason := measured.get("unavailable"):
        return f"not to be had here: {reason}"
    if error := measured.get("failed"):
        return f"**failed**: {error.splitlines()[-1]}"
    if differing := measured.get("disagreement"):
        return f"**not the same rows**: {differing}"
    return ""


def pair(values: dict[str, float], name: str) -> str:
    """Return the time, the processor time of all cores and the memory of one side, as three cells."""
    if f"{name}peak" not in values:
        return f"{values[f'{name}seconds']:,.2f} | | " if f"{name}seconds" in values else "| | "
    seconds, processor, peak = (values[f"{name}{part}"] for part in ("seconds", "processor", "peak"))
    return f"{seconds:,.2f} | {processor:,.2f} | {peak / 1e6:,.0f}"


def figures(case: Case, measured: Raw, raw: Raw) -> dict[str, float]:
    """Return the figures of a case by name: those of ours, of the other, and the ratio between them."""
    if case.sizes:
        return extrapolated(measured, raw)
    ours, other = measured["ours"], measured["other"]
    values = {name: median(cost[name] for cost in ours) for name in ("seconds", "processor", "peak")}
    if other:
        values |= {f"other {name}": median(cost[name] for cost in other) for name in ("seconds", "processor", "peak")}
        above, below = (other, ours) if case.of_rival else (ours, other)
        values["ratio"] = median(a["seconds"] / b["seconds"] for a, b in zip(above, below, strict=True))
    return values


def extrapolated(measured: Raw, raw: Raw) -> dict[str, float]:
    """Return the figures that a slow rival would have on the large set, if its cost goes on in a straight line."""
    few, many = measured["events"]
    fast, slow = (median(cost["seconds"] for cost in costs) for costs in measured["other"])
    ours = next((one for one in raw["cases"] if one["name"] == "first" and not unmeasured(one)), None)
    if not ours:
        return {}
    seconds = median(cost["seconds"] for cost in ours["ours"])
    all_of_it = slow + (ours["counts"]["events"] - many) * (slow - fast) / (many - few)
    return {"seconds": seconds, "other seconds": all_of_it, "ratio": all_of_it / seconds}


def wanted(target: Target, case: Case) -> str:
    """Say what a target asks for."""
    if target.of == "peak":
        return f"≤ {target.limit / 1e9:g} GB"
    if target.of == "seconds":
        return f"≤ {target.limit:g} s"
    if 0 < target.limit < 0.1:
        return f"≤ 1/{1 / target.limit:g}"
    return f"≥ {target.limit:g} times slower" if case.of_rival else f"≤ {target.limit:g}"


def notes(raw: Raw) -> str:
    """Say how the extrapolated figures came about."""
    known = {case.name: case for case in CASES}
    lines = [
        f"- {known[one['name']].other}: "
        + ", ".join(
            f"{median(cost['seconds'] for cost in costs):,.1f} s for {events:,} events"
            for events, costs in zip(one["events"], one["other"], strict=True)
        )
        for one in raw["cases"]
        if known[one["name"]].sizes and not unmeasured(one)
    ]
    if not lines:
        return ""
    told = "\n".join(lines)
    return f"""
\\* Extrapolated in a straight line from two smaller sets, since it would take too long:

{told}
"""


def scaling(raw: Raw) -> str:
    """Return the page of all series."""
    known = {series.name: series for series in SERIES}
    parts = "\n\n".join(grown(known[one["name"]], one) for one in raw["series"])
    small = "" if raw["scale"] == 1 else f" **This is scale {raw['scale']:g}, not 1.**"
    return f"""# How the cost grows

{made(raw)}{small}

{setting(raw)}

Each table is one load at {", ".join(map(str, STEPS[:-1]))} and {STEPS[-1]} times the data, or onto as many times
the history; medians of {min(raw["runs"], 3)} whole processes, in turn. *The last to the first* is what a piece of data
costs at the end (from {STEPS[-2]} to {STEPS[-1]} times) to what it costs at the beginning (from {STEPS[0]} to
{STEPS[-2]} times); 1 is a straight line, and up to {LINEAR:g} is taken for one.

{parts}
"""


def grown(series: Series, measured: Raw) -> str:
    """Return one series."""
    if reason := unmeasured(measured):
        return f"## {series.title}\n\n{reason}"
    seconds, processor, peaks = (
        [median(cost[part] for cost in costs) for costs in measured["ours"]]
        for part in ("seconds", "processor", "peak")
    )
    rows = "\n".join(
        f"| {size:,.0f} | {took:.2f} | {busy:.2f} | {peak / 1e6:,.0f} |"
        for size, took, busy, peak in zip(measured["sizes"], seconds, processor, peaks, strict=True)
    )
    return f"""## {series.title}

| {series.unit} | s | cores' s | peak MB |
|--:|--:|--:|--:|
{rows}

{growth(series, measured["sizes"], seconds)}"""


def growth(series: Series, sizes: list[float], seconds: list[float]) -> str:
    """Say how the cost grew."""
    if series.grows == "history":
        return (
            f"With {sizes[-1] / sizes[0]:.1f} times the history, the same batch takes"
            f" {seconds[-1] / seconds[0]:.2f} times as long."
        )
    first = (seconds[-2] - seconds[0]) / (sizes[-2] - sizes[0])
    last = (seconds[-1] - seconds[-2]) / (sizes[-1] - sizes[-2])
    if first <= 0 or last <= 0:
        return "Too small to tell: at these sizes the data costs less than the noise."
    ratio = last / first
    return f"The last to the first: {ratio:.2f}. {'Linear.' if ratio <= LINEAR else '**Faster than linear.**'}"


if __name__ == "__main__":
    main()
