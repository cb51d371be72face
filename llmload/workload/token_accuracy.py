"""How near each way of counting on this machine comes to the server's own count, answer by answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmload.domain import Outcome, RequestRecord, TokenSource
from llmload.workload.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class TokenAccuracy:
    """One counter against the server's usage over `answers` answers whose text was kept.

    Errors are shares of the server's count: `mean_error` is the mean of their sizes, `worst_error` the largest with its
    sign (0.25: we count a quarter more), `bias` that of all tokens together.
    """

    source: TokenSource
    name: str
    is_of_model: bool
    answers: int
    mean_error: float
    worst_error: float
    bias: float


def accuracy_of(records: Iterable[RequestRecord], counters: Sequence[TokenCounter]) -> tuple[TokenAccuracy, ...]:
    """Each counter over the same answers; empty where the server told no count of any answer that was kept.

    Answers that call tools are left out: a server counts the whole call, and its text is only a part of it.
    """
    answers = [
        (record.text, record.output_tokens)
        for record in records
        if record.outcome is Outcome.OK and record.token_source is TokenSource.USAGE and not record.call_events
    ]
    pairs = [(text, told) for text, told in answers if text and told]
    return tuple(_accuracy(pairs, counter) for counter in counters) if pairs else ()


def _accuracy(pairs: Sequence[tuple[str, int]], counter: TokenCounter) -> TokenAccuracy:
    counted = [(counter.count(text), told) for text, told in pairs]
    errors = [(ours - told) / told for ours, told in counted]
    return TokenAccuracy(
        source=counter.source,
        name=counter.name,
        is_of_model=counter.is_of_model,
        answers=len(pairs),
        mean_error=sum(map(abs, errors)) / len(errors),
        worst_error=max(errors, key=abs),
        bias=sum(ours for ours, _ in counted) / sum(told for _, told in counted) - 1,
    )
