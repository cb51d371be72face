"""What the server and its GPUs did at one step, measured: figures over its windows, and the client's beside them."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.samples import Source


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """All GPUs that were watched, together, within the measured windows of a step. None is what nobody told; memory,
    power and energy, which are sums, are None where one GPU does not tell its part.
    """

    count: int
    utilisation: float | None = None  # mean share, 0..1
    memory_bytes: int | None = None  # the most of each, added up
    temperature_c: float | None = None  # of the hottest
    power_w: float | None = None  # mean, of all together
    energy_j: float | None = None
    joules_per_token: float | None = None  # energy_j by the output tokens that completed requests had in the windows
    throttled: float | None = None  # share of the samples, 0..1, of the one that was slowed down most often
    throttle_reasons: tuple[str, ...] = ()  # the most frequent first


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """What the server told of itself. Gauges are of the measured windows; counts and latencies of every request in and
    around them, warm-up and fillers included, since the server cannot tell these apart.
    """

    source: Source
    running: float | None = None  # mean
    waiting: float | None = None  # mean
    waiting_max: float | None = None
    kv_cache_share: float | None = None  # the most, 0..1
    prefix_cache_hit_share: float | None = None  # of prompt tokens, 0..1
    preemptions: float | None = None
    ttft_ms: float | None = None  # means
    tpot_ms: float | None = None
    e2e_ms: float | None = None
    queue_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One figure as client and server each have it, over the same requests.

    They agree when they differ by no more than `tolerance`, a share of the larger one, or by no more than `floor`.
    """

    figure: str  # requests, input_tokens, output_tokens, ttft, tpot, e2e
    unit: str  # "", "tokens" or "ms"
    client: float
    server: float
    tolerance: float
    floor: float = 0.0

    @property
    def difference(self) -> float:
        """Client less server, as a share of the larger one; 0 where both are 0."""
        larger = max(abs(self.client), abs(self.server))
        return (self.client - self.server) / larger if larger else 0.0

    @property
    def agrees(self) -> bool:
        """Whether both tell the same."""
        return abs(self.difference) <= self.tolerance or abs(self.client - self.server) <= self.floor
