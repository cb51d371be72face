"""What the GPUs did over the time of a run: utilisation, memory, temperature and power, a line for each GPU.

Where one was slowed down, its utilisation and its power say too little: there the panels are shaded, and its clock has
a panel as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from llmload.domain import RunResult
from llmload.reporters import palette
from llmload.reporters.changes import between
from llmload.reporters.chart import (
    NUMBER,
    Chart,
    Datum,
    Range,
    Spec,
    alone,
    document,
    field,
    foreign,
    from_zero,
    known,
    lines,
    named,
    panel_title,
    rows,
    zoom,
)
from llmload.reporters.figures import amount, percent
from llmload.reporters.reasons import phrase_in_language
from llmload.reporters.texts import Texts
from llmload.reporters.throttling import Stretch, throttled_stretches
from llmload.timeline import GpuSeries

_GIB = 2**30
_PANEL, _WIDE, _HEIGHT = 274, 600, 112
_FOOT = 5
_MOST_POINTS, _LEAST_POINTS = 640, 24
"""Of all lines together, and of one line: a picture stays small however long the run and however many the GPUs."""

_Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class _Quantity:
    """One panel: where its figure lies in a series and in what unit, how it is folded, and what limits it."""

    key: str
    unit: str
    values: Callable[[GpuSeries], _Values]
    per_unit: float
    fold: Callable[[Sequence[float]], float]
    said: str  # "mean" or "peak"
    figure: Callable[[GpuSeries], float | None]
    limit: Callable[[GpuSeries], float | None]

    def shown(self, gpu: GpuSeries) -> list[float | None]:
        """The series in the unit of the panel."""
        return [None if value is None else value / self.per_unit for value in self.values(gpu)]

    def told(self, gpus: Sequence[GpuSeries]) -> list[float]:
        """The mean or peak of each GPU that has one, in the unit of the panel."""
        found = (self.figure(gpu) for gpu in gpus)
        return [value / self.per_unit for value in found if value is not None]


def _nothing(gpu: GpuSeries) -> None:
    del gpu


def _quantities() -> tuple[_Quantity, ...]:
    return (
        _Quantity(
            "utilisation", "%", lambda g: g.utilisation, 0.01, fmean, "mean", lambda g: g.mean_utilisation, _nothing
        ),
        _Quantity(
            "memory", " GiB", lambda g: g.memory_bytes, _GIB, max, "peak", lambda g: g.peak_memory_bytes, _memory
        ),
        _Quantity(
            "temperature", " °C", lambda g: g.temperature_c, 1, max, "peak", lambda g: g.peak_temperature_c, _nothing
        ),
        _Quantity(
            "power", " W", lambda g: g.power_w, 1, fmean, "mean", lambda g: g.mean_power_w, lambda g: g.power_limit_w
        ),
        _Quantity("sm_clock", " MHz", _clocks, 1, fmean, "mean", lambda g: g.mean_sm_clock_mhz, _nothing),
    )


def _memory(gpu: GpuSeries) -> float | None:
    return gpu.memory_total_bytes


def _clocks(gpu: GpuSeries) -> _Values:
    return gpu.sm_clock_mhz or (None,) * len(gpu.at_s)


_SHADED = frozenset(("utilisation", "power", "sm_clock"))
"""Figures that a slowed down GPU has less of than it could."""


def gpu_chart(run: RunResult, texts: Texts) -> Chart | None:
    """A panel for each figure that any GPU told; None where there is none."""
    slowed = throttled_stretches(run.gpus)
    quantities = [each for each in _quantities() if each.told(run.gpus) and (slowed or each.key != "sm_clock")]
    if not quantities:
        return None
    names = [f"GPU {gpu.index}" for gpu in run.gpus]
    width = _PANEL if len(quantities) > 1 else _WIDE
    data = _rows(run.gpus, names, quantities)
    seconds: dict[str, object] = {"format": NUMBER, "grid": False, "tickCount": 5}
    quiet = {**seconds, "title": None, "labels": False}
    axes = [quiet] * (len(quantities) - 2) + [{**seconds, "title": texts["charts.seconds"]}] * 2
    views = [
        {**_panel(each, run.gpus, names, data, axis, texts, slowed if each.key in _SHADED else ()), "width": width}
        for each, axis in zip(quantities, axes[-len(quantities) :], strict=True)
    ]
    title = texts["charts.gpu.title"]
    body = {
        "data": rows(data),
        "concat": views,
        "columns": 2,
        "spacing": 18,
        "params": [{**zoom(), "views": [f"gpu_{each.key}" for each in quantities]}],
        "resolve": {"scale": {"color": "shared", "strokeDash": "shared", "fill": "shared"}},
    }
    return Chart("gpu", title, _summary(run, quantities, texts), document(title, _models(run.gpus), body))


def _models(gpus: Sequence[GpuSeries]) -> str:
    """`2 × NVIDIA H100`, or every model with its count."""
    counted: dict[str, int] = {}
    for gpu in gpus:
        counted[foreign(gpu.name)] = counted.get(foreign(gpu.name), 0) + 1
    return foreign(", ".join(f"{count} × {name}" for name, count in counted.items()))


def _rows(gpus: Sequence[GpuSeries], names: Sequence[str], quantities: Sequence[_Quantity]) -> list[Datum]:
    """Every figure of a GPU at an instant, so many neighbouring samples folded into one that few enough are left.

    A figure is missing where most of the samples lack it.
    """
    most = max(_LEAST_POINTS, _MOST_POINTS // (len(gpus) * len(quantities)))
    folded: list[Datum] = []
    for gpu, name in zip(gpus, names, strict=True):
        size = -(-len(gpu.at_s) // most) or 1
        series = {each.key: (each.shown(gpu), each.fold) for each in quantities}
        for begin in range(0, len(gpu.at_s), size):
            end = begin + size
            figures = {key: _folded(values[begin:end], fold) for key, (values, fold) in series.items()}
            folded.append({"gpu": name, "at": known(fmean(gpu.at_s[begin:end]), 5), **figures})
    return folded


def _folded(values: _Values, fold: Callable[[Sequence[float]], float]) -> float | None:
    told = [value for value in values if value is not None]
    return known(fold(told), 4) if told and 2 * len(told) >= len(values) else None


def _panel(
    quantity: _Quantity,
    gpus: Sequence[GpuSeries],
    names: Sequence[str],
    data: Sequence[Datum],
    seconds: Spec,
    texts: Texts,
    slowed: Sequence[Stretch],
) -> Spec:
    title = texts[f"charts.gpu.{quantity.key}"]
    limits = {limit / quantity.per_unit for gpu in gpus if (limit := quantity.limit(gpu)) is not None}
    span = max(1.0, *(gpu.at_s[-1] for gpu in gpus if gpu.at_s), *(each.end_s for each in throttled_stretches(gpus)))
    looks = {"field": "gpu", "type": "nominal"}
    legend = {"symbolType": "stroke", "symbolSize": 200, "columns": 8} if len(gpus) > 1 else None
    tooltip = [
        field("gpu", texts["charts.gpu.name"], "nominal"),
        field("at", texts["charts.seconds"], form=NUMBER),
        field(quantity.key, title, form=",.4~r"),
    ]
    y_axis = {"title": title, "format": NUMBER, "tickCount": 4}
    scale = _y_range(quantity, data, limits).scale
    encoding: dict[str, Spec] = {
        "x": {"field": "at", "type": "quantitative", "scale": Range(0, span).scale, "axis": seconds},
        "y": {"field": quantity.key, "type": "quantitative", "scale": scale, "axis": y_axis},
    }
    for channel in ("color", "strokeDash"):
        encoding[channel] = {**looks, "scale": named(names, channel), "legend": legend}
    rule = {"type": "rule", "strokeDash": [5, 3], "opacity": 0.6, "clip": True}
    limit_rule = {
        "data": rows([{"value": limit} for limit in sorted(limits)]),
        "mark": rule,
        "encoding": {"y": {"field": "value", "type": "quantitative"}},
    }
    single = [row for name in names for row in alone([each for each in data if each["gpu"] == name], quantity.key)]
    curves = lines(encoding, tooltip, {"name": f"gpu_{quantity.key}"}, single)
    above = panel_title(_figure(quantity, gpus, limits, texts))
    layers = [*_slowed(slowed, gpus, encoding["x"], texts), curves, *([limit_rule] if limits else [])]
    return {"title": above, "height": _HEIGHT, "layer": layers}


def _y_range(quantity: _Quantity, data: Sequence[Datum], limits: set[float]) -> Range:
    """Shares to 100 %, degrees around what was seen, anything else from 0 to its limit."""
    values = [value for row in data if isinstance(value := row[quantity.key], float)]
    if quantity.key == "utilisation":
        return Range(0, 104)
    if quantity.key == "temperature":
        return Range(5.0 * (min(values) // 5 - 1), 5.0 * (max(values) // 5 + 2))
    return from_zero([*values, *limits], headroom=0.06)


def _figure(quantity: _Quantity, gpus: Sequence[GpuSeries], limits: set[float], texts: Texts) -> str:
    """`mean 87`, `peak 71.2 to 73.9 of 80`."""
    words = texts[f"charts.gpu.{quantity.said}"].format(value=_spread(quantity, gpus, texts))
    if len(limits) != 1:
        return words
    return texts["charts.gpu.of"].format(figure=words, total=amount(*limits) + quantity.unit)


def _spread(quantity: _Quantity, gpus: Sequence[GpuSeries], texts: Texts) -> str:
    told = quantity.told(gpus)
    low, high = (amount(figure) + quantity.unit for figure in (min(told), max(told)))
    return low if low == high else between(low, high, texts)


def _slowed(stretches: Sequence[Stretch], gpus: Sequence[GpuSeries], x: Spec, texts: Texts) -> list[Spec]:
    """A shade over the panel and a bar at its foot, which tells it without any colour."""
    if not stretches:
        return []
    words = texts["charts.gpu.throttled"].format(share=_share_throttled(gpus, texts))
    told = [{"start": each.start_s, "end": each.end_s, "gpus": each.gpus} for each in stretches]
    legend = {"orient": "bottom", "symbolType": "square", "symbolSize": 90, "symbolOpacity": 1, "symbolStrokeWidth": 0}
    fill = {"datum": words, "type": "nominal", "scale": {"domain": [words], "range": [palette.BRICK]}, "legend": legend}
    tooltip = [
        field("gpus", texts["charts.gpu.slowed"], "nominal"),
        field("start", texts["charts.gpu.from"], form=NUMBER),
        field("end", texts["charts.gpu.to"], form=NUMBER),
    ]
    placed = {"x": {**x, "field": "start"}, "x2": {"field": "end"}, "fill": fill, "tooltip": tooltip}
    foot = {"y": {"value": _HEIGHT - _FOOT}, "y2": {"value": _HEIGHT}}
    return [
        {"data": rows(told), "mark": {"type": "rect", "opacity": 0.14, "clip": True}, "encoding": placed},
        {"data": rows(told), "mark": {"type": "rect", "opacity": 1, "clip": True}, "encoding": {**placed, **foot}},
    ]


def _share_throttled(gpus: Sequence[GpuSeries], texts: Texts) -> str:
    """Of the samples of each GPU that tells it: `12%`, `0% to 12%`."""
    shares = [gpu.throttled_share for gpu in gpus if gpu.throttled_share is not None]
    low, high = percent(min(shares)), percent(max(shares))
    return low if low == high else between(low, high, texts)


def _summary(run: RunResult, quantities: Sequence[_Quantity], texts: Texts) -> str:
    """Every figure, how often a GPU was slowed down and why, and the energy of the measured windows."""
    gpus = run.gpus
    said = [texts[f"charts.gpu.said_{each.key}"].format(value=_spread(each, gpus, texts)) for each in quantities]
    energy = [gpu.energy_j for gpu in gpus if gpu.energy_j is not None]
    if energy:
        said.append(texts["charts.gpu.said_energy"].format(value=amount(sum(energy) / 1000)))
    words = texts["charts.gpu.summary"].format(names=_models(gpus), figures=", ".join(said))
    if all(gpu.throttled_share is None for gpu in gpus):
        return words
    if not any(gpu.throttled_share for gpu in gpus):
        return words + " " + texts["charts.gpu.never_throttled"]
    told = dict.fromkeys(reason for step in run.steps if step.gpu for reason in step.gpu.throttle_reasons)
    share, reasons = _share_throttled(gpus, texts), foreign(phrase_in_language(", ".join(told), "slow_downs", texts))
    key = "charts.gpu.said_reasons" if reasons else "charts.gpu.said_throttled"
    return words + " " + texts[key].format(share=share, reasons=reasons)
