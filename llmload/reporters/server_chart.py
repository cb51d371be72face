"""What the server told of itself over the time of a run: its queue, its KV cache and its output, beside the client's.

What it runs and what waits are stacked, the client's requests in flight a thin line over them: where the two part,
somebody else sends requests, or ours wait outside of the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llmload.domain import RunResult
from llmload.reporters import palette
from llmload.reporters.chart import (
    DOT,
    NUMBER,
    TARGETS,
    WIDTH,
    Chart,
    Datum,
    Range,
    Spec,
    alone,
    document,
    field,
    from_zero,
    known,
    rows,
    zoom,
)
from llmload.reporters.figures import amount, percent
from llmload.reporters.server_samples import Sample, mean_of, samples_of, thinned
from llmload.reporters.stages import Stage, names, shades, stages_of
from llmload.reporters.texts import Texts
from llmload.samples import Source

_MOST_POINTS = 120


@dataclass(frozen=True, slots=True)
class _View:
    """What the panels share: their rows, the shaded steps, and the seconds that they span."""

    data: Sequence[Datum]
    stages: Sequence[Stage]
    span: Range
    texts: Texts

    def has(self, key: str) -> bool:
        """Whether any row tells it."""
        return any(row[key] is not None for row in self.data)

    def most(self, *keys: str) -> float:
        """The largest value of these, 0 where there is none."""
        return max((value for row in self.data for key in keys if isinstance(value := row[key], float)), default=0.0)


def server_chart(run: RunResult, texts: Texts) -> Chart | None:
    """A panel for each figure that the server told; None where it told none."""
    samples = [] if run.server is None else samples_of(run.server, run.timeline)
    view = _View([_row(each) for each in thinned(samples, _MOST_POINTS)], _stages(run), _span(samples, run), texts)
    panels = [(key, draw) for key, (told, draw) in _PANELS.items() if any(map(view.has, told))]
    if run.server is None or not panels:
        return None
    title = texts["charts.server.title"]
    told_by = texts["charts.server.by_log" if run.server.source is Source.LOG else "charts.server.by_metrics"]
    seconds = {"title": texts["charts.seconds"], "format": NUMBER, "grid": False}
    axes: list[Spec] = [*({**seconds, "title": None, "labels": False} for _ in panels[1:]), seconds]
    above: list[list[Spec]] = [[names(view.stages, view.span, texts)], *([] for _ in panels[1:])]
    views = [draw(view, axis, words) for (_, draw), axis, words in zip(panels, axes, above, strict=True)]
    body = {
        "data": rows(view.data),
        "vconcat": views,
        "spacing": 12,
        "params": [{**zoom(), "views": [f"server_{key}" for key, _ in panels]}],
        "resolve": {"scale": {"color": "independent", "strokeDash": "independent"}},
    }
    return Chart("server", title, _summary(samples, run, texts, told_by), document(title, told_by, body))


def _stages(run: RunResult) -> list[Stage]:
    return stages_of(run.timeline.spans) if run.timeline is not None else []


def _span(samples: Sequence[Sample], run: RunResult) -> Range:
    """The seconds of the timeline, so that both charts lie below each other, and those of the samples beyond it."""
    instants = [0.0, *(each.at_s for each in samples)]
    if run.timeline is not None and run.timeline.at_s:
        instants += [run.timeline.at_s[-1] + run.timeline.bin_s, *(span.end_s for span in run.timeline.spans)]
    return Range(min(instants), max(*instants, 1.0))


# ---------------------------------------------------------------- rows


def _row(sample: Sample) -> Datum:
    """As the panels draw it: shares in percent, and how high the stack of what runs and waits is."""
    cache = sample.kv_cache_share
    return {
        "at": known(sample.at_s, 5),
        "running": known(sample.running, 4),
        "waiting": known(sample.waiting, 4),
        "inside": known(sample.inside, 4),
        "in_flight": known(sample.in_flight, 4),
        "kv_cache": None if cache is None else known(100 * cache, 4),
        "output_tps": known(sample.output_tps, 4),
        "client_tps": known(sample.client_tps, 4),
    }


# ---------------------------------------------------------------- panels


@dataclass(frozen=True, slots=True)
class _Curve:
    """One line of a panel and what lies below it: its field, its name, and what tells it from the others."""

    key: str
    name: str
    color: str
    dash: tuple[int, ...] = (1, 0)
    width: float = 1.75
    fill: float = 0.0  # opacity down to `base`
    base: str | None = None


def _requests(view: _View, axis: Spec, above: Sequence[Spec]) -> Spec:
    """What runs, on it what waits; the client's requests in flight over both."""
    texts = view.texts
    is_stacked = view.has("inside")
    curves = [  # from the top of the stack down: where nothing waits, the edge of what runs covers that of what waits
        _Curve(
            "inside" if is_stacked else "waiting",
            texts["charts.server.waiting"],
            palette.ORANGE,
            (6, 3),
            fill=0.55,
            base="running" if is_stacked else None,
        ),
        _Curve("running", texts["charts.server.running"], palette.BLUE, fill=0.25),
        _Curve("in_flight", texts["charts.server.in_flight"], palette.INK, (2, 2), 1.25),
    ]
    keys = [key for key in ("running", "waiting", "in_flight") if view.has(key)]
    tooltip = [field(key, texts[f"charts.server.{key}"], form=",.4~r") for key in keys]
    high = from_zero([view.most("running", "waiting", "inside", "in_flight")], 0.35)
    return _panel(view, _Panel("requests", 110, "charts.server.requests", high, curves, tooltip), axis, above)


def _cache(view: _View, axis: Spec, above: Sequence[Spec]) -> Spec:
    """How much of the KV cache is in use."""
    title = view.texts["charts.server.kv_cache"]
    curves = [_Curve("kv_cache", title, palette.TEAL, fill=0.2)]
    tooltip = [field("kv_cache", title, form=",.4~r")]
    return _panel(view, _Panel("kv_cache", 70, "charts.server.kv_cache", Range(0, 104), curves, tooltip), axis, above)


def _output(view: _View, axis: Spec, above: Sequence[Spec]) -> Spec:
    """Tokens as the server counts them, beside those that arrived."""
    texts = view.texts
    curves = [
        _Curve("output_tps", texts["charts.server.by_server"], palette.VIOLET),
        _Curve("client_tps", texts["charts.server.by_client"], palette.INK, (2, 2), 1.25),
    ]
    tooltip = [field(curve.key, curve.name, form=",.4~r") for curve in curves if view.has(curve.key)]
    high = from_zero([view.most("output_tps", "client_tps")], 0.1)
    return _panel(view, _Panel("output_tps", 80, "charts.timeline.output_tps", high, curves, tooltip), axis, above)


_PANELS: Mapping[str, tuple[tuple[str, ...], Callable[[_View, Spec, Sequence[Spec]], Spec]]] = {
    "requests": (("running", "waiting"), _requests),
    "kv_cache": (("kv_cache",), _cache),
    "output_tps": (("output_tps",), _output),
}
"""Each panel: which figures it is there for, and how it is drawn."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """What one panel has of its own: `key` names it for the zoom, `title` is the key of its axis."""

    key: str
    height: int
    title: str
    high: Range
    curves: Sequence[_Curve]
    tooltip: Sequence[Spec]


def _panel(view: _View, panel: _Panel, axis: Spec, above: Sequence[Spec]) -> Spec:
    x = {"type": "quantitative", "scale": view.span.scale, "axis": axis}
    y_axis = {"title": view.texts[panel.title], "format": NUMBER, "tickCount": 3}
    y = {"type": "quantitative", "scale": panel.high.scale, "axis": y_axis}
    curves = [curve for curve in panel.curves if view.has(curve.key)]
    layers: list[Spec] = [shades(view.stages, x)] if view.stages else []
    layers += [_filled(curve, x, y, _looks(curve, curves)) for curve in curves if curve.fill]
    for curve in curves:
        layers += _drawn(curve, view, x, y, _looks(curve, curves))
    pointed_at = next(curve.key for curve in curves if curve.base is None)
    tooltip = [field("at", view.texts["charts.seconds"], form=NUMBER), *panel.tooltip]
    encoding = {"x": {**x, "field": "at"}, "y": {**y, "field": pointed_at}, "tooltip": tooltip}
    targets = {"name": f"server_{panel.key}", "mark": TARGETS, "encoding": encoding}
    return {"width": WIDTH, "height": panel.height, "layer": [*layers, targets, *above]}


def _looks(curve: _Curve, curves: Sequence[_Curve]) -> dict[str, Spec]:
    """Colour and dash by the name of the curve, with a legend where there are several."""
    shown = [each.name for each in curves]
    legend = {"symbolType": "stroke", "symbolSize": 200, "symbolOpacity": 1, "columns": 8} if len(curves) > 1 else None
    ranges: Mapping[str, list[object]] = {
        "color": [each.color for each in curves],
        "strokeDash": [list(each.dash) for each in curves],
    }
    return {
        channel: {"datum": curve.name, "type": "nominal", "scale": {"domain": shown, "range": told}, "legend": legend}
        for channel, told in ranges.items()
    }


def _filled(curve: _Curve, x: Spec, y: Spec, looks: Mapping[str, Spec]) -> Spec:
    """What lies below a line, down to the line that it stands on."""
    base: Spec = {"datum": 0} if curve.base is None else {"field": curve.base}
    area = {"type": "area", "opacity": curve.fill, "clip": True}
    placed = {"x": {**x, "field": "at"}, "y": {**y, "field": curve.key, "stack": None}, "y2": base}
    return {"mark": area, "encoding": {**placed, "color": looks["color"]}}


def _drawn(curve: _Curve, view: _View, x: Spec, y: Spec, looks: Mapping[str, Spec]) -> list[Spec]:
    """The line, and a dot wherever a value has none beside it."""
    shared: dict[str, Spec] = {"x": {**x, "field": "at"}, "y": {**y, "field": curve.key}}
    layers: list[Spec] = [
        {"mark": {"type": "line", "strokeWidth": curve.width, "clip": True}, "encoding": {**shared, **looks}}
    ]
    if single := alone(view.data, curve.key):
        layers.append({"data": rows(single), "mark": DOT, "encoding": {**shared, "color": looks["color"]}})
    return layers


# ---------------------------------------------------------------- in words


def _summary(samples: Sequence[Sample], run: RunResult, texts: Texts, told_by: str) -> str:
    """The peaks of each figure, and what client and server had on average within the windows."""
    peaks: dict[str, str] = {}
    for key in ("running", "waiting", "output_tps"):
        if (most := _most([getattr(each, key) for each in samples])) is not None:
            peaks[key] = amount(most)
    if (cache := _most([each.kv_cache_share for each in samples])) is not None:
        peaks["kv_cache"] = percent(cache)
    told = ", ".join(texts[f"charts.server.said_{key}"].format(value=value) for key, value in peaks.items())
    words = texts["charts.server.summary"].format(told_by=told_by, figures=told)
    server, client = _inside(run), _in_flight(run)
    if server is None or client is None:
        return words
    return words + " " + texts["charts.server.said_both"].format(server=amount(server), client=amount(client))


def _inside(run: RunResult) -> float | None:
    """What ran and waited on average over all windows; None where one of them does not tell."""
    told = [
        (step.server.running + step.server.waiting, step.metrics.window_s)
        for step in run.steps
        if step.server is not None
        and step.server.running is not None
        and step.server.waiting is not None
        and step.metrics.window_s
    ]
    if not told or len(told) < len(run.steps):
        return None
    return sum(level * seconds for level, seconds in told) / sum(seconds for _, seconds in told)


def _in_flight(run: RunResult) -> float | None:
    return None if run.timeline is None else mean_of(run.timeline.in_flight)


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
