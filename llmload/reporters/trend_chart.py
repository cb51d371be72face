"""One figure over the runs of a scenario: its values in time, its levels, and where they shifted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llmload.analysis.trend import Shift, Trend
from llmload.baseline import PastRun
from llmload.plain_text import plain
from llmload.promises import SHARES
from llmload.reporters import palette
from llmload.reporters.chart import (
    NUMBER,
    WIDTH,
    Chart,
    Datum,
    Range,
    Spec,
    document,
    field,
    foreign,
    known,
    rows,
    zoom,
)
from llmload.reporters.comparison_wording import signed, value_in
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in

_HEIGHT = 220
_MARGIN = 0.12  # of the range of values, above and below; twice above, where the names of shifts stand
_MOST_SHARE = 101.0  # percent: a point at 100 is seen whole
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z\Z")


@dataclass(frozen=True, slots=True)
class OverRuns:
    """A trend among all runs of its series, oldest first: those without the figure leave gaps. `name` is the chart's,
    `link` the address of a run by its id.
    """

    name: str
    trend: Trend
    runs: Sequence[PastRun]
    link: Callable[[str], str]

    @property
    def values(self) -> dict[str, float | None]:
        """By the id of the run, in the unit of the axis."""
        pairs = zip(self.trend.runs, self.trend.values, strict=True)
        return {run.run_id: _shown(self.trend.figure, value) for run, value in pairs}


def trend_chart(over: OverRuns, texts: Texts) -> Chart | None:
    """The values with their levels and shifts; None where no run has the figure at an instant that can be read."""
    data = list(_rows(over, texts))
    shown = [value for row in data if isinstance(value := row["value"], float)]
    if not shown:
        return None
    trend = over.trend
    ends = [*shown, *(_shown(trend.figure, end) or 0.0 for each in trend.shifts for end in (each.before, each.after))]
    view = _View(trend, _range(ends, trend.figure), _x(data, texts), texts)
    layers = [*_levels(view), *_curve(view, data), *_marks(view)]
    title = texts["charts.trend.title"].format(figure=trend.figure, step=foreign(label_in(trend.step, texts)))
    body = {"width": WIDTH, "height": _HEIGHT, "layer": layers}
    return Chart(over.name, title, _summary(over, texts), document(title, "", body))


def unit(figure: str, texts: Texts) -> str:
    """What the values of a figure are told in."""
    if figure in SHARES:
        return "%"
    return "ms" if figure.endswith(")") else texts["charts.trend.rps"] if figure == "rps" else "tok/s"


def change(trend: Trend, shift: Shift, texts: Texts) -> str:
    """How far a shift went: `+10.4%`, or by points of a share."""
    told = signed(shift.change(trend.figure))
    return texts["comparison.points"].format(value=told) if trend.figure in SHARES else f"{told}%"


# ---------------------------------------------------------------- data


def _shown(figure: str, value: float) -> float | None:
    return known(value * (100 if figure in SHARES else 1))


def _rows(over: OverRuns, texts: Texts) -> Iterator[Datum]:
    values = over.values
    for run in over.runs:
        if _INSTANT.match(run.created):
            yield {
                "at": run.created,
                "value": values.get(run.run_id),
                "run": foreign(run.run_id),
                "created": run.created[:19].replace("T", " "),
                "commit": plain(run.commit)[:12] or texts["comparison.not_told"],
                "href": over.link(run.run_id),
            }


def _range(values: Sequence[float], figure: str) -> Range:
    """As far as the values reach, since a trend is read by its steps; nothing is below 0, nor a share above 100 %."""
    low, high = min(values), max(values)
    margin = _MARGIN * (high - low) or 0.05 * abs(high) or 1.0
    top = high + 2 * margin
    return Range(max(0.0, low - margin), min(top, _MOST_SHARE) if figure in SHARES else top)


@dataclass(frozen=True, slots=True)
class _View:
    """What the layers of a chart share."""

    trend: Trend
    range: Range
    x: Spec
    texts: Texts

    @property
    def y(self) -> dict[str, object]:
        """The encoding of values."""
        title = f"{self.trend.figure} ({unit(self.trend.figure, self.texts)})"
        axis = {"title": title, "format": NUMBER, "tickCount": 5}
        if self.trend.figure in SHARES:
            axis["labelExpr"] = "datum.value > 100 ? '' : datum.label"  # there is room above 100 %, but no value
        return {"type": "quantitative", "scale": self.range.scale, "axis": axis}

    def at(self, run: PastRun) -> str | None:
        """The instant of a run; None where it cannot be read."""
        return run.created if _INSTANT.match(run.created) else None


def _x(data: Sequence[Datum], texts: Texts) -> Spec:
    days = {str(row["at"])[:10] for row in data}
    axis = {
        "title": texts["charts.trend.created"],
        "format": "%Y-%m-%d" if len(days) > 1 else "%Y-%m-%d %H:%M",
        "grid": False,
        "labelOverlap": "greedy",
        "tickCount": 6,
    }
    return {"type": "temporal", "scale": {"type": "utc", "padding": 8}, "axis": axis}


# ---------------------------------------------------------------- views


def _curve(view: _View, data: Sequence[Datum]) -> list[Spec]:
    texts = view.texts
    tooltip = [
        field("run", texts["charts.comparison.run"], "nominal"),
        field("created", texts["charts.trend.created"], "nominal"),
        field("value", f"{view.trend.figure} ({unit(view.trend.figure, texts)})", form=",.4~r"),
        field("commit", texts["charts.trend.commit"], "nominal"),
    ]
    place = {"x": {**view.x, "field": "at"}, "y": {**view.y, "field": "value"}}
    link = {"href": {"field": "href", "type": "nominal"}}
    dot = {"type": "point", "filled": True, "size": 34, "opacity": 1, "color": palette.BLUE, "clip": True}
    line = {"type": "line", "color": palette.BLUE, "strokeWidth": 1.25, "opacity": 0.55, "clip": True}
    return [
        {"data": rows(data), "params": [zoom()], "mark": line, "encoding": place},
        {
            "data": rows(data),
            "mark": {**dot, "invalid": "filter", "cursor": "pointer"},
            "encoding": {**place, **link, "tooltip": tooltip},
        },
    ]


def _levels(view: _View) -> list[Spec]:
    """A line at the level of each stretch, from its first run to its last."""
    trend = view.trend
    if not trend.shifts:
        return []
    places = {run.run_id: place for place, run in enumerate(trend.runs)}
    begins = [0, *(places[shift.run.run_id] for shift in trend.shifts)]
    ends = [*(begin - 1 for begin in begins[1:]), len(trend.runs) - 1]
    levels = [trend.shifts[0].before, *(shift.after for shift in trend.shifts)]
    data = [
        {"from": view.at(trend.runs[begin]), "to": view.at(trend.runs[end]), "level": _shown(trend.figure, level)}
        for begin, end, level in zip(begins, ends, levels, strict=True)
    ]
    mark = {"type": "rule", "color": palette.INK, "size": 1.5, "opacity": palette.QUIET, "strokeDash": [5, 3]}
    place = {"x": {**view.x, "field": "from"}, "x2": {"field": "to"}, "y": {**view.y, "field": "level"}}
    return [{"data": rows(data), "mark": {**mark, "clip": True, "invalid": "filter"}, "encoding": place}]


def _marks(view: _View) -> list[Spec]:
    """A line through each shift, with how far it went above."""
    trend = view.trend
    if not trend.shifts:
        return []
    data = rows([{"at": view.at(each.run), "change": change(trend, each, view.texts)} for each in trend.shifts])
    x = {"x": {**view.x, "field": "at"}}
    rule = {"type": "rule", "color": palette.BRICK, "size": 1.5, "clip": True, "invalid": "filter"}
    text = {"type": "text", "align": "left", "baseline": "top", "dx": 5, "fontWeight": "bold", "clip": True}
    name = {**x, "y": {"value": 2}, "text": {"field": "change", "type": "nominal"}}
    return [
        {"data": data, "mark": rule, "encoding": x},
        {"data": data, "mark": {**text, "invalid": "filter"}, "encoding": name},
    ]


def _summary(over: OverRuns, texts: Texts) -> str:
    """Where it began and ended, and every shift."""
    trend = over.trend
    first, last = (value_in(trend.figure, each, texts) for each in (trend.values[0], trend.values[-1]))
    runs = texts.counted("counted.run", len(trend.values))
    said = [texts["charts.trend.summary"].format(runs=runs, first=first, last=last)]
    for shift in trend.shifts:
        levels = [value_in(trend.figure, each, texts) for each in (shift.before, shift.after)]
        said.append(
            texts["charts.trend.shift"].format(
                change=change(trend, shift, texts),
                run=foreign(shift.run.run_id),
                before=levels[0],
                after=levels[1],
            )
        )
    return " ".join(said if trend.shifts else [*said, texts["charts.trend.steady"]])
