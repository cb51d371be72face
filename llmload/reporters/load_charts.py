"""Charts against load: throughput and latency with the SLO and the knee, and goodput with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmload.capacity import Knee
from llmload.domain import RunResult, StepResult
from llmload.promises import At, Bound, Slo
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
from llmload.reporters.step_columns import speed_of, tokens_per_s
from llmload.reporters.texts import Texts
from llmload.units import format_duration, format_number, format_share

_SYMBOLS: Spec = {"symbolSize": 90, "symbolStrokeWidth": 0}
"""A legend shows points, without the dashes of the lines between them: a configured
width of lines would win.
"""


_TAILS = {"ttft": "ttft_p95", "ttft_due": "ttft_due_p95", "tpot": "tpot_p95", "e2e": "e2e_p95"}
"""Metric -> its tail's key in the catalogue."""


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
    """Throughput on the left, tails of latencies on the right; None where nothing of it was measured.

    Throughput is that of output tokens, of embeddings that of input tokens.
    """
    axis = load_axis_of(run)
    if axis is None:
        return None
    speed = _speed_line(axis, texts)
    latencies = [line for line in _latency_lines(axis, run.slo, texts) if line.known]
    if not speed.known and not latencies:
        return None
    names = [speed.name, *(line.name for line in latencies)]
    left = _Side(axis, from_zero(speed.known), {"title": texts[f"charts.axis.{speed.key}"], "format": NUMBER}, names)
    views = [_curves(left, [speed], texts, [zoom()])]
    if latencies:
        right = _Side(axis, _latency_range(latencies), _right_axis(texts), names)
        limits = [layer for line in latencies for layer in _limit_layers(right, line, run.knee)]
        views.append({"layer": [_curves(right, latencies, texts), *limits]})
    views += axis.knee_layers(run.knee, texts)
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
    targets = _targets(run, axis, texts)
    views = [
        *_goodput_layers(axis, _goodput_range(data, targets), texts),
        *(layer for target in targets for layer in _target_layers(target, axis, run.knee, texts)),
        *axis.knee_layers(run.knee, texts),
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


def _speed_line(axis: LoadAxis, texts: Texts) -> Line:
    speed = speed_of(axis.steps)
    return Line(speed, texts, tuple(known(tokens_per_s(each, speed)) for each in axis.steps))


def _latency_lines(axis: LoadAxis, slo: Slo | None, texts: Texts) -> Iterator[Line]:
    """In open loop TTFT counts from the due instant, as in a gate. E2E is drawn where the SLO limits it."""
    terms = slo or Slo()
    is_since_due = axis.axis != "concurrency" and any("ttft_due" in each.metrics.latency for each in axis.steps)
    drawn = [("ttft_due" if is_since_due else "ttft", terms.ttft_ms), ("tpot", terms.tpot_ms)]
    drawn += [] if terms.e2e_ms is None else [("e2e", terms.e2e_ms)]
    for metric, limit in drawn:
        summaries = [each.metrics.latency.get(metric) for each in axis.steps]
        values = tuple(None if summary is None else known(summary.p95_ms) for summary in summaries)
        yield Line(_TAILS[metric], texts, values, limit)


def _latency_range(lines: Sequence[Line]) -> Range:
    """With more room above than the other side has, so that the highest points of both do not lie on each other."""
    values = [value for line in lines for value in (*line.known, *(() if line.limit is None else (line.limit,)))]
    return around(values, headroom=0.4)


def _right_axis(texts: Texts) -> Spec:
    return {"title": texts["charts.axis.p95_ms"], "format": NUMBER, "orient": "right", "grid": False, "tickCount": 6}


def _curves(side: _Side, lines: Sequence[Line], texts: Texts, params: Sequence[Spec] = ()) -> Spec:
    """Lines with a gap where a value is missing, and a point at each that is there."""
    looks = {
        channel: {"field": "series", "type": "nominal", "scale": named(side.names, channel), "legend": _SYMBOLS}
        for channel in ("color", "shape", "strokeDash")
    }
    tooltip = [
        field("series", texts["charts.tooltip.series"], "nominal"),
        field("load", texts[f"charts.axis.{side.loads.axis}"], form=NUMBER),
        field("value", texts["charts.tooltip.value"], form=",.4~r"),
    ]
    point = {"type": "point", "filled": True, "size": 70, "opacity": 1, "clip": True, "invalid": "filter"}
    return {
        "data": rows([row for line in lines for row in _curve_rows(side.loads, line)]),
        "encoding": {"x": side.loads.encoding(texts), "y": side.y, "color": looks["color"]},
        "layer": [
            {
                "mark": {"type": "line", "clip": True},
                "encoding": {"strokeDash": looks["strokeDash"]},
                **({"params": list(params)} if params else {}),
            },
            {"mark": point, "encoding": {"shape": looks["shape"], "tooltip": tooltip}},
        ],
    }


def _curve_rows(axis: LoadAxis, line: Line) -> Iterator[Datum]:
    for result, value in zip(axis.steps, line.values, strict=True):
        yield {"load": result.step.value, "series": line.name, "value": value}


def _limit_layers(side: _Side, line: Line, knee: Knee | None) -> list[Spec]:
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
            "encoding": {"x": side.loads.words_begin(knee, words), "y": y},
        },
    ]


def _throughput_summary(run: RunResult, axis: LoadAxis, texts: Texts) -> str:
    """How throughput moves over the ladder, and up to where the tails stay within the SLO."""
    speed = _speed_line(axis, texts)
    told = [(axis.label(each, texts), value) for each, value in zip(axis.steps, speed.values, strict=True)]
    values = [(load, value) for load, value in told if value is not None]
    sentences = []
    if len(values) == 1:
        sentences.append(
            texts["charts.throughput.one"].format(speed=speed.short, load=values[0][0], value=amount(values[0][1]))
        )
    elif values:
        (low, first), (high, last) = values[0], values[-1]
        shown = {"speed": speed.short, "low": low, "high": high, "first": amount(first), "last": amount(last)}
        sentences.append(texts["charts.throughput.several"].format(**shown))
        best_at, best = max(values, key=lambda pair: pair[1])
        if best > last:
            sentences.append(texts["charts.throughput.best"].format(load=best_at, value=amount(best)))
    for line in _latency_lines(axis, run.slo, texts):
        sentences += _limit_sentence(line, axis, texts)
    return " ".join([*sentences, *axis.knee_sentence(run, texts)])


def _limit_sentence(line: Line, axis: LoadAxis, texts: Texts) -> Iterator[str]:
    """From where on the tail breaks its limit, or that it keeps it wherever it was measured."""
    pairs = [(each, value) for each, value in zip(axis.steps, line.values, strict=True) if value is not None]
    if line.limit is None or not pairs:
        return
    broken = [step for step, value in pairs if value > line.limit]
    key = "charts.slo_broken" if broken else "charts.slo_kept"
    load = axis.label(broken[0] if broken else pairs[-1][0], texts)
    yield texts[key].format(series=line.short, limit=_duration(line.limit), load=load)


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


def _targets(run: RunResult, axis: LoadAxis, texts: Texts) -> list[tuple[float, str]]:
    """What gates and the knee ask of goodput, each target once, with the words of the loads that it is for."""
    found: dict[float, str] = {}
    for result in axis.steps:
        for verdict in result.verdicts:
            match verdict.gate.promise:
                case Bound(">=", value) if verdict.gate.is_on_goodput:
                    found.setdefault(value, f" ({_covered(verdict.gate.at, texts)})" if verdict.gate.at else "")
    if not found and run.knee is not None and run.knee.axis == axis.axis:
        found[run.knee.target] = ""
    return sorted(found.items())


def _covered(at: At, texts: Texts) -> str:
    """Which loads a gate speaks of, as an axis title and a sign: `concurrency ≤ 32`."""
    sign = {"==": "=", "<=": "≤", ">=": "≥"}[at.op]
    return f"{texts[f'charts.load.{at.axis}']} {sign} {format_number(at.value)}"


def _target_layers(target: tuple[float, str], axis: LoadAxis, knee: Knee | None, texts: Texts) -> list[Spec]:
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
            "encoding": {"x": axis.words_begin(knee, words), "y": y},
        },
    ]


def _goodput_summary(run: RunResult, axis: LoadAxis, texts: Texts) -> str:
    """Where goodput is at both ends of the ladder, and how low it falls between."""
    told = [(axis.label(each, texts), each.metrics.goodput) for each in axis.steps]
    values = [(load, share) for load, share in told if share is not None]
    (low, first), (high, last) = values[0], values[-1]
    if len(values) == 1:
        sentences = [texts["charts.goodput.one"].format(load=low, share=percent(first))]
    else:
        shown = {"low": low, "high": high, "first": percent(first), "last": percent(last)}
        sentences = [texts["charts.goodput.several"].format(**shown)]
        worst_at, worst = min(values, key=lambda pair: pair[1])
        if worst < min(first, last):
            sentences.append(texts["charts.goodput.worst"].format(load=worst_at, share=percent(worst)))
    return " ".join([*sentences, *axis.knee_sentence(run, texts)])


def _duration(limit_ms: float) -> str:
    return format_duration(limit_ms / 1000)
