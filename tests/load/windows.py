"""Windows for the tests, and one line to observe one."""

from __future__ import annotations

import threading
from dataclasses import replace

from llmload.domain import Observation, TokenFit, TokenSource
from llmload.endpoint import Endpoint
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.planned import Look, Step
from llmload.scenario.lengths import Fixed
from llmload.workload.pace import Slots
from llmload.workload.plan import Plan

FIT = TokenFit(0.0, 1.0, 0.0, TokenSource.USAGE)


def endpoint(url: str, **changes: object) -> Endpoint:
    """An endpoint that speaks OpenAI chat, with short patience."""
    plain = Endpoint(
        url=url,
        framework="vllm",
        api="chat",
        model="tiny",
        stream=True,
        sampling={"temperature": 0},
        connect_timeout_s=2,
        first_token_timeout_s=5,
        total_timeout_s=10,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields it changes


def window(target: Endpoint, *, concurrency: int = 1, requests: int = 5, **changes: object) -> Window:
    """A closed loop of a few short requests."""
    plain = Window(
        look=Look(Step(0, "concurrency", concurrency), 0, requests),
        endpoint=target,
        plan=Plan(1, 0, 0, Fixed(8), Fixed(5), True, FIT),
        slo=None,
        pace=Slots(concurrency),
        warmup=2,
        duration_s=None,
        cooldown_s=0,
        max_duration_s=20,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def observed(asked: Window) -> Observation:
    """What one window in a fresh worker leaves behind."""
    with Pool() as pool:
        return pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())
