"""The steps of a scenario and the looks planned at each: how far sampling may go, and at which level it decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

from llmload.domain import Observation
from llmload.planned import Step
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


LEAST_PER_SLOT, MOST_PER_SLOT = 4, 16
"""Measured requests of each request in flight, where a step has to say whether its load can be carried: a verdict
needs four blocks of as many requests as share the server, and is sharp with 16."""


def planned_totals(scenario: Scenario, step: Step) -> tuple[int, ...]:
    """Measured requests of a step after each look of the first climb: doubling from `requests` up to `max_requests`.

    Where capacity is wanted, both are no less than so many of each request in flight (`LEAST_PER_SLOT` and
    `MOST_PER_SLOT`), since a smaller window says nothing at that load.

    A load that says only how long gets one look of as many requests as fit, written as 0. A trace gets one look too:
    what was recorded cannot go on, and the same stretch again would not be more of the same traffic.
    """
    requests = scenario.load.requests
    if requests is None:
        return (0,)
    if isinstance(scenario.load.shape, Trace):
        return (requests,)
    most = scenario.decision.max_requests
    if scenario.recommend is not None and step.axis == "concurrency":
        requests = max(requests, math.ceil(LEAST_PER_SLOT * step.value))
        most = max(most, math.ceil(MOST_PER_SLOT * step.value))
    totals = [requests]
    while totals[-1] < most:
        totals.append(min(2 * totals[-1], most))
    return tuple(totals)


def first_sizes(scenario: Scenario, step: Step) -> tuple[int, ...]:
    """Measured requests of each look of the first climb by itself."""
    totals = planned_totals(scenario, step)
    return tuple(total - before for total, before in zip(totals, (0, *totals), strict=False))


def planned_sizes(scenario: Scenario, step: Step) -> tuple[int, ...]:
    """The same of every look: each further climb of the ladder (`decision.repeats`) is one more, like the first."""
    first = first_sizes(scenario, step)
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


def gates_of(scenario: Scenario, step: Step) -> tuple[Gate, ...]:
    """The gates that judge this step. A load that only the search for the capacity chose is promised nothing."""
    if scenario.recommend is not None and (step.axis, step.value) not in {
        (s.axis, s.value) for s in steps_of(scenario)
    }:
        return ()
    return gates_at(scenario.gates, step)
