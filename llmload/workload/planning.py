"""From a scenario and what the probe learnt to the plan of one look."""

from __future__ import annotations

from llmload.domain import Look, TokenFit
from llmload.scenario.asked import Scenario
from llmload.workload.plan import Plan


def plan_look(scenario: Scenario, look: Look, fit: TokenFit, *, run: str = "") -> Plan:
    """Every request of `look`. `run` (the run's id) keeps its prompts apart from those of earlier runs."""
    workload = scenario.workload
    return Plan(
        seed=workload.seed,
        step=look.step.index,
        look=look.number,
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        unique=workload.unique,
        fit=fit,
        run=run,
    )
