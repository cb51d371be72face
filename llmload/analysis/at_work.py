"""How many requests a server has in hand at one time, beside how many of ours are in flight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.stats import Floats
from llmload.domain import Observation, Outcome
from llmload.samples import Source

_LEAST_SAMPLES = 4
"""From which a mean is worth telling, and the deviation of one as well."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """The share of our requests in flight that the server had in hand at the same instants.

    By Little's law, which asks no more than that requests leave as often as they come, it is also the share of a
    request's time that it spends in the server. `error` is the standard error of the share.
    """

    share: float
    error: float


def share_at_work(windows: Sequence[Observation]) -> AtWork | None:
    """Over all samples within the measured windows; None where they are too few, or nothing of ours was in flight, or
    the server tells only how many wait, as Triton does.

    Requests of others are in it: it exceeds 1 where the server had more in hand than ours.
    """
    pairs = [in_hand_and_in_flight(window) for window in windows if _tells_running(window)]
    missing = np.concatenate([ours - theirs for theirs, ours in pairs]) if pairs else np.empty(0)
    in_flight = float(np.mean(np.concatenate([ours for _, ours in pairs]))) if len(missing) else 0.0
    if len(missing) < _LEAST_SAMPLES or in_flight == 0.0:
        return None
    error = float(np.std(missing, ddof=1)) / math.sqrt(len(missing))
    return AtWork(1 - float(np.mean(missing)) / in_flight, error / in_flight)


def _tells_running(window: Observation) -> bool:
    return any(each.source is Source.METRICS and each.name == "requests_running" for each in window.watched.series)


def in_hand_and_in_flight(window: Observation) -> tuple[Floats, Floats]:
    """What the server had, waiting requests included, and what we had, at each sample of its metrics page."""
    at_ns, in_hand = _in_hand(window)
    return in_hand, _in_flight(window, at_ns)


def _in_hand(window: Observation) -> tuple[Floats, Floats]:
    """Running and waiting requests at each sample of the metrics page within the measured window."""
    by_instant: dict[int, float] = {}
    for series in window.watched.series:
        if series.source is Source.METRICS and series.name in ("requests_running", "requests_waiting"):
            for at_ns, value in zip(series.at_ns, series.values, strict=True):
                if window.start_ns <= at_ns <= window.end_ns:
                    by_instant[at_ns] = by_instant.get(at_ns, 0.0) + value
    instants = sorted(by_instant)
    return np.array(instants, dtype=np.float64), np.array([by_instant[at] for at in instants], dtype=np.float64)


def _in_flight(window: Observation, at_ns: Floats) -> Floats:
    """What we gave up may go on in the server: it counts as in flight to the end."""
    sent = np.sort([float(r.sent_ns) for r in window.records if r.sent_ns is not None])
    ended = np.sort(
        [float(r.done_ns) for r in window.records if r.sent_ns is not None and r.outcome is Outcome.OK],
    )
    begun, over = np.searchsorted(sent, at_ns, side="right"), np.searchsorted(ended, at_ns, side="left")
    return (begun - over).astype(np.float64)
