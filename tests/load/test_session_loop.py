"""Conversations over real sockets: what each turn sends, over which connection, when, and which become of failures."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord
from llmload.frameworks.registry import dialect_for
from llmload.load import session_loop
from llmload.load.answer import Answer
from llmload.load.attempt import Attempt
from llmload.load.course import Course
from llmload.load.live import Live
from llmload.load.pool import Pool
from llmload.load.sender import Sender
from llmload.load.session_loop import observe_sessions
from llmload.load.transport import now_ns
from llmload.load.window import Window
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import Evenly, Sessions, ThinkTime
from llmload.workload.pace import Slots
from llmload.workload.plan import Plan
from llmload.workload.session_plan import SessionPlan
from tests.load.windows import FIT, endpoint, window
from tests.scripted_server import DONE, Piece, Request, Script, ScriptedServer, chunk, delta, event, head, stream, usage

Observe = Callable[[Window], Observation]
NO_TIME = Evenly(0.0, 0.0)


def conversations(
    url: str, *, turns: int = 3, think: ThinkTime = NO_TIME, concurrency: int = 2, requests: int = 12, **changes: object
) -> Window:
    """A window of short conversations."""
    openings = Plan(1, 0, 0, Fixed(8), Fixed(5), True, FIT)
    plan = SessionPlan(openings, Sessions(Fixed(turns), think, Fixed(6)), concurrency)
    transport = changes.pop("transport", "fast")
    return window(endpoint(url, transport=transport), concurrency=concurrency, requests=requests, plan=plan, **changes)


def by_session(records: Sequence[RequestRecord]) -> dict[int, list[RequestRecord]]:
    """The records of each conversation, in order."""
    found: dict[int, list[RequestRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda each: each.due_ns):
        assert record.part.session is not None
        found[record.part.session].append(record)
    return found


def messages_of(request: Request) -> list[dict[str, str]]:
    found = request.document["messages"]
    assert isinstance(found, list)
    return found


def answered(request: Request) -> Script:
    """Thoughts first, then a text that no other answer has."""
    thought = event({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]})
    texts = [delta(f"answer {request.number} "), delta("to you"), delta("", "stop"), usage(7, 3), DONE]
    return Script([Piece(0, head()), *(Piece(0, chunk(piece)) for piece in (thought, *texts, b""))])


def test_each_turn_sends_all_that_was_said_before_with_the_servers_own_answers(observe: Observe) -> None:
    with ScriptedServer(answered) as server:
        seen = observe(conversations(server.url, concurrency=1))
        requests = list(server.requests)
    told = [record for each in by_session(seen.records).values() for record in each]
    for record, request in zip(told, requests, strict=False):
        said = messages_of(request)
        assert [message["role"] for message in said] == ["user", "assistant"] * (record.part.turn or 0) + ["user"]
        if record.part.turn:
            before = requests[request.number - 1]
            asked = {"role": "assistant", "content": f"answer {before.number} to you"}
            assert said[:-1] == [*messages_of(before), asked]
    assert {record.part.turn for record in told} == {0, 1, 2}
    assert len({record.seq for record in seen.records}) == len(seen.records)


def part(**fields: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [part(reasoning_content="hm"), delta("so "), part(reasoning_content="or"), delta("it is")], id="by turns"
        ),
        pytest.param([part(reasoning_content="hm", content="so "), delta("it"), delta(" is")], id="in one event"),
        pytest.param([part(reasoning="a"), part(reasoning="b"), delta("so"), delta(" it"), delta(" is")], id="first"),
        pytest.param([delta("so it is"), part(reasoning_content="or not?")], id="afterwards"),
    ],
)
def test_only_the_answer_goes_back_and_nothing_that_was_thought(observe: Observe, pieces: list[bytes]) -> None:
    events = [*pieces, delta("", "stop"), usage(7, 3), DONE, b""]
    with ScriptedServer(lambda _: Script([Piece(0, head()), *(Piece(0, chunk(each)) for each in events)])) as server:
        observe(conversations(server.url, concurrency=1, turns=2, requests=2, warmup=0))
        said = messages_of(server.requests[1])
    assert said[1] == {"role": "assistant", "content": "so it is"}


@pytest.mark.parametrize(
    ("characters", "is_kept"),
    [pytest.param(2**20, True, id="a million"), pytest.param(2**20 + 1, False, id="one more")],
)
def test_an_answer_too_long_for_a_sample_is_none_in_place_of_a_part(
    observe: Observe, characters: int, is_kept: bool
) -> None:
    events = [delta("a" * characters), delta("", "stop"), usage(7, 3), DONE, b""]
    with ScriptedServer(lambda _: Script([Piece(0, head()), *(Piece(0, chunk(each)) for each in events)])) as server:
        seen = observe(conversations(server.url, concurrency=1, turns=1, requests=1, warmup=0, keep_texts=1))
    (record,) = (each for each in seen.records if each.phase is Phase.MEASURED)
    assert (record.output_tokens, record.text is not None) == (3, is_kept)


@pytest.mark.parametrize("transport", ["fast", "httpx"])
def test_a_session_has_a_connection_of_its_own_from_its_first_turn_to_its_last(
    observe: Observe, transport: str
) -> None:
    with ScriptedServer(answered) as server:
        seen = observe(conversations(server.url, requests=20, think=Evenly(0.01, 0.03), transport=transport))
        first_words = {request.number: messages_of(request)[0]["content"] for request in server.requests}
        over = {(first_words[request.number], request.connection) for request in server.requests}
        opened = server.connections
    sessions = len({words for words, _ in over})
    assert sessions >= 7
    assert len(over) == sessions  # one connection for each
    assert len({connection for _, connection in over}) == sessions  # and for no other one
    assert opened == sessions == sum(worker.opened for worker in seen.workers)
    assert not any(record.retried for record in seen.records)


def test_a_turn_is_due_when_its_user_has_thought(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0.01, 0.01)) as server:
        seen = observe(conversations(server.url, think=Evenly(0.1, 0.1), requests=12))
    waits = [
        (after.due_ns - before.done_ns, (after.sent_ns or 0) - after.due_ns)
        for each in by_session(seen.records).values()
        for before, after in pairwise(each)
    ]
    assert len(waits) >= 6
    assert {due for due, _ in waits} == {100_000_000}
    assert all(late >= 0 for _, late in waits)


def test_warm_up_and_measured_requests_are_as_many_as_were_asked_for(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0.005, 0.005)) as server:
        seen = observe(conversations(server.url, concurrency=3, warmup=5, requests=17, think=Evenly(0.0, 0.02)))
    phases = [record.phase for record in seen.records]
    assert (phases.count(Phase.WARMUP), phases.count(Phase.MEASURED)) == (5, 17)
    assert seen.ending is Ending.COMPLETE


def test_a_failed_turn_ends_its_session_and_the_next_one_begins(observe: Observe) -> None:
    def script(request: Request) -> Script:
        return (
            Script([Piece(0, head("500 Oh no", extra="Content-Length: 0\r\n"))])
            if request.number % 4 == 3
            else answered(request)
        )

    with ScriptedServer(script) as server:
        seen = observe(conversations(server.url, concurrency=1, turns=5, requests=16, warmup=0))
    sessions = by_session(seen.records)
    failed = [each for each in sessions.values() if any(record.outcome is Outcome.HTTP_ERROR for record in each)]
    assert len(failed) >= 3
    for each in failed:
        assert [record.outcome is Outcome.OK for record in each] == [True] * (len(each) - 1) + [False]
    assert sum(record.phase is Phase.MEASURED for record in seen.records) == 16


def test_a_server_that_closes_after_each_stream_interrupts_no_conversation(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0.005, 0.005, then="close")) as server:
        seen = observe(conversations(server.url, requests=15, warmup=0, think=Evenly(0.0, 0.02)))
        longest = max(len(messages_of(request)) for request in server.requests)
    measured = [record for record in seen.records if record.phase is Phase.MEASURED]
    assert {record.outcome for record in measured} == {Outcome.OK}
    assert longest == 5


def test_workers_share_the_conversations_and_none_is_split() -> None:
    with ScriptedServer(answered) as server, Pool(2) as pool:
        asked = conversations(server.url, concurrency=4, requests=40, think=Evenly(0.0, 0.01))
        seen = pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())
        begun = {str(asked.plan.request(index).prompt) for index in range(100)}
        assert {messages_of(request)[0]["content"] for request in server.requests} <= begun
    assert len({record.seq for record in seen.records}) == len(seen.records)
    assert sum(record.phase is Phase.MEASURED for record in seen.records) == 40
    for each in by_session(seen.records).values():
        assert [record.part.turn for record in each] == list(range(len(each)))


def test_a_duration_ends_a_window_in_which_everybody_thinks(observe: Observe) -> None:
    began = time.monotonic()
    with ScriptedServer(lambda request: stream(2, 0, 0)) as server:
        asked = conversations(server.url, concurrency=1, requests=0, warmup=0, duration_s=0.3, think=Evenly(4.0, 4.0))
        seen = observe(asked)
    assert (seen.ending, len(seen.records)) == (Ending.COMPLETE, 1)
    assert time.monotonic() - began < 4.0  # the only user would think for as long


class EndsAsWeHangUp:
    """A transport whose first answer ends the window, and whose second one is whole just as it is hung up on."""

    in_flight: tuple[Answer, ...] = ()
    opened = 0

    def __init__(self, course: Course) -> None:
        self._dialect = dialect_for(course.window.endpoint)
        self._both_are_out = asyncio.Event()
        self.cancelled = 0

    async def open(self, count: int) -> None: ...

    async def end_session(self, session: int) -> None: ...

    async def close(self) -> None: ...

    async def carry(self, attempt: Attempt) -> None:
        answer = attempt.answer = Answer(self._dialect, None, 10)
        answer.start_clock()
        answer.start_body(200)
        try:
            if attempt.job.part.session == 0:
                await self._both_are_out.wait()
            else:
                self._both_are_out.set()
                await asyncio.sleep(5)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            answer.stamp = now_ns()
            answer.read(b'{"choices": [{"index": 0, "message": {"content": "yes"}, "finish_reason": "stop"}]}')
            answer.finish()


def test_who_is_answered_just_as_the_window_ends_does_not_think_on(tmp_path: Path) -> None:
    asked = conversations("http://127.0.0.1:1", turns=9, requests=1, warmup=0, think=Evenly(1.0, 1.0))
    live = Live.make(tmp_path / "live")

    async def observed() -> tuple[Observation, Course, EndsAsWeHangUp, int]:
        course = Course(asked, live)
        transport = EndsAsWeHangUp(course)
        course.sender = Sender(asked.endpoint, dialect_for(asked.endpoint), transport)
        assert isinstance(asked.plan, SessionPlan)
        assert isinstance(asked.pace, Slots)
        seen = await observe_sessions(course, asked.plan, asked.pace)
        return seen, course, transport, now_ns()

    seen, course, transport, back_ns = asyncio.run(observed())
    assert transport.cancelled == 1
    assert [record.outcome for record in seen.records] == [Outcome.OK, Outcome.OK]
    assert back_ns - course.end_ns < 500_000_000  # not the second that the other user would think


def test_a_conversation_that_a_server_makes_grow_without_an_end_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_loop, "MAX_BODY_BYTES", 2_000)
    long = [delta("much more than was asked for " * 100), delta("", "stop"), usage(7, 3), DONE, b""]

    async def observed(url: str) -> Observation:
        asked = conversations(url, turns=50, requests=6, warmup=0)
        assert isinstance(asked.plan, SessionPlan)
        assert isinstance(asked.pace, Slots)
        return await observe_sessions(Course(asked, Live.make(tmp_path / "live")), asked.plan, asked.pace)

    with ScriptedServer(lambda _: Script([Piece(0, head()), *(Piece(0, chunk(each)) for each in long)])) as server:
        seen = asyncio.run(observed(server.url))
    assert {record.part.turn for record in seen.records} == {0}
    assert len(by_session(seen.records)) >= 6
