"""Where the SLO stops holding: which loads are measured beyond the ladder, and when the search ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.forecast import SearchForecast, forecast_search
from llmload.analysis.futility import futile_below
from llmload.analysis.looks import first_sizes
from llmload.analysis.search import CLOSE_ENOUGH, MOST_STEPS, cap_of, most_loads, next_load, search_step
from llmload.analysis.strategy import next_look
from llmload.domain import Ending, Observation
from llmload.frameworks.vllm import VllmSettings
from llmload.planned import Look, Step
from llmload.samples import Gpu, Watched
from llmload.scenario.asked import OpenLoop, Poisson, Recommend, Scenario, Simulator
from llmload.verdict import Status
from tests.analysis.builders import GOODPUT_95, good_and_bad, scenario, window

PASS, FAIL, OPEN, ERROR = Status.PASS, Status.FAIL, Status.INCONCLUSIVE, Status.ERROR
Answer = Callable[[float], Status]

ladders = st.lists(st.integers(1, 400), min_size=1, max_size=6, unique=True).map(sorted)
caps = st.integers(1, 20_000)


def asked(peak: int = 100, concurrency: Sequence[int] = (1, 4, 16), **changes: object) -> Scenario:
    recommend = Recommend(peak, None, 10.0, 3.0, 0.95, 0.2, None, None)
    return replace(scenario(concurrency=concurrency, requests=100, **changes), recommend=recommend)  # type: ignore[arg-type]  # by name


def searched(ladder: Sequence[int], cap: float, answer: Answer) -> list[tuple[float, Status]]:
    """Every load in the order in which it was measured."""
    found = [(float(load), answer(load)) for load in ladder]
    while len(found) - len(ladder) < MOST_STEPS and (load := next_load(sorted(found), cap)) is not None:
        found.append((load, answer(load)))
    return found


def limited(limit: float) -> Answer:
    return lambda load: PASS if load <= limit else FAIL


# ---------------------------------------------------------------- the next load


@pytest.mark.parametrize(
    ("loads", "cap", "load"),
    [
        pytest.param([(1, PASS), (10, PASS), (50, FAIL)], 600, 30, id="halfway between what holds and what breaks"),
        pytest.param([(1, PASS), (10, PASS), (50, OPEN)], 600, 30, id="what stays open does not surely hold"),
        pytest.param([(1, PASS), (10, PASS), (50, ERROR)], 600, 30, id="nor does what could not be measured"),
        pytest.param([(1, PASS), (10, OPEN), (50, PASS), (90, FAIL)], 600, 70, id="an open one in between"),
        pytest.param([(1, PASS), (10, FAIL), (50, PASS)], 600, 5, id="what holds above a break does not count"),
        pytest.param([(1, PASS), (10, PASS)], 600, 20, id="twice the highest where all hold"),
        pytest.param([(1, PASS), (400, PASS)], 600, 600, id="no more than the cap"),
        pytest.param([(1, PASS), (600, PASS)], 600, None, id="the cap itself holds"),
        pytest.param([(1, FAIL), (10, FAIL)], 600, None, id="nothing holds"),
        pytest.param([(1, FAIL), (10, PASS)], 600, None, id="the lightest load breaks"),
        pytest.param([(1, OPEN), (10, OPEN)], 600, None, id="nothing surely holds"),
        pytest.param([(1, ERROR)], 600, None, id="nothing could be measured"),
        pytest.param([(1, OPEN), (10, PASS), (20, FAIL)], 600, 15, id="an open lightest load"),
        pytest.param([(8, PASS)], 600, 16, id="one step alone"),
        pytest.param([(7, PASS), (8, FAIL)], 600, None, id="one apart"),
        pytest.param([(100, PASS), (105, FAIL)], 600, None, id="within 5%"),
        pytest.param([(100, PASS), (106, FAIL)], 600, 103, id="just not within 5%"),
        pytest.param([(100, PASS), (300, FAIL)], 60, 200, id="the limit is wanted beyond the cap, below a known break"),
    ],
)
def test_the_next_load(loads: list[tuple[float, Status]], cap: float, load: float | None) -> None:
    assert next_load(loads, cap) == load


@given(ladders, caps, st.floats(0.5, 30_000))
def test_a_search_finds_any_limit_within_5_percent_or_1(ladder: list[int], cap: int, limit: float) -> None:
    found = sorted(searched(ladder, cap, limited(limit)))
    holds = max((load for load, status in found if status is PASS), default=None)
    breaks = min((load for load, status in found if status is FAIL), default=None)
    if limit < ladder[0]:
        assert holds is None
        assert len(found) == len(ladder)
    elif breaks is None:
        assert holds is not None
        assert holds >= cap or len(found) - len(ladder) == MOST_STEPS
    elif len(found) - len(ladder) < MOST_STEPS:
        assert holds is not None
        assert holds <= limit < breaks
        assert breaks - holds <= max(1, CLOSE_ENOUGH * holds)


@given(ladders, caps, st.randoms(use_true_random=False), st.sampled_from([(PASS, FAIL), (PASS, FAIL, OPEN, ERROR)]))
def test_whatever_a_server_answers_a_search_ends_in_time(
    ladder: list[int], cap: int, chance: Random, answers: Sequence[Status]
) -> None:
    """No load twice, none but whole ones, none above the cap and the ladder, and no more than were forecast."""
    found = searched(ladder, cap, lambda _: chance.choice(answers))
    loads = [load for load, _ in found]
    assert len(set(loads)) == len(loads)
    assert all(load == math.floor(load) and load >= ladder[0] for load in loads)
    assert max(loads) <= max(cap, *ladder)
    assert len(found) - len(ladder) <= most_loads(ladder, cap) <= MOST_STEPS


@pytest.mark.parametrize(
    ("ladder", "cap", "most"),
    [
        pytest.param([1, 10, 50, 100, 200], 600, 6, id="the default ladder: 2 doublings and bisection, or 10 to 50"),
        pytest.param([8], 8, 0, id="one step that is the cap"),
        pytest.param([8], 4, 0, id="one step above the cap"),
        pytest.param([7, 8], 8, 0, id="nothing between neighbours"),
        pytest.param([1, 4], 4, 2, id="two between 1 and 4"),
        pytest.param([1], 10**9, MOST_STEPS, id="never more than a search may take"),
    ],
)
def test_how_many_loads_a_search_takes_at_most(ladder: list[int], cap: int, most: int) -> None:
    assert most_loads(ladder, cap) == most
    limits = (*range(1, min(cap, 700) + 2), 100_000)
    assert max(len(searched(ladder, cap, limited(limit))) for limit in limits) - len(ladder) == most


# ---------------------------------------------------------------- in a run


def observed(wanted: Scenario, answer: Answer, most: int = 99) -> list[Observation]:
    """Windows of a server that answers like this, until the strategy wants no more."""
    records = {PASS: good_and_bad(1, 0), FAIL: good_and_bad(0, 1)}
    found: list[Observation] = []
    while len(found) < most and (look := next_look(wanted, found)) is not None:
        status = answer(look.step.value)
        bad = look.requests // 20 if status is OPEN else 0
        lines = good_and_bad(look.requests - bad, bad) if status is OPEN else records[status] * look.requests
        found.append(replace(window(lines, number=look.number, step=look.step), look=look))
    return found


def steps_in(observations: Sequence[Observation]) -> list[float]:
    return list(dict.fromkeys(o.look.step.value for o in observations))


def test_the_ladder_is_climbed_then_the_limit_is_sought() -> None:
    assert steps_in(observed(asked(), limited(11))) == [1, 4, 16, 10, 13, 11, 12]
    assert steps_in(observed(asked(), limited(70))) == [1, 4, 16, 32, 64, 120, 92, 78, 71, 67, 69]
    assert steps_in(observed(asked(), limited(1000))) == [1, 4, 16, 32, 64, 120]


def test_an_open_step_takes_all_its_looks_and_the_search_goes_on_below_it() -> None:
    observations = observed(asked(), lambda load: OPEN if load == 10 else limited(11)(load))
    assert steps_in(observations) == [1, 4, 16, 10, 7, 8, 9]
    ten = [o.look for o in observations if o.look.step.value == 10]
    assert tuple(look.requests for look in ten) == first_sizes(asked(), Step(0, "concurrency", 10))


def test_a_run_that_was_interrupted_anywhere_goes_on_with_the_same_looks() -> None:
    wanted, answer = asked(), limited(11)
    whole = observed(wanted, answer)
    for done in range(len(whole)):
        assert next_look(wanted, whole[:done]) == whole[done].look
        cut = replace(whole[done], ending=Ending.INTERRUPTED)
        assert next_look(wanted, [*whole[:done], cut]) == whole[done].look
    assert next_look(wanted, whole) is None


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(replace(asked(), recommend=None), id="no capacity is wanted"),
        pytest.param(
            replace(asked(), load=replace(asked().load, shape=OpenLoop((4.0,), Poisson()))), id="a load by rate"
        ),
        pytest.param(replace(asked(), decision=replace(asked().decision, repeats=3)), id="a ladder that is repeated"),
    ],
)
def test_nothing_is_sought_where_no_capacity_can_be_found(wanted: Scenario) -> None:
    holding = [window(good_and_bad(200, 0), step=Step(0, "concurrency", 4.0))]
    assert search_step(wanted, holding) is None
    assert forecast_search(wanted) is None


def test_several_replicas_behind_one_address_are_loaded_until_one_of_them_would_carry_the_peak() -> None:
    wanted = asked(peak=500)
    assert cap_of(wanted) == 600
    by_hand = replace(wanted, recommend=replace(wanted.recommend, gpu_count=8))
    assert cap_of(by_hand) == 4800
    simulated = replace(wanted, target=replace(wanted.target, place=Simulator(replicas=3)))
    assert cap_of(simulated) == 1800
    watched = Watched(gpus=tuple(Gpu(f"GPU-{i}", i, "H100", f"GPU-{i}") for i in range(4)))
    seen = [replace(window(good_and_bad(200, 0)), watched=watched)]
    assert cap_of(wanted, seen) == 2400


def test_gpus_that_share_one_copy_of_the_model_are_one_replica_of_the_search() -> None:
    target = replace(asked().target, settings=VllmSettings(tensor_parallel_size=4, pipeline_parallel_size=2))
    wanted = replace(asked(peak=500), target=target)
    for gpus, cap in ((8, 600), (16, 1200)):
        assert cap_of(replace(wanted, recommend=replace(wanted.recommend, gpu_count=gpus))) == cap
    simulated = replace(wanted, target=replace(target, place=Simulator(replicas=3)))
    assert cap_of(simulated) == 1800


def test_the_cap_is_counted_in_exact_fractions() -> None:
    wanted = asked(peak=10)
    assert cap_of(replace(wanted, recommend=replace(wanted.recommend, headroom=0.1))) == 11


def test_a_load_that_only_the_search_chose_ends_early_where_it_is_lost() -> None:
    wanted = replace(asked(), gates=(replace(GOODPUT_95, promise=replace(GOODPUT_95.promise, value=0.5)),))
    assert futile_below(wanted, Look(Step(3, "concurrency", 10.0), 0, 100)) == 0.95
    assert futile_below(wanted, Look(Step(2, "concurrency", 16.0), 0, 100)) == 0.5
    assert futile_below(asked(), Look(Step(2, "concurrency", 16.0), 0, 100)) == 0.95


def test_the_search_is_forecast_at_its_worst() -> None:
    wanted = asked()
    found = forecast_search(wanted)
    assert found == SearchForecast(most_loads=8, heaviest=120, most_requests=1920, at_most_s=8 * 2 * 300)
    assert len(steps_in(observed(wanted, limited(70)))) - 3 == found.most_loads


def test_a_ladder_that_leaves_nothing_to_seek_has_no_search() -> None:
    assert forecast_search(asked(peak=6, concurrency=(7, 8))) is None
