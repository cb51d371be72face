"""Judged: what became of each promise that speaks of a baseline, and why."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from llmload.analysis.compared import Compared, Question, compare
from llmload.analysis.ratios import (
    EXACT,
    LogDifference,
    geometric_mean,
    log_margin,
    of_history,
    of_pairs,
    within_runs,
    worse_share,
)
from llmload.analysis.relative_wording import advice, because_of, nothing_to_compare
from llmload.baseline import Baseline, Design, Estimates, Incomparable, NoBaseline, Reference
from llmload.plain_text import plain
from llmload.planned import Step
from llmload.promises import SHARES, Change, Gate, Level
from llmload.verdict import ADVISORY, NO_BASELINE, Evidence, Status, Verdict

Relate = Callable[[Gate, Change], Verdict]
"""Judges a relative gate at the step at hand."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One step of the run that is judged: its estimates over all windows, and of each climb of the ladder."""

    step: Step
    estimates: Estimates
    repeats: tuple[Estimates, ...] = ()


def no_relation(gate: Gate, _: Change) -> Verdict:
    """For steps that are judged by themselves."""
    because = "there is no baseline to compare with"
    return Verdict(gate, "", Status.INCOMPARABLE, because, "Record one with `llmload baseline update`", NO_BASELINE)


def judge_change(
    gate: Gate, change: Change, *, candidate: Candidate, reference: Reference, confidence: float
) -> Verdict:
    """Decide one relative gate at one step; each bound is at level 1 - `confidence`.

    Of a baseline in pairs, the i-th run stands beside the candidate's i-th climb. Four pairs or eight earlier runs may
    fail a build, and two of either may warn. One against one decides nothing, whatever the figures.
    """
    label = candidate.step.label
    match reference:
        case NoBaseline(because, remedy):
            return Verdict(gate, label, Status.INCOMPARABLE, because, remedy, NO_BASELINE)
        case Incomparable(source, differing):
            told = "; ".join(
                f"{each.key} {each.theirs or 'unknown'}, now {each.ours or 'unknown'}" for each in differing
            )
            because = f"{source} was measured under other conditions: {told}"
            remedy = "Measure under the same conditions, or record a baseline for these with `llmload baseline update`"
            return Verdict(gate, label, Status.INCOMPARABLE, plain(because), remedy, "Incomparable")
        case Baseline():
            return _against(Question(gate, change, label, 1 - confidence), candidate, reference)
        case _:
            assert_never(reference)


def _against(question: Question, candidate: Candidate, baseline: Baseline) -> Verdict:
    """Whatever can be said before any bound is; then what the bounds say."""
    compared = compare(question, candidate.estimates, candidate.repeats, baseline)
    if not (compared.is_measured if compared.rows else question.figure in candidate.estimates):
        because = f"could not measure: the run has no {question.figure}"
        remedy = "Take the gate out, or make the run produce this figure (stream, tokens, enough time)"
        return Verdict(question.gate, question.label, Status.ERROR, because, remedy, "NoData")
    if not compared.kept:
        because, remedy = nothing_to_compare(question, compared)
        return Verdict(question.gate, question.label, Status.INCOMPARABLE, because, remedy, NO_BASELINE)
    if _is_as_broken(question, compared):
        verdict = _told(question, compared, None, Status.INCONCLUSIVE)
    elif len(compared.kept) == 1:
        errors = (compared.kept[0][0].log_error, compared.kept[0][1].log_error)
        found = within_runs(compared.differences[0], errors, question.alpha)
        # two runs know the noise within each, and nothing of how far runs of the same server lie apart
        verdict = _told(question, compared, found, Status.INCONCLUSIVE)
    else:
        found = _bounded(question, compared)
        verdict = _told(question, compared, found, _status(question, compared, found))
    return verdict if compared.may_gate else _advisory(verdict)


def _bounded(question: Question, compared: Compared) -> LogDifference:
    """Eight runs that all were good have no spread, and two bad requests of the ninth would be a sure regression.

    So a share varies from run to run as much as within the candidate at the least: requests are drawn anew each time.
    """
    if compared.design is Design.PAIRED:
        return of_pairs(compared.differences, question.alpha)
    is_share = question.gate.subject in SHARES
    within = compared.kept[0][0].log_error if is_share else None
    return of_history(compared.differences, question.alpha, within or 0.0)


def _is_as_broken(question: Question, compared: Compared) -> bool:
    """Whether the candidate's one run is as bad as can be, and so was one of the baseline: the others mislead."""
    if compared.design is Design.PAIRED:
        return False
    subject = question.gate.subject
    return compared.rows[0][0].is_broken(subject) and any(theirs.is_broken(subject) for _, theirs in compared.rows)


def _told(question: Question, compared: Compared, found: LogDifference | None, status: Status) -> Verdict:
    because, (remedy, kind) = because_of(question, compared, found), advice(question, compared, found, status)
    evidence = _evidence(question, compared, found)
    return Verdict(question.gate, question.label, status, because, remedy, kind, evidence)


def _status(question: Question, compared: Compared, found: LogDifference) -> Status:
    """A difference within the floor is never a regression, and one that is surely within it is none."""
    margin, floor = log_margin(question.gate.subject, question.change.max_worse) + EXACT, question.change.floor
    middle = geometric_mean(compared.theirs)

    def absolute(difference: float) -> float:
        return middle * worse_share(question.gate.subject, difference)

    if found.low > margin and absolute(found.middle) > floor:
        return Status.FAIL
    if found.high <= margin or (floor > 0 and absolute(found.high) <= floor):
        return Status.PASS
    return Status.INCONCLUSIVE


def _advisory(verdict: Verdict) -> Verdict:
    """Told, and warned of at most."""
    return replace(verdict, gate=replace(verdict.gate, level=Level.WARN), kind=ADVISORY)


def _evidence(question: Question, compared: Compared, found: LogDifference | None) -> Evidence:
    """All in shares of the baseline, positive where worse; what has no bound is left out."""

    def share(difference: float) -> float | None:
        if math.isnan(difference) or difference == -math.inf:
            return None
        told = worse_share(question.gate.subject, difference)
        return told if math.isfinite(told) else None

    middle = compared.differences[0] if found is None else found.middle
    return Evidence(
        observed=share(middle),
        target=question.change.max_worse,
        low=None if found is None else share(found.low),
        high=None if found is None else share(found.high),
        n=len(compared.kept),
        deff=None,
        effective_n=None,
        confidence=1 - question.alpha,
        looks=1,
    )
