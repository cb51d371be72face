"""Measured: what a step's windows say in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from llmload.analysis.attempts import Attempts
from llmload.analysis.folded import Folded, fold
from llmload.analysis.histogram import histogram_of
from llmload.analysis.shares import clustered_bounds, least_block
from llmload.analysis.stats import Bools, Floats, percentiles
from llmload.domain import Observation, StepMetrics
from llmload.latency import Histogram, LatencySummary
from llmload.promises import Promised

_SHOWN = ("ttft", "ttft_due", "ttfo", "tpot", "itl_max", "e2e", "lag", "connect")
_NS_PER_S = 1e9
_MOST_UNCOUNTED = 0.01


def measure(observations: Sequence[Observation], slo: Promised) -> StepMetrics:
    """Every figure of METRICS.md over all windows of one step; what could not be had is None or left out.

    The bounds of goodput are one-sided at 95 % each, after the design effect; None where there are fewer than
    four blocks to know it from.
    """
    return measure_folded(fold(observations), slo)


def measure_folded(folded: Folded, slo: Promised) -> StepMetrics:
    """As `measure`, for windows that are folded already."""
    attempts, observations, traffic = folded.attempts, folded.observations, folded.traffic
    window_s = sum(o.end_ns - o.start_ns for o in observations) / _NS_PER_S
    good = attempts.good(slo)
    n, ok, good_count = len(attempts), int(attempts.is_ok.sum()), int(good.sum())
    output, prompts = float(traffic.output.amount.sum()), float(traffic.input.amount.sum())
    low, high = _goodput_bounds(attempts, good, observations)
    is_counted = are_known(attempts.output_tokens[attempts.is_ok])
    has_prompts = are_known(attempts.input_tokens[attempts.is_ok])
    latency, histograms = _latencies(attempts)
    return StepMetrics(
        window_s=window_s,
        attempts=n,
        ok=ok,
        good=good_count,
        cancelled=attempts.cancelled,
        dropped=attempts.dropped,
        planned=_planned(observations),
        goodput=good_count / n if n else None,
        goodput_low=low,
        goodput_high=high,
        goodput_rps=per_second(good_count, window_s) if n else None,
        error_rate=(n - ok) / n if n else None,
        rps=per_second(len(traffic.requests.at_ns), window_s) if n else None,
        output_tps=per_second(output, window_s) if is_counted and _wants_text(attempts) else None,
        total_tps=per_second(output + prompts, window_s) if is_counted and has_prompts else None,
        input_tokens=_total(attempts.input_tokens[attempts.is_ok]),
        output_tokens=_total(attempts.output_tokens[attempts.is_ok]),
        cached_tokens=_total_or_none(attempts.cached_tokens[attempts.is_ok]),
        failed_output_tokens=_total(attempts.output_tokens[~attempts.is_ok]),
        latency=latency,
        histograms=histograms,
        errors=_errors(attempts),
        token_sources=_token_sources(attempts),
        shared_reads=_shared_reads(attempts),
        reasoned=_carrying(attempts, [r.reasoning_events for r in attempts.records]),
        called_tools=_carrying(attempts, [r.call_events for r in attempts.records]),
        reasoning_tokens=_reasoning_tokens(attempts),
    )


def _wants_text(attempts: Attempts) -> bool:
    """Whether any answer was to have a token; embeddings have none, and a rate of none says nothing."""
    return any(record.asked_output_tokens for record in attempts.records)


def per_second(amount: float, window_s: float) -> float | None:
    """A rate over the measured windows; None for windows without length."""
    return amount / window_s if window_s > 0 else None


def _planned(observations: Sequence[Observation]) -> int | None:
    told = [observation.planned for observation in observations if observation.planned is not None]
    return sum(told) if told else None


def _goodput_bounds(
    attempts: Attempts, good: Bools, observations: Sequence[Observation]
) -> tuple[float | None, float | None]:
    if not len(attempts):
        return None, None
    windows = attempts.by_window(good)
    return clustered_bounds(windows, least_block(observations[0].look.step, attempts), 0.05)


def _latencies(attempts: Attempts) -> tuple[dict[str, LatencySummary], dict[str, Histogram]]:
    """Summaries over completed requests; `itl` pools every gap, and counts gaps rather than requests.

    `ttft_due` is told in open loop only: a slot of a closed loop is due when it is free, which says nothing more.
    """
    ok = int(attempts.is_ok.sum())
    summaries: dict[str, LatencySummary] = {}
    histograms: dict[str, Histogram] = {}
    for metric in _SHOWN if attempts.is_open_loop else [name for name in _SHOWN if name != "ttft_due"]:
        values = attempts.latency_ms[metric][attempts.is_ok]
        values = values[~np.isnan(values)]
        if len(values):
            summaries[metric] = _summary(values, ok - len(values))
            histograms[metric] = histogram_of(values)
    gaps = attempts.gaps_ns[np.repeat(attempts.is_ok, attempts.gap_counts)] / 1e6
    if len(gaps):
        summaries["itl"] = _summary(gaps, ok - int((attempts.gap_counts[attempts.is_ok] > 0).sum()))
        histograms["itl"] = histogram_of(gaps)
    return summaries, histograms


def _summary(values: Floats, skipped: int) -> LatencySummary:
    p50, p90, p95, p99 = percentiles(values, (50, 90, 95, 99))
    return LatencySummary(
        count=len(values),
        skipped=skipped,
        mean_ms=float(values.mean()),
        min_ms=float(values.min()),
        max_ms=float(values.max()),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
    )


def _errors(attempts: Attempts) -> dict[str, int]:
    failed = (r for r, is_ok in zip(attempts.records, attempts.is_ok, strict=True) if not is_ok)
    return dict(sorted(Counter(r.error_type or r.outcome.value for r in failed).items()))


def _token_sources(attempts: Attempts) -> dict[str, int]:
    ok = (r for r, is_ok in zip(attempts.records, attempts.is_ok, strict=True) if is_ok)
    return dict(sorted(Counter(r.token_source.value for r in ok if r.token_source is not None).items()))


def _carrying(attempts: Attempts, events: Sequence[int | None]) -> int | None:
    """Completed requests with such events; None where of one of them nobody looked, or none completed."""
    counts = [count for count, is_ok in zip(events, attempts.is_ok, strict=True) if is_ok]
    looked = [count > 0 for count in counts if count is not None]
    return sum(looked) if counts and len(looked) == len(counts) else None


def _reasoning_tokens(attempts: Attempts) -> int | None:
    """None where the server did not count them of (nearly) every completed request, as with output tokens."""
    told = [r.reasoning_tokens for r, is_ok in zip(attempts.records, attempts.is_ok, strict=True) if is_ok]
    known = [tokens for tokens in told if tokens is not None]
    return sum(known) if known and len(told) - len(known) <= _MOST_UNCOUNTED * len(told) else None


def _shared_reads(attempts: Attempts) -> float | None:
    """Share of text events whose instant, which is that of their socket read, is also a neighbour's."""
    total = len(attempts.events.at_ns)
    if not total:
        return None
    same = np.flatnonzero(attempts.gaps_ns == 0)
    # the event before gap g of attempt i is g + i, since each earlier attempt with events has one gap less
    shift = np.repeat(np.cumsum(attempts.events.counts > 0) - 1, attempts.gap_counts)[same]
    sharing = np.zeros(total, dtype=np.bool_)
    sharing[same + shift] = True
    sharing[same + shift + 1] = True
    return float(sharing.mean())


def are_known(tokens: Floats) -> bool:
    """Whether (nearly) every answer was counted: a rate over a few counted answers would be far too low."""
    return len(tokens) > 0 and float(np.isnan(tokens).mean()) <= _MOST_UNCOUNTED


def _total(tokens: Floats) -> int:
    return round(float(np.nansum(tokens)))


def _total_or_none(tokens: Floats) -> int | None:
    return None if np.isnan(tokens).all() else _total(tokens)
