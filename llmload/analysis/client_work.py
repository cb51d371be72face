"""What we gave a server to do between the two quiet edges of a window, warm-up and fillers included.

A request that we gave up, or that broke off, was served in part: one server counts it, another only what it had
generated, a third nothing. So each count is an `Amount`: what the server must have, what it is likely to have, and the
most that can be ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llmload.domain import Observation, Outcome, RequestRecord

_NS_PER_MS = 1e6
_MOST_UNCOUNTED = 0.01
_REFUSED = 400  # the first status of HTTP that is an error


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something a server has of us: `least` <= `likely` <= `most`."""

    least: float
    likely: float
    most: float


@dataclass(frozen=True, slots=True)
class Mean:
    """A sum and what it is divided by; None where there is nothing to divide by."""

    total: float
    count: float

    @property
    def value(self) -> float | None:
        """The mean."""
        return self.total / self.count if self.count > 0 else None


@dataclass(frozen=True, slots=True)
class ClientWork:
    """Our side of a cross-check. Latencies are in ms, over every request that has them; None is what we do not know.

    `tpot` is the mean over requests, `pace` the mean over all tokens but the first of each answer. `open_share` is the
    share of sent requests that did not end as asked, of which nobody knows how the server counts them.
    """

    requests: Amount
    input_tokens: Amount | None
    output_tokens: Amount | None
    answered: int
    open_share: float
    ttft: Mean
    tpot: Mean
    pace: Mean
    e2e: Mean


def client_work(windows: Iterable[Observation]) -> ClientWork:
    """All that was sent in and around these windows; what was dropped, or had no connection, was not."""
    sent = [record for window in windows for record in window.records if record.sent_ns is not None]
    answered = [record for record in sent if record.outcome is Outcome.OK]
    return ClientWork(
        requests=_sum(map(_request, sent)),
        input_tokens=_input_tokens(sent, answered),
        output_tokens=_output_tokens(sent, answered),
        answered=len(answered),
        open_share=1 - len(answered) / len(sent) if sent else 0.0,
        ttft=_mean((first - r.sent_ns, 1) for r, first in _first_texts(sent) if r.sent_ns is not None),
        tpot=_mean((span / (tokens - 1), 1) for span, tokens in _paces(answered)),
        pace=_mean((span, tokens - 1) for span, tokens in _paces(answered)),
        e2e=_mean((last - r.sent_ns, 1) for r in answered if (last := r.last_ns) is not None and r.sent_ns is not None),
    )


def answered_in(windows: Iterable[Observation]) -> int:
    """Requests that were sent in and around these windows and ended as asked."""
    return sum(r.sent_ns is not None and r.outcome is Outcome.OK for window in windows for r in window.records)


def left_open(window: Observation) -> int:
    """Requests of a window that the server may still have had in hand when we had given them up."""
    return sum(r.sent_ns is not None and r.outcome is not Outcome.OK for r in window.records)


def _request(record: RequestRecord) -> Amount:
    """One that was refused with an HTTP error may never have reached what counts; one sent twice may be two."""
    most = 2.0 if record.retried else 1.0
    if record.outcome is Outcome.OK:
        return Amount(1.0, 1.0, most)
    return Amount(0.0, 0.0 if _is_refused(record) else 1.0, most)


def _is_refused(record: RequestRecord) -> bool:
    return not record.event_ns and record.http_status is not None and record.http_status >= _REFUSED


# ---------------------------------------------------------------- tokens


def _input_tokens(sent: Sequence[RequestRecord], answered: Sequence[RequestRecord]) -> Amount | None:
    """A prompt of which nothing came back yet may or may not have been read."""
    names_lengths = all(record.asked_input_tokens is not None for record in sent)

    def weight(record: RequestRecord) -> int:
        """Where texts were asked for, and no lengths, one prompt is taken to be as long as another."""
        return (record.asked_input_tokens or 0) if names_lengths else 1

    per_asked = _ratio(answered, lambda r: r.input_tokens, weight)
    if per_asked is None:
        return None

    def amount(record: RequestRecord) -> Amount:
        tokens = float(record.input_tokens or weight(record) * per_asked)
        if record.outcome is Outcome.OK:
            return Amount(tokens, tokens, tokens)
        return Amount(0.0, tokens if record.event_ns else 0.0, tokens)

    return _sum(map(amount, sent))


def _output_tokens(sent: Sequence[RequestRecord], answered: Sequence[RequestRecord]) -> Amount | None:
    """An answer that broke off has as many tokens for each of its events as whole ones had; the server may go on."""
    per_event = _ratio(answered, lambda r: r.output_tokens, lambda r: len(r.event_ns))
    if per_event is None:
        return None

    def amount(record: RequestRecord) -> Amount:
        told = record.output_tokens
        tokens = len(record.event_ns) * per_event if told is None else float(told)
        if record.outcome is Outcome.OK:
            return Amount(tokens, tokens, tokens)
        return Amount(0.0, tokens, tokens if _is_refused(record) else max(tokens, record.asked_output_tokens))

    return _sum(map(amount, sent))


def _ratio(
    answered: Sequence[RequestRecord],
    tokens_of: Callable[[RequestRecord], int | None],
    measure_of: Callable[[RequestRecord], int],
) -> float | None:
    """Tokens for each unit of something that every request has; None where too few answers were counted."""
    told = [(tokens, measure_of(record)) for record in answered if (tokens := tokens_of(record)) is not None]
    if not told or len(told) < (1 - _MOST_UNCOUNTED) * len(answered):
        return None
    measured = sum(measure for _, measure in told)
    return sum(tokens for tokens, _ in told) / measured if measured else 0.0


# ---------------------------------------------------------------- latencies


def _first_texts(sent: Iterable[RequestRecord]) -> Iterable[tuple[RequestRecord, int]]:
    return ((record, first) for record in sent if (first := record.first_ns) is not None)


def _paces(answered: Iterable[RequestRecord]) -> list[tuple[float, int]]:
    """Time from first to last text and tokens of each answer that shows a pace, as `attempts` defines TPOT."""
    return [
        (last - first, record.output_tokens)
        for record, first in _first_texts(answered)
        if (last := record.last_ns) is not None and last > first and (record.output_tokens or 0) >= 2
        if record.output_tokens is not None
    ]


def _sum(amounts: Iterable[Amount]) -> Amount:
    least = likely = most = 0.0
    for amount in amounts:
        least, likely, most = least + amount.least, likely + amount.likely, most + amount.most
    return Amount(least, likely, most)


def _mean(parts: Iterable[tuple[float, float]]) -> Mean:
    """Nanoseconds and their weight, as a mean in ms."""
    pairs = list(parts)
    return Mean(sum(nanoseconds for nanoseconds, _ in pairs) / _NS_PER_MS, sum(weight for _, weight in pairs))
