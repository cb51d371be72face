"""When GPUs were slowed down, as stretches of time: few enough to draw, and none left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from llmload.timeline import GpuSeries

_MOST = 40
"""Stretches of one GPU; beyond that, instants are taken together."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when some GPUs were slowed down: "GPU 0, GPU 3"."""

    start_s: float
    end_s: float
    gpus: str


def throttled_stretches(gpus: Sequence[GpuSeries]) -> list[Stretch]:
    """In order, each with all the GPUs that were slowed down throughout it.

    A sample stands for the time until the next one; of many samples, a slowed down one makes its neighbours so, since
    one that vanished would tell that nothing happened.
    """
    slowed = [(gpu.index, list(_of(gpu))) for gpu in gpus]
    edges = sorted({edge for _, spans in slowed for span in spans for edge in span})
    found: list[Stretch] = []
    for start, end in pairwise(edges):
        indices = [index for index, spans in slowed if any(low <= start and end <= high for low, high in spans)]
        names = ", ".join(f"GPU {index}" for index in indices)
        if found and (found[-1].end_s, found[-1].gpus) == (start, names):
            found[-1] = Stretch(found[-1].start_s, end, names)
        elif names:
            found.append(Stretch(start, end, names))
    return found


def _of(gpu: GpuSeries) -> Iterator[tuple[float, float]]:
    """The stretches of one GPU, none touching the next."""
    size = -(-len(gpu.throttled) // (2 * _MOST)) or 1
    usual = median(later - earlier for earlier, later in pairwise(gpu.at_s)) if len(gpu.at_s) > 1 else 0.0
    begun: float | None = None
    ended = 0.0
    for first in range(0, len(gpu.throttled), size):
        last = min(first + size, len(gpu.throttled)) - 1
        if any(gpu.throttled[first : last + 1]):
            begun = gpu.at_s[first] if begun is None else begun
            ended = gpu.at_s[last + 1] if last + 1 < len(gpu.at_s) else gpu.at_s[last] + usual
        elif begun is not None:
            yield begun, ended
            begun = None
    if begun is not None:
        yield begun, ended
