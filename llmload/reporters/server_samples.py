"""What the server told at each instant, beside what the client measured then; few enough to draw, no peak left out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from llmload.timeline import ServerSeries, Timeline


@dataclass(frozen=True, slots=True)
class Sample:
    """One instant: what the server told, and what the client measured in the bin around it."""

    at_s: float
    running: float | None = None
    waiting: float | None = None
    kv_cache_share: float | None = None
    output_tps: float | None = None
    in_flight: float | None = None
    client_tps: float | None = None

    @property
    def inside(self) -> float | None:
        """All requests that the server had, where it told both kinds."""
        return None if self.running is None or self.waiting is None else self.running + self.waiting

    @property
    def is_silence(self) -> bool:
        """Whether the server told nothing at all then."""
        return self.running is self.waiting is self.kv_cache_share is self.output_tps is None


def samples_of(server: ServerSeries, timeline: Timeline | None) -> list[Sample]:
    """Every sample with the client's bin around it."""
    columns = (server.at_s, server.running, server.waiting, server.kv_cache_share, server.output_tps)
    return [Sample(*told, *_of_client(timeline, told[0])) for told in zip(*columns, strict=True)]


def _of_client(timeline: Timeline | None, at_s: float) -> tuple[float | None, float | None]:
    """In flight and output of the bin that holds this instant."""
    place = -1 if timeline is None else bisect_right(timeline.at_s, at_s) - 1
    if timeline is None or place < 0 or at_s >= timeline.at_s[place] + timeline.bin_s:
        return None, None
    return timeline.in_flight[place], timeline.output_tps[place]


def thinned(samples: Sequence[Sample], most: int) -> Iterator[Sample]:
    """About `most` of them; silences stay.

    Of neighbours the one stays that has the most waiting, then the most running, whole as it is; with it goes the most
    that the cache was used among them, and their mean output.
    """
    size = -(-len(samples) // most) or 1
    for _, stretch in groupby(samples, key=lambda each: each.is_silence):
        told = list(stretch)
        yield from (_busiest(told[begin : begin + size]) for begin in range(0, len(told), size))


def _busiest(group: Sequence[Sample]) -> Sample:
    most = max(group, key=lambda each: (_or_less(each.waiting), _or_less(each.running)))
    caches = [each.kv_cache_share for each in group if each.kv_cache_share is not None]
    counted = [each for each in group if each.client_tps is not None] or group  # both sides over the same instants
    return Sample(
        most.at_s,
        most.running,
        most.waiting,
        max(caches, default=None),
        mean_of([each.output_tps for each in counted]),
        most.in_flight,
        mean_of([each.client_tps for each in counted]),
    )


def _or_less(value: float | None) -> float:
    return -1.0 if value is None else value


def mean_of(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return fmean(told) if told else None
