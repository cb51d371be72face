"""Closed loop: who is measured, how many are in flight, and how a window ends."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord
from llmload.load.live import Live
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.load.worker import observe_window
from llmload.planned import PlannedRequest
from llmload.progress import Progress
from llmload.promises import Slo
from llmload.scenario.lengths import Fixed
from llmload.workload.plan import Plan
from tests.load.windows import FIT, endpoint, window
from tests.scripted_server import Piece, Request, Script, ScriptedServer, stream

Observe = Callable[[Window], Observation]


def _phases(observation: Observation) -> Counter[Phase]:
    return Counter(record.phase for record in observation.records)


def test_warm_up_is_additional_and_fillers_hold_the_load(observe: Observe) -> None:
    def script(request: Request) -> Script:  # the first of the last four measured ones is slow
        return stream(5, 0.3 if request.number == 14 else 0.01, 0.01)

    with ScriptedServer(script) as server:
        observation = observe(window(endpoint(server.url), concurrency=4, requests=12, warmup=6))
    phases = _phases(observation)
    assert (phases[Phase.WARMUP], phases[Phase.MEASURED]) == (6, 12)
    assert phases[Phase.FILLER] > 4
    assert observation.ending is Ending.COMPLETE
    assert {r.outcome for r in observation.records if r.phase is not Phase.FILLER} == {Outcome.OK}
    cancelled = [r for r in observation.records if r.outcome is Outcome.CANCELLED]
    assert cancelled
    assert {r.phase for r in cancelled} == {Phase.FILLER}
    assert _in_flight_at(observation.records, observation.end_ns - 50_000_000) == 4


def _in_flight_at(records: tuple[RequestRecord, ...], instant: int) -> int:
    """Slots that are busy: a slot waits for its next due instant no longer than the loop takes to come round."""
    return sum(record.due_ns <= instant < record.done_ns for record in records)


def test_requests_are_those_of_the_plan_in_order(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0, 0)) as server:
        asked = window(endpoint(server.url), requests=5, warmup=2)
        observe(asked)
        sent = [request.document["messages"] for request in server.requests[:7]]
    assert sent == [[{"role": "user", "content": asked.plan.request(index).prompt}] for index in range(7)]


def test_a_duration_alone_measures_what_is_begun_within_it(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0.02, 0)) as server:
        observation = observe(window(endpoint(server.url), requests=0, duration_s=0.5, concurrency=2))
    measured = [r for r in observation.records if r.phase is Phase.MEASURED]
    assert len(measured) > 5
    assert all(r.due_ns < observation.start_ns + 500_000_000 for r in measured)
    assert observation.end_ns >= observation.start_ns + 480_000_000


def test_of_requests_and_duration_the_later_one_ends_the_window(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0.02, 0)) as server:
        more_requests = observe(window(endpoint(server.url), requests=20, duration_s=0.05))
        more_time = observe(window(endpoint(server.url), requests=2, duration_s=0.4))
    assert _phases(more_requests)[Phase.MEASURED] == 20
    assert _phases(more_time)[Phase.MEASURED] > 2


def test_max_duration_ends_a_window_early_and_keeps_what_is_there(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0.05, 0)) as server:
        observation = observe(window(endpoint(server.url), requests=1000, warmup=0, max_duration_s=0.5))
    assert observation.ending is Ending.MAX_DURATION
    measured = Counter(r.outcome for r in observation.records if r.phase is Phase.MEASURED)
    assert measured[Outcome.OK] >= 3
    assert measured[Outcome.CANCELLED] <= 1
    assert (observation.end_ns - observation.start_ns) / 1e9 == pytest.approx(0.5, abs=0.2)


def test_a_warm_up_that_never_ends_is_ended_by_max_duration_too(observe: Observe) -> None:
    with ScriptedServer(lambda request: Script([], "stall")) as server:
        observation = observe(window(endpoint(server.url), requests=5, max_duration_s=0.3))
    assert observation.ending is Ending.MAX_DURATION
    assert {(r.phase, r.outcome) for r in observation.records} == {(Phase.WARMUP, Outcome.CANCELLED)}


def test_connections_are_opened_first_and_used_again(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(3, 0.01, 0.01)) as server:
        observation = observe(window(endpoint(server.url), concurrency=5, requests=40, warmup=5))
        assert server.connections == 5
    assert {r.connect_ns for r in observation.records} == {0}


def test_a_server_that_closes_after_each_stream_costs_a_retry_but_no_error(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(3, 0.01, 0.01, then="close")) as server:
        observation = observe(window(endpoint(server.url), concurrency=4, requests=40, warmup=4))
    counted = [r for r in observation.records if r.phase is not Phase.FILLER]
    assert {(r.outcome, r.error_type) for r in counted} == {(Outcome.OK, None)}
    assert any(r.retried or r.connect_ns for r in counted)


def test_a_stop_hands_over_what_there_is_within_two_seconds() -> None:
    stop = threading.Event()
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if progress.phase is Phase.MEASURED and progress.done >= 3:
            stop.set()

    with ScriptedServer(lambda request: stream(5, 0.05, 0.01)) as server, Pool() as pool:
        asked = window(endpoint(server.url), concurrency=2, requests=1000, slo=Slo(ttft_ms=1000))
        began = time.monotonic()
        observation = pool.observe(asked, on_progress=watch, stop=stop)
        assert time.monotonic() - began < 10
    assert observation.ending is Ending.INTERRUPTED
    assert not observation.is_whole
    measured = [r for r in observation.records if r.phase is Phase.MEASURED]
    assert Counter(r.outcome for r in measured)[Outcome.CANCELLED] <= 2
    assert len(measured) >= 3
    last = seen[-1]
    assert (last.step, last.planned, last.goodput) == ("concurrency 2", 1000, 1.0)
    assert last.ttft_p50_ms == pytest.approx(50, rel=0.5)
    assert last.output_events_per_s > 0


def test_a_stop_does_not_wait_for_connections_that_nobody_takes() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as queue:
        for _ in range(3):  # as many as the kernel takes for a server that does not: it answers no more
            one = queue.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        stop = threading.Event()
        target = endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout_s=15)
        with Pool() as pool:
            threading.Timer(1, stop.set).start()
            began = time.monotonic()
            asked = window(target, concurrency=4)
            observation = pool.observe(asked, on_progress=lambda progress: None, stop=stop)
            assert time.monotonic() - began < 8
    assert (observation.ending, observation.records) == (Ending.INTERRUPTED, ())


def test_one_pool_observes_many_windows(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(2, 0, 0)) as server:
        for number in range(5):
            assert len(observe(window(endpoint(server.url), requests=number + 1, warmup=0)).records) > number


def test_a_window_by_duration_ends_even_when_nobody_answers(observe: Observe) -> None:
    with ScriptedServer(lambda request: stream(1, 0, 0)) as server:
        nobody = server.url
    asked = window(endpoint(nobody), requests=0, warmup=0, duration_s=0.2)
    began = time.monotonic()
    observation = observe(asked)
    assert time.monotonic() - began < 10
    assert observation.ending is Ending.COMPLETE
    measured = {r.outcome for r in observation.records if r.phase is Phase.MEASURED}
    assert measured == {Outcome.CONNECT_ERROR}


def test_requests_that_hang_until_max_duration_are_timeouts_and_no_way_to_pass(observe: Observe) -> None:
    def script(request: Request) -> Script:
        return stream(2, 0.02, 0) if request.number + request.connection < 10 else Script([], "stall")

    with ScriptedServer(script) as server:
        observation = observe(window(endpoint(server.url), concurrency=2, requests=1000, warmup=0, max_duration_s=1.5))
    cut_off = [r for r in observation.records if r.outcome is not Outcome.OK]
    assert observation.ending is Ending.MAX_DURATION
    assert {(r.phase, r.outcome, r.error_type) for r in cut_off} == {
        (Phase.MEASURED, Outcome.TIMEOUT, "TIMEOUT_WINDOW")
    }
    assert len(cut_off) == 2


def test_a_server_that_sits_on_a_request_and_then_hangs_up_has_failed_it(observe: Observe) -> None:
    def script(request: Request) -> Script:
        return stream(2, 0.01, 0) if request.number == 0 else Script([Piece(0.8, b"")], "close")

    with ScriptedServer(script) as server:
        observation = observe(window(endpoint(server.url), requests=2, warmup=0))
    kept, failed = [r for r in observation.records if r.phase is Phase.MEASURED]
    assert kept.outcome is Outcome.OK
    assert (failed.outcome, failed.error_type, failed.retried) == (Outcome.CONNECT_ERROR, "CONNECTION_ERROR", False)


@dataclass(frozen=True)
class _CountedPlan(Plan):
    """Knows how many requests were made of it."""

    made: list[int] = field(default_factory=list)

    def request(self, index: int) -> PlannedRequest:
        self.made.append(index)
        return super().request(index)


def test_bodies_beyond_what_memory_is_for_are_made_as_the_window_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("llmload.load.course._MOST_PREPARED_BYTES", 500_000)
    plan = _CountedPlan(1, 0, 0, Fixed(4000), Fixed(5), True, FIT)  # 20 kB each
    made_before: list[int] = []

    def script(request: Request) -> Script:
        made_before.append(len(plan.made))
        return stream(1, 0, 0)

    with ScriptedServer(script) as server, closing(Live.make(tmp_path / "live")) as live:
        asked = window(endpoint(server.url), requests=200, plan=plan)
        observation = asyncio.run(observe_window(asked, live))
    assert 0 < made_before[0] <= 64
    assert _phases(observation)[Phase.MEASURED] == 200
    assert {record.outcome for record in observation.records if record.phase is Phase.MEASURED} == {Outcome.OK}
