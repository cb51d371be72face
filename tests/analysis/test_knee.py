"""Where a ladder holds its SLO, and where more load brings nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmload.analysis.knee import knee_of
from llmload.capacity import Knee
from llmload.domain import StepResult
from llmload.planned import Step
from llmload.promises import Bound, Change, Gate, Level
from llmload.scenario.asked import Recommend
from llmload.verdict import Caveat, Status, Verdict
from tests.analysis.builders import GOODPUT_95, scenario
from tests.recorded_runs import CLEAN, TROUBLE

Rung = tuple[float, float | None, float | None, float | None]
"""Load, both bounds of goodput, output tokens per second."""

RECOMMEND = Recommend(500, None, 10.0, 3.0, 0.9, 0.2, None, None)
SPOILT = Caveat("client was late", "p99 61ms", "use more workers", is_fatal=True, kind="ClientSaturated")


def step(rung: Rung, axis: str = "concurrency") -> StepResult:
    load, low, high, tps = rung
    metrics = replace(CLEAN.steps[0].metrics, goodput=high, goodput_low=low, goodput_high=high)
    metrics = replace(metrics, output_tps=tps, total_tps=None if tps is None else 2 * tps)
    return replace(CLEAN.steps[0], step=Step(0, axis, load), metrics=metrics, verdicts=(), capacity=None)


def knee(*rungs: Rung) -> tuple[float | None, float | None]:
    found = knee_of([step(rung) for rung in rungs], scenario(GOODPUT_95))
    assert found is not None
    return found.at_slo, found.saturation


@pytest.mark.parametrize(
    ("rungs", "at_slo", "saturation"),
    [
        pytest.param([(1, 0.98, 1, 100), (2, 0.98, 1, 190), (4, 0.98, 1, 300)], 4, None, id="it holds all the way"),
        pytest.param([(1, 0.98, 1, 100), (2, 0.98, 1, 190), (4, 0.7, 0.8, 210)], 2, 4, id="goodput falls"),
        pytest.param([(1, 0.98, 1, 100), (2, 0.98, 1, 104), (4, 0.98, 1, 104)], 4, 2, id="throughput stops"),
        pytest.param([(1, 0.98, 1, 100), (2, 0.93, 0.97, 190), (4, 0.96, 1, 300)], 4, None, id="undecided on the way"),
        pytest.param([(1, 0.98, 1, 100), (2, 0.8, 0.94, 190), (4, 0.96, 1, 300)], 1, 2, id="it fails and then holds"),
        pytest.param([(1, 0.98, 1, 100), (2, 0.98, 1, 90), (4, 0.98, 1, 300)], 4, None, id="a dip in throughput"),
        pytest.param([(4, 0.7, 0.8, 210), (1, 0.98, 1, 100), (2, 0.98, 1, 190)], 2, 4, id="steps in any order"),
        pytest.param([(1, 0.5, 0.6, 100), (2, 0.4, 0.7, 190)], None, None, id="nothing holds and nothing falls"),
        pytest.param([(1, 0.0, 0.05, None), (2, 0.0, 0.05, None)], None, None, id="nothing succeeds"),
        pytest.param([(8, 0.98, 1, 100)], 8, None, id="a single step that holds"),
        pytest.param([(8, 0.5, 0.6, 100)], None, None, id="a single step that fails"),
        pytest.param([(1, 0.95, 1, 100)], 1, None, id="just at the target"),
        pytest.param(
            [(1, 0.999, 1, 100), (2, 0.99, 0.995, 200)], 2, None, id="a sure fall that stays within the target"
        ),
        pytest.param(
            [(100, 0.98, 1, 100), (105, 0.98, 1, 101), (110, 0.98, 1, 102), (130, 0.98, 1, 120)],
            130,
            None,
            id="loads so near to each other that throughput cannot grow by much",
        ),
        pytest.param([(1, 0.98, 1, None), (2, 0.98, 1, 90), (4, 0.98, 1, None)], 4, None, id="unknown throughput"),
        pytest.param([(1, 0.98, 1, 100), (2, None, None, None), (4, 0.98, 1, 300)], 4, None, id="a step not measured"),
    ],
)
def test_the_knee_of_a_ladder(rungs: Sequence[Rung], at_slo: float | None, saturation: float | None) -> None:
    assert knee(*rungs) == (at_slo, saturation)


def test_embeddings_are_saturated_where_more_load_brings_no_more_input_tokens() -> None:
    ladder = [step((load, 0.98, 1, tps)) for load, tps in ((1, 100), (2, 190), (4, 191))]
    read = [replace(each, metrics=replace(each.metrics, output_tps=None)) for each in ladder]
    found = knee_of(read, scenario(GOODPUT_95))
    assert found is not None
    assert (found.at_slo, found.saturation) == (4, 4)


def test_a_step_that_could_not_be_measured_neither_holds_nor_breaks() -> None:
    broken = [step((1, 0.98, 1, 100)), replace(step((2, 0.1, 0.2, 20)), caveats=(SPOILT,))]
    assert knee_of(broken, scenario(GOODPUT_95)) == Knee("concurrency", 1, None, 0.95)
    higher = knee_of([*broken, step((4, 0.98, 1, 300))], scenario(GOODPUT_95))
    assert higher == Knee("concurrency", 4, None, 0.95)


@pytest.mark.parametrize(
    ("status", "at_slo"),
    [
        pytest.param(Status.PASS, 4, id="a gate that passed"),
        pytest.param(Status.INCONCLUSIVE, 4, id="a gate that is open"),
        pytest.param(Status.FAIL, 1, id="a gate that failed"),
        pytest.param(Status.ERROR, 4, id="a gate that could not be judged"),
    ],
)
def test_a_gate_that_promises_the_same_decides_its_step(status: Status, at_slo: float) -> None:
    verdict = Verdict(GOODPUT_95, "concurrency 2", status, "as it is", "")
    judged = replace(step((2, 0.951, 0.99, 190)), verdicts=(verdict,))
    found = knee_of([step((1, 0.98, 1, 100)), judged, step((4, 0.98, 1, 300))], scenario(GOODPUT_95))
    assert found is not None
    assert found.at_slo == at_slo


def test_a_step_whose_gate_is_open_does_not_surely_hold() -> None:
    verdict = Verdict(GOODPUT_95, "concurrency 2", Status.INCONCLUSIVE, "97% of 200", "wait for more")
    judged = replace(step((2, 0.951, 0.99, 190)), verdicts=(verdict,))
    assert knee_of([step((1, 0.98, 1, 100)), judged], scenario(GOODPUT_95)) == Knee("concurrency", 1, None, 0.95)


@pytest.mark.parametrize(
    ("gates", "recommend", "target"),
    [
        pytest.param([], None, 0.95, id="nobody says"),
        pytest.param([], RECOMMEND, 0.9, id="as recommend asks"),
        pytest.param([GOODPUT_95], RECOMMEND, 0.9, id="recommend before a gate"),
        pytest.param(
            [GOODPUT_95, Gate("goodput", Bound(">=", 0.99), level=Level.WARN)], None, 0.99, id="the strictest"
        ),
        pytest.param([Gate("goodput", Change(0.05))], RECOMMEND, 0.9, id="a relative gate says no share"),
        pytest.param([Gate("error_rate", Bound("<=", 0.01))], None, 0.95, id="a gate on something else"),
    ],
)
def test_the_target_is_what_the_scenario_promises(
    gates: list[Gate], recommend: Recommend | None, target: float
) -> None:
    found = knee_of([step((1, 0.98, 1, 100))], replace(scenario(*gates), recommend=recommend))
    assert found is not None
    assert found.target == target


def test_without_slo_on_two_axes_or_without_figures_there_is_no_knee() -> None:
    holds = step((1, 0.98, 1, 100))
    assert knee_of([holds], scenario(GOODPUT_95, slo=None)) is None
    assert knee_of([holds, step((2, 0.98, 1, 100), "rate")], scenario(GOODPUT_95)) is None
    assert knee_of([step((1, None, None, None))], scenario(GOODPUT_95)) is None
    assert knee_of([], scenario(GOODPUT_95)) is None


def test_the_recorded_runs_have_the_knees_that_they_say() -> None:
    assert CLEAN.knee is not None
    assert knee_of(CLEAN.steps, scenario(GOODPUT_95)) == CLEAN.knee
    assert knee_of(TROUBLE.steps, scenario(GOODPUT_95)) is TROUBLE.knee is None
