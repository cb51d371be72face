"""Change points: found where the level of a history moved, and nowhere else. Every history is seeded."""

from __future__ import annotations

import time
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.change_points import LEAST_RUNS, MOST_P, best_cut, change_points

CV = 0.03
EXAMPLES = settings(max_examples=50, deadline=None, derandomize=True)  # a near tie of two cuts is no defect


def history(chance: np.random.Generator, *stretches: tuple[int, float]) -> list[float]:
    """Logarithms of one figure over runs: so many runs at each level, each with a noise of 3 %."""
    levels = np.concatenate([np.full(runs, level) for runs, level in stretches])
    return [float(value) for value in np.log(levels * (1 + CV * chance.normal(size=len(levels))))]


def places(values: list[float]) -> list[int]:
    return [point.index for point in change_points(values)]


def are_near(found: list[int], truth: list[int]) -> bool:
    return len(found) == len(truth) and all(abs(one - other) <= 1 for one, other in zip(found, truth, strict=True))


def test_noise_alone_gives_no_change_in_99_of_100_histories() -> None:
    chance = np.random.default_rng(1)
    histories = [list(chance.normal(size=int(chance.integers(30, 61)))) for _ in range(1000)]
    assert sum(not change_points(values) for values in histories) >= 990


@pytest.mark.parametrize("runs", [6, 9, 14, 100])
def test_noise_gives_no_change_in_histories_of_other_lengths_either(runs: int) -> None:
    chance = np.random.default_rng(runs)
    assert sum(not change_points(list(chance.normal(size=runs))) for _ in range(400)) >= 392


def test_a_step_of_10_percent_is_found_where_it_is_in_95_of_100_histories() -> None:
    chance = np.random.default_rng(2)
    found = [places(history(chance, (10, 100.0), (10, 110.0))) for _ in range(400)]
    assert sum(are_near(each, [10]) for each in found) >= 380


def test_four_runs_after_a_step_are_enough_in_9_of_10_histories() -> None:
    chance = np.random.default_rng(3)
    found = [places(history(chance, (20, 100.0), (4, 110.0))) for _ in range(400)]
    assert sum(are_near(each, [20]) for each in found) >= 350


@pytest.mark.parametrize(
    "levels",
    [
        pytest.param((100.0, 115.0, 100.0), id="up and down again"),
        pytest.param((100.0, 115.0, 132.0), id="up and up"),
    ],
)
def test_two_steps_are_found_as_two(levels: tuple[float, ...]) -> None:
    chance = np.random.default_rng(4)
    found = [places(history(chance, *((12, level) for level in levels))) for _ in range(200)]
    assert sum(are_near(each, [12, 24]) for each in found) >= 180


@pytest.mark.parametrize(
    "odd", [pytest.param((1, 300.0), id="one odd run"), pytest.param((2, 300.0), id="two odd runs")]
)
def test_an_outlier_is_no_change(odd: tuple[int, float]) -> None:
    chance = np.random.default_rng(5)
    found = [places(history(chance, (15, 100.0), odd, (15, 100.0))) for _ in range(200)]
    assert sum(not each for each in found) >= 198


def test_a_slow_drift_is_told_as_a_few_steps_in_its_own_direction() -> None:
    chance = np.random.default_rng(6)
    for _ in range(20):
        drift = history(chance, *((1, 100.0 * 1.005**run) for run in range(60)))
        found = change_points(drift)
        assert 1 <= len(found) <= 6
        assert all(point.after > point.before for point in found)


def test_a_drift_that_drowns_in_noise_is_nothing() -> None:
    chance = np.random.default_rng(7)
    found = [places(history(chance, *((1, 100.0 * 1.0002**run) for run in range(40)))) for _ in range(200)]
    assert sum(not each for each in found) >= 196


@pytest.mark.parametrize("runs", range(2 * LEAST_RUNS))
def test_a_short_history_has_no_change_however_large(runs: int) -> None:
    assert change_points([0.0] * (runs // 2) + [9.0] * (runs - runs // 2)) == ()


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e300])
def test_a_constant_history_has_no_change(value: float) -> None:
    assert change_points([value] * 41) == ()


def test_a_step_without_any_noise_is_found_and_sure() -> None:
    (point,) = change_points([1.0] * 5 + [2.0] * 4)
    assert (point.index, point.before, point.after, point.p) == (5, 1.0, 2.0, 0.0)


def test_the_levels_are_the_means_of_the_stretches_and_p_is_below_the_limit() -> None:
    values = history(np.random.default_rng(8), (10, 100.0), (12, 130.0), (10, 90.0))
    first, second = change_points(values)
    assert first.before == pytest.approx(np.mean(values[:10]))
    assert first.after == second.before == pytest.approx(np.mean(values[10:22]))
    assert second.after == pytest.approx(np.mean(values[22:]))
    assert max(first.p, second.p) < MOST_P


def test_a_p_value_is_that_of_students_t_test() -> None:
    from scipy.stats import ttest_ind

    values = history(np.random.default_rng(9), (9, 100.0), (14, 108.0))
    (point,) = change_points(values)
    assert point.p == pytest.approx(ttest_ind(values[: point.index], values[point.index :]).pvalue)


def test_a_stretch_is_cut_where_the_energy_statistic_is_largest() -> None:
    chance = np.random.default_rng(12)
    for _ in range(100):
        values = history(chance, (12, 100.0), (4, 105.0))
        cuts = range(LEAST_RUNS, len(values) - LEAST_RUNS + 1)
        assert best_cut(np.array(values), LEAST_RUNS) == max(cuts, key=lambda cut: energy(values, cut))


def energy(values: list[float], cut: int) -> float:
    """mn/(m+n) times 2 E|X-Y| - E|X-X'| - E|Y-Y'|, as Matteson and James write it."""
    left, right = values[:cut], values[cut:]
    across = np.mean([abs(x - y) for x in left for y in right])
    within = [np.mean([abs(a - b) for a, b in combinations(side, 2)]) for side in (left, right)]
    return float(len(left) * len(right) / len(values) * (2 * across - sum(within)))


def test_500_runs_take_less_than_a_second() -> None:
    chance = np.random.default_rng(10)
    values = history(chance, *((25, level) for level in (100.0, 120.0) * 10))
    begun = time.perf_counter()
    assert len(change_points(values)) == 19
    assert time.perf_counter() - begun < 1


def test_10_000_runs_take_seconds_and_no_table_of_all_pairs() -> None:
    values = history(np.random.default_rng(11), (5000, 100.0), (5000, 110.0))
    tracemalloc.start()
    begun = time.perf_counter()
    assert are_near(places(values), [5000])
    assert time.perf_counter() - begun < 10
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@EXAMPLES
@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50), scale=st.sampled_from([0.01, 0.5, 3.0, 1000.0, -1.0]))
def test_neither_a_shift_nor_another_scale_changes_what_is_found(seed: int, shift: float, scale: float) -> None:
    values = history(np.random.default_rng(seed), (9, 100.0), (9, 112.0), (8, 95.0))
    assert places([shift + scale * value for value in values]) == places(values)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_a_history_read_backwards_has_its_changes_at_the_mirrored_places(seed: int) -> None:
    values = history(np.random.default_rng(seed), (9, 100.0), (11, 125.0))
    assert sorted(len(values) - place for place in places(values[::-1])) == places(values)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_the_order_of_runs_within_a_stretch_does_not_move_a_clear_step(seed: int) -> None:
    chance = np.random.default_rng(seed)
    values = history(chance, (9, 100.0), (11, 160.0))
    shuffled = [*chance.permutation(values[:9]), *chance.permutation(values[9:])]
    assert 9 in places(shuffled)
    assert 9 in places(values)
