"""Windows against a paced server."""

from __future__ import annotations

from llmload.domain import TokenFit, TokenSource
from llmload.endpoint import Endpoint
from llmload.load.window import Window
from llmload.planned import Look, Step
from llmload.scenario.lengths import Fixed
from llmload.workload.pace import Pace, Slots
from llmload.workload.plan import Plan


def window_of(url: str, pace: Pace, *, requests: int, warmup: int = 0, tokens: int = 8, look: int = 0) -> Window:
    """A window of short prompts against a paced server."""
    level = float(pace.concurrency) if isinstance(pace, Slots) else 0.0
    return Window(
        look=Look(Step(0, "concurrency" if isinstance(pace, Slots) else "rate", level), look, requests),
        endpoint=Endpoint(url, "openai", "chat", "tiny", True, {}),
        plan=Plan(1, 0, look, Fixed(16), Fixed(tokens), True, TokenFit(0.0, 1.0, 0.0, TokenSource.USAGE)),
        slo=None,
        pace=pace,
        warmup=warmup,
        duration_s=None,
        cooldown_s=0,
        max_duration_s=120,
    )
