"""What was read beside the load: figures of GPUs and of the server as they came, on the clock of the requests.

What nobody told is missing or None, never 0. Shares are 0..1, instants machine-wide `monotonic_ns`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Source(StrEnum):
    """Who told a figure: the driver of a GPU, the server's Prometheus page, or the server's log."""

    GPU = "gpu"
    METRICS = "metrics"
    LOG = "log"


GpuFigure = Literal[
    "utilisation",
    "memory_bytes",
    "temperature_c",
    "power_w",
    "sm_clock_mhz",
    "memory_clock_mhz",
    "throttle_reasons",  # NVML's bit mask
    "energy_j",  # since the driver was loaded
]

GaugeName = Literal[
    "requests_running",
    "requests_waiting",
    "kv_cache_share",
    "prefix_cache_hit_share",  # as the server reckons it, over a time of its own choice
]
CounterName = Literal[
    "requests_succeeded",
    "requests_failed",
    "requests_cancelled",
    "prompt_tokens",
    "prompt_tokens_cached",
    "output_tokens",
    "prefix_cache_queries",
    "prefix_cache_hits",
    "preemptions",
]
DistributionName = Literal[
    "ttft_s",
    "itl_s",  # an observation for each output token but the first
    "tpot_s",  # an observation for each request
    "e2e_s",
    "queue_s",
]
MetricName = Literal[GaugeName, CounterName, DistributionName]
"""What servers tell of their own work on a metrics page. Each name means one thing, whichever server tells it:

- `requests_succeeded` came to their own end (stop, length); `requests_cancelled` were given up by their client.
- `prompt_tokens` are all tokens of prompts, those found in a cache included; `prompt_tokens_cached` are the latter.
  `prefix_cache_queries` and `prefix_cache_hits` are tokens, too: looked for in the prefix cache, and found there.
- `output_tokens` are all that were generated. vLLM counts them as they come, so those of cancelled requests are in
  it; llama.cpp when a request leaves its slot; SGLang when a request has ended, prompt tokens as well.
- `requests_waiting` are not begun yet; `preemptions` were begun and put back (SGLang: retracted).
- `ttft_s`, `queue_s`, `e2e_s` begin when the server takes a request in, so that neither the network nor a proxy before
  it is in them. llama.cpp's `itl_s` divides by all output tokens, the first included.
- A name that was released stays: runs are stored with it, and read back strictly.
- Counts go on since the server began. A share is that of the fullest engine; all else is added up over engines.
"""

LogFigure = Literal["output_tps", "prompt_tps"]
"""What only logs tell: tokens per second, averaged by the server."""

SampleName = GpuFigure | MetricName | LogFigure

IDLE, POWER_CAP = 0x01, 0x04
"""Bits of `throttle_reasons`: nothing to do, and the power limit, at which GPUs of data centres work at full load."""

SLOW_DOWNS: Mapping[int, str] = {
    POWER_CAP: "power cap",  # the driver keeps the GPU below its power limit
    0x08: "hardware slowdown",
    0x20: "too hot",  # the driver's answer
    0x40: "too hot (hardware)",
    0x80: "power brake",  # the power supply asks for it
    0x200: "board limit",
}
"""The bits of `throttle_reasons` (NVML's, and DCGM's after it) that say a GPU was slower than it could have been.

The others do not: idle (0x01), clocks that somebody set (0x02 for applications, 0x100 for a display) or that are those
of a group of GPUs (0x10, sync boost) are the machine as it was set up, the same in every run; at 0x400 a GPU is at the
highest voltage that it may ever have, where boost ends.
"""
_HARDWARE, _WHY_HARDWARE = 0x08, 0x40 | 0x80


def slow_downs(throttle_reasons: float) -> tuple[str, ...]:
    """What slowed a GPU down at one sample of its mask; empty where nothing did, whatever else the mask says.

    A hardware slow-down that is told together with its cause is that cause.
    """
    mask = int(throttle_reasons)
    if mask & _WHY_HARDWARE:
        mask &= ~_HARDWARE
    return tuple(words for bit, words in SLOW_DOWNS.items() if mask & bit)


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of one device over time, in order; `device` is the key of a GPU, "" for the server as a whole.

    A sample that was not to be had is simply not there.
    """

    source: Source
    name: SampleName
    device: str
    at_ns: array[int]  # "q"
    values: array[float]  # "d"; finite


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or one MIG instance of it, as its driver describes it; `key` names it in every series."""

    key: str  # its UUID, where it has one
    index: int
    name: str
    uuid: str
    driver: str | None = None
    memory_total_bytes: int | None = None
    power_limit_w: float | None = None
    mig: str | None = None  # the profile of a MIG instance
    host: str = ""  # as an exporter names it; "" is this machine


@dataclass(frozen=True, slots=True)
class GpuNow:
    """What one GPU told last, for whoever watches a run go on."""

    index: int
    name: str
    utilisation: float | None
    memory_bytes: int | None
    memory_total_bytes: int | None
    temperature_c: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a histogram of the server grew: `count` observations that add up to `total`, in the unit of its name.

    `counts[i]` of them lie at or below `bounds[i]` and above the bound before it; the last bound is infinite and left
    out, so there may be one count more than bounds. Both are empty where a server tells only sum and count.
    """

    count: float
    total: float
    bounds: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()

    @property
    def mean(self) -> float | None:
        """None where nothing was observed."""
        return self.total / self.count if self.count > 0 else None


@dataclass(frozen=True, slots=True)
class ServerWork:
    """How far the server's counters went from before a window's first request, warm-up included, to after its last.

    At both edges nothing of ours is in flight, so that both sides count the same requests. `running_before` and
    `running_after` are the requests that the server had at the edges, waiting ones included: somebody else's.
    """

    start_ns: int
    end_ns: int
    counts: Mapping[MetricName, float] = field(default_factory=dict)
    distributions: Mapping[MetricName, Distribution] = field(default_factory=dict)
    running_before: float | None = None
    running_after: float | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything that was read since the window before, this window included. `notes` are sentences for people."""

    gpus: tuple[Gpu, ...] = ()
    series: tuple[Series, ...] = ()
    server: ServerWork | None = None
    notes: tuple[str, ...] = ()


UNWATCHED = Watched()
