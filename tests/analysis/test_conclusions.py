"""What a whole outcome comes to: the word, the code of the job, and the figures that CI passes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.conclusions import (
    PRECEDENCE,
    breaks_build,
    conclusion_of,
    failed_gates,
    job_code,
    lowest_goodput,
    regressions,
    worst_code,
)
from llmload.domain import RunResult
from llmload.errors import Problem
from llmload.outcome import Command, Conclusion, Entry, FailOn, Outcome
from llmload.promises import Bound, Change, Gate, Level
from llmload.verdict import ADVISORY, NO_BASELINE, Caveat, Status, Verdict
from tests.analysis.compared import estimates, step
from tests.recorded_comparisons import ADVISED, REGRESSED
from tests.recorded_runs import CLEAN, TROUBLE

_GATE = Gate("goodput", Bound(">=", 0.95), id="goodput")
_CHANGE = Gate("ttft", Change(0.05), stat="p95", id="slower")


def verdict(status: Status, *, level: Level = Level.FAIL, kind: str = "", gate: Gate = _GATE) -> Verdict:
    return Verdict(replace(gate, level=level), "concurrency 8", status, "because", kind=kind)


def judged(*verdicts: Verdict, status: Status = Status.PASS, code: int = 0) -> RunResult:
    """A measured run of one step with these verdicts."""
    step = replace(CLEAN.steps[0], verdicts=verdicts, caveats=())
    return replace(CLEAN, steps=(step,), status=status, exit_code=code)


def outcome(*runs: RunResult | None, command: Command = Command.APPLY, code: int | None = None) -> Outcome:
    entries = tuple(Entry("a.yaml", 0 if run is None else run.exit_code, run) for run in runs)
    return Outcome(command, worst_code([entry.exit_code for entry in entries]) if code is None else code, entries)


KEPT, OPEN = verdict(Status.PASS), verdict(Status.INCONCLUSIVE)
PASSED = judged(KEPT)
UNDECIDED = judged(KEPT, OPEN, status=Status.INCONCLUSIVE)
UNGATED = judged(status=Status.NOT_GATED)
EMPTY = replace(PASSED, steps=())
NEW = judged(verdict(Status.INCOMPARABLE, kind=NO_BASELINE), status=Status.INCOMPARABLE)
WARNED = judged(KEPT, verdict(Status.INCONCLUSIVE, level=Level.WARN), verdict(Status.FAIL, level=Level.WARN))
FALSE = judged(KEPT, verdict(Status.FAIL))
VALIDATE, COMPARE, GATE = Command.VALIDATE, Command.COMPARE, Command.GATE
WRONG = Entry("b.yaml", 2, problems=(Problem("b.yaml", 1, 1, "spec", "is missing", "Write it"),))


@pytest.mark.parametrize(
    ("of", "word", "code", "strict"),
    [
        pytest.param(outcome(PASSED), "pass", 0, 0, id="every gate holds"),
        pytest.param(outcome(PASSED, command=GATE), "pass", 0, 0, id="judged again"),
        pytest.param(outcome(PASSED, UNDECIDED), "inconclusive", 0, 4, id="one gate is open, and may be"),
        pytest.param(outcome(NEW), "inconclusive", 0, 4, id="nothing to compare with, and policy only warns"),
        pytest.param(outcome(UNDECIDED, code=4), "inconclusive", 4, 4, id="open, and policy says fail"),
        pytest.param(outcome(WARNED), "pass", 0, 0, id="what only warns is never a reason"),
        pytest.param(outcome(UNGATED), "not-gated", 0, 0, id="no gates at all"),
        pytest.param(outcome(UNGATED, PASSED), "pass", 0, 0, id="one file with gates, one without"),
        pytest.param(outcome(PASSED, code=3), "fail", 3, 3, id="a gate failed"),
        pytest.param(outcome(UNDECIDED, code=3), "fail", 3, 3, id="failed and open"),
        pytest.param(outcome(None, code=5), "not-measured", 5, 5, id="no server"),
        pytest.param(outcome(code=2), "invalid", 2, 2, id="a bad command line"),
        pytest.param(outcome(PASSED, code=70), "defect", 70, 70, id="our own defect"),
        pytest.param(outcome(PASSED, code=1), "defect", 1, 1, id="1 is no verdict of apply"),
        pytest.param(outcome(code=130), "interrupted", 130, 130, id="Ctrl-C"),
        pytest.param(outcome(code=143), "interrupted", 143, 143, id="SIGTERM"),
        pytest.param(outcome(code=0), "not-measured", 5, 5, id="nothing at all is no pass"),
        pytest.param(outcome(PASSED, None), "not-measured", 5, 5, id="a run without a result is no pass"),
        pytest.param(outcome(EMPTY), "not-measured", 5, 5, id="a run without a request is no pass"),
        pytest.param(outcome(FALSE), "fail", 3, 3, id="a broken gate beside a 0 is no pass"),
        pytest.param(outcome(judged(KEPT, status=Status.FAIL)), "fail", 3, 3, id="a run that failed beside a 0"),
        pytest.param(outcome(judged(KEPT, status=Status.ERROR)), "not-measured", 5, 5, id="an error beside a 0"),
        pytest.param(outcome(judged(KEPT, code=5), code=0), "not-measured", 5, 5, id="an entry of 5 beside a 0"),
        pytest.param(outcome(None, command=VALIDATE, code=0), "valid", 0, 0, id="a valid document"),
        pytest.param(outcome(command=VALIDATE, code=0), "invalid", 2, 2, id="no document"),
        pytest.param(Outcome(VALIDATE, 2, (WRONG,)), "invalid", 2, 2, id="a document with a problem"),
        pytest.param(Outcome(VALIDATE, 0, (WRONG,)), "invalid", 2, 2, id="a problem beside a 0"),
        pytest.param(outcome(PASSED, PASSED, command=COMPARE, code=0), "same", 0, 0, id="no difference"),
        pytest.param(outcome(PASSED, PASSED, command=COMPARE, code=1), "different", 1, 1, id="a difference"),
        pytest.param(outcome(PASSED, None, command=COMPARE, code=5), "not-measured", 5, 5, id="spoilt"),
        pytest.param(outcome(PASSED, command=COMPARE, code=0), "not-measured", 5, 5, id="one run is the same as none"),
    ],
)
def test_an_outcome_comes_to_one_word_and_one_code(of: Outcome, word: str, code: int, strict: int) -> None:
    assert conclusion_of(of) == Conclusion(word)
    assert job_code(of, FailOn.GATE) == code
    assert job_code(of, FailOn.INCONCLUSIVE) == strict
    assert job_code(of, FailOn.NEVER) == (0 if code in (0, 1, 3, 4, 5) and word != "defect" else code)


GOOD = (Conclusion.PASS, Conclusion.VALID, Conclusion.SAME, Conclusion.NOT_GATED)
CODES = st.sampled_from(PRECEDENCE)
ENTRIES = st.builds(
    lambda code, run: Entry("a.yaml", code, None if run is None else replace(run, exit_code=code)),
    CODES,
    st.sampled_from([None, PASSED, UNDECIDED, UNGATED, EMPTY, NEW, WARNED, FALSE]),
)


@given(st.sampled_from(Command), CODES, st.lists(ENTRIES, max_size=4))
def test_no_outcome_is_better_than_its_worst_entry_and_none_without_data_is_good(
    command: Command, code: int, entries: list[Entry]
) -> None:
    of = Outcome(command, code, tuple(entries))
    if job_code(of, FailOn.GATE) != 0:
        assert conclusion_of(of) not in GOOD
        return
    assert (code, *(entry.exit_code for entry in entries)) == (0,) * (len(entries) + 1)
    assert entries
    if command is not VALIDATE:
        assert all(entry.result is not None and entry.result.steps for entry in entries)
    if command in (Command.APPLY, GATE):
        assert failed_gates(of) == 0


@given(st.sets(st.sampled_from(PRECEDENCE), min_size=1))
def test_no_policy_turns_bad_input_a_defect_or_an_interruption_into_a_pass(codes: set[int]) -> None:
    worst = worst_code(codes)
    of = Outcome(Command.APPLY, worst, ())
    for fail_on in FailOn:
        if codes & {2, 70, 130, 143}:
            assert job_code(of, fail_on) == worst
        if fail_on is not FailOn.NEVER:
            assert job_code(of, fail_on) != 0


def test_the_first_present_of_the_contract_speaks_for_several() -> None:
    assert worst_code((0, 4, 5)) == 5
    assert worst_code((5, 3)) == 3
    assert worst_code((3, 2)) == 2
    assert worst_code((2, 143, 130)) == 130
    assert worst_code((130, 70)) == 70


# ---------------------------------------------------------------- figures


def test_the_lowest_goodput_is_that_of_the_worst_step_which_could_be_measured() -> None:
    low = replace(PASSED.steps[0], metrics=replace(PASSED.steps[0].metrics, goodput=0.5))
    spoilt = replace(low, metrics=replace(low.metrics, goodput=0.1), caveats=(Caveat("late", "61 ms", "", True),))
    empty = replace(low, metrics=replace(low.metrics, attempts=0, goodput=0.0))
    run = replace(PASSED, steps=(PASSED.steps[0], low, spoilt, empty))
    assert lowest_goodput(outcome(PASSED, run)) == 0.5


def test_without_any_data_there_is_no_goodput() -> None:
    assert lowest_goodput(outcome(None, EMPTY, code=5)) is None


def test_gates_that_failed_are_those_that_break_the_build() -> None:
    run = judged(KEPT, verdict(Status.FAIL), verdict(Status.ERROR), OPEN, verdict(Status.FAIL, level=Level.WARN))
    assert failed_gates(outcome(run, PASSED, code=3)) == 2
    assert failed_gates(outcome(replace(run, fails_on=("inconclusive",)), code=3)) == 3
    assert failed_gates(outcome(run, run, command=COMPARE, code=1)) == 0


def test_regressions_are_relative_gates_that_failed() -> None:
    slower = verdict(Status.FAIL, gate=_CHANGE)
    advice = verdict(Status.FAIL, gate=_CHANGE, level=Level.WARN, kind=ADVISORY)
    warned = verdict(Status.FAIL, gate=_CHANGE, level=Level.WARN)
    run = judged(slower, advice, warned, verdict(Status.FAIL), verdict(Status.PASS, gate=_CHANGE))
    assert regressions(outcome(run, code=3)) == 2
    assert (regressions(outcome(REGRESSED)), regressions(outcome(ADVISED))) == (1, 0)


def test_regressions_of_a_comparison_are_figures_that_surely_became_worse() -> None:
    assert regressions(outcome(CLEAN, CLEAN, command=COMPARE, code=0)) == 0
    fast, slow = (replace(PASSED, steps=(step(estimates({"p50(ttft)": ms, "rps": 9.0}, 0.01)),)) for ms in (100, 120))
    assert regressions(outcome(fast, slow, command=COMPARE, code=1)) == 1
    assert regressions(outcome(slow, fast, command=COMPARE, code=1)) == 0
    assert regressions(outcome(CLEAN, None, command=COMPARE, code=5)) == 0
    assert regressions(outcome(fast, None, slow, command=COMPARE, code=5)) == 1
    assert regressions(outcome(None, fast, slow, command=COMPARE, code=5)) == 0


@pytest.mark.parametrize("run", [CLEAN, TROUBLE, REGRESSED, ADVISED], ids=["clean", "trouble", "regressed", "advised"])
def test_a_run_has_a_verdict_that_breaks_the_build_where_its_exit_code_says_so(run: RunResult) -> None:
    assert any(breaks_build(each, run.fails_on) for each in run.verdicts) == bool(run.exit_code)
