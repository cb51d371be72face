"""What happened when during a run: few enough points to draw, however many requests there were.

Seconds count from the start of the first window. None is for instants at which nothing was measured, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmload.samples import Source


@dataclass(frozen=True, slots=True)
class Span:
    """One measured window: the label of its step, and from when to when."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The client's view in bins of `bin_s` seconds; each i-th value is of the bin that begins at `at_s[i]`.

    `in_flight` is the mean number of requests in flight, the other two are rates per second: tokens as they arrived,
    and requests that failed.
    """

    bin_s: float
    spans: tuple[Span, ...]
    at_s: tuple[float, ...]
    in_flight: tuple[float | None, ...]
    output_tps: tuple[float | None, ...]
    errors_per_s: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class GpuSeries:
    """One GPU over the run, sampled at `at_s`. Utilisation is a share 0..1; what a device does not tell is all None."""

    index: int
    name: str
    uuid: str
    memory_total_bytes: int | None
    power_limit_w: float | None
    at_s: tuple[float, ...]
    utilisation: tuple[float | None, ...]
    memory_bytes: tuple[int | None, ...]
    temperature_c: tuple[float | None, ...]
    power_w: tuple[float | None, ...]
    sm_clock_mhz: tuple[float | None, ...] = ()  # this and the next: as many as the others, or none at all
    throttled: tuple[bool | None, ...] = ()  # whether something slowed it down that is no lack of work
    driver: str | None = None
    mig: str | None = None  # the profile of a MIG instance
    energy_j: float | None = None  # over all measured windows
    throttled_share: float | None = None  # of all samples, before they were folded into points: 0..1

    @property
    def mean_utilisation(self) -> float | None:
        """Over the samples that have it."""
        return _mean(self.utilisation)

    @property
    def mean_power_w(self) -> float | None:
        """Over the samples that have it."""
        return _mean(self.power_w)

    @property
    def mean_sm_clock_mhz(self) -> float | None:
        """Over the samples that have it."""
        return _mean(self.sm_clock_mhz)

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that was ever in use."""
        return max((value for value in self.memory_bytes if value is not None), default=None)

    @property
    def peak_temperature_c(self) -> float | None:
        """The hottest that it ever was."""
        return max((value for value in self.temperature_c if value is not None), default=None)


@dataclass(frozen=True, slots=True)
class ServerSeries:
    """What the server told of its queue and its cache over the run, sampled at `at_s`; shares are 0..1."""

    source: Source
    at_s: tuple[float, ...]
    running: tuple[float | None, ...]
    waiting: tuple[float | None, ...]
    kv_cache_share: tuple[float | None, ...]
    output_tps: tuple[float | None, ...]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
