"""What the server did inside the windows, whosever request it was: the ground of every throughput.

Latency and goodput speak of measured requests only. Throughput is a property of the window: warm-up requests that
end in it and fillers that hold its concurrency are work of the server too, and leaving them out showed 27 % too
little at concurrency 50 with 200 requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmload.analysis.attempts import Ints, instants_of
from llmload.analysis.stats import Floats
from llmload.domain import Observation, Outcome, RequestRecord


@dataclass(frozen=True, slots=True)
class Amounts:
    """Something that happened at instants inside windows: `amount[i]` at `at_ns[i]` of window `window[i]`."""

    at_ns: Ints
    window: Ints
    amount: Floats


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests completed, output tokens (at their event) and input tokens (at the first text), failures left out."""

    requests: Amounts
    output: Amounts
    input: Amounts


def traffic_of(observations: Sequence[Observation]) -> Traffic:
    """Fold windows into traffic.

    A request's own token count is spread evenly over its text events. A request that we cancelled never told one:
    its events count like the average event of its window, its prompt like the average prompt.
    """
    parts = [_of_window(number, observation) for number, observation in enumerate(observations)]
    return Traffic(
        requests=_joined([part.requests for part in parts]),
        output=_joined([part.output for part in parts]),
        input=_joined([part.input for part in parts]),
    )


def _of_window(number: int, observation: Observation) -> Traffic:
    served = served_in(observation)
    completed = [record for record in served if record.outcome is Outcome.OK]
    known = [record.input_tokens for record in completed if record.input_tokens is not None]
    per_prompt = sum(known) / len(known) if known else 0.0
    at = instants_of(served)
    output = np.repeat(tokens_per_event(served), [len(record.event_ns) for record in served])
    begun = [record for record in served if record.event_ns]
    prompts = [per_prompt if record.input_tokens is None else record.input_tokens for record in begun]
    return Traffic(
        requests=_inside(number, observation, [record.done_ns for record in completed], np.ones(len(completed))),
        output=_inside(number, observation, at, output),
        input=_inside(number, observation, [record.event_ns[0] for record in begun], np.array(prompts, dtype=float)),
    )


def served_in(observation: Observation) -> list[RequestRecord]:
    """Requests that completed, and those that only our own hanging up ended, in start order."""
    served = (record for record in observation.records if record.outcome in (Outcome.OK, Outcome.CANCELLED))
    return sorted(served, key=lambda record: record.seq)


def tokens_per_event(served: Sequence[RequestRecord]) -> Floats:
    """How many output tokens each text event of these requests of one window stands for, request by request."""
    completed = [record for record in served if record.outcome is Outcome.OK]
    events = sum(len(record.event_ns) for record in completed if record.output_tokens is not None)
    average = sum(record.output_tokens or 0 for record in completed) / events if events else 0.0
    return np.array([_tokens_of_one(record, average) for record in served], dtype=np.float64)


def _tokens_of_one(record: RequestRecord, average: float) -> float:
    if record.outcome is not Outcome.OK:
        return average
    return (record.output_tokens or 0) / len(record.event_ns) if record.event_ns else 0.0


def _inside(number: int, observation: Observation, at_ns: Sequence[int] | Ints, amount: Floats) -> Amounts:
    at = np.asarray(at_ns, dtype=np.int64)
    kept = (at >= observation.start_ns) & (at <= observation.end_ns)
    window = np.full(int(kept.sum()), number, dtype=np.int64)
    return Amounts(at, window, amount) if kept.all() else Amounts(at[kept], window, amount[kept])


def _joined(parts: Sequence[Amounts]) -> Amounts:
    if not parts:
        return Amounts(np.array([], dtype=np.int64), np.array([], dtype=np.int64), np.array([], dtype=np.float64))
    if len(parts) == 1:
        return parts[0]
    return Amounts(
        np.concatenate([part.at_ns for part in parts]),
        np.concatenate([part.window for part in parts]),
        np.concatenate([part.amount for part in parts]),
    )
