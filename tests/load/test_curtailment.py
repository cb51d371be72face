"""A window that is cut: no further measured request begins, those in flight are awaited, and the load stays up."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord
from llmload.load.curtailment import IsFutile
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.planned import Look, Step
from llmload.progress import Tally
from llmload.scenario.asked import Constant
from llmload.workload.pace import Arrivals
from tests.load.windows import endpoint, window
from tests.scripted_server import ScriptedServer, stream

pytestmark = pytest.mark.measuring

WORKERS = pytest.mark.parametrize("workers", [1, 3])


def after(least: int) -> IsFutile:
    """Every window is lost once so many have finished."""

    def is_futile(trail: Sequence[Tally], _target: float, _width: int) -> bool:
        return trail[-1].finished >= least

    return is_futile


def observed(asked: Window, workers: int, is_futile: IsFutile) -> Observation:
    with Pool(workers) as pool:
        return pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event(), is_futile=is_futile)


def measured(seen: Observation) -> list[RequestRecord]:
    return [record for record in seen.records if record.phase is Phase.MEASURED]


@WORKERS
def test_closed_loop_keeps_its_load_until_the_last_measured_request_is_done(workers: int) -> None:
    with ScriptedServer(lambda request: stream(3, 0.05, 0.01)) as server:
        asked = window(endpoint(server.url), concurrency=6, requests=400, warmup=6, futile_below=0.95)
        seen = observed(asked, workers, after(120))
    assert seen.ending is Ending.FUTILE
    assert 120 <= len(measured(seen)) < 250
    assert {record.outcome for record in measured(seen)} == {Outcome.OK}
    assert seen.end_ns == max(record.done_ns for record in measured(seen))
    fillers = [record for record in seen.records if record.phase is Phase.FILLER]
    assert fillers
    assert min(record.due_ns for record in fillers) < seen.end_ns
    (caveat,) = seen.caveats
    assert not caveat.is_fatal
    assert f"{len(measured(seen))} of 400 planned requests were sent" in caveat.figure


@WORKERS
def test_open_loop_goes_on_arriving_and_plans_no_more_than_it_measures(workers: int) -> None:
    with ScriptedServer(lambda request: stream(3, 0.05, 0.01)) as server:
        look, pace = Look(Step(0, "rate", 100), 0, 400), Arrivals(100, Constant(), 1)
        asked = window(endpoint(server.url), look=look, pace=pace, warmup=3, futile_below=0.95)
        seen = observed(asked, workers, after(120))
    assert seen.ending is Ending.FUTILE
    assert seen.planned == len(measured(seen))
    assert 120 <= len(measured(seen)) < 250
    assert {record.outcome for record in measured(seen)} == {Outcome.OK}
    cut_ns = max(record.due_ns for record in measured(seen))
    fillers = [record for record in seen.records if record.phase is Phase.FILLER]
    assert all(record.due_ns > cut_ns - 200_000_000 for record in fillers)  # each worker cuts at its own tick


def test_a_window_by_time_is_cut_as_well() -> None:
    with ScriptedServer(lambda request: stream(3, 0.02, 0.01)) as server:
        asked = window(endpoint(server.url), concurrency=4, requests=0, duration_s=6.0, futile_below=0.95)
        seen = observed(asked, 1, after(100))
    assert seen.ending is Ending.FUTILE
    assert (seen.end_ns - seen.start_ns) / 1e9 < 4


def test_a_window_of_which_no_gate_asks_a_goodput_is_never_cut() -> None:
    with ScriptedServer(lambda request: stream(2, 0.01, 0.01)) as server:
        seen = observed(window(endpoint(server.url), concurrency=4, requests=100), 1, after(1))
    assert (seen.ending, len(measured(seen)), seen.caveats) == (Ending.COMPLETE, 100, ())
