"""How sure the difference of one figure between two runs is: what it may vary by, and intervals of that.

Latencies and rates differ by the logarithm of their ratio. Repeats of the ladder tell what varies from run to run, so
that where both sides have some, a t interval over them is taken (Welch). A single climb knows only the noise within
itself, by block bootstrap: too narrow for what a restarted server may do, and where requests stay alike for longer than
a block, as below a queue that hardly ever empties. Of a percentile with few requests beyond it, it knows nothing.

Shares differ by points. Counts of requests give each share exact bounds (Clopper-Pearson) that also hold at 0 and
100 %, from as many requests as they are worth after the design effect; the bounds of two shares make those of their
difference by the method of variance estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008):
L = d - sqrt((p2 - l2)^2 + (u1 - p1)^2), and likewise above.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

import numpy as np

from llmload.analysis.claims import PERCENTILES
from llmload.analysis.stats import LEAST_BLOCKS, MOST_BLOCKS, clopper_pearson, t_quantile
from llmload.analysis.summaries import estimates_or_summaries
from llmload.baseline import Estimates
from llmload.domain import StepMetrics, StepResult
from llmload.planned import Step
from llmload.promises import RATES, SHARES

_SHOWN_LEVEL = 0.05
"""Level of each bound of goodput that a step tells."""


_LEAST_BEYOND = 10
"""Requests beyond a percentile: of fewer, a bootstrap draws the same few again, and told a third of the real spread."""


class Basis(StrEnum):
    """Where the width of an interval comes from."""

    REPEATS = "repeats"
    WITHIN = "within"
    COUNTS = "counts"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Normal:
    """A difference with its standard error and degrees of freedom."""

    middle: float
    error: float
    degrees: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """ln(other / base)."""

    of_logs: Normal
    basis: Basis


@dataclass(frozen=True, slots=True)
class Counted:
    """A share 0..1, and how many independent requests it is worth."""

    share: float
    effective_n: float


@dataclass(frozen=True, slots=True)
class Points:
    """Two shares; `of_repeats` is their difference over repeats, where both sides have some that vary."""

    base: Counted
    other: Counted
    of_repeats: Normal | None


Spread = Ratio | Points


@dataclass(frozen=True, slots=True)
class Found:
    """A two-sided interval of a difference: ratios less one, or points as a share."""

    middle: float
    low: float
    high: float
    basis: Basis


def spread_between(base: StepResult, other: StepResult, figure: str) -> Spread | None:
    """What is known of the difference of `figure`, which both steps have; None where that is nothing."""
    if figure in SHARES:
        return _points(base, other, figure)
    for spread in (_ratio_of_repeats(base, other, figure), _ratio_within(base, other, figure)):
        if spread is not None and spread.of_logs.error > 0:
            return spread
    return None


def interval_of(spread: Spread, alpha: float) -> Found:
    """The two-sided interval that misses the truth with a chance of `alpha`."""
    match spread:
        case Ratio(logs, basis):
            reach = _reach(logs, alpha)
            low, high = logs.middle - reach, logs.middle + reach
            return Found(_growth(logs.middle), _growth(low), _growth(high), basis)
        case Points():
            return _interval_of_points(spread, alpha)
        case _:
            assert_never(spread)


def _reach(normal: Normal, alpha: float) -> float:
    return t_quantile(1 - alpha / 2, max(1.0, normal.degrees)) * normal.error


def _growth(log_ratio: float) -> float:
    return math.expm1(min(log_ratio, 100.0))


# ---------------------------------------------------------------- latencies and rates


def _ratio_of_repeats(base: StepResult, other: StepResult, figure: str) -> Ratio | None:
    ours, theirs = _logs(base.repeats, figure), _logs(other.repeats, figure)
    if ours is None or theirs is None:
        return None
    return Ratio(_welch(ours, theirs), Basis.REPEATS)


def _ratio_within(base: StepResult, other: StepResult, figure: str) -> Ratio | None:
    ours, theirs = (estimates_or_summaries(side)[figure] for side in (base, other))
    if ours.log_error is None or theirs.log_error is None:
        return None
    if min(_beyond(base, figure), _beyond(other, figure)) < _LEAST_BEYOND:
        return None
    middle = _log(theirs.value) - _log(ours.value)
    if not math.isfinite(middle):
        return None
    parts = ((ours.log_error**2, _blocks(base, figure) - 1), (theirs.log_error**2, _blocks(other, figure) - 1))
    return Ratio(_combined(middle, parts), Basis.WITHIN)


def _beyond(result: StepResult, figure: str) -> float:
    """How many requests lie beyond a percentile; infinite for what rests on all of them."""
    point = PERCENTILES.get(figure.partition("(")[0])
    return math.inf if point is None else round(result.metrics.attempts * (1 - point), 6)


def _logs(repeats: Sequence[Estimates], figure: str) -> list[float] | None:
    """One logarithm a repeat; None where there are fewer than two, or one of them has none."""
    values = [each[figure].value if figure in each else math.nan for each in repeats]
    logs = [_log(value) for value in values]
    return logs if len(logs) > 1 and all(map(math.isfinite, logs)) else None


def _log(value: float) -> float:
    return math.log(value) if value > 0 else math.nan


def _welch(ours: Sequence[float], theirs: Sequence[float]) -> Normal:
    """Difference of two means whose spreads may differ (Welch 1947)."""
    parts = tuple((float(np.var(side, ddof=1)) / len(side), len(side) - 1) for side in (ours, theirs))
    return _combined(float(np.mean(theirs) - np.mean(ours)), parts)


def _combined(middle: float, parts: Sequence[tuple[float, int]]) -> Normal:
    """Variances with their degrees of freedom, added up (Satterthwaite 1946)."""
    variance = math.fsum(part for part, _ in parts)
    if variance <= 0:
        return Normal(middle, 0.0, 1.0)
    degrees = 1 / math.fsum((part / variance) ** 2 / degrees for part, degrees in parts)
    return Normal(middle, math.sqrt(variance), degrees)


def _blocks(result: StepResult, figure: str) -> int:
    """About how many blocks the noise within the run is known from: of requests as `shares.least_block` cuts them, for
    rates slices of time.
    """
    if figure in RATES:
        return MOST_BLOCKS
    attempts = result.metrics.attempts
    size = max(_together(result.step, result.metrics) * _turns(result), math.ceil(attempts / MOST_BLOCKS), 1)
    return max(LEAST_BLOCKS, attempts // size)


def _turns(result: StepResult) -> int:
    """`Attempts.turns`, as far as the figures of each turn tell it."""
    counts = {int(part.name) - 1: part.metrics.attempts for part in result.parts if part.axis == "turn"}
    attempts = sum(counts.values())
    return max(1, round(2 * sum(turn * count for turn, count in counts.items()) / attempts + 1)) if attempts else 1


def _together(step: Step, metrics: StepMetrics) -> int:
    """Requests that shared the server at one time."""
    if step.axis == "concurrency":
        return math.ceil(step.value)
    e2e = metrics.latency.get("e2e")
    if e2e is None or not metrics.window_s:
        return 1
    rate_per_s = step.value if step.axis == "rate" else metrics.attempts / metrics.window_s
    return math.ceil(rate_per_s * e2e.p99_ms / 1000)


# ---------------------------------------------------------------- shares


def _points(base: StepResult, other: StepResult, figure: str) -> Points | None:
    ours, theirs = _counted(base, figure), _counted(other, figure)
    if ours is None or theirs is None:
        return None
    sides = [[each[figure].value for each in side.repeats if figure in each] for side in (base, other)]
    varying = _welch(*sides) if min(map(len, sides)) > 1 else None
    return Points(ours, theirs, varying if varying is not None and varying.error > 0 else None)


def _counted(result: StepResult, figure: str) -> Counted | None:
    """The design effect is that of goodput, which every step tells by its bounds.

    Errors may come in bursts where slow answers do not, so that where the bootstrap of the error rate says that it is
    worth fewer requests, that is believed. Without any error it says nothing.
    """
    metrics, estimate = result.metrics, estimates_or_summaries(result)[figure]
    worth = effective_requests(metrics)
    if worth is None:
        return None
    share = estimate.value
    if figure == "error_rate" and estimate.log_error and 0 < share < 1:
        worth = min(worth, (1 - share) / (share * estimate.log_error**2))
    return Counted(share, worth)


def effective_requests(metrics: StepMetrics) -> float | None:
    """How many independent requests have the bounds that goodput has; None where it has none.

    The bounds are exact ones at 5 % each, of n / deff requests: the wider they are, the fewer requests that is.
    """
    share, low, high, n = metrics.goodput, metrics.goodput_low, metrics.goodput_high, metrics.attempts
    if share is None or low is None or high is None or n < 1:
        return None
    return _worth(share, low, high, n)


@lru_cache(maxsize=1024)
def _worth(share: float, low: float, high: float, n: int) -> float:
    """Found again for every share of a step and every run that it is held against."""
    least, most = 1e-3, float(n)
    for _ in range(50):
        middle = math.sqrt(least * most)
        bounds = clopper_pearson(share * middle, middle, _SHOWN_LEVEL)
        is_wider = bounds.low < low if share >= 0.5 else bounds.high > high
        least, most = (middle, most) if is_wider else (least, middle)
    return most


def _interval_of_points(points: Points, alpha: float) -> Found:
    """The wider of both on either side, where repeats tell too."""
    ours, theirs = points.base, points.other
    middle = theirs.share - ours.share
    own, its = _bounds(ours, alpha), _bounds(theirs, alpha)
    low = middle - math.hypot(theirs.share - its[0], own[1] - ours.share)
    high = middle + math.hypot(its[1] - theirs.share, ours.share - own[0])
    basis = Basis.COUNTS
    if points.of_repeats is not None:
        reach = _reach(points.of_repeats, alpha)
        if 2 * reach > high - low:
            basis = Basis.REPEATS
        low, high = min(low, points.of_repeats.middle - reach), max(high, points.of_repeats.middle + reach)
    return Found(middle, max(low, -1.0), min(high, 1.0), basis)


def _bounds(counted: Counted, alpha: float) -> tuple[float, float]:
    n = counted.effective_n
    found = clopper_pearson(counted.share * n, n, alpha / 2)
    return min(found.low, counted.share), max(found.high, counted.share)
