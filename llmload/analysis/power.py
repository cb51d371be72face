"""How often a relative gate decides, known beforehand: what a margin costs in runs, and what runs can promise.

Closed forms for the rules of `relative.py` (METRICS "Relative gates"), with ln of each run's figure normal around its
truth with standard deviation `cv`, the coefficient of variation between runs. Divided by its standard error, a mean
difference from the margin follows the noncentral t distribution (Johnson, Kotz and Balakrishnan, Continuous
Univariate Distributions 2, ch. 31).

`margin` and `change` are growth in the direction that is worse: 0.05 = 5 % more. For figures of which more is better,
at most a share x less is a growth of x / (1 - x) of their inverse; `as_growth` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from llmload.analysis.stats import t_quantile
from llmload.baseline import Design

LIKELY = 0.9
"""The chance of a decision that a recommendation aims at."""

LEAST_GATING = 8
"""Baseline runs from which on one run against many may fail a build; below, their spread is hardly known."""

LEAST_PAIRS = 4
"""Pairs from which on a gate may fail a build: two or three fail a server that did not change in 0.5 to 1.1 % of cases
where runs differ by 5 %, four in 0.3 %."""

MOST_RUNS = 1000
"""Where this many runs or pairs would not do, no number is told."""

_CERTAIN = 30.0
"""Standard errors from the margin beyond which nothing changes any more; the noncentral t is not computed further."""


def least_gating(design: Design) -> int:
    """Pairs, or earlier runs, from which on a gate may fail a build."""
    return LEAST_PAIRS if design is Design.PAIRED else LEAST_GATING


@dataclass(frozen=True, slots=True)
class Power:
    """How often (0..1) a gate comes to each verdict; the rest is inconclusive."""

    ok: float
    regression: float


def paired_power(cv: float, pairs: int, margin: float, change: float, alpha: float) -> Power:
    """`pairs` of runs A and B measured in turns, their noise not shared; Power(0, 0) below two pairs."""
    return _power(Design.PAIRED, cv, pairs, math.log1p(change) - math.log1p(margin), alpha)


def history_power(cv: float, runs: int, margin: float, change: float, alpha: float) -> Power:
    """One run against `runs` earlier ones; Power(0, 0) below two."""
    return _power(Design.HISTORY, cv, runs, math.log1p(change) - math.log1p(margin), alpha)


def reachable_margin(cv: float, n: int, design: Design, *, alpha: float, power: float = LIKELY) -> float | None:
    """Smallest margin, as growth, at which a server that did not change is passed so often; None below two of `n`.

    `n` counts pairs or baseline runs, as `design` says.
    """
    if n < 2:
        return None
    if cv <= 0:
        return 0.0
    low, high = 0.0, _CERTAIN
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _ok(n - 1, -middle, alpha) >= power else (middle, high)
    return math.expm1(high * _standard_error(design, cv, n))


def needed(
    design: Design, cv: float, margin: float, change: float, *, alpha: float, power: float = LIKELY
) -> int | None:
    """Fewest pairs (or baseline runs, never below those that may gate) that decide so often, on the side of `change`.

    None where more than MOST_RUNS would be needed, and so for a change that is the margin. Baseline runs tell where the
    middle is, and one candidate stays one run: past that, no number of them helps.
    """
    shift = math.log1p(change) - math.log1p(margin)

    def decides(n: int) -> bool:
        found = _power(design, cv, n, shift, alpha)
        return (found.regression if shift > 0 else found.ok) >= power

    return _first(decides, least_gating(design)) if shift else None


def as_growth(decrease: float) -> float:
    """Growth of 1/x where x falls by the share `decrease` (0..1): 5 % less is a growth of 5.26 % of the inverse."""
    return decrease / (1 - decrease)


def as_decrease(growth: float) -> float:
    """The share by which x falls where 1/x grows so much."""
    return growth / (1 + growth)


def _first(decides: Callable[[int], bool], least: int) -> int | None:
    """Bisect: a verdict that is likely with n is more likely with n + 1."""
    low, high = least - 1, least
    while not decides(high):
        if high >= MOST_RUNS:
            return None
        low, high = high, min(2 * high, MOST_RUNS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def _power(design: Design, cv: float, n: int, shift: float, alpha: float) -> Power:
    """`shift` is the true log ratio beyond the margin."""
    if n < 2:
        return Power(0.0, 0.0)
    error = _standard_error(design, cv, n)
    away = shift / error if error > 0 else math.copysign(_CERTAIN, shift) if shift else 0.0
    return Power(ok=_ok(n - 1, away, alpha), regression=_ok(n - 1, -away, alpha))


def _standard_error(design: Design, cv: float, n: int) -> float:
    """Of the mean log difference: two noisy runs a pair, or one new run and the mean of the earlier ones."""
    match design:
        case Design.PAIRED:
            return cv * math.sqrt(2 / n)
        case Design.HISTORY:
            return cv * math.sqrt(1 + 1 / n)
        case _:
            assert_never(design)


def _ok(degrees: int, away: float, alpha: float) -> float:
    """P(T <= -t(1 - alpha)) of a noncentral T whose truth is `away` standard errors beyond the margin.

    By symmetry, seen from the other side of the margin it is the chance of a regression.
    """
    from scipy.special import nctdtr

    within_reach = min(max(away, -_CERTAIN), _CERTAIN)
    return min(max(1 - float(nctdtr(degrees, -within_reach, t_quantile(1 - alpha, degrees))), 0.0), 1.0)
