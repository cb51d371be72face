"""How far the load of a ladder may go within its SLO, and where more load brings nothing (METRICS.md "Capacity")."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from llmload.capacity import Knee
from llmload.domain import StepResult
from llmload.promises import Bound
from llmload.scenario.asked import Scenario
from llmload.verdict import Status

DEFAULT_TARGET = 0.95
"""Share of good requests that counts as holding the SLO, where neither a gate nor `recommend` says one."""
_DECIDED = (Status.PASS, Status.FAIL, Status.INCONCLUSIVE)
_GROWTH = 1.05
_APART = 1.25
"""Throughput is compared with the nearest load that is a quarter lighter: nearer ones differ by noise."""


def knee_of(steps: Sequence[StepResult], scenario: Scenario) -> Knee | None:
    """The knee of these steps; None without an SLO, on several axes, and where no step tells anything.

    A step that failed to measure (a fatal caveat, no bounds of goodput) neither holds the SLO nor breaks it.
    """
    axes = {result.step.axis for result in steps}
    ladder = sorted((result for result in steps if tells(result)), key=lambda result: result.step.value)
    if scenario.promised is None or len(axes) != 1 or not ladder:
        return None
    target = _target(scenario)
    unbroken = takewhile(lambda result: not breaks(result, target), ladder)
    at_slo = max((each.step.value for each in unbroken if _holds(each, target)), default=None)
    saturated = (each.step.value for each in ladder if _has_stopped(each, ladder) or _has_fallen(each, ladder, target))
    return Knee(axes.pop(), at_slo, next(saturated, None), target)


def _target(scenario: Scenario) -> float:
    """What `recommend` asks for, else the strictest absolute promise about goodput."""
    if scenario.recommend is not None:
        return scenario.recommend.goodput_target
    promises = (gate.promise for gate in scenario.gates if gate.is_on_goodput)
    return max((each.value for each in promises if isinstance(each, Bound)), default=DEFAULT_TARGET)


def tells(result: StepResult) -> bool:
    """Whether the step was measured, so that it can hold the SLO or break it."""
    bounds = (result.metrics.goodput_low, result.metrics.goodput_high)
    is_void = result.capacity is not None and result.capacity.status is Status.ERROR
    is_valid = not is_void and not any(each.is_fatal for each in result.caveats)
    return result.metrics.attempts > 0 and None not in bounds and is_valid


def _low(result: StepResult) -> float:
    return result.metrics.goodput_low or 0.0


def _holds(result: StepResult, target: float) -> bool:
    """Whether goodput surely is at least the target."""
    decided = _decided(result, target)
    return _low(result) >= target if decided is None else decided is Status.PASS


def breaks(result: StepResult, target: float) -> bool:
    """Whether goodput surely is under the target."""
    decided = _decided(result, target)
    return (result.metrics.goodput_high or 0.0) < target if decided is None else decided is Status.FAIL


def _decided(result: StepResult, target: float) -> Status | None:
    """What was judged of the same promise; None where the bounds of goodput have to tell.

    A gate of several looks asks for more confidence than those bounds have, and a report must not say that the SLO
    surely holds at a step whose gate is inconclusive.
    """
    if result.capacity is not None and result.capacity.gate.promise == Bound(">=", target):
        return result.capacity.status if result.capacity.status in _DECIDED else None
    told = (
        verdict.status
        for verdict in result.verdicts
        if verdict.gate.is_on_goodput and verdict.gate.promise == Bound(">=", target)
    )
    return next((status for status in told if status in _DECIDED), None)


def _has_fallen(result: StepResult, ladder: Sequence[StepResult], target: float) -> bool:
    """Whether goodput breaks the target, and surely is less than at a lighter load.

    Of many requests a step from 99.9% to 99.5% is sure too, and no saturation.
    """
    lighter = (_low(each) for each in ladder if each.step.value < result.step.value)
    return breaks(result, target) and (result.metrics.goodput_high or 0.0) < max(lighter, default=0.0)


def _has_stopped(result: StepResult, ladder: Sequence[StepResult]) -> bool:
    """Whether neither this load nor any heavier one has 5% more throughput than a lighter one."""
    value = result.step.value
    lighter = [_throughput(each, ladder) for each in ladder if each.step.value * _APART <= value]
    onwards = [_throughput(each, ladder) or 0.0 for each in ladder if each.step.value >= value]
    reached = next((rate for rate in reversed(lighter) if rate is not None), None)
    return reached is not None and _throughput(result, ladder) is not None and max(onwards) < _GROWTH * reached


def _throughput(result: StepResult, ladder: Sequence[StepResult]) -> float | None:
    """Output tokens per second; of embeddings, which have none, the input tokens."""
    has_output = any(each.metrics.output_tps is not None for each in ladder)
    return result.metrics.output_tps if has_output else result.metrics.total_tps
