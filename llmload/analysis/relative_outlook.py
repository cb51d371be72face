"""What each relative gate can say, before anything is sent: that depends on how much runs differ, and on their number.

How much they differ is measured by `llmload calibrate` or by earlier runs; where nobody measured it, it is assumed,
and said to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from llmload.analysis.calibration import PAIRS, RUNS
from llmload.analysis.looks import gates_at, steps_of
from llmload.analysis.power import (
    LEAST_GATING,
    LIKELY,
    Power,
    as_decrease,
    as_growth,
    history_power,
    needed,
    paired_power,
    reachable_margin,
)
from llmload.baseline import Design
from llmload.planned import Step
from llmload.promises import Change, Gate
from llmload.scenario.asked import Scenario
from llmload.scenario.gates import falls_when_worse

ASSUMED_CVS = (0.02, 0.03, 0.05)
"""What runs on one machine usually differ by; the tables of METRICS.md have the same."""

_CHANGE = 0.10
"""The change that a gate should catch, as people say it: 10 % slower."""


@dataclass(frozen=True, slots=True)
class Variation:
    """Coefficient of variation (0..1) of a figure between runs; `paired_cv` of the part that runs measured in turns do
    not share.

    `source` says who measured it, "" = it is assumed; `runs` is how many earlier runs there are to compare with, None
    where nobody knows.
    """

    cv: float
    paired_cv: float
    source: str = ""
    runs: int | None = None


Variations = Mapping[tuple[str, str], Variation]
"""By the label of the step and the words of the figure: ("concurrency 8", "p95(ttft)")."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """How often (0..1) `n` pairs or baseline runs pass a server that did not change, and catch one that is worse.

    `least_margin` is the smallest margin, in the gate's own terms, at which the former is LIKELY.
    """

    design: Design
    n: int
    passes: float
    catches: float
    least_margin: float


@dataclass(frozen=True, slots=True)
class RelativeOutlook:
    """One relative gate at one step; `prospects` by variation: one that was measured, or several that are assumed.

    `change` is the share by which the server is worse that should be caught.
    """

    gate: Gate
    step: Step
    change: float
    prospects: tuple[tuple[Variation, tuple[Prospect, ...]], ...]
    warnings: tuple[str, ...]


def figure_of(gate: Gate) -> str:
    """The words by which runs know the figure that a gate speaks of."""
    return f"{gate.stat}({gate.subject})" if gate.stat else gate.subject


def relative_outlooks(scenario: Scenario, variations: Variations) -> tuple[RelativeOutlook, ...]:
    """Every relative gate at every step that it speaks of."""
    return tuple(
        _outlook(gate, gate.promise, step, scenario, variations.get((step.label, figure_of(gate))))
        for step in steps_of(scenario)
        for gate in gates_at(scenario.gates, step)
        if isinstance(gate.promise, Change)
    )


def _outlook(
    gate: Gate, promise: Change, step: Step, scenario: Scenario, variation: Variation | None
) -> RelativeOutlook:
    margin = _Margin(promise.max_worse, falls_when_worse(gate.subject), 1 - scenario.decision.confidence)
    pairs = sorted({*PAIRS, *([scenario.decision.repeats] if scenario.decision.repeats > 1 else [])})
    known = [variation] if variation is not None else [Variation(cv, cv) for cv in ASSUMED_CVS]
    prospects = tuple((each, _prospects(each, margin, pairs)) for each in known)
    return RelativeOutlook(gate, step, margin.change, prospects, tuple(_warnings(prospects[0], margin)))


@dataclass(frozen=True, slots=True)
class _Margin:
    """What a gate allows, in its own terms (a share less, where more is better), and as growth of what is worse."""

    allowed: float
    falls: bool
    alpha: float

    @property
    def change(self) -> float:
        """A change that should be caught: well beyond what is allowed, and less than everything."""
        beyond = min(2 * self.allowed, (1 + self.allowed) / 2) if self.falls else 2 * self.allowed
        return max(_CHANGE, beyond)

    def grown(self, worse: float) -> float:
        return as_growth(worse) if self.falls else worse

    def told(self, growth: float) -> float:
        return as_decrease(growth) if self.falls else growth


def _prospects(variation: Variation, margin: _Margin, pairs: Sequence[int]) -> tuple[Prospect, ...]:
    runs = max(RUNS) if variation.runs is None else variation.runs
    designs = [(Design.HISTORY, runs), *((Design.PAIRED, n) for n in pairs)]
    return tuple(_prospect(design, n, variation, margin) for design, n in designs if n > 1)


def _prospect(design: Design, n: int, variation: Variation, margin: _Margin) -> Prospect:
    cv = variation.cv if design is Design.HISTORY else variation.paired_cv
    least = reachable_margin(cv, n, design, alpha=margin.alpha)
    return Prospect(
        design=design,
        n=n,
        passes=_power(design, cv, n, margin, 0.0).ok,
        catches=_power(design, cv, n, margin, margin.change).regression,
        least_margin=margin.told(least or 0.0),
    )


def _power(design: Design, cv: float, n: int, margin: _Margin, worse: float) -> Power:
    """Of a server that is by the share `worse` worse, in the gate's own terms."""
    allowed, change = margin.grown(margin.allowed), margin.grown(worse)
    match design:
        case Design.HISTORY:
            return history_power(cv, n, allowed, change, margin.alpha)
        case Design.PAIRED:
            return paired_power(cv, n, allowed, change, margin.alpha)
        case _:
            assert_never(design)


def _warnings(first: tuple[Variation, tuple[Prospect, ...]], margin: _Margin) -> list[str]:
    """Of the smallest variation: a margin that it cannot reach, a larger one cannot either."""
    variation, prospects = first
    found = []
    if variation.runs is not None and variation.runs < LEAST_GATING:
        found.append(
            f"only {variation.runs} of {LEAST_GATING} runs: a verdict against them is advisory and fails no build"
        )
    if any(prospect.passes >= LIKELY for prospect in prospects):
        return found
    pairs = needed(Design.PAIRED, variation.paired_cv, margin.grown(margin.allowed), 0.0, alpha=margin.alpha)
    remedy = "no number of pairs reaches it" if pairs is None else f"`llmload ab` with {pairs} pairs would reach it"
    least = min((prospect.least_margin for prospect in prospects), default=None)
    reach = "" if least is None else f"; {least:.1%} is the least margin that passes it {LIKELY:.0%} of the time"
    found.append(
        f"at a CV of {variation.cv:.1%} a margin of {margin.allowed:.1%} leaves an unchanged server undecided too often"
        f"{reach}, and {remedy}"
    )
    return found
