"""An interval against a target as a small picture beside its figures: places on one axis, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

_WIDTH, _MARGIN = 132, 8


@dataclass(frozen=True, slots=True)
class Span:
    """Where the ends of the interval lie, what was observed, and the target."""

    low: float
    high: float
    observed: float
    target: float
    width: float = _WIDTH


def span_of(low: float | None, high: float | None, observed: float | None, target: float) -> Span | None:
    """As wide as its figures reach; None where one is missing, or where all are the same."""
    if low is None or high is None or observed is None or not all(map(isfinite, (low, high, observed, target))):
        return None
    first, last = min(low, observed, target), max(high, observed, target)
    if first == last:
        return None
    scale = (_WIDTH - 2 * _MARGIN) / (last - first)
    places = [round(_MARGIN + (value - first) * scale, 1) for value in (low, high, observed, target)]
    return Span(*places)
