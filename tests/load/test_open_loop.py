"""Open loop over real sockets: what is due begins when it is due, and nothing is left out of the records."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.planned import Look, Step
from llmload.progress import Progress
from llmload.promises import Slo
from llmload.scenario.asked import Constant, Poisson
from llmload.workload.pace import Arrivals, Pace, Ramp, Replay, Slots
from tests.load.windows import endpoint, window
from tests.scripted_server import Piece, Script, ScriptedServer, head, stream

pytestmark = pytest.mark.measuring

WORKERS = pytest.mark.parametrize("workers", [1, 3])


def at_rate(url: str, pace: Pace, *, requests: int, **changes: object) -> Window:
    """An open-loop window of short requests."""
    step = Step(0, "rate", pace.rate_per_s if isinstance(pace, Arrivals) else 1)
    return window(endpoint(url), look=Look(step, 0, requests), pace=pace, **{"warmup": 3, **changes})


def observed(asked: Window, workers: int = 1) -> Observation:
    with Pool(workers) as pool:
        return pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())


def of_phase(observation: Observation, phase: Phase) -> list[RequestRecord]:
    return [record for record in observation.records if record.phase is phase]


@WORKERS
def test_requests_are_due_exactly_as_the_schedule_says_and_never_sent_before(workers: int) -> None:
    pace = Arrivals(100, Poisson(), 7)
    with ScriptedServer(lambda request: stream(3, 0.02, 0.005)) as server:
        observation = observed(at_rate(server.url, pace, requests=60), workers)
    records = observation.records
    offsets = list(islice(pace.offsets_ns(), len(records)))
    begin_ns = records[0].due_ns - offsets[0] // 1000 * 1000
    assert [record.due_ns - begin_ns for record in records] == [offset // 1000 * 1000 for offset in offsets]
    assert [record.seq for record in records] == list(range(len(records)))
    assert [record.phase for record in records[:63]] == [Phase.WARMUP] * 3 + [Phase.MEASURED] * 60
    assert {record.phase for record in records[63:]} <= {Phase.FILLER}
    assert all(record.sent_ns >= record.due_ns for record in records if record.sent_ns is not None)
    assert (observation.planned, observation.ending) == (60, Ending.COMPLETE)
    assert observation.start_ns == records[3].due_ns
    assert [facts.number for facts in observation.workers] == list(range(workers))
    assert sum(facts.beats for facts in observation.workers) == len(observation.heartbeat_late_ns) > 0


@WORKERS
def test_a_slow_server_does_not_slow_the_arrivals(workers: int) -> None:
    """Each answer takes 0.6 s, so that 30 of 50 requests a second are under way at once."""
    with ScriptedServer(lambda request: stream(2, 0.6, 0)) as server:
        observation = observed(at_rate(server.url, Arrivals(50, Constant(), 1), requests=40, warmup=0), workers)
    measured = of_phase(observation, Phase.MEASURED)
    last_begun = max(record.sent_ns for record in measured)
    assert last_begun < min(record.done_ns for record in measured) + 400_000_000
    under_way = [sum(r.sent_ns <= one.sent_ns < r.done_ns for r in measured) for one in measured]
    assert max(under_way) > 20


@WORKERS
def test_what_is_due_beyond_max_in_flight_is_dropped_and_counted(workers: int) -> None:
    pace = Arrivals(100, Constant(), 1)
    with ScriptedServer(lambda request: stream(2, 0.5, 0)) as server:
        observation = observed(at_rate(server.url, pace, requests=60, warmup=0, max_in_flight=6), workers)
        arrived = len(server.requests)
    measured = of_phase(observation, Phase.MEASURED)
    outcomes = Counter(record.outcome for record in observation.records)
    assert len(measured) == observation.planned == 60
    assert outcomes[Outcome.DROPPED] > 30
    assert arrived == len(observation.records) - outcomes[Outcome.DROPPED]
    dropped = [record for record in measured if record.outcome is Outcome.DROPPED]
    assert {(record.error_type, record.sent_ns) for record in dropped} == {("DROPPED_MAX_IN_FLIGHT", None)}
    assert all(record.done_ns >= record.due_ns for record in dropped)
    sent = [record for record in observation.records if record.sent_ns is not None]
    assert max(sum(r.sent_ns <= one.sent_ns < r.done_ns for r in sent) for one in sent) <= 6


def test_a_duration_goes_on_beyond_the_requests_and_requests_beyond_the_duration() -> None:
    pace = Arrivals(100, Constant(), 1)
    with ScriptedServer(lambda request: stream(1, 0.01, 0)) as server:
        longer = observed(at_rate(server.url, pace, requests=10, duration_s=0.5))
        shorter = observed(at_rate(server.url, pace, requests=30, duration_s=0.05))
        by_time = observed(at_rate(server.url, pace, requests=0, duration_s=0.3))
    assert [len(of_phase(each, Phase.MEASURED)) for each in (longer, shorter, by_time)] == [50, 30, 30]
    assert [each.planned for each in (longer, shorter, by_time)] == [50, 30, 30]


@WORKERS
def test_a_server_that_hangs_ends_the_window_at_max_duration_with_every_request_told(workers: int) -> None:
    asked = window(
        endpoint("http://127.0.0.1", first_token_timeout_s=30),
        look=Look(Step(0, "rate", 50), 0, 1000),
        pace=Arrivals(50, Constant(), 1),
        slo=Slo(ttft_ms=100),
        max_duration_s=1,
        warmup=0,
    )
    with ScriptedServer(lambda request: Script([Piece(0, head())], "stall")) as server:
        observation = observed(replace(asked, endpoint=replace(asked.endpoint, url=server.url)), workers)
    outcomes = Counter(record.error_type for record in observation.records)
    assert observation.ending is Ending.MAX_DURATION
    assert observation.planned is not None
    assert 0 <= observation.planned - len(observation.records) <= 10 * workers  # due, and not begun when it ended
    assert outcomes["TIMEOUT_WINDOW"] > 20
    assert set(outcomes) <= {"TIMEOUT_WINDOW", "CANCELLED"}


@WORKERS
def test_a_trace_is_replayed_once_after_its_warmup(workers: int) -> None:
    due_ns = array("q", [0, 0, 50_000_000, 50_000_000, 300_000_000])
    pace = Replay(due_ns, lead=2, lead_gap_ns=20_000_000)
    with ScriptedServer(lambda request: stream(2, 0.05, 0)) as server:
        observation = observed(at_rate(server.url, pace, requests=5, warmup=0), workers)
    first = observation.records[0].due_ns
    assert [(record.due_ns - first) // 1_000_000 for record in observation.records] == [0, 20, 40, 40, 90, 90, 340]
    assert [record.phase for record in observation.records] == [Phase.WARMUP] * 2 + [Phase.MEASURED] * 5
    assert (observation.ending, observation.planned) == (Ending.COMPLETE, 5)


@pytest.mark.parametrize("pace", [Arrivals(50, Constant(), 1), Slots(4)])
def test_a_worker_without_a_measured_request_does_not_move_the_ends_of_the_window(pace: Pace) -> None:
    with ScriptedServer(lambda request: stream(3, 0.02, 0.005)) as server:
        observation = observed(at_rate(server.url, pace, requests=2, cooldown_s=0.5), workers=4)
    measured = of_phase(observation, Phase.MEASURED)
    assert len(measured) == 2
    assert observation.start_ns == min(record.due_ns for record in measured)
    assert observation.end_ns == max(record.done_ns for record in measured)


@WORKERS
def test_requests_of_the_ramp_are_warmup_as_well(workers: int) -> None:
    pace = Arrivals(100, Poisson(), 3, Ramp(0, 0.5))
    with ScriptedServer(lambda request: stream(1, 0.01, 0)) as server:
        observation = observed(at_rate(server.url, pace, requests=20), workers)
    assert len(of_phase(observation, Phase.WARMUP)) == pace.lead + 3
    assert 10 < pace.lead < 45  # half of 100/s x 0.5 s is 25
    assert len(of_phase(observation, Phase.MEASURED)) == 20


def test_stopping_hands_over_what_there_is() -> None:
    stop = threading.Event()

    def look(progress: Progress) -> None:
        if progress.phase is Phase.MEASURED and progress.done > 10:
            stop.set()

    with ScriptedServer(lambda request: stream(2, 0.05, 0)) as server, Pool(2) as pool:
        asked = at_rate(server.url, Arrivals(50, Constant(), 1), requests=1000)
        observation = pool.observe(asked, on_progress=look, stop=stop)
        arrived = len(server.requests)
    assert observation.ending is Ending.INTERRUPTED
    assert [record.seq for record in observation.records] == list(range(len(observation.records)))
    assert 0 <= len(observation.records) - arrived <= 2
    assert observation.planned is not None
    assert 0 < observation.planned < 1000


def test_nobody_listening_is_a_record_each_and_takes_no_longer_than_the_schedule() -> None:
    with ScriptedServer(lambda request: stream(1, 0, 0)) as server:
        url = server.url
    observation = observed(at_rate(url, Arrivals(200, Constant(), 1), requests=50))
    assert Counter(record.outcome for record in of_phase(observation, Phase.MEASURED)) == {Outcome.CONNECT_ERROR: 50}
