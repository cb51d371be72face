"""What a relative gate compares: which figures of which runs, and how far they lie apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from llmload.analysis.power import least_gating
from llmload.analysis.ratios import log_worse
from llmload.analysis.wording import name
from llmload.baseline import Baseline, Design, Estimate, Estimates, PastRun
from llmload.plain_text import plain
from llmload.promises import Change, Gate
from llmload.scenario.gates import falls_when_worse


@dataclass(frozen=True, slots=True)
class Question:
    """One relative gate at one step; each bound is at level `alpha`."""

    gate: Gate
    change: Change
    label: str
    alpha: float

    @property
    def figure(self) -> str:
        """The words by which estimates are found."""
        return name(self.gate)


@dataclass(frozen=True, slots=True)
class Side:
    """What one run says of the figure; None where it has none. `name` is how people find the run or pair."""

    estimate: Estimate | None
    name: str = ""

    def is_broken(self, subject: str) -> bool:
        """Whether the figure is as bad as can be: never reached, or fallen to zero."""
        if self.estimate is None:
            return False
        return self.estimate.value <= 0 if falls_when_worse(subject) else math.isinf(self.estimate.value)


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairs of runs, or the candidate beside each earlier run; `differences` are log ratios of those that give one.

    `rows` are all of them, also those of which one side lacks the figure or the baseline's is zero or infinite.
    """

    design: Design
    rows: tuple[tuple[Side, Side], ...]
    kept: tuple[tuple[Estimate, Estimate, str], ...]
    differences: tuple[float, ...]

    @property
    def is_measured(self) -> bool:
        """Whether the candidate has the figure at all."""
        return any(ours.estimate is not None for ours, _ in self.rows)

    @property
    def ours(self) -> list[float]:
        """The candidate's figures: one for each pair, or the one of its run."""
        return [ours.value for ours, _, _ in self.kept][: None if self.design is Design.PAIRED else 1]

    @property
    def theirs(self) -> list[float]:
        """The baseline's figures."""
        return [theirs.value for _, theirs, _ in self.kept]

    @property
    def may_gate(self) -> bool:
        """Whether there are enough to break a build."""
        return len(self.kept) >= least_gating(self.design)


def compare(question: Question, candidate: Estimates, climbs: tuple[Estimates, ...], baseline: Baseline) -> Compared:
    """Put figures side by side as the baseline's design says; `candidate` is over all windows, `climbs` are each."""
    theirs = [
        Side(run.steps.get(question.label, {}).get(question.figure), _name(place, run, baseline.design))
        for place, run in enumerate(baseline.runs)
    ]
    match baseline.design:
        case Design.PAIRED:
            ours = [Side(climb.get(question.figure)) for climb in climbs or (candidate,)]
        case Design.HISTORY:
            ours = [Side(candidate.get(question.figure))] * len(theirs)
        case _:
            assert_never(baseline.design)
    rows = tuple(zip(ours, theirs, strict=False))
    kept = list(_ratios(question.gate.subject, rows))
    return Compared(baseline.design, rows, tuple(row for row, _ in kept), tuple(each for _, each in kept))


def _ratios(subject: str, rows: Iterable[tuple[Side, Side]]) -> Iterable[tuple[tuple[Estimate, Estimate, str], float]]:
    for ours, theirs in rows:
        if ours.estimate is None or theirs.estimate is None:
            continue
        difference = log_worse(subject, ours.estimate.value, theirs.estimate.value)
        if difference is not None:
            yield (ours.estimate, theirs.estimate, theirs.name), difference


def _name(place: int, run: PastRun, design: Design) -> str:
    if design is Design.PAIRED:
        return f"pair {place + 1}"
    return f"run {plain(run.run_id, 60)}" + (f" (commit {plain(run.commit, 60)[:12]})" if run.commit else "")
