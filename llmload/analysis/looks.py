"""The steps of a scenario and the looks planned at each: how far sampling may go, and at which level it decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from llmload.domain import Observation, Step
from llmload.promises import Gate
from llmload.scenario.asked import ClosedLoop, OpenLoop, Scenario, Trace


def steps_of(scenario: Scenario) -> tuple[Step, ...]:
    """The ladder, in the order in which it is climbed."""
    match scenario.load.shape:
        case ClosedLoop(concurrency):
            return tuple(Step(index, "concurrency", float(value)) for index, value in enumerate(concurrency))
        case OpenLoop(rate_per_s):
            return tuple(Step(index, "rate", value) for index, value in enumerate(rate_per_s))
        case Trace(_, speed):
            return (Step(0, "speed", speed),)
        case _:
            assert_never(scenario.load.shape)


def planned_totals(scenario: Scenario) -> tuple[int, ...]:
    """Measured requests of a step after each look of the first climb: doubling from `requests` up to `max_requests`.

    A load that says only how long gets one look of as many requests as fit, written as 0. A trace gets one look too:
    what was recorded cannot go on, and the same stretch again would not be more of the same traffic.
    """
    requests = scenario.load.requests
    if requests is None:
        return (0,)
    if isinstance(scenario.load.shape, Trace):
        return (requests,)
    totals = [requests]
    while totals[-1] < scenario.decision.max_requests:
        totals.append(min(2 * totals[-1], scenario.decision.max_requests))
    return tuple(totals)


def first_sizes(scenario: Scenario) -> tuple[int, ...]:
    """Measured requests of each look of the first climb by itself."""
    totals = planned_totals(scenario)
    return tuple(total - before for total, before in zip(totals, (0, *totals), strict=False))


def planned_sizes(scenario: Scenario) -> tuple[int, ...]:
    """The same of every look: each further climb of the ladder (`decision.repeats`) is one more, like the first."""
    first = first_sizes(scenario)
    return (*first, *first[:1] * (scenario.decision.repeats - 1))


def look_level(scenario: Scenario, looks: int) -> float:
    """Level of each one-sided bound at one look, so that all `looks` together err no more often than asked."""
    return (1 - scenario.decision.confidence) / looks


def windows_at(step: Step, observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """The whole windows of this load level, first look first; interrupted ones are stored, but not judged.

    A level is known by its axis and value, so that stored windows can be judged by another ladder.
    """
    level = (step.axis, step.value)
    mine = (o for o in observations if o.is_whole and (o.look.step.axis, o.look.step.value) == level)
    return tuple(sorted(mine, key=lambda o: o.look.number))


def gates_at(gates: tuple[Gate, ...], step: Step) -> tuple[Gate, ...]:
    """The gates that speak of this step; one without `at` speaks of every step."""
    return tuple(gate for gate in gates if gate.at is None or gate.at.covers(step.axis, step.value))
