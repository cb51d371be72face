"""How far apart runs are, figure by figure, and whether that is more than noise (METRICS: "compare").

A difference counts only where its interval lies wholly outside +-max(5 %, 1 ms), and as surely the same are only
figures whose interval lies wholly inside. Each of the m intervals of a comparison is at level 1 - 0.05/m, so that all
of them hold together at 95 % (Bonferroni). Shares differ by points, everything else by a ratio.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from llmload.analysis.baselines import differences
from llmload.analysis.differences import Basis, Spread, interval_of, spread_between
from llmload.analysis.summaries import estimates_or_summaries
from llmload.baseline import Difference, Estimate
from llmload.cells import CELL_LABEL, title_of
from llmload.domain import RunResult, StepResult
from llmload.planned import Step
from llmload.promises import SHARES
from llmload.scenario.gates import falls_when_worse
from llmload.verdict import Status

FIGURES = (
    *(f"{stat}({latency})" for latency in ("ttft", "tpot", "itl_max", "e2e") for stat in ("p50", "p95", "p99", "mean")),
    *("goodput", "error_rate", "rps", "output_tps", "total_tps"),
)
"""What runs are compared by, in the words of a gate."""

MARGIN = 0.05
"""Smaller differences are none: a ratio, or for shares points."""
FLOOR_MS = 1.0
ERROR = 0.05
"""Chance that any interval of a comparison misses the truth."""


class Contrast(StrEnum):
    """What one figure of a run is, held against the first run. UNDECIDED: the interval allows both."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    MISSING = "n/a"


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One side of a comparison. `name` is how the user called it; of the steps only figures and caveats are used."""

    name: str
    run_id: str
    scenario: str
    created: str
    status: Status
    fingerprint: Mapping[str, str]
    steps: tuple[StepResult, ...]

    @property
    def title(self) -> str:
        """The scenario for people, with its cell where it has one."""
        return title_of(self.scenario, {CELL_LABEL: self.fingerprint.get("cell", "")})


def of_result(name: str, result: RunResult) -> ComparedRun:
    """A judged run as a side of a comparison, under the name that the user called it by."""
    header = result.header
    return ComparedRun(
        name, header.run_id, header.scenario, header.created, result.status, result.fingerprint, result.steps
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one run against the first run's.

    `difference`, `low` and `high` are ratios less one (0.1 = 10 % more), or for shares points as a share (0.1 = 10
    points more); None where there is nothing to subtract, or nothing to tell how sure it is.
    """

    value: float | None  # None = n/a, infinite where only failed attempts reach it
    difference: float | None
    low: float | None
    high: float | None
    contrast: Contrast
    basis: Basis


@dataclass(frozen=True, slots=True)
class Row:
    """One figure at one step: the first run's value, and a cell for each other run in order."""

    step: Step
    figure: str
    value: float | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Absence:
    """A step that not all runs can be compared at: which run (by place), and why.

    `is_spoilt` where it was there and could not be measured.
    """

    run: int
    step: str
    because: str
    is_spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side. `differing` has the keys of the fingerprint for each other run in order, theirs being those
    of the first run; `confidence` is that of each of the `intervals`.
    """

    runs: tuple[ComparedRun, ...]
    differing: tuple[tuple[Difference, ...], ...]
    rows: tuple[Row, ...]
    absences: tuple[Absence, ...]
    intervals: int
    confidence: float

    @property
    def is_different(self) -> bool:
        """Whether any figure differs beyond noise."""
        return any(cell.contrast in (Contrast.BETTER, Contrast.WORSE) for row in self.rows for cell in row.cells)

    @property
    def is_spoilt(self) -> bool:
        """Whether any step of a run could not be measured."""
        return any(absence.is_spoilt for absence in self.absences)


Level = tuple[str, float]
"""A step is known by its axis and value, so that runs of different ladders have steps in common."""


def compare(runs: Sequence[ComparedRun]) -> Comparison:
    """Hold every run against the first one."""
    measured = [{_level(each): each for each in run.steps if not _spoilt(each)} for run in runs]
    pairs = list(_pairs(runs, measured))
    intervals = sum(pair.spread is not None for _, _, several in pairs for pair in several)
    alpha = ERROR / max(intervals, 1)
    rows = tuple(
        Row(step, figure, _value(several[0].base), tuple(_cell(pair, figure, alpha) for pair in several))
        for step, figure, several in pairs
    )
    return Comparison(
        runs=tuple(runs),
        differing=tuple(differences(runs[0].fingerprint, other.fingerprint) for other in runs[1:]),
        rows=rows,
        absences=tuple(_absences(runs)),
        intervals=intervals,
        confidence=1 - alpha,
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """One figure of two runs, and what is known of how their difference may vary."""

    base: Estimate | None
    other: Estimate | None
    spread: Spread | None


def _pairs(
    runs: Sequence[ComparedRun], measured: Sequence[Mapping[Level, StepResult]]
) -> Iterator[tuple[Step, str, list[_Pair]]]:
    """Every figure that at least one run has, at every step that the first run and another one have."""
    for first in runs[0].steps:
        level = _level(first)
        if not any(level in others for others in measured[1:]):
            continue
        base = measured[0].get(level)
        for figure in FIGURES:
            several = [_pair(base, others.get(level), figure) for others in measured[1:]]
            if any(pair.base or pair.other for pair in several):
                yield first.step, figure, several


def _pair(base: StepResult | None, other: StepResult | None, figure: str) -> _Pair:
    ours = None if base is None else estimates_or_summaries(base).get(figure)
    theirs = None if other is None else estimates_or_summaries(other).get(figure)
    if base is None or other is None or ours is None or theirs is None:
        return _Pair(ours, theirs, None)
    return _Pair(ours, theirs, spread_between(base, other, figure))


def _cell(pair: _Pair, figure: str, alpha: float) -> Cell:
    value = _value(pair.other)
    if pair.base is None or pair.other is None:
        return Cell(value, None, None, None, Contrast.MISSING, Basis.NOTHING)
    if pair.spread is None:
        difference = _plain_difference(pair.base.value, pair.other.value, figure)
        return Cell(value, difference, None, None, Contrast.UNDECIDED, Basis.NOTHING)
    found = interval_of(pair.spread, alpha)
    contrast = _contrast(found.low, found.high, _margin(figure, pair.base.value), figure)
    return Cell(value, found.middle, found.low, found.high, contrast, found.basis)


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _plain_difference(base: float, other: float, figure: str) -> float | None:
    if not (math.isfinite(base) and math.isfinite(other)):
        return None
    if figure in SHARES:
        return other - base
    return other / base - 1 if base > 0 else None


def _margin(figure: str, base: float) -> float:
    """As a ratio; latencies have a floor in ms."""
    return max(MARGIN, FLOOR_MS / base) if figure.endswith(")") and base > 0 else MARGIN


def _contrast(low: float, high: float, margin: float, figure: str) -> Contrast:
    if -margin <= low and high <= margin:
        return Contrast.SAME
    if low > margin:
        return Contrast.BETTER if falls_when_worse(figure) else Contrast.WORSE
    if high < -margin:
        return Contrast.WORSE if falls_when_worse(figure) else Contrast.BETTER
    return Contrast.UNDECIDED


# ---------------------------------------------------------------- what stands out


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of a figure at the loads that runs share: of which run (by place), and where."""

    run: int
    step: Step
    value: float


def best_of(comparison: Comparison, figure: str) -> Best | None:
    """Among equal ones that of the lowest load and the earliest run; None where no run has a finite value."""
    found = [
        Best(place, row.step, value)
        for row in comparison.rows
        if row.figure == figure
        for place, value in enumerate((row.value, *(cell.value for cell in row.cells)))
        if value is not None and math.isfinite(value)
    ]
    sign = -1 if falls_when_worse(figure) else 1
    return min(found, key=lambda each: sign * each.value, default=None)


# ---------------------------------------------------------------- what cannot be compared


def _absences(runs: Sequence[ComparedRun]) -> Iterator[Absence]:
    """Steps that a run lacks while another has them, and steps that could not be measured."""
    everywhere = {_level(each): each.step.label for run in runs for each in run.steps}
    for place, run in enumerate(runs):
        mine = {_level(each): each for each in run.steps}
        for level, label in everywhere.items() if run.steps else ():
            if level not in mine:
                yield Absence(place, label, "has no such step")
            elif spoilt := _spoilt(mine[level]):
                yield Absence(place, label, f"could not measure: {spoilt}", is_spoilt=True)
        if not run.steps:
            yield Absence(place, "every step", "could not measure", is_spoilt=True)


def _spoilt(result: StepResult) -> str:
    """Why the figures of a step are worthless, "" where they are not."""
    if not result.metrics.attempts:
        return "no request was measured"
    return next((caveat.rule for caveat in result.caveats if caveat.is_fatal), "")


def _level(result: StepResult) -> Level:
    return result.step.axis, result.step.value
