"""Closed loop of conversations: each slot holds one at a time, its think times included, then begins the next.

What users say was made before the window. Between two turns the answer is put behind it and the whole is written as
one body, right after the answer and before the think time, so that the request goes out when it is due.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from llmload.domain import Observation, Outcome
from llmload.load.answer import MAX_BODY_BYTES
from llmload.load.closed_loop import Quota, Slot, all_at_work
from llmload.load.course import Course, Made, sleep_until
from llmload.load.transport import now_ns
from llmload.planned import PlannedRequest, PlannedSession, PlannedTurn
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.pace import Slots
from llmload.workload.session_plan import SessionPlan

_LOOK_S = 0.1


async def observe_sessions(course: Course, plan: SessionPlan | FileSessionPlan, slots: Slots) -> Observation:
    """Our shard of the slots and of the conversations."""
    loop = _SessionLoop(course, plan, slots)
    quota = loop.quota
    return await course.observe(loop.load, bodies=quota.bodies, connections=len(quota.slots), make=loop.make)


class _SessionLoop:
    """The conversations of one worker."""

    def __init__(self, course: Course, plan: SessionPlan | FileSessionPlan, slots: Slots) -> None:
        self.quota = Quota(course, slots)
        self._course, self._plan = course, plan
        self._numbers = course.window.shard.indices()
        self._seqs = course.window.shard.indices()  # as disjoint between workers as those of conversations
        self._sessions: deque[PlannedSession] = deque()

    def make(self) -> Made:
        """The words of one more conversation."""
        session = self._plan.session(next(self._numbers))
        self._sessions.append(session)
        messages = [message for turn in session.turns for message in turn.messages]
        return Made(len(session.turns), sum(len(str(message["content"])) for message in messages))

    async def load(self) -> None:
        """All slots at work until the window is over."""
        watching = asyncio.create_task(self._watch())
        try:
            await all_at_work(self._course, self.quota.slots, self._work)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        """The time may run out while everybody thinks, and no request is there to notice it."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.quota.check(now_ns())

    async def _work(self, slot: Slot) -> None:
        """One conversation after the other; the first turn of each is due the instant the one before was over."""
        course = self._course
        await sleep_until(course.begin_ns + round((slot.from_s + self._plan.delay_s(slot.number)) * 1e9))
        due_ns = now_ns()
        while self.quota.is_in_use(slot, due_ns):
            if not self._sessions:
                self.make()
            session = self._sessions.popleft()
            due_ns = await self._converse(session, slot, due_ns)
            if session.part.session is not None:
                await course.sender.end_session(session.part.session)

    async def _converse(self, session: PlannedSession, slot: Slot, due_ns: int) -> int:
        """Turn by turn, until one fails or all are done: when the slot is free. The first turn is due at `due_ns`."""
        course, quota = self._course, self.quota
        said: list[Mapping[str, object]] = []
        for number, turn in enumerate(session.turns):
            said.extend(turn.messages)
            request, body = self._request(session, number, turn, said)
            if number and len(body) > MAX_BODY_BYTES:  # a server that heeds no max_tokens makes it grow without an end
                break
            due_ns += round(turn.think_s * 1e9) // 1000 * 1000
            await sleep_until(due_ns)
            if not quota.is_in_use(slot, due_ns):
                break
            phase = quota.next_phase(due_ns)
            job = course.job_of(replace(request, index=next(self._seqs)), body, phase)
            record, answer = await course.sender.converse(job, due_ns)
            due_ns = await quota.note(record)
            if record.outcome is not Outcome.OK or course.over.is_set():  # who hangs up may meet an answer just ended
                break
            said.append({"role": "assistant", "content": answer})
        return due_ns

    def _request(
        self, session: PlannedSession, number: int, turn: PlannedTurn, said: list[Mapping[str, object]]
    ) -> tuple[PlannedRequest, bytes]:
        """The request of one turn without its messages, which only its body needs."""
        part = session.part._replace(turn=number)
        request = PlannedRequest(0, "", turn.input_tokens, turn.output_tokens, tuple(said), part)
        return replace(request, messages=()), self._course.sender.dialect.body(self._course.window.endpoint, request)
