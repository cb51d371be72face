"""Two runs that were measured in turns, climb beside climb: what B is judged against, and how far it lies from A."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from llmload.analysis.fingerprint import workload_terms
from llmload.analysis.looks import steps_of
from llmload.analysis.ratios import growth, of_pairs
from llmload.analysis.wording import name
from llmload.baseline import Baseline, Design, Difference, Estimates, NoBaseline, PastRun, Reference
from llmload.domain import RunResult, StepResult
from llmload.planned import Step
from llmload.promises import Change
from llmload.scenario.asked import Arrival, ClosedLoop, Gamma, OpenLoop, Scenario, Trace
from llmload.verdict import Verdict

LEAST_COMPARED = 2
"""One pair says nothing of how pairs differ."""

_MOST_TOLD = 1e4
"""An upper bound of a million percent and more tells nothing."""

FIGURES = (
    *(f"{stat}({latency})" for latency in ("ttft", "tpot", "e2e") for stat in ("p50", "p95")),
    *("goodput", "error_rate", "rps", "output_tps"),
)
"""What is told of every pair, in the words of a gate; a relative gate may speak of others."""

_OF_THE_LOAD = (
    *("requests", "duration_s", "warmup_requests", "cooldown_s", "max_duration_s", "max_in_flight", "ramp_s"),
)


def pairs_of(a: StepResult, b: StepResult) -> tuple[tuple[Estimates, Estimates], ...]:
    """The climbs that both sides have at this step, side by side."""
    return tuple(zip(_climbs(a), _climbs(b), strict=False))


def _climbs(step: StepResult) -> tuple[Estimates, ...]:
    return step.repeats or ((step.estimates,) if step.looks else ())


def _is_spoilt(step: StepResult) -> bool:
    return any(caveat.is_fatal for caveat in step.caveats)


# ---------------------------------------------------------------- what B is judged against


def paired_with(a: RunResult) -> Baseline:
    """The climbs of A, one run each, in the order in which they were measured. Steps that are invalid are left out."""
    climbs = {step.step.label: _climbs(step) for step in a.steps if not _is_spoilt(step)}
    header, count = a.header, max(map(len, climbs.values()), default=0)
    return Baseline(
        source=f"run {header.run_id} ({header.source})",
        scenario=header.scenario,
        fingerprint=a.fingerprint,
        runs=tuple(
            PastRun(
                run_id=header.run_id,
                created=header.created,
                commit=header.environment.get("git_commit", ""),
                steps={label: mine[place] for label, mine in climbs.items() if place < len(mine)},
            )
            for place in range(count)
        ),
        design=Design.PAIRED,
    )


def nothing_for_a(_: Mapping[str, str]) -> Reference:
    """A is what B is compared with, and is compared with nothing itself."""
    return NoBaseline("this run is side A of an A/B, which the other side is compared with", "Read the run of side B")


# ---------------------------------------------------------------- may they be compared


def unlike(a: Scenario, b: Scenario) -> tuple[Difference, ...]:
    """What both sides must have in common and have not: the workload, the load and what a good request is.

    The server, its settings, gates and how sure they must be are free to differ.
    """
    ours, theirs = workload_terms(a.workload), workload_terms(b.workload)
    found = [(f"workload.{key}", ours.get(key), theirs.get(key)) for key in sorted({*ours, *theirs})]
    found += [(f"load.{key}", getattr(a.load, key), getattr(b.load, key)) for key in _OF_THE_LOAD]
    found += [("load", _ladder(a), _ladder(b)), ("slo", a.promised, b.promised)]
    return tuple(Difference(key, str(one), str(other)) for key, one, other in found if one != other)


def _ladder(scenario: Scenario) -> str:
    """How requests arrive, in words. A trace is known by what it holds, not by where it lies."""
    steps = ", ".join(step.label for step in steps_of(scenario))
    match scenario.load.shape:
        case ClosedLoop():
            return steps
        case OpenLoop(arrival=arrival):
            return f"{steps}, {_arrival(arrival)} arrivals"
        case Trace(sha256=sha256):
            return f"trace {(sha256 or '')[:12]} at {steps}"
        case _:
            assert_never(scenario.load.shape)


def _arrival(arrival: Arrival) -> str:
    return f"Gamma({arrival.burstiness:g})" if isinstance(arrival, Gamma) else type(arrival).__name__


# ---------------------------------------------------------------- side by side


@dataclass(frozen=True, slots=True)
class PairedFigure:
    """One figure of one step. `a` and `b` are over all climbs of a side, in the figure's unit.

    `change` is B against A, as a share of A (0.1 = 10 % more), `low`..`high` its bounds over `pairs`, each at the
    level of a gate; None below two pairs, where a pair has no ratio, and where pairs differ so much that the upper
    bound says nothing. `verdict` is the gate's that speaks of it.
    """

    step: Step
    figure: str
    a: float | None
    b: float | None
    pairs: int
    change: float | None
    low: float | None
    high: float | None
    verdict: Verdict | None


def paired_figures(a: RunResult, b: RunResult, confidence: float) -> tuple[PairedFigure, ...]:
    """The usual figures, and those that a relative gate speaks of, at every step that both sides measured validly."""
    others = {(step.step.axis, step.step.value): step for step in a.steps if not _is_spoilt(step)}
    found: list[PairedFigure] = []
    for step in b.steps:
        other = others.get((step.step.axis, step.step.value))
        if other is not None and not _is_spoilt(step):
            found += _of_step(other, step, 1 - confidence)
    return tuple(found)


def _of_step(a: StepResult, b: StepResult, alpha: float) -> Iterator[PairedFigure]:
    gated = {name(verdict.gate): verdict for verdict in b.verdicts if isinstance(verdict.gate.promise, Change)}
    pairs = pairs_of(a, b)
    for figure in dict.fromkeys((*FIGURES, *gated)):
        ours, theirs = a.estimates.get(figure), b.estimates.get(figure)
        if ours is None and theirs is None:
            continue
        change = _change(figure, pairs, alpha)
        yield PairedFigure(
            step=b.step,
            figure=figure,
            a=None if ours is None else ours.value,
            b=None if theirs is None else theirs.value,
            pairs=len(pairs),
            change=None if change is None else change[0],
            low=None if change is None else change[1],
            high=None if change is None else change[2],
            verdict=gated.get(figure),
        )


def _change(
    figure: str, pairs: Sequence[tuple[Estimates, Estimates]], alpha: float
) -> tuple[float, float, float] | None:
    """Middle and bounds; a ratio of error rates near zero means nothing, so there is none."""
    values = [(one[figure].value, other[figure].value) for one, other in pairs if figure in one and figure in other]
    if figure == "error_rate" or len(values) < max(LEAST_COMPARED, len(pairs)):
        return None
    if not all(0 < value < math.inf for pair in values for value in pair):
        return None
    found = of_pairs([math.log(other) - math.log(one) for one, other in values], alpha)
    high = growth(found.high)
    return (math.expm1(found.middle), math.expm1(found.low), high) if high < _MOST_TOLD else None
