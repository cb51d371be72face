"""How much worse one side is than the other: log ratios of figures, their bounds, and what stands out among them.

Everything is in logarithms of ratios, positive where the candidate is worse, so that 5 % up and back down again cancel
out and figures of which more is better need no formulas of their own (METRICS "Relative gates").
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from llmload.analysis.stats import t_quantile
from llmload.scenario.gates import falls_when_worse

FAR_OUT = 0.01
"""Chance that any run of a sound baseline is taken for one that stands out."""

EXACT = 1e-9
"""Below this, two logarithms differ by floating point alone."""

_LEAST_TO_STAND_OUT = 4
_LARGEST = 700.0  # of a logarithm


@dataclass(frozen=True, slots=True)
class LogDifference:
    """Mean log ratio with one-sided bounds, each at its own level; `spread` is the standard deviation behind them.

    Any of them may be infinite, where a figure was never reached or fell to zero.
    """

    middle: float
    low: float
    high: float
    spread: float


def log_worse(subject: str, ours: float, theirs: float) -> float | None:
    """ln(ours / theirs), or the inverse where more is better; infinite where ours was never reached or is zero.

    None where theirs is zero or infinite: no ratio to that means anything.
    """
    if not (math.isfinite(theirs) and theirs > 0):
        return None
    ratio = math.inf if math.isinf(ours) else -math.inf if ours <= 0 else math.log(ours) - math.log(theirs)
    return -ratio if falls_when_worse(subject) else ratio


def log_margin(subject: str, max_worse: float) -> float:
    """The margin on the same scale: ln(1 + max_increase), or -ln(1 - max_decrease)."""
    if not falls_when_worse(subject):
        return math.log1p(max_worse)
    return -math.log1p(-max_worse) if max_worse < 1 else math.inf


def worse_share(subject: str, difference: float) -> float:
    """A log ratio as people say it: by which share of the baseline the candidate is worse; below 0 where better."""
    return -growth(-difference) if falls_when_worse(subject) else growth(difference)


def growth(difference: float) -> float:
    """e^x - 1, infinite where that is larger than any float."""
    return math.expm1(difference) if difference < _LARGEST or math.isnan(difference) else math.inf


def geometric_mean(values: Sequence[float]) -> float:
    """Mean of logarithms, raised again; infinite or zero as soon as one value is, infinite where both occur."""
    if any(map(math.isinf, values)) or min(values) <= 0:
        return math.inf if any(map(math.isinf, values)) else 0.0
    return math.exp(statistics.fmean(map(math.log, values)))


def of_pairs(differences: Sequence[float], alpha: float) -> LogDifference:
    """Mean difference of two or more pairs -+ t(1 - alpha, r - 1) s / sqrt(r).

    Infinite ones are the limit of ever larger ones: k of r beyond every limit and the rest finite bound the mean away
    from zero where k (r - 1) > t^2 (r - k).
    """
    count, reach = len(differences), t_quantile(1 - alpha, len(differences) - 1)
    beyond = [each for each in differences if math.isinf(each)]
    if not beyond:
        return _around(differences, reach / math.sqrt(count))
    says_so = len(set(beyond)) == 1 and len(beyond) * (count - 1) > reach**2 * (count - len(beyond))
    if says_so:
        return LogDifference(beyond[0], beyond[0], beyond[0], math.inf)
    return LogDifference(math.nan if len(set(beyond)) > 1 else beyond[0], -math.inf, math.inf, math.inf)


def of_history(differences: Sequence[float], alpha: float, least_spread: float = 0.0) -> LogDifference:
    """One candidate against two or more earlier runs: mean difference -+ t(1 - alpha, m - 1) s sqrt(1 + 1 / m).

    The differences vary as the earlier runs do; that the candidate is a single run with the same noise is the 1 under
    the root. A candidate beyond every limit differs from runs of which none was: at eight of them and any share of
    broken runs, that happens to an unchanged server in 4.3 % of cases at most, p (1 - p)^8 at p = 1/9. Runs vary by
    `least_spread` at the least, whatever the few that are known say.
    """
    count = len(differences)
    if math.isinf(differences[0]):
        return LogDifference(differences[0], differences[0], differences[0], math.inf)
    return _around(differences, t_quantile(1 - alpha, count - 1) * math.sqrt(1 + 1 / count), least_spread)


def within_runs(difference: float, errors: Sequence[float | None], alpha: float) -> LogDifference | None:
    """One run against one: bounds by the standard errors within both, normal; None where one of them is not known.

    They tell nothing of how far two runs of the same server lie apart, so nothing may be decided by them.
    """
    known = [error for error in errors if error is not None]
    if len(known) < len(errors) or math.isinf(difference):
        return None
    spread = math.hypot(*known)
    reach = statistics.NormalDist().inv_cdf(1 - alpha) * spread
    return LogDifference(difference, difference - reach, difference + reach, spread)


def far_out(values: Sequence[float]) -> int | None:
    """Place of the one value that stands out most from all others, if it does; None below four finite values.

    Each is held against the mean and spread of the others (a t test with m - 2 degrees, two-sided, at 1 %/m: of all
    sound baselines one in a hundred names a run).
    """
    count = len(values)
    if count < _LEAST_TO_STAND_OUT or not all(map(math.isfinite, values)):
        return None
    limit = t_quantile(1 - FAR_OUT / count / 2, count - 2)
    beyond = [_distance(values, place) / limit for place in range(count)]
    furthest = max(range(count), key=lambda place: beyond[place])
    return furthest if beyond[furthest] > 1 else None


def _distance(values: Sequence[float], place: int) -> float:
    """How far one value lies from the others, in standard errors of a new one among them."""
    others = [*values[:place], *values[place + 1 :]]
    away = abs(values[place] - statistics.fmean(others))
    error = _deviation(others) * math.sqrt(1 + 1 / len(others))
    return away / max(error, EXACT) if away > EXACT else 0.0


def _deviation(values: Sequence[float]) -> float:
    """Standard deviation of a sample; statistics.stdev reckons in fractions, at twenty times the cost."""
    middle = statistics.fmean(values)
    return math.sqrt(math.fsum((each - middle) ** 2 for each in values) / (len(values) - 1))


def _around(differences: Sequence[float], reach: float, least_spread: float = 0.0) -> LogDifference:
    middle, spread = statistics.fmean(differences), max(_deviation(differences), least_spread)
    return LogDifference(middle, middle - reach * spread, middle + reach * spread, spread)
