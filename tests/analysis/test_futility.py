"""Ending a window whose goodput gate is lost: it saves requests, and turns no green build red."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.attempts import attempts_of
from llmload.analysis.futility import futile_below, is_futile
from llmload.analysis.shares import decide_share
from llmload.analysis.strategy import next_look
from llmload.domain import Ending, Outcome, RequestRecord
from llmload.load.curtailment import Curtailment
from llmload.load.live import Cell, is_good
from llmload.planned import Look, Step
from llmload.progress import Tally
from llmload.promises import At, Bound, Gate, Level, Slo
from llmload.verdict import Status
from tests.analysis.builders import GOODPUT_95, good_and_bad, request, scenario, window
from tests.load.windows import endpoint
from tests.load.windows import window as asked_window

TARGET, CONCURRENCY, LEVEL = 0.95, 8, 0.05 / 4
Z = {0.95: 1.6448536269514722, 0.96: 1.7506860712521692, 0.6: 0.2533471031357997}
"""Standard normal quantiles of the true shares."""


def served(share: float, rho: float, n: int, runs: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Good requests of a service of this true share, whose quality drifts with lag-1 correlation `rho`."""
    noise = np.random.default_rng(20261121).standard_normal((n, runs))
    quality = np.empty((n, runs))
    quality[0] = noise[0]
    for at in range(1, n):
        quality[at] = rho * quality[at - 1] + np.sqrt(1 - rho**2) * noise[at]
    return (quality <= Z[share]).T


def sent_of(good: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """How many requests of this window are sent, looked at after every fourth that finished."""
    n = len(good)
    asked = asked_window(endpoint("http://127.0.0.1:1"), concurrency=CONCURRENCY, requests=n, futile_below=TARGET)
    curtailment, cells, so_far = Curtailment(asked, is_futile), [0] * len(Cell), np.cumsum(good)
    cells[Cell.IS_MEASURING], cells[Cell.IN_FLIGHT] = 1, CONCURRENCY
    for finished in range(4, n - CONCURRENCY, 4):
        cells[Cell.FINISHED], cells[Cell.GOOD] = finished, int(so_far[finished - 1])
        if curtailment.look(cells, finished / 100):
            return finished + CONCURRENCY
    return n


def fails(good: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    return decide_share([good], TARGET, block=CONCURRENCY, alpha=LEVEL).status is Status.FAIL


@pytest.mark.parametrize(
    ("share", "rho", "n", "runs"),
    [
        pytest.param(0.95, 0.0, 200, 1500, id="at the target"),
        pytest.param(0.95, 0.0, 800, 600, id="at the target, a long window"),
        pytest.param(0.96, 0.0, 400, 1000, id="a point above it"),
        pytest.param(0.95, 0.9, 400, 1000, id="at the target, correlated"),
        pytest.param(0.96, 0.9, 800, 600, id="a point above it, correlated"),
        pytest.param(0.95, 0.97, 1600, 400, id="at the target, strongly correlated"),
    ],
)
def test_ending_lost_windows_early_fails_no_more_services_that_keep_their_promise(
    share: float, rho: float, n: int, runs: int
) -> None:
    windows = served(share, rho, n, runs)
    whole = sum(map(fails, windows)) / runs
    curtailed = sum(fails(good[: sent_of(good)]) for good in windows) / runs
    error = max(np.sqrt(whole * (1 - whole) / runs), 1 / runs)  # the windows are the same ones
    assert abs(curtailed - whole) <= 2 * error


def test_a_server_far_below_its_target_costs_half_of_the_requests_and_still_fails() -> None:
    windows = served(0.6, 0.0, 200, 200)
    sent = [sent_of(good) for good in windows]
    assert all(fails(good[:count]) for good, count in zip(windows, sent, strict=True))
    assert np.mean(sent) == pytest.approx(109, abs=3)


def test_a_long_window_of_such_a_server_is_ended_at_a_quarter() -> None:
    sent = [sent_of(good) for good in served(0.6, 0.0, 1600, 50)]
    assert np.mean(sent) == pytest.approx(402, abs=4)


# ---------------------------------------------------------------- which windows, and when


STEP = Step(0, "concurrency", 8.0)


@pytest.mark.parametrize(
    ("gates", "target"),
    [
        pytest.param((GOODPUT_95,), 0.95, id="a goodput gate"),
        pytest.param((GOODPUT_95, replace(GOODPUT_95, promise=Bound(">=", 0.99))), 0.99, id="the strictest one"),
        pytest.param((replace(GOODPUT_95, level=Level.WARN),), None, id="a warning ends nothing"),
        pytest.param((replace(GOODPUT_95, promise=Bound("<=", 0.5)),), None, id="at most"),
        pytest.param((replace(GOODPUT_95, at=At("concurrency", ">=", 50)),), None, id="of another step"),
        pytest.param((Gate("ttft", Bound("<=", 100), "p95"),), None, id="what the live figures do not tell"),
        pytest.param((replace(GOODPUT_95, traffic_class="chat"),), None, id="of some of the traffic"),
        pytest.param((), None, id="no gate"),
    ],
)
def test_only_binding_goodput_gates_of_the_step_end_its_window(gates: tuple[Gate, ...], target: float | None) -> None:
    assert futile_below(scenario(*gates), Look(STEP, 0, 200)) == target


def test_further_looks_are_not_cut_since_they_are_judged_together_with_the_first() -> None:
    assert futile_below(scenario(GOODPUT_95), Look(STEP, 1, 200)) is None


@pytest.mark.parametrize("width", [8, 60])
def test_a_window_is_not_given_up_before_a_verdict_could_have_its_four_blocks(width: int) -> None:
    least = max(100, 4 * width)
    trail = [Tally(finished, 0, 0) for finished in range(1, least)]
    assert not is_futile(trail, TARGET, width)
    assert is_futile([*trail, Tally(least, 0, 0)], TARGET, width)


def test_requests_in_flight_are_taken_to_become_good() -> None:
    def trail(in_flight: int) -> list[Tally]:
        return [Tally(finished, finished // 2, in_flight) for finished in range(0, 121, 4)]

    assert is_futile(trail(8), TARGET, 8)
    assert not is_futile(trail(2000), TARGET, 8)


@pytest.mark.parametrize(
    ("requests", "duration_s", "finished", "now_s", "cuts"),
    [
        pytest.param(1000, None, 200, 20, False, id="before a quarter"),
        pytest.param(1000, None, 300, 30, True, id="after a quarter"),
        pytest.param(1000, None, 800, 80, False, id="less than a quarter to come"),
        pytest.param(0, 60.0, 400, 30, True, id="half of a time"),
        pytest.param(0, 60.0, 400, 50, False, id="most of a time"),
        pytest.param(400, 60.0, 390, 30, True, id="requests nearly all sent, and half of the time to come"),
    ],
)
def test_a_window_is_cut_between_a_quarter_and_three_quarters(
    requests: int, duration_s: float | None, finished: int, now_s: float, cuts: bool
) -> None:
    asked = asked_window(endpoint("http://x"), requests=requests, duration_s=duration_s, futile_below=TARGET)
    curtailment, cells = Curtailment(asked, lambda trail, target, width: True), [0] * len(Cell)
    cells[Cell.IS_MEASURING] = 1
    assert not curtailment.look(cells, 0)
    cells[Cell.FINISHED] = finished
    assert curtailment.look(cells, now_s) == cuts
    cells[Cell.FINISHED] += 1
    assert not curtailment.look(cells, now_s)  # once at most


# ---------------------------------------------------------------- what the live figures count


_TIMES = st.integers(0, 10**10)
_RECORDS = st.builds(
    replace,
    st.builds(request, ttft_ms=st.floats(0, 200), tpot_ms=st.floats(0, 20), tokens=st.integers(0, 5),
              outcome=st.sampled_from(Outcome)),
    is_streamed=st.booleans(),
    output_tokens=st.none() | st.integers(0, 6),
)  # fmt: skip
_LIMITS = st.none() | st.floats(0.5, 250)


@given(_RECORDS, st.builds(Slo, _LIMITS, _LIMITS, _LIMITS), st.integers(0, 100_000_000), st.booleans())
def test_what_is_judged_good_was_counted_as_good(
    record: RequestRecord, slo: Slo, late_ns: int, is_open_loop: bool
) -> None:
    record = replace(record, due_ns=record.due_ns - late_ns)
    step = Step(0, "rate" if is_open_loop else "concurrency", 8)
    attempts = attempts_of([window([record], step=step)])
    judged = bool(attempts.good(slo).any())
    waits_from_ns = record.due_ns if is_open_loop else record.sent_ns
    assert judged <= is_good(record, slo, waits_from_ns)


# ---------------------------------------------------------------- between looks


def test_a_step_that_has_failed_asks_no_further_look_for_its_other_gates() -> None:
    undecided = Gate("ttft", Bound("<=", 100), "p50")
    asked = scenario(GOODPUT_95, undecided, concurrency=(8, 16))
    half = replace(window(good_and_bad(100, 100)), look=Look(STEP, 0, 200))
    assert next_look(asked, [half]) == Look(Step(1, "concurrency", 16.0), 0, 200)
    warned = scenario(replace(GOODPUT_95, level=Level.WARN), undecided, concurrency=(8, 16))
    assert next_look(warned, [half]) == Look(STEP, 1, 200)


def test_a_window_that_was_cut_is_followed_by_the_next_step_and_never_ends_the_climb() -> None:
    asked = scenario(GOODPUT_95, concurrency=(8, 16))
    cut = replace(window(good_and_bad(60, 60), ending=Ending.FUTILE), look=Look(STEP, 0, 200))
    assert next_look(asked, [cut]) == Look(Step(1, "concurrency", 16.0), 0, 200)
    undecided = replace(window(good_and_bad(94, 6), ending=Ending.FUTILE), look=Look(STEP, 0, 200))
    assert next_look(asked, [undecided]) == Look(STEP, 1, 200)


def test_a_tripped_guard_ends_the_climb() -> None:
    asked = scenario(GOODPUT_95, concurrency=(8, 16))
    assert next_look(asked, [replace(window(good_and_bad(200, 0)), ending=Ending.GUARD)]) is None
