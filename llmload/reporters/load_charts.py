"""Charts against load: throughput and latency with the SLO and the knee, and goodput with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmload.capacity import Knee
from llmload.domain import RunResult, StepResult
from llmload.promises import Bound, Slo
from llmload.reporters import palette
from llmload.reporters.chart import (
    HEIGHT,
    NUMBER,
    WIDTH,
    Chart,
    Datum,
    Range,
    Spec,
    around,
    document,
    field,
    from_zero,
    known,
    named,
    rows,
    zoom,
)
from llmload.reporters.figures import amount, percent
from llmload.reporters.load_axis import LoadAxis, load_axis_of
from llmload.reporters.texts import Texts
from llmload.units import format_duration, format_number, format_share

_ROW = 14
"""Pixels from one label at the top of a view to the next."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series against load: its key, its value at each step, and the limit of the SLO that it is held against."""

    key: str
    texts: Texts
    values: tuple[float | None, ...]
    limit: float | None = None

    @property
    def name(self) -> str:
        """As the legend says it."""
        return self.texts[f"charts.series.{self.key}"]

    @property
    def short(self) -> str:
        """As a sentence says it."""
        return self.texts[f"charts.short.{self.key}"]

    @property
    def known(self) -> list[float]:
        """The values that there are."""
        return [value for value in self.values if value is not None]


def throughput_chart(run: RunResult, texts: Texts) -> Chart | None:
    """Output throughput on the left, tails of latencies on the right; None where nothing of it was measured."""
    axis = load_axis_of(run)
    if axis is None:
        return None
    speed = Line("output_tps", texts, tuple(known(each.metrics.output_tps) for each in axis.steps))
    latencies = [line for line in _latency_lines(axis, run.slo, texts) if line.known]
    if not speed.known and not latencies:
        return None
    names = [speed.name, *(line.name for line in latencies)]
    left = _Side(axis, from_zero(speed.known), {"title": texts["charts.axis.output_tps"], "format": NUMBER}, names)
    views: list[Spec] = [{"layer": _curve_layers(left, [speed], texts, [zoom()])}]
    if latencies:
        right = _Side(axis, _latency_range(latencies), _right_axis(texts), names)
        limits = [layer for line in latencies for layer in _limit_layers(right, line)]
        views.append({"layer": [*_curve_layers(right, latencies, texts), *limits]})
    views += _knee_layers(run.knee, axis, texts)
    body = {"width": WIDTH, "height": HEIGHT, "layer": views, "resolve": {"scale": {"y": "independent"}}}
    title = texts["charts.throughput.title"]
    summary = _throughput_summary(run, axis, texts)
    return Chart("throughput", title, summary, document(title, axis.note(texts), body))


def goodput_chart(run: RunResult, texts: Texts) -> Chart | None:
    """Goodput with its interval, and what gates want of it; None where no step has any."""
    axis = load_axis_of(run)
    if axis is None or all(each.metrics.goodput is None for each in axis.steps):
        return None
    data = [_goodput_row(each) for each in axis.steps]
    targets = _targets(run, axis)
    views = [
        *_goodput_layers(axis, _goodput_range(data, targets), texts),
        *(layer for target in targets for layer in _target_layers(target, texts)),
        *_knee_layers(run.knee, axis, texts),
    ]
    body = {"width": WIDTH, "height": 220, "data": rows(data), "layer": views}
    title = texts["charts.goodput.title"]
    return Chart("goodput", title, _goodput_summary(run, axis, texts), document(title, axis.note(texts), body))


# ---------------------------------------------------------------- throughput and latency


@dataclass(frozen=True, slots=True)
class _Side:
    """One y axis of a chart: its range and look, and the names of all series of the chart."""

    loads: LoadAxis
    range: Range
    axis: Spec
    names: Sequence[str]

    @property
    def y(self) -> dict[str, object]:
        """The encoding of `value` on this side."""
        return {"field": "value", "type": "quantitative", "scale": self.range.scale, "axis": self.axis}


def _latency_lines(axis: LoadAxis, slo: Slo | None, texts: Texts) -> Iterator[Line]:
    """In open loop TTFT counts from the due instant, as in a gate."""
    terms = slo or Slo()
    for metric, limit in (("ttft", terms.ttft_ms), ("tpot", terms.tpot_ms)):
        summaries = [
            each.metrics.latency.get(f"{metric}_due", each.metrics.latency.get(metric))
            if each.step.axis != "concurrency"
            else each.metrics.latency.get(metric)
            for each in axis.steps
        ]
        values = tuple(None if summary is None else known(summary.p95_ms) for summary in summaries)
        yield Line(f"{metric}_p95", texts, values, limit)


def _latency_range(lines: Sequence[Line]) -> Range:
    """With more room above than the other side has, so that the highest points of both do not lie on each other."""
    values = [value for line in lines for value in (*line.known, *(() if line.limit is None else (line.limit,)))]
    return around(values, headroom=0.4)


def _right_axis(texts: Texts) -> Spec:
    return {"title": texts["charts.axis.p95_ms"], "format": NUMBER, "orient": "right", "grid": False, "tickCount": 6}


def _curve_layers(side: _Side, lines: Sequence[Line], texts: Texts, zoomed: Sequence[Spec] = ()) -> list[Spec]:
    """Lines with a gap where a value is missing, and a point at each that is there."""
    data = rows([row for line in lines for row in _curve_rows(side.loads, line)])
    shared = {"x": side.loads.encoding(texts), "y": side.y}
    looks = {
        channel: {"field": "series", "type": "nominal", "scale": named(side.names, channel)}
        for channel in ("color", "shape", "strokeDash")
    }
    tooltip = [
        field("series", texts["charts.tooltip.series"], "nominal"),
        field("load", texts[f"charts.axis.{side.loads.axis}"], form=NUMBER),
        field("value", texts["charts.tooltip.value"], form=",.4~r"),
    ]
    line: dict[str, object] = {
        "data": data,
        "mark": {"type": "line", "clip": True},
        "encoding": {**shared, "color": looks["color"], "strokeDash": looks["strokeDash"]},
    }
    if zoomed:
        line["params"] = list(zoomed)
    point = {
        "data": data,
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "clip": True, "invalid": "filter"},
        "encoding": {**shared, "color": looks["color"], "shape": looks["shape"], "tooltip": tooltip},
    }
    return [line, point]


def _curve_rows(axis: LoadAxis, line: Line) -> Iterator[Datum]:
    for result, value in zip(axis.steps, line.values, strict=True):
        yield {"load": result.step.value, "series": line.name, "value": value}


def _limit_layers(side: _Side, line: Line) -> list[Spec]:
    """What the SLO allows, in the colour of the series that it limits."""
    if line.limit is None:
        return []
    data = rows([{"value": line.limit, "series": line.name}])
    color = palette.SERIES[side.names.index(line.name)]
    words = line.texts["charts.slo"].format(metric=line.short, limit=_duration(line.limit))
    y = side.y
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": color, "strokeDash": [2, 3], "size": 1.5},
            "encoding": {"y": y},
        },
        {
            "data": data,
            "mark": {"type": "text", "text": words, "align": "left", "baseline": "bottom", "dx": 6, "dy": -3},
            "encoding": {"x": {"value": 0}, "y": y},
        },
    ]


def _throughput_summary(run: RunResult, axis: LoadAxis, texts: Texts) -> str:
    """How throughput moves over the ladder, and up to where the tail of TTFT stays within the SLO."""
    told = [(each.step.value, each.metrics.output_tps) for each in axis.steps if each.metrics.output_tps is not None]
    kind = texts[f"charts.load.{axis.axis}"]
    sentences = []
    if len(told) == 1:
        sentences.append(
            texts["charts.throughput.one"].format(axis=kind, load=_load(told[0][0]), value=amount(told[0][1]))
        )
    elif told:
        (low, first), (high, last) = told[0], told[-1]
        best_at, best = max(told, key=lambda pair: pair[1])
        sentences.append(
            texts["charts.throughput.several"].format(
                axis=kind, low=_load(low), high=_load(high), first=amount(first), last=amount(last)
            )
        )
        if best > last:
            sentences.append(texts["charts.throughput.best"].format(axis=kind, load=_load(best_at), value=amount(best)))
    for line in _latency_lines(axis, run.slo, texts):
        sentences += _limit_sentence(line, axis, texts)
    return " ".join([*sentences, *_knee_sentences(run.knee, axis, texts)])


def _limit_sentence(line: Line, axis: LoadAxis, texts: Texts) -> Iterator[str]:
    """Whether the tail keeps its limit, wherever it was measured."""
    pairs = [(each.step.value, value) for each, value in zip(axis.steps, line.values, strict=True) if value is not None]
    if line.limit is None or not pairs:
        return
    told = {"series": line.short, "limit": _duration(line.limit), "axis": texts[f"charts.load.{axis.axis}"]}
    broken = [load for load, value in pairs if value > line.limit]
    key = "broken" if broken else "kept"
    yield texts[f"charts.slo_{key}"].format(**told, load=_load(broken[0] if broken else pairs[-1][0]))


# ---------------------------------------------------------------- goodput


def _goodput_row(result: StepResult) -> Datum:
    metrics = result.metrics
    shares = {"goodput": metrics.goodput, "low": metrics.goodput_low, "high": metrics.goodput_high}
    percents = {name: None if share is None else known(share * 100) for name, share in shares.items()}
    return {"load": result.step.value, **percents}


def _goodput_range(data: Sequence[Datum], targets: Sequence[tuple[float, str]]) -> Range:
    """To 100 %, from 0 unless everything happens in the upper part."""
    values = [value for row in data for value in (row["goodput"], row["low"]) if isinstance(value, float)]
    lowest = min([*values, *(share * 100 for share, _ in targets)])
    low = 0.0 if lowest < 50 else max(0.0, 5.0 * ((lowest - 3) // 5))
    return Range(low, 100 + (100 - low) * 0.2)


def _goodput_layers(axis: LoadAxis, y_range: Range, texts: Texts) -> list[Spec]:
    ticks = [value for value in _percent_ticks(y_range.low) if value <= 100]
    look = {"title": texts["charts.axis.goodput"], "values": ticks, "format": NUMBER}
    x = axis.encoding(texts)
    y = {"field": "goodput", "type": "quantitative", "scale": y_range.scale, "axis": look}
    span = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    tooltip = [
        field("load", texts[f"charts.axis.{axis.axis}"], form=NUMBER),
        field("goodput", texts["charts.axis.goodput"], form=",.4~r"),
        field("low", texts["charts.tooltip.low"], form=",.4~r"),
        field("high", texts["charts.tooltip.high"], form=",.4~r"),
    ]
    return [
        {
            "mark": {"type": "area", "color": palette.BLUE, "opacity": 0.16, "clip": True},
            "encoding": span,
            "params": [zoom()],
        },
        {"mark": {"type": "line", "color": palette.BLUE, "clip": True}, "encoding": {"x": x, "y": y}},
        {
            "mark": {"type": "rule", "color": palette.BLUE, "size": 1.5, "clip": True, "invalid": "filter"},
            "encoding": span,
        },
        {
            "mark": {
                "type": "point",
                "filled": True,
                "size": 70,
                "color": palette.BLUE,
                "opacity": 1,
                "clip": True,
                "invalid": "filter",
            },
            "encoding": {"x": x, "y": y, "tooltip": tooltip},
        },
    ]


def _percent_ticks(low: float) -> list[float]:
    step = next(step for step in (1, 2, 5, 10, 20) if (100 - low) / step <= 6)
    return [100.0 - place * step for place in range(int((100 - low) // step) + 1)][::-1]


def _targets(run: RunResult, axis: LoadAxis) -> list[tuple[float, str]]:
    """What gates and the knee ask of goodput, each target once, with the words of the loads that it is for."""
    found: dict[float, str] = {}
    for result in axis.steps:
        for verdict in result.verdicts:
            match verdict.gate.promise:
                case Bound(">=", value) if verdict.gate.subject == "goodput":
                    found.setdefault(value, f" {verdict.gate.at}" if verdict.gate.at else "")
    if not found and run.knee is not None and run.knee.axis == axis.axis:
        found[run.knee.target] = ""
    return sorted(found.items())


def _target_layers(target: tuple[float, str], texts: Texts) -> list[Spec]:
    share, where = target
    data = rows([{"goodput": share * 100}])
    y = {"field": "goodput", "type": "quantitative"}
    words = texts["charts.target"].format(share=format_share(share)) + where
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": palette.ORANGE, "strokeDash": [6, 3], "size": 1.5},
            "encoding": {"y": y},
        },
        {
            "data": data,
            "mark": {"type": "text", "text": words, "align": "left", "baseline": "top", "dx": 6, "dy": 4},
            "encoding": {"x": {"value": 0}, "y": y},
        },
    ]


def _goodput_summary(run: RunResult, axis: LoadAxis, texts: Texts) -> str:
    """Where goodput is at both ends of the ladder, and how low it falls."""
    told = [(each.step.value, each.metrics.goodput) for each in axis.steps if each.metrics.goodput is not None]
    kind = texts[f"charts.load.{axis.axis}"]
    if len(told) == 1:
        load, share = told[0]
        sentence = texts["charts.goodput.one"].format(axis=kind, load=_load(load), share=percent(share))
    else:
        worst_at, worst = min(told, key=lambda pair: pair[1])
        sentence = texts["charts.goodput.several"].format(
            axis=kind,
            low=_load(told[0][0]),
            high=_load(told[-1][0]),
            first=percent(told[0][1]),
            last=percent(told[-1][1]),
            worst=percent(worst),
            worst_at=_load(worst_at),
        )
    return " ".join([sentence, *_knee_sentences(run.knee, axis, texts)])


# ---------------------------------------------------------------- the knee


def _marks(knee: Knee | None, axis: LoadAxis) -> Iterator[tuple[str, float]]:
    """What is marked on the load axis: its name in the catalogue, and the load."""
    if knee is None or knee.axis != axis.axis:
        return
    if knee.at_slo is not None:
        yield "knee", knee.at_slo
    if knee.saturation is not None:
        yield "saturation", knee.saturation


def _knee_layers(knee: Knee | None, axis: LoadAxis, texts: Texts) -> Iterator[Spec]:
    """A rule at the knee and one at saturation, each with its label in a row of its own at the top."""
    for row, (name, load) in enumerate(_marks(knee, axis)):
        is_left_of_rule = axis.range.place(load) > (0.3 if name == "knee" else 0.82)
        words = texts[f"charts.{name}"].format(load=_load(load))
        data = rows([{"load": load}])
        x = {"field": "load", "type": "quantitative"}
        dash = [5, 3] if name == "knee" else [1, 3]
        side = {"align": "right", "dx": -6} if is_left_of_rule else {"align": "left", "dx": 6}
        yield {
            "data": data,
            "mark": {"type": "rule", "opacity": 0.75, "strokeDash": dash, "size": 2, "clip": True},
            "encoding": {"x": x},
        }
        yield {
            "data": data,
            "mark": {"type": "text", "text": words, "fontWeight": "bold", "baseline": "top", "clip": True, **side},
            "encoding": {"x": x, "y": {"value": 2 + row * _ROW}},
        }


def _knee_sentences(knee: Knee | None, axis: LoadAxis, texts: Texts) -> Iterator[str]:
    kind = texts[f"charts.load.{axis.axis}"]
    for name, load in _marks(knee, axis):
        yield texts[f"charts.{name}_sentence"].format(axis=kind, load=_load(load))


def _load(value: float) -> str:
    return format_number(value)


def _duration(limit_ms: float) -> str:
    return format_duration(limit_ms / 1000)
