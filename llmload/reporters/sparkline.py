"""A history of one figure in a row of little bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

WIDTH = 60  # bars
BARS = "▁▂▃▄▅▆▇█"
LEAST_SPAN = 0.1
"""Noise within a tenth of the level looks as flat as it is."""


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """One bar a value, oldest first; of more than `width` values, the mean of neighbours. "" of none."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [place * len(values) // count for place in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    middle, span = (low + high) / 2, max(high - low, LEAST_SPAN * abs(low + high) / 2)
    if span <= 0:
        return BARS[0] * count
    bottom = middle - span / 2
    return "".join(BARS[min(int((mean - bottom) / span * len(BARS)), len(BARS) - 1)] for mean in means)
