"""What one worker is asked to observe: a look at a step, and everything needed to send it."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.domain import Endpoint, Look
from llmload.promises import Slo
from llmload.workload.plan import Plan


@dataclass(frozen=True, slots=True)
class Window:
    """One measured window in closed loop: `concurrency` requests in flight until the last measured one is done.

    `plan.request(i)` gives the i-th request of the window: warm-up first, then measured ones, then endless fillers.
    """

    look: Look
    endpoint: Endpoint
    plan: Plan
    slo: Slo | None  # only for the figures shown while it runs
    concurrency: int
    warmup: int
    duration_s: float | None
    cooldown_s: float
    max_duration_s: float
    keep_texts: int = 20  # answers per window whose text is kept, to hold the server's count against ours
