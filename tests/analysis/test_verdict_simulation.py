"""The verdict engine against servers whose true share is known: METRICS.md's two simulated tables.

The functions under test are the ones that every gate is decided by. Bounds are what METRICS.md states, give or take
about three standard errors of both simulations.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from llmload.analysis.shares import decide_share, replay_looks
from llmload.analysis.stats import clopper_pearson, ratio_interval
from llmload.verdict import Status

TARGET = 0.95
Z95 = 1.6448536269514722
LOOKS = (200, 400, 800)  # totals after which another window follows, up to 1600


@pytest.mark.parametrize(
    ("true_share", "passed", "failed", "requests"),
    [
        pytest.param(0.98, (1.0, 0.002), (0.0, 0.002), (498, 15), id="98 percent is passed, early"),
        pytest.param(0.92, (0.0, 0.002), (0.992, 0.006), None, id="92 percent is failed"),
        pytest.param(0.95, (0.013, 0.006), (0.016, 0.006), None, id="exactly at the limit it hardly ever speaks"),
    ],
)
def test_four_doubling_looks_decide_as_often_as_metrics_md_says(
    true_share: float, passed: tuple[float, float], failed: tuple[float, float], requests: tuple[float, float] | None
) -> None:
    chance, runs = np.random.default_rng(20261121), 4000
    decided: Counter[Status] = Counter()
    used = 0
    for _ in range(runs):
        good = chance.random(1600) < true_share
        decision = replay_looks(np.split(good, LOOKS), TARGET, block=8, alpha=0.05 / 4)
        decided[decision.status] += 1
        used += decision.n
    assert decided[Status.PASS] / runs == pytest.approx(passed[0], abs=passed[1])
    assert decided[Status.FAIL] / runs == pytest.approx(failed[0], abs=failed[1])
    if requests is not None:
        assert used / runs == pytest.approx(requests[0], abs=requests[1])


def latent_ar1(rho: float, n: int, runs: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Good requests of a service exactly at its limit, whose quality drifts with lag-1 correlation `rho`."""
    noise = np.random.default_rng(7).standard_normal((n, runs))
    quality = np.empty((n, runs))
    quality[0] = noise[0]
    for at in range(1, n):
        quality[at] = rho * quality[at - 1] + np.sqrt(1 - rho**2) * noise[at]
    return (quality <= Z95).T


@pytest.mark.parametrize(
    ("rho", "n", "plain", "ours"),
    [
        pytest.param(0.0, 1600, (0.05, 0.04), (0.02, 0.02), id="independent"),
        pytest.param(0.9, 400, (0.32, 0.23), (0.11, 0.03), id="correlated and short"),
        pytest.param(0.9, 1600, (0.30, 0.27), (0.06, 0.03), id="correlated"),
        pytest.param(0.97, 1600, (0.43, 0.32), (0.12, 0.02), id="strongly correlated"),
        pytest.param(0.99, 6400, None, (0.10, 0.02), id="nearly frozen"),
    ],
)
def test_blocks_keep_correlated_requests_from_turning_a_build_red(
    rho: float, n: int, plain: tuple[float, float] | None, ours: tuple[float, float]
) -> None:
    """Ten blocks, one look at 5 % each side; figures are false passes and false fails."""
    runs = 1500
    decided: Counter[Status] = Counter()
    naive_pass = naive_fail = 0
    for good in latent_ar1(rho, n, runs):
        decided[decide_share([good], TARGET, block=n // 10, alpha=0.05).status] += 1
        bounds = clopper_pearson(int(good.sum()), n, 0.05)
        naive_pass += bounds.low >= TARGET
        naive_fail += bounds.high < TARGET
    # three standard errors of 1500 runs, and the table's rounding
    assert decided[Status.PASS] / runs == pytest.approx(ours[0], abs=0.03)
    assert decided[Status.FAIL] / runs == pytest.approx(ours[1], abs=0.017)
    if plain is not None:
        assert (naive_pass / runs, naive_fail / runs) == (
            pytest.approx(plain[0], abs=0.045),
            pytest.approx(plain[1], abs=0.045),
        )


def test_a_naive_point_gate_would_fail_every_fifth_healthy_run() -> None:
    """The reason why there is none: 200 requests of a service at 96 % against 95 %."""
    good = np.random.default_rng(3).binomial(200, 0.96, size=20_000)
    assert float(np.mean(good / 200 < TARGET)) == pytest.approx(0.18, abs=0.03)
    ours = Counter(
        decide_share([row], TARGET, block=8, alpha=0.05).status
        for row in np.random.default_rng(4).random((2000, 200)) < 0.96
    )
    assert ours[Status.FAIL] / 2000 < 0.01


def test_the_bounds_of_a_mean_miss_the_truth_as_often_as_their_level_says() -> None:
    """Twenty slices of ten requests each around a true mean of 100, 5 % on each side."""
    chance = np.random.default_rng(11)
    runs = 2000
    sums = chance.normal(100, 20, size=(runs, 20, 10)).sum(axis=2)
    bounds = [ratio_interval(row, np.full(20, 10.0), 0.05) for row in sums]
    over = sum(b is not None and b.low > 100 for b in bounds) / runs
    under = sum(b is not None and b.high < 100 for b in bounds) / runs
    assert (over, under) == (pytest.approx(0.05, abs=0.015), pytest.approx(0.05, abs=0.015))
