"""What is observed next: the ladder, and as many looks as the gates of a step need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.analysis.gates import sample_of
from llmload.analysis.looks import look_level, planned_sizes, planned_totals
from llmload.analysis.strategy import next_look
from llmload.domain import Ending, Observation, RequestRecord
from llmload.planned import Look, Step
from llmload.promises import At, Bound, Change, Gate
from llmload.scenario.asked import Scenario
from tests.analysis.builders import GOODPUT_95, STEP, good_and_bad, paced, scenario, window


def observed(asked: Scenario, *windows: list[RequestRecord]) -> list[Observation]:
    """Feed the strategy these windows, wherever it asks for one."""
    observations: list[Observation] = []
    for records in windows:
        look = next_look(asked, observations)
        assert look is not None
        observations.append(replace(window(records, number=look.number, step=look.step), look=look))
    return observations


UNDECIDED, GOOD, BAD = good_and_bad(190, 10), good_and_bad(200, 0), good_and_bad(100, 100)


@pytest.mark.parametrize(
    ("requests", "most", "totals"),
    [
        pytest.param(200, 1600, (200, 400, 800, 1600), id="doubling"),
        pytest.param(300, 1600, (300, 600, 1200, 1600), id="the last look takes what is left"),
        pytest.param(200, 200, (200,), id="one look"),
        pytest.param(200, 201, (200, 201), id="one more request is one more look"),
        pytest.param(None, 1600, (0,), id="a load that says only how long"),
    ],
)
def test_looks_double_the_total_up_to_max_requests(requests: int | None, most: int, totals: tuple[int, ...]) -> None:
    asked = scenario(requests=requests, max_requests=most)
    assert planned_totals(asked, STEP) == totals
    assert sum(planned_sizes(asked, STEP)) == totals[-1]


def test_the_looks_share_the_level() -> None:
    assert look_level(scenario(), 4) == pytest.approx(0.0125)


def test_without_gates_each_step_is_observed_once_in_the_order_of_the_ladder() -> None:
    asked = scenario(concurrency=(1, 8, 64))
    observations = observed(asked, GOOD, BAD, UNDECIDED)
    assert [o.look for o in observations] == [
        Look(Step(0, "concurrency", 1.0), 0, 200),
        Look(Step(1, "concurrency", 8.0), 0, 200),
        Look(Step(2, "concurrency", 64.0), 0, 200),
    ]
    assert next_look(asked, observations) is None


@pytest.mark.parametrize("decisive", [GOOD, BAD], ids=["a pass", "a fail"])
def test_a_decided_step_is_not_looked_at_again(decisive: list[RequestRecord]) -> None:
    asked = scenario(GOODPUT_95)
    assert next_look(asked, observed(asked, decisive)) is None


def test_an_undecided_step_is_looked_at_with_doubling_windows_until_max_requests() -> None:
    asked = scenario(GOODPUT_95)
    observations = observed(asked, UNDECIDED, UNDECIDED, UNDECIDED * 2, UNDECIDED * 4)
    assert [(o.look.number, o.look.requests) for o in observations] == [(0, 200), (1, 200), (2, 400), (3, 800)]
    assert next_look(asked, observations) is None


def test_a_gate_that_speaks_of_another_step_asks_for_nothing_here() -> None:
    asked = scenario(replace(GOODPUT_95, at=At("concurrency", ">=", 8)), concurrency=(4, 8))
    observations = observed(asked, UNDECIDED, UNDECIDED)
    look = next_look(asked, observations)
    assert [o.look.step.value for o in observations] == [4, 8]
    assert look is not None
    assert (look.step.value, look.number) == (8, 1)


def test_one_undecided_gate_among_decided_ones_is_enough_for_another_look() -> None:
    asked = scenario(GOODPUT_95, Gate("ttft", Bound("<=", 1000), "p95"))
    assert next_look(asked, observed(asked, UNDECIDED)) is not None


def test_a_gate_without_data_or_baseline_is_not_measured_again_for_that() -> None:
    asked = scenario(Gate("tpot", Bound("<=", 10), "p95"), Gate("ttft", Change(0.05), "p50"))
    one_token = [replace(record, output_tokens=1) for record in paced([50.0] * 200)]
    assert next_look(asked, observed(asked, one_token)) is None


def test_a_load_that_says_only_how_long_gets_one_look_of_no_fixed_size() -> None:
    asked = scenario(GOODPUT_95, requests=None)
    assert next_look(asked, []) == Look(Step(0, "concurrency", 8.0), 0, 0)
    assert next_look(asked, observed(asked, UNDECIDED)) is None


def test_an_interrupted_window_is_observed_again_and_whole_ones_are_not() -> None:
    asked = scenario(GOODPUT_95)
    whole = observed(asked, UNDECIDED)
    interrupted = replace(window(GOOD, number=1), ending=Ending.INTERRUPTED)
    assert next_look(asked, [*whole, interrupted]) == Look(Step(0, "concurrency", 8.0), 1, 200)


def test_a_step_whose_time_is_up_is_not_looked_at_again() -> None:
    asked = scenario(GOODPUT_95)
    (cut_short,) = observed(asked, UNDECIDED)
    assert next_look(asked, [replace(cut_short, ending=Ending.MAX_DURATION)]) is None
    impatient = replace(asked, load=replace(asked.load, max_duration_s=1.0))
    assert next_look(impatient, [cut_short]) is None


def repeated(asked: Scenario, climbs: int) -> Scenario:
    return replace(asked, decision=replace(asked.decision, repeats=climbs))


def test_the_whole_ladder_is_climbed_again_with_one_window_at_each_step() -> None:
    asked = repeated(scenario(GOODPUT_95, concurrency=(4, 8), max_requests=400), 3)
    observations = observed(asked, UNDECIDED, UNDECIDED, GOOD, UNDECIDED, BAD, UNDECIDED, UNDECIDED)
    places = [(o.look.repeat, o.look.step.value, o.look.number, o.look.requests) for o in observations]
    assert places == [
        (0, 4, 0, 200), (0, 4, 1, 200), (0, 8, 0, 200),
        (1, 4, 2, 200), (1, 8, 1, 200),
        (2, 4, 3, 200), (2, 8, 2, 200),
    ]  # fmt: skip
    assert next_look(asked, observations) is None


def test_an_undecided_step_of_a_further_climb_is_not_looked_at_again() -> None:
    asked = repeated(scenario(GOODPUT_95), 2)
    observations = observed(asked, *[UNDECIDED] * 5)
    assert [o.look.repeat for o in observations] == [0, 0, 0, 0, 1]
    assert next_look(asked, observations) is None


def test_a_run_goes_on_in_the_middle_of_a_climb() -> None:
    asked = repeated(scenario(concurrency=(4, 8)), 2)
    observations = observed(asked, GOOD, GOOD, GOOD)
    interrupted = replace(
        observations[-1], look=Look(Step(1, "concurrency", 8.0), 1, 200, 1), ending=Ending.INTERRUPTED
    )
    assert next_look(asked, [*observations, interrupted]) == Look(Step(1, "concurrency", 8.0), 1, 200, 1)


@pytest.mark.parametrize(
    ("climbs", "sizes"),
    [
        pytest.param(1, (200, 200, 400, 800), id="adaptive looks alone"),
        pytest.param(3, (200, 200, 400, 800, 200, 200), id="each further climb is one more look"),
    ],
)
def test_repeats_are_further_looks_at_one_level(climbs: int, sizes: tuple[int, ...]) -> None:
    asked = repeated(scenario(GOODPUT_95), climbs)
    assert planned_sizes(asked, STEP) == sizes
    sample = sample_of(STEP, observed(asked, GOOD), asked)
    assert sample.alpha == pytest.approx(0.05 / len(sizes))
