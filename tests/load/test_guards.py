"""Guards: a server that plainly cannot be measured costs seconds, and ends as could-not-measure."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

from llmload.domain import Ending, Observation, Outcome, Phase
from llmload.load.guards import GuardWatch
from llmload.load.live import Cell
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.planned import Look, Step
from llmload.scenario.asked import Constant, Guards
from llmload.workload.pace import Arrivals
from tests.load.windows import endpoint, window
from tests.scripted_server import Piece, Request, Script, ScriptedServer, head, stream, whole

# ---------------------------------------------------------------- the decision, by its numbers


def numbers(**cells: int) -> list[int]:
    """Live numbers of which these are not 0."""
    return [cells.get(cell.name.lower(), 0) for cell in Cell]


def tripped(guards: Guards, looks: Iterable[tuple[float, Sequence[int]]], concurrency: int = 4) -> tuple[str, float]:
    """Which guard tripped, and when; "" and -1 where none did."""
    watch = GuardWatch(window(endpoint("http://127.0.0.1:1"), concurrency=concurrency, guards=guards))
    for now_s, each in looks:
        if (caveat := watch.look(each, now_s)) is not None:
            assert (caveat.is_fatal, caveat.kind) == (True, "GuardTripped")
            return caveat.rule, now_s
    return "", -1


@pytest.mark.parametrize(
    ("concurrency", "ended", "failed", "trips"),
    [
        pytest.param(4, 19, 19, False, id="nothing is said before 20 have ended"),
        pytest.param(4, 20, 11, True, id="more than half of 20"),
        pytest.param(4, 20, 10, False, id="exactly the limit is allowed"),
        pytest.param(50, 99, 99, False, id="nothing is said before twice the concurrency has ended"),
        pytest.param(50, 100, 51, True, id="more than half of 100"),
    ],
)
def test_the_error_rate_guard_waits_until_there_is_something_to_say(
    concurrency: int, ended: int, failed: int, trips: bool
) -> None:
    looks = [(1.0, numbers(finished=ended, failed=failed))]
    assert tripped(Guards(error_rate=0.5), looks, concurrency)[0] == ("guard error_rate tripped" if trips else "")


def test_in_open_loop_twice_as_many_must_have_ended_as_are_in_flight() -> None:
    pace = Arrivals(10, Constant(), 1)
    watch = GuardWatch(window(endpoint("http://127.0.0.1:1"), pace=pace, guards=Guards(error_rate=0.1)))
    assert watch.look(numbers(finished=60, failed=60, in_flight=40), 1) is None
    assert watch.look(numbers(finished=80, failed=80, in_flight=40), 2) is not None


EVERY_SECOND = range(60)


@pytest.mark.parametrize(
    ("looks", "at_s"),
    [
        pytest.param([(s, numbers(waiting=1)) for s in EVERY_SECOND], 10, id="one request waits"),
        pytest.param([(s, numbers(waiting=1, firsts=s // 9)) for s in EVERY_SECOND], -1, id="a token each 9 s"),
        pytest.param([(s, numbers(waiting=1, firsts=min(s, 5))) for s in EVERY_SECOND], 15, id="tokens, then none"),
        pytest.param([(s, numbers(in_flight=4, firsts=4)) for s in EVERY_SECOND], -1, id="long answers, none waits"),
        pytest.param([(s, numbers(waiting=s % 10 != 0)) for s in EVERY_SECOND], -1, id="an idle instant between"),
        pytest.param([(s, numbers(waiting=1, lost=s // 2)) for s in EVERY_SECOND], 10, id="each runs into its timeout"),
    ],
)
def test_no_first_token_trips_after_its_time_and_not_before(looks: list[tuple[float, list[int]]], at_s: int) -> None:
    assert tripped(Guards(no_first_token_s=10), looks)[1] == at_s


@pytest.mark.parametrize(
    ("looks", "at_s"),
    [
        pytest.param([(s, numbers(tried=s, lost=s)) for s in EVERY_SECOND], 11, id="connections are refused"),
        pytest.param([(s, numbers(tried=4)) for s in EVERY_SECOND], 10, id="nobody answers"),
        pytest.param([(s, numbers(tried=s, answered=s)) for s in EVERY_SECOND], -1, id="errors are answers too"),
        pytest.param([(s, numbers(tried=9, answered=8, events=s)) for s in EVERY_SECOND], -1, id="a long answer"),
        pytest.param([(s, numbers(tried=8, answered=8, events=70)) for s in EVERY_SECOND], -1, id="nothing is tried"),
        pytest.param([(s, numbers(tried=s, answered=min(s, 5), lost=max(0, s - 5))) for s in EVERY_SECOND], 16,
                     id="it dies after five answers"),
        pytest.param([(s, numbers(tried=4, answered=4, events=20, in_flight=4)) for s in EVERY_SECOND], 11,
                     id="every stream stands still"),
        pytest.param([(s, numbers(tried=s // 20, lost=s // 20)) for s in EVERY_SECOND], 40, id="few requests"),
    ],
)  # fmt: skip
def test_dead_server_trips_after_its_time_and_not_before(looks: list[tuple[float, list[int]]], at_s: int) -> None:
    assert tripped(Guards(dead_server_s=10), looks)[1] == at_s


def test_guards_that_nobody_wrote_never_trip() -> None:
    worst = [(s, numbers(finished=1000, failed=1000, tried=2000, lost=1000, waiting=1000)) for s in EVERY_SECOND]
    assert tripped(Guards(), worst) == ("", -1)


# ---------------------------------------------------------------- over real sockets


def observed(asked: Window, workers: int = 1) -> tuple[Observation, float]:
    """The window, and how long it took in seconds once the workers were there."""
    with Pool(workers) as pool:
        pool.observe(
            window(asked.endpoint, requests=0, warmup=0), on_progress=lambda progress: None, stop=threading.Event()
        )
        began_s = time.monotonic()
        seen = pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())
        return seen, time.monotonic() - began_s


WORKERS = pytest.mark.parametrize("workers", [1, 2])
SILENCE = Guards(no_first_token_s=1.0)
DEATH = Guards(dead_server_s=1.0)


def rules(seen: Observation) -> list[str]:
    return [caveat.rule for caveat in seen.caveats]


@pytest.mark.measuring
@WORKERS
def test_a_server_that_fails_every_request_is_given_up(workers: int) -> None:
    with ScriptedServer(lambda request: whole("500 Internal Server Error", {"error": "no"})) as server:
        guards = Guards(error_rate=0.5)
        seen, _ = observed(window(endpoint(server.url), concurrency=4, requests=100_000, guards=guards), workers)
    assert (seen.ending, rules(seen)) == (Ending.GUARD, ["guard error_rate tripped"])
    failed = Counter(r.outcome for r in seen.records if r.phase is Phase.MEASURED)[Outcome.HTTP_ERROR]
    assert 20 <= failed < 20_000
    assert seen.is_whole


@pytest.mark.measuring
@WORKERS
def test_a_server_that_accepts_and_never_answers_does_not_cost_a_warm_up_of_timeouts(workers: int) -> None:
    with ScriptedServer(lambda request: Script([], "stall")) as server:
        asked = window(endpoint(server.url), concurrency=4, requests=100, warmup=50, guards=SILENCE)
        seen, took_s = observed(asked, workers)
    assert (seen.ending, rules(seen)) == (Ending.GUARD, ["guard no_first_token tripped"])
    assert {(r.phase, r.outcome) for r in seen.records} == {(Phase.WARMUP, Outcome.CANCELLED)}
    assert 0.9 < took_s < 3.5


@pytest.mark.measuring
@pytest.mark.parametrize("guards", [SILENCE, DEATH], ids=["no_first_token", "dead_server"])
def test_a_server_that_dies_in_the_middle_of_a_window_is_given_up_in_time(guards: Guards) -> None:
    """The first 40 requests are answered, and nothing from then on."""

    def answer(request: Request) -> Script:
        return stream(3, 0.02, 0.01) if request.number < 40 else Script([], "stall")

    with ScriptedServer(answer) as server:
        asked = window(endpoint(server.url), concurrency=4, requests=1000, warmup=4, guards=guards)
        seen, took_s = observed(asked)
    assert seen.ending is Ending.GUARD
    assert Counter(r.outcome for r in seen.records)[Outcome.OK] in range(36, 41)  # the window before took one or so
    assert took_s < 5


@pytest.mark.measuring
@WORKERS
def test_a_server_that_is_gone_is_given_up_although_every_try_ends_at_once(workers: int) -> None:
    with ScriptedServer(lambda request: stream(2, 0.01, 0.01)) as server:
        url = server.url
    guarded = window(endpoint(url), concurrency=4, requests=50_000, warmup=50_000, guards=DEATH)
    seen, took_s = observed(guarded, workers)
    assert (seen.ending, rules(seen)) == (Ending.GUARD, ["guard dead_server tripped"])
    assert {r.outcome for r in seen.records} <= {Outcome.CONNECT_ERROR, Outcome.CANCELLED}
    assert 0.9 < took_s < 3.5


@pytest.mark.measuring
@WORKERS
def test_open_loop_is_guarded_as_well(workers: int) -> None:
    with ScriptedServer(lambda request: Script([], "stall")) as server:
        look, pace = Look(Step(0, "rate", 20), 0, 1000), Arrivals(20, Constant(), 1)
        seen, took_s = observed(window(endpoint(server.url), look=look, pace=pace, guards=DEATH), workers)
    assert (seen.ending, rules(seen)) == (Ending.GUARD, ["guard dead_server tripped"])
    assert took_s < 3.5


@pytest.mark.measuring
@pytest.mark.parametrize("transport", ["fast", "httpx"])
def test_a_guard_leaves_a_slow_server_alone(transport: str) -> None:
    """Answers take three times as long as the guards wait, but their first words come in time."""
    with ScriptedServer(lambda request: stream(6, 0.3, 0.5)) as server:
        guards = Guards(0.5, 1.0, 1.0)
        asked = window(endpoint(server.url, transport=transport), concurrency=2, requests=3, warmup=1, guards=guards)
        seen, _ = observed(asked)
    assert seen.ending is Ending.COMPLETE
    assert "GuardTripped" not in {caveat.kind for caveat in seen.caveats}


@pytest.mark.measuring
def test_without_guards_a_silent_server_is_waited_for_as_before() -> None:
    with ScriptedServer(lambda request: Script([Piece(0, head())], "stall")) as server:
        target = endpoint(server.url, first_token_timeout_s=0.5, total_timeout_s=0.5)
        seen, _ = observed(window(target, concurrency=2, requests=6, warmup=2))
    assert seen.ending is Ending.COMPLETE
    assert Counter(r.outcome for r in seen.records if r.phase is Phase.MEASURED) == {Outcome.TIMEOUT: 6}
