"""What the rules of validity look at: one step with everything known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmload.analysis.attempts import Attempts
from llmload.domain import Observation, StepMetrics, TargetFacts, WorkerFacts
from llmload.scenario.asked import Scenario


@dataclass(frozen=True, slots=True)
class Measured:
    """The windows of one step, folded and as they were; `cpus` of the machine that ran it, None where unknown."""

    observations: Sequence[Observation]
    attempts: Attempts
    metrics: StepMetrics
    scenario: Scenario
    facts: TargetFacts
    cpus: int | None

    @property
    def workers(self) -> Iterator[WorkerFacts]:
        """What each worker was and cost, window by window."""
        return (worker for observation in self.observations for worker in observation.workers)
