"""Which rows of a file of prompts each window is given, and whether there are enough for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from llmload.analysis.looks import first_sizes, gates_at, planned_sizes, steps_of
from llmload.errors import DataFileError
from llmload.planned import Look, Step
from llmload.promises import Bound
from llmload.scenario.asked import Scenario
from llmload.scenario.corpus import Stretch
from llmload.scenario.lengths import mean_length, variance_of
from llmload.scenario.quotas import quotas_of
from llmload.scenario.traffic import Mixture, PromptFile, Sessions, Synthetic

_SIGMAS = 4

ROWS_OF_A_DURATION = 20_000
"""Rows that a window is given whose length is a time; it begins again with its own ones when they are used up."""


def rows_needed(scenario: Scenario, traffic_class: str | None = None) -> int | None:
    """Rows of all windows that are planned, if each is to come once in a run; None where nobody can know.

    Warm-up and fillers have rows too. Fillers are taken to be as many as are in flight at a time. In a mixture, those
    of one class.
    """
    if scenario.load.requests is None or scenario.load.duration_s is not None or scenario.recommend is not None:
        return None
    use = _use_of(scenario, traffic_class)
    return sum(sum(use.strides(step)) for step in steps_of(scenario))


def stretch_of(scenario: Scenario, look: Look) -> Stretch | Mapping[str, Stretch] | None:
    """The rows of one window: behind those of every window that could have come before it. None without a file.

    Where they are more than there are, they begin again with the first. In a mixture, those of each class by its name.
    """
    prompts = scenario.workload.prompts
    match prompts:
        case Mixture(classes):
            mine = [each.name for each in classes if isinstance(each.prompts, PromptFile)]
            return {name: _use_of(scenario, name).stretch(look) for name in mine}
        case PromptFile():
            return _use_of(scenario, None).stretch(look)
        case Synthetic():
            return None
        case _:
            assert_never(prompts)


def files_of(scenario: Scenario) -> tuple[tuple[str | None, PromptFile], ...]:
    """Every file of prompts, with the class that it is of: None where all requests are of one kind."""
    prompts = scenario.workload.prompts
    if isinstance(prompts, PromptFile):
        return ((None, prompts),)
    return tuple(
        (each.name, each.prompts) for each in scenario.workload.classes if isinstance(each.prompts, PromptFile)
    )


def check_rows(scenario: Scenario) -> None:
    """DataFileError where each row is to come once, and the run may need more of them than there are."""
    for traffic_class, prompts in files_of(scenario):
        if not prompts.reuse and prompts.order != "random":
            _check(prompts, rows_needed(scenario, traffic_class))


def _check(prompts: PromptFile, needed: int | None) -> None:
    have = prompts.found.rows
    again = "write reuse: true to begin again with the first row, which a prefix cache may then know"
    if needed is None:
        problem = f"has {have:,} rows, and nobody knows beforehand how many a duration or a search for capacity needs"
        raise DataFileError(prompts.reading.path, problem, f"Write load.requests, or {again}")
    if needed > have:
        left_out = prompts.found.skipped + prompts.found.filtered
        of_all = f" ({left_out:,} more are left out)" if left_out else ""
        problem = f"has {have:,} rows{of_all}, and the run may need {needed:,}, warm-up and fillers included"
        raise DataFileError(prompts.reading.path, problem, f"Plan for fewer requests, bring more rows, or {again}")


@dataclass(frozen=True, slots=True)
class _Use:
    """How many rows windows take, of which a part goes to one file."""

    scenario: Scenario
    part: Callable[[int], int]

    def stretch(self, look: Look) -> Stretch:
        """The rows of one window."""
        scenario = self.scenario
        count = self._rows(look.step, look.requests)
        if scenario.load.requests is None or scenario.load.duration_s is not None:
            count = max(count, ROWS_OF_A_DURATION)
        before = sum(sum(self.strides(step)) for step in steps_of(scenario) if step.index < look.step.index)
        return Stretch(before + sum(self.strides(look.step)[: look.number]), count)

    def strides(self, step: Step) -> list[int]:
        """Rows of each look; those of further climbs are as large as the first, whichever number they come to have."""
        scenario = self.scenario
        first = first_sizes(scenario, step)[0]
        is_judged = any(isinstance(gate.promise, Bound) for gate in gates_at(scenario.gates, step))
        sizes = planned_sizes(scenario, step) if is_judged else (first,) * scenario.decision.repeats
        return [self._rows(step, max(size, first)) for size in sizes]

    def _rows(self, step: Step, requests: int) -> int:
        """Rows of a window that measures so many requests; of conversations, one row for each of them."""
        sent, sessions = _sent(self.scenario, step, requests), self.scenario.workload.sessions
        if sessions is None:
            return self.part(sent)
        return conversations_of(sessions, sent, max(1, round(step.value)))


def conversations_of(sessions: Sessions, requests: int, slots: int) -> int:
    """Conversations that so many requests are of, begun ones included: more than are needed, but by chance (4 sigma).

    Each slot's first one is cut and its last one unfinished. Where turns fail, conversations end early, and a window
    may need more.
    """
    turns = max(1.0, mean_length(sessions.turns))
    spread = math.sqrt(variance_of(sessions.turns) * requests / turns)
    return min(requests, math.ceil((requests + _SIGMAS * spread) / turns) + 2 * slots)


def _use_of(scenario: Scenario, traffic_class: str | None) -> _Use:
    classes = scenario.workload.classes
    if traffic_class is None:
        return _Use(scenario, _all)
    number = [each.name for each in classes].index(traffic_class)
    return _Use(scenario, partial(quotas_of([each.share for each in classes]).most, number))


def _all(requests: int) -> int:
    return requests


def _sent(scenario: Scenario, step: Step, requests: int) -> int:
    """Requests of one window: those of a ramp, warm-up, measured ones, and as many fillers as are in flight."""
    load, level = scenario.load, max(1, round(step.value))
    ramp = round(step.value * load.ramp_s) if step.axis == "rate" else load.ramp_s and 2 * level
    return requests + load.warmup_for(level) + level + round(ramp)
