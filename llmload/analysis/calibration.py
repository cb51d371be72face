"""How much the figures of a server vary between runs although nothing changed, and which margins gates can have then.

Measured with the same server on both sides of an A/B. The logarithm of a figure of one run is its truth, and noise of
which a part is shared by both runs of a pair, such as the temperature of the machine in that hour.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmload.analysis.pairs import LEAST_COMPARED, pairs_of
from llmload.analysis.power import as_decrease, reachable_margin
from llmload.baseline import Design
from llmload.domain import RunResult, StepResult
from llmload.scenario.gates import falls_when_worse

PAIRS = (5, 8, 12)
RUNS = (8, 20)
"""For how many pairs, and for how many baseline runs, the reachable margin is told."""

_LEFT_OUT = ("error_rate", "lag")  # no relative gate can speak of the one, and the other is our own


@dataclass(frozen=True, slots=True)
class Noise:
    """One figure of one step over the runs of a calibration.

    `middle` is the geometric mean, in the figure's unit. `cv` is the coefficient of variation between runs (standard
    deviation of logarithms, 0.02 = 2 %), `paired_cv` that of the part which the runs of a pair do not share (standard
    deviation of their log differences / sqrt(2)). `by_pairs` and `by_runs` have the reachable margin for so many pairs
    or baseline runs, as a scenario writes it: the largest increase, or for figures of which more is better the largest
    decrease, at which a server that did not change is passed in nine of ten cases.
    """

    middle: float
    cv: float
    paired_cv: float
    by_pairs: Mapping[int, float]
    by_runs: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a scenario's figures vary by on one kind of machine and server. `steps`: by label, then words of a gate."""

    scenario: str
    created: str  # UTC, ISO 8601
    version: str  # of llmload
    fingerprint: Mapping[str, str]
    confidence: float
    pairs: int
    runs: tuple[str, ...]  # ids
    steps: Mapping[str, Mapping[str, Noise]]


def calibration_of(a: RunResult, b: RunResult, confidence: float) -> Calibration:
    """Fold two runs of the same server, measured in pairs; incomplete pairs and steps that are invalid are left out.

    A figure that was zero or infinite in any run has no logarithm, and is left out too.
    """
    steps = {step.step.label: dict(_noises(step, other, 1 - confidence)) for step, other in _steps(a, b)}
    return Calibration(
        scenario=a.header.scenario,
        created=a.header.created,
        version=a.header.version,
        fingerprint=a.fingerprint,
        confidence=confidence,
        pairs=max((len(pairs_of(step, other)) for step, other in _steps(a, b)), default=0),
        runs=(a.header.run_id, b.header.run_id),
        steps={label: noises for label, noises in steps.items() if noises},
    )


def _steps(a: RunResult, b: RunResult) -> Iterator[tuple[StepResult, StepResult]]:
    """The steps that both sides measured validly, in enough pairs."""
    others = {(step.step.axis, step.step.value): step for step in b.steps}
    for step in a.steps:
        other = others.get((step.step.axis, step.step.value))
        if other is None or any(caveat.is_fatal for caveat in (*step.caveats, *other.caveats)):
            continue
        if len(pairs_of(step, other)) >= LEAST_COMPARED:
            yield step, other


def _noises(a: StepResult, b: StepResult, alpha: float) -> Iterator[tuple[str, Noise]]:
    pairs = pairs_of(a, b)
    for figure in sorted({name for pair in pairs for side in pair for name in side}):
        if subject_of(figure) in _LEFT_OUT:
            continue
        values = [(one[figure].value, other[figure].value) for one, other in pairs if figure in one and figure in other]
        if len(values) == len(pairs) and all(0 < value < math.inf for pair in values for value in pair):
            yield figure, noise_of(figure, values, alpha)


def noise_of(figure: str, pairs: Sequence[tuple[float, float]], alpha: float) -> Noise:
    """The noise of one figure from two or more pairs of positive values; `alpha` is the level of a gate's bound."""
    logs = [math.log(value) for pair in pairs for value in pair]
    cv = statistics.stdev(logs)
    paired_cv = statistics.stdev(math.log(one / other) for one, other in pairs) / math.sqrt(2)
    return Noise(
        middle=math.exp(statistics.fmean(logs)),
        cv=cv,
        paired_cv=paired_cv,
        by_pairs={n: _margin(figure, paired_cv, n, Design.PAIRED, alpha) for n in PAIRS},
        by_runs={n: _margin(figure, cv, n, Design.HISTORY, alpha) for n in RUNS},
    )


def _margin(figure: str, cv: float, n: int, design: Design, alpha: float) -> float:
    growth = reachable_margin(cv, n, design, alpha=alpha)
    assert growth is not None  # noqa: S101 - every n of PAIRS and RUNS is more than one
    return as_decrease(growth) if falls_when_worse(subject_of(figure)) else growth


def subject_of(figure: str) -> str:
    """The metric that the words of a gate speak of: `ttft` of `p95(ttft)`."""
    return figure.partition("(")[2].rstrip(")") or figure
