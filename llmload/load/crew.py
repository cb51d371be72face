"""How many worker processes a window is given, and how its work is split between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import assert_never

from llmload.endpoint import Transport
from llmload.load.window import Window
from llmload.units import format_number
from llmload.workload.pace import Arrivals, Replay, Slots
from llmload.workload.shard import Shard

EVENTS_PER_WORKER: dict[Transport, int] = {"fast": 25_000, "httpx": 2_500}
"""Events per second that one worker is given: about half a core, so that a read is stamped when it can be."""

STREAM_EVENTS_PER_S = 50
"""What a stream is taken to bring before the server is known; a fast server for one user."""

_SAMPLED = 64


@dataclass(frozen=True, slots=True)
class Crew:
    """So many workers, and why, in words for the report."""

    count: int
    because: str


def choose_crew(window: Window, *, asked: int | None, cpus: int) -> Crew:
    """As many workers as were `asked` for, or (None) as the expected events need and `cpus` allow."""
    most = _most_at_once(window)
    if asked is not None:
        if asked <= most:
            return Crew(asked, "as load.workers asks")
        return Crew(most, f"load.workers asks for {asked}, but no more than {most} requests are in flight at a time")
    events, told = _expected(window)
    each = EVENTS_PER_WORKER[window.endpoint.transport]
    wanted = max(1, math.ceil(events / each))
    free = max(1, cpus - 1)  # one is left to the rest of the machine
    need = f"{told}, and a worker is given up to {each:,}"
    if wanted > free:
        return Crew(min(free, most), f"{need}; {wanted} would do, but there are {cpus} CPUs, and one is left free")
    return Crew(min(wanted, most), need)


def shards_of(window: Window, count: int) -> list[Window]:
    """The window as each of `count` workers is to observe it."""
    width = window.pace.concurrency if isinstance(window.pace, Slots) else count
    shards = [Shard(number, count, width) for number in range(count)]
    return [replace(window, shard=shard, plan=window.plan.of_shard(shard)) for shard in shards]


def surely_open(window: Window) -> int:
    """Connections that the window cannot do without; in open loop the server decides how many more it takes."""
    match window.pace:
        case Slots(concurrency, ramp):
            return max(concurrency, math.ceil(ramp.start) if ramp else 0)
        case Arrivals() | Replay():
            return 0
        case _:
            assert_never(window.pace)


def _most_at_once(window: Window) -> int:
    return window.pace.concurrency if isinstance(window.pace, Slots) else window.max_in_flight


def _expected(window: Window) -> tuple[float, str]:
    """Events per second, and how that number came about."""
    match window.pace:
        case Slots(concurrency):
            events = concurrency * STREAM_EVENTS_PER_S
            return events, f"{concurrency:,} streams of about {STREAM_EVENTS_PER_S} events/s make {events:,}/s"
        case Arrivals(rate):
            return _at_rate(window, rate)
        case Replay(due_ns):
            seconds = (due_ns[-1] - due_ns[0]) / 1e9 if len(due_ns) > 1 else 0.0
            return _at_rate(window, len(due_ns) / seconds if seconds > 0 else 1.0)
        case _:
            assert_never(window.pace)


def _at_rate(window: Window, rate: float) -> tuple[float, str]:
    tokens = sum(window.plan.request(index).output_tokens for index in range(_SAMPLED)) / _SAMPLED
    shown = format_number(round(rate, 2))
    if not tokens:  # embeddings: one answer in one piece
        return rate, f"{shown} requests/s are answered in one event each"
    events = rate * tokens
    return events, f"{shown} requests/s of about {tokens:,.0f} tokens make {events:,.0f} events/s"
