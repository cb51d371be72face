"""Judged: what became of each promise that speaks of a baseline, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from llmload.baseline import Baseline, Estimates, Incomparable, NoBaseline, Reference
from llmload.domain import Step
from llmload.promises import Change, Gate
from llmload.verdict import Status, Verdict

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
    return Verdict(gate, "", Status.INCOMPARABLE, because, "Record one with `llmload baseline update`", "NoBaseline")


def judge_change(
    gate: Gate, change: Change, *, candidate: Candidate, reference: Reference, confidence: float
) -> Verdict:
    """Decide one relative gate at one step; each bound is at level 1 - `confidence`."""
    label = candidate.step.label
    match reference:
        case NoBaseline(because, remedy):
            return Verdict(gate, label, Status.INCOMPARABLE, because, remedy, "NoBaseline")
        case Incomparable(source, differing):
            told = "; ".join(
                f"{each.key} {each.theirs or 'unknown'}, now {each.ours or 'unknown'}" for each in differing
            )
            because = f"{source} was measured under other conditions: {told}"
            remedy = "Measure under the same conditions, or record a baseline for these with `llmload baseline update`"
            return Verdict(gate, label, Status.INCOMPARABLE, because, remedy, "Incomparable")
        case Baseline():
            because = f"could not measure: neither side has {gate}"
            return Verdict(gate, label, Status.ERROR, because, "", "NoData")
        case _:
            assert_never(reference)
