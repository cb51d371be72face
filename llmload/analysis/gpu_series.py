"""Samples of GPUs folded into series over the run and figures of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from llmload.analysis.samples import MOST_POINTS, Fold, Folded, Track, folded, tracks_of, within
from llmload.analysis.stats import Floats
from llmload.analysis.throttling import masks_of, throttling_in
from llmload.domain import Observation, StepMetrics
from llmload.samples import SLOW_DOWNS, Gpu, SampleName, Series, Source, slow_downs
from llmload.serving import GpuFigures
from llmload.timeline import GpuSeries

_LEAST_POINTS = 60
_AT_AN_EDGE_NS = 3_000_000_000
"""How far from the edge of a window the next sample may be, for its energy to be told."""


def gpu_series_of(observations: Sequence[Observation]) -> tuple[GpuSeries, ...]:
    """One series for each GPU that was watched, on the timeline of these windows; the more GPUs, the fewer points."""
    gpus = gpus_in(observations)
    most = max(_LEAST_POINTS, 4 * MOST_POINTS // max(len(gpus), 4))
    alone = _each_alone(observations, gpus)
    return tuple(_series(gpu, alone[gpu.key], most) for gpu in gpus)


def _each_alone(windows: Sequence[Observation], gpus: Sequence[Gpu]) -> dict[str, list[Observation]]:
    """The windows as each GPU tells of them, by its key: sought in one pass, since there may be a room of them."""
    alone: dict[str, list[Observation]] = {gpu.key: [] for gpu in gpus}
    for window in windows:
        told: dict[str, list[Series]] = {}
        for series in window.watched.series:
            if series.source is Source.GPU:
                told.setdefault(series.device, []).append(series)
        for key, seen in alone.items():
            seen.append(replace(window, watched=replace(window.watched, series=tuple(told.get(key, ())))))
    return alone


def gpus_in(observations: Sequence[Observation]) -> tuple[Gpu, ...]:
    """Every GPU that was watched in any of these windows, as it was described last."""
    found = {gpu.key: gpu for observation in observations for gpu in observation.watched.gpus}
    return tuple(sorted(found.values(), key=lambda gpu: (gpu.host, gpu.index, gpu.key)))


def _series(gpu: Gpu, observations: Sequence[Observation], most: int) -> GpuSeries:
    tracks = tracks_of(observations, Source.GPU, gpu.key)
    found = folded(
        tracks,
        {
            "utilisation": _mean,
            "memory_bytes": _most,
            "temperature_c": _most,
            "power_w": _mean,
            "sm_clock_mhz": _mean,
            "throttle_reasons": _any_bit,
        },
        most,
    )
    energy = [_energy(window, gpu.key) for window in observations]
    return GpuSeries(
        index=gpu.index,
        name=gpu.name,
        uuid=gpu.uuid,
        memory_total_bytes=gpu.memory_total_bytes,
        power_limit_w=gpu.power_limit_w,
        at_s=found.at_s,
        utilisation=found.track("utilisation"),
        memory_bytes=tuple(None if size is None else round(size) for size in found.track("memory_bytes")),
        temperature_c=found.track("temperature_c"),
        power_w=found.track("power_w"),
        sm_clock_mhz=_if_told(found, "sm_clock_mhz"),
        throttled=tuple(
            None if mask is None else bool(slow_downs(mask)) for mask in _if_told(found, "throttle_reasons")
        ),
        driver=gpu.driver,
        mig=gpu.mig,
        energy_j=_total(energy),
        throttled_share=_slowed_share(tracks.get("throttle_reasons")),
    )


def _if_told(found: Folded, name: SampleName) -> tuple[float | None, ...]:
    return found.track(name) if name in found.values else ()


def _slowed_share(masks: Track | None) -> float | None:
    """Of the samples as they came: a point that stands for many of them is slowed down where one of these is."""
    if masks is None or not len(masks.values):
        return None
    return float(np.mean((masks_of(masks.values) & sum(SLOW_DOWNS)) != 0))


def _mean(values: Floats) -> float:
    return float(values.mean())


def _most(values: Floats) -> float:
    return float(values.max())


def _any_bit(masks: Floats) -> float:
    return float(np.bitwise_or.reduce(masks_of(masks)))


def gpu_figures_of(windows: Sequence[Observation], metrics: StepMetrics) -> GpuFigures | None:
    """What the GPUs did within these windows of one step; None where none was watched.

    Energy is the growth of each driver's counter over the windows, else power over time. Joules per token count the
    energy of all GPUs and the output tokens that were served within the windows.
    """
    gpus = gpus_in(windows)
    if not gpus:
        return None
    utilisation, temperature = (within(windows, Source.GPU, name) for name in ("utilisation", "temperature_c"))
    throttling = throttling_in(windows)
    alone = _each_alone(windows, gpus)
    energy = [_energy(window, key) for key, seen in alone.items() for window in seen]
    joules = _total(energy)
    return GpuFigures(
        count=len(gpus),
        utilisation=_mean(utilisation) if len(utilisation) else None,
        memory_bytes=_round(_summed(alone, "memory_bytes", _most)),
        temperature_c=_most(temperature) if len(temperature) else None,
        power_w=_summed(alone, "power_w", _mean),
        energy_j=joules,
        joules_per_token=_per_token(joules, metrics),
        throttled=None if throttling is None else throttling.share,
        throttle_reasons=() if throttling is None else throttling.reasons,
    )


def _total(parts: Sequence[float | None]) -> float | None:
    """Of all, or it says nothing."""
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _round(value: float | None) -> int | None:
    return None if value is None else round(value)


def _summed(alone: Mapping[str, Sequence[Observation]], name: SampleName, fold: Fold) -> float | None:
    """A figure of each GPU, added up; None where one of them does not tell it."""
    told = [within(windows, Source.GPU, name, key) for key, windows in alone.items()]
    return _total([fold(values) if len(values) else None for values in told])


def _per_token(joules: float | None, metrics: StepMetrics) -> float | None:
    if joules is None or not metrics.output_tps or not metrics.window_s:
        return None
    return joules / (metrics.output_tps * metrics.window_s)


def _energy(window: Observation, device: str) -> float | None:
    """Joules of a GPU between the edges of a window; None where neither its counter nor its power reaches them."""
    series = {each.name: each for each in window.watched.series if each.source is Source.GPU and each.device == device}
    if "energy_j" in series:
        at_ns, values = np.array(series["energy_j"].at_ns), np.array(series["energy_j"].values)
        if _reaches(at_ns, window) and np.all(np.diff(values) >= 0):
            first, last = np.interp([window.start_ns, window.end_ns], at_ns, values)
            return float(last - first)
    if "power_w" in series:
        at_ns, values = np.array(series["power_w"].at_ns), np.array(series["power_w"].values)
        if _reaches(at_ns, window):
            inside = at_ns[(at_ns > window.start_ns) & (at_ns < window.end_ns)]
            edges_ns = np.concatenate([[window.start_ns], inside, [window.end_ns]])
            return float(np.trapezoid(np.interp(edges_ns, at_ns, values), edges_ns) / 1e9)
    return None


def _reaches(at_ns: np.ndarray[tuple[int], np.dtype[np.int64]], window: Observation) -> bool:
    """Whether samples lie close enough to both edges of the window."""
    return (
        len(at_ns) > 1
        and at_ns[0] <= window.start_ns + _AT_AN_EDGE_NS
        and at_ns[-1] >= window.end_ns - _AT_AN_EDGE_NS
        and window.end_ns - window.start_ns > 0
    )
