"""Closed loop: slots with one request in flight each, until the last measured one is done.

Warm-up requests go first. When all of them have been begun, every request begun is measured, until there are enough.
From then on unmeasured fillers keep the load up, so that the last measured requests do not run on an emptying server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.load.course import Course, sleep_until
from llmload.load.transport import now_ns
from llmload.workload.pace import Slots
from llmload.workload.shard import Shard

_PAUSE_AFTER_NO_CONNECTION_S = 0.05
_MOST_BY_TIME = 20  # bodies per slot made beforehand where only the time is known


@dataclass(frozen=True, slots=True)
class Slot:
    """When one slot is in use, in seconds after the beginning; `number` counts those of all workers."""

    number: int
    from_s: float
    until_s: float


async def observe_slots(course: Course, slots: Slots) -> Observation:
    """Our shard of the slots and of the requests."""
    quota = Quota(course, slots)

    async def work(slot: Slot) -> None:
        """One request after the other, each due the instant the one before was done."""
        await sleep_until(course.begin_ns + round(slot.from_s * 1e9))
        due_ns = now_ns()
        while quota.is_in_use(slot, due_ns):
            phase = quota.next_phase(due_ns)
            record = await course.sender.send(course.next_job(phase), due_ns)
            due_ns = await quota.note(record)

    return await course.observe(
        lambda: all_at_work(course, quota.slots, work), bodies=quota.bodies, connections=len(quota.slots)
    )


async def all_at_work(
    course: Course, slots: Sequence[Slot], work: Callable[[Slot], Coroutine[None, None, None]]
) -> None:
    """All slots at work until the window is over."""
    over = course.over
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(slot)) for slot in slots]
        try:
            await over.wait()
        finally:  # also where a slot met a defect of ours: the worker ends, rather than go on with less load
            over.set()
            for task in tasks:
                task.cancel()


class Quota:
    """How far the window has got: which phase the next request is of, and whether there were enough."""

    def __init__(self, course: Course, slots: Slots) -> None:
        window, shard = course.window, course.window.shard
        self._course = course
        self.slots = list(_slots(slots, shard))
        self._ramp_end_s = slots.ramp.seconds if slots.ramp else 0.0
        self._warmup_left = shard.count(window.warmup)
        self._quota = shard.count(window.warmup + window.look.requests) - self._warmup_left
        measured = self._quota if window.duration_s is None else max(self._quota, _MOST_BY_TIME * len(self.slots))
        self.bodies = self._warmup_left + measured + len(self.slots)

    def is_in_use(self, slot: Slot, due_ns: int) -> bool:
        """Whether the slot sends what is due then."""
        course = self._course
        return not course.over.is_set() and (due_ns - course.begin_ns) / 1e9 < slot.until_s

    async def note(self, record: RequestRecord) -> int:
        """A request has ended: when the slot is free."""
        course = self._course
        course.note(record)
        self.check(record.done_ns)
        if record.outcome is Outcome.CONNECT_ERROR and not course.over.is_set():
            await asyncio.sleep(_PAUSE_AFTER_NO_CONNECTION_S)  # nobody is there: do not spin
            return now_ns()
        return record.done_ns

    def next_phase(self, due_ns: int) -> Phase:
        """The phase of a request that begins now."""
        course = self._course
        if (due_ns - course.begin_ns) / 1e9 < self._ramp_end_s:
            return Phase.WARMUP
        if self._warmup_left:
            self._warmup_left -= 1
            return Phase.WARMUP
        course.begin_measuring(due_ns)
        if self._wants_more(due_ns):
            return Phase.MEASURED
        self.check(due_ns)  # the time ran out while nothing measured was in flight
        return Phase.FILLER

    def check(self, at_ns: int) -> None:
        """Whether our part of the window is done."""
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


def _slots(slots: Slots, shard: Shard) -> Iterator[Slot]:
    """Our slots. In a ramp slot j joins, or leaves, when the level passes j."""
    ramp, end = slots.ramp, slots.concurrency
    most = end if ramp is None else max(end, int(ramp.start))
    for number in range(shard.number, most, shard.of):
        if ramp is None or ramp.start == end:
            yield Slot(number, 0.0, inf)
        elif ramp.start < end:
            yield Slot(number, max(0.0, ramp.seconds * (number - ramp.start) / (end - ramp.start)), inf)
        else:
            leaves = ramp.seconds * (ramp.start - number) / (ramp.start - end)
            yield Slot(number, 0.0, inf if number < end else leaves)
