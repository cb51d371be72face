"""What the client saw, held against what the server counted over the same requests (METRICS "cross-check")."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.domain import Observation, StepResult, TargetFacts
from llmload.scenario.asked import Scenario
from llmload.serving import Check
from llmload.verdict import Finding


def checks_of(windows: Sequence[Observation]) -> tuple[Check, ...]:
    """Each figure that both sides have of these windows of one step, whole observations with all their requests."""
    return ()


def findings_of(
    result: StepResult, windows: Sequence[Observation], scenario: Scenario, facts: TargetFacts
) -> tuple[Finding, ...]:
    """Where the checks of a step disagree, and what else the server's figures explain, each with its likely cause."""
    return ()
