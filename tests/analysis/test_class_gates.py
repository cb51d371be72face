"""Classes of a mixture: each request is good by the SLO of its class, and a gate on a class sees its requests alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmload.analysis.gates import judge_step, sample_of
from llmload.analysis.judgement import judge
from llmload.analysis.looks import steps_of
from llmload.analysis.metrics import measure
from llmload.analysis.parts import parts_of
from llmload.analysis.sample_size import check_reachable, outlooks
from llmload.analysis.strategy import next_look
from llmload.domain import Observation, Outcome, RequestRecord
from llmload.errors import ScenarioError
from llmload.load.live import is_good
from llmload.planned import Part, Step
from llmload.promises import Slo, slo_of
from llmload.scenario.asked import Scenario
from llmload.scenario.gates import parse_gate
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import Mixture, Synthetic, TrafficClass
from llmload.verdict import Status
from tests.analysis.builders import FACTS, HEADER, STEP, request, scenario, window

PROMPTS = Synthetic(Fixed(100), Fixed(11), unique=True)
FAST, SLOW = Slo(ttft_ms=100), Slo(ttft_ms=1000)
MIXTURE = Mixture((TrafficClass("chat", 0.8, PROMPTS, FAST), TrafficClass("long", 0.2, PROMPTS, SLOW)))


def mixed(*gates: str, requests: int = 500, most: int = 500, slo: Slo | None = None) -> Scenario:
    usual = scenario(*map(parse_gate, gates), requests=requests, max_requests=most, slo=slo)
    return replace(usual, workload=replace(usual.workload, prompts=MIXTURE))


def records(chat_ms: float, long_ms: float, n: int = 500) -> list[RequestRecord]:
    """Every fifth request is a long one."""
    return [
        replace(
            request(seq, at_ms=20.0 * seq, ttft_ms=chat_ms if seq % 5 else long_ms),
            part=Part("chat" if seq % 5 else "long"),
        )
        for seq in range(n)
    ]


def verdicts(found: Scenario, observations: Sequence[Observation]) -> dict[str, Status]:
    judged = judge_step(found.gates, STEP, observations, found, ())
    return {str(verdict.gate): verdict.status for verdict in judged}


def test_a_request_is_good_by_the_slo_of_its_class():
    found = measure([window(records(50, 500))], mixed().promised)
    assert (found.attempts, found.good) == (500, 500)
    assert measure([window(records(50, 500))], FAST).good == 400
    assert measure([window(records(150, 500))], mixed().promised).good == 100


def test_parts_count_each_class_by_its_own_slo():
    parts = parts_of([window(records(150, 500))], mixed().promised)
    assert [(part.name, part.metrics.attempts, part.metrics.good) for part in parts] == [
        ("chat", 400, 0),
        ("long", 100, 100),
    ]


def test_a_class_without_an_slo_keeps_the_one_of_all():
    classes = (replace(MIXTURE.classes[0], slo=None), MIXTURE.classes[1])
    usual = Slo(e2e_ms=2000)
    workload = replace(mixed().workload, prompts=Mixture(classes))
    promised = workload.promised(usual)
    assert [slo_of(promised, name) for name in ("chat", "long", None)] == [usual, SLOW, usual]
    assert replace(workload, prompts=Mixture(classes[:1])).promised(usual) is usual


@pytest.mark.parametrize(
    ("gates", "statuses"),
    [
        pytest.param(
            ("p95(ttft) <= 900ms", "p95(ttft) of chat <= 100ms", "p95(ttft) of long <= 400ms"),
            ("pass", "pass", "fail"),
            id="one class fails where the whole passes",
        ),
        pytest.param(
            ("goodput >= 95%", "goodput of chat >= 95%", "goodput of long >= 95%"),
            ("pass", "pass", "pass"),
            id="goodput by the SLO of each",
        ),
        pytest.param(
            ("mean(ttft) <= 100ms", "mean(ttft) of chat <= 60ms", "mean(ttft) of long <= 60ms"),
            ("fail", "pass", "fail"),
            id="means",
        ),
        pytest.param(
            ("max(ttft) <= 100ms", "max(ttft) of chat <= 100ms", "max(ttft) of long <= 100ms"),
            ("fail", "pass", "fail"),
            id="maxima",
        ),
        pytest.param(
            ("rps >= 42/s", "rps of chat >= 42/s", "rps of chat >= 30/s"), ("pass", "fail", "pass"), id="rates"
        ),
        pytest.param(
            ("error_rate <= 5%", "error_rate of chat <= 5%", "error_rate of long <= 5%"),
            ("pass", "pass", "pass"),
            id="errors",
        ),
    ],
)
def test_a_gate_on_a_class_judges_its_requests_alone(gates: tuple[str, ...], statuses: tuple[str, ...]):
    slower = [window(records(50, 500))]
    assert tuple(verdicts(mixed(*gates), slower).values()) == statuses


def test_the_errors_of_one_class_break_its_gate_and_not_that_of_another():
    broken = [
        replace(request(seq, at_ms=20.0 * seq, outcome=Outcome.HTTP_ERROR), part=record.part)
        if record.part.traffic_class == "long"
        else record
        for seq, record in enumerate(records(50, 500))
    ]
    found = verdicts(mixed("error_rate of chat <= 5%", "error_rate of long <= 5%"), [window(broken)])
    assert tuple(found.values()) == (Status.PASS, Status.FAIL)


def test_a_class_without_requests_is_an_error_and_no_pass():
    nobody = [record for record in records(50, 500) if record.part.traffic_class == "chat"]
    found = judge_step(mixed("goodput of long >= 95%").gates, STEP, [window(nobody)], mixed(), ())
    assert [(verdict.status, verdict.kind) for verdict in found] == [(Status.ERROR, "NoData")]


def test_the_reason_counts_what_broke_against_the_slo_of_each_class():
    found = judge_step(mixed("goodput >= 95%").gates, STEP, [window(records(150, 1500))], mixed(), ())
    assert found[0].because.endswith("not good: 400 over ttft 100ms, 100 over ttft 1s")


# ---------------------------------------------------------------- samples


def test_a_class_is_planned_its_share_of_the_requests():
    found = outlooks(mixed("goodput >= 90%", "goodput of long >= 90%", requests=500, most=1600))
    assert [(each.requests, each.looks) for each in found] == [(1600, 3), (320, 3)]


def test_a_gate_that_its_class_is_too_small_for_is_told_with_a_way_out():
    small = mixed("goodput >= 90%", "p95(ttft) of long <= 100ms", requests=200, most=200)
    with pytest.raises(ScenarioError) as caught:
        check_reachable(small)
    (problem,) = caught.value.problems
    assert problem.message == (
        "p95(ttft) of long <= 100ms can never pass at concurrency 8 with 40 requests of the class long"
    )
    wanted = int(problem.hint.rpartition(" ")[2])
    check_reachable(replace(small, decision=replace(small.decision, max_requests=wanted)))
    assert wanted > 5 * 59


def test_a_class_that_gets_no_request_at_all_is_told_too():
    rare = Mixture((replace(MIXTURE.classes[0], share=0.999), replace(MIXTURE.classes[1], share=0.001)))
    found = mixed("goodput of long >= 90%", requests=200, most=200)
    found = replace(found, workload=replace(found.workload, prompts=rare))
    with pytest.raises(ScenarioError) as caught:
        check_reachable(found)
    assert "with 0 requests of the class long" in str(caught.value)
    assert "set load.requests to" in str(caught.value)


def test_sampling_goes_on_while_a_class_is_undecided():
    found = mixed("goodput >= 90%", "goodput of long >= 90%", requests=200, most=800)
    first = window(records(50, 500, 200))
    assert verdicts(found, [first]) == {"goodput >= 90%": "pass", "goodput of long >= 90%": "inconclusive"}
    look = next_look(found, [first])
    assert look is not None
    assert (look.step, look.number, look.requests) == (steps_of(found)[0], 1, 200)
    assert next_look(replace(found, gates=found.gates[:1]), [first]) is None


def test_a_running_window_counts_what_the_judgement_counts():
    promised = mixed(slo=Slo(e2e_ms=10_000)).promised
    for record in records(150, 500, 10):
        live = is_good(record, slo_of(promised, record.part.traffic_class), record.sent_ns)
        assert live is (measure([window([record])], promised).good == 1)


def test_a_gate_on_a_class_is_not_what_the_capacity_is_known_by():
    found = mixed("goodput of chat >= 50%")
    judged = judge(HEADER, found, FACTS, [window(records(50, 500))], finished=None)
    assert judged.knee is not None
    assert (judged.knee.target, judged.knee.at_slo, judged.profile) == (0.95, 8.0, None)


def test_one_request_more_than_its_share_makes_no_larger_blocks_of_a_class():
    one_more = [replace(each, part=Part("chat")) if each.seq == 0 else each for each in records(50, 500)]
    step = Step(0, "concurrency", 10.0)
    seen = window(one_more)
    sample = sample_of(step, [replace(seen, look=replace(seen.look, step=step))], mixed())
    assert [replace(sample, traffic_class=name).block for name in ("chat", "long", None)] == [8, 2, 10]
