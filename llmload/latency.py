"""How the latencies of many requests are told: a summary and a histogram of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """One latency over `ok` requests, in milliseconds. `count` requests had it; `skipped` ones could not.

    None is for imported runs, of which p50, p95 and p99 are known for sure.
    """

    count: int | None
    skipped: int | None
    mean_ms: float | None
    min_ms: float | None
    max_ms: float | None
    p50_ms: float
    p90_ms: float | None
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """A mergeable latency histogram: `bounds_ms[i]` is the upper edge of the bucket that holds `counts[i]`."""

    bounds_ms: tuple[float, ...]
    counts: tuple[int, ...]
