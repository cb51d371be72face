"""The few formulas that every verdict rests on. scipy.special is imported late: it costs 0.3 s and 50 MB."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_BLOCKS = 20
LEAST_BLOCKS = 4
"""With fewer blocks the design effect says nothing, and neither do we."""

_Z95 = 1.645


@dataclass(frozen=True, slots=True)
class Interval:
    """One-sided bounds, each at its own level, so that `low`..`high` covers with twice the error of one side."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Blocks:
    """Good shares of consecutive blocks of `size` requests each; a window's rest that fills no block is left out."""

    size: int
    shares: Floats


def percentiles(values: Floats, points: Sequence[float]) -> list[float]:
    """Linear interpolation between order statistics, NumPy's default; `points` are 0..100.

    Infinite values are allowed, as the latency of attempts that never ended: between a finite and an infinite
    neighbour the answer is infinite.
    """
    ordered = np.sort(values)
    found = []
    for point in points:
        place = (len(ordered) - 1) * point / 100
        below = math.floor(place)
        low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
        found.append(low if place == below or low == high else _between(low, high, place - below))
    return found


def _between(low: float, high: float, part: float) -> float:
    """Exact at both ends, as numpy.percentile is, and never outside them."""
    if math.isinf(high):
        return high
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part


def clopper_pearson(good: float, n: float, alpha: float) -> Interval:
    """Exact one-sided binomial bounds of a share, each at level `alpha`; fractions of requests are allowed.

    lower = BetaInv(a; k, n-k+1), upper = BetaInv(1-a; k+1, n-k) (Clopper and Pearson 1934).
    """
    from scipy.special import betaincinv

    bad = max(n - good, 0.0)
    low = 0.0 if good <= 0 else alpha ** (1 / n) if bad <= 0 else float(betaincinv(good, bad + 1, alpha))
    high = 1.0 if bad <= 0 else 1 - alpha ** (1 / n) if good <= 0 else float(betaincinv(good + 1, bad, 1 - alpha))
    return Interval(low, high)


@lru_cache(maxsize=512)
def t_quantile(p: float, degrees: float) -> float:
    """The `p` quantile of Student's t; degrees of freedom need not be whole."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, p))


def block_size(total: int, least_size: int) -> int:
    """Requests of one block: at least `least_size`, and so many that `total` make at most 20 blocks."""
    return max(least_size, math.ceil(total / MOST_BLOCKS), 1)


def cut_blocks(windows: Sequence[Bools], least_size: int) -> Blocks:
    """Cut windows, in start order, into at most 20 blocks of the same size >= `least_size` that cross no window."""
    total = sum(len(window) for window in windows)
    size = block_size(total, least_size)
    shares = [
        window[: len(window) // size * size].reshape(-1, size).mean(axis=1) for window in windows if len(window) >= size
    ]
    return Blocks(size, np.concatenate(shares) if shares else np.empty(0))


def design_effect(blocks: Blocks, share: float) -> float | None:
    """How many dependent requests tell as much as one independent one; None below four blocks.

    max(1, var(block share) / (p(1-p)/m)) x (t(.95, B-1) / 1.645)^2: the first factor is what shared queues and
    batches cost, the second what it costs to know that only from B blocks.
    """
    count = len(blocks.shares)
    if count < LEAST_BLOCKS:
        return None
    spread = share * (1 - share) / blocks.size
    clustering = float(blocks.shares.var(ddof=1)) / spread if spread > 0 else 1.0
    return max(1.0, clustering) * (t_quantile(0.95, count - 1) / _Z95) ** 2


def ratio_interval(sums: Floats, weights: Floats, alpha: float) -> Interval | None:
    """Bounds by t of sum(sums) / sum(weights) over slices, each at level `alpha`; None where nothing varies or weighs.

    Weights are seconds for a rate, or requests for a mean: the slices with many requests then count for more, and
    the middle is the plain mean over requests. Spread by linearisation (Cochran, Sampling Techniques, 6.4).
    """
    count, weight = len(sums), float(weights.sum())
    if count < 2 or weight <= 0:
        return None
    middle = float(sums.sum()) / weight
    residuals = sums - middle * weights
    error = math.sqrt(count / (count - 1) * float(residuals @ residuals)) / weight
    reach = t_quantile(1 - alpha, count - 1) * error
    return Interval(middle - reach, middle + reach)
