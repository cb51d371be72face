"""Where the SLO stops holding: which loads to measure beyond the ladder, until it is known to within 5% or 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llmload.analysis.gates import judge_gate, sample_of
from llmload.analysis.looks import steps_of, windows_at
from llmload.domain import Observation, Step
from llmload.promises import Bound, Gate, Level
from llmload.scenario.asked import ClosedLoop, Scenario
from llmload.verdict import Status, Verdict

CLOSE_ENOUGH = 0.05
"""METRICS "Capacity": to within 5% of the load, or 1."""

MOST_STEPS = 16
"""Beyond the ladder: enough to go from 1 to 1,000 and back, and an end for a server that answers by chance."""


def capacity_gate(scenario: Scenario) -> Gate | None:
    """The promise that capacity is measured by, in the mathematics of gates; None where no capacity is wanted."""
    if scenario.recommend is None or not isinstance(scenario.load.shape, ClosedLoop):
        return None
    return Gate("goodput", Bound(">=", scenario.recommend.goodput_target), level=Level.WARN, id="capacity")


def search_step(scenario: Scenario, observations: Sequence[Observation]) -> Step | None:
    """The next load beyond the ladder; None where none is needed, or none would help.

    Between the highest load that surely holds and the lowest above it that does not surely hold, halfway. Where all
    hold, twice the highest, up to the peak with its headroom: an installation that carries that needs no limit.
    """
    gate = capacity_gate(scenario)
    if gate is None or scenario.recommend is None or scenario.decision.repeats > 1:
        return None
    loads = sorted({o.look.step.value for o in observations if o.is_whole})
    ladder = steps_of(scenario)
    if len(loads) - len(ladder) >= MOST_STEPS:
        return None
    verdicts = [_verdict(gate, Step(0, "concurrency", load), observations, scenario) for load in loads]
    value = _next_load(list(zip(loads, verdicts, strict=True)), _most_load(scenario))
    if value is None or value in loads:
        return None
    return Step(len(loads), "concurrency", value)


def _verdict(gate: Gate, step: Step, observations: Sequence[Observation], scenario: Scenario) -> Status:
    return capacity_verdict(gate, step, observations, scenario).status


def capacity_verdict(gate: Gate, step: Step, observations: Sequence[Observation], scenario: Scenario) -> Verdict:
    """What the sample of one load says of the promise that capacity is measured by."""
    sample = sample_of(step, windows_at(step, observations), scenario)
    assert isinstance(gate.promise, Bound)  # noqa: S101 - capacity_gate makes no other
    return judge_gate(gate, gate.promise, sample)


def _most_load(scenario: Scenario) -> float:
    """The load at which one installation, as it was measured, carries the whole demand."""
    recommend = scenario.recommend
    return math.ceil(recommend.peak_concurrency * (1 + recommend.headroom)) if recommend else 0


def _next_load(loads: Sequence[tuple[float, Status]], most: float) -> float | None:
    holding = 0.0
    for load, status in loads:
        if status is not Status.PASS:
            return _between(holding, load) if holding else None
        holding = load
    return min(2 * holding, most) if 0 < holding < most else None


def _between(holds: float, breaks: float) -> float | None:
    apart = breaks - holds
    return None if apart <= max(1.0, CLOSE_ENOUGH * holds) else float(math.floor((holds + breaks) / 2))
