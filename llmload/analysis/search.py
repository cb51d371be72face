"""Where the SLO stops holding: which loads to measure beyond the ladder, until it is known to within 5% or 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, takewhile

from llmload.analysis.gates import judge_gate, sample_of
from llmload.analysis.gpu_series import gpus_in
from llmload.analysis.looks import steps_of, windows_at
from llmload.analysis.wholes import exact
from llmload.domain import Observation
from llmload.planned import Step
from llmload.promises import Bound, Gate, Level
from llmload.scenario.asked import ClosedLoop, Scenario, Simulator, Target
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

    Between the highest load that surely holds and the lowest above it that does not, halfway. Where all hold, twice
    the highest, up to the peak with its headroom: an installation that carries that needs no limit. A server that is
    gone is not sought further: no load would find it, however light.
    """
    gate = capacity_gate(scenario)
    if gate is None or scenario.decision.repeats > 1:
        return None
    loads = sorted({o.look.step.value for o in observations if o.is_whole})
    if len(loads) - len(steps_of(scenario)) >= MOST_STEPS:
        return None
    steps = [Step(0, "concurrency", load) for load in loads]
    if any(sample_of(step, windows_at(step, observations), scenario).attempts.found_nobody for step in steps):
        return None
    verdicts = (capacity_verdict(gate, step, observations, scenario) for step in steps)
    found = [(load, verdict.status) for load, verdict in zip(loads, verdicts, strict=True)]
    value = next_load(found, cap_of(scenario, observations))
    return None if value is None else Step(len(loads), "concurrency", value)


def capacity_verdict(gate: Gate, step: Step, observations: Sequence[Observation], scenario: Scenario) -> Verdict:
    """What the sample of one load says of the promise that capacity is measured by."""
    sample = sample_of(step, windows_at(step, observations), scenario)
    assert isinstance(gate.promise, Bound)  # noqa: S101 - capacity_gate makes no other
    return judge_gate(gate, gate.promise, sample)


def cap_of(scenario: Scenario, observations: Sequence[Observation] = ()) -> float:
    """The load that is heavy enough to seek: of one replica that carries the whole peak, however many are measured.

    Several replicas behind one address have to be loaded with as many peaks, or each would seem to carry its share of
    one at most. Where nobody tells how many they are, the GPUs that were watched may be.
    """
    recommend, place = scenario.recommend, scenario.target.place
    if recommend is None:
        return 0
    gpus = recommend.gpu_count or len(gpus_in(observations))
    replicas = max(1, gpus // _gpus_of_a_replica(scenario.target))
    if isinstance(place, Simulator) and recommend.gpu_count is None:
        replicas = place.replicas
    return math.ceil(exact(recommend.peak_concurrency) * (1 + exact(recommend.headroom)) * replicas)


def _gpus_of_a_replica(target: Target) -> int:
    """As the author declares it, or 1: before the load nobody else has told it here."""
    sizes = (getattr(target.settings, name, 1) for name in ("tensor_parallel_size", "pipeline_parallel_size"))
    return math.prod(size for size in sizes if isinstance(size, int) and size >= 1)


def next_load(loads: Sequence[tuple[float, Status]], cap: float) -> float | None:
    """The next load to measure, whole and never one of `loads`; None where the search is over.

    `loads` are those measured, lightest first, each with what is known of it. As in the knee of a run, the highest
    that surely holds counts as carried where none below it surely breaks: one that stayed open in between does not
    end the search. Nothing is sought below the lightest load.
    """
    unbroken = takewhile(lambda each: each[1] is not Status.FAIL, loads)
    holds = max((load for load, status in unbroken if status is Status.PASS), default=None)
    if holds is None:
        return None
    breaks = min((load for load, _ in loads if load > holds), default=None)
    if breaks is None:
        return min(2 * holds, cap) if holds < cap else None
    return None if is_close(holds, breaks) else float(math.floor((holds + breaks) / 2))


def is_close(holds: float, breaks: float) -> bool:
    """Whether a capacity between these is known well enough."""
    return breaks - holds <= max(1.0, CLOSE_ENOUGH * holds)


def most_loads(ladder: Sequence[float], cap: float) -> int:
    """How many loads beyond the ladder a search may measure at most, wherever the limit of the server lies."""
    rungs = sorted(ladder)
    most = max((_halvings(holds, breaks) for holds, breaks in pairwise(rungs)), default=0)
    holds, climbed = rungs[-1], 0
    while holds < cap and climbed < MOST_STEPS:
        above = min(2 * holds, cap)
        climbed += 1
        most = max(most, climbed + _halvings(holds, above))
        holds = above
    return min(most, MOST_STEPS)


def _halvings(holds: float, breaks: float) -> int:
    """The larger half each time, above the lower end, where the search must go on for longest."""
    count = 0
    while not is_close(holds, breaks):
        breaks, count = holds + math.ceil((breaks - holds) / 2), count + 1
    return count
