"""Means and rates over equal time slices, with t bounds: what gates on means and throughput rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.stats import Floats, Interval, ratio_interval
from llmload.analysis.traffic import Amounts, Traffic
from llmload.domain import Observation

SLICES = 20
_BLOCK = 1 << 18  # amounts at a time: megabytes of intermediate arrays, however many there are


@dataclass(frozen=True, slots=True)
class Sliced:
    """A ratio over slices: its middle is the plain figure over all windows; `bounds` is None where nothing can vary."""

    middle: float | None
    bounds: Interval | None
    n: int


def rate_amounts(subject: str, traffic: Traffic) -> tuple[Amounts, ...]:
    """What `rps`, `output_tps` or `total_tps` adds up, and when it happened."""
    match subject:
        case "rps":
            return (traffic.requests,)
        case "output_tps":
            return (traffic.output,)
        case _:
            return traffic.output, traffic.input


def sliced_rate(amounts: Sequence[Amounts], observations: Sequence[Observation], alpha: float) -> Sliced:
    """Amount per second of the windows."""
    total, weight = rate_slices(amounts, observations)
    middle = float(total.sum() / weight.sum()) if weight.sum() > 0 else None
    return Sliced(middle, ratio_interval(total, weight, alpha), sum(len(each.at_ns) for each in amounts))


def rate_slices(amounts: Sequence[Amounts], observations: Sequence[Observation]) -> tuple[Floats, Floats]:
    """Amount and seconds of each slice of the windows."""
    sums, seconds = [], []
    for number, edges in enumerate(_edges(observations)):
        sums.append(sum((_histogram(each, number, edges, each.amount) for each in amounts), np.zeros(len(edges) - 1)))
        seconds.append(np.diff(edges) / 1e9)
    return np.concatenate(sums), np.concatenate(seconds)


def sliced_mean(amounts: Amounts, observations: Sequence[Observation], alpha: float) -> Sliced:
    """Mean of the amounts themselves, clustered by the time at which they happened."""
    sums, counts = [], []
    for number, edges in enumerate(_edges(observations)):
        sums.append(_histogram(amounts, number, edges, amounts.amount))
        counts.append(_histogram(amounts, number, edges, np.ones(len(amounts.at_ns))))
    total, weight = np.concatenate(sums), np.concatenate(counts)
    middle = float(total.sum() / weight.sum()) if weight.sum() > 0 else None
    return Sliced(middle, ratio_interval(total, weight, alpha), len(amounts.at_ns))


def _edges(observations: Sequence[Observation]) -> list[Floats]:
    """Slice edges of each window: 20 slices of about the same length in all, none across two windows."""
    lengths = [o.end_ns - o.start_ns for o in observations]
    whole = sum(lengths)
    pieces = [max(1, round(SLICES * length / whole)) if whole else 1 for length in lengths]
    return [np.linspace(o.start_ns, o.end_ns, piece + 1) for o, piece in zip(observations, pieces, strict=True)]


def _histogram(amounts: Amounts, number: int, edges: Floats, weights: Floats) -> Floats:
    total = np.zeros(len(edges) - 1)
    for first in range(0, len(amounts.at_ns), _BLOCK):
        block = slice(first, first + _BLOCK)
        mine = amounts.window[block] == number
        places = np.searchsorted(edges, amounts.at_ns[block][mine], side="right") - 1
        # rounding to whole microseconds may put an instant just outside of its own window
        places = np.clip(places, 0, len(total) - 1)
        total += np.bincount(places, weights=weights[block][mine], minlength=len(total))
    return total
