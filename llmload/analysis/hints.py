"""What is worth knowing or trying beside a number of GPUs. Hints change no figure, and rest on those of the run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from llmload.analysis.bottleneck import bottleneck_of
from llmload.analysis.profile import gpus_at_work
from llmload.analysis.settings_to_try import Around, settings_to_try
from llmload.capacity import Demand, Hint, Profile
from llmload.domain import RunResult, StepResult
from llmload.plain_text import plain
from llmload.scenario.asked import Scenario
from llmload.units import format_number
from llmload.verdict import Status

_FAR = 2.0
"""Factor from which what daily users make and the peak that is asked for contradict each other."""

_LARGE = 30.0
"""Billions of parameters from which a model is better spread over several GPUs (METRICS.md)."""

_LONGEST_NAME = 100

_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d{1,3})x)?(\d{1,5}(?:\.\d{1,3})?)b(?![a-z0-9])", re.IGNORECASE | re.ASCII)
"""`70B`, `0.6b`, `8x22B`; not `A3B`, which are the active parameters of a mixture, and not `4bit`."""


def hints_of(run: RunResult, scenario: Scenario, demand: Demand) -> tuple[Hint, ...]:
    """Everything that the run and its scenario tell by themselves; what other runs add is `alternatives.beside_others`.

    Pure: the same run has the same hints whenever it is judged.
    """
    found = [*_of_demand(demand)]
    if run.profile is not None:
        found += [*_of_parallelism(run, run.profile), *_at_the_knee(run, scenario)]
    return tuple(found)


def _of_demand(demand: Demand) -> Iterator[Hint]:
    """Requests in flight that daily users make, by Little's law, beside the peak that was asked for."""
    expected, peak = demand.expected_peak, demand.peak_concurrency
    if expected is None or demand.daily_active_users is None or peak <= 0:
        return
    users, made = f"{demand.daily_active_users:,.0f}", _rounded(expected)
    requests = "request" if made == "1" else "requests"
    says = f"{users} daily users make about {made} {requests} in flight at the busiest time, "
    remedy = "check the peak, the requests per user and the peak factor"
    if expected > _FAR * peak:
        says += f"more than twice the peak of {format_number(peak)}: {remedy}"
    elif expected * _FAR < peak:
        says += f"less than half the peak of {format_number(peak)}: {remedy}"
    else:
        says += f"which agrees with the peak of {format_number(peak)}"
    yield Hint("demand", says)


def _rounded(number: float) -> str:
    """A plain number for an estimate: whole ones, and one decimal below 10."""
    return f"{number:,.0f}" if number >= 10 else format_number(round(number, 1))


def _of_parallelism(run: RunResult, profile: Profile) -> Iterator[Hint]:
    """A large model on one GPU. Only where it is known that there is just one."""
    settings = {} if run.target is None else run.target.known
    is_alone = profile.gpus_per_replica == 1 and ("tensor_parallel_size" in settings or profile.gpu_count == 1)
    largest = max(_SIZE.findall(profile.model), key=_billions, default=None)
    if not is_alone or largest is None or _billions(largest) <= _LARGE:
        return
    experts, size = largest
    name = plain(profile.model, _LONGEST_NAME)
    holds = f"{name} has {size} billion parameters by its name"
    if experts:
        holds = (
            f"{name} has {experts} experts of {size} billion parameters by its name, at most"
            f" {format_number(round(_billions(largest), 1))} billion in all"
        )
    yield Hint("tensor_parallelism", f"Try a tensor parallelism of 2 or more: {holds}, and one GPU holds them all")


def _billions(found: tuple[str, str]) -> float:
    """Of parameters; of a mixture of experts the most that there may be, since experts share some."""
    experts, size = found
    return float(experts or 1) * float(size)


def _at_the_knee(run: RunResult, scenario: Scenario) -> Iterator[Hint]:
    step = _just_above(run)
    if step is None or run.target is None or run.slo is None or run.profile is None:
        return
    seen = step if _are_all_at_work(run) else replace(step, gpu=None)
    found = bottleneck_of(seen)
    if found is not None:
        yield Hint("bound", found.text)
    for text in settings_to_try(Around(seen, found, run.target, run.slo, run.profile), scenario.workload):
        yield Hint("setting", text)


def _just_above(run: RunResult) -> StepResult | None:
    """The lightest load above the knee that surely breaks the SLO, else the next one, else the knee itself."""
    knee = None if run.knee is None else run.knee.at_slo
    measured = sorted((result for result in run.steps if result.looks), key=lambda result: result.step.value)
    above = [result for result in measured if knee is None or result.step.value > knee]
    breaks = (each for each in above if each.capacity is not None and each.capacity.status is Status.FAIL)
    at_knee = (each for each in measured if each.step.value == knee)
    return next(breaks, None) or next(iter(above), None) or next(at_knee, None)


def _are_all_at_work(run: RunResult) -> bool:
    """Figures of a step are those of all GPUs of the machine: an idle one among them would say that all are idle."""
    return len(gpus_at_work(run.gpus)) == len(run.gpus)
