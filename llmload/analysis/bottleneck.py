"""What bounds a server at one load, as far as its GPUs and its metrics page tell; silent where nothing was read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from llmload.analysis.wording import counted, percent
from llmload.domain import StepResult
from llmload.verdict import Status

_FULL = 0.95
"""Share of the KV cache from which requests wait for its memory; the server keeps a little in reserve."""

_FREE = 0.8
"""Share of the KV cache up to which its memory holds nobody up."""

_BUSY, _IDLE = 0.9, 0.5
"""Mean share of the time in which a GPU is surely at its limit, and surely is not."""


class Bound(StrEnum):
    """What holds a server up."""

    KV_CACHE = "kv_cache"
    GPU = "gpu"  # its arithmetic or the bandwidth of its memory: utilisation does not tell them apart
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What bounds a server, and the sentence that says so with its figures."""

    bound: Bound
    text: str


def bottleneck_of(result: StepResult) -> Bottleneck | None:
    """By the figures of one step; None where they tell nothing, or nothing clear.

    `result.gpu` is to be of GPUs that serve the model: others would hide what these do.
    """
    if (told := _of_kv_cache(result)) is not None:
        return Bottleneck(Bound.KV_CACHE, f"Bound by the memory of the KV cache at {result.step.label}: {told}")
    busy, used = None if result.gpu is None else result.gpu.utilisation, kv_cache_of(result)
    if busy is None:
        return None
    if busy >= _BUSY and used is not None and used < _FREE:
        return Bottleneck(
            Bound.GPU,
            f"Bound by the arithmetic or the memory bandwidth of the GPU at {result.step.label}: it is busy"
            f" {percent(busy)} of the time, and the KV cache is at most {percent(used)} full",
        )
    breaks = result.capacity is not None and result.capacity.status is Status.FAIL
    if breaks and busy < _IDLE and (used is None or used < _FREE):
        return Bottleneck(
            Bound.ELSEWHERE,
            f"The GPU is no limit at {result.step.label}, where the SLO breaks: it is busy only {percent(busy)} of the"
            " time. Look at the client, the network and the CPU of the server",
        )
    return None


def kv_cache_of(result: StepResult) -> float | None:
    """The most that was used of the KV cache, 0..1."""
    return None if result.server is None else result.server.kv_cache_share


def is_kv_cache_free(result: StepResult) -> bool:
    """Whether it surely holds nobody up: told, and far from full."""
    used = kv_cache_of(result)
    return used is not None and used < _FREE


def waiting_of(result: StepResult) -> float:
    """The most requests that waited in the server at once; 0 where it does not tell."""
    server = result.server
    return 0.0 if server is None else server.waiting_max or server.waiting or 0.0


def _of_kv_cache(result: StepResult) -> str | None:
    used, preempted, waiting = kv_cache_of(result), 0.0, waiting_of(result)
    if result.server is not None:
        preempted = result.server.preemptions or 0.0
    full = None if used is None else f"up to {percent(used)} full"
    if preempted >= 1:
        requests = f"{counted(round(preempted), 'request')} preempted"
        return requests if full is None else f"{full}, {requests}"
    if used is not None and used >= _FULL and waiting >= 1:
        return f"{full}, up to {counted(round(waiting), 'request')} waiting"
    return None
