"""Where the level of a history of runs changed: E-divisive with a t-test, as performance CI uses it.

An energy statistic says where a stretch would best be cut in two (Matteson and James, "A Nonparametric Approach for
Multiple Change Point Analysis of Multivariate Data", JASA 109, 2014), and both halves are cut again while Student's
t-test finds them a little different. Then the weakest cut is taken out, its neighbours are tested again over the longer
stretches, and so on until every cut that is left is a strong one (Fleming et al., "Hunter: Using Change Point Detection
to Hunt for Performance Regressions", ICPE 2023; today Apache Otava). The t-test in place of a permutation test makes
the answer a function of the values, without chance, and needs few runs on either side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.stats import Floats

MOST_P = 0.001
MOST_FALSE = 0.01
"""Share of histories without any change in which one may be found: the cut was chosen among many (Bonferroni)."""
LEAST_RUNS = 3
"""Runs on either side of a change: one odd run is an outlier, and two have no spread to speak of."""

_WEAK = 50.0
"""A cut is tried up to this many times `most_p`: of a rise and a fall, either alone is weak until the other is cut."""
_ROWS = 256
_NOISE = 1e-9
"""Relative differences that the arithmetic makes; a history of equal values has no spread to be tested by."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """`index` is the first value of the new level; `before` and `after` are the means of the stretches on both sides,
    up to the next change; `p` that of Student's two-sided t-test between them.
    """

    index: int
    before: float
    after: float
    p: float


def change_points(
    values: Sequence[float], *, most_p: float = MOST_P, least_runs: int = LEAST_RUNS
) -> tuple[ChangePoint, ...]:
    """The changes of level in `values`, oldest first. For latencies and rates give logarithms: noise grows with them.

    Every value is finite. A shift or another scale of all values changes nothing but the levels.
    """
    series = np.asarray(values, dtype=np.float64)
    accepted = min(most_p, MOST_FALSE / max(1, len(series) - 2 * least_runs + 1))
    cuts = sorted(_cuts(series, 0, len(series), (most_p * _WEAK, least_runs)))
    while cuts:
        found = [_tested(series, *edges) for edges in _edges(cuts, len(series))]
        weakest = max(range(len(cuts)), key=lambda place: found[place].p)
        if found[weakest].p < accepted:
            return tuple(found)
        del cuts[weakest]
    return ()


def _cuts(series: Floats, begin: int, end: int, terms: tuple[float, int]) -> Iterator[int]:
    """Where `series[begin:end]` is best cut, and both halves again, while the halves differ a little."""
    weak, least_runs = terms
    if end - begin < 2 * least_runs:
        return
    cut = begin + best_cut(series[begin:end], least_runs)
    if _tested(series, begin, cut, end).p < weak:
        yield cut
        yield from _cuts(series, begin, cut, terms)
        yield from _cuts(series, cut, end, terms)


def best_cut(values: Floats, least_runs: int) -> int:
    """Length m of the left part, n of the right, for which mn/(m+n) (2 E|X-Y| - E|X-X'| - E|Y-Y'|) is largest."""
    to_earlier, to_all = (np.cumsum(sums) for sums in _distances(values))
    total, count = to_all[-1], len(values)
    m = np.arange(least_runs, count - least_runs + 1)
    n = count - m
    left, row = 2 * to_earlier[m - 1], to_all[m - 1]
    between, right = row - left, total - 2 * row + left
    energy = 2 * between / (m * n) - left / (m * (m - 1)) - right / (n * (n - 1))
    return int(m[np.argmax(m * n / count * energy)])


def _distances(values: Floats) -> tuple[Floats, Floats]:
    """Of each value, the sum of its distances to those before it, and to all.

    Some rows at a time: the whole table of 10,000 runs has 800 MB.
    """
    to_earlier, to_all = np.empty(len(values)), np.empty(len(values))
    for begin in range(0, len(values), _ROWS):
        some = slice(begin, begin + _ROWS)
        rows = np.abs(values[some, None] - values)
        to_earlier[some], to_all[some] = np.tril(rows, begin - 1).sum(axis=1), rows.sum(axis=1)
    return to_earlier, to_all


def _edges(cuts: Sequence[int], count: int) -> Iterator[tuple[int, int, int]]:
    """Each cut with the cut before it and the one after it."""
    yield from zip((0, *cuts), cuts, (*cuts[1:], count), strict=False)


def _tested(series: Floats, begin: int, cut: int, end: int) -> ChangePoint:
    left, right = series[begin:cut], series[cut:end]
    before, after = float(left.mean()), float(right.mean())
    return ChangePoint(cut, before, after, _p_of(left, right, after - before))


def _p_of(left: Floats, right: Floats, difference: float) -> float:
    """Student's two-sided t-test with pooled variance; 0 where nothing varies and the levels differ."""
    from scipy.special import stdtr

    m, n = len(left), len(right)
    scale = max(float(np.abs(left).max()), float(np.abs(right).max()))
    if abs(difference) <= _NOISE * scale:
        return 1.0
    pooled = (float(left.var()) * m + float(right.var()) * n) / (m + n - 2)
    if math.sqrt(pooled) <= _NOISE * scale:
        return 0.0
    t = abs(difference) / math.sqrt(pooled * (1 / m + 1 / n))
    return float(2 * stdtr(m + n - 2, -t))
