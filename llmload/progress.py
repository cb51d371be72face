"""Where a run stands: what worker, store and display tell each other while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.domain import Phase
from llmload.samples import GpuNow


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running window stands; overwritten in place, never queued."""

    step: str
    phase: Phase
    done: int
    planned: int
    in_flight: int
    output_events_per_s: float
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    goodput: float | None
    elapsed_s: float
    gpus: tuple[GpuNow, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A launched server is not ready yet."""

    elapsed_s: float
    limit_s: float


@dataclass(frozen=True, slots=True)
class Tally:
    """The measured requests of a running window: how many finished, how many of them good, and those in flight."""

    finished: int
    good: int
    in_flight: int
