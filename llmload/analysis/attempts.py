"""Measured attempts as columns: the one place where instants become latencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from llmload.analysis.stats import Bools, Floats
from llmload.domain import Observation, Outcome, Phase, RequestRecord, TokenSource
from llmload.promises import Promised, Slo, SloByClass

Ints = NDArray[np.int64]

NO_CONNECTION = "CONNECTION_ERROR"
"""Error type of a request that found no connection, or lost it before an answer or within it."""

_NS_PER_MS = 1e6
_Scalar = TypeVar("_Scalar", np.bool_, np.float64)


@dataclass(frozen=True, slots=True)
class Events:
    """Every text event of every attempt, one after the other: attempt i owns `starts[i]` to `starts[i] + counts[i]`."""

    at_ns: Ints
    starts: Ints
    counts: Ints

    def first_ns(self) -> Ints:
        """First event of each attempt, -1 where it has none."""
        return self._at(self.starts)

    def last_ns(self) -> Ints:
        """Last event of each attempt, -1 where it has none."""
        return self._at(self.starts + self.counts - 1)

    def _at(self, places: Ints) -> Ints:
        has = self.counts > 0
        found = np.full(len(self.counts), -1, dtype=np.int64)
        found[has] = self.at_ns[places[has]]
        return found


@dataclass(frozen=True, slots=True)
class Attempts:
    """One row per measured request that we did not cancel, windows in order, each window in the order of due instants.

    Latencies are in ms, NaN where the metric does not apply; failed attempts have whatever they got to, and dropped
    ones nothing. Token counts are NaN where nobody told. Instants are as recorded, -1 where there is none.
    """

    records: tuple[RequestRecord, ...]
    window: Ints
    is_ok: Bools
    due_ns: Ints
    sent_ns: Ints
    done_ns: Ints
    events: Events
    latency_ms: Mapping[str, Floats]
    gaps_ns: Ints
    gap_counts: Ints
    input_tokens: Floats
    output_tokens: Floats
    cached_tokens: Floats
    is_estimated: Bools
    windows: int
    cancelled: int
    is_open_loop: bool

    def __len__(self) -> int:
        return len(self.records)

    def judged(self, metric: str) -> str:
        """The latency that limits on `metric` are held against.

        In open loop TTFT counts from the due instant, so that our own queue cannot hide the server's.
        """
        return "ttft_due" if metric == "ttft" and self.is_open_loop else metric

    @property
    def found_nobody(self) -> bool:
        """Whether no request of them came as far as a connection: nobody listens there (any more)."""
        return len(self) > 0 and all(r.sent_ns is None and r.error_type == NO_CONNECTION for r in self.records)

    @property
    def turns(self) -> int:
        """Turns of the conversation that a request is of, on average over requests; 1 where there are none.

        Of conversations of T turns, requests are in the middle, at (T - 1) / 2 of their turns counted from 0. Where
        these are the requests of some turns alone, each conversation has no more of them than there are such turns.
        """
        turns = [record.part.turn for record in self.records if record.part.turn is not None]
        return min(len(set(turns)), max(1, round(2 * sum(turns) / len(turns) + 1))) if turns else 1

    @property
    def dropped(self) -> int:
        """Attempts that were due and never sent, because as many were in flight as may be."""
        return sum(record.outcome is Outcome.DROPPED for record in self.records)

    @property
    def elapsed_ms(self) -> Floats:
        """From the first instant we know to the end of the answer or of our patience."""
        begun = np.where(self.sent_ns >= 0, self.sent_ns, self.due_ns)
        return (self.done_ns - begun) / _NS_PER_MS

    def by_window(self, column: NDArray[_Scalar], among: Bools | None = None) -> list[NDArray[_Scalar]]:
        """Cut a column into the windows it came from, keeping only the attempts `among` where given."""
        kept = np.ones(len(self), dtype=np.bool_) if among is None else among
        return [column[kept & (self.window == number)] for number in range(self.windows)]

    def good(self, promised: Promised) -> Bools:
        """Which attempts completed and met every term of the SLO that applies to them, each by that of its class.

        Only TPOT may not apply. An answer without any text has no TTFT and no end: it keeps no limit on either.
        """
        if not isinstance(promised, SloByClass):
            return self._within(promised)
        named = [record.part.traffic_class for record in self.records]
        met = np.zeros(len(self), dtype=np.bool_)
        for traffic_class in set(named):
            mine = _claims(name == traffic_class for name in named)
            met |= mine & self._within(promised.of(traffic_class))
        return met

    def _within(self, slo: Slo | None) -> Bools:
        met = self.is_ok.copy()
        for metric, limit in slo_terms(slo):
            values = self.latency_ms[self.judged(metric)]
            with np.errstate(invalid="ignore"):
                met &= ~(values > limit) if metric == "tpot" else values <= limit
        return met

    def term_has_data(self, metric: str) -> bool:
        """Whether at least one completed request has this latency."""
        return bool((self.is_ok & ~np.isnan(self.latency_ms[self.judged(metric)])).any())


def slo_terms(slo: Slo | None) -> list[tuple[str, float]]:
    """The terms that the author wrote, as (metric, limit in ms)."""
    if slo is None:
        return []
    terms = [("ttft", slo.ttft_ms), ("tpot", slo.tpot_ms), ("e2e", slo.e2e_ms)]
    return [(metric, limit) for metric, limit in terms if limit is not None]


def attempts_of(observations: Sequence[Observation]) -> Attempts:
    """Fold windows of one step into columns; warm-up and fillers are left out, requests that we cancelled only counted.

    Order is that of due instants, since several workers number their requests each by its own shard.
    """
    records: list[RequestRecord] = []
    windows: list[int] = []
    cancelled = 0
    for number, observation in enumerate(observations):
        measured = [record for record in observation.records if record.phase is Phase.MEASURED]
        kept = sorted((r for r in measured if r.outcome is not Outcome.CANCELLED), key=lambda r: (r.due_ns, r.seq))
        cancelled += len(measured) - len(kept)
        records += kept
        windows += [number] * len(kept)
    is_open_loop = any(observation.look.step.axis != "concurrency" for observation in observations)
    window = np.array(windows, dtype=np.int64)
    return _columns(tuple(records), window, len(observations), cancelled=cancelled, is_open_loop=is_open_loop)


def _columns(
    records: tuple[RequestRecord, ...], window: Ints, windows: int, *, cancelled: int, is_open_loop: bool
) -> Attempts:
    events = _events(records)
    gap_counts = np.maximum(events.counts - 1, 0)
    gaps = _gaps(events)
    due = _ints(r.due_ns for r in records)
    sent = _ints(-1 if r.sent_ns is None else r.sent_ns for r in records)
    output = _counts(r.output_tokens for r in records)
    latency = _latencies(records, events, due, sent)
    latency["tpot"] = _per_token(events, output)
    latency["itl_max"] = _largest(gaps, gap_counts)
    return Attempts(
        records=records,
        window=window,
        is_ok=_claims(r.outcome is Outcome.OK for r in records),
        due_ns=due,
        sent_ns=sent,
        done_ns=_ints(r.done_ns for r in records),
        events=events,
        latency_ms=latency,
        gaps_ns=gaps,
        gap_counts=gap_counts,
        input_tokens=_counts(r.input_tokens for r in records),
        output_tokens=output,
        cached_tokens=_counts(r.cached_tokens for r in records),
        is_estimated=_claims(r.token_source is TokenSource.ESTIMATE for r in records),
        windows=windows,
        cancelled=cancelled,
        is_open_loop=is_open_loop,
    )


def _events(records: Sequence[RequestRecord]) -> Events:
    counts = _ints(len(r.event_ns) for r in records)
    return Events(instants_of(records), np.cumsum(counts) - counts, counts)


def instants_of(records: Sequence[RequestRecord]) -> Ints:
    """The instants of all text events, request by request: millions, written once to where they stay."""
    found = np.empty(sum(len(record.event_ns) for record in records), dtype=np.int64)
    at = 0
    for record in records:
        found[at : at + len(record.event_ns)] = record.event_ns
        at += len(record.event_ns)
    return found


def _gaps(events: Events) -> Ints:
    """Gaps between successive events of the same attempt, in the order of the attempts."""
    is_within = np.ones(max(len(events.at_ns) - 1, 0), dtype=np.bool_)
    ends = events.starts + events.counts
    is_within[ends[(ends > 0) & (ends < len(events.at_ns))] - 1] = False
    return np.diff(events.at_ns)[is_within]


def _latencies(records: Sequence[RequestRecord], events: Events, due: Ints, sent: Ints) -> dict[str, Floats]:
    """Latencies counted from `sent` or `due`. An answer that was not streamed has no TTFT, only E2E."""
    is_streamed = _claims(r.is_streamed for r in records)
    first = np.where(is_streamed, events.first_ns(), -1)
    answer = np.where(is_streamed, _ints(-1 if r.output_ns is None else r.output_ns for r in records), -1)
    connect = _ints(r.connect_ns for r in records)
    lag = _between_ms(due, sent)
    return {
        "ttft": _between_ms(sent, first),
        "ttft_due": _between_ms(due, first),
        "ttfo": _between_ms(sent, answer),
        "e2e": _between_ms(sent, events.last_ns()),
        # a connection that had to be made is the server's and the network's time, told as `connect`
        "lag": np.maximum(lag - connect / _NS_PER_MS, np.minimum(lag, 0)),
        "connect": np.where(connect > 0, connect / _NS_PER_MS, np.nan),
    }


def _between_ms(begin: Ints, end: Ints) -> Floats:
    return np.where((begin >= 0) & (end >= 0), (end - begin) / _NS_PER_MS, np.nan)


def _per_token(events: Events, output_tokens: Floats) -> Floats:
    """(last - first) / (tokens - 1) from two tokens on; an answer that came in one read shows no pace at all."""
    span = (events.last_ns() - events.first_ns()) / _NS_PER_MS
    applies = (span > 0) & (output_tokens >= 2)
    found = np.full(len(span), np.nan)
    found[applies] = span[applies] / (output_tokens[applies] - 1)
    return found


def _largest(gaps: Ints, gap_counts: Ints) -> Floats:
    largest = np.full(len(gap_counts), np.nan)
    has = gap_counts > 0
    if has.any():
        largest[has] = np.maximum.reduceat(gaps, (np.cumsum(gap_counts) - gap_counts)[has]) / _NS_PER_MS
    return largest


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


def _claims(values: Iterable[bool]) -> Bools:
    return np.fromiter(values, dtype=np.bool_)


def _counts(values: Iterable[int | None]) -> Floats:
    return np.fromiter((np.nan if value is None else value for value in values), dtype=np.float64)
