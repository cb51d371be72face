"""What stands in for the estimates of a run that has none: an older result.json, or a run of another tool."""

from __future__ import annotations

from collections.abc import Iterator

from llmload.baseline import Estimate, Estimates
from llmload.domain import StepMetrics, StepResult, TokenSource
from llmload.latency import LatencySummary

_LATENCIES = ("ttft", "tpot", "itl_max", "e2e")
_NEEDS_TOKENS = ("tpot", "output_tps", "total_tps")


def estimates_or_summaries(result: StepResult) -> Estimates:
    """The estimates of a step; where there are none, its figures, of which nobody knows how sure they are.

    Summaries are of completed requests. They say the same as estimates over attempts where no attempt failed;
    elsewhere the latencies are left out. So is what rests on tokens that were only estimated.
    """
    if result.estimates:
        return result.estimates
    return {name: Estimate(value) for name, value in _figures(result) if value is not None}


def _figures(result: StepResult) -> Iterator[tuple[str, float | None]]:
    metrics = result.metrics
    is_estimated = bool(metrics.token_sources.get(TokenSource.ESTIMATE.value))
    for name in ("goodput", "error_rate", "rps", "output_tps", "total_tps"):
        if not (is_estimated and name in _NEEDS_TOKENS):
            yield name, getattr(metrics, name)
    if metrics.ok < metrics.attempts:
        return
    for latency in _LATENCIES:
        summary = _summary(metrics, latency, result.step.axis)
        if summary is not None and not (is_estimated and latency in _NEEDS_TOKENS):
            yield f"p50({latency})", summary.p50_ms
            yield f"p95({latency})", summary.p95_ms
            yield f"p99({latency})", summary.p99_ms
            yield f"mean({latency})", summary.mean_ms


def _summary(metrics: StepMetrics, latency: str, axis: str) -> LatencySummary | None:
    """In open loop TTFT counts from the due instant, as in a gate."""
    is_since_due = latency == "ttft" and axis != "concurrency"
    return metrics.latency.get("ttft_due" if is_since_due else latency)
