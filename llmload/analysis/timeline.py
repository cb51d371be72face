"""Observations folded into a timeline: what the client saw, in few enough bins to draw.

Tokens count as they do in `output_tps`, so that the curve and the figure of a step never disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.attempts import Ints, instants_of
from llmload.analysis.stats import Floats
from llmload.analysis.traffic import served_in, tokens_per_event
from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.timeline import Span, Timeline

MOST_BINS = 240
_LEAST_COVER = 0.25
"""Of a bin; of a sliver of a window there is no telling a rate."""
_LONGEST_PAUSE_NS = 60_000_000_000
_BREAK = 0.02
"""Of all windows together: how wide the break of a run that was resumed is drawn."""
_BLOCK = 4096  # requests whose events are unfolded at a time: some megabytes, however long the run was
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Placed:
    """A window and where it begins on the timeline, in nanoseconds."""

    window: Observation
    start_ns: int

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return self.window.end_ns - self.window.start_ns

    @property
    def end_ns(self) -> int:
        """Where it ends there."""
        return self.start_ns + self.length_ns


@dataclass(frozen=True, slots=True)
class _Bins:
    """Even bins from the start of the first window on, as instants of the timeline."""

    width_ns: int
    count: int

    @property
    def edges_ns(self) -> Ints:
        return np.arange(self.count + 1, dtype=np.int64) * self.width_ns

    def cover_ns(self, placed: Placed) -> Floats:
        """How much of each bin a window covers."""
        within = np.clip(self.edges_ns, placed.start_ns, placed.end_ns)
        return np.diff(within).astype(np.float64)

    def totals(self, placed: Placed, at_ns: Ints, amount: Floats) -> Floats:
        """The sum in each bin of what happened inside a window, at instants of its own clock."""
        window = placed.window
        inside = (at_ns >= window.start_ns) & (at_ns <= window.end_ns)
        places = (at_ns[inside] + (placed.start_ns - window.start_ns)) // self.width_ns
        last = max(placed.end_ns - 1, placed.start_ns) // self.width_ns  # the end itself belongs to what it ends
        totals = np.bincount(np.minimum(places, last), weights=amount[inside], minlength=self.count)
        return totals.astype(np.float64, copy=False)


def timeline_of(observations: Sequence[Observation]) -> Timeline | None:
    """The timeline of these windows, in whatever order they come; None where nothing lasted.

    A bin's rates are of the part of it that lies inside windows; one with less than a quarter inside has none.
    """
    placed = laid_out(observations)
    end_ns = max((each.end_ns for each in placed), default=0)
    if end_ns <= 0:
        return None
    width_ns = _round_width(end_ns)
    bins = _Bins(width_ns, -(-end_ns // width_ns))
    cover, busy, tokens, errors = (np.zeros(bins.count) for _ in range(4))
    for each in placed:
        cover += bins.cover_ns(each)
        busy += _busy_ns(bins, each)
        tokens += _tokens(bins, each)
        errors += _errors(bins, each)
    if not any(record.asked_output_tokens for each in observations for record in each.records):
        tokens[:] = np.nan  # embeddings: a rate of no tokens says nothing
    cover[cover < _LEAST_COVER * width_ns] = np.nan
    return Timeline(
        bin_s=width_ns / _NS_PER_S,
        spans=tuple(_span(each) for each in placed),
        at_s=tuple((bins.edges_ns[:-1] / _NS_PER_S).tolist()),
        in_flight=_known(busy / cover),
        output_tps=_known(tokens / cover * _NS_PER_S),
        errors_per_s=_known(errors / cover * _NS_PER_S),
    )


def laid_out(observations: Sequence[Observation]) -> list[Placed]:
    """Windows in the order in which a run measures them, each where the clock says that it was.

    A clock that runs backwards from one window to the next began anew, and a pause longer than all that was measured
    is no part of measuring: such a run was resumed, and goes on after a short break.
    """
    windows = sorted(observations, key=_turn)
    measured_ns = sum(window.end_ns - window.start_ns for window in windows)
    placed: list[Placed] = []
    for window in windows:
        if not placed:
            placed.append(Placed(window, 0))
            continue
        former = placed[-1]
        pause_ns = window.start_ns - former.window.end_ns
        if pause_ns < 0 or pause_ns > max(measured_ns, _LONGEST_PAUSE_NS):
            pause_ns = round(_BREAK * measured_ns)
        placed.append(Placed(window, former.end_ns + pause_ns))
    return placed


def _turn(window: Observation) -> tuple[int, int, int, int]:
    look = window.look
    return look.repeat, look.step.index, look.number, window.start_ns


def _round_width(length_ns: int) -> int:
    """The narrowest bin of 1, 2 or 5 times a power of ten with which there are not too many."""
    return next(width for width in _widths() if width * MOST_BINS >= length_ns)


def _widths() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _span(placed: Placed) -> Span:
    return Span(placed.window.look.step.label, placed.start_ns / _NS_PER_S, placed.end_ns / _NS_PER_S)


def _busy_ns(bins: _Bins, placed: Placed) -> Floats:
    """Time in flight of all requests of a window, in each bin: what had gone by at its end, less what at its start."""
    window = placed.window
    sent = [(record.sent_ns, record.done_ns) for record in window.records if record.sent_ns is not None]
    if not sent:
        return np.zeros(bins.count)
    begun, done = (np.array(column, dtype=np.int64) for column in zip(*sent, strict=True))
    begun = np.clip(begun, window.start_ns, window.end_ns) - window.start_ns
    done = np.maximum(np.clip(done, window.start_ns, window.end_ns) - window.start_ns, begun)
    edges = np.clip(bins.edges_ns - placed.start_ns, 0, placed.length_ns)
    return np.diff(_elapsed(begun, edges) - _elapsed(done, edges))


def _elapsed(since_ns: Ints, at_ns: Ints) -> Floats:
    """The time from each of these instants to `at_ns`, added up; of those that are still to come, none."""
    ordered = np.sort(since_ns)
    count = np.searchsorted(ordered, at_ns)
    before = np.concatenate(([0.0], np.cumsum(ordered, dtype=np.float64)))
    return np.multiply(count, at_ns, dtype=np.float64) - before[count]


def _tokens(bins: _Bins, placed: Placed) -> Floats:
    served = served_in(placed.window)
    each = tokens_per_event(served)
    totals = np.zeros(bins.count)
    for first in range(0, len(served), _BLOCK):
        block = served[first : first + _BLOCK]
        counts = [len(record.event_ns) for record in block]
        totals += bins.totals(placed, instants_of(block), np.repeat(each[first : first + _BLOCK], counts))
    return totals


def _errors(bins: _Bins, placed: Placed) -> Floats:
    at_ns = np.array([record.done_ns for record in placed.window.records if _failed(record)], dtype=np.int64)
    return bins.totals(placed, at_ns, np.ones(len(at_ns)))


def _failed(record: RequestRecord) -> bool:
    return record.phase is Phase.MEASURED and record.outcome not in (Outcome.OK, Outcome.CANCELLED)


def _known(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
