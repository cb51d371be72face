"""How often GPUs were slowed down within windows, by what, and what it cost their clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmload.domain import Observation
from llmload.samples import IDLE, SampleName, Series, Source, slow_downs


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
class _Look:
    """One sample of one GPU: what slowed it down, whether it had work, and its SM clock."""

    slowed_by: tuple[str, ...]
    is_idle: bool
    clock_mhz: float | None


def throttling_in(windows: Sequence[Observation], *, ignored: int = 0) -> Throttling | None:
    """What the masks of throttle reasons tell, without the `ignored` bits; None where no GPU tells any."""
    told: dict[str, list[_Look]] = {}
    for window in windows:
        for device, look in _looks(window, ignored):
            told.setdefault(device, []).append(look)
    if not told:
        return None
    most = max(told.values(), key=_share)
    reasons = Counter(reason for looks in told.values() for look in looks for reason in look.slowed_by)
    return Throttling(
        share=_share(most),
        reasons=tuple(reason for reason, _ in reasons.most_common()),
        clock_mhz=_median([look.clock_mhz for look in most if look.slowed_by]),
        free_clock_mhz=_median([look.clock_mhz for look in most if not look.slowed_by and not look.is_idle]),
    )


def _looks(window: Observation, ignored: int) -> Iterator[tuple[str, _Look]]:
    """Each sample within a window, and of which GPU it is."""
    series: dict[tuple[str, SampleName], Series] = {
        (each.device, each.name): each for each in window.watched.series if each.source is Source.GPU
    }
    for (device, name), masks in series.items():
        if name != "throttle_reasons":
            continue
        clock = series.get((device, "sm_clock_mhz"))
        clocks = {} if clock is None else dict(zip(clock.at_ns, clock.values, strict=True))
        for at_ns, value in zip(masks.at_ns, masks.values, strict=True):
            if window.start_ns <= at_ns <= window.end_ns:
                mask = int(value)
                yield device, _Look(slow_downs(mask & ~ignored), bool(mask & IDLE), clocks.get(at_ns))


def _share(looks: Sequence[_Look]) -> float:
    return sum(bool(look.slowed_by) for look in looks) / len(looks)


def _median(clocks: Sequence[float | None]) -> float | None:
    known = [clock for clock in clocks if clock is not None]
    return float(np.median(known)) if known else None
