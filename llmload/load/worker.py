"""One window in closed loop: `concurrency` slots, each with one request in flight, until the last measured one is done.

Warm-up requests go first. When all of them have been begun, every request begun is measured, until there are enough.
From then on unmeasured fillers keep the load up, so that the last measured requests do not run on an emptying server.
"""

from __future__ import annotations

import asyncio
import gc
import os
from array import array
from collections import deque
from dataclasses import replace
from math import inf
from time import monotonic

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord
from llmload.load.attempt import Job
from llmload.load.live import Cell, Live
from llmload.load.sender import sender_for
from llmload.load.transport import now_ns
from llmload.load.window import Window
from llmload.workload.pace import Slots

_TICK_NS = 10_000_000
_PAUSE_AFTER_NO_CONNECTION_S = 0.05
_TICKS_PER_SHOW = 20
_MOST_PREPARED = 20_000  # bodies made before the window; a longer window makes the rest as it goes
_BATCH = 32


async def observe_window(window: Window, live: Live) -> Observation:
    """Load the endpoint as the window says; ends early when `live` says stop or our parent is gone."""
    loop = _ClosedLoop(window, live)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection of a large heap stops the clock of every stream; cycles are avoided instead
    try:
        return await loop.run()
    finally:
        gc.enable()
        gc.unfreeze()


class _ClosedLoop:
    """The state of one window while it runs."""

    def __init__(self, window: Window, live: Live) -> None:
        self._window, self._live = window, live
        assert isinstance(window.pace, Slots)  # noqa: S101 - open loop is refused before this
        self._concurrency = window.pace.concurrency
        self._sender = sender_for(window.endpoint)
        self._bodies: deque[tuple[bytes, int, int]] = deque()
        self._made = 0
        self._begun = 0
        self._measured_begun = 0
        self._measured_open = 0
        self._warmup_done = self._measured_done = 0
        self._events_done = 0
        self._records: list[RequestRecord] = []
        self._start_ns: int | None = None
        self._last_done_ns = self._longest_ns = 0
        self._over = asyncio.Event()
        self._ending = Ending.COMPLETE
        self._is_stopped = False
        self._deadline = inf
        self._end_ns = self._next_beat_ns = now_ns()
        self._late_ns = array("q")
        self._parent = os.getppid()

    async def run(self) -> Observation:
        """The whole window, from the first connection to the cool-down."""
        ticking = asyncio.create_task(self._tick())
        try:
            await self._prepare()
            await self._load()
            await self._cool_down()
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await self._sender.close()
        records = sorted(map(self._given_up, self._records), key=lambda record: record.seq)
        start_ns = self._start_ns if self._start_ns is not None else now_ns()
        end_ns = self._last_done_ns if self._ending is Ending.COMPLETE else self._end_ns
        return Observation(
            self._window.look, tuple(records), start_ns, max(start_ns, end_ns), self._ending, self._late_ns
        )

    async def _prepare(self) -> None:
        """Bodies and connections first: no measured request waits for either."""
        window = self._window
        measured = window.look.requests
        if window.duration_s is not None:  # how many that takes, only the server knows
            measured = max(measured, 20 * self._concurrency)
        wanted = window.warmup + measured + self._concurrency
        while self._made < min(wanted, _MOST_PREPARED) and not self._over.is_set():
            for _ in range(_BATCH):
                self._make_body()
            await asyncio.sleep(0)
        try:
            await self._sender.open(self._concurrency)
        except OSError:
            return  # the requests themselves will meet it, and say so in their records

    async def _load(self) -> None:
        self._deadline = monotonic() + self._window.max_duration_s
        slots = [asyncio.create_task(self._slot()) for _ in range(self._concurrency)]
        await self._over.wait()
        self._end_ns = now_ns()
        for slot in slots:
            slot.cancel()
        await asyncio.gather(*slots, return_exceptions=True)
        self._show()

    async def _cool_down(self) -> None:
        until = monotonic() + self._window.cooldown_s
        while monotonic() < until and not self._is_stopped:
            await asyncio.sleep(0.1)

    # ------------------------------------------------------------ slots

    async def _slot(self) -> None:
        """One request after the other, each due the instant the one before was done."""
        due_ns = now_ns()
        while not self._over.is_set():
            job = self._next_job(due_ns)
            record = await self._sender.send(job, due_ns)
            self._note(record)
            due_ns = record.done_ns
            if record.outcome is Outcome.CONNECT_ERROR and not self._over.is_set():
                await asyncio.sleep(_PAUSE_AFTER_NO_CONNECTION_S)  # nobody is there: do not spin
                due_ns = now_ns()

    def _next_job(self, due_ns: int) -> Job:
        seq = self._begun
        self._begun += 1
        if not self._bodies:
            self._make_body()
        body, input_tokens, output_tokens = self._bodies.popleft()
        phase = self._next_phase(seq, due_ns)
        keeps_text = phase is Phase.MEASURED and self._measured_begun <= self._window.keep_texts
        return Job(seq, self._window.look.number, phase, body, input_tokens, output_tokens, keeps_text)

    def _next_phase(self, seq: int, due_ns: int) -> Phase:
        if seq < self._window.warmup:
            return Phase.WARMUP
        if self._start_ns is None:
            self._start_ns = due_ns
            self._deadline = monotonic() + self._window.max_duration_s
            self._next_beat_ns = now_ns() + _TICK_NS
        if not self._wants_more(due_ns):
            if not self._measured_open:  # the time ran out while nothing measured was in flight
                self._over.set()
            return Phase.FILLER
        self._measured_begun += 1
        self._measured_open += 1
        return Phase.MEASURED

    def _wants_more(self, at_ns: int) -> bool:
        window, start_ns = self._window, self._start_ns
        if self._measured_begun < window.look.requests or start_ns is None:
            return True
        return window.duration_s is not None and at_ns < start_ns + window.duration_s * 1e9

    def _note(self, record: RequestRecord) -> None:
        self._records.append(record)
        self._events_done += len(record.event_ns)
        if record.phase is Phase.WARMUP:
            self._warmup_done += 1
        if record.phase is not Phase.MEASURED:
            return
        self._measured_open -= 1
        self._measured_done += 1
        self._live.note(record, self._window.slo)
        if record.outcome is Outcome.OK and record.sent_ns is not None:
            self._longest_ns = max(self._longest_ns, record.done_ns - record.sent_ns)
        self._last_done_ns = max(self._last_done_ns, record.done_ns)
        if not self._measured_open and not self._wants_more(record.done_ns):
            self._over.set()

    def _make_body(self) -> None:
        request = self._window.plan.request(self._made)
        self._made += 1
        body = self._sender.dialect.body(self._window.endpoint, request)
        self._bodies.append((body, request.input_tokens, request.output_tokens))

    def _given_up(self, record: RequestRecord) -> RequestRecord:
        """A request that `max_duration` cut off, as a timeout where it had already broken what it was to keep.

        Hanging up is our doing and says nothing of a request that was on its way; but a server that hangs would
        otherwise pass, since cancelled requests leave every denominator. It had its chance when it took longer than
        any request of the window that completed, or than the SLO allows.
        """
        if record.outcome is not Outcome.CANCELLED or record.phase is not Phase.MEASURED or record.sent_ns is None:
            return record
        waited_ns = record.done_ns - record.sent_ns
        slo = self._window.slo
        limits_ns = [self._longest_ns]
        if slo is not None and slo.e2e_ms is not None:
            limits_ns.append(round(slo.e2e_ms * 1e6))
        if slo is not None and slo.ttft_ms is not None and not record.event_ns:
            limits_ns.append(round(slo.ttft_ms * 1e6))
        if self._ending is not Ending.MAX_DURATION or waited_ns <= min(limits_ns):
            return record
        text = f"not complete after {waited_ns / 1e9:.3g} s, when max_duration ended the window"
        return replace(record, outcome=Outcome.TIMEOUT, error_type="TIMEOUT_WINDOW", error_text=text)

    # ------------------------------------------------------------ the heartbeat

    async def _tick(self) -> None:
        """Every 10 ms: how late are we ourselves, are we to stop, is our parent alive?"""
        shown = 0
        while True:
            now = now_ns()
            late_ns = max(0, now - self._next_beat_ns)
            if self._start_ns is not None and not self._over.is_set():
                self._late_ns.append(late_ns)
            self._next_beat_ns = max(self._next_beat_ns, now - _TICK_NS) + _TICK_NS
            self._check_end()
            shown += 1
            if shown % _TICKS_PER_SHOW == 1:
                self._show()
            await asyncio.sleep(max(0.0, (self._next_beat_ns - now_ns()) / 1e9))

    def _check_end(self) -> None:
        self._is_stopped = bool(self._live.cells[Cell.STOP]) or os.getppid() != self._parent
        if self._over.is_set():
            return
        if self._is_stopped:
            self._ending = Ending.INTERRUPTED
            self._over.set()
        elif monotonic() > self._deadline:
            self._ending = Ending.MAX_DURATION
            self._over.set()

    def _show(self) -> None:
        cells, window = self._live.cells, self._window
        is_measuring = self._start_ns is not None
        cells[Cell.IS_MEASURING] = int(is_measuring)
        cells[Cell.DONE] = self._measured_done if is_measuring else self._warmup_done
        cells[Cell.PLANNED] = window.look.requests if is_measuring else window.warmup
        cells[Cell.IN_FLIGHT] = len(self._sender.in_flight)
        cells[Cell.EVENTS] = self._events_done + sum(len(exchange.event_ns) for exchange in self._sender.in_flight)
