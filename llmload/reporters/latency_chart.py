"""How latencies are distributed at each step: empirical distribution functions over attempts, one panel a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite

from llmload.baseline import Estimates
from llmload.domain import RunResult, StepResult
from llmload.latency import Histogram
from llmload.plain_text import display_width
from llmload.promises import Slo
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
    known,
    lines,
    named,
    panel_title,
    rows,
    zoom,
)
from llmload.reporters.figures import milliseconds
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label
from llmload.units import format_duration

_METRICS = ("ttft", "tpot", "e2e")
_PANEL, _HEIGHT = 196, 210

_SYMBOL = 72
"""Pixels of a legend's symbol, with what is between it and the entries on either side."""

MOST_STEPS = len(palette.SERIES)
"""More lines than colours nobody can tell apart."""

_LEAST_RISE = 0.03
"""Share of attempts from one point of a line to the next; smaller steps are no wider than the line itself."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Share of attempts (0..1) within each latency in ms, at the edges of the buckets; both rise."""

    label: str
    points: tuple[tuple[float, float], ...]

    def within(self, share: float) -> float | None:
        """The latency that this share of attempts keeps, None where too few ever completed."""
        return next((latency for latency, reached in self.points if reached >= share), None)

    @property
    def thinned(self) -> list[tuple[float, float]]:
        """The points that show: one each `_LEAST_RISE`, both ends, and the foot of every jump."""
        kept = [self.points[0]]
        for place in range(1, len(self.points)):
            before, point = self.points[place - 1], self.points[place]
            if point[1] - kept[-1][1] < _LEAST_RISE and place < len(self.points) - 1:
                continue
            if point[1] - before[1] >= _LEAST_RISE and before != kept[-1]:
                kept.append(before)
            kept.append(point)
        return kept


def latency_chart(run: RunResult, texts: Texts) -> Chart | None:
    """A panel for each metric that any step has; None of a run without histograms, such as an imported one."""
    measured = [each for each in run.steps if any(_histogram(each, metric) for metric in _METRICS)]
    chosen = _spread(measured, MOST_STEPS)
    panels = {metric: _curves(chosen, metric, texts) for metric in _METRICS}
    panels = {metric: curves for metric, curves in panels.items() if curves}
    if not panels:
        return None
    names = [step_label(each.step, texts) for each in chosen]
    axes: list[Spec] = [{"title": texts["charts.latency.share"]}, *({"title": None, "labels": False} for _ in panels)]
    views = [
        _panel(_Panel(metric, curves, names, _limit(run.slo, metric), axis), texts)
        for (metric, curves), axis in zip(panels.items(), axes, strict=False)
    ]
    title, notes = texts["charts.latency.title"], [texts["charts.latency.subtitle"]]
    if any(_is_since_due(each) for each in chosen):
        notes.append(texts["charts.latency.since_due"])
    if len(chosen) < len(measured):
        notes.append(texts["charts.latency.some"].format(shown=len(chosen), count=len(measured)))
    body = {"hconcat": views, "spacing": 22, "resolve": {"scale": {"color": "shared", "strokeDash": "shared"}}}
    return Chart("latency", title, _summary(panels, chosen, texts), document(title, " ".join(notes), body))


def _spread(steps: Sequence[StepResult], most: int) -> list[StepResult]:
    """At most so many of the steps, the first and the last among them."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(place * (len(steps) - 1) / (most - 1))] for place in range(most)]


def _limit(slo: Slo | None, metric: str) -> float | None:
    terms = slo or Slo()
    return {"ttft": terms.ttft_ms, "tpot": terms.tpot_ms, "e2e": terms.e2e_ms}[metric]


# ---------------------------------------------------------------- curves


def _histogram(result: StepResult, metric: str) -> Histogram | None:
    """In open loop TTFT counts from the due instant, as in a gate."""
    found = result.metrics.histograms.get("ttft_due" if metric == "ttft" and _is_since_due(result) else metric)
    return found if found is not None and any(found.counts) else None


def _is_since_due(result: StepResult) -> bool:
    return result.step.axis != "concurrency" and "ttft_due" in result.metrics.histograms


def _curves(steps: Sequence[StepResult], metric: str, texts: Texts) -> list[Curve]:
    found = ((each, _histogram(each, metric)) for each in steps)
    return [
        Curve(step_label(each.step, texts), _points(histogram, _attempts(each, metric)))
        for each, histogram in found
        if histogram is not None
    ]


def _attempts(result: StepResult, metric: str) -> int:
    """What shares are of. Answers of one token have no TPOT, and are no attempts at it."""
    summary = result.metrics.latency.get(metric)
    skipped = 0 if metric != "tpot" or summary is None else summary.skipped or 0
    return result.metrics.attempts - skipped


def _points(histogram: Histogram, attempts: int) -> tuple[tuple[float, float], ...]:
    """What is known for sure: how many lie within the upper edge of each bucket, and none below the first one."""
    used = [place for place, count in enumerate(histogram.counts) if count]
    first, last = used[0], used[-1]
    bounds, sums = histogram.bounds_ms, list(accumulate(histogram.counts))
    total = max(attempts, sums[-1])
    floor = bounds[first - 1] if first else bounds[0] / 1.03
    return ((floor, 0.0), *((bounds[place], sums[place] / total) for place in range(first, last + 1)))


# ---------------------------------------------------------------- views


@dataclass(frozen=True, slots=True)
class _Panel:
    """One metric; `names` are of all steps that are drawn, `share_axis` is what sets its y axis apart."""

    metric: str
    curves: Sequence[Curve]
    names: Sequence[str]
    limit: float | None
    share_axis: Spec

    @property
    def range(self) -> Range:
        """From the fastest attempt to the slowest, with the limit in sight."""
        values = [point[0] for curve in self.curves for point in curve.points]
        values += [] if self.limit is None else [self.limit]
        low, high = min(values), max(values)
        room = max((high / low) ** 0.04, 1.05)
        return Range(low / room, high * room, "log")

    @property
    def rows(self) -> list[Datum]:
        """The points of all lines; shares in percent."""
        return [
            {"step": curve.label, "ms": known(latency, 4), "share": known(share * 100, 4)}
            for curve in self.curves
            for latency, share in curve.thinned
        ]


def _panel(panel: _Panel, texts: Texts) -> Spec:
    title = texts[f"charts.latency.metric_{panel.metric}"]
    x_axis = {"title": title, "format": NUMBER, "tickCount": 3, "labelOverlap": "greedy", "grid": False}
    y_axis = {"values": [0, 25, 50, 75, 100], "format": NUMBER, **panel.share_axis}
    legend = {"symbolType": "stroke", "symbolSize": 200, "columns": _columns(panel.names)}
    tooltip = [
        field("step", texts["charts.latency.step"], "nominal"),
        field("ms", title, form=",.4~r"),
        field("share", texts["charts.latency.share"], form=",.3~r"),
    ]
    encoding: dict[str, Spec] = {
        "x": {"field": "ms", "type": "quantitative", "scale": panel.range.scale, "axis": x_axis},
        "y": {"field": "share", "type": "quantitative", "scale": Range(0, 104).scale, "axis": y_axis},
    }
    for channel in ("color", "strokeDash"):
        scale = named(panel.names, channel)
        encoding[channel] = {"field": "step", "type": "nominal", "scale": scale, "legend": legend}
    curves = {"data": rows(panel.rows), **lines(encoding, tooltip, {"params": [zoom(f"zoom_{panel.metric}")]})}
    view: dict[str, object] = {"width": _PANEL, "height": _HEIGHT, "layer": [curves, *_limit_layers(panel)]}
    if panel.limit is not None:
        words = texts["charts.latency.slo"].format(limit=format_duration(panel.limit / 1000))
        view["title"] = panel_title(words)
    return view


def _columns(names: Sequence[str]) -> int:
    """How many entries of the legend stand side by side: at least two, and as many in each row but the last."""
    fitting = max(2, WIDTH // (7 * max(map(display_width, names)) + _SYMBOL))
    return -(-len(names) // -(-len(names) // fitting))


def _limit_layers(panel: _Panel) -> list[Spec]:
    """The limit of the SLO; the title of the panel names it."""
    if panel.limit is None:
        return []
    rule = {"type": "rule", "strokeDash": [5, 3], "size": 1.5, "opacity": 0.75, "clip": True}
    return [
        {"data": rows([{"ms": panel.limit}]), "mark": rule, "encoding": {"x": {"field": "ms", "type": "quantitative"}}}
    ]


# ---------------------------------------------------------------- words


def _summary(panels: Mapping[str, Sequence[Curve]], steps: Sequence[StepResult], texts: Texts) -> str:
    """The median and the tail at the last step, metric by metric."""
    estimates = {step_label(each.step, texts): each.estimates for each in steps}
    return " ".join(
        texts["charts.latency.span"].format(
            metric=metric.upper(),
            load=curves[-1].label,
            half=_reached(50, _percentile(50, metric, curves[-1], estimates[curves[-1].label]), texts),
            tail=_reached(95, _percentile(95, metric, curves[-1], estimates[curves[-1].label]), texts),
        )
        for metric, curves in panels.items()
    )


def _percentile(point: int, metric: str, curve: Curve, estimates: Estimates) -> float | None:
    """The figure that gates and comparisons take, over attempts too; else the edge of the bucket that holds it."""
    estimate = estimates.get(f"p{point}({metric})")
    if estimate is None:
        return curve.within(point / 100)
    return estimate.value if isfinite(estimate.value) else None


def _reached(point: int, latency: float | None, texts: Texts) -> str:
    if latency is None:
        return texts["charts.latency.never"].format(share=f"{point}%")
    return texts["charts.latency.within"].format(share=f"{point}%", time=milliseconds(latency))
