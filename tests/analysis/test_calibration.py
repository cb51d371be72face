"""How much a server's figures vary although nothing changed."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace

import pytest

from llmload.analysis.calibration import Calibration, calibration_of, noise_of
from llmload.baseline import Estimate, Estimates
from llmload.domain import RunResult
from llmload.verdict import Caveat
from tests.recorded_runs import CLEAN

ALPHA = 0.05


def side(*repeats: Estimates, caveats: tuple[Caveat, ...] = ()) -> RunResult:
    """A run of one step with these climbs."""
    step = replace(CLEAN.steps[0], repeats=repeats, caveats=caveats)
    return replace(CLEAN, steps=(step,))


def climb(**values: float) -> Estimates:
    return {name if name == "goodput" else f"p95({name})": Estimate(value) for name, value in values.items()}


def noises(a: RunResult, b: RunResult) -> Calibration:
    return calibration_of(a, b, 1 - ALPHA)


def test_what_both_runs_of_a_pair_share_is_no_noise_of_a_pair() -> None:
    noise = noise_of("p95(ttft)", [(10.0, 10.0), (20.0, 20.0), (40.0, 40.0)], ALPHA)
    assert noise.paired_cv == 0
    assert noise.cv == pytest.approx(statistics.stdev([math.log(2) * k for k in (0, 0, 1, 1, 2, 2)]))
    assert noise.middle == pytest.approx(20)
    assert set(noise.by_pairs.values()) == {0.0}
    assert noise.by_runs[8] > noise.by_runs[20] > 0


def test_noise_that_nothing_is_shared_of_is_found_again() -> None:
    draw = random.Random(5)
    pairs = [(math.exp(draw.gauss(0, 0.03)), math.exp(draw.gauss(0, 0.03))) for _ in range(2000)]
    noise = noise_of("p95(ttft)", pairs, ALPHA)
    assert noise.cv == pytest.approx(0.03, rel=0.05)
    assert noise.paired_cv == pytest.approx(0.03, rel=0.05)


def test_five_percent_is_reachable_with_eight_pairs_at_a_cv_of_three_percent() -> None:
    """METRICS: margin 5 %, CV 3 %, 8 pairs: a server that did not change is passed in 90 % of cases."""
    step = 0.03 * math.sqrt(2)
    noise = noise_of("p95(ttft)", [(1.0, math.exp(step)), (1.0, math.exp(-step)), (1.0, 1.0)], ALPHA)
    assert noise.paired_cv == pytest.approx(0.03)
    assert noise.by_pairs[8] == pytest.approx(0.05, abs=0.001)


def test_margins_of_what_should_be_large_are_decreases() -> None:
    pairs = [(1.0, 1.2), (1.0, 0.8), (1.1, 1.0)]
    latency, rate = noise_of("mean(e2e)", pairs, ALPHA), noise_of("output_tps", pairs, ALPHA)
    assert rate.by_pairs[5] == pytest.approx(1 - 1 / (1 + latency.by_pairs[5]))


def test_only_complete_pairs_count() -> None:
    a = side(climb(ttft=10.0), climb(ttft=11.0), climb(ttft=500.0))
    b = side(climb(ttft=10.0), climb(ttft=11.0))
    found = noises(a, b)
    assert found.pairs == 2
    assert found.steps["concurrency 1"]["p95(ttft)"].middle < 12


@pytest.mark.parametrize("value", [0.0, math.inf], ids=["zero", "never reached"])
def test_a_figure_without_a_logarithm_is_left_out(value: float) -> None:
    a = side(climb(ttft=value, e2e=5.0), climb(ttft=1.0, e2e=5.0))
    found = noises(a, side(climb(ttft=1.0, e2e=5.0), climb(ttft=1.0, e2e=5.0)))
    assert set(found.steps["concurrency 1"]) == {"p95(e2e)"}


def test_an_invalid_step_teaches_nothing() -> None:
    late = Caveat("the client was late", "9 ms", "Try again", is_fatal=True)
    two = (climb(ttft=1.0), climb(ttft=1.1))
    assert noises(side(*two), side(*two, caveats=(late,))).steps == {}


def test_one_pair_teaches_nothing() -> None:
    assert noises(side(climb(ttft=1.0)), side(climb(ttft=1.1))).steps == {}
