"""How far a server's own counters and histograms went over the windows of a step that have them."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.domain import Observation
from llmload.samples import CounterName, Distribution, DistributionName


def has_counts(windows: Sequence[Observation], name: CounterName) -> list[Observation]:
    """The windows at whose edges the server told this counter."""
    return [w for w in windows if w.watched.server is not None and name in w.watched.server.counts]


def counted_in(windows: Sequence[Observation], name: CounterName) -> float | None:
    """How far a counter went over these windows; None where none of them has it."""
    told = [w.watched.server.counts[name] for w in has_counts(windows, name) if w.watched.server is not None]
    return sum(told) if told else None


def has_growth(windows: Sequence[Observation], name: DistributionName) -> list[Observation]:
    """The windows in which this histogram of the server observed something."""
    return [w for w in windows if _grown(w, name).count > 0]


def grown_in(windows: Sequence[Observation], name: DistributionName) -> Distribution:
    """How a histogram grew over these windows, without its bounds; of nothing where none of them has it."""
    grown = [_grown(window, name) for window in windows]
    return Distribution(sum(each.count for each in grown), sum(each.total for each in grown))


def _grown(window: Observation, name: DistributionName) -> Distribution:
    none = Distribution(0.0, 0.0)
    return none if window.watched.server is None else window.watched.server.distributions.get(name, none)
