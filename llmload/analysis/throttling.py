"""How often GPUs were slowed down within windows, by what, and what it cost their clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.attempts import Ints
from llmload.analysis.stats import Floats
from llmload.domain import Observation
from llmload.samples import IDLE, SLOW_DOWNS, SampleName, Series, Source, slow_downs

_MOST = 2.0**53  # whole numbers are exact below

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Throttling:
    """Of several GPUs the one that was slowed down most often: those that work together wait for it.

    `share` is that of its samples, 0..1; `clock_mhz` its median SM clock meanwhile, and `free_clock_mhz` that of its
    other samples at work, None where there are none. `reasons` are those of all GPUs, the most frequent first.
    """

    share: float
    reasons: tuple[str, ...]
    clock_mhz: float | None
    free_clock_mhz: float | None


@dataclass(frozen=True, slots=True)
class _Samples:
    """Masks of one GPU within windows, and its SM clock at the same instants; NaN where it does not tell it."""

    masks: Ints
    clocks_mhz: Floats

    def slowed(self, bits: int) -> Bools:
        """Where one of these bits is set."""
        return np.asarray(self.masks & bits, dtype=np.bool_)


def masks_of(values: Floats) -> Ints:
    """Samples of `throttle_reasons` as the bits that they are; a store of somebody else may hold any number."""
    return np.clip(values, 0, _MOST).astype(np.int64)


def throttling_in(windows: Sequence[Observation], *, ignored: int = 0) -> Throttling | None:
    """What the masks of throttle reasons tell, without the `ignored` bits; None where no GPU tells any."""
    parts: dict[str, list[_Samples]] = {}
    for window in windows:
        for device, samples in _samples(window):
            parts.setdefault(device, []).append(samples)
    told = [_joined(samples) for samples in parts.values()]
    told = [samples for samples in told if len(samples.masks)]
    if not told:
        return None
    bits = sum(SLOW_DOWNS) & ~ignored
    most = max(told, key=lambda samples: float(samples.slowed(bits).mean()))
    slowed = most.slowed(bits)
    return Throttling(
        share=float(slowed.mean()),
        reasons=_reasons(np.concatenate([samples.masks for samples in told]) & bits),
        clock_mhz=_median(most.clocks_mhz[slowed]),
        free_clock_mhz=_median(most.clocks_mhz[~slowed & ~most.slowed(IDLE)]),
    )


def _samples(window: Observation) -> Iterator[tuple[str, _Samples]]:
    """The samples of each GPU within a window."""
    series: dict[tuple[str, SampleName], Series] = {
        (each.device, each.name): each for each in window.watched.series if each.source is Source.GPU
    }
    for (device, name), masks in series.items():
        if name != "throttle_reasons":
            continue
        at_ns = np.array(masks.at_ns, dtype=np.int64)
        inside = (at_ns >= window.start_ns) & (at_ns <= window.end_ns)
        clocks = _at(at_ns[inside], series.get((device, "sm_clock_mhz")))
        yield device, _Samples(masks_of(np.array(masks.values)[inside]), clocks)


def _at(instants: Ints, series: Series | None) -> Floats:
    """The values of a series at these instants; NaN where it has none."""
    found = np.full(len(instants), np.nan)
    if series is not None:
        _, here, there = np.intersect1d(instants, np.array(series.at_ns, dtype=np.int64), return_indices=True)
        found[here] = np.array(series.values)[there]
    return found


def _joined(parts: Sequence[_Samples]) -> _Samples:
    return _Samples(np.concatenate([part.masks for part in parts]), np.concatenate([part.clocks_mhz for part in parts]))


def _reasons(masks: Ints) -> tuple[str, ...]:
    """What these masks name, the most frequent first."""
    found: Counter[str] = Counter()
    for mask, count in zip(*np.unique(masks, return_counts=True), strict=True):
        for reason in slow_downs(int(mask)):
            found[reason] += int(count)
    return tuple(reason for reason, _ in found.most_common())


def _median(clocks: Floats) -> float | None:
    known = clocks[~np.isnan(clocks)]
    return float(np.median(known)) if len(known) else None
