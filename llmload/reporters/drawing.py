"""Charts as pictures, and the JavaScript that draws them in a page. Both come from vl-convert, nothing from outside."""

from __future__ import annotations

from llmload.reporters.chart import Chart

_VERSION = "6.4"
"""Of Vega-Lite, out of those that vl-convert brings: the same for pictures and for pages."""


def svg(chart: Chart) -> bytes:
    """The chart as a picture that follows the reader's colour scheme: same chart, same bytes."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(dict(chart.spec), vl_version=_VERSION, allowed_base_urls=[])
    return text.encode()


def page_bundle() -> str:
    """JavaScript that gives a page `vegaEmbed`, with Vega and Vega-Lite of the same versions as the pictures."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_VERSION)
    return bundle
