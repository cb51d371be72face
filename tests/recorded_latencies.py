"""Latencies as servers have them, of a given median: a long tail upwards, and no chance in it."""

from __future__ import annotations

from math import log
from statistics import NormalDist

import numpy as np

from llmload.analysis.histogram import histogram_of
from llmload.latency import Histogram, LatencySummary

_MIN, _P50, _P90, _P95, _P99, _MAX = 0.7, 1.0, 1.35, 1.5, 1.9, 2.2
"""Of the median, in every recorded run."""
_MEAN = 1.04
_SHARES = (0.004, 0.5, 0.9, 0.95, 0.99, 0.998)
_DEVIATES = [NormalDist().inv_cdf(share) for share in _SHARES]
_LOGARITHMS = [log(factor) for factor in (_MIN, _P50, _P90, _P95, _P99, _MAX)]


def summary(median_ms: float, *, count: int = 200) -> LatencySummary:
    """Every figure a fixed multiple of the median."""
    factors = (_MEAN, _MIN, _MAX, _P50, _P90, _P95, _P99)
    mean, low, high, p50, p90, p95, p99 = (round(median_ms * factor, 4) for factor in factors)
    return LatencySummary(count, 0, mean, low, high, p50, p90, p95, p99)


def histogram(median_ms: float, count: int) -> Histogram:
    """So many latencies at even steps through the distribution that the summary describes."""
    deviates = [NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)]
    return histogram_of(median_ms * np.exp(np.interp(deviates, _DEVIATES, _LOGARITHMS)))
