"""Every measured request in a row of its own, for those who look behind the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.attempts import attempts_of
from llmload.analysis.stats import Floats
from llmload.domain import Observation, Outcome, TokenSource
from llmload.planned import NO_PART, Part, Step
from llmload.promises import Promised

_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One measured request. Latencies are in ms and None where METRICS.md does not define them for it.

    `sent_s` counts from the start of its own window, since the clock of a run that was resumed may have begun anew;
    None for a request that was never sent. `ttft_due_ms` is told in open loop only. `is_good` says whether it met the
    whole SLO. `error_type` and the class of `part` are foreign text.
    """

    step: Step
    look: int
    seq: int
    outcome: Outcome
    is_good: bool
    sent_s: float | None
    lag_ms: float | None
    ttft_ms: float | None
    ttft_due_ms: float | None
    tpot_ms: float | None
    itl_max_ms: float | None
    e2e_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    token_source: TokenSource | None
    http_status: int | None
    error_type: str | None
    part: Part = NO_PART


def request_rows(steps: Iterable[Sequence[Observation]], slo: Promised) -> Iterator[RequestRow]:
    """Rows step by step, each step given as all of its windows, in the order of the run.

    As in every figure, warm-up, fillers and requests that we cancelled ourselves are left out. Only one step is held
    in memory at a time.
    """
    for observations in steps:
        if observations:
            yield from _rows(observations, slo)


def _rows(observations: Sequence[Observation], slo: Promised) -> Iterator[RequestRow]:
    attempts = attempts_of(observations)
    shown = ("lag", "ttft", "ttft_due", "tpot", "itl_max", "e2e")
    latency = {name: _known(attempts.latency_ms[name]) for name in shown}
    if not attempts.is_open_loop:
        latency["ttft_due"] = [None] * len(attempts)
    good, windows = attempts.good(slo).tolist(), attempts.window.tolist()
    for place, record in enumerate(attempts.records):
        window = observations[windows[place]]
        yield RequestRow(
            step=window.look.step,
            look=record.look,
            seq=record.seq,
            outcome=record.outcome,
            is_good=good[place],
            sent_s=None if record.sent_ns is None else (record.sent_ns - window.start_ns) / _NS_PER_S,
            lag_ms=latency["lag"][place],
            ttft_ms=latency["ttft"][place],
            ttft_due_ms=latency["ttft_due"][place],
            tpot_ms=latency["tpot"][place],
            itl_max_ms=latency["itl_max"][place],
            e2e_ms=latency["e2e"][place],
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
            token_source=record.token_source,
            http_status=record.http_status,
            error_type=record.error_type,
            part=record.part,
        )


def _known(values: Floats) -> list[float | None]:
    """NaN as None."""
    return [None if isnan else value for value, isnan in zip(values.tolist(), np.isnan(values).tolist(), strict=True)]
