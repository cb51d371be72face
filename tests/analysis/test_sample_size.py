"""What a planned sample can decide: METRICS.md's table, and gates that are refused before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.forecast import forecast, mean_length
from llmload.analysis.gates import judge_step
from llmload.analysis.sample_size import BAD_COUNTS, check_reachable, outlooks, smallest_sample
from llmload.domain import Status
from llmload.errors import ScenarioError
from llmload.promises import At, Bound, Change, Gate, Slo
from llmload.scenario.asked import Document, Fixed, Lognormal, Normal, Scenario, Uniform
from tests.analysis.builders import GOODPUT_95, STEP, good_and_bad, scenario, window


@pytest.mark.parametrize(
    ("target", "alpha", "expected"),
    [
        pytest.param(0.90, 0.05, [29, 46, 61, 76, 103, 167], id="90 percent"),
        pytest.param(0.95, 0.05, [59, 93, 124, 153, 208, 336], id="95 percent"),
        pytest.param(0.99, 0.05, [299, 473, 628, 773, 1049, 1693], id="99 percent"),
        pytest.param(0.999, 0.05, [2995], id="99.9 percent"),
        pytest.param(0.90, 0.0125, [42], id="90 percent at a quarter of the level"),
        pytest.param(0.95, 0.0125, [86], id="95 percent at a quarter of the level"),
        pytest.param(0.99, 0.0125, [437], id="99 percent at a quarter of the level"),
        pytest.param(0.999, 0.0125, [4380], id="99.9 percent at a quarter of the level"),
    ],
)
def test_the_smallest_sample_is_the_one_of_the_table(target: float, alpha: float, expected: list[int]) -> None:
    assert [smallest_sample(target, bad, alpha) for bad in BAD_COUNTS[: len(expected)]] == expected


def test_no_sample_proves_a_hundred_percent() -> None:
    assert smallest_sample(1.0, 0, 0.05) is None


REFUSED = [
    pytest.param(scenario(Gate("goodput", Bound(">=", 0.9999999))), "promise a little less", id="seven nines"),
    pytest.param(scenario(GOODPUT_95, requests=59, max_requests=59), "set decision.max_requests to", id="too few"),
    pytest.param(
        scenario(Gate("ttft", Bound("<=", 1), "p99"), requests=200, max_requests=300), "takes 368", id="p99 of 300"
    ),
    pytest.param(scenario(Gate("goodput", Bound(">=", 1.0))), "promise a little less", id="100 percent"),
    pytest.param(scenario(Gate("error_rate", Bound("<=", 0.0))), "promise a little less", id="no error ever"),
    pytest.param(
        scenario(GOODPUT_95, concurrency=(100,), requests=200, max_requests=200),
        "set load.requests to 400",
        id="blocks",
    ),
]


@pytest.mark.parametrize(("asked", "hint"), REFUSED)
def test_a_gate_that_can_never_pass_is_refused_where_it_was_written(asked: Scenario, hint: str) -> None:
    gate = replace(asked.gates[0], line=3)
    text = "spec:\n  gates:\n    - the gate\n"
    located = replace(asked, gates=(gate,), document=Document("a.yaml", text, "{}", ""))
    with pytest.raises(ScenarioError) as caught:
        check_reachable(located)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column, problem.path) == ("a.yaml", 3, 7, "spec.gates[0]")
    assert "can never pass at concurrency" in problem.message
    assert hint in problem.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("gate", [GOODPUT_95, Gate("ttft", Bound("<=", 1), "p99")], ids=str)
def test_what_the_refusal_proposes_is_enough(gate: Gate) -> None:
    asked = scenario(gate, requests=30, max_requests=59)
    with pytest.raises(ScenarioError) as caught:
        check_reachable(asked)
    proposed = int(caught.value.problems[0].hint.rsplit(" ", 1)[1])
    check_reachable(scenario(gate, requests=30, max_requests=proposed))


@pytest.mark.parametrize("concurrency", [1, 10, 50, 300])
def test_the_window_that_the_refusal_proposes_has_blocks_enough(concurrency: int) -> None:
    few = 3 * concurrency
    with pytest.raises(ScenarioError) as caught:
        check_reachable(scenario(GOODPUT_95, concurrency=(concurrency,), requests=few, max_requests=few))
    proposed = int(caught.value.problems[0].hint.rsplit(" ", 1)[1])
    check_reachable(scenario(GOODPUT_95, concurrency=(concurrency,), requests=proposed, max_requests=proposed))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(scenario(GOODPUT_95), id="the defaults"),
        pytest.param(scenario(GOODPUT_95, concurrency=(1, 10, 50, 100, 200)), id="the default ladder"),
        pytest.param(scenario(Gate("ttft", Bound("<=", 1), "p99"), concurrency=(200,)), id="p99 at concurrency 200"),
        pytest.param(scenario(Gate("ttft", Bound("<=", 1), "mean"), requests=1, max_requests=1), id="a mean"),
        pytest.param(scenario(Gate("ttft", Change(0.05), "p50"), requests=1, max_requests=1), id="a relative gate"),
        pytest.param(scenario(GOODPUT_95, requests=None), id="a load that says only how long"),
        pytest.param(
            scenario(replace(GOODPUT_95, at=At("concurrency", "<=", 8)), concurrency=(8, 1000)),
            id="a step too large, of which the gate does not speak",
        ),
    ],
)
def test_a_gate_that_can_pass_is_not_refused(asked: Scenario) -> None:
    check_reachable(asked)


@given(st.integers(100, 900), st.sampled_from([0.9, 0.95, 0.99]))
@settings(max_examples=25, deadline=None)
def test_what_the_plan_says_may_be_bad_is_exactly_what_the_verdict_allows(requests: int, target: float) -> None:
    gate = Gate("goodput", Bound(">=", target))
    asked = scenario(gate, requests=requests, max_requests=requests)
    (outlook,) = outlooks(asked)
    if outlook.most_bad is None:
        with pytest.raises(ScenarioError):
            check_reachable(asked)
        return
    (verdict,) = judge_step(
        (gate,), STEP, [window(good_and_bad(requests - outlook.most_bad, outlook.most_bad))], asked, ()
    )
    assert verdict.status is Status.PASS


def test_small_p99_samples_and_missing_blocks_are_warned_of() -> None:
    (outlook,) = outlooks(scenario(Gate("ttft", Bound("<=", 1), "p99"), concurrency=(100,)))
    p99, blocks = outlook.warnings
    assert "p99 rests on 2 requests" in p99
    assert "2 of the 4 blocks" in blocks
    assert "load.requests: 400" in blocks


# ---------------------------------------------------------------- forecast


@pytest.mark.parametrize(
    ("lengths", "mean"),
    [
        pytest.param(Fixed(256), 256, id="fixed"),
        pytest.param(Uniform(64, 512), 288, id="uniform"),
        pytest.param(Normal(100, 10, 1, 500), 100, id="normal"),
        pytest.param(Lognormal(80, 40, 1, 500), 80, id="lognormal"),
    ],
)
def test_the_mean_length_is_what_the_author_wrote(lengths: Fixed | Uniform | Normal | Lognormal, mean: float) -> None:
    assert mean_length(lengths) == mean


def test_a_forecast_counts_warm_up_and_says_unknown_where_the_slo_does_not_bound_a_request() -> None:
    (step,) = forecast(scenario(GOODPUT_95))
    assert (step.warmup, step.requests, step.most_requests) == (16, 200, 1600)
    assert (step.input_tokens, step.output_tokens) == (216 * 100, 216 * 11)
    assert (step.at_slo_s, step.at_most_s) == (None, 600)


def test_a_server_that_just_keeps_the_slo_takes_so_long() -> None:
    slo = Slo(ttft_ms=500, tpot_ms=50)
    (step,) = forecast(scenario(slo=slo))
    assert step.at_slo_s == pytest.approx(27 * (0.5 + 10 * 0.05))
    assert (step.most_requests, step.at_most_s) == (200, 300)


def test_how_much_a_load_by_time_sends_is_unknown() -> None:
    (step,) = forecast(scenario(GOODPUT_95, requests=None))
    assert (step.requests, step.input_tokens, step.at_slo_s) == (None, None, None)
