"""The look of every chart: one set of colours for light and dark and for every kind of sight, and one type face.

Text, axes and grids are drawn in `currentColor`, so that a page or picture turns them over with its background by CSS.
Series keep their colours on both: each has a contrast of at least 3:1 (WCAG 2.2, 1.4.11) with both papers, and any two
of them stay apart for protanopes, deuteranopes and tritanopes (tests/reporters/test_charts.py computes both). Every
series has a dash and a shape of its own besides, so that colour is never all that tells it.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT_INK, LIGHT_PAPER = "#1f2328", "#ffffff"
DARK_INK, DARK_PAPER = "#e6edf3", "#0d1117"

BLUE, ORANGE, TEAL, VIOLET, BRICK, PLUM = "#115edc", "#f05b00", "#02a177", "#9182cb", "#b83b00", "#7a5e7f"
SERIES = (BLUE, ORANGE, TEAL, VIOLET, BRICK, PLUM)
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (6, 3), (2, 2), (9, 3, 2, 3), (12, 4), (4, 2, 1, 2))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

INK = "currentColor"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""Liberation Sans is inside vl-convert, so that its metrics are the same on every machine; Arial has the same ones."""

TEXT_SIZE, TITLE_SIZE = 11, 14
QUIET = 0.78
"""Opacity of what is read second. Ink at 78 % keeps 4.5:1 on both papers."""


def config() -> Mapping[str, object]:
    """The `config` of every specification."""
    texts = {"labelColor": INK, "titleColor": INK, "labelFontSize": TEXT_SIZE, "titleFontSize": TEXT_SIZE}
    return {
        "background": None,
        "font": FONT,
        "padding": 8,
        "view": {"stroke": None},
        "mark": {"invalid": "break-paths-filter-domains"},
        "axis": {
            **texts,
            "labelOpacity": QUIET,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "domainColor": INK,
            "domainOpacity": 0.35,
            "tickColor": INK,
            "tickOpacity": 0.35,
            "tickSize": 4,
            "gridColor": INK,
            "gridOpacity": 0.12,
        },
        "axisY": {"domain": False, "ticks": False},
        "legend": {
            **texts,
            "orient": "top",
            "direction": "horizontal",
            "title": None,
            "symbolSize": 70,
            "symbolStrokeWidth": 2,
            "columnPadding": 44,
            "labelLimit": 260,
            "offset": 10,
        },
        "title": {
            "color": INK,
            "subtitleColor": INK,
            "anchor": "start",
            "frame": "bounds",
            "fontSize": TITLE_SIZE,
            "fontWeight": "bold",
            "subtitleFontSize": TEXT_SIZE,
            "subtitlePadding": 5,
            "offset": 12,
        },
        "header": {"labelColor": INK, "titleColor": INK},
        "text": {"color": INK, "fontSize": TEXT_SIZE},
        "rule": {"color": INK},
    }
