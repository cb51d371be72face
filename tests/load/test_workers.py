"""Several workers observe one window: they split it exactly, begin together and end together."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from itertools import islice
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import Ending, Observation, Phase
from llmload.errors import LlmloadError
from llmload.load.crew import EVENTS_PER_WORKER, choose_crew, shards_of
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.scenario.asked import Poisson
from llmload.scenario.lengths import Fixed
from llmload.workload.pace import Arrivals, Pace, Ramp, Slots
from tests.load.windows import endpoint, window
from tests.scripted_server import Request, Script, ScriptedServer, stream


def observed(asked: Window, workers: int) -> Observation:
    with Pool(workers) as pool:
        return pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())


def most_at_once(observation: Observation) -> int:
    """The largest number of requests in flight, by our own records."""
    sent = [record for record in observation.records if record.sent_ns is not None]
    return max(sum(r.sent_ns <= one.sent_ns < r.done_ns for r in sent) for one in sent)


# ---------------------------------------------------------------- how many


def asks(pace: Pace, output_tokens: int = 100, transport: str = "fast", **changes: object) -> Window:
    target = endpoint("http://127.0.0.1:1", transport=transport)
    asked = window(target, pace=pace, **changes)
    return replace(asked, plan=replace(asked.plan, output_tokens=Fixed(output_tokens)))


@pytest.mark.parametrize(
    ("asked", "cpus", "count", "because"),
    [
        (asks(Slots(1)), 8, 1, "1 streams of about 50 events/s make 50/s"),
        (asks(Slots(500)), 8, 1, "make 25,000/s, and a worker is given up to 25,000"),
        (asks(Slots(101), transport="httpx"), 8, 3, "make 5,050/s, and a worker is given up to 2,500"),
        (asks(Slots(501)), 8, 2, "make 25,050/s"),
        (asks(Slots(5000)), 8, 7, "10 would do, but there are 8 CPUs, and one is left free"),
        (asks(Slots(5000)), 1, 1, "10 would do, but there are 1 CPUs"),
        (asks(Arrivals(10, Poisson(), 1), 100), 8, 1, "10 requests/s of about 100 tokens make 1,000 events/s"),
        (asks(Arrivals(600, Poisson(), 1), 100), 8, 3, "600 requests/s of about 100 tokens make 60,000 events/s"),
        (asks(Arrivals(600, Poisson(), 1), 100, max_in_flight=2), 8, 2, "60,000 events/s"),
        (asks(Arrivals(50_000, Poisson(), 1), 0), 8, 2, "50000 requests/s are answered in one event each"),
    ],
)
def test_as_many_workers_as_the_expected_events_need_and_the_machine_has(
    asked: Window, cpus: int, count: int, because: str
) -> None:
    crew = choose_crew(asked, asked=None, cpus=cpus)
    assert crew.count == count
    assert because in crew.because
    assert f"{EVENTS_PER_WORKER[asked.endpoint.transport]:,}" in crew.because


def test_what_the_author_asks_for_is_done_as_far_as_there_is_work() -> None:
    assert choose_crew(asks(Slots(100)), asked=7, cpus=2).count == 7
    less = choose_crew(asks(Slots(3)), asked=7, cpus=64)
    assert (less.count, "no more than 3 requests" in less.because) == (3, True)


@given(concurrency=st.integers(1, 40), workers=st.integers(1, 12), requests=st.integers(0, 300))
def test_slots_and_requests_are_split_exactly_and_in_proportion(concurrency: int, workers: int, requests: int) -> None:
    workers = min(workers, concurrency)
    parts = [part.shard for part in shards_of(asks(Slots(concurrency)), workers)]
    slots = [shard.count(concurrency) for shard in parts]
    assert sum(slots) == concurrency
    assert max(slots) - min(slots) <= 1
    assert sum(shard.count(requests) for shard in parts) == requests
    taken = [set(islice(shard.indices(), shard.count(requests))) for shard in parts]
    assert set().union(*taken) == set(range(requests))
    for shard, own in zip(parts, slots, strict=True):
        assert abs(shard.count(requests) - requests * own / concurrency) <= own


# ---------------------------------------------------------------- together


@pytest.mark.measuring
@pytest.mark.parametrize(("concurrency", "workers"), [(5, 2), (4, 4), (7, 3)])
def test_closed_loop_holds_the_concurrency_exactly(concurrency: int, workers: int) -> None:
    with ScriptedServer(lambda request: stream(3, 0.05, 0.01)) as server:
        asked = window(endpoint(server.url), concurrency=concurrency, requests=60, warmup=10)
        observation = observed(asked, workers)
    assert most_at_once(observation) == concurrency
    assert sorted(record.seq for record in observation.records)[:70] == list(range(70))
    assert sum(record.phase is Phase.MEASURED for record in observation.records) == 60
    assert sum(record.phase is Phase.WARMUP for record in observation.records) == 10
    assert len({record.seq for record in observation.records}) == len(observation.records)
    assert (observation.ending, len(observation.workers)) == (Ending.COMPLETE, workers)
    assert sum(facts.opened for facts in observation.workers) == concurrency


@pytest.mark.measuring
def test_a_worker_that_is_done_keeps_its_load_up_until_the_others_are() -> None:
    """The first connection is ten times slower: whoever has it needs longest, and must not be left alone."""
    slow: list[int] = []

    def answer(request: Request) -> Script:
        slow.append(request.connection)
        return stream(2, 0.3 if request.connection == slow[0] else 0.03, 0)

    with ScriptedServer(answer) as server:
        asked = window(endpoint(server.url), concurrency=4, requests=24, warmup=0)
        observation = observed(asked, 4)
    fillers = [record for record in observation.records if record.phase is Phase.FILLER]
    last = max(record.done_ns for record in observation.records if record.phase is Phase.MEASURED)
    assert observation.end_ns == last
    assert {record.seq % 4 for record in fillers} >= {0, 1, 2, 3} - {slow_shard(observation)}
    for shard in {record.seq % 4 for record in fillers}:
        assert max(r.done_ns for r in fillers if r.seq % 4 == shard) >= last


def slow_shard(observation: Observation) -> int:
    return max(observation.records, key=lambda record: (record.phase is Phase.MEASURED, record.done_ns)).seq % 4


@pytest.mark.measuring
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("ramp", [Ramp(0, 0.8), Ramp(2, 0.8), Ramp(12, 0.8), Ramp(6, 0.8)])
def test_a_ramp_lets_slots_join_and_leave_one_after_the_other(ramp: Ramp, workers: int) -> None:
    with ScriptedServer(lambda request: stream(1, 0.05, 0)) as server:
        asked = window(endpoint(server.url), requests=20, warmup=4, pace=Slots(6, ramp))
        observation = observed(asked, workers)
    records = observation.records
    begin_ns = min(record.due_ns for record in records)
    for one in records:
        after_s = (one.sent_ns - begin_ns) / 1e9 + 0.02  # what tests beside this one may cost
        under_way = sum(r.sent_ns <= one.sent_ns < r.done_ns for r in records)
        # a slot that leaves may have begun one more answer just before
        assert under_way <= max(floor(ramp.level(after_s, 6)) + 1, floor(ramp.level(max(0, after_s - 0.2), 6)) + 1)
        assert (after_s >= 0.75) or one.phase is Phase.WARMUP
    assert sum(record.phase is Phase.MEASURED for record in records) == 20


@pytest.mark.measuring
def test_workers_begin_in_the_same_instant() -> None:
    with ScriptedServer(lambda request: stream(2, 0.1, 0)) as server:
        observation = observed(window(endpoint(server.url), concurrency=3, requests=3, warmup=0), 3)
    first = sorted(record.due_ns for record in observation.records)[:3]
    assert first[2] - first[0] < 80_000_000  # starting a process takes more than 100 ms


@pytest.mark.measuring
def test_a_worker_that_dies_ends_the_window_and_takes_the_others_along() -> None:
    with ScriptedServer(lambda request: stream(2, 5, 0)) as server, Pool(2) as pool:
        asked = window(endpoint(server.url), concurrency=2)
        pids: list[int] = []

        def kill() -> None:
            pids.extend(pool.pids)
            os.kill(pids[1], signal.SIGKILL)

        threading.Timer(1, kill).start()
        with pytest.raises(LlmloadError, match="the worker process died"):
            pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())
        assert not [pid for pid in pids if is_alive(pid)]
        assert pool.pids == ()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.measuring
def test_the_next_window_may_have_more_workers_or_fewer() -> None:
    with ScriptedServer(lambda request: stream(2, 0.02, 0)) as server, Pool(3) as pool:
        counts = []
        for concurrency in (1, 3, 2):
            asked = window(endpoint(server.url), concurrency=concurrency, requests=6)
            observation = pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())
            counts.append(len(observation.workers))
            assert sum(record.phase is Phase.MEASURED for record in observation.records) == 6
        assert counts == [1, 3, 2]
        assert len(pool.pids) == 3


@pytest.mark.measuring
def test_progress_adds_the_workers_up() -> None:
    seen: list[int] = []
    with ScriptedServer(lambda request: stream(20, 0.05, 0.05)) as server, Pool(2) as pool:
        asked = window(endpoint(server.url), concurrency=6, requests=12, warmup=0)
        pool.observe(asked, on_progress=lambda progress: seen.append(progress.in_flight), stop=threading.Event())
    assert max(seen) == 6
