"""The formulas, held against numpy, the tables of METRICS.md and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.stats import (
    Blocks,
    clopper_pearson,
    cut_blocks,
    design_effect,
    percentiles,
    ratio_interval,
    t_quantile,
)

POINTS = (0, 50, 90, 95, 99, 100)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_a_percentile_is_what_numpy_says(values: list[float]) -> None:
    assert percentiles(np.array(values), POINTS) == pytest.approx(np.percentile(values, POINTS), rel=1e-12, abs=1e-12)


def test_a_percentile_among_requests_that_never_ended_is_infinite_and_not_nan() -> None:
    values = np.array([1.0, 2.0, np.inf, np.inf])
    assert percentiles(values, (0, 33, 50, 100)) == [1.0, pytest.approx(1.99), np.inf, np.inf]


@pytest.mark.parametrize(
    ("good", "n", "alpha", "low", "high"),
    [
        pytest.param(59, 59, 0.05, 0.9505, 1.0, id="59 of 59 just prove 95 percent"),
        pytest.param(58, 58, 0.05, 0.9497, 1.0, id="58 of 58 do not"),
        pytest.param(0, 59, 0.05, 0.0, 0.0495, id="none of 59"),
        pytest.param(190, 200, 0.05, 0.9166, 0.9726, id="190 of 200"),
        pytest.param(8, 10, 0.05, 0.4931, 0.9632, id="8 of 10"),
    ],
)
def test_the_bounds_of_a_share_are_clopper_and_pearsons(
    good: int, n: int, alpha: float, low: float, high: float
) -> None:
    bounds = clopper_pearson(good, n, alpha)
    assert (bounds.low, bounds.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(st.integers(1, 2000), st.data())
def test_a_bound_keeps_its_level_exactly(n: int, data: st.DataObject) -> None:
    """At the lower bound as true share, so many good ones or more come with probability alpha, and not more."""
    from scipy.special import bdtrc

    good = data.draw(st.integers(1, n))
    low = clopper_pearson(good, n, 0.05).low
    assert bdtrc(good - 1, n, low) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 6.3138), (3, 2.3534), (9, 1.8331), (19, 1.7291)])
def test_the_t_quantile_is_the_tables(degrees: int, expected: float) -> None:
    assert t_quantile(0.95, degrees) == pytest.approx(expected, abs=1e-4)


def test_blocks_follow_start_order_and_never_cross_windows() -> None:
    first, second = np.array([True] * 12), np.array([False] * 11)
    blocks = cut_blocks([first, second], 5)
    assert (blocks.size, blocks.shares.tolist()) == (5, [1.0, 1.0, 0.0, 0.0])


def test_there_are_at_most_twenty_blocks_and_none_smaller_than_the_concurrency() -> None:
    many = np.ones(1600, dtype=np.bool_)
    assert (cut_blocks([many], 8).size, len(cut_blocks([many], 8).shares)) == (80, 20)
    assert (cut_blocks([many], 200).size, len(cut_blocks([many], 200).shares)) == (200, 8)


def test_below_four_blocks_the_design_effect_is_unknown() -> None:
    assert design_effect(Blocks(50, np.array([1.0, 0.9, 0.8])), 0.9) is None


def test_equal_blocks_cost_only_the_t_factor() -> None:
    even = Blocks(20, np.full(20, 0.9))
    assert design_effect(even, 0.9) == pytest.approx((1.7291 / 1.645) ** 2, abs=1e-4)
    assert design_effect(Blocks(20, np.ones(10)), 1.0) == pytest.approx((1.8331 / 1.645) ** 2, abs=1e-4)


def test_blocks_that_go_bad_together_cost_as_many_requests_as_they_are_worth() -> None:
    shares = np.array([1.0] * 18 + [0.0] * 2)
    clustering = shares.var(ddof=1) / (0.9 * 0.1 / 20)
    assert design_effect(Blocks(20, shares), 0.9) == pytest.approx(clustering * (1.7291 / 1.645) ** 2, rel=1e-4)


def test_the_bounds_of_a_mean_over_equal_slices_are_students() -> None:
    values = np.array([9.0, 10.0, 11.0, 10.0])
    bounds = ratio_interval(values, np.ones(4), 0.05)
    reach = 2.3534 * values.std(ddof=1) / 2
    assert bounds is not None
    assert (bounds.low, bounds.high) == (pytest.approx(10 - reach, abs=1e-3), pytest.approx(10 + reach, abs=1e-3))


def test_slices_without_weight_bound_nothing() -> None:
    assert ratio_interval(np.zeros(20), np.zeros(20), 0.05) is None
    assert ratio_interval(np.ones(1), np.ones(1), 0.05) is None
