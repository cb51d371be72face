"""Latency histograms with the same bucket edges everywhere, so that merging is adding.

Edges grow by 3 % from 1 microsecond to 28 hours; a latency is known from its bucket to within 1.5 %. A library
(ddsketch, hdrhistogram) would add a dependency and its own format for the same figures.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from llmload.analysis.stats import Floats
from llmload.latency import Histogram

_GROWTH = 1.03
_BUCKETS = 860
_EDGES_MS = np.array([float(f"{0.001 * _GROWTH**place:.5g}") for place in range(_BUCKETS)])


def histogram_of(values_ms: Floats) -> Histogram:
    """Count latencies into the buckets, from the first that is used to the last, without holes."""
    places = np.minimum(np.searchsorted(_EDGES_MS, values_ms, side="left"), _BUCKETS - 1)
    counts = np.bincount(places, minlength=_BUCKETS)
    return _spanning(counts)


def merge_histograms(parts: Iterable[Histogram]) -> Histogram:
    """The histogram of all values of all parts, in whatever order they come."""
    counts = np.zeros(_BUCKETS, dtype=np.int64)
    for part in parts:
        counts[np.searchsorted(_EDGES_MS, np.array(part.bounds_ms))] += np.array(part.counts, dtype=np.int64)
    return _spanning(counts)


def _spanning(counts: NDArray[np.int64]) -> Histogram:
    used = np.flatnonzero(counts)
    span = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
    return Histogram(tuple(_EDGES_MS[span].tolist()), tuple(counts[span].tolist()))
