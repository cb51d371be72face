"""Open loop: requests begin when they are due, whatever the server does. What we are late with is sent late.

The phase of a request follows from its place in the schedule, which every worker knows whole: those of the ramp and
the warm-up, then measured ones until there are enough and the time has passed, then fillers until all measured ones
are done.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmload.domain import Observation, Outcome, Phase, RequestRecord
from llmload.load.attempt import Job
from llmload.load.course import Course, sleep_until
from llmload.load.transport import now_ns
from llmload.workload.pace import Arrivals, Replay

_PREPARED_S = 20.0  # of requests whose bodies are made beforehand where only the time is known
_CONNECTED_S = 2.0  # so many seconds of requests find a connection that is open
_LEAST_CONNECTED = 8


@dataclass(frozen=True, slots=True)
class _Due:
    """One request of the window, whosever shard it is in."""

    index: int
    at_ns: int
    phase: Phase


async def observe_arrivals(course: Course, pace: Arrivals | Replay) -> Observation:
    """Our shard of the arrivals."""
    loop = _OpenLoop(course, pace)
    return await course.observe(loop.load, bodies=loop.bodies, connections=loop.connections)


class _OpenLoop:
    """How far the schedule has got."""

    def __init__(self, course: Course, pace: Arrivals | Replay) -> None:
        window, shard = course.window, course.window.shard
        self._course, self._pace = course, pace
        self._first_measured = pace.lead + window.warmup
        self._most = max(1, len(range(shard.number, window.max_in_flight, shard.of)))
        self._in_flight = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_all_begun = False  # of our measured requests
        rate = _mean_rate(pace) / shard.of
        by_time = math.ceil(rate * min(window.duration_s or 1.0, _PREPARED_S))
        self.bodies = shard.count(self._first_measured + window.look.requests) + by_time
        self.connections = min(self._most, max(_LEAST_CONNECTED, math.ceil(rate * _CONNECTED_S)))

    async def load(self) -> None:
        """Begin what is due until the window is over, then hang up on what is in flight."""
        course = self._course
        async with asyncio.TaskGroup() as group:  # a defect of ours ends the worker, rather than the arrivals
            beginning = group.create_task(self._begin_all(group))
            await course.over.wait()
            beginning.cancel()
            await asyncio.sleep(0)  # a task that is cancelled before it ran would leave no record
            for task in self._tasks:
                task.cancel()
        course.planned = self._planned(course.end_ns)

    async def _begin_all(self, group: asyncio.TaskGroup) -> None:
        shard = self._course.window.shard
        for due in self._schedule():
            self._look_at(due)
            if due.index % shard.of == shard.number:
                await self._wait_until(due.at_ns)
                self._begin(self._look_at(due), group)
        self._is_all_begun = True
        self._check_quota()

    def _look_at(self, due: _Due) -> _Due:
        """The request as it is now: a filler, where the window was curtailed while we waited for it."""
        if due.phase is Phase.MEASURED and self._is_curtailed(due):
            due = replace(due, phase=Phase.FILLER)
        if due.phase is Phase.FILLER and not self._is_all_begun:
            self._is_all_begun = True
            self._check_quota()
        return due

    def _is_curtailed(self, due: _Due) -> bool:
        return self._course.curtailed_ns is not None and due.at_ns > self._course.curtailed_ns

    async def _wait_until(self, at_ns: int) -> None:
        """At least one turn of the loop, so that being behind does not keep answers from being read."""
        await asyncio.sleep(0)
        await sleep_until(at_ns)

    def _begin(self, due: _Due, group: asyncio.TaskGroup) -> None:
        if due.phase is Phase.MEASURED:
            self._course.begin_measuring(due.at_ns)
        job = self._course.next_job(due.phase)
        if self._in_flight >= self._most:
            self._course.note(_dropped(job, due.at_ns, self._most))
            return
        self._in_flight += 1
        task = group.create_task(self._send(job, due.at_ns))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, job: Job, due_ns: int) -> None:
        record = await self._course.sender.send(job, due_ns)
        self._in_flight -= 1
        self._course.note(record)
        self._check_quota()

    def _check_quota(self) -> None:
        if self._is_all_begun and not self._course.measured_open:
            self._course.finish_quota()

    def _schedule(self) -> Iterator[_Due]:
        """Every request of the window in order, those of other workers too."""
        window, begin_ns = self._course.window, self._course.begin_ns
        enough = self._first_measured + window.look.requests
        until_ns = 0.0
        for index, offset_ns in enumerate(self._pace.offsets_ns()):
            at_ns = begin_ns + offset_ns // 1000 * 1000
            if index < self._first_measured:
                yield _Due(index, at_ns, Phase.WARMUP)
                continue
            if index == self._first_measured:
                until_ns = at_ns + (window.duration_s or 0.0) * 1e9
            yield _Due(index, at_ns, Phase.MEASURED if index < enough or at_ns < until_ns else Phase.FILLER)

    def _planned(self, end_ns: int) -> int:
        """Our measured requests that were due until then."""
        shard, planned = self._course.window.shard, 0
        for due in self._schedule():
            if due.phase is Phase.FILLER or due.at_ns > end_ns or self._is_curtailed(due):
                break
            planned += due.phase is Phase.MEASURED and due.index % shard.of == shard.number
        return planned


def _dropped(job: Job, due_ns: int, most: int) -> RequestRecord:
    """The record of a request that was due when too many were in flight already."""
    return RequestRecord(
        seq=job.seq,
        look=job.look,
        phase=job.phase,
        outcome=Outcome.DROPPED,
        due_ns=due_ns,
        sent_ns=None,
        done_ns=now_ns(),
        event_ns=array("q"),
        asked_input_tokens=job.input_tokens,
        asked_output_tokens=job.output_tokens,
        error_type="DROPPED_MAX_IN_FLIGHT",
        error_text=f"not sent: {most} requests were in flight at its worker (its share of load.max_in_flight)",
        part=job.part,
    )


def _mean_rate(pace: Arrivals | Replay) -> float:
    """Requests per second over the whole."""
    match pace:
        case Arrivals(rate_per_s):
            return rate_per_s
        case Replay(due_ns):
            seconds = (due_ns[-1] - due_ns[0]) / 1e9 if len(due_ns) > 1 else 0.0
            return len(due_ns) / seconds if seconds > 0 else float(len(due_ns))
