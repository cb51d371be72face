"""Relative gates against servers whose truth is known: METRICS.md's table of rates, by the verdicts themselves.

Runs are drawn with a lognormal noise that no pair shares. Bounds are what METRICS.md states, give or take three
standard errors and its rounding.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
import pytest

from llmload.analysis.power import Power, as_growth, history_power, paired_power
from llmload.analysis.ratios import of_pairs
from llmload.analysis.relative import Candidate, judge_change
from llmload.baseline import Baseline, Design, Estimate, Estimates, PastRun
from llmload.planned import Step
from llmload.promises import Change, Gate
from llmload.verdict import Status

STEP = Step(0, "concurrency", 50.0)
SLOWER = Gate("tpot", Change(0.05), "p50")
FEWER = Gate("output_tps", Change(0.05))
ALPHA = 0.05
RUNS = 2000


def told(gate: Gate, value: float) -> dict[str, Estimate]:
    """What one run says."""
    return {f"{gate.stat}({gate.subject})" if gate.stat else gate.subject: Estimate(value, 0.01)}


def status_of(gate: Gate, ours: Sequence[float], theirs: Sequence[float], design: Design) -> Status:
    """The verdict's own word on these runs."""
    assert isinstance(gate.promise, Change)
    past = tuple(PastRun(str(i), "", "", {STEP.label: told(gate, value)}) for i, value in enumerate(theirs))
    climbs: tuple[Estimates, ...] = tuple(told(gate, value) for value in ours)
    candidate = Candidate(STEP, climbs[0], climbs if len(climbs) > 1 else ())
    reference = Baseline("", "", {}, past, design)
    return judge_change(gate, gate.promise, candidate=candidate, reference=reference, confidence=1 - ALPHA).status


Draw = Callable[[np.random.Generator], tuple[Sequence[float], Sequence[float]]]


def draws(cv: float, ours: int, theirs: int, change: float, gate: Gate) -> Draw:
    """Figures of both sides; `change` is how much worse the candidate really is."""
    truth = 20.0 * (1 - change if gate is FEWER else 1 + change)

    def draw(chance: np.random.Generator) -> tuple[Sequence[float], Sequence[float]]:
        mine, past = chance.normal(0, cv, ours), chance.normal(0, cv, theirs)
        return [truth * math.exp(z) for z in mine], [20.0 * math.exp(z) for z in past]

    return draw


def shares(gate: Gate, design: Design, draw: Draw, runs: int = RUNS) -> dict[Status, float]:
    """How often each verdict was given."""
    chance = np.random.default_rng(20261121)
    counts = Counter(status_of(gate, *draw(chance), design) for _ in range(runs))
    return {status: counts[status] / runs for status in Status}


@cache
def paired_shares(cv: float, pairs: int, change: float) -> tuple[float, float]:
    """Passed and failed shares of so many pairs."""
    found = shares(SLOWER, Design.PAIRED, draws(cv, pairs, pairs, change, SLOWER))
    return found[Status.PASS], found[Status.FAIL]


def three_errors(share: float, runs: int = RUNS) -> float:
    """Monte-Carlo error, and half a percent for the table's rounding."""
    return 3 * math.sqrt(max(share * (1 - share), 1 / runs) / runs) + 0.005


TABLE = [
    pytest.param(0.02, 5, 0.93, 0.91, id="CV 2 percent, 5 pairs"),
    pytest.param(0.03, 5, 0.68, 0.65, id="CV 3 percent, 5 pairs"),
    pytest.param(0.03, 8, 0.90, 0.87, id="CV 3 percent, 8 pairs"),
    pytest.param(0.03, 12, None, 0.97, id="CV 3 percent, 12 pairs"),
    pytest.param(0.05, 10, 0.64, 0.61, id="CV 5 percent, 10 pairs"),
]


@pytest.mark.parametrize(("cv", "pairs", "passed", "caught"), TABLE)
def test_pairs_decide_as_often_as_metrics_md_says(cv: float, pairs: int, passed: float | None, caught: float) -> None:
    ok, false_fail = paired_shares(cv, pairs, 0.0)
    false_pass, found = paired_shares(cv, pairs, 0.10)
    assert found == pytest.approx(caught, abs=three_errors(caught))
    assert max(false_fail, false_pass) < 0.005
    if passed is not None:
        assert ok == pytest.approx(passed, abs=three_errors(passed))


@pytest.mark.parametrize(("cv", "pairs", "passed", "caught"), TABLE)
def test_the_closed_form_of_pairs_is_what_the_verdicts_do(
    cv: float, pairs: int, passed: float | None, caught: float
) -> None:
    for change in (0.0, 0.10):
        foretold = paired_power(cv, pairs, 0.05, change, ALPHA)
        assert paired_shares(cv, pairs, change) == (
            pytest.approx(foretold.ok, abs=three_errors(foretold.ok)),
            pytest.approx(foretold.regression, abs=three_errors(foretold.regression)),
        )


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        pytest.param(0.10, 0.37, id="ten percent slower is caught in 37 of 100"),
        pytest.param(0.0, 0.0, id="no change"),
        pytest.param(0.05, 0.05, id="just the margin fails as often as the level says"),
    ],
)
def test_one_run_against_eight_decides_as_often_as_metrics_md_says(change: float, failed: float) -> None:
    found = shares(SLOWER, Design.HISTORY, draws(0.03, 1, 8, change, SLOWER))
    foretold: Power = history_power(0.03, 8, 0.05, change, ALPHA)
    assert found[Status.FAIL] == pytest.approx(failed, abs=three_errors(failed))
    assert found[Status.FAIL] == pytest.approx(foretold.regression, abs=three_errors(foretold.regression))
    assert found[Status.PASS] == pytest.approx(foretold.ok, abs=three_errors(foretold.ok))


@pytest.mark.parametrize("gate", [SLOWER, FEWER], ids=["slower", "fewer tokens"])
@pytest.mark.parametrize(
    ("design", "cv"),
    [
        *(pytest.param(Design.PAIRED, cv, id=f"eight pairs, CV {cv:.0%}") for cv in (0.02, 0.03, 0.04, 0.05)),
        *(pytest.param(Design.HISTORY, cv, id=f"one against eight, CV {cv:.0%}") for cv in (0.02, 0.03, 0.04)),
    ],
)
def test_no_change_hardly_ever_turns_a_build_red(design: Design, cv: float, gate: Gate) -> None:
    ours, power = (8, paired_power) if design is Design.PAIRED else (1, history_power)
    margin = as_growth(0.05) if gate is FEWER else 0.05
    foretold = power(cv, 8, margin, 0.0, ALPHA).regression
    assert foretold < 0.005
    simulated = shares(gate, design, draws(cv, ours, 8, 0.0, gate))[Status.FAIL]
    assert simulated == pytest.approx(foretold, abs=3 * math.sqrt(max(foretold, 1 / RUNS) / RUNS))


def test_at_a_cv_of_5_percent_one_run_against_eight_fails_one_unchanged_server_in_150() -> None:
    """What METRICS.md's formula gives where runs vary as much as the margin; pairs do not (0.03 % with eight)."""
    assert history_power(0.05, 8, 0.05, 0.0, ALPHA).regression == pytest.approx(0.0065, abs=0.0001)
    simulated = shares(SLOWER, Design.HISTORY, draws(0.05, 1, 8, 0.0, SLOWER))[Status.FAIL]
    assert simulated == pytest.approx(0.0065, abs=0.0055)


def outliers(change: float) -> Iterator[Draw]:
    """Eight to sixteen runs 3 % apart, one of which was disturbed."""
    for runs in (8, 12, 16):
        for factor in (0.5, 2.0):
            sound = draws(0.03, 1, runs, change, SLOWER)

            def draw(
                chance: np.random.Generator, sound: Draw = sound, factor: float = factor
            ) -> tuple[Sequence[float], Sequence[float]]:
                ours, theirs = sound(chance)
                place = int(chance.integers(len(theirs)))
                return ours, [value * factor if i == place else value for i, value in enumerate(theirs)]

            yield draw


@pytest.mark.parametrize(
    ("change", "never"),
    [
        pytest.param(0.0, Status.FAIL, id="a healthy candidate is never failed"),
        pytest.param(0.10, Status.PASS, id="a candidate ten percent slower is never passed"),
    ],
)
def test_a_single_disturbed_run_cannot_poison_a_verdict(change: float, never: Status) -> None:
    for draw in outliers(change):
        assert shares(SLOWER, Design.HISTORY, draw, runs=500)[never] == 0


def test_one_baseline_run_alone_decides_nothing_however_it_came_out() -> None:
    for change in (-0.5, 0.0, 0.10, 3.0):
        found = shares(SLOWER, Design.HISTORY, draws(0.03, 1, 1, change, SLOWER), runs=200)
        assert found[Status.INCONCLUSIVE] == 1


def test_to_stop_at_the_first_pair_that_pleases_passes_three_times_what_the_level_says() -> None:
    """A server that is worse by exactly the margin, looked at after each pair from the fourth to the twentieth."""
    chance, margin = np.random.default_rng(20), math.log(1.05)
    differences = margin + 0.03 * math.sqrt(2) * chance.normal(size=(1000, 20))
    first = np.mean([of_pairs(list(each), 0.05).high <= margin for each in differences])
    any_of = np.mean(
        [any(of_pairs(list(each[:pairs]), 0.05).high <= margin for pairs in range(4, 21)) for each in differences]
    )
    assert first == pytest.approx(0.05, abs=0.02)
    assert any_of == pytest.approx(0.17, abs=0.04)
