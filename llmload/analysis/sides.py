"""Client and server of one step side by side, as the rules of a cross-check look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.at_work import in_hand_and_in_flight
from llmload.analysis.client_work import left_open
from llmload.analysis.server_work import counted_in, has_counts
from llmload.analysis.wording import counted, milliseconds
from llmload.domain import Observation, StepResult, TargetFacts
from llmload.samples import CounterName
from llmload.scenario.asked import Scenario
from llmload.serving import Check
from llmload.verdict import Finding

_LEAST_SAMPLES = 3
_SURPLUS = 0.10

_NAMES = {
    "requests": "requests",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "ttft": "mean TTFT",
    "tpot": "mean TPOT",
    "e2e": "mean E2E",
}
_THINGS = {"requests": "request", "input_tokens": "input token", "output_tokens": "output token"}


@dataclass(frozen=True, slots=True)
class Explained:
    """A finding, and the figures whose disagreement it explains: no later rule speaks of them."""

    finding: Finding
    figures: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sides:
    """A step, and its checks that disagree and that nothing explains yet. `kinds` are those of the findings so far."""

    result: StepResult
    windows: Sequence[Observation]
    scenario: Scenario
    facts: TargetFacts
    apart: Mapping[str, Check]
    kinds: tuple[str, ...] = ()

    def client_above(self, figure: str) -> Check | None:
        """The check of a figure of which we have more than the server."""
        check = self.apart.get(figure)
        return check if check is not None and check.client > check.server else None

    def server_above(self, figure: str) -> Check | None:
        """The check of a figure of which the server has more than we have."""
        check = self.apart.get(figure)
        return check if check is not None and check.server > check.client else None

    def check(self, figure: str) -> Check | None:
        """A figure that both sides have, whether they agree or not."""
        return next((check for check in self.result.checks if check.figure == figure), None)

    @property
    def agreeing(self) -> frozenset[str]:
        """The figures in which both sides agree."""
        return frozenset(check.figure for check in self.result.checks if check.agrees)

    @property
    def sent(self) -> int:
        """Requests that we sent, warm-up and fillers included."""
        return sum(record.sent_ns is not None for window in self.windows for record in window.records)

    def counted(self, name: CounterName) -> float | None:
        """How far a counter of the server went; None where it does not tell."""
        return counted_in(self.windows, name)

    def finding(self, kind: str, check: Check, clauses: Sequence[str]) -> Explained:
        """A check that disagrees, with its cause, and all others that the same cause puts apart."""
        others = [each for each in self.apart.values() if each.figure != check.figure]
        words = [*clauses[:-1], *also_apart(others), clauses[-1]]
        finding = Finding(
            subject=_NAMES[check.figure],
            expected=amount(check, check.client),
            actual=amount(check, check.server),
            cause="; ".join(words),
            step=self.result.step.label,
            kind=kind,
        )
        return Explained(finding, frozenset({check.figure, *(each.figure for each in others)}))

    def among(self, *figures: str) -> Sides:
        """The same, with only these figures left to explain."""
        apart = {figure: check for figure, check in self.apart.items() if figure in figures}
        return Sides(self.result, self.windows, self.scenario, self.facts, apart, self.kinds)


def amount(check: Check, value: float) -> str:
    """A figure of one side, with its unit."""
    if check.unit == "ms":
        return milliseconds(value)
    return counted(round(value), _THINGS[check.figure])


def also_apart(checks: Sequence[Check]) -> list[str]:
    """The clause that lists what the same cause puts apart; none where there is nothing."""
    if not checks:
        return []
    told = ", ".join(
        f"{_NAMES[each.figure]} {_bare(each, each.client)} / {_bare(each, each.server)}" for each in checks
    )
    return [f"also apart, client / server: {told}"]


def _bare(check: Check, value: float) -> str:
    return milliseconds(value) if check.unit == "ms" else f"{round(value):,}"


# ---------------------------------------------------------------- work of others, by its gauges


def others_in_hand(windows: Sequence[Observation]) -> float:
    """Requests that the server had in hand beyond those that we had in flight, at half of the samples at least; 0 for
    few samples, or for so few requests that it is the time between our two clocks.
    """
    surplus: list[float] = []
    ours: list[float] = []
    for window in windows:
        theirs, mine = in_hand_and_in_flight(window)
        surplus += (theirs - mine).tolist()
        ours += mine.tolist()
    if len(surplus) < _LEAST_SAMPLES:
        return 0.0
    middle = float(np.median(surplus))
    return middle if middle >= max(1.0, _SURPLUS * float(np.mean(ours))) else 0.0


def others_at_edges(windows: Sequence[Observation]) -> float:
    """The most that the server had in hand while nothing of ours was in flight.

    After a window it may still be about what we had just given up, and before it about what we gave up in the window
    before: so the edge before counts only where nothing of ours came earlier.
    """
    found = [0.0]
    for window in windows:
        work = window.watched.server
        if work is None:
            continue
        if (window.look.step.index, window.look.number) == (0, 0):
            found.append(work.running_before or 0.0)
        found.append((work.running_after or 0.0) - left_open(window))
    return max(found)


def told_counts(windows: Sequence[Observation]) -> bool:
    """Whether the server counts its work at all, so that gauges need not tell whose it was."""
    names: tuple[CounterName, ...] = ("requests_succeeded", "output_tokens")
    return any(has_counts(windows, name) for name in names)
