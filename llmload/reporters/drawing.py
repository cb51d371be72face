"""Charts as pictures, and the JavaScript that draws them in a page. Both come from vl-convert, nothing from outside."""

from __future__ import annotations

import json
from functools import lru_cache
from xml.etree import ElementTree as ET

from llmload.reporters import palette
from llmload.reporters.chart import Chart
from llmload.reporters.compact_svg import compact, share_symbols

_VERSION = "6.4"
"""Of Vega-Lite, out of those that vl-convert brings: the same for pictures and for pages."""

_STYLE = (
    f":root{{color:{palette.LIGHT_INK}}}.paper{{fill:{palette.LIGHT_PAPER}}}"
    "@media(prefers-color-scheme:dark){"
    f":root{{color:{palette.DARK_INK}}}.paper{{fill:{palette.DARK_PAPER}}}}}"
)
"""Paper and ink turn over together, so that a picture reads well whatever page it stands on."""


def svg(chart: Chart) -> bytes:
    """The chart as a file that follows the reader's colour scheme: same chart, same bytes."""
    root = _drawn(chart)
    share_symbols(root)
    root.attrib.update(
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "role": "img",
            "aria-labelledby": "title desc",
            "color": palette.LIGHT_INK,
        }
    )
    for place, (tag, words) in enumerate((("title", chart.title), ("desc", chart.summary))):
        element = ET.Element(tag, {"id": tag})
        element.text = words
        root.insert(place, element)
    style = ET.Element("style")
    style.text = _STYLE
    root.insert(2, style)
    paper = {"class": "paper", "width": "100%", "height": "100%", "fill": palette.LIGHT_PAPER}
    root.insert(3, ET.Element("rect", paper))
    return _told(root)


def inline(chart: Chart) -> str:
    """The same as an element of a page: in the page's ink, on its paper, without ids, styles, title or description."""
    return _told(_drawn(chart)).decode()


def _drawn(chart: Chart) -> ET.Element:
    root = compact(_converted(json.dumps(chart.spec, allow_nan=False)))
    root.attrib.update({"font-family": palette.FONT, "font-size": str(palette.TEXT_SIZE), "fill": "none"})
    return root


@lru_cache(maxsize=32)  # a tenth of a second each; the formats of one run, and its languages, share some
def _converted(spec: str) -> str:
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[])
    return text


def _told(root: ET.Element) -> bytes:
    return ET.tostring(root, encoding="unicode").encode()


def page_bundle() -> str:
    """JavaScript that gives a page `vegaEmbed`, with Vega and Vega-Lite of the same versions as the pictures.

    It leaves no other name behind: the bundle alone would take every letter of the alphabet from the page's scripts.
    """
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_VERSION)
    return f"(() => {{\n{bundle}\n}})();\n"
