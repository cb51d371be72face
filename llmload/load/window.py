"""What one worker is asked to observe: a look at a step, and everything needed to send it."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.endpoint import Endpoint
from llmload.planned import Look
from llmload.promises import Promised
from llmload.scenario.asked import UNGUARDED, Guards
from llmload.workload.file_plan import FilePlan
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.mixed_plan import MixedPlan
from llmload.workload.pace import Pace
from llmload.workload.plan import Plan
from llmload.workload.session_plan import SessionPlan
from llmload.workload.shard import WHOLE, Shard


@dataclass(frozen=True, slots=True)
class Window:
    """One measured window: its requests, when they are due, and when it ends.

    `plan.request(i)` gives the i-th request of the window: those of the ramp, warm-up, then measured ones, then
    fillers, which keep the load up until the last measured one is done. A worker sends those of its `shard`.
    A plan of conversations gives the i-th conversation; warm-up, measured ones and fillers are its requests even so.
    """

    look: Look
    endpoint: Endpoint
    plan: Plan | FilePlan | MixedPlan | SessionPlan | FileSessionPlan
    slo: Promised  # for the figures shown while it runs, and for `futile_below`
    pace: Pace
    warmup: int
    duration_s: float | None
    cooldown_s: float
    max_duration_s: float
    max_in_flight: int = 1000  # open loop: a request due beyond it is dropped
    keep_texts: int = 20  # answers per window whose text is kept, to hold the server's count against ours
    shard: Shard = WHOLE
    guards: Guards = UNGUARDED
    futile_below: float | None = None  # goodput that the window must be able to reach, or it may end early
