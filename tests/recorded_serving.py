"""What servers and GPUs did at the steps of the recorded runs, and what they told over time. Fixed values."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from llmload.domain import StepResult
from llmload.samples import Source
from llmload.serving import Check, GpuFigures, ServerFigures
from llmload.timeline import GpuSeries, ServerSeries, Span, Timeline


def gpu_figures(span: Span, gpus: Sequence[GpuSeries], output_tokens: int) -> GpuFigures:
    """All these GPUs within one window, as far as their samples tell."""
    inside = [[place for place, at in enumerate(gpu.at_s) if span.start_s <= at < span.end_s] for gpu in gpus]
    pairs = list(zip(gpus, inside, strict=True))
    shares = [value for gpu, places in pairs for place in places if (value := gpu.utilisation[place]) is not None]
    peaks = [max(known) for gpu, places in pairs if (known := _known(gpu.memory_bytes, places))]
    powers = [sum(known) / len(known) for gpu, places in pairs if (known := _known(gpu.power_w, places))]
    degrees = [value for gpu, places in pairs for value in _known(gpu.temperature_c, places)]
    energy_j = sum(powers) * (span.end_s - span.start_s) if powers else None
    return GpuFigures(
        count=len(gpus),
        utilisation=round(sum(shares) / len(shares), 4) if shares else None,
        memory_bytes=int(sum(peaks)) if peaks else None,
        temperature_c=max(degrees, default=None),
        power_w=round(sum(powers), 1) if powers else None,
        energy_j=None if energy_j is None else round(energy_j, 1),
        joules_per_token=None if energy_j is None else round(energy_j / output_tokens, 4),
        throttled=0.0 if powers else None,
    )


def _known(values: Sequence[float | None], places: Sequence[int]) -> list[float]:
    return [value for place in places if (value := values[place]) is not None]


def healthy_server(step: StepResult) -> ServerFigures:
    """A vLLM that keeps up: it computes all that it is sent until 128 sequences are running, then requests wait."""
    level, latency = step.step.value, step.metrics.latency
    waiting = max(level - 128.0, 0.0)
    return ServerFigures(
        source=Source.METRICS,
        running=round(0.98 * min(level, 128.0), 2),
        waiting=round(0.9 * waiting, 2),
        waiting_max=waiting,
        kv_cache_share=round(min(0.006 * level, 0.947), 4),
        prefix_cache_hit_share=0.0413,
        preemptions=0.0,
        ttft_ms=_of(latency["ttft"].mean_ms, 0.97),
        tpot_ms=_of(latency["tpot"].mean_ms, 0.99),
        e2e_ms=_of(latency["e2e"].mean_ms, 0.99),
        queue_ms=round(0.04 + 4.9 * waiting, 3),
    )


def agreeing_checks(step: StepResult) -> tuple[Check, ...]:
    """Both sides as they should be: the same counts, and a little more time at the client."""
    metrics, latency = step.metrics, step.metrics.latency
    requests = metrics.attempts + max(8, int(2 * step.step.value))
    counts = (("requests", "", 1.0), ("input_tokens", "tokens", 256.0), ("output_tokens", "tokens", 128.0))
    same = tuple(Check(name, unit, requests * each, requests * each, 0.05) for name, unit, each in counts)
    times = tuple(
        Check(name, "ms", mean, _of(mean, share), 0.1, floor)
        for name, share, floor in (("ttft", 0.97, 5.0), ("tpot", 0.99, 1.0), ("e2e", 0.99, 5.0))
        if (mean := latency[name].mean_ms) is not None
    )
    return same + times


def _of(mean_ms: float | None, share: float) -> float:
    return round((mean_ms or 0.0) * share, 3)


def server_series(
    timeline: Timeline, source: Source, most_running: float, *, silent: tuple[float, float] = (0.0, 0.0)
) -> ServerSeries:
    """Gauges every second, as the timeline has it; nothing was told from the one of `silent` to the other, in s."""
    at_s = tuple(float(second) for second in range(ceil(timeline.spans[-1].end_s)))
    levels = [None if silent[0] <= at < silent[1] else _level(timeline, at) for at in at_s]
    outputs = [None if silent[0] <= at < silent[1] else _output(timeline, at) for at in at_s]
    return ServerSeries(
        source=source,
        at_s=at_s,
        running=tuple(None if level is None else float(min(round(level), most_running)) for level in levels),
        waiting=tuple(None if level is None else float(max(round(level - most_running), 0)) for level in levels),
        kv_cache_share=tuple(None if level is None else round(min(0.006 * level, 0.994), 4) for level in levels),
        output_tps=tuple(outputs),
    )


def _level(timeline: Timeline, at_s: float) -> float:
    return timeline.in_flight[_bin(timeline, at_s)] or 0.0


def _output(timeline: Timeline, at_s: float) -> float:
    return timeline.output_tps[_bin(timeline, at_s)] or 0.0


def _bin(timeline: Timeline, at_s: float) -> int:
    return min(int(at_s / timeline.bin_s), len(timeline.at_s) - 1)
