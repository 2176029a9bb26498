"""Draw a Vega-Lite chart as SVG."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from sparkify import formatting
from sparkify.report.charts import Spec

_SVG = "http://www.w3.org/2000/svg"


def svg(spec: Spec, name: str, label: str) -> str:
    """Draw a specification; `name` keeps its ids apart from those of other drawings, `label` says what is seen."""
    import vl_convert

    drawn = ElementTree.fromstring(vl_convert.vegalite_to_svg(json.dumps(_drawable(_styled(spec)), default=str)))
    parents = [drawn, *drawn.iter()]
    for element in parents:
        told = element.attrib.pop("aria-label", None)
        for attribute in [
            key for key in element.attrib if key.startswith("aria-") or key in ("role", "pointer-events")
        ]:
            del element.attrib[attribute]
        for attribute, value in element.attrib.items():
            element.attrib[attribute] = value.replace("url(#", f"url(#{name}-")
        if "id" in element.attrib:
            element.attrib["id"] = f"{name}-{element.attrib['id']}"
        if told and "root" not in element.attrib.get("class", "") and element is not drawn:
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = told
    width, height = drawn.attrib.pop("width"), drawn.attrib.pop("height")
    drawn.attrib.update(role="img", viewBox=f"0 0 {width} {height}", **{"aria-label": formatting.legible(label)})
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(drawn, encoding="unicode")


def _drawable(said: Any) -> Any:
    """Return a specification whose texts an SVG can hold: any other character would end the process."""
    match said:
        case str():
            return formatting.legible(said)
        case dict():
            return {key: _drawable(value) for key, value in said.items()}
        case list():
            return [_drawable(value) for value in said]
    return said


def _styled(spec: Spec) -> Spec:
    """Add what all charts share: the page's colours, few lines, room around the text."""
    axis = {
        "domain": False,
        "ticks": False,
        "gridColor": "var(--line)",
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelPadding": 6,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "transparent",
        "padding": 4,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {
            "font": "Helvetica, Arial, sans-serif",
            "view": {"stroke": None},
            "axis": axis,
            "axisX": {"grid": False},
            "legend": {
                "orient": "top",
                "title": None,
                "labelColor": "var(--ink)",
                "labelFontSize": 12,
                "symbolStrokeWidth": 3,
                "labelLimit": 220,
                "offset": 8,
            },
            "text": {"color": "var(--ink)", "fontSize": 12},
        },
        **spec,
    }
