"""What runs can promise: METRICS.md's table; test_relative_simulation.py holds real verdicts against it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.power import (
    LEAST_GATING,
    Power,
    as_decrease,
    as_growth,
    history_power,
    needed,
    paired_power,
    reachable_margin,
)
from llmload.baseline import Design

ALPHA = 0.05
CVS = st.floats(0.001, 0.2)
COUNTS = st.integers(2, 60)


@pytest.mark.parametrize(
    ("cv", "pairs", "passed", "caught"),
    [
        pytest.param(0.02, 5, 0.93, 0.91, id="a calm server and five pairs"),
        pytest.param(0.03, 5, 0.68, 0.65, id="five pairs"),
        pytest.param(0.03, 8, 0.90, 0.87, id="eight pairs"),
        pytest.param(0.03, 12, 0.98, 0.97, id="twelve pairs"),
        pytest.param(0.05, 10, 0.64, 0.61, id="a restless server and ten pairs"),
    ],
)
def test_pairs_have_the_power_that_metrics_md_tabulates(cv: float, pairs: int, passed: float, caught: float) -> None:
    same = paired_power(cv, pairs, 0.05, 0.0, ALPHA)
    slower = paired_power(cv, pairs, 0.05, 0.10, ALPHA)
    assert (same.ok, slower.regression) == (pytest.approx(passed, abs=0.006), pytest.approx(caught, abs=0.006))
    assert same.regression < 0.0005


def test_one_run_against_eight_catches_ten_percent_in_37_of_100() -> None:
    assert history_power(0.03, 8, 0.05, 0.10, ALPHA).regression == pytest.approx(0.37, abs=0.005)


@pytest.mark.parametrize("power", [paired_power, history_power])
@given(cv=CVS, n=COUNTS)
def test_a_change_of_just_the_margin_errs_on_each_side_as_often_as_the_level_says(
    power: Callable[[float, int, float, float, float], Power], cv: float, n: int
) -> None:
    found = power(cv, n, 0.05, 0.05, ALPHA)
    assert (found.ok, found.regression) == (pytest.approx(ALPHA, abs=1e-6), pytest.approx(ALPHA, abs=1e-6))


@given(cv=CVS, n=st.integers(2, 60), change=st.floats(-0.2, 0.4))
def test_more_pairs_never_err_more_and_never_decide_less_on_the_right_side(cv: float, n: int, change: float) -> None:
    fewer, more = (paired_power(cv, count, 0.05, change, ALPHA) for count in (n, n + 1))
    if change < 0.05:
        assert more.ok >= fewer.ok - 1e-9
        assert more.regression <= ALPHA + 1e-9
    else:
        assert more.regression >= fewer.regression - 1e-9
        assert more.ok <= ALPHA + 1e-9


@given(cv=CVS, n=COUNTS, design=st.sampled_from(Design))
def test_at_the_reachable_margin_a_server_that_did_not_change_is_passed_that_often(
    cv: float, n: int, design: Design
) -> None:
    margin = reachable_margin(cv, n, design, alpha=ALPHA, power=0.9)
    assert margin is not None
    power = paired_power if design is Design.PAIRED else history_power
    assert power(cv, n, margin, 0.0, ALPHA).ok == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize(
    ("design", "cv", "change", "number"),
    [
        pytest.param(Design.PAIRED, 0.03, 0.10, 9, id="pairs that catch ten percent"),
        pytest.param(Design.PAIRED, 0.03, 0.0, 9, id="pairs that pass what did not change"),
        pytest.param(Design.PAIRED, 0.0, 0.10, 4, id="without noise four pairs say it, and fewer may not"),
        pytest.param(Design.PAIRED, 0.03, 0.05, None, id="no number of pairs decides what lies on the margin"),
        pytest.param(Design.PAIRED, 0.5, 0.06, None, id="more pairs than anybody would measure"),
        pytest.param(Design.HISTORY, 0.001, 0.0, LEAST_GATING, id="below eight runs nothing may gate"),
        pytest.param(Design.HISTORY, 0.03, 0.10, None, id="past runs do not make one new run less noisy"),
    ],
)
def test_the_number_that_is_needed_is_the_smallest_that_does(
    design: Design, cv: float, change: float, number: int | None
) -> None:
    assert needed(design, cv, 0.05, change, alpha=ALPHA) == number
    if number is not None and number > 4 and design is Design.PAIRED:
        powers = [paired_power(cv, count, 0.05, change, ALPHA) for count in (number - 1, number)]
        below, enough = (max(power.ok, power.regression) for power in powers)
        assert below < 0.9 <= enough


def test_one_run_or_pair_decides_nothing() -> None:
    assert reachable_margin(0.03, 1, Design.PAIRED, alpha=ALPHA) is None
    assert paired_power(0.03, 1, 0.05, 0.10, ALPHA) == history_power(0.03, 1, 0.05, 0.10, ALPHA)
    assert paired_power(0.03, 1, 0.05, 0.10, ALPHA).regression == 0


def test_without_noise_any_margin_is_reachable_and_every_verdict_certain() -> None:
    assert reachable_margin(0.0, 2, Design.PAIRED, alpha=ALPHA) == 0
    assert paired_power(0.0, 8, 0.05, 0.0, ALPHA).ok == pytest.approx(1)
    assert paired_power(0.0, 8, 0.05, 0.10, ALPHA).regression == pytest.approx(1)


@given(st.floats(0.0, 0.99))
def test_a_decrease_is_a_growth_of_the_inverse(decrease: float) -> None:
    assert as_decrease(as_growth(decrease)) == pytest.approx(decrease, abs=1e-12)
    assert math.log1p(as_growth(decrease)) == pytest.approx(-math.log1p(-decrease))
