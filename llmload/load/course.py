"""The course of one window in one worker, whatever its pace: prepared, begun together, measured, ended together."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import NamedTuple

from llmload.domain import Ending, Observation, Phase, RequestRecord, WorkerFacts
from llmload.load.attempt import Job
from llmload.load.heartbeat import Heartbeat
from llmload.load.live import Cell, Live
from llmload.load.sender import sender_for
from llmload.load.transport import now_ns
from llmload.load.window import Window
from llmload.planned import PlannedRequest
from llmload.workload.pace import Replay, Slots

_TICKS_PER_SHOW = 20
_MOST_PREPARED = 20_000  # bodies made before the window; a longer window makes the rest as it goes
_MOST_PREPARED_BYTES = 256 * 2**20  # of all workers together; a body of 16,000 tokens has 84 kB, and takes 0.05 ms
_BATCH = 32
_START_POLL_S = 0.001


class Made(NamedTuple):
    """What was made beforehand: of so many requests, and about so many bytes."""

    requests: int
    size: int


Make = Callable[[], Made]
"""Makes one more thing to send."""


async def sleep_until(at_ns: int) -> None:
    """Never shorter: timers of the loop count whole milliseconds, and may ring half of one too early."""
    while (wait_ns := at_ns - now_ns()) > 0:
        await asyncio.sleep(wait_ns / 1e9)


class Course:
    """What a pace needs of the window it runs in: jobs to send, where to note their records, and when it is over."""

    def __init__(self, window: Window, live: Live) -> None:
        self.window = window
        self.sender = sender_for(window.endpoint)
        self.over = asyncio.Event()
        self.begin_ns = 0  # common to all workers
        self.measured_begun = self.measured_open = 0
        self.planned: int | None = None
        self.curtailed_ns: int | None = None  # from then on no measured request begins
        self._live = live
        self._heartbeat = Heartbeat(self._look_around)
        self._ticks = 0
        self._indices = window.shard.indices()
        self._bodies: deque[tuple[PlannedRequest, bytes]] = deque()
        self._keep_texts = -(-window.keep_texts // window.shard.of)
        self._records: list[RequestRecord] = []
        self._warmup_done = self._measured_done = self._events_done = 0
        self._begun = self._answered_done = self._firsts_done = 0
        self._start_ns: int | None = None
        self._end_ns = self._last_done_ns = 0
        self._cpu_from_s = self._cpu_to_s = 0.0
        self._is_quota_done = self._is_stopped = False
        self._ending = Ending.COMPLETE
        self._deadline = inf
        self._parent = os.getppid()

    async def observe(
        self, load: Callable[[], Awaitable[None]], *, bodies: int, connections: int, make: Make | None = None
    ) -> Observation:
        """The whole window: `load` begins requests until it is `over`, and then hangs up on those in flight.

        What `bodies` requests say is made beforehand; `make` says it of something else than single requests.
        """
        ticking = asyncio.create_task(self._heartbeat.beat())
        try:
            await self._prepare(bodies, connections, make or self._make_body)
            await self._wait_for_start()
            await load()
            self._show()
            await self._cool_down()
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await self.sender.close()
        return self._observation()

    # ------------------------------------------------------------ for the paces

    def next_job(self, phase: Phase) -> Job:
        """The next request of our shard, begun now."""
        if not self._bodies:
            self._make_body()
        return self.job_of(*self._bodies.popleft(), phase)

    def job_of(self, request: PlannedRequest, body: bytes, phase: Phase) -> Job:
        """A request that is begun now."""
        is_measured = phase is Phase.MEASURED
        self._begun += 1
        self.measured_begun += is_measured
        self.measured_open += is_measured
        keeps_text = is_measured and self.measured_begun <= self._keep_texts
        number, lengths = self.window.look.number, (request.input_tokens, request.output_tokens)
        return Job(request.index, number, phase, body, *lengths, keeps_text, request.part)

    def begin_measuring(self, at_ns: int) -> None:
        """The first measured request is due: from here on everything counts. No effect on a window that does."""
        if self._start_ns is None:
            self._start_ns = at_ns
            self._deadline = monotonic() + self.window.max_duration_s
            self._cpu_from_s = time.process_time()
            self._heartbeat.record()

    @property
    def start_ns(self) -> int | None:
        """When measuring began."""
        return self._start_ns

    @property
    def end_ns(self) -> int:
        """When the window was over; 0 before."""
        return self._end_ns

    def note(self, record: RequestRecord) -> None:
        """A request has ended, however."""
        self._records.append(record)
        self._events_done += len(record.event_ns)
        self._answered_done += record.http_status is not None
        self._firsts_done += len(record.event_ns) > 0
        self._warmup_done += record.phase is Phase.WARMUP
        if record.phase is not Phase.MEASURED:
            return
        self.measured_open -= 1
        self._measured_done += 1
        is_open = not isinstance(self.window.pace, Slots)  # there a request waits from when it was due
        waits_from_ns = record.due_ns if is_open and record.sent_ns is not None else record.sent_ns
        self._live.note(record, self.window.slo, waits_from_ns)
        self._last_done_ns = max(self._last_done_ns, record.done_ns)

    def finish_quota(self) -> None:
        """Our measured requests are done. The window goes on until those of every worker are."""
        if not self._is_quota_done:
            self._is_quota_done = True
            self._live.cells[Cell.QUOTA_DONE] = 1
            if self.window.shard.of == 1:
                self._end(self._ending_of_quota)

    # ------------------------------------------------------------ before and after

    async def _prepare(self, bodies: int, connections: int, make: Make) -> None:
        """Bodies and connections first: no measured request waits for either."""
        wanted, room = min(bodies, _MOST_PREPARED), _MOST_PREPARED_BYTES // self.window.shard.of
        while wanted > 0 and room > 0 and not self.over.is_set():
            for _ in range(_BATCH):
                made = make()
                wanted, room = wanted - made.requests, room - made.size
            await asyncio.sleep(0)
        opening = asyncio.create_task(self.sender.open(connections))
        stopping = asyncio.create_task(self.over.wait())
        await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        opening.cancel()  # no effect on one that is done
        stopping.cancel()
        with suppress(OSError, asyncio.CancelledError):  # the requests themselves will meet it, and say so
            await opening

    async def _wait_for_start(self) -> None:
        cells = self._live.cells
        cells[Cell.READY] = 1
        if self.window.shard.of > 1:
            while not cells[Cell.START_NS] and not self.over.is_set():
                await asyncio.sleep(_START_POLL_S)
            await sleep_until(cells[Cell.START_NS])
        self.begin_ns = now_ns() if self.window.shard.of == 1 else cells[Cell.START_NS] // 1000 * 1000
        ramp_s = 0.0 if isinstance(pace := self.window.pace, Replay) or pace.ramp is None else pace.ramp.seconds
        self._deadline = monotonic() + ramp_s + self.window.max_duration_s

    async def _cool_down(self) -> None:
        until = monotonic() + self.window.cooldown_s
        while monotonic() < until and not self._is_stopped:
            await asyncio.sleep(0.1)

    def _make_body(self) -> Made:
        """One more body at the end of those prepared."""
        request = self.window.plan.request(next(self._indices))
        body = self.sender.dialect.body(self.window.endpoint, request)
        lengths = (request.input_tokens, request.output_tokens)  # its text is in the body: held once, not twice
        self._bodies.append((PlannedRequest(request.index, "", *lengths, part=request.part), body))
        return Made(1, len(body))

    def _observation(self) -> Observation:
        start_ns = self._start_ns if self._start_ns is not None else self._end_ns
        end_ns = self._last_done_ns if self._ending in (Ending.COMPLETE, Ending.FUTILE) else self._end_ns
        elapsed_s = (self._end_ns - start_ns) / 1e9
        cpu_share = (self._cpu_to_s - self._cpu_from_s) / elapsed_s if elapsed_s > 0 else None
        return Observation(
            look=self.window.look,
            records=tuple(self._records),
            start_ns=start_ns,
            end_ns=max(start_ns, end_ns),
            ending=self._ending,
            heartbeat_late_ns=self._heartbeat.late_ns,
            planned=self.planned,
            workers=(WorkerFacts(self.window.shard.number, "", cpu_share, self.sender.opened),),
        )

    # ------------------------------------------------------------ every tick

    def _look_around(self) -> None:
        """Are we to stop, or to begin less, is everybody done, is the time up, is our parent alive?"""
        cells = self._live.cells
        is_interrupted = bool(cells[Cell.STOP]) or os.getppid() != self._parent
        self._is_stopped = is_interrupted or bool(cells[Cell.GUARD])
        if cells[Cell.CURTAIL] and self.curtailed_ns is None:
            self.curtailed_ns = now_ns()
        if self._is_stopped:
            self._end(Ending.INTERRUPTED if is_interrupted else Ending.GUARD)
        elif cells[Cell.END]:
            self._end(self._ending_of_quota)
        elif monotonic() > self._deadline and not self._is_quota_done:  # who is done waits for the others
            self._end(Ending.MAX_DURATION)
        self._ticks += 1
        if self._ticks % _TICKS_PER_SHOW == 1:
            self._show()

    @property
    def _ending_of_quota(self) -> Ending:
        return Ending.COMPLETE if self.curtailed_ns is None else Ending.FUTILE

    def _end(self, ending: Ending) -> None:
        if self.over.is_set():
            return
        self._ending = ending
        self._end_ns = now_ns()
        self._cpu_to_s = time.process_time()
        self._heartbeat.is_recording = False
        self._live.cells[Cell.QUOTA_DONE] = 1
        self.over.set()

    def _show(self) -> None:
        cells, shard, window = self._live.cells, self.window.shard, self.window
        is_measuring = self._start_ns is not None
        warmup, both = shard.count(window.warmup), shard.count(window.warmup + window.look.requests)
        in_flight = self.sender.in_flight
        cells[Cell.IS_MEASURING] = int(is_measuring)
        cells[Cell.DONE] = self._measured_done if is_measuring else self._warmup_done
        cells[Cell.PLANNED] = both - warmup if is_measuring else warmup
        cells[Cell.IN_FLIGHT] = len(in_flight)
        cells[Cell.EVENTS] = self._events_done + sum(len(answer.event_ns) for answer in in_flight)
        firsts = sum(len(answer.event_ns) > 0 for answer in in_flight)
        cells[Cell.TRIED] = self._begun
        cells[Cell.ANSWERED] = self._answered_done + sum(not answer.is_unanswered for answer in in_flight)
        cells[Cell.LOST] = len(self._records) - self._answered_done
        cells[Cell.FIRSTS] = self._firsts_done + firsts
        cells[Cell.WAITING] = len(in_flight) - firsts
