"""Gates of every kind, one step at a time: what passes, what fails, and what nobody may decide."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from llmload.analysis.attempts import attempts_of
from llmload.analysis.gates import judge_step
from llmload.analysis.shares import decide_share, least_block
from llmload.domain import Ending, Observation, Outcome, RequestRecord, TokenSource
from llmload.planned import Step
from llmload.promises import At, Bound, Change, Gate, Slo
from llmload.scenario.asked import OpenLoop, Poisson, Trace
from llmload.verdict import Caveat, Status, Verdict
from tests.analysis.builders import GOODPUT_95, MS, SLO, STEP, good_and_bad, paced, request, scenario, window

NEVER = float("inf")


RATE = OpenLoop((8.0,), Poisson())


def judged(gate: Gate, records: Sequence[RequestRecord], *, slo: Slo | None = SLO) -> Verdict:
    """The verdict of one gate on one window that is the only look."""
    asked = scenario(gate, requests=len(records), max_requests=len(records), slo=slo)
    (verdict,) = judge_step((gate,), STEP, [window(records)], asked, ())
    return verdict


def at_most(subject: str, stat: str | None, value: float) -> Gate:
    """`stat(subject) <= value`."""
    return Gate(subject, Bound("<=", value), stat)


def at_least(subject: str, value: float, stat: str | None = None) -> Gate:
    """`subject >= value`."""
    return Gate(subject, Bound(">=", value), stat)


SLOWER_TAIL = [50.0 + (i * 37) % 100 for i in range(400)]  # TTFT 50..149 ms, each value four times, well mixed

CASES = [
    pytest.param(GOODPUT_95, good_and_bad(200, 0), Status.PASS, id="all good"),
    pytest.param(GOODPUT_95, good_and_bad(190, 10), Status.INCONCLUSIVE, id="goodput exactly at the limit"),
    pytest.param(GOODPUT_95, good_and_bad(150, 50), Status.FAIL, id="a quarter is slow"),
    pytest.param(GOODPUT_95, paced([50, 50, 50, NEVER] * 50), Status.FAIL, id="a quarter failed"),
    pytest.param(at_most("goodput", None, 0.5), good_and_bad(20, 180), Status.PASS, id="goodput at most half"),
    pytest.param(at_most("error_rate", None, 0.1), paced([50.0] * 200), Status.PASS, id="no errors"),
    pytest.param(at_most("error_rate", None, 0.1), paced([50, 50, 50, NEVER] * 50), Status.FAIL, id="many errors"),
    pytest.param(at_least("error_rate", 0.1), paced([50, 50, 50, NEVER] * 50), Status.PASS, id="errors were wanted"),
    pytest.param(at_most("ttft", "p90", 145), SLOWER_TAIL, Status.PASS, id="p90 well within"),
    pytest.param(at_most("ttft", "p90", 139), SLOWER_TAIL, Status.INCONCLUSIVE, id="p90 at the limit"),
    pytest.param(at_most("ttft", "p90", 120), SLOWER_TAIL, Status.FAIL, id="p90 beyond"),
    pytest.param(at_most("ttft", "p50", 110), SLOWER_TAIL, Status.PASS, id="median within"),
    pytest.param(at_least("ttft", 60, "p90"), SLOWER_TAIL, Status.PASS, id="p90 at least"),
    pytest.param(at_least("ttft", 149, "p50"), SLOWER_TAIL, Status.FAIL, id="median at least, and is not"),
    pytest.param(at_most("ttft", "p95", 100), [50.0, 50, 50, NEVER] * 50, Status.FAIL, id="failed ones are over"),
    pytest.param(at_most("ttft", "max", 149), SLOWER_TAIL, Status.PASS, id="max touches the bound"),
    pytest.param(at_most("ttft", "max", 148), SLOWER_TAIL, Status.FAIL, id="one attempt beyond the max"),
    pytest.param(at_most("ttft", "max", 500), [50.0] * 99 + [NEVER], Status.FAIL, id="a failed one beyond every max"),
    pytest.param(at_least("ttft", 149, "max"), SLOWER_TAIL, Status.PASS, id="max at least"),
    pytest.param(at_least("ttft", 150, "max"), SLOWER_TAIL, Status.FAIL, id="max at least, and is not"),
    pytest.param(at_most("ttft", "mean", 110), SLOWER_TAIL, Status.PASS, id="mean within"),
    pytest.param(at_most("ttft", "mean", 99.5), SLOWER_TAIL, Status.INCONCLUSIVE, id="mean at the limit"),
    pytest.param(at_most("ttft", "mean", 80), SLOWER_TAIL, Status.FAIL, id="mean beyond"),
    pytest.param(at_most("ttft", "mean", 60), [50.0, NEVER] * 100, Status.PASS, id="failed ones count as the bound"),
    pytest.param(at_least("ttft", 60, "mean"), SLOWER_TAIL, Status.PASS, id="mean at least"),
    pytest.param(at_least("rps", 30), [50.0] * 200, Status.PASS, id="requests per second"),
    pytest.param(at_least("rps", 48), [50.0] * 200, Status.INCONCLUSIVE, id="throughput at the limit"),
    pytest.param(at_least("rps", 80), [50.0] * 200, Status.FAIL, id="too few requests per second"),
    pytest.param(at_most("rps", None, 80), [50.0] * 200, Status.PASS, id="throughput at most"),
    pytest.param(at_least("output_tps", 400), [50.0] * 200, Status.PASS, id="output tokens per second"),
    pytest.param(at_least("output_tps", 900), [50.0] * 200, Status.FAIL, id="too few output tokens"),
    pytest.param(at_least("total_tps", 4000), [50.0] * 200, Status.PASS, id="prompt tokens count for the total"),
    pytest.param(at_most("tpot", "p95", 10.5), [50.0] * 200, Status.PASS, id="tpot"),
    pytest.param(at_most("itl_max", "p99", 9), [50.0] * 200, Status.FAIL, id="largest gap"),
    pytest.param(at_most("lag", "p95", 1), [50.0] * 200, Status.PASS, id="our own lateness"),
    pytest.param(at_most("e2e", "p95", 160), [50.0] * 200, Status.PASS, id="e2e"),
    pytest.param(at_most("ttfo", "p95", 49), [50.0] * 200, Status.FAIL, id="first answer text"),
]


@pytest.mark.parametrize(("gate", "what", "status"), CASES)
def test_a_gate_speaks_only_when_the_interval_does(gate: Gate, what: list[object], status: Status) -> None:
    records = what if isinstance(what[0], RequestRecord) else paced(what)  # type: ignore[arg-type]  # either of two
    verdict = judged(gate, records)  # type: ignore[arg-type]
    assert verdict.status is status, verdict.because
    assert bool(verdict.remedy) is (status is not Status.PASS)


@pytest.mark.parametrize(("gate", "what", "status"), CASES)
def test_a_gate_that_passes_and_its_opposite_never_both_pass(gate: Gate, what: list[object], status: Status) -> None:
    assert isinstance(gate.promise, Bound)
    turned = replace(gate, promise=replace(gate.promise, op="<=" if gate.promise.op == ">=" else ">="))
    records = what if isinstance(what[0], RequestRecord) else paced(what)  # type: ignore[arg-type]
    other = judged(turned, records)  # type: ignore[arg-type]
    touching = gate.stat == "max" and other.evidence is not None and other.evidence.observed == gate.promise.value
    if status is Status.PASS and not touching:
        assert other.status is not Status.PASS, other.because


def test_the_reason_names_figures_confidence_and_what_broke() -> None:
    verdict = judged(GOODPUT_95, good_and_bad(150, 50))
    assert verdict.because == (
        "150 of 200 requests good (75%); at 95% confidence at most 80.23% are, 95% wanted; not good: 50 over ttft 100ms"
    )
    assert (verdict.kind, verdict.step) == ("SloViolation", "concurrency 8")


@pytest.mark.parametrize(
    ("what", "advice"),
    [
        pytest.param([50.0, NEVER] * 100, "error counts", id="broken by failures"),
        pytest.param([50.0, 900.0] * 100, "Lower the load", id="broken by slow answers"),
        pytest.param([50.0, 900.0, 900.0, NEVER] * 50, "Lower the load", id="most of what broke it was slow"),
    ],
)
def test_what_to_do_about_a_broken_promise_depends_on_what_broke_it(what: list[float], advice: str) -> None:
    verdict = judged(GOODPUT_95, paced(what))
    assert verdict.status is Status.FAIL
    assert advice in verdict.remedy


def test_the_evidence_carries_n_deff_and_effective_n() -> None:
    evidence = judged(GOODPUT_95, good_and_bad(200, 0)).evidence
    assert evidence is not None
    assert (evidence.n, evidence.observed, evidence.target, evidence.looks) == (200, 1.0, 0.95, 1)
    assert evidence.deff == pytest.approx(1.105, abs=1e-3)
    assert evidence.effective_n == pytest.approx(200 / 1.105, abs=0.5)


def test_bad_requests_in_one_clump_prove_less_than_the_same_number_spread() -> None:
    clump = judged(GOODPUT_95, paced([50.0] * 300 + [200.0] * 60 + [50.0] * 440))
    spread = judged(GOODPUT_95, good_and_bad(740, 60))
    assert (clump.status, spread.status) == (Status.INCONCLUSIVE, Status.FAIL)


# ---------------------------------------------------------------- too little


def test_fewer_than_four_blocks_decide_nothing_and_say_how_many_requests_would() -> None:
    step = Step(0, "concurrency", 100.0)
    asked = scenario(GOODPUT_95, concurrency=(100,), requests=300, max_requests=300)
    (verdict,) = judge_step((GOODPUT_95,), step, [window(good_and_bad(300, 0), step=step)], asked, ())
    assert (verdict.status, verdict.kind) == (Status.INCONCLUSIVE, "TooFewRequests")
    assert "at least 400 requests in one window" in verdict.remedy


def test_a_pass_needs_the_worth_of_59_independent_requests_even_for_a_modest_target() -> None:
    half = np.ones(60, dtype=np.bool_)
    assert decide_share([half], 0.5, block=1, alpha=0.05).status is Status.INCONCLUSIVE
    assert decide_share([np.ones(70, dtype=np.bool_)], 0.5, block=1, alpha=0.05).status is Status.PASS


@pytest.mark.parametrize(
    ("gate", "records", "kind", "hint"),
    [
        pytest.param(
            at_least("goodput", 0.5), good_and_bad(60, 0), "TooFewRequests", "needs 59", id="too few effective"
        ),
        pytest.param(GOODPUT_95, good_and_bad(190, 10), "TooCloseToCall", "more concurrency", id="target inside"),
    ],
)
def test_an_open_verdict_says_what_would_close_it(
    gate: Gate, records: list[RequestRecord], kind: str, hint: str
) -> None:
    verdict = judged(gate, records)
    assert (verdict.status, verdict.kind) == (Status.INCONCLUSIVE, kind)
    assert hint in verdict.remedy


@pytest.mark.parametrize(
    ("load", "hint"),
    [
        pytest.param({"requests": None, "duration_s": 2.0, "shape": RATE}, "load.duration", id="a duration"),
        pytest.param({"shape": Trace("t.jsonl", 1.0)}, "more of the trace", id="a trace"),
        pytest.param({"shape": RATE}, "decision.max_requests", id="a rate"),
    ],
)
def test_what_would_close_an_open_verdict_is_something_that_the_load_has(load: dict[str, object], hint: str) -> None:
    asked = scenario(GOODPUT_95)
    asked = replace(asked, load=replace(asked.load, **load))  # type: ignore[arg-type]
    (verdict,) = judge_step((GOODPUT_95,), STEP, [window(good_and_bad(190, 10))], asked, ())
    assert verdict.status is Status.INCONCLUSIVE
    assert (hint in verdict.remedy, "concurrency" in verdict.remedy) == (True, False)


def test_a_mean_of_a_few_requests_decides_nothing() -> None:
    assert judged(at_most("ttft", "mean", 100), paced([50.0] * 19)).status is Status.INCONCLUSIVE


def test_blocks_of_an_open_loop_last_as_long_as_the_slowest_answers() -> None:
    """At 100 requests a second and a p99 of 150 ms, 15 requests are on the server together."""
    attempts = attempts_of([window(paced([50.0] * 200))])
    assert least_block(Step(0, "rate", 100.0), attempts) == 15
    assert least_block(Step(0, "concurrency", 7.0), attempts) == 7


# ---------------------------------------------------------------- no data


@pytest.mark.parametrize(
    ("gate", "records", "why"),
    [
        pytest.param(GOODPUT_95, [], "no request was measured", id="nothing measured"),
        pytest.param(at_most("ttft", "p95", 1e9), [], "no request was measured", id="nothing measured, latency"),
        pytest.param(at_least("rps", 0.001), [], "no request was measured", id="nothing measured, rate"),
        pytest.param(
            at_most("tpot", "p95", 1e9), [request(i, tokens=1) for i in range(200)], "no tpot", id="one token each"
        ),
        pytest.param(
            at_most("ttft", "mean", 1e9),
            [replace(request(i), is_streamed=False, event_ns=array("q", [MS])) for i in range(200)],
            "no ttft",
            id="not streamed",
        ),
        pytest.param(
            GOODPUT_95,
            [replace(request(i), is_streamed=False, event_ns=array("q", [MS])) for i in range(200)],
            "no ttft",
            id="an SLO term that applies to nobody",
        ),
        pytest.param(
            at_least("output_tps", 0.1),
            [replace(request(i), output_tokens=None) for i in range(200)],
            "no token count",
            id="tokens not told",
        ),
        pytest.param(
            Gate("goodput", Bound(">=", 0.95)),
            [replace(r, output_tokens=r.output_tokens if r.seq < 20 else None) for r in paced([50.0] * 200)],
            "no token count",
            id="a tpot term that most requests would keep for want of a count",
        ),
        pytest.param(
            at_least("total_tps", 0.1),
            [replace(request(i), input_tokens=None) for i in range(200)],
            "no count of input tokens",
            id="prompt tokens not told",
        ),
    ],
)
def test_a_gate_without_data_is_an_error_and_never_a_pass(gate: Gate, records: list[RequestRecord], why: str) -> None:
    verdict = judged(gate, records, slo=Slo(ttft_ms=100, tpot_ms=100))
    assert (verdict.status, verdict.kind) == (Status.ERROR, "NoData")
    assert why in verdict.because


@pytest.mark.parametrize(
    ("gate", "slo", "status"),
    [
        pytest.param(at_least("output_tps", 1), SLO, Status.ERROR, id="throughput in tokens"),
        pytest.param(at_most("tpot", "p95", 100), SLO, Status.ERROR, id="tpot"),
        pytest.param(GOODPUT_95, Slo(tpot_ms=100), Status.ERROR, id="goodput with a tpot term"),
        pytest.param(GOODPUT_95, SLO, Status.PASS, id="goodput without one"),
        pytest.param(at_most("ttft", "p95", 100), SLO, Status.PASS, id="ttft needs no tokens"),
    ],
)
def test_an_estimate_of_tokens_never_decides_a_gate(gate: Gate, slo: Slo, status: Status) -> None:
    records = [replace(r, token_source=TokenSource.ESTIMATE) for r in paced([50.0] * 200)]
    assert judged(gate, records, slo=slo).status is status


def test_a_latency_that_does_not_apply_to_a_request_skips_it() -> None:
    mixed = [request(i, at_ms=20 * i, tokens=1 if i % 2 else 11) for i in range(400)]
    verdict = judged(at_most("tpot", "p95", 10), mixed)
    assert (verdict.status, verdict.evidence.n) == (Status.PASS, 200)  # type: ignore[union-attr]  # None fails as well


@pytest.mark.parametrize(
    "gate",
    [GOODPUT_95, at_most("ttft", "p95", 1e9), at_most("ttft", "mean", 1e9), at_least("rps", 0.1)],
    ids=str,
)
def test_a_step_in_which_all_fail_is_a_fail_and_not_an_error(gate: Gate) -> None:
    verdict = judged(gate, paced([NEVER] * 200))
    assert (verdict.status, verdict.kind) == (Status.FAIL, "SloViolation")
    assert "none of 200 requests" in verdict.because


def test_a_fatal_caveat_makes_every_verdict_an_error_of_its_kind() -> None:
    late = Caveat("client was late", "p99 40ms", "Give it a core", is_fatal=True, kind="ClientSaturated")
    asked = scenario(GOODPUT_95)
    (verdict,) = judge_step((GOODPUT_95,), STEP, [window(good_and_bad(150, 50))], asked, (late,))
    assert (verdict.status, verdict.kind, verdict.remedy) == (Status.ERROR, "ClientSaturated", "Give it a core")


def test_a_caveat_that_is_not_fatal_leaves_the_verdict_alone() -> None:
    asked = scenario(GOODPUT_95)
    shown = Caveat("estimate of tokens", "", "")
    (verdict,) = judge_step((GOODPUT_95,), STEP, [window(good_and_bad(200, 0))], asked, (shown,))
    assert verdict.status is Status.PASS


def test_a_relative_gate_without_a_baseline_compares_with_nothing() -> None:
    verdict = judged(Gate("ttft", Change(0.05), "p50"), paced([50.0] * 200))
    assert (verdict.status, verdict.kind) == (Status.INCOMPARABLE, "NoBaseline")


# ---------------------------------------------------------------- looks


def looks(*windows: Sequence[RequestRecord]) -> list[Observation]:
    """These windows as the looks of one step."""
    return [window(records, number=number) for number, records in enumerate(windows)]


def test_the_first_decision_stays_whatever_later_windows_show() -> None:
    asked = scenario(GOODPUT_95)
    observations = looks(good_and_bad(200, 0), good_and_bad(0, 200))
    (verdict,) = judge_step((GOODPUT_95,), STEP, observations, asked, ())
    assert (verdict.status, verdict.evidence.n) == (Status.PASS, 200)  # type: ignore[union-attr]


def test_looks_are_replayed_in_their_order_and_not_in_that_of_the_list() -> None:
    asked = scenario(GOODPUT_95)
    observations = looks(good_and_bad(200, 0), good_and_bad(0, 200))
    assert judge_step((GOODPUT_95,), STEP, observations[::-1], asked, ()) == judge_step(
        (GOODPUT_95,), STEP, observations, asked, ()
    )


def test_each_look_decides_at_its_part_of_the_level() -> None:
    asked = scenario(GOODPUT_95, requests=200, max_requests=1600)
    (verdict,) = judge_step((GOODPUT_95,), STEP, looks(good_and_bad(200, 0)), asked, ())
    assert verdict.evidence is not None
    assert (verdict.evidence.looks, verdict.evidence.confidence) == (4, pytest.approx(1 - 0.05 / 4))


@pytest.mark.parametrize("gate", [at_most("ttft", "mean", 80), at_least("rps", 40)], ids=str)
def test_means_and_rates_keep_their_first_decision_as_well(gate: Gate) -> None:
    asked = scenario(gate)
    slow = paced([500.0] * 200, every_ms=500)
    (verdict,) = judge_step((gate,), STEP, looks(paced([50.0] * 200), slow), asked, ())
    assert verdict.status is Status.PASS


def test_a_maximum_speaks_of_every_window() -> None:
    gate = at_most("ttft", "max", 100)
    observations = looks(paced([50.0] * 200), paced([50.0] * 199 + [101.0]))
    (verdict,) = judge_step((gate,), STEP, observations, scenario(gate), ())
    assert verdict.status is Status.FAIL


def test_interrupted_windows_are_not_judged() -> None:
    broken = window(good_and_bad(0, 200), ending=Ending.INTERRUPTED)
    (verdict,) = judge_step((GOODPUT_95,), STEP, [broken], scenario(GOODPUT_95), ())
    assert verdict.kind == "NoData"


def test_only_gates_that_speak_of_the_step_are_judged() -> None:
    here, elsewhere = (replace(GOODPUT_95, at=At("concurrency", op, 8)) for op in ("<=", "=="))
    far = replace(GOODPUT_95, at=At("concurrency", ">=", 9))
    verdicts = judge_step((here, elsewhere, far), STEP, [window(good_and_bad(200, 0))], scenario(), ())
    assert [verdict.gate for verdict in verdicts] == [here, elsewhere]


def test_cancelled_requests_neither_pass_nor_fail_a_gate() -> None:
    cancelled = [replace(request(1000 + i), outcome=Outcome.CANCELLED) for i in range(100)]
    assert judged(GOODPUT_95, [*good_and_bad(200, 0), *cancelled]).status is Status.PASS


@pytest.mark.parametrize("gate", [at_most("ttft", "p90", 1e9), at_most("e2e", "p50", 1e9)], ids=str)
def test_empty_answers_are_beyond_every_latency_limit(gate: Gate) -> None:
    whole = paced([50.0] * 200)
    silent = [whole[0], *(replace(record, event_ns=array("q"), answer_ns=None) for record in whole[1:])]
    assert judged(gate, silent).status is Status.FAIL


@pytest.mark.parametrize("gate", [at_most("tpot", "p90", 1e9), at_most("tpot", "mean", 1e9)], ids=str)
def test_answers_that_came_in_one_read_show_no_pace_and_pass_no_promise_of_it(gate: Gate) -> None:
    held_back = [
        replace(record, event_ns=array("q", [record.event_ns[-1]] * len(record.event_ns)))
        for record in paced([50.0] * 200)
    ]
    verdict = judged(gate, held_back)
    assert (verdict.status, verdict.kind) == (Status.ERROR, "NoData")
