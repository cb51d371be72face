"""When and what: every request of a run, known before the first byte is sent."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.domain import PlannedRequest, TokenFit
from llmload.scenario.asked import Lengths


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests of one look at one step, as a function of their index.

    Same arguments, same bytes, on any machine; another seed, step, look or index gives other words.
    """

    seed: int
    step: int
    look: int
    input_tokens: Lengths
    output_tokens: Lengths
    unique: bool
    fit: TokenFit

    def request(self, index: int) -> PlannedRequest:
        """The `index`-th request of the window, counting warm-up, measured and filler requests alike."""
        raise NotImplementedError  # the workload builder writes this
