"""Draw a Vega-Lite chart as SVG."""

import json
import re
from typing import Any
from xml.etree import ElementTree

from sparkify import formatting
from sparkify.report.charts import PADDING, Spec

_LONG = re.compile(r"\d+\.\d{3,}(?:e-\d+)?")
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"


def svg(spec: Spec, name: str, label: str, *, linked: bool = False) -> str:
    """Draw a specification; `name` makes its ids unique on the page, `label` describes it to screen readers.

    Without `linked`, the links of the specification are left out.
    """
    import vl_convert

    drawable = _drawable(_styled(spec if linked else _without_links(spec)))
    drawing = ElementTree.fromstring(vl_convert.vegalite_to_svg(json.dumps(drawable, default=str)))
    for element in list(drawing.iter()):  # a list, since the loop adds elements
        tooltip = element.attrib.pop("aria-label", None)
        for attribute in [
            key for key in element.attrib if key.startswith("aria-") or key in ("role", "pointer-events")
        ]:
            del element.attrib[attribute]
        for attribute, value in element.attrib.items():
            element.attrib[attribute] = value.replace("url(#", f"url(#{name}-")
        for attribute in {"d", "transform"} & element.attrib.keys():
            # A hundredth of a pixel is enough, and makes the page smaller.
            element.attrib[attribute] = _LONG.sub(lambda found: f"{float(found[0]):.2f}", element.attrib[attribute])
        if address := element.attrib.pop(_XLINK, ""):  # vl_convert puts an address of its own in front of ours
            element.attrib["href"] = "/?" + address.partition("/?")[2]
        if "id" in element.attrib:
            element.attrib["id"] = f"{name}-{element.attrib['id']}"
        if tooltip and "root" not in element.attrib.get("class", "") and element is not drawing:
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = tooltip
    width, height = drawing.attrib.pop("width"), drawing.attrib.pop("height")
    drawing.attrib.update(
        role="group" if linked else "img", viewBox=f"0 0 {width} {height}", **{"aria-label": formatting.xml_text(label)}
    )
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(drawing, encoding="unicode")


def _without_links(value: Any) -> Any:
    """Return a specification without its links."""
    match value:
        case dict():
            return {key: _without_links(item) for key, item in value.items() if key not in ("href", "link")}
        case list():
            return [_without_links(item) for item in value]
    return value


def _drawable(value: Any) -> Any:
    """Return a specification with text that SVG can hold; vl_convert would end the process on any other character."""
    match value:
        case str():
            return formatting.xml_text(value)
        case dict():
            return {key: _drawable(item) for key, item in value.items()}
        case list():
            return [_drawable(item) for item in value]
    return value


def _styled(spec: Spec) -> Spec:
    """Add the style that all charts share: the colours of the page, few lines, space around the text."""
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
        "padding": PADDING,
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
                "symbolOpacity": 1,
                "labelLimit": 220,
                "offset": 8,
            },
            "text": {"color": "var(--ink)", "fontSize": 12},
        },
        **spec,
    }
