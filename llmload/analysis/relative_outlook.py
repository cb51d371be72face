"""What each relative gate can say, before anything is sent: that depends on how much runs differ, and on their number.

How much they differ is measured by `llmload calibrate` or by earlier runs; where nobody measured it, it is assumed,
and said to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmload.analysis.looks import gates_at, steps_of
from llmload.analysis.power import (
    LEAST_GATING,
    LIKELY,
    as_decrease,
    as_growth,
    history_power,
    needed,
    paired_power,
    reachable_margin,
)
from llmload.baseline import Design
from llmload.domain import Step
from llmload.promises import Change, Gate
from llmload.scenario.asked import Scenario
from llmload.scenario.gates import falls_when_worse

ASSUMED_CVS = (0.02, 0.03, 0.05)
"""What runs on one machine usually differ by; the tables of METRICS.md have the same."""

PAIRS = (5, 8, 12)
RUNS = 20
"""Earlier runs, where nobody knows how many there will be."""

_CHANGE = 0.10
"""The change that a gate should catch, as people say it: 10 % slower."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Coefficient of variation (0..1) of a figure between runs; `source` says who measured it, "" = it is assumed.

    `runs` is how many earlier runs there are to compare with, None where nobody knows.
    """

    cv: float
    source: str = ""
    runs: int | None = None


Spreads = Mapping[tuple[str, str], Spread]
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
    """One relative gate at one step; `prospects` by spread: one that was measured, or several that are assumed.

    `change` is the share by which the server is worse that should be caught.
    """

    gate: Gate
    step: Step
    change: float
    prospects: tuple[tuple[Spread, tuple[Prospect, ...]], ...]
    warnings: tuple[str, ...]


def figure_of(gate: Gate) -> str:
    """The words by which runs know the figure that a gate speaks of."""
    return f"{gate.stat}({gate.subject})" if gate.stat else gate.subject


def relative_outlooks(scenario: Scenario, spreads: Spreads) -> tuple[RelativeOutlook, ...]:
    """Every relative gate at every step that it speaks of."""
    return tuple(
        _outlook(gate, gate.promise, step, scenario, spreads.get((step.label, figure_of(gate))))
        for step in steps_of(scenario)
        for gate in gates_at(scenario.gates, step)
        if isinstance(gate.promise, Change)
    )


def _outlook(gate: Gate, promise: Change, step: Step, scenario: Scenario, spread: Spread | None) -> RelativeOutlook:
    margin = _Margin(promise.max_worse, falls_when_worse(gate.subject), 1 - scenario.decision.confidence)
    pairs = sorted({*PAIRS, *([scenario.decision.repeats] if scenario.decision.repeats > 1 else [])})
    known = [spread] if spread is not None else [Spread(cv) for cv in ASSUMED_CVS]
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


def _prospects(spread: Spread, margin: _Margin, pairs: Sequence[int]) -> tuple[Prospect, ...]:
    runs = RUNS if spread.runs is None else spread.runs
    designs = [(Design.HISTORY, runs), *((Design.PAIRED, n) for n in pairs)]
    return tuple(_prospect(design, n, spread.cv, margin) for design, n in designs if n > 1)


def _prospect(design: Design, n: int, cv: float, margin: _Margin) -> Prospect:
    power = history_power if design is Design.HISTORY else paired_power
    allowed = margin.grown(margin.allowed)
    least = reachable_margin(cv, n, design, alpha=margin.alpha)
    return Prospect(
        design=design,
        n=n,
        passes=power(cv, n, allowed, 0.0, margin.alpha).ok,
        catches=power(cv, n, allowed, margin.grown(margin.change), margin.alpha).regression,
        least_margin=margin.told(least or 0.0),
    )


def _warnings(first: tuple[Spread, tuple[Prospect, ...]], margin: _Margin) -> list[str]:
    """Of the smallest spread: a margin that it cannot reach, a larger one cannot either."""
    spread, prospects = first
    found = []
    if spread.runs is not None and spread.runs < LEAST_GATING:
        found.append(
            f"only {spread.runs} of {LEAST_GATING} runs: a verdict against them is advisory and fails no build"
        )
    if any(prospect.passes >= LIKELY for prospect in prospects):
        return found
    pairs = needed(Design.PAIRED, spread.cv, margin.grown(margin.allowed), 0.0, alpha=margin.alpha)
    remedy = "no number of pairs reaches it" if pairs is None else f"`llmload ab` with {pairs} pairs would reach it"
    least = min((prospect.least_margin for prospect in prospects), default=None)
    reach = "" if least is None else f"; {least:.1%} is the least margin that passes it {LIKELY:.0%} of the time"
    found.append(
        f"at a CV of {spread.cv:.1%} a margin of {margin.allowed:.1%} leaves an unchanged server undecided too often"
        f"{reach}, and {remedy}"
    )
    return found
