"""What an outcome comes to: one word, one exit code for the job, and the few figures that CI passes on.

Exit codes and which of them speaks for several runs: METRICS.md "Verdict and exit code".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import assert_never

from llmload.analysis.comparison import Comparison, Contrast, compare, of_result
from llmload.domain import RunResult
from llmload.outcome import Command, Conclusion, Entry, FailOn, Outcome
from llmload.promises import Change, Level
from llmload.verdict import ADVISORY, NO_BASELINE, Status, Verdict

PRECEDENCE = (70, 130, 143, 2, 3, 5, 4, 0)
"""Which exit code speaks for several runs: the first that is present."""

DIFFERENT = 1
"""Exit code of `llmload compare` where a figure differs beyond noise."""

_POLICIES = {Status.INCONCLUSIVE: "inconclusive", Status.INCOMPARABLE: "incomparable"}
_MEANINGS = {
    70: Conclusion.DEFECT,
    130: Conclusion.INTERRUPTED,
    143: Conclusion.INTERRUPTED,
    2: Conclusion.INVALID,
    3: Conclusion.FAIL,
    5: Conclusion.NOT_MEASURED,
    4: Conclusion.INCONCLUSIVE,
}
_CODE_WITHOUT_DATA = {Conclusion.NOT_MEASURED: 5, Conclusion.INVALID: 2, Conclusion.FAIL: 3}
_VERDICTS = (DIFFERENT, 3, 4, 5)


def worst_code(codes: Collection[int]) -> int:
    """The exit code that speaks for all of them."""
    return next(code for code in PRECEDENCE if code in codes)


def conclusion_of(outcome: Outcome) -> Conclusion:
    """The exit code in a word; for 0 what the runs say, and nothing good of an outcome that lacks what it speaks of."""
    code = _code(outcome)
    if code == DIFFERENT and outcome.command is Command.COMPARE:
        return Conclusion.DIFFERENT
    if code != 0:
        return _MEANINGS.get(code, Conclusion.DEFECT)
    match outcome.command:
        case Command.APPLY | Command.GATE:
            return _of_runs(outcome.entries)
        case Command.VALIDATE:
            is_valid = outcome.entries and not any(entry.problems or entry.exit_code for entry in outcome.entries)
            return Conclusion.VALID if is_valid else Conclusion.INVALID
        case Command.COMPARE:
            has_runs = len(outcome.entries) > 1 and all(map(_is_measured, outcome.entries))
            return Conclusion.SAME if has_runs else Conclusion.NOT_MEASURED
        case _:
            assert_never(outcome.command)


def job_code(outcome: Outcome, fail_on: FailOn) -> int:
    """The exit code of the job: that of the command, 4 for undecided gates too, or 0 for whatever was measured.

    Bad input, defects and interruptions (2, 70, 130, 143) always stay. A 0 without any data is none.
    """
    conclusion = conclusion_of(outcome)
    code = _code(outcome) or _CODE_WITHOUT_DATA.get(conclusion, 0)
    match fail_on:
        case FailOn.GATE:
            return code
        case FailOn.INCONCLUSIVE:
            return 4 if code == 0 and conclusion is Conclusion.INCONCLUSIVE else code
        case FailOn.NEVER:
            return 0 if code in _VERDICTS and conclusion is not Conclusion.DEFECT else code
        case _:
            assert_never(fail_on)


def comparison_of(outcome: Outcome) -> Comparison | None:
    """What `compare` found, made again from the results; None without that of the first run and of another one."""
    sides = [of_result(entry.source, entry.result) for entry in outcome.entries if entry.result is not None]
    if outcome.command is not Command.COMPARE or len(sides) < 2 or outcome.entries[0].result is None:
        return None
    return compare(sides)


def lowest_goodput(outcome: Outcome) -> float | None:
    """The share (0..1) of good requests at the worst step of all runs; None where nothing was measured.

    Steps that could not be measured are left out: their figures say nothing of the server.
    """
    return min(_goodputs(outcome.entries), default=None)


def failed_gates(outcome: Outcome) -> int:
    """How many verdicts break the build, unmeasured ones too; none of a comparison, which judges no gate."""
    if outcome.command is Command.COMPARE:
        return 0
    return sum(breaks_build(verdict, run.fails_on) for run in _runs(outcome.entries) for verdict in run.verdicts)


def regressions(outcome: Outcome) -> int:
    """How many relative gates failed, and not as mere advice; of a comparison, how many figures surely became worse."""
    if outcome.command is Command.COMPARE:
        comparison = comparison_of(outcome)
        cells = [] if comparison is None else [cell for row in comparison.rows for cell in row.cells]
        return sum(cell.contrast is Contrast.WORSE for cell in cells)
    verdicts = (verdict for run in _runs(outcome.entries) for verdict in run.verdicts)
    return sum(
        verdict.status is Status.FAIL and isinstance(verdict.gate.promise, Change) and verdict.kind != ADVISORY
        for verdict in verdicts
    )


def breaks_build(verdict: Verdict, fails_on: Sequence[str]) -> bool:
    """Whether this verdict alone makes the exit code other than 0."""
    if verdict.gate.level is Level.WARN:
        return False
    if verdict.status in (Status.FAIL, Status.ERROR):
        return True
    policy = "missing_baseline" if verdict.kind == NO_BASELINE else _POLICIES.get(verdict.status)
    return policy in fails_on


# ---------------------------------------------------------------- the runs of an outcome


def _code(outcome: Outcome) -> int:
    """That of the command; where it is 0, the worst of its entries: none of them counts for less than it says."""
    return outcome.exit_code or worst_code({0, *(entry.exit_code for entry in outcome.entries)})


def _of_runs(entries: Sequence[Entry]) -> Conclusion:
    """What runs come to whose command ended with 0."""
    runs = list(_runs(entries))
    if not entries or not all(map(_is_measured, entries)):
        return Conclusion.NOT_MEASURED
    if any(run.status is Status.ERROR for run in runs):
        return Conclusion.NOT_MEASURED
    if any(run.status is Status.FAIL or any(breaks_build(each, run.fails_on) for each in run.verdicts) for run in runs):
        return Conclusion.FAIL  # no document of ours says so beside a 0, and no other one gets a pass for it
    if any(_is_undecided(run) for run in runs):
        return Conclusion.INCONCLUSIVE
    return Conclusion.PASS if any(run.verdicts for run in runs) else Conclusion.NOT_GATED


def _runs(entries: Sequence[Entry]) -> Iterator[RunResult]:
    return (entry.result for entry in entries if entry.result is not None)


def _is_measured(entry: Entry) -> bool:
    return entry.result is not None and any(step.metrics.attempts for step in entry.result.steps)


def _is_undecided(run: RunResult) -> bool:
    """Whether a gate that could break the build is open, whatever the policy makes of it."""
    still_open = (Status.INCONCLUSIVE, Status.INCOMPARABLE)
    return run.status in still_open or any(
        verdict.status in still_open and verdict.gate.level is Level.FAIL for verdict in run.verdicts
    )


def _goodputs(entries: Sequence[Entry]) -> Iterator[float]:
    for run in _runs(entries):
        for step in run.steps:
            is_valid = step.metrics.attempts and not any(caveat.is_fatal for caveat in step.caveats)
            if is_valid and step.metrics.goodput is not None:
                yield step.metrics.goodput
