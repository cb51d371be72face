"""A trend follows one figure over runs of one workload and load, and says where it shifted and what changed there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from llmload.analysis.trend import FIGURES, KNOWN, Accepted, Trend, TrendRun, series_of, trend_of
from llmload.baseline import Difference, Estimate, PastRun

STEP = "concurrency 8"
HOME = {"workload": "w1", "load": "l1", "gpu": "L4"}


def run(number: int, figures: Mapping[str, float], fingerprint: Mapping[str, str] = HOME) -> TrendRun:
    estimates = {name: Estimate(value) for name, value in figures.items()}
    past = PastRun(
        f"run-{number:03}", f"2026-{1 + number // 28:02}-{1 + number % 28:02}T00:00:00.000Z", "", {STEP: estimates}
    )
    return TrendRun(past, fingerprint)


def history(values: Sequence[float], figure: str = "p50(ttft)", changed_at: int | None = None) -> list[TrendRun]:
    return [
        run(n, {figure: value}, {**HOME, "gpu": "H100"} if changed_at is not None and n >= changed_at else HOME)
        for n, value in enumerate(values)
    ]


def stepped(before: float, after: float, runs: int = 10, seed: int = 1) -> list[float]:
    noise = np.exp(0.02 * np.random.default_rng(seed).normal(size=2 * runs))
    return [float(value) for value in np.repeat([before, after], runs) * noise]


def test_a_shift_names_its_first_run_its_levels_and_what_changed_there() -> None:
    trend = trend_of(history(stepped(100.0, 130.0), changed_at=10), STEP, "p50(ttft)")
    (shift,) = trend.shifts
    assert shift.run.run_id == "run-010"
    assert shift.before == pytest.approx(100.0, rel=0.03)
    assert shift.after == pytest.approx(130.0, rel=0.03)
    assert shift.change("p50(ttft)") == pytest.approx(shift.after / shift.before - 1)
    assert shift.differing == (Difference("gpu", "L4", "H100"),)
    assert shift.accepted is None
    assert shift.p < 0.001


def test_a_shift_under_the_same_conditions_names_none() -> None:
    (shift,) = trend_of(history(stepped(100.0, 130.0)), STEP, "p50(ttft)").shifts
    assert shift.differing == ()


def test_shares_shift_by_points_and_may_be_nothing() -> None:
    trend = trend_of(history([1.0, 0.99, 1.0, 1.0, 0.98, 0.0, 0.01, 0.0, 0.0, 0.0], "goodput"), STEP, "goodput")
    (shift,) = trend.shifts
    assert shift.run.run_id == "run-005"
    assert shift.change("goodput") == pytest.approx(0.002 - 0.994)
    assert trend.left_out == 0


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.inf, id="never reached"),
        pytest.param(0.0, id="nothing done"),
        pytest.param(None, id="missing"),
    ],
)
def test_a_run_without_the_figure_is_left_out_and_counted(value: float | None) -> None:
    runs = history([100.0, 101.0, 99.0])
    odd = run(3, {} if value is None else {"p50(ttft)": value})
    trend = trend_of([*runs, odd], STEP, "p50(ttft)")
    assert (len(trend.values), len(trend.runs), trend.left_out) == (3, 3, 1)


def test_a_step_that_no_run_has_is_an_empty_trend() -> None:
    assert trend_of(history([1.0, 2.0]), "rate 3/s", "p50(ttft)") == Trend("rate 3/s", "p50(ttft)", (), (), (), 2)


@pytest.mark.parametrize(
    ("since", "is_accepted"),
    [
        pytest.param("2026-01-11T00:00:00.000Z", True, id="the very run"),
        pytest.param("2026-01-10T12:00:00Z", True, id="between the runs"),
        pytest.param("2026-01-13T00:00:00.000Z", True, id="two runs late"),
        pytest.param("2026-01-09T00:00:00.000Z", True, id="two runs early"),
        pytest.param("2026-01-16T00:00:00.000Z", False, id="another time, later"),
        pytest.param("2026-01-02T00:00:00.000Z", False, id="another time, earlier"),
    ],
)
def test_a_shift_that_was_accepted_says_why(since: str, is_accepted: bool) -> None:
    accepted = [Accepted("2025-12-01T00:00:00Z", "older"), Accepted(since, "a longer template")]
    (shift,) = trend_of(history(stepped(100.0, 130.0)), STEP, "p50(ttft)", accepted).shifts
    assert shift.accepted == ("a longer template" if is_accepted else None)


def test_runs_of_another_workload_or_load_are_another_series() -> None:
    runs = [
        run(0, {}, HOME),
        run(1, {}, {**HOME, "workload": "w2"}),
        run(2, {}, {**HOME, "gpu": "H100"}),
        run(3, {}, {**HOME, "load": "l2"}),
        run(4, {}, HOME),
    ]
    found = [[each.past.run_id for each in series] for series in series_of(runs)]
    assert found == [["run-000", "run-002", "run-004"], ["run-003"], ["run-001"]]


def test_no_runs_are_no_series() -> None:
    assert series_of([]) == ()


def test_what_a_trend_tells_by_itself_is_remembered_of_every_run() -> None:
    assert set(FIGURES) <= set(KNOWN)
