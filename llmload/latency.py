"""How the latencies of many requests are told: a summary and a histogram of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """One latency over `ok` requests, in milliseconds. `count` requests had it; `skipped` ones could not."""

    count: int
    skipped: int
    mean_ms: float
    min_ms: float
    max_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """A mergeable latency histogram: `bounds_ms[i]` is the upper edge of the bucket that holds `counts[i]`."""

    bounds_ms: tuple[float, ...]
    counts: tuple[int, ...]
