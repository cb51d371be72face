"""From a scenario and what the probe learnt to the plan of one look: what its requests say, and when they are due."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from llmload.domain import Look, TokenFit
from llmload.scenario.asked import ClosedLoop, OpenLoop, Scenario, Trace
from llmload.workload.pace import Arrivals, Pace, Ramp, Slots
from llmload.workload.plan import Plan


def plan_look(scenario: Scenario, look: Look, fit: TokenFit, *, run: str = "") -> Plan:
    """Every request of `look`. `run` (the run's id) keeps its prompts apart from those of earlier runs."""
    workload = scenario.workload
    return Plan(
        seed=workload.seed,
        step=look.step.index,
        look=look.number,
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        unique=workload.unique,
        fit=fit,
        run=run,
    )


def pace_of(scenario: Scenario, look: Look) -> Pace:
    """When the requests of `look` are due. Only the first look at a step is reached by a ramp."""
    shape, seed = scenario.load.shape, scenario.workload.seed
    key = int.from_bytes(blake2b(f"{seed}/{look.step.index}/{look.number}".encode(), digest_size=8).digest())
    match shape:
        case ClosedLoop(concurrency):
            return Slots(int(look.step.value), _ramp(scenario, look, concurrency))
        case OpenLoop(rate_per_s, arrival):
            return Arrivals(look.step.value, arrival, key, _ramp(scenario, look, rate_per_s))
        case Trace():
            raise AssertionError("a trace is refused before this")


def _ramp(scenario: Scenario, look: Look, levels: Sequence[float]) -> Ramp | None:
    seconds, place = scenario.load.ramp_s, look.step.index
    if not seconds or look.number:
        return None
    return Ramp(float(levels[place - 1]) if place else 0.0, seconds)
