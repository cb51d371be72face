"""What the paced server's own instants say of a run, whoever was the client."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmload.domain import Observation, Phase, RequestRecord
from llmload.frameworks.openai import DIALECTS
from llmload.load.window import Window
from tests.bench.paced_server import key_of
from tests.bench.served import percentile

Instants = Mapping[bytes, Sequence[int]]
"""Of each stream, by its key: the arrival of its request, then each token."""


def key_in(window: Window, record: RequestRecord) -> bytes:
    """What the server knows a record's request by."""
    return key_of(DIALECTS["chat"].body(window.endpoint, window.plan.request(record.seq)))


def errors(window: Window, observation: Observation, truth: Instants) -> tuple[list[float], list[float]]:
    """Of each measured request |TTFT - the server's own|, and of each gap |gap - the server's own|, in ms."""
    ttft, itl = [], []
    for record in observation.records:
        if record.phase is not Phase.MEASURED or record.sent_ns is None or not record.event_ns:
            continue
        arrived, *sent = truth[key_in(window, record)]
        ttft.append(abs((record.event_ns[0] - record.sent_ns) - (sent[0] - arrived)) / 1e6)
        gaps = zip(pairwise(record.event_ns), pairwise(sent), strict=True)
        itl += [abs((b - a) - (d - c)) / 1e6 for (a, b), (c, d) in gaps]
    return ttft, itl


@dataclass(frozen=True)
class Truth:
    """Percentiles over the streams of a run, in milliseconds, from the request's arrival at the server on."""

    ttft_p50: float
    ttft_p99: float
    tpot_p50: float
    tpot_p99: float
    itl_p50: float
    itl_p99: float

    @staticmethod
    def of(instants: Instants) -> Truth:
        """Of the instants of every stream: its arrival, then each token."""
        streams = [each for each in instants.values() if len(each) > 2]
        ttft = [(each[1] - each[0]) / 1e6 for each in streams]
        tpot = [(each[-1] - each[1]) / (len(each) - 2) / 1e6 for each in streams]
        itl = [(after - before) / 1e6 for each in streams for before, after in pairwise(each[1:])]
        halves = ((percentile(values, 0.5), percentile(values, 0.99)) for values in (ttft, tpot, itl))
        return Truth(*(figure for half in halves for figure in half))


@dataclass(frozen=True)
class Steady:
    """The middle half of the tokens of a run: how many streams there were on average, and what they brought."""

    from_ns: int
    to_ns: int
    streams: float
    events_per_s: float


def steady(instants: Instants) -> Steady:
    """The steady state of a run."""
    tokens = sorted(instant for each in instants.values() for instant in each[1:])
    from_ns, to_ns = tokens[len(tokens) // 4], tokens[len(tokens) * 3 // 4]
    served_ns = sum(max(0, min(each[-1], to_ns) - max(each[0], from_ns)) for each in instants.values())
    events = bisect_left(tokens, to_ns) - bisect_left(tokens, from_ns)
    return Steady(from_ns, to_ns, served_ns / (to_ns - from_ns), events / ((to_ns - from_ns) / 1e9))
