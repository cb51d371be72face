"""A whole run: outcomes to exit codes, partial runs, and the one sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmload.analysis.judgement import judge
from llmload.domain import Ending, Observation, RequestRecord, RunResult
from llmload.errors import TargetError
from llmload.planned import Step
from llmload.promises import At, Bound, Change, Gate, Level
from llmload.scenario.asked import Constant, Gamma, OpenLoop, Poisson, Scenario, Trace
from llmload.verdict import Caveat, Status
from tests.analysis.builders import FACTS, GOODPUT_95, HEADER, good_and_bad, paced, scenario, window
from tests.analysis.test_strategy import observed

NEVER = float("inf")
GOOD, OPEN, BAD, DEAD = good_and_bad(200, 0), good_and_bad(190, 10), good_and_bad(100, 100), paced([NEVER] * 200)
TPOT_OF_ONE = [replace(record, output_tokens=1) for record in GOOD]
DOWN = TargetError("http://127.0.0.1:9", "nobody answers", "Start the server", kind="ServerNotReady")

WARN = replace(GOODPUT_95, level=Level.WARN)
TPOT = Gate("tpot", Bound("<=", 100), "p95")
RELATIVE = Gate("ttft", Change(0.05), "p50")
AT_8, AT_16 = (replace(GOODPUT_95, at=At("concurrency", "==", value)) for value in (8, 16))


def run(
    asked: Scenario, *windows: Sequence[object], trouble: TargetError | None = None, finished: str | None = "later"
) -> RunResult:
    """Judge what these windows, one look a step, left behind."""
    observations = observed(asked, *windows)  # type: ignore[arg-type]  # lists of records
    return judge(HEADER, asked, FACTS, observations, finished=finished, trouble=trouble)


def once(*gates: Gate, concurrency: Sequence[int] = (8,), on_inconclusive: str = "warn") -> Scenario:
    """A scenario whose every step is one look of 200 requests."""
    return scenario(*gates, concurrency=concurrency, max_requests=200, on_inconclusive=on_inconclusive)


STRICT = once(GOODPUT_95, on_inconclusive="fail")
NEEDS_BASELINE = replace(once(RELATIVE), decision=replace(once().decision, on_missing_baseline="fail"))

OUTCOMES = [
    pytest.param(run(once(GOODPUT_95), GOOD), Status.PASS, 0, id="every gate passes"),
    pytest.param(run(once(GOODPUT_95), BAD), Status.FAIL, 3, id="a gate fails"),
    pytest.param(run(once(WARN), BAD), Status.PASS, 0, id="a warn-level gate fails"),
    pytest.param(run(once(WARN, GOODPUT_95), BAD), Status.FAIL, 3, id="a warn-level and a binding gate fail"),
    pytest.param(run(once(GOODPUT_95), OPEN), Status.INCONCLUSIVE, 0, id="inconclusive, policy warn"),
    pytest.param(run(STRICT, OPEN), Status.INCONCLUSIVE, 4, id="inconclusive, policy fail"),
    pytest.param(run(once(RELATIVE), GOOD), Status.INCOMPARABLE, 0, id="no baseline, policy warn"),
    pytest.param(run(NEEDS_BASELINE, GOOD), Status.INCOMPARABLE, 4, id="no baseline, policy fail"),
    pytest.param(run(once(TPOT), TPOT_OF_ONE), Status.ERROR, 5, id="a gate without data"),
    pytest.param(run(once(GOODPUT_95), DEAD), Status.ERROR, 5, id="every request of the run failed"),
    pytest.param(run(once(GOODPUT_95, concurrency=(8, 16)), GOOD, DEAD), Status.FAIL, 3, id="all of a later step fail"),
    pytest.param(run(once(), GOOD), Status.NOT_GATED, 0, id="no gates, measured"),
    pytest.param(run(once(), DEAD), Status.ERROR, 5, id="no gates, nothing succeeded"),
    pytest.param(run(once(GOODPUT_95), trouble=DOWN), Status.ERROR, 5, id="server down"),
    pytest.param(run(once(), trouble=DOWN), Status.ERROR, 5, id="server down without gates"),
    pytest.param(
        run(once(GOODPUT_95, TPOT), [replace(r, output_tokens=1) for r in BAD]), Status.FAIL, 3, id="3 over 5"
    ),
    pytest.param(
        run(once(AT_8, TPOT, on_inconclusive="fail"), [replace(r, output_tokens=1) for r in OPEN]),
        Status.ERROR,
        5,
        id="5 over 4",
    ),
    pytest.param(
        run(once(AT_8, AT_16, concurrency=(8, 16), on_inconclusive="fail"), GOOD, OPEN),
        Status.INCONCLUSIVE,
        4,
        id="4 over 0",
    ),
    pytest.param(run(once(AT_8, AT_16, concurrency=(8, 16)), BAD, trouble=DOWN), Status.FAIL, 3, id="3, then down"),
    pytest.param(
        run(once(AT_8, AT_16, concurrency=(8, 16)), GOOD, trouble=DOWN), Status.ERROR, 5, id="passed, then down"
    ),
    pytest.param(run(once(AT_8, AT_16, concurrency=(8, 16)), GOOD), Status.ERROR, 5, id="a gated step never measured"),
]


@pytest.mark.parametrize(("result", "status", "exit_code"), OUTCOMES)
def test_the_outcome_of_a_run_is_its_exit_code(result: RunResult, status: Status, exit_code: int) -> None:
    assert (result.status, result.exit_code) == (status, exit_code), result.because
    assert result.because
    assert "\n" not in result.because


def test_server_down_says_where_and_what_to_do_and_every_gate_is_an_error_of_its_kind() -> None:
    result = run(once(GOODPUT_95, concurrency=(8, 16)), trouble=DOWN)
    assert result.because == "could not measure: the server could not be used: http://127.0.0.1:9: nobody answers"
    assert result.caveats[0].remedy == "Start the server"
    assert [(v.status, v.kind) for v in result.verdicts] == [(Status.ERROR, "ServerNotReady")] * 2
    assert all(step.metrics.attempts == 0 and not step.looks for step in result.steps)


def test_the_verdict_of_a_measured_step_outlives_the_server() -> None:
    result = run(once(AT_8, AT_16, concurrency=(8, 16)), GOOD, trouble=DOWN)
    assert [v.status for v in result.verdicts] == [Status.PASS, Status.ERROR]


def test_nothing_succeeded_names_the_errors() -> None:
    result = run(once(GOODPUT_95), DEAD)
    assert "all 200 requests of the run failed (HTTP_500)" in result.because
    assert [v.kind for v in result.verdicts] == ["NoData"]


def test_a_fatal_caveat_of_a_step_makes_its_gates_errors_and_leaves_other_steps_alone() -> None:
    asked = once(AT_8, AT_16, concurrency=(8, 16))
    first, second = observed(asked, GOOD, GOOD)
    moved = Caveat("the model changed", "", "Pin it", is_fatal=True, kind="ServerChanged")
    result = judge(HEADER, asked, FACTS, [replace(first, caveats=(moved,)), second], finished="later")
    assert [v.status for v in result.verdicts] == [Status.ERROR, Status.PASS]
    assert result.exit_code == 5


def test_an_ungated_run_that_cannot_be_trusted_was_not_measured() -> None:
    (seen,) = observed(once(), GOOD)
    moved = Caveat("the model changed", "", "Pin it", is_fatal=True, kind="ServerChanged")
    result = judge(HEADER, once(), FACTS, [replace(seen, caveats=(moved,))], finished="later")
    assert (result.status, result.exit_code) == (Status.ERROR, 5)


def test_an_interrupted_run_is_judged_on_its_whole_windows_and_says_so() -> None:
    asked = once(AT_8, concurrency=(8, 16))
    (whole,) = observed(asked, GOOD)
    part = replace(window(BAD, step=whole.look.step, number=1), ending=Ending.INTERRUPTED)
    result = judge(HEADER, asked, FACTS, [whole, part], finished=None)
    assert (result.status, result.exit_code) == (Status.PASS, 0)
    assert result.because.endswith("(not complete: judged on 1 window of 1 of 2 steps)")
    assert [step.step.value for step in result.steps] == [8]


def test_steps_that_a_stopped_run_never_came_to_say_so_and_the_others_are_left_alone() -> None:
    asked = once(GOODPUT_95, concurrency=(8, 16))
    stopped = Caveat("the run is not complete", "stopped", "Go on with it", is_fatal=True, kind="NotMeasured")
    result = judge(HEADER, asked, FACTS, observed(asked, GOOD), finished=None, cut_short=stopped)
    (measured,), (missing,) = (step.verdicts for step in result.steps)
    assert measured.status is Status.PASS
    assert (missing.because, missing.remedy) == (f"could not measure: {stopped.rule}: stopped", "Go on with it")
    assert result.caveats == (replace(stopped, is_fatal=False),)
    whole = judge(HEADER, asked, FACTS, observed(asked, GOOD, GOOD), finished=None, cut_short=stopped)
    assert (whole.caveats, whole.because) == ((), "Every gate holds"), "it was stopped after its last window"


def test_a_run_that_is_complete_does_not_say_so() -> None:
    assert run(once(GOODPUT_95), GOOD).because == "Every gate holds"


def test_the_reason_of_a_failed_run_names_the_gate_the_step_and_the_figures() -> None:
    because = run(once(GOODPUT_95), BAD).because
    assert because.startswith("goodput >= 95% at concurrency 8: 100 of 200 requests good (50%)")


def test_resuming_needs_no_more_than_the_whole_windows() -> None:
    asked = once(GOODPUT_95, concurrency=(8, 16))
    everything: list[Observation] = observed(asked, GOOD, GOOD)
    at_once = judge(HEADER, asked, FACTS, everything, finished="later")
    assert judge(HEADER, asked, FACTS, everything[::-1], finished="later") == at_once


def test_stored_windows_can_be_judged_by_another_ladder() -> None:
    observations = observed(once(concurrency=(8, 16)), GOOD, BAD)
    other = once(AT_16, concurrency=(16,))
    result = judge(HEADER, other, FACTS, observations, finished="later")
    assert [step.step.value for step in result.steps] == [16, 8]
    assert result.exit_code == 3


# ---------------------------------------------------------------- guards


GUARD = Caveat("guard dead_server tripped", "no answer for 10s", "See the log", is_fatal=True, kind="GuardTripped")


def given_up(step: Step) -> Observation:
    """A window that a guard ended in its warm-up."""
    return replace(window([], step=step, ending=Ending.GUARD), caveats=(GUARD,))


def test_what_a_guard_kept_from_being_measured_is_an_error_in_its_words() -> None:
    asked = once(GOODPUT_95, concurrency=(8, 16, 32))
    observations = [*observed(once(concurrency=(8,)), GOOD), given_up(Step(1, "concurrency", 16.0))]
    result = judge(HEADER, asked, FACTS, observations, finished="later")
    assert (result.exit_code, result.status) == (5, Status.ERROR)
    assert [(verdict.status, verdict.kind) for verdict in result.verdicts] == [
        (Status.PASS, ""),
        (Status.ERROR, "GuardTripped"),
        (Status.ERROR, "GuardTripped"),
    ]
    assert result.because == f"could not measure: {GUARD.rule}: {GUARD.figure}"


@pytest.mark.parametrize(
    ("gates", "first", "code"),
    [
        pytest.param((replace(GOODPUT_95, at=At("concurrency", "==", 8)),), GOOD, 5, id="its only gate holds"),
        pytest.param((), GOOD, 5, id="without gates"),
        pytest.param((GOODPUT_95,), BAD, 3, id="an earlier step that failed has failed"),
    ],
)
def test_a_run_that_a_guard_ended_is_not_measured_unless_a_gate_has_failed(
    gates: tuple[Gate, ...], first: list[RequestRecord], code: int
) -> None:
    asked = once(*gates, concurrency=(8, 16))
    observations = [*observed(once(concurrency=(8,)), first), given_up(Step(1, "concurrency", 16.0))]
    assert judge(HEADER, asked, FACTS, observations, finished="later").exit_code == code


# ---------------------------------------------------------------- fingerprint


def test_the_fingerprint_has_every_key_that_is_known_and_no_other() -> None:
    header = replace(HEADER, environment={"gpu": "H100", "gpu_count": "2", "driver": "", "hostname": "ci-7"})
    asked = once()
    prints = judge(header, asked, FACTS, [], finished=None).fingerprint
    assert set(prints) == {
        "api",
        "framework",
        "framework_config",
        "framework_version",
        "gpu",
        "gpu_count",
        "llmload",
        "load",
        "model",
        "workload",
    }


def test_the_fingerprint_and_the_findings_go_by_what_the_server_told() -> None:
    facts = replace(FACTS, settings={"size": 1, "share": 0.9}, declared=("size",), actual={"size": 2, "share": 0.5})
    result = judge(HEADER, once(), facts, [], finished=None)
    assert result.fingerprint["framework_config"] == '{"share":0.5,"size":2}'
    assert [(found.subject, found.expected, found.actual) for found in result.findings] == [
        ("framework_config.size", "1", "2")
    ]


def shaped(shape: OpenLoop | Trace) -> Scenario:
    """The same scenario with another shape of load."""
    return replace(once(), load=replace(once().load, shape=shape))


def test_arrivals_of_another_kind_are_another_load() -> None:
    kinds = (Poisson(), Constant(), Gamma(1.0), Gamma(0.5))
    asked = [shaped(OpenLoop((8.0,), kind)) for kind in kinds]
    prints = [judge(HEADER, each, FACTS, [], finished=None).fingerprint["load"] for each in asked]
    assert len(set(prints)) == len(kinds)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(once(), workload=replace(once().workload, seed=43)), id="another seed"),
        pytest.param(once(concurrency=(9,)), id="another load"),
        pytest.param(shaped(OpenLoop((8.0,), Poisson())), id="open loop"),
    ],
)
def test_another_workload_or_load_is_another_fingerprint(other: Scenario) -> None:
    prints = [judge(HEADER, asked, FACTS, [], finished=None).fingerprint for asked in (once(), other)]
    assert prints[0] != prints[1]
