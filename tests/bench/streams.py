"""The rows about streams: price per event, truth of the stamps, speed and memory of one worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from bisect import bisect_left
from dataclasses import dataclass
from statistics import mean
from time import monotonic_ns

from llmload.domain import Observation, Phase
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.progress import Progress
from llmload.workload.pace import Slots
from tests.bench.processes import cpu_ns, peak_bytes
from tests.bench.served import CLIENT_CORE, ROOT, percentile, served
from tests.bench.table import Row
from tests.bench.truth import errors
from tests.bench.windows import window_of

STREAMS, FIRST_MS, TOKENS, GAP_MS = 500, 200, 256, 20


@dataclass(frozen=True)
class Watched:
    """A window, and what its worker cost between two instants of it."""

    window: Window
    observation: Observation
    from_ns: int
    to_ns: int
    cpu_ns: int
    peak_bytes: int

    @property
    def cpu_us_per_event(self) -> float:
        """CPU time of the worker per text event, in the steady state."""
        events = sum(
            bisect_left(record.event_ns, self.to_ns) - bisect_left(record.event_ns, self.from_ns)
            for record in self.observation.records
        )
        return self.cpu_ns / events / 1000


def rows() -> list[Row]:
    """Every row about streams; takes about two minutes."""
    with served(FIRST_MS, TOKENS, GAP_MS) as server:
        null = [_null(server.url)]
        paced = watch(paced_window(server.url, STREAMS, requests=STREAMS * 3), steady_s=5)
        null.append(_null(server.url))
        httpx = _client("httpx_client", server.url, "30", "9")
    ours = paced.cpu_us_per_event
    versus = f"{ours:.1f} µs against {null[0]:.1f} µs before and {null[1]:.1f} µs after"
    ttft_ms, itl_ms = errors(paced.window, paced.observation, server.truth)
    calm = (
        f"p99 of our heartbeat {percentile(paced.observation.heartbeat_late_ns, 0.99) / 1e6:.1f} ms late, "
        f"of the server's ticks {percentile(server.late_ns, 0.99) / 1e6:.1f} ms"
    )
    with served(0, 6400, 0) as server:
        fast = watch(paced_window(server.url, 4, requests=600), steady_s=1)
    events = sum(len(record.event_ns) for record in fast.observation.records)
    rate = events / ((fast.observation.records[-1].done_ns - fast.observation.records[0].due_ns) / 1e9)
    paced_events = sum(len(record.event_ns) for record in paced.observation.records)
    return [
        Row("CPU per event against the null client", 1.3, ours / mean(null), "x", versus),
        Row("CPU per event, httpx loop against ours", 10, httpx / ours, "x", f"{httpx:.0f} µs, 30 streams", True),
        Row("TTFT error, p50", 1, percentile(ttft_ms, 0.50), "ms", f"{len(ttft_ms)} requests; {calm}"),
        Row("TTFT error, p99", 10, percentile(ttft_ms, 0.99), "ms", f"{STREAMS} streams x {1000 // GAP_MS} tokens/s"),
        Row("ITL error, p99", 5, percentile(itl_ms, 0.99), "ms", f"{len(itl_ms)} gaps"),
        Row("events back to back, one worker", 60_000, rate, "/s", f"{events} events", True),
        _memory("memory of a worker, paced streams", paced, paced_events),
        _memory("memory of a worker, back to back", fast, events),
    ]


def _null(url: str) -> float:
    return _client("null_client", *url.removeprefix("http://").split(":"), str(STREAMS), "9")


def _memory(what: str, watched: Watched, events: int) -> Row:
    bar = 60e6 + 16 * events
    return Row(what, bar / 1e6, watched.peak_bytes / 1e6, "MB", f"60 MB + 16 bytes x {events} events")


def watch(asked: Window, steady_s: float) -> Watched:
    """One window in a worker pinned to its core; CPU is counted over `steady_s` from the third second of load on."""
    marks: list[tuple[int, int]] = []
    began = 0

    with Pool(workers=1) as pool:
        os.sched_setaffinity(pool.pids[0], {CLIENT_CORE})

        def mark(progress: Progress) -> None:
            nonlocal began
            now = monotonic_ns()
            if progress.phase is Phase.MEASURED:
                began = began or now
                if not marks or (len(marks) == 1 and now - marks[0][0] >= steady_s * 1e9):
                    marks.append((now, cpu_ns(pool.pids[0])))

        observation = pool.observe(asked, on_progress=mark, stop=threading.Event())
        peak = peak_bytes(pool.pids[0])
    (from_ns, cpu_before), (to_ns, cpu_after) = marks[:2]
    return Watched(asked, observation, from_ns, to_ns, cpu_after - cpu_before, peak)


def paced_window(url: str, streams: int, requests: int) -> Window:
    """A closed loop of `streams` on a server that paces them."""
    return window_of(url, Slots(streams), requests=requests, warmup=streams, tokens=TOKENS)


def _client(name: str, *arguments: str) -> float:
    command = [sys.executable, "-m", f"tests.bench.{name}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as client:
        os.sched_setaffinity(client.pid, {CLIENT_CORE})
        output, _ = client.communicate()
    return float(output)
