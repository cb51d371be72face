"""What charts are built of: the chart itself, and the pieces of Vega-Lite that several of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log10

from llmload.plain_text import plain
from llmload.reporters import palette

Spec = Mapping[str, object]
"""A Vega-Lite document with its data inside; it refers to nothing outside."""

Datum = Mapping[str, object]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH, HEIGHT = 620, 280
NUMBER = ",.6~r"
"""Axis labels as d3 writes them: thousands marked, no more digits than needed."""

NAME_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `name` is what its file is named by, `summary` what it shows, for those who cannot see it."""

    name: str
    title: str
    summary: str
    spec: Spec


@dataclass(frozen=True, slots=True)
class Range:
    """The ends of one axis, and how values lie between them: "linear" or "log"."""

    low: float
    high: float
    kind: str = "linear"

    @property
    def scale(self) -> Spec:
        """As Vega-Lite wants it."""
        zero = {"zero": False} if self.kind == "linear" else {}  # a logarithmic scale has none
        return {"type": self.kind, "domain": [self.low, self.high], "nice": False, **zero}

    def place(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one."""
        if self.kind == "log":
            return log10(value / self.low) / log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def foreign(text: str) -> str:
    """A name that others gave, short enough for a legend."""
    cut = plain(text, 10 * NAME_LIMIT)
    return cut if len(cut) <= NAME_LIMIT else cut[: NAME_LIMIT - 1].rstrip() + "…"


def known(value: float | None, digits: int = 6) -> float | None:
    """A figure for the data of a chart, rounded to significant digits; None where there is none to be drawn."""
    if value is None or not isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def from_zero(values: Sequence[float], headroom: float = 0.18) -> Range:
    """A linear range from 0, with room above the largest value for the labels of rules."""
    return Range(0.0, (max(values, default=0.0) or 1.0) * (1 + headroom))


def around(values: Sequence[float], headroom: float = 0.18) -> Range:
    """A range for latencies: logarithmic where the largest is more than eight times the smallest, else from 0."""
    above = [value for value in values if value > 0]
    if not above or max(above) <= 8 * min(above):
        return from_zero(values, headroom)
    low, high = min(above) / 1.3, max(above)
    return Range(low, high * (high / low) ** headroom, "log")


def document(chart_title: str, subtitle: str | Sequence[str], body: Spec) -> Spec:
    """A whole specification around its views; several subtitles are as many lines."""
    title: dict[str, object] = {"text": chart_title}
    if subtitle:
        title["subtitle"] = subtitle if isinstance(subtitle, str) else list(subtitle)
    return {"$schema": SCHEMA, "title": title, "config": palette.config(), **body}


def panel_title(words: str) -> Spec:
    """What is said above one of several panels, at its right end."""
    return {"text": words, "anchor": "end", "frame": "group", "fontSize": 11, "fontWeight": "normal", "offset": 5}


def zoom(name: str = "zoom") -> Spec:
    """Drag to pan, pinch or turn the wheel with Ctrl to zoom, double click to see everything again.

    Only x moves, since views with two y axes share no y; a bare wheel scrolls the page, as everywhere.
    """
    wheel = "wheel![event.ctrlKey || event.metaKey]"
    return {"name": name, "select": {"type": "interval", "encodings": ["x"], "zoom": wheel}, "bind": "scales"}


TARGETS: Spec = {"type": "point", "opacity": 0, "size": 120, "clip": True, "invalid": "filter", "filled": True}
"""Unseen points along a line, for the pointer to find: a line itself tells only its first one."""


def alone(data: Sequence[Datum], key: str) -> list[Datum]:
    """The rows of one series whose value has none beside it: a line through them draws nothing."""
    ends: list[Datum] = [{}]
    beside = zip([*ends, *data], data, [*data[1:], *ends], strict=False)
    return [
        row
        for before, row, after in beside
        if row[key] is not None and before.get(key) is None and after.get(key) is None
    ]


DOT: Spec = {"type": "point", "opacity": 1, "size": 22, "clip": True, "filled": True}
"""A value that has none beside it."""


def lines(
    encoding: Mapping[str, Spec], tooltip: Sequence[Spec], moved_by: Spec, single: Sequence[Datum] = ()
) -> dict[str, object]:
    """A line for each series with its figures at hand; the dash is for the line alone.

    `moved_by` has the line's own parameters to zoom by, or the name that parameters of several views know it by;
    `single` are the rows that are `alone`.
    """
    shared = {channel: told for channel, told in encoding.items() if channel != "strokeDash"}
    dash = {channel: told for channel, told in encoding.items() if channel == "strokeDash"}
    line = {"mark": {"type": "line", "strokeWidth": 1.75, "clip": True}, "encoding": dash, **moved_by}
    dots = [{"data": rows(single), "mark": DOT}] if single else []
    return {"encoding": shared, "layer": [line, *dots, {"mark": TARGETS, "encoding": {"tooltip": list(tooltip)}}]}


def rows(data: Sequence[Datum]) -> Spec:
    """Data inside the specification."""
    return {"values": list(data)}


def named(names: Sequence[str], channel: str) -> Spec:
    """The scale that gives each series its own colour, shape or dash, in the order of `names`."""
    looks: Mapping[str, Sequence[object]] = {
        "color": palette.SERIES,
        "shape": palette.SHAPES,
        "strokeDash": [list(dash) for dash in palette.DASHES],
    }
    chosen = looks[channel]
    count = len(chosen)
    turned = [
        chosen[(place + place // count) % count if channel != "color" else place % count] for place in range(len(names))
    ]
    return {"domain": list(names), "range": turned}


def field(name: str, title: str | None, kind: str = "quantitative", form: str | None = None) -> dict[str, object]:
    """An encoding of one field; the title is that of its axis and of the tooltip."""
    told: dict[str, object] = {"field": name, "type": kind, "title": title}
    if form:
        told["format"] = form
    return told
