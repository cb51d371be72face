"""How sure a figure is within one run: the block bootstrap (Kuensch 1989), with blocks that do not overlap.

Blocks of consecutive requests are drawn with replacement, as whole blocks, so that requests which shared queues and
batches stay together. A draw is how often each block is taken: sums are then one product, and a percentile is found in
the values sorted once, by bisection of their weighted counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray

from llmload.analysis.attempts import Ints
from llmload.analysis.stats import LEAST_BLOCKS, Floats, block_size

RESAMPLES = 200
"""Enough for a standard error within about 5 % of itself (Efron and Tibshirani 1993, section 6.4)."""

OUTSIDE = -1
"""Block of an attempt that fills none."""

_SEED = 20261121
_EXACT = 1e-12  # below it, only floating point varies
_DIGITS = 4  # of a standard error; fewer than floating point differs by between machines


def blocks_of(lengths: Sequence[int], least_size: int) -> Ints:
    """Block of each attempt, from 0: windows of these lengths, in order, are cut as verdicts cut them."""
    size = block_size(sum(lengths), least_size)
    found, begun = [], 0
    for length in lengths:
        number = begun + np.arange(length, dtype=np.int64) // size
        number[length // size * size :] = OUTSIDE
        begun += length // size
        found.append(number)
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def ratio_error(sums: Floats, weights: Floats) -> float | None:
    """Standard error of ln(sum(sums) / sum(weights)) over blocks or slices; None where it cannot be known."""
    if len(sums) < LEAST_BLOCKS:
        return None
    drawn = draws(len(sums))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _log_error((drawn @ sums) / (drawn @ weights), len(sums))


def percentile_errors(values: Floats, blocks: Ints, points: Sequence[float]) -> list[float | None]:
    """Standard error of ln(percentile) at each of `points` (0..100); None where it cannot be known.

    `values` may be infinite; those outside of any block are left out. One infinite percentile among the draws is
    enough to know no error.
    """
    count = int(blocks.max(initial=OUTSIDE)) + 1
    if count < LEAST_BLOCKS:
        return [None] * len(points)
    kept = blocks != OUTSIDE
    order = np.argsort(values[kept], kind="stable")
    found = _percentiles(values[kept][order], blocks[kept][order], draws(count), points)
    return [_log_error(row, count) for row in found]


@cache
def draws(count: int) -> Floats:
    """How often each of `count` blocks is taken, draw by draw; Python's generator stays the same between versions."""
    chance = Random(_SEED)
    drawn = np.zeros((RESAMPLES, count))
    for row in drawn:
        for _ in range(count):
            row[int(chance.random() * count)] += 1
    drawn.setflags(write=False)
    return drawn


def _percentiles(ordered: Floats, blocks: Ints, drawn: Floats, points: Sequence[float]) -> list[Floats]:
    """Of each draw, at each point: linear between the order statistics, as for the figure itself."""
    upto = np.cumsum(np.arange(drawn.shape[1])[:, None] == blocks, axis=1, dtype=np.int32)
    total = drawn @ upto[:, -1]
    found = []
    for point in points:
        place = np.maximum(total - 1, 0) * point / 100
        below = np.floor(place)
        low = ordered[_ranks(upto, drawn, below)]
        high = ordered[_ranks(upto, drawn, np.minimum(below + 1, np.maximum(total - 1, 0)))]
        with np.errstate(invalid="ignore"):
            between = low + (high - low) * (place - below)
        is_one = (low == high) | (place == below)
        found.append(np.where(total > 0, np.where(is_one, low, between), np.nan))
    return found


def _ranks(upto: NDArray[np.int32], drawn: Floats, places: Floats) -> Ints:
    """Where the order statistic `places[i]` of draw i lies among all values: the first that enough come up to."""
    low = np.zeros(len(places), dtype=np.int64)
    high = np.full(len(places), upto.shape[1] - 1, dtype=np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        is_reached = np.einsum("ij,ji->i", drawn, upto[:, middle]) > places
        high = np.where(is_reached, middle, high)
        low = np.where(is_reached, low, middle + 1)
    return high


def _log_error(figures: Floats, count: int) -> float | None:
    """Standard deviation of ln over the draws; drawing from few blocks spreads less than the blocks themselves do."""
    if not (np.isfinite(figures).all() and (figures > 0).all()):
        return None
    error = float(np.log(figures).std(ddof=1)) * math.sqrt(count / (count - 1))
    return float(f"{error:.{_DIGITS}g}") if error > _EXACT else 0.0
