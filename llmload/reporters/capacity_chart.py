"""How many GPUs a demand needs: what each number of them carries within the SLO, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmload.capacity import Advice, CurrentInfra, Demand, Recommendation
from llmload.domain import RunResult
from llmload.reporters import palette
from llmload.reporters.chart import (
    HEIGHT,
    NUMBER,
    WIDTH,
    Chart,
    Datum,
    Range,
    Spec,
    document,
    field,
    foreign,
    from_zero,
    known,
    rows,
    zoom,
)
from llmload.reporters.figures import amount
from llmload.reporters.texts import Texts

_MOST_POINTS = 24


@dataclass(frozen=True, slots=True)
class _Capacity:
    """What was measured, asked and advised. Capacity grows by whole replicas."""

    measured: CurrentInfra
    demand: Demand
    advice: Advice

    @property
    def counts(self) -> list[int]:
        """Numbers of GPUs, a replica apart (or several, where there are many), past what is advised."""
        replica = replica_of(self.advice)
        last = max(self.advice.recommended_count, self.measured.gpu_count or 0) + 2 * replica
        stride = replica * -(-last // (replica * _MOST_POINTS))
        return sorted({*range(replica, last + 1, stride), self.advice.recommended_count})

    @property
    def rows(self) -> list[Datum]:
        """The estimate of the advice, in proportion to the number of GPUs, and so its interval."""
        advice = self.advice
        bounds = advice.intervals.get("estimated_max_concurrency")
        return [
            {
                "gpus": count,
                "concurrency": known(advice.estimated_max_concurrency * share),
                "low": None if bounds is None else known(bounds.low * share),
                "high": None if bounds is None or bounds.high is None else known(bounds.high * share),
            }
            for count in self.counts
            for share in (count / advice.recommended_count,)
        ]


def replica_of(advice: Advice) -> int:
    """GPUs of one replica; earlier versions told no more than their tensor parallelism."""
    return max(1, advice.gpus_per_replica or advice.tensor_parallelism)


def capacity_chart(run: RunResult, texts: Texts) -> Chart | None:
    """The capacity curve of what a run advises; None where that is nothing."""
    return None if run.recommendation is None else capacity_curve(run.recommendation, texts)


def capacity_curve(found: Recommendation, texts: Texts) -> Chart | None:
    """The capacity curve with the demand and the advised point; None where nothing is advised."""
    if found.advice is None or found.advice.recommended_count < 1:
        return None
    capacity = _Capacity(found.current_infra, found.workload, found.advice)
    title = texts["charts.capacity.title"]
    layers = [*_curve(capacity, texts), *_demand(capacity, texts), *_points(capacity, texts)]
    body = {"width": WIDTH, "height": HEIGHT, "layer": layers}
    return Chart("capacity", title, _summary(capacity, texts), document(title, "", body))


def _curve(capacity: _Capacity, texts: Texts) -> list[Spec]:
    data = capacity.rows
    counts = capacity.counts
    reach = [capacity.demand.peak_concurrency, *_numbers(data, "high"), *_numbers(data, "concurrency")]
    x_axis = {"title": texts["charts.capacity.gpus"], "values": counts, "format": NUMBER, "grid": False}
    y_axis = {"title": texts["charts.capacity.concurrency"], "format": NUMBER}
    x = {
        "field": "gpus",
        "type": "quantitative",
        "scale": Range(0, counts[-1] * 1.03).scale,
        "axis": {**x_axis, "labelOverlap": "greedy"},
    }
    y = {"type": "quantitative", "scale": from_zero(reach, headroom=0.06).scale, "axis": y_axis}
    span = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    value = {"x": x, "y": {**y, "field": "concurrency"}}
    tooltip = [
        field("gpus", texts["charts.capacity.gpus"], form=NUMBER),
        field("concurrency", texts["charts.capacity.concurrency"], form=",.4~r"),
        field("low", texts["charts.capacity.low"], form=",.4~r"),
        *([field("high", texts["charts.capacity.high"], form=",.4~r")] if _numbers(data, "high") else []),
    ]
    look = {"color": palette.BLUE, "clip": True}
    dot = {"type": "point", "filled": True, "size": 45, "opacity": 1, "invalid": "filter", **look}
    band: Spec = {"data": rows(data), "mark": {"type": "area", "opacity": 0.16, **look}, "encoding": span}
    is_bounded = bool(_numbers(data, "high"))  # an end that is open is no end at 0
    return [
        *([band] if is_bounded else []),
        {"data": rows(data), "params": [zoom()], "mark": {"type": "line", **look}, "encoding": value},
        {"data": rows(data), "mark": dot, "encoding": {**value, "tooltip": tooltip}},
    ]


def _numbers(data: Sequence[Datum], name: str) -> list[float]:
    return [value for row in data if isinstance(value := row[name], float)]


def _demand(capacity: _Capacity, texts: Texts) -> list[Spec]:
    wanted = capacity.demand.peak_concurrency
    data = rows([{"concurrency": known(wanted)}])
    y = {"field": "concurrency", "type": "quantitative"}
    words = texts["charts.capacity.demand"].format(value=amount(wanted))
    rule = {"type": "rule", "color": palette.ORANGE, "strokeDash": [6, 3], "size": 1.5}
    text = {"type": "text", "text": words, "align": "left", "baseline": "bottom", "dx": 6, "dy": -4}
    return [
        {"data": data, "mark": rule, "encoding": {"y": y}},
        {"data": data, "mark": text, "encoding": {"x": {"value": 0}, "y": y}},
    ]


def _points(capacity: _Capacity, texts: Texts) -> list[Spec]:
    """What was measured, where it is known, and what is advised, each with its name beside it."""
    advice, measured = capacity.advice, capacity.measured
    advised = texts["charts.capacity.recommended"].format(
        count=f"{advice.recommended_count:,}", gpu=foreign(advice.recommended_gpu)
    )
    points = [(advice.recommended_count, advice.estimated_max_concurrency, advised, palette.BRICK, "diamond")]
    if measured.max_concurrency_at_slo is not None and measured.gpu_count:
        label = texts["charts.capacity.measured"]
        points.append((measured.gpu_count, measured.max_concurrency_at_slo, label, palette.TEAL, "square"))
    layers: list[Spec] = []
    for count, concurrency, label, color, shape in points:
        data = rows([{"gpus": count, "concurrency": known(concurrency), "name": label}])
        place = {
            "x": {"field": "gpus", "type": "quantitative"},
            "y": {"field": "concurrency", "type": "quantitative"},
        }
        dot = {"type": "point", "filled": True, "size": 150, "shape": shape, "color": color, "opacity": 1, "clip": True}
        is_far = count > capacity.counts[-1] / 2
        is_low = concurrency < advice.estimated_max_concurrency / 8  # below it would be the labels of the axis
        beside: Spec = {"align": "left", "dx": -4, "dy": -16} if is_low else {"align": "left", "dx": 10, "dy": 12}
        side: Spec = {"align": "right", "dx": -10, "dy": -10} if is_far else beside
        layers.append({"data": data, "mark": dot, "encoding": place})
        text = {"type": "text", "fontWeight": "bold", "clip": True, "limit": WIDTH // 2, **side}
        layers.append({"data": data, "mark": text, "encoding": {**place, "text": {"field": "name", "type": "nominal"}}})
    return layers


def _summary(capacity: _Capacity, texts: Texts) -> str:
    advice, measured = capacity.advice, capacity.measured
    return texts["charts.capacity.summary"].format(
        count=f"{advice.recommended_count:,}",
        gpu=foreign(advice.recommended_gpu),
        value=amount(advice.estimated_max_concurrency),
        demand=amount(capacity.demand.peak_concurrency),
        measured=amount(measured.max_concurrency_at_slo),
        measured_gpus=amount(measured.gpu_count),
        measured_gpu=foreign(measured.gpu_model),
    )
