"""Which rows of a file of prompts each window is given, and whether there are enough for all of them."""

from __future__ import annotations

from llmload.analysis.looks import first_sizes, gates_at, planned_sizes, steps_of
from llmload.errors import DataFileError
from llmload.planned import Look, Step
from llmload.promises import Bound
from llmload.scenario.asked import Scenario
from llmload.scenario.corpus import Stretch
from llmload.scenario.traffic import PromptFile

ROWS_OF_A_DURATION = 20_000
"""Rows that a window is given whose length is a time; it begins again with its own ones when they are used up."""


def rows_needed(scenario: Scenario) -> int | None:
    """Rows of all windows that are planned, if each is to come once in a run; None where nobody can know.

    Warm-up and fillers have rows too. Fillers are taken to be as many as are in flight at a time.
    """
    if scenario.load.requests is None or scenario.load.duration_s is not None or scenario.recommend is not None:
        return None
    return sum(_of_step(scenario, step) for step in steps_of(scenario))


def stretch_of(scenario: Scenario, look: Look) -> Stretch | None:
    """The rows of one window: behind those of every window that could have come before it. None without a file.

    Where they are more than there are, they begin again with the first.
    """
    prompts = scenario.workload.prompts
    if not isinstance(prompts, PromptFile):
        return None
    count = _sent(scenario, look.step, look.requests)
    if scenario.load.requests is None or scenario.load.duration_s is not None:
        count = max(count, ROWS_OF_A_DURATION)
    ladder = steps_of(scenario)
    before = sum(_of_step(scenario, step) for step in ladder if step.index < look.step.index)
    return Stretch(before + sum(_strides(scenario, look.step)[: look.number]), count)


def check_rows(scenario: Scenario) -> None:
    """DataFileError where each row is to come once, and the run may need more of them than there are."""
    prompts = scenario.workload.prompts
    if not isinstance(prompts, PromptFile) or prompts.reuse or prompts.order == "random":
        return
    have, needed = prompts.found.rows, rows_needed(scenario)
    again = "write reuse: true to begin again with the first row, which a prefix cache may then know"
    if needed is None:
        problem = f"has {have:,} rows, and nobody knows beforehand how many a duration or a search for capacity needs"
        raise DataFileError(prompts.reading.path, problem, f"Write load.requests, or {again}")
    if needed > have:
        left_out = prompts.found.skipped + prompts.found.filtered
        of_all = f" ({left_out:,} more are left out)" if left_out else ""
        problem = f"has {have:,} rows{of_all}, and the run may need {needed:,}, warm-up and fillers included"
        raise DataFileError(prompts.reading.path, problem, f"Plan for fewer requests, bring more rows, or {again}")


def _of_step(scenario: Scenario, step: Step) -> int:
    return sum(_strides(scenario, step))


def _strides(scenario: Scenario, step: Step) -> list[int]:
    """Rows of each look; those of further climbs are as large as the first, whichever number they come to have."""
    first = first_sizes(scenario, step)[0]
    is_judged = any(isinstance(gate.promise, Bound) for gate in gates_at(scenario.gates, step))
    sizes = planned_sizes(scenario, step) if is_judged else (first,) * scenario.decision.repeats
    return [_sent(scenario, step, max(size, first)) for size in sizes]


def _sent(scenario: Scenario, step: Step, requests: int) -> int:
    """Requests of one window: those of a ramp, warm-up, measured ones, and as many fillers as are in flight."""
    load, level = scenario.load, max(1, round(step.value))
    ramp = round(step.value * load.ramp_s) if step.axis == "rate" else load.ramp_s and 2 * level
    return requests + load.warmup_for(level) + level + round(ramp)
