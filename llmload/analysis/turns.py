"""Whose turn it is where runs are measured side by side, in an order that keeps time out of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmload.analysis.strategy import next_look
from llmload.domain import Ending, Observation
from llmload.planned import Look
from llmload.scenario.asked import Scenario


@dataclass(frozen=True, slots=True)
class Turn:
    """The next window, and the side (from 0) that measures it."""

    side: int
    look: Look

    @property
    def place(self) -> tuple[int, int]:
        """Side and climb of the ladder: another place is another server, where the server is ours to start."""
        return self.side, self.look.repeat


NextTurn = Callable[[Sequence[Sequence[Observation]]], Turn | None]
"""Names the next turn from the windows of every side so far; None when there is no more to do."""


def alone(scenario: Scenario) -> NextTurn:
    """One run by itself."""

    def next_turn(observations: Sequence[Sequence[Observation]]) -> Turn | None:
        look = next_look(scenario, observations[0])
        return None if look is None else Turn(0, look)

    return next_turn


def in_pairs(a: Scenario, b: Scenario) -> NextTurn:
    """Two runs in whole climbs of the ladder, in the order A B B A A B B A ...

    A drift that goes one way, such as a machine that grows warm, is then as often against A as against B. Where a
    guard ended one side there are no further pairs, and the other side ends too.
    """
    sides = (a, b)

    def next_turn(observations: Sequence[Sequence[Observation]]) -> Turn | None:
        if any(seen.ending is Ending.GUARD for each in observations for seen in each):
            return None
        due = [next_look(scenario, seen) for scenario, seen in zip(sides, observations, strict=True)]
        turns = [Turn(side, look) for side, look in enumerate(due) if look is not None]
        return min(turns, key=_rank, default=None)

    return next_turn


def _rank(turn: Turn) -> tuple[int, int]:
    """Earlier pairs first; in every other pair B goes first."""
    pair = turn.look.repeat
    return pair, turn.side if pair % 2 == 0 else 1 - turn.side
