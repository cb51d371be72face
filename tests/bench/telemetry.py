"""The rows about telemetry: what the client costs per event while it watches server and GPUs, against not watching.

`python -m tests.bench.telemetry` prints them alone. One window goes on all the time; watching is switched on and off
within it, on, off, off, on, so that what drifts (the machine, the window) falls on both sides. A turn lasts as long as
an answer, since what a request costs comes once an answer. Watched are vLLM's page of metrics over a socket, and eight
GPUs through a driver in Python, which takes longer to answer than one in C but never has to wait for a GPU. What is
read at the edges of a window, before its first request and after its last one, is not in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import median
from time import monotonic_ns, process_time_ns

from llmload.domain import Observation
from llmload.endpoint import Endpoint
from llmload.load.pool import Pool
from llmload.progress import Progress
from llmload.samples import Source
from llmload.scenario.asked import MetricsPage
from llmload.telemetry.nvml import NvmlGpus
from llmload.telemetry.prometheus import page_of
from llmload.telemetry.watching import Sources, watching
from tests.bench.processes import cpu_ns
from tests.bench.served import CLIENT_CORE, ROOT, SERVER_CORE, served
from tests.bench.streams import FIRST_MS, GAP_MS, STREAMS, TOKENS, paced_window
from tests.bench.table import Row, show
from tests.telemetry.fake_nvml import FakeDriver, FakeGpu

PAIRS = 6
"""Turns with watching, and as many without."""

_PAGE = ROOT / "tests" / "captures" / "vllm" / "metrics-busy.prom"
_GPUS = 8
_ANSWER_S = (FIRST_MS + TOKENS * GAP_MS) / 1000
_SETTLED_S = 2 * _ANSWER_S


@dataclass(frozen=True)
class Turn:
    """A part of the window, watched or not, and the CPU time of the runner, who watches, and of its worker."""

    is_watched: bool
    from_ns: int
    to_ns: int
    runner_ns: int
    worker_ns: int

    def events(self, seen: Observation) -> int:
        """Text events that came in during the turn."""
        return sum(
            bisect_left(record.event_ns, self.to_ns) - bisect_left(record.event_ns, self.from_ns)
            for record in seen.records
        )


def rows() -> list[Row]:
    """Both rows; take a minute and a quarter. The second moves less with the machine, since a worker's price does."""
    with served(FIRST_MS, TOKENS, GAP_MS) as server, serving_page() as page:
        turns, seen = take_turns(server.url, page)
    us = {turn: 1 / turn.events(seen) / 1000 for turn in turns}
    on, off = ([turn for turn in turns if turn.is_watched is wanted] for wanted in (True, False))
    whole_on, whole_off = ([(t.runner_ns + t.worker_ns) * us[t] for t in side] for side in (on, off))
    more = [(watched / unwatched - 1) * 100 for watched, unwatched in zip(whole_on, whole_off, strict=True)]
    runner_on, runner_off = (median(t.runner_ns * us[t] for t in side) for side in (on, off))
    price = (
        f"{median(whole_on):.2f} µs against {median(whole_off):.2f} µs; pairs {min(more):+.1f} to {max(more):+.1f} %"
    )
    share = (runner_on - runner_off) / median(whole_off) * 100
    return [
        Row("CPU per event, more with telemetry", 3, median(more), "%", price),
        Row("the same, of the runner alone", 3, share, "%", f"{runner_on:.3f} µs against {runner_off:.3f} µs"),
    ]


@contextmanager
def serving_page() -> Iterator[str]:
    """The address of vLLM's page of metrics, for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.bench.page_server", str(_PAGE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        os.sched_setaffinity(server.pid, {SERVER_CORE})
        assert server.stdout is not None
        try:
            yield f"{server.stdout.readline().strip()}/metrics"
        finally:
            server.terminate()


def take_turns(url: str, page: str) -> tuple[list[Turn], Observation]:
    """One window of paced streams, and its turns: watched, not, not, watched, and so on."""
    endpoint = Endpoint(url, "vllm", "chat", "tiny", True, {})
    window = paced_window(url, STREAMS, requests=STREAMS * (2 * PAIRS + 4))
    turns: list[Turn] = []
    is_over, is_settled = threading.Event(), threading.Event()

    def take(worker: int) -> None:
        is_settled.wait()
        is_over.wait(_SETTLED_S)
        for number in range(2 * PAIRS):
            is_watched = number % 4 in (0, 3)
            with watched(page, endpoint) if is_watched else nullcontext():
                begun = monotonic_ns(), process_time_ns(), cpu_ns(worker)
                is_over.wait(_ANSWER_S)
                ended = monotonic_ns(), process_time_ns(), cpu_ns(worker)
            turns.append(Turn(is_watched, begun[0], ended[0], ended[1] - begun[1], ended[2] - begun[2]))
        is_over.set()

    def settle(progress: Progress) -> None:
        if progress.output_events_per_s > 0:
            is_settled.set()

    with Pool(workers=1) as pool:
        os.sched_setaffinity(pool.pids[0], {CLIENT_CORE})
        taking = threading.Thread(target=take, args=(pool.pids[0],))
        taking.start()
        try:
            seen = pool.observe(window, on_progress=settle, stop=is_over)
        finally:
            is_over.set()
            is_settled.set()
            taking.join()
    return turns, seen


@contextmanager
def watched(page: str, endpoint: Endpoint) -> Iterator[None]:
    """Server and GPUs are watched as they are beside a window, from its first edge on."""
    gpus = NvmlGpus(FakeDriver(*(FakeGpu(uuid=f"GPU-{number}") for number in range(_GPUS))).module())
    with page_of(MetricsPage(page), endpoint) as reader, watching(Sources(gpus, reader)) as watch:
        watch.begin()
        yield
        seen = watch.end()
    assert {series.source for series in seen.series} == {Source.GPU, Source.METRICS}, seen.notes


if __name__ == "__main__":
    print(show(rows()))
