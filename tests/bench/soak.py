"""An hour of load in minutes: a million short requests through one pool, window after window. What does it leave?

    python -m tests.bench.soak

Prints its table and writes bench-soak.json. Takes about five minutes on two cores.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic

from llmload.domain import Outcome
from llmload.load.pool import Pool
from llmload.workload.pace import Slots
from tests.bench.processes import open_files, resident_bytes
from tests.bench.served import served
from tests.bench.table import Row, show, write
from tests.bench.windows import window_of

REQUESTS, IN_A_WINDOW, CONCURRENCY, WORKERS, TOKENS = 1_000_000, 10_000, 64, 2, 2
WARM_SHARE = 0.1
SMALLEST_OBJECT = 16
"""Bytes: the least that Python can allocate, and so the least that a request can leave behind."""


@dataclass(frozen=True)
class Mark:
    """What there was after one window: resident bytes and open files of ourselves, and of the worker that had most."""

    requests: int
    failed: int
    parent_bytes: int
    worker_bytes: int
    parent_files: int
    worker_files: int
    server_files: int


@dataclass(frozen=True)
class Soaked:
    """Every window of a soak, and how long it took."""

    marks: list[Mark]
    seconds: float
    server_files_before: int

    @property
    def requests(self) -> int:
        """Measured requests in total."""
        return sum(mark.requests for mark in self.marks)

    @property
    def failed(self) -> int:
        """Those that did not complete."""
        return sum(mark.failed for mark in self.marks)

    @property
    def warm(self) -> list[Mark]:
        """The windows after warm-up."""
        return self.marks[max(1, int(WARM_SHARE * len(self.marks))) :]


def soak(requests: int, in_a_window: int, concurrency: int = CONCURRENCY, workers: int = WORKERS) -> Soaked:
    """At least so many requests in all, as fast as they go."""
    began, marks, done = monotonic(), [], 0
    with served(0, TOKENS, 0) as server, Pool(workers=workers) as pool:
        before = open_files(server.pid)
        for number in count():
            if done >= requests:
                break
            marks.append(_window(server.url, server.pid, pool, number, in_a_window, concurrency))
            done += marks[-1].requests
    return Soaked(marks, monotonic() - began, before)


def _window(url: str, server: int, pool: Pool, number: int, requests: int, concurrency: int) -> Mark:
    asked = window_of(url, Slots(concurrency), requests=requests, tokens=TOKENS, look=number)
    records = pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event()).records
    failed = sum(record.outcome not in (Outcome.OK, Outcome.CANCELLED) for record in records)
    done = len(records)
    del records
    return Mark(
        requests=done,
        failed=failed,
        parent_bytes=resident_bytes(os.getpid()),
        worker_bytes=max(map(resident_bytes, pool.pids)),
        parent_files=open_files(os.getpid()),
        worker_files=max(map(open_files, pool.pids)),
        server_files=open_files(server),
    )


def rows(soaked: Soaked) -> list[Row]:
    """What must not grow: memory after warm-up, open files at all."""
    first, last = soaked.marks[0], soaked.marks[-1]
    rate = f"{soaked.requests / soaked.seconds:,.0f} requests/s over {len(soaked.marks)} windows"
    return [
        Row("soak: requests", REQUESTS, soaked.requests, "", rate, is_floor=True),
        Row("soak: failed", 0, soaked.failed, ""),
        _growth("soak: kept of a request, worker", [mark.worker_bytes for mark in soaked.warm], soaked.requests),
        _growth("soak: kept of a request, command", [mark.parent_bytes for mark in soaked.warm], soaked.requests),
        Row("soak: files of a worker", first.worker_files, last.worker_files, "", "after the first window, and last"),
        Row(
            "soak: files of the command", first.parent_files, last.parent_files, "", "after the first window, and last"
        ),
        Row(
            "soak: files of the server", soaked.server_files_before, last.server_files, "", "before the first, and last"
        ),
    ]


def growth(values: list[int]) -> int:
    """How much more the last tenth has at most than the first tenth: bytes after warm-up."""
    tenth = max(1, len(values) // 10)
    return max(values[-tenth:]) - max(values[:tenth])


def _growth(what: str, values: list[int], requests: int) -> Row:
    warm, end, most = (f"{value / 1e6:.1f} MB" for value in (values[0], values[-1], max(values)))
    note = f"{warm} after warm-up, {end} at the end, {most} at most"
    return Row(what, SMALLEST_OBJECT, max(0, growth(values)) / requests, "bytes", note)


def main() -> None:
    """The whole million."""
    told = rows(soak(REQUESTS, IN_A_WINDOW))
    print(show(told))
    write(told, Path("bench-soak.json"))


if __name__ == "__main__":
    main()
