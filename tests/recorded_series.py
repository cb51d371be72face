"""What happened over time in the recorded runs: the client's timeline and the GPUs. Waves instead of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, sin

from llmload.domain import StepResult
from llmload.timeline import GpuSeries, Span, Timeline

PAUSE_S = 6.0
"""Between two windows, for the warm-up of the next."""
MAX_IN_FLIGHT = 64


def timeline_of(steps: Sequence[StepResult], bin_s: float) -> Timeline:
    """Windows one after another, each at the level and the rate of its step; bins outside of them have no values."""
    spans = _spans(steps)
    at_s = tuple(round(place * bin_s, 6) for place in range(ceil(spans[-1].end_s / bin_s)))
    placed = [_step_at(at + bin_s / 2, spans, steps) for at in at_s]
    waves = [1 - 0.05 * abs(sin(1.7 * at) + 0.4 * sin(0.37 * at)) for at in at_s]
    return Timeline(
        bin_s=bin_s,
        spans=spans,
        at_s=at_s,
        in_flight=tuple(
            None if step is None else round(_level(step) * wave, 2) for step, wave in zip(placed, waves, strict=True)
        ),
        output_tps=tuple(
            None if step is None else round((step.metrics.output_tps or 0.0) * wave, 1)
            for step, wave in zip(placed, waves, strict=True)
        ),
        errors_per_s=tuple(
            None if step is None else round(_errors_per_s(step) * (place % 4), 3) for place, step in enumerate(placed)
        ),
    )


def _spans(steps: Sequence[StepResult]) -> tuple[Span, ...]:
    lengths = [step.metrics.window_s or 0.0 for step in steps]
    starts = [round(sum(lengths[:place]) + place * PAUSE_S, 3) for place in range(len(steps))]
    placed = zip(steps, starts, lengths, strict=True)
    return tuple(Span(step.step.label, start, round(start + length, 3)) for step, start, length in placed)


def _step_at(at_s: float, spans: Sequence[Span], steps: Sequence[StepResult]) -> StepResult | None:
    inside = (step for span, step in zip(spans, steps, strict=True) if span.start_s <= at_s < span.end_s)
    return next(inside, None)


def _level(step: StepResult) -> float:
    return step.step.value if step.step.axis == "concurrency" else MAX_IN_FLIGHT


def _errors_per_s(step: StepResult) -> float:
    """Two thirds of the mean rate: multiplied by 0, 1, 2 and 3 in turn, the mean is right."""
    return sum(step.metrics.errors.values()) / (step.metrics.window_s or 1.0) / 1.5


def busy_gpu(timeline: Timeline, samples: int) -> GpuSeries:
    """The GPU that the server runs on: as busy as the timeline says, the warmer the longer."""
    at_s = _instants(timeline, samples)
    busiest = max(value for value in timeline.output_tps if value is not None)
    shares = [_share(timeline, at, busiest) for at in at_s]
    warmth = 38.0
    temperatures: list[float] = []
    for share in shares:
        warmth += 0.2 * (36.0 + 38.0 * share - warmth)
        temperatures.append(round(warmth))
    return GpuSeries(
        index=0,
        name="NVIDIA H100 80GB HBM3",
        uuid="GPU-5f1c2a90-7d5e-4a39-9c11-0f5a6b7c8d9e",
        memory_total_bytes=85_520_809_984,
        power_limit_w=700.0,
        at_s=at_s,
        utilisation=tuple(round(0.98 * share**0.12, 2) for share in shares),
        memory_bytes=tuple(76_168_560_640 + 67_108_864 * min(place // 12, 5) for place in range(samples)),
        temperature_c=tuple(temperatures),
        power_w=tuple(round(112.0 + 546.0 * share**0.5, 1) for share in shares),
        sm_clock_mhz=tuple(1980.0 - 15.0 * round(12 * share) for share in shares),
        throttled=(False,) * samples,
        throttled_share=0.0,
        driver="570.124.06",
        energy_j=143_918.4,
    )


def idle_gpu(timeline: Timeline, samples: int) -> GpuSeries:
    """A second card that only drives a screen, tells neither temperature nor power, and was silent for a while."""
    at_s = _instants(timeline, samples)
    silent = range(samples // 2, samples // 2 + 6)
    return GpuSeries(
        index=1,
        name="NVIDIA T400 4GB",
        uuid="GPU-0d3b8c44-91aa-4b0e-8a53-2e6f7a1b9c05",
        memory_total_bytes=4_294_967_296,
        power_limit_w=None,
        at_s=at_s,
        utilisation=tuple(None if place in silent else 0.01 * (place % 3) for place in range(samples)),
        memory_bytes=tuple(None if place in silent else 213_909_504 for place in range(samples)),
        temperature_c=(None,) * samples,
        power_w=(None,) * samples,
        sm_clock_mhz=tuple(None if place in silent else 300.0 for place in range(samples)),
        throttled=tuple(None if place in silent else False for place in range(samples)),
        throttled_share=0.0,
        driver="570.124.06",
    )


def mute_gpu(name: str, timeline: Timeline) -> GpuSeries:
    """A slice of a device of this name that told its utilisation and its clock twice, slowed down, and nothing else."""
    at_s = _instants(timeline, 12)
    told: tuple[float | None, ...] = (None, None, 0.41, 0.97, *(None,) * 8)
    clocks: tuple[float | None, ...] = (None, None, 1410.0, 1305.0, *(None,) * 8)
    slowed = tuple(None if clock is None else True for clock in clocks)
    none = (None,) * 12
    series = GpuSeries(
        0, name, f"GPU-{name}", None, None, at_s, told, none, none, none, clocks, slowed, name, "1g.10gb"
    )
    return replace(series, throttled_share=1.0)


def _instants(timeline: Timeline, samples: int) -> tuple[float, ...]:
    return tuple(round(place * timeline.spans[-1].end_s / samples, 3) for place in range(samples))


def _share(timeline: Timeline, at_s: float, busiest: float) -> float:
    """How busy, as a share of the busiest bin; little between the windows."""
    bins = [*timeline.at_s, timeline.at_s[-1] + timeline.bin_s]
    found = (place for place, (start, end) in enumerate(pairwise(bins)) if start <= at_s < end)
    value = timeline.output_tps[next(found)]
    return 0.02 if value is None else max(value / busiest, 0.02)
