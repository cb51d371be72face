"""The windows of one step with everything they are folded into, each fold made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from llmload.analysis.attempts import Attempts, attempts_of
from llmload.analysis.traffic import Traffic, traffic_of
from llmload.domain import Observation


@dataclass(frozen=True)  # no slots: what is folded on demand stays here
class Folded:
    """Windows of one step in order, and their measured attempts as columns."""

    observations: tuple[Observation, ...]
    attempts: Attempts

    @cached_property
    def traffic(self) -> Traffic:
        """What the server did inside the windows, whosever request it was."""
        return traffic_of(self.observations)


def fold(observations: Sequence[Observation]) -> Folded:
    """Fold windows of one step, in the order in which they were measured."""
    return Folded(tuple(observations), attempts_of(observations))
