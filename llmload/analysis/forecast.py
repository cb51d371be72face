"""What a scenario will send and how long that may take, told before the first byte."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from llmload.analysis.looks import gates_at, planned_sizes, steps_of
from llmload.domain import Step
from llmload.promises import Bound, Slo
from llmload.scenario.asked import Fixed, Lengths, Lognormal, Normal, Scenario, Uniform


@dataclass(frozen=True, slots=True)
class StepForecast:
    """One step: `requests` measured at the first look and `warmup` before it; `most_requests` with every look.

    None where the load says only how long. `at_slo_s` is how long the first look takes on a server that just keeps
    the SLO, None where the SLO does not bound a request; `at_most_s` bounds all measured windows of the step.
    """

    step: Step
    warmup: int
    requests: int | None
    most_requests: int | None
    input_tokens: float | None
    output_tokens: float | None
    at_slo_s: float | None
    at_most_s: float


def forecast(scenario: Scenario) -> tuple[StepForecast, ...]:
    """Every step of the ladder; tokens are means over the declared lengths, warm-up included."""
    sizes = planned_sizes(scenario)
    input_mean = mean_length(scenario.workload.input_tokens)
    output_mean = mean_length(scenario.workload.output_tokens)
    each_s = _seconds_at_slo(scenario.slo, output_mean)
    found = []
    for step in steps_of(scenario):
        warmup = scenario.load.warmup_for(max(1, round(step.value)))
        can_go_on = len(sizes) > 1 and any(isinstance(g.promise, Bound) for g in gates_at(scenario.gates, step))
        first, most = (sizes[0], sum(sizes) if can_go_on else sizes[0]) if scenario.load.requests else (None, None)
        sent = None if first is None else first + warmup
        waves = None if sent is None or step.axis != "concurrency" else math.ceil(sent / step.value)
        found.append(
            StepForecast(
                step=step,
                warmup=warmup,
                requests=first,
                most_requests=most,
                input_tokens=None if sent is None else sent * input_mean,
                output_tokens=None if sent is None else sent * output_mean,
                at_slo_s=None if waves is None or each_s is None else waves * each_s,
                # another look begins only before max_duration is spent, and lasts no longer than that itself
                at_most_s=scenario.load.max_duration_s * (2 if can_go_on else 1),
            )
        )
    return tuple(found)


def mean_length(lengths: Lengths) -> float:
    """Mean tokens before lengths are cut to their minimum and maximum."""
    match lengths:
        case Fixed(tokens):
            return float(tokens)
        case Uniform(low, high):
            return (low + high) / 2
        case Normal(mean=mean) | Lognormal(mean=mean):
            return mean
        case _:
            assert_never(lengths)


def _seconds_at_slo(slo: Slo | None, output_tokens: float) -> float | None:
    """How long one answer takes that just keeps the SLO."""
    if slo is None:
        return None
    if slo.ttft_ms is not None and slo.tpot_ms is not None:
        paced = (slo.ttft_ms + slo.tpot_ms * max(output_tokens - 1, 0)) / 1000
        return paced if slo.e2e_ms is None else min(paced, slo.e2e_ms / 1000)
    return None if slo.e2e_ms is None else slo.e2e_ms / 1000
