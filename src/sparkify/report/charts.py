"""The charts: build Vega-Lite specifications from rows. `svg` draws them, so the page needs no script.

Colours are the page's CSS variables, so one drawing serves light, dark and print. A chart is drawn twice, wide and for
a phone, since scaling it down would shrink its text too; the page shows the one that fits.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from rich.cells import split_graphemes

Rows = Sequence[dict[str, Any]]
Spec = dict[str, Any]
RowText = Callable[[dict[str, Any]], str]
Chart = Callable[[int], Spec]
"""Returns the specification for a width in pixels."""

FULL, HALF, PHONE = 880, 420, 340  # pixels
PADDING = 4  # pixels around each chart, which `svg` adds
_POINTS = 120  # marks with a tooltip; more would be too small to point at, and make the page too large
_COLOURS = ("var(--first)", "var(--second)", "var(--third)")
_GAINS = ("var(--third)", "var(--first)", "var(--fourth)", "var(--second)")
_PALE = 0.4  # opacity of a period that is not finished
_A_YEAR = 300  # days; for more, the axis shows months
_STEPS = (1, 2, 3, *(7 * weeks for weeks in (1, 2, 4, 8, 13, 26, 52, 104, 208)))  # days from label to label
_FEW = 10  # days; up to here, each has a label
_FEW_STEPS = 4  # whole numbers from 0; up to here, each has a label
_WHOLE = ",d"
_CELL, _CAPITAL = 7, 9  # pixels of a small letter and of a capital; a wide character takes two cells
_READABLE = 0.55  # maximum opacity of a cell with text: a contrast of 4.5 to 1 in either theme, and in print


def _days(values: Rows, width: int, every: int = 1) -> Spec:
    """Return the axis of days, with a label for each of a few days, else as many as fit: on Mondays, or on months.

    `every` is the number of days from one row to the next.
    """
    days = sorted({value["when"] for value in values})
    span = (days[-1] - days[0]).days + 1 if days else 1
    axis: Spec = {"title": None, "labelOverlap": "greedy", "labelSeparation": 14, "labelFlush": True}
    axis["format"] = "%-d %b"
    if len(days) <= _FEW:
        axis["values"] = days
    elif span > _A_YEAR and every == 1:
        axis |= {"tickCount": width // 90, "format": "%b %Y"}
    else:
        if span > _A_YEAR:
            axis["format"] = "%-d %b %Y"
        least = span * (110 if span > _A_YEAR else 75) / width
        step = next((step for step in _STEPS if step >= max(least, every)), span)
        first = days[0] + timedelta(-days[0].weekday() % 7 if step % 7 == 0 else 0)
        axis["values"] = [first + timedelta(more) for more in range(0, span - (first - days[0]).days, step)]
    return {"field": "when", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}


def _series(labels: Sequence[str], colours: Sequence[str]) -> Spec:
    return {"field": "series", "type": "nominal", "scale": {"domain": labels, "range": colours[: len(labels)]}}


def _amount(values: Rows, form: str) -> Spec:
    """Return the axis of amounts, from 0. A few whole numbers are all labelled, without fractions between them."""
    most = max((value["value"] or 0 for value in values), default=0)
    axis: Spec = {"title": None, "format": form}
    few = form == _WHOLE and isinstance(most, int) and most < _FEW_STEPS
    axis |= {"values": list(range(most + 1))} if few else {"tickCount": 4}
    if form == _WHOLE and not isinstance(most, int) and most < _FEW_STEPS:
        axis["format"] = ",.1f"
    axis["minExtent"] = _extent([_text(most, form)])
    scale: Spec = {"zero": True, "nice": True} if most else {"domain": [0, 1]}
    return {"field": "value", "type": "quantitative", "axis": axis, "scale": scale}


def _extent(labels: Iterable[str]) -> int:
    """Return the width in pixels to keep for labels beside an axis; the page's font can be wider than the drawing's."""
    return _CELL * max((len(label) for label in labels), default=0) + _CELL


def _frame(values: Rows, width: int, height: int = 230) -> Spec:
    """Return the parts that every chart has: its data and its size in pixels."""
    return {"width": width, "height": height, "data": {"values": values}}


def lines(
    rows: Rows,
    when: str,
    series: dict[str, str],
    form: str = _WHOLE,
    unit: str = "",
    *,
    every: int = 1,
    unfinished: date | None = None,
) -> Chart:
    """Draw amounts over days, with a line for each series, given as column → label.

    `every` is the number of days from one row to the next. On days without a row, a line of amounts is at 0, and a line
    of rates is broken. The line to the period that begins on the day `unfinished` is dashed.
    """
    values = []
    for column, label in series.items():
        amounts = _with_gaps({row[when]: row[column] for row in rows}, 0 if form == _WHOLE else None, every)
        for place, (day, amount) in enumerate(amounts):
            tip = "" if amount is None else f"{_day(day)}: {_text(amount, form)} {unit or label}"
            nearby = [amount for _, amount in amounts[max(place - 1, 0) : place + 2]]
            is_alone = amount is not None and len(nearby) - nearby.count(None) == 1
            value = {"when": day, "series": label, "value": amount, "tip": tip, "alone": is_alone}
            is_next = place + 1 < len(amounts) and amounts[place + 1][0] == unfinished
            values.append(value | {"open": day == unfinished, "dashed": day == unfinished or is_next})

    def chart(width: int) -> Spec:
        colour = _series([*series.values()], _COLOURS) | {"legend": {} if len(series) > 1 else None}
        line = {"type": "line", "strokeWidth": 2.5, "strokeJoin": "round"}
        layers: list[Spec] = [{"mark": line}]
        if unfinished:
            layers = [
                {"transform": [{"filter": "!datum.open"}], "mark": line},
                {"transform": [{"filter": "datum.dashed"}], "mark": line | {"strokeDash": [2, 4]}},
            ]
        if len(values) <= len(series) * _POINTS:
            point = {"type": "point", "filled": True, "size": 90, "opacity": 0}
            layers.append({"mark": point, "encoding": {"description": {"field": "tip"}}})
        if any(value["alone"] for value in values):  # a single value has no line, so it needs a point
            point = {"type": "point", "filled": True, "size": 40}
            layers.append({"transform": [{"filter": "datum.alone"}], "mark": point})
        return _frame(values, width) | {
            "encoding": {"x": _days(values, width, every), "y": _amount(values, form), "color": colour},
            "layer": layers,
        }

    return chart


def _with_gaps(amounts: dict[date, float | None], missing: float | None, every: int) -> list[tuple[date, float | None]]:
    """Return amounts by day; in each gap, the first and the last day get the amount `missing`."""
    step = timedelta(every)
    gaps = [(before + step, after - step) for before, after in pairwise(sorted(amounts)) if after - before > step]
    return sorted((amounts | {day: missing for gap in gaps for day in gap}).items())


def stack(rows: Rows, series: dict[str, str], unfinished: date | None = None) -> Chart:
    """Draw two daily amounts as stacked areas, given as column → label from the bottom up.

    The day `unfinished` is pale.
    """
    values = [
        {"when": row["day"] + timedelta(more), "series": label, "value": row[column], "order": place, "open": more > 0}
        for place, (column, label) in enumerate(series.items())
        for row in rows
        for more in ((0, 1) if row["day"] == unfinished else (0,))
    ]
    totals = [{"value": sum(row[column] for column in series)} for row in rows]

    def chart(width: int) -> Spec:
        area = {"type": "area", "interpolate": "step-after"}
        layers: list[Spec] = [{"transform": [{"filter": "!datum.open"}], "mark": area}]
        if unfinished:
            last = f"datum.open || time(datum.when) == {_milliseconds(unfinished)}"
            layers.append({"transform": [{"filter": last}], "mark": area | {"opacity": _PALE}})
        return _frame(values, width) | {
            "encoding": {
                "x": _days(values, width),
                "y": _amount(totals, _WHOLE),
                "order": {"field": "order"},
                "color": _series([*series.values()], _COLOURS[::2]),
            },
            "layer": layers,
        }

    return chart


def gains(rows: Rows, when: str, series: dict[str, str], unfinished: date | None = None) -> Chart:
    """Draw weekly amounts as stacked bars, given as column → label; the last one is a loss, and is drawn below 0.

    The bar of the week that begins on the day `unfinished` is pale.
    """
    *_, loss = series
    values = [
        {
            "when": row[when],
            "series": label,
            "value": -row[column] if column == loss else row[column],
            "order": place,
            "tip": f"{_day(row[when])}: {row[column]:,} {label}",
            "opacity": _PALE if row[when] == unfinished else 1,
        }
        for place, (column, label) in enumerate(series.items())
        for row in rows
    ]
    most = [{"value": sum(row[column] for column in series if column != loss)} for row in rows]
    weeks = (rows[-1][when] - rows[0][when]).days // 7 + 1 if rows else 1

    def chart(width: int) -> Spec:
        thick = min(max(0.7 * (width - 60) / weeks, 1), 48)
        x, y = _days(values, width, 7), _amount(most, _WHOLE)
        x["scale"] |= {"padding": thick / 2 + 2}
        y["axis"] |= {"labelExpr": "format(abs(datum.value), ',d')"}
        if "values" in y["axis"]:
            deepest = max((row[loss] for row in rows), default=0)
            y["axis"]["values"] = list(range(-deepest, y["axis"]["values"][-1] + 1)) if deepest < _FEW_STEPS else None
        encoding: Spec = {
            "x": x,
            "y": y,
            "order": {"field": "order"},
            "color": _series([*series.values()], _GAINS),
            "opacity": {"field": "opacity", "type": "quantitative", "scale": None},
        }
        if len(values) <= len(series) * _POINTS:
            encoding["description"] = {"field": "tip"}
        return _frame(values, width) | {"mark": {"type": "bar", "width": thick}, "encoding": encoding}

    return chart


def _milliseconds(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000


def ranked(rows: Rows, name: RowText, value: str, text: RowText, link: RowText | None = None) -> Chart:
    """Draw amounts as horizontal bars in the order of the rows, each with its name and text above it.

    `link` returns the address that the bar and the name of a row lead to.
    """
    values = [
        {"place": place, "name": name(row), "value": row[value], "text": text(row), "tip": f"{name(row)}: {text(row)}"}
        | ({"link": link(row)} if link else {})
        for place, row in enumerate(rows)
    ]
    linked = {"href": {"field": "link"}} if link else {}

    def chart(width: int) -> Spec:
        y = {"field": "place", "type": "ordinal", "axis": None, "scale": {"paddingInner": 0, "paddingOuter": 0}}
        x = {"field": "value", "type": "quantitative", "axis": None, "scale": {"zero": True, "nice": False}}
        mark = {"type": "text", "baseline": "bottom", "dy": 1}
        fitting = [value | {"name": shortened(value["name"], width - 120)} for value in values]
        return _frame(fitting, width - 2 * PADDING, 34 * max(len(values), 1)) | {
            "autosize": "none",  # without axes, there is nothing to fit, and to fit it is to draw it twice
            "encoding": {"y": y, "description": {"field": "tip"}},
            "layer": [
                {
                    "mark": {"type": "bar", "height": 8, "yOffset": 10, "cornerRadius": 2, "color": _COLOURS[0]},
                    "encoding": {"x": x} | linked,
                },
                {"mark": mark | {"align": "left", "x": 0}, "encoding": {"text": {"field": "name"}} | linked},
                {
                    "mark": mark | {"align": "right", "x": "width", "color": "var(--soft)"},
                    "encoding": {"text": {"field": "text"}},
                },
            ],
        }

    return chart


def shortened(text: str, width: int) -> str:
    """Return a text cut to about a width in pixels, between graphemes.

    Vega's own `limit` cuts between UTF-16 code units. Half of an emoji is not valid text, and the drawing fails.
    """
    taken = 0
    for start, _, cells in split_graphemes(text)[0]:
        taken += _CAPITAL if text[start].isupper() else _CELL * cells
        if taken > width:
            return f"{text[:start]}…"
    return text


def columns(rows: Rows, unit: str, unfinished: date | None = None) -> Chart:
    """Draw the daily amount in the column `unit` as columns, or as a line if there are too many days.

    The column of the day `unfinished` is pale.
    """
    if len(rows) > _POINTS:
        return lines(rows, "day", {unit: unit}, unfinished=unfinished)
    values = [
        {
            "when": row["day"],
            "value": row[unit],
            "tip": f"{_day(row['day'])}: {_text(row[unit], _WHOLE)} {unit}",
            "opacity": _PALE if row["day"] == unfinished else 1,
        }
        for row in rows
    ]

    def chart(width: int) -> Spec:
        encoding = {
            "x": _days(values, width) | {"timeUnit": "utcyearmonthdate"},
            "y": _amount(values, _WHOLE),
            "description": {"field": "tip"},
        }
        if unfinished:
            encoding["opacity"] = {"field": "opacity", "type": "quantitative", "scale": None}
        mark = {"type": "bar", "color": _COLOURS[0], "width": {"band": 0.7}}
        return _frame(values, width) | {"mark": mark, "encoding": encoding}

    return chart


def grid(
    rows: Rows, across: str, down: str, value: str, *, form: str, unit: str, titles: tuple[str, str], labelled: bool
) -> Chart:
    """Draw amounts as cells whose opacity grows with the amount.

    The column `across` holds numbers. `labelled` writes the amount into each cell.
    """
    most = max((row[value] for row in rows), default=0) or 1
    values = [
        {
            "across": row[across],
            "down": row[down],
            "share": row[value] / most,
            "text": _text(row[value], form),
            "tip": f"{row[down]}, {row[across]}: {_text(row[value], form)} {unit}",
        }
        for row in rows
    ]
    downs = {value["down"] for value in values}
    acrosses = sorted({value["across"] for value in values})

    def chart(width: int) -> Spec:
        has_room = len(acrosses) <= (14 if width > PHONE else 6)
        axis: Spec = {"labelAngle": 0, "titlePadding": 8}
        beside: Spec = {"title": titles[1] or None, "minExtent": _extent(downs)}
        every = acrosses if len(acrosses) * 24 < width else acrosses[::3]
        layers: list[Spec] = [
            {
                "mark": {"type": "rect", "color": _COLOURS[0], "cornerRadius": 2, "stroke": "var(--card)"},
                "encoding": {
                    "fillOpacity": {
                        "field": "share",
                        "type": "quantitative",
                        "scale": {"domain": [0, 1], "range": [0.04, _READABLE if labelled else 1]},
                        "legend": None,
                    },
                    "description": {"field": "tip"},
                },
            }
        ]
        if labelled and has_room:
            layers.append({"mark": {"type": "text"}, "encoding": {"text": {"field": "text"}}})
        return _frame(values, width, max(28 * len(downs), 28) + 50) | {
            "encoding": {
                "x": {"field": "across", "type": "ordinal", "axis": axis | {"title": titles[0], "values": every}},
                "y": {"field": "down", "type": "ordinal", "sort": None, "axis": axis | beside},
            },
            "layer": layers,
        }

    return chart


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def _text(value: float, form: str) -> str:
    if form.endswith("%"):
        return f"{value:.0%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
