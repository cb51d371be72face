"""Closed loop: slots with one request in flight each, until the last measured one is done.

Warm-up requests go first. When all of them have been begun, every request begun is measured, until there are enough.
From then on unmeasured fillers keep the load up, so that the last measured requests do not run on an emptying server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from llmload.domain import Observation, Outcome, Phase
from llmload.load.course import Course, sleep_until
from llmload.load.transport import now_ns
from llmload.workload.pace import Slots
from llmload.workload.shard import Shard

_PAUSE_AFTER_NO_CONNECTION_S = 0.05
_MOST_BY_TIME = 20  # bodies per slot made beforehand where only the time is known


@dataclass(frozen=True, slots=True)
class _Slot:
    """When one slot is in use, in seconds after the beginning."""

    from_s: float
    until_s: float


async def observe_slots(course: Course, slots: Slots) -> Observation:
    """Our shard of the slots and of the requests."""
    loop = _ClosedLoop(course, slots)
    return await course.observe(loop.load, bodies=loop.bodies, connections=len(loop.slots))


class _ClosedLoop:
    """How far the window has got."""

    def __init__(self, course: Course, slots: Slots) -> None:
        window, shard = course.window, course.window.shard
        self._course = course
        self.slots = list(_slots(slots, shard))
        self._ramp_end_s = slots.ramp.seconds if slots.ramp else 0.0
        self._warmup_left = shard.count(window.warmup)
        self._quota = shard.count(window.warmup + window.look.requests) - self._warmup_left
        measured = self._quota if window.duration_s is None else max(self._quota, _MOST_BY_TIME * len(self.slots))
        self.bodies = self._warmup_left + measured + len(self.slots)

    async def load(self) -> None:
        """All slots at work until the window is over."""
        over = self._course.over
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._work(slot)) for slot in self.slots]
            try:
                await over.wait()
            finally:  # also where a slot met a defect of ours: the worker ends, rather than go on with less load
                over.set()
                for task in tasks:
                    task.cancel()

    async def _work(self, slot: _Slot) -> None:
        """One request after the other, each due the instant the one before was done."""
        course, begin_ns = self._course, self._course.begin_ns
        await sleep_until(begin_ns + round(slot.from_s * 1e9))
        due_ns = now_ns()
        while not course.over.is_set() and (due_ns - begin_ns) / 1e9 < slot.until_s:
            phase = self._next_phase(due_ns)
            record = await course.sender.send(course.next_job(phase), due_ns)
            course.note(record)
            self._check_quota(record.done_ns)
            due_ns = record.done_ns
            if record.outcome is Outcome.CONNECT_ERROR and not course.over.is_set():
                await asyncio.sleep(_PAUSE_AFTER_NO_CONNECTION_S)  # nobody is there: do not spin
                due_ns = now_ns()

    def _next_phase(self, due_ns: int) -> Phase:
        course = self._course
        if (due_ns - course.begin_ns) / 1e9 < self._ramp_end_s:
            return Phase.WARMUP
        if self._warmup_left:
            self._warmup_left -= 1
            return Phase.WARMUP
        course.begin_measuring(due_ns)
        if self._wants_more(due_ns):
            return Phase.MEASURED
        self._check_quota(due_ns)  # the time ran out while nothing measured was in flight
        return Phase.FILLER

    def _check_quota(self, at_ns: int) -> None:
        if self._course.start_ns is not None and not self._course.measured_open and not self._wants_more(at_ns):
            self._course.finish_quota()

    def _wants_more(self, at_ns: int) -> bool:
        course = self._course
        if course.curtailed_ns is not None:
            return False
        if course.measured_begun < self._quota or course.start_ns is None:
            return True
        duration_s = course.window.duration_s
        return duration_s is not None and at_ns < course.start_ns + duration_s * 1e9


def _slots(slots: Slots, shard: Shard) -> Iterator[_Slot]:
    """Our slots. In a ramp slot j joins, or leaves, when the level passes j."""
    ramp, end = slots.ramp, slots.concurrency
    most = end if ramp is None else max(end, int(ramp.start))
    for number in range(shard.number, most, shard.of):
        if ramp is None or ramp.start == end:
            yield _Slot(0.0, inf)
        elif ramp.start < end:
            yield _Slot(max(0.0, ramp.seconds * (number - ramp.start) / (end - ramp.start)), inf)
        else:
            leaves = ramp.seconds * (ramp.start - number) / (ramp.start - end)
            yield _Slot(0.0, inf if number < end else leaves)
