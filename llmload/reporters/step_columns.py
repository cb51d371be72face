"""Which figures a table of steps shows: those of answers in text, or of embeddings, which have no output tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llmload.domain import StepResult

Speed = Literal["output_tps", "input_tps"]
"""Which tokens per second a table tells."""

_LATENCIES = ("ttft", "ttft_due", "tpot", "e2e")


def speed_of(steps: Sequence[StepResult]) -> Speed:
    """Input tokens where that is all that the server counted: nothing was to be answered in tokens."""
    is_output = any(step.metrics.output_tps is not None for step in steps)
    return "input_tps" if not is_output and any(step.metrics.total_tps is not None for step in steps) else "output_tps"


def tokens_per_s(step: StepResult, speed: Speed) -> float | None:
    """The tokens per second of a step; without output tokens, all of them are input tokens."""
    return step.metrics.output_tps if speed == "output_tps" else step.metrics.total_tps


def latencies_of(steps: Sequence[StepResult]) -> tuple[str, ...]:
    """The latencies that every table has: TTFT since due only where something is due, E2E alone of embeddings."""
    if speed_of(steps) == "input_tps":
        return ("e2e",)
    has_due = any("ttft_due" in step.metrics.latency for step in steps)
    return tuple(name for name in _LATENCIES if name != "ttft_due" or has_due)
