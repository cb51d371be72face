"""What to observe next: the ladder, at each step as many looks as its gates need, and the repeats of the whole."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.analysis.gates import judge_gate, sample_of
from llmload.analysis.looks import first_sizes, gates_of, steps_of, windows_at
from llmload.analysis.search import capacity_gate, search_step
from llmload.domain import Ending, Observation
from llmload.planned import Look, Step
from llmload.promises import Bound, Level
from llmload.scenario.asked import Scenario
from llmload.verdict import Status


def next_look(scenario: Scenario, observations: Sequence[Observation]) -> Look | None:
    """The next window, or None when the run is complete.

    Steps are climbed in order. In the first climb a step gets further windows while an absolute gate that speaks of it
    is undecided, up to `max_requests` and `max_duration`. Then the ladder is climbed again until there are
    `decision.repeats` climbs, with one window at each step. `Look.requests` is 0 where the load says only how long.
    Interrupted windows do not count, so that a resumed run observes them again. A tripped guard ends the run.
    """
    if any(seen.ending is Ending.GUARD for seen in observations):
        return None
    return _first_climb(scenario, observations) or _further_climb(scenario, observations)


def _first_climb(scenario: Scenario, observations: Sequence[Observation]) -> Look | None:
    """The ladder, then what the search for the capacity has begun, then its next load."""
    first = [observation for observation in observations if not observation.look.repeat]
    begun = (*steps_of(scenario), *_searched(scenario, first))
    look = _undecided_look(scenario, begun, first)
    if look is not None or (step := search_step(scenario, first)) is None:
        return look
    return Look(step, 0, first_sizes(scenario, step)[0])


def _searched(scenario: Scenario, first: Sequence[Observation]) -> Sequence[Step]:
    """Loads beyond the ladder that were measured, where this scenario asks for any, in the order of the search."""
    if capacity_gate(scenario) is None:
        return ()
    known = {(step.axis, step.value) for step in steps_of(scenario)}
    beyond = (o.look.step for o in first if o.is_whole and (o.look.step.axis, o.look.step.value) not in known)
    return tuple(dict.fromkeys(beyond))


def _undecided_look(scenario: Scenario, steps: Sequence[Step], first: Sequence[Observation]) -> Look | None:
    for step in steps:
        sizes = first_sizes(scenario, step)
        mine = windows_at(step, first)
        if not mine:
            return Look(step, 0, sizes[0])
        if len(mine) < len(sizes) and not _time_is_up(scenario, mine) and _is_undecided(scenario, step, mine):
            return Look(step, len(mine), sizes[len(mine)])
    return None


def _further_climb(scenario: Scenario, observations: Sequence[Observation]) -> Look | None:
    climbed = {step: windows_at(step, observations) for step in steps_of(scenario)}
    for repeat in range(1, scenario.decision.repeats):
        for step, mine in climbed.items():
            if all(observation.look.repeat != repeat for observation in mine):
                return Look(step, len(mine), first_sizes(scenario, step)[0], repeat)
    return None


def _time_is_up(scenario: Scenario, mine: Sequence[Observation]) -> bool:
    spent_s = sum(o.end_ns - o.start_ns for o in mine) / 1e9
    return spent_s >= scenario.load.max_duration_s or any(o.ending is Ending.MAX_DURATION for o in mine)


def _is_undecided(scenario: Scenario, step: Step, mine: Sequence[Observation]) -> bool:
    capacity = capacity_gate(scenario)
    gates = (*gates_of(scenario, step), *(() if capacity is None else (capacity,)))
    bounds = [(gate, gate.promise) for gate in gates if isinstance(gate.promise, Bound)]
    if not bounds:
        return False
    sample = sample_of(step, mine, scenario)
    verdicts = [judge_gate(gate, bound, sample) for gate, bound in bounds]
    if any(verdict.status is Status.FAIL and verdict.gate.level is Level.FAIL for verdict in verdicts):
        return False  # the step is lost, whatever its other gates would say
    return any(verdict.status is Status.INCONCLUSIVE for verdict in verdicts)
