"""The rows about size: many connections, many streams, several workers, arrivals in open loop."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.scenario.asked import Poisson
from llmload.workload.pace import Arrivals, Slots
from tests.bench.processes import peak_bytes, resident_bytes
from tests.bench.served import CLIENT_CORE, Served, percentile, served
from tests.bench.table import Row
from tests.bench.truth import Instants, errors, key_in
from tests.bench.windows import window_of

_OTHER_FILES = 200


@dataclass(frozen=True)
class Seen:
    """A window, what came of it, and the memory of its (first) worker."""

    window: Window
    observation: Observation
    idle_bytes: int
    peak_bytes: int

    @property
    def measured(self) -> list[RequestRecord]:
        """The records that count."""
        return [record for record in self.observation.records if record.phase is Phase.MEASURED]

    @property
    def lost(self) -> int:
        """Requests that did not complete."""
        return sum(record.outcome is not Outcome.OK for record in self.measured)

    @property
    def late(self) -> str:
        """How late our own heartbeat was."""
        return f"heartbeat p99 {percentile(self.observation.heartbeat_late_ns, 0.99) / 1e6:.1f} ms late"


def rows() -> list[Row]:
    """Every row about size; takes about two minutes."""
    return [*_idle_streams(10_000), *_many_streams(2_000), *_two_workers(500), *_arrivals(200)]


def _idle_streams(count: int) -> list[Row]:
    """So many connections in one worker, each of them brought a token every 10 s; fewer where a limit stops us."""
    allowed = min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _OTHER_FILES)
    with served(200, 2, 10_000) as server:
        seen = see(window_of(server.url, Slots(allowed), requests=allowed, tokens=2))
    limit = "" if allowed == count else f"; ulimit -Hn allows no more than {allowed:,}"
    got = sum(len(record.event_ns) for record in seen.measured)
    memory = f"worker {seen.idle_bytes / 1e6:.0f} MB before, {seen.peak_bytes / 1e6:.0f} MB at most"
    kilobytes = (seen.peak_bytes - seen.idle_bytes) / allowed / 1000
    note = f"one worker, a token every 10 s; {seen.late}{limit}"
    return [
        Row("idle streams open at once", count, _most_at_once(seen.measured), "", note, is_floor=True),
        Row("idle streams: requests lost", 0, seen.lost, "", f"{len(seen.measured)} requests"),
        Row("idle streams: events lost", 0, _events_lost(seen, server.truth), "", f"{got} events"),
        Row("idle streams: memory of each", None, kilobytes, "kB", memory),
    ]


def _many_streams(count: int) -> list[Row]:
    with served(200, 48, 100) as server:
        seen = see(window_of(server.url, Slots(count), requests=2 * count, warmup=count, tokens=48))
    ttft_ms, itl_ms = errors(seen.window, seen.observation, server.truth)
    calm = f"{seen.late}, {_ticks(server)}"
    what = f"{count:,} streams x 10 tokens/s"
    return [
        Row(f"{what}: TTFT error, p99", 20, percentile(ttft_ms, 0.99), "ms", f"{len(ttft_ms)} requests; {calm}"),
        Row(f"{what}: ITL error, p99", 20, percentile(itl_ms, 0.99), "ms", f"{len(itl_ms)} gaps"),
        Row(f"{what}: requests lost", 0, seen.lost, "", "one worker on one core"),
    ]


def _two_workers(count: int) -> list[Row]:
    with served(200, 128, 20) as server:
        seen = see(window_of(server.url, Slots(count), requests=3 * count, warmup=count, tokens=128), workers=2)
    ttft_ms, itl_ms = errors(seen.window, seen.observation, server.truth)
    what, calm = f"2 workers, {count} streams", f"both on the client's core; {seen.late}, {_ticks(server)}"
    most = _most_at_once(seen.observation.records)
    off = _longest_off(seen.observation, count)
    return [
        Row(f"{what}: TTFT error, p99", 10, percentile(ttft_ms, 0.99), "ms", calm),
        Row(f"{what}: ITL error, p99", 5, percentile(itl_ms, 0.99), "ms", f"{len(itl_ms)} gaps"),
        Row(f"{what}: off the asked concurrency", 0, abs(most - count), "", f"{most} in flight at most"),
        Row(f"{what}: longest time below it", 50, off / 1e6, "ms", "from one answer's end to the next request"),
    ]


def _arrivals(rate: float) -> list[Row]:
    pace = Arrivals(rate, Poisson(), key=7)
    with served(200, 16, 20) as server:
        seen = see(window_of(server.url, pace, requests=int(20 * rate), warmup=int(rate), tokens=16))
    sent = [record for record in seen.measured if record.sent_ns is not None]
    lag_ms = [(record.sent_ns - record.due_ns) / 1e6 for record in sent if record.sent_ns is not None]
    due_ms = [_ttft_due_error(seen.window, record, server.truth) for record in sent if record.event_ns]
    what, calm = f"Poisson {rate:g}/s", f"{len(lag_ms)} requests; {seen.late}, {_ticks(server)}"
    return [
        Row(f"{what}: lag, p50", 1, percentile(lag_ms, 0.50), "ms", calm),
        Row(f"{what}: lag, p99", 10, percentile(lag_ms, 0.99), "ms"),
        Row(
            f"{what}: error of ttft_due, p99", 10, percentile(due_ms, 0.99), "ms", "against due and the server's write"
        ),
        Row(f"{what}: requests lost or dropped", 0, seen.lost, "", f"{seen.observation.planned} were due"),
    ]


def _ticks(server: Served) -> str:
    """How late the server itself was: what its truth is worth on a busy machine."""
    return f"ticks of the server {percentile(server.late_ns, 0.99) / 1e6:.1f} ms"


# ---------------------------------------------------------------- observing


def see(asked: Window, workers: int = 1) -> Seen:
    """One window in fresh workers, all of them on the client's core."""
    with Pool(workers=workers) as pool:
        pool.observe(
            window_of(asked.endpoint.url, Slots(workers), requests=workers), on_progress=_ignore, stop=_never()
        )
        for pid in pool.pids:
            os.sched_setaffinity(pid, {CLIENT_CORE})
        idle = resident_bytes(pool.pids[0])
        observation = pool.observe(asked, on_progress=_ignore, stop=_never())
        return Seen(asked, observation, idle, peak_bytes(pool.pids[0]))


def _ignore(progress: object) -> None:
    """Nobody watches."""


def _never() -> threading.Event:
    return threading.Event()


# ---------------------------------------------------------------- against the truth


def _ttft_due_error(window: Window, record: RequestRecord, truth: Instants) -> float:
    """How far our ttft_due is from the server's write of the first token, less the same due instant, in ms."""
    _, first, *_ = truth[key_in(window, record)]
    return abs(record.event_ns[0] - first) / 1e6


def _events_lost(seen: Seen, truth: Instants) -> int:
    """Tokens that the server sent to a measured request, and that its record lacks."""
    return sum(abs(len(truth[key_in(seen.window, record)]) - 1 - len(record.event_ns)) for record in seen.measured)


def _levels(records: Sequence[RequestRecord]) -> list[tuple[int, int]]:
    """Each instant at which a request was sent or done, and how many were in flight from then on."""
    changes = [(record.sent_ns, 1) for record in records if record.sent_ns is not None]
    changes += [(record.done_ns, -1) for record in records if record.sent_ns is not None]
    level, levels = 0, []
    for instant, change in sorted(changes):
        level += change
        levels.append((instant, level))
    return levels


def _most_at_once(records: Sequence[RequestRecord]) -> int:
    return max(level for _, level in _levels(records))


def _longest_off(observation: Observation, count: int) -> int:
    """The longest time inside the window for which fewer than `count` requests were in flight."""
    longest, since = 0, None
    for instant, level in _levels(observation.records):
        if not observation.start_ns <= instant <= observation.end_ns:
            continue
        if level >= count:
            longest, since = max(longest, 0 if since is None else instant - since), None
        elif since is None:
            since = instant
    return longest
