"""The workers of a run: hired when a window needs them, begun together, ended together, stopped by their own ids."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic, monotonic_ns
from types import TracebackType
from typing import Protocol, Self

from llmload.domain import Ending, Observation
from llmload.load.child import Here
from llmload.load.clock import Clock
from llmload.load.crew import choose_crew, shards_of, surely_open
from llmload.load.curtailment import Curtailment, IsFutile, no_futility
from llmload.load.display import Display
from llmload.load.guards import GuardWatch
from llmload.load.live import Cell
from llmload.load.merging import merge
from llmload.load.sender import sender_for
from llmload.load.window import Window
from llmload.progress import Progress
from llmload.verdict import Caveat

_LOOK_EVERY_S = 0.02
_SHOW_EVERY_S = 0.25
_JUDGE_EVERY_S = 0.1
_LEAD_NS = 100_000_000  # from the order to begin to the beginning: every worker reads it in time


class Worker(Protocol):
    """One worker process, here or on another machine, as the pool sees it."""

    @property
    def pid(self) -> int:
        """Its process id, on its machine."""

    @property
    def node(self) -> str:
        """The machine it runs on; "" is this one."""

    @property
    def clock(self) -> Clock:
        """Its machine's monotonic clock against ours."""

    def send(self, window: Window) -> None:
        """Hand it a window to observe; LlmloadError when it is dead."""

    def read(self) -> Sequence[int]:
        """Its live numbers now, by `Cell`."""

    def write(self, cell: Cell, value: int) -> None:
        """Set one of its live numbers."""

    def receive(self) -> Observation | None:
        """What it observed, by its own clock; None while it is not done. LlmloadError when it died."""

    def stop(self) -> None:
        """End it, whatever it does."""


class Place(Protocol):
    """Where workers run."""

    @property
    def cpus(self) -> int:
        """CPUs that there are for all of them."""

    @property
    def about(self) -> str:
        """What a report adds of it to the number of workers; "" for this machine."""

    def hire(self) -> Worker:
        """Start one more."""

    def check(self, connections: int, workers: int) -> Caveat | None:
        """Whether so many workers can hold so many connections here; ClientError where they cannot."""


class Pool:
    """Worker processes for any number of windows, one window at a time.

    `workers` is how many observe each window; None chooses by what the window is expected to bring.
    """

    def __init__(self, workers: int | None = None, place: Place | None = None) -> None:
        self._asked = workers
        self._place: Place = place or Here()
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        self._hire(1)  # it starts while the server is being probed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dismiss()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers there are."""
        return tuple(worker.pid for worker in self._workers)

    def observe(
        self,
        window: Window,
        *,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
        is_futile: IsFutile = no_futility,
    ) -> Observation:
        """Everything that one window leaves behind; LlmloadError when a worker died, UsageError when the endpoint
        cannot be sent to at all.

        `on_progress` is called 4 times a second in the calling thread. Once `stop` is set, requests in flight are
        cancelled and what there is comes back, `interrupted`, within 2 s; a guard of the window that trips does the
        same. `is_futile` is asked whether a window with `futile_below` is lost, so that it need not be sent whole.
        """
        sender_for(window.endpoint)  # what would end a worker is told here instead
        crew = choose_crew(window, asked=self._asked, cpus=self._place.cpus)
        crew = replace(crew, because=crew.because + self._place.about)
        caveat = self._place.check(surely_open(window), crew.count)
        workers = self._hire(crew.count)
        try:
            for worker, part in zip(workers, shards_of(window, crew.count), strict=True):
                worker.send(part)
            watch = _Watch(workers, window, on_progress, stop, is_futile)
            seen = watch.wait()
        except BaseException:
            self._dismiss()  # one of them died, or we were torn away: nobody goes on with the window
            raise
        whole = merge(window, seen, crew, [worker.node for worker in workers], [worker.clock for worker in workers])
        found = (caveat, watch.why(whole))
        return replace(whole, caveats=(*(each for each in found if each is not None), *whole.caveats))

    def _hire(self, count: int) -> list[Worker]:
        while len(self._workers) < count:
            self._workers.append(self._place.hire())
        return self._workers[:count]

    def _dismiss(self) -> None:
        while self._workers:
            self._workers.pop().stop()


class _Watch:
    """One window from its handing over to its observations. The workers never speak to each other: we relay."""

    def __init__(
        self,
        workers: Sequence[Worker],
        window: Window,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
        is_futile: IsFutile,
    ) -> None:
        self._workers, self._display = workers, Display(window.look.step.label)
        self._on_progress, self._stop = on_progress, stop
        self._guards, self._curtailment = GuardWatch(window), Curtailment(window, is_futile)
        self._tripped: Caveat | None = None
        self._has_begun = False
        self._shown_s = self._judged_s = 0.0

    def wait(self) -> list[Observation]:
        """The observation of each worker, in their order."""
        seen: dict[int, Observation] = {}
        while len(seen) < len(self._workers):
            time.sleep(_LOOK_EVERY_S)
            for place, worker in enumerate(self._workers):
                if place not in seen and (observation := worker.receive()) is not None:
                    seen[place] = observation
            numbers = [worker.read() for worker in self._workers]
            self._relay(numbers)
            self._judge(numbers)
            if monotonic() - self._shown_s >= _SHOW_EVERY_S or len(seen) == len(self._workers):
                self._shown_s = monotonic()
                self._on_progress(self._display.progress(numbers))
        return [seen[place] for place in range(len(self._workers))]

    def _relay(self, numbers: Sequence[Sequence[int]]) -> None:
        if self._stop.is_set():
            self._write(Cell.STOP, 1)
        elif not self._has_begun and all(each[Cell.READY] for each in numbers):
            self._has_begun = True
            start_ns = monotonic_ns() + _LEAD_NS
            for worker in self._workers:
                worker.write(Cell.START_NS, start_ns + worker.clock.offset_ns)
        elif self._has_begun and all(each[Cell.QUOTA_DONE] for each in numbers):
            self._write(Cell.END, 1)

    def why(self, whole: Observation) -> Caveat | None:
        """Why the window ended before its time; None where a guard or a lost gate had no part in it."""
        match whole.ending:
            case Ending.GUARD:
                return self._tripped
            case Ending.FUTILE:
                return self._curtailment.told(whole)
            case _:
                return None

    def _judge(self, numbers: Sequence[Sequence[int]]) -> None:
        now_s = monotonic()
        if not self._has_begun or now_s - self._judged_s < _JUDGE_EVERY_S:
            return
        self._judged_s = now_s
        whole = [sum(column) for column in zip(*(each[: len(Cell)] for each in numbers), strict=True)]
        if self._tripped is None and (tripped := self._guards.look(whole, now_s)) is not None:
            self._tripped = tripped
            self._write(Cell.GUARD, 1)
        if self._curtailment.look(whole, now_s):
            self._write(Cell.CURTAIL, 1)

    def _write(self, cell: Cell, value: int) -> None:
        for worker in self._workers:
            worker.write(cell, value)
