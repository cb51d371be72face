"""What a planned sample can decide: METRICS.md's table, and gates that are refused before anything is sent."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.analysis.forecast import forecast, forecast_trace
from llmload.analysis.gates import judge_step
from llmload.analysis.sample_size import BAD_COUNTS, check_reachable, outlooks, smallest_sample
from llmload.errors import ScenarioError
from llmload.promises import At, Bound, Change, Gate, Slo
from llmload.scenario.asked import Document, OpenLoop, Poisson, Scenario, Trace
from llmload.scenario.lengths import Fixed, Lognormal, Normal, Uniform, mean_length
from llmload.scenario.recording import Recording
from llmload.verdict import Status
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


# ---------------------------------------------------------------- open loop


def at_a_rate(*gates: Gate, rates: Sequence[float] = (8.0,), **options: Any) -> Scenario:
    """The same scenario in open loop."""
    closed = scenario(*gates, **options)
    return replace(closed, load=replace(closed.load, shape=OpenLoop(tuple(rates), Poisson())))


def replaying(*gates: Gate, requests: int, max_requests: int = 1600) -> Scenario:
    """The same scenario, of a trace with so many requests."""
    closed = scenario(*gates, requests=requests, max_requests=max_requests)
    return replace(closed, load=replace(closed.load, shape=Trace("t.jsonl", 2.0, "0" * 64)))


def test_at_a_rate_the_blocks_are_planned_for_the_slowest_answer_that_the_slo_allows() -> None:
    (slow,) = outlooks(at_a_rate(GOODPUT_95, slo=Slo(e2e_ms=20_000.0)))
    (fast,) = outlooks(at_a_rate(GOODPUT_95, slo=Slo(e2e_ms=1_000.0)))
    assert slow.most_bad is not None
    assert fast.most_bad is not None
    assert slow.most_bad < fast.most_bad
    assert slow.warnings == (
        "200 requests at rate 8/s make 1 of the 4 blocks a verdict needs, if answers take as long as slo.e2e allows; "
        "load.requests: 640 would do",
    )
    assert fast.warnings == ()


def test_at_a_rate_without_a_bound_on_e2e_the_plan_says_what_it_cannot_know() -> None:
    (outlook,) = outlooks(at_a_rate(GOODPUT_95))
    (warning,) = outlook.warnings
    assert "4 blocks of rate x p99(e2e) requests, and only the run knows how slow answers are" in warning


def test_a_gate_is_not_refused_for_what_only_a_slow_server_would_do_to_it() -> None:
    check_reachable(at_a_rate(GOODPUT_95, rates=(100.0,), slo=Slo(e2e_ms=60_000.0)))


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        pytest.param(at_a_rate(GOODPUT_95, requests=40, max_requests=40), "set decision.max_requests to", id="rate"),
        pytest.param(replaying(GOODPUT_95, requests=40), "replay more of the trace", id="trace"),
        pytest.param(replaying(GOODPUT_95, requests=2), "replay more of the trace", id="a trace of two requests"),
    ],
)
def test_open_loop_gates_that_can_never_pass_are_refused_too(asked: Scenario, hint: str) -> None:
    with pytest.raises(ScenarioError, match=hint):
        check_reachable(asked)


def test_what_the_refusal_proposes_at_a_rate_is_enough() -> None:
    with pytest.raises(ScenarioError) as caught:
        check_reachable(at_a_rate(GOODPUT_95, rates=(500.0,), requests=20, max_requests=20))
    proposed = int(caught.value.problems[0].hint.rsplit(" ", 1)[1])
    check_reachable(at_a_rate(GOODPUT_95, rates=(500.0,), requests=20, max_requests=proposed))


def test_a_trace_has_one_look() -> None:
    (outlook,) = outlooks(replaying(GOODPUT_95, requests=300))
    assert (outlook.requests, outlook.looks) == (300, 1)


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


def test_at_a_rate_the_time_is_that_of_the_arrivals_whatever_the_server_does() -> None:
    asked = at_a_rate(rates=(5.0, 10.0), requests=200, slo=Slo(e2e_ms=1000.0))
    first, second = forecast(asked)
    assert (first.warmup, first.arrivals_s, first.at_slo_s) == (10, 42.0, None)
    assert (second.warmup, second.arrivals_s) == (20, 22.0)


def test_a_ramp_adds_its_time_and_what_comes_in_it() -> None:
    asked = at_a_rate(rates=(5.0, 10.0), requests=200)
    first, second = forecast(replace(asked, load=replace(asked.load, ramp_s=4.0)))
    assert (first.warmup, first.arrivals_s) == (10 + 10, 46.0)
    assert (second.warmup, second.arrivals_s) == (20 + 30, 26.0)


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        pytest.param(None, 240, id="a duration alone"),
        pytest.param(100, 240, id="the duration is later"),
        pytest.param(400, 400, id="the requests are later"),
    ],
)
def test_at_a_rate_a_duration_says_how_many_requests_come(requests: int | None, expected: int) -> None:
    asked = at_a_rate(GOODPUT_95, requests=requests)
    (step,) = forecast(replace(asked, load=replace(asked.load, duration_s=30.0)))
    assert step.requests == expected


def test_a_trace_is_forecast_as_far_as_it_is_replayed() -> None:
    lengths, answers, ids = array("i", [600, 600, 1000]), array("i", [5, 6, 7]), array("q", [1, 2, 1, 2, 1, 3])
    recording = Recording(array("q", [0, 4 * 10**9, 6 * 10**9]), lengths, answers, ids, array("q", [2, 4, 6]), "")
    whole = replace(replaying(requests=3), workload=scenario(unique=False).workload)
    found = forecast_trace(whole, recording)
    assert (found.recorded, found.requests, found.span_s, found.rate_per_s) == (3, 3, 3.0, pytest.approx(2 / 3))
    assert (found.input_tokens, found.output_tokens, found.warmup) == (2200, 18, 8)
    assert found.repeated_share == pytest.approx((600 + 512) / 2200)
    part = forecast_trace(replaying(requests=2), recording)
    assert (part.requests, part.input_tokens, part.repeated_share) == (2, 1200, None)  # salted: nothing repeats
    (step,) = forecast(whole)
    assert (step.requests, step.most_requests, step.input_tokens) == (3, 3, None)
