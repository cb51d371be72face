"""What a run says of each figure, and how surely: failed attempts, blocks, and the block bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.bootstrap import OUTSIDE, RESAMPLES, blocks_of, draws, percentile_errors, ratio_error
from llmload.analysis.estimates import estimates_by_repeat, estimates_of
from llmload.analysis.folded import fold
from llmload.analysis.metrics import measure_folded
from llmload.baseline import Estimates
from llmload.domain import Observation, Outcome, RequestRecord, TokenSource
from llmload.planned import Step
from llmload.promises import LATENCIES, STATS, Slo
from tests.analysis.builders import MS, SLO, dropped, paced, request, window

NEVER = float("inf")
CALM = [50.0 + i % 7 for i in range(200)]


def of(*windows: Observation, slo: Slo | None = SLO) -> Estimates:
    """The estimates of these windows."""
    folded = fold(windows)
    return estimates_of(folded, measure_folded(folded, slo), slo)


# ---------------------------------------------------------------- values


def test_every_figure_that_a_gate_may_name_is_there() -> None:
    latencies = {
        f"{stat}({subject})" for stat in STATS for subject in ("ttft", "ttfo", "tpot", "itl_max", "e2e", "lag")
    }
    found = of(window(paced(CALM)))
    assert set(found) == latencies | {"goodput", "error_rate", "rps", "output_tps", "total_tps"}
    assert list(found) == sorted(found)


def test_figures_are_those_of_the_step() -> None:
    folded = fold([window(paced(CALM))])
    metrics = measure_folded(folded, SLO)
    found = estimates_of(folded, metrics, SLO)
    summary = metrics.latency["ttft"]
    assert found["p95(ttft)"].value == pytest.approx(summary.p95_ms)
    assert found["mean(ttft)"].value == pytest.approx(summary.mean_ms)
    assert found["max(ttft)"].value == summary.max_ms
    assert (found["goodput"].value, found["rps"].value) == (1.0, metrics.rps)
    assert found["output_tps"].value == metrics.output_tps


def test_a_failed_attempt_is_beyond_every_limit() -> None:
    found = of(window(paced([50.0] * 190 + [NEVER] * 10)))
    assert found["p90(ttft)"].value == 50
    assert [found[f"{stat}(ttft)"].value for stat in ("p99", "max")] == [NEVER, NEVER]
    assert found["p99(ttft)"].log_error is None


def test_one_failed_attempt_makes_the_largest_latency_infinite() -> None:
    assert of(window(paced([50.0] * 199 + [NEVER])))["max(e2e)"].value == NEVER


def test_a_quick_refusal_is_no_quick_answer_to_a_mean() -> None:
    refused = [replace(record, done_ns=record.due_ns + MS) for record in paced([NEVER] * 50)]
    answered = paced([100.0] * 50, begin_ms=1000)
    assert of(window([*refused, *answered]))["mean(ttft)"].value == pytest.approx(100)


def test_what_was_given_up_after_a_minute_took_a_minute_at_least_to_a_mean() -> None:
    given_up = [replace(record, done_ns=record.due_ns + 60_000 * MS) for record in paced([NEVER] * 50)]
    found = of(window([*given_up, *paced([100.0] * 50, begin_ms=1000)]))
    assert found["mean(ttft)"].value == pytest.approx((60_000 + 100) / 2)
    assert found["mean(tpot)"].value == pytest.approx(10)  # no pace can be read off an answer that never came


def test_a_dropped_request_counts_as_the_slowest_that_completed() -> None:
    records = paced([50.0] * 50 + [150.0] * 50)
    found = of(window([*records, *(dropped(request(100 + i, at_ms=2000 + i)) for i in range(100))]))
    assert found["mean(ttft)"].value == pytest.approx((50 * 50 + 150 * 150) / 200)


def test_in_open_loop_a_failed_attempt_lasted_since_it_was_due() -> None:
    step = Step(0, "rate", 10.0)
    late = [
        replace(record, sent_ns=record.due_ns + 500 * MS, done_ns=record.due_ns + 1000 * MS)
        for record in paced([NEVER] * 50)
    ]
    found = of(window([*late, *paced([100.0] * 50, begin_ms=1000)], step=step))
    assert found["mean(ttft)"].value == pytest.approx((1000 + 100) / 2)


def test_where_nothing_succeeded_no_latency_was_reached_and_nothing_was_served() -> None:
    found = of(window(paced([NEVER] * 200)))
    assert {each.value for name, each in found.items() if "(" in name} == {NEVER}
    assert (found["goodput"].value, found["error_rate"].value) == (0.0, 1.0)
    assert [found[name].value for name in ("rps", "output_tps", "total_tps")] == [0.0] * 3
    assert {each.log_error for name, each in found.items() if name != "error_rate"} == {None}


def test_a_step_without_attempts_has_no_figures() -> None:
    assert of() == {}
    assert of(window([])) == {}


def test_tokens_that_are_only_estimated_give_no_figure() -> None:
    found = of(window([replace(record, token_source=TokenSource.ESTIMATE) for record in paced(CALM)]))
    assert not [name for name in found if "tpot" in name or "tps" in name]
    assert "p50(ttft)" in found


def test_an_answer_that_was_not_streamed_has_no_ttft() -> None:
    found = of(window([replace(record, is_streamed=False) for record in paced(CALM)]))
    assert "p50(ttft)" not in found
    assert "p50(e2e)" in found


def test_each_climb_has_its_own_figures_and_one_climb_needs_none() -> None:
    first, second = window(paced(CALM)), window(paced([100.0] * 200), number=1)
    second = replace(second, look=replace(second.look, repeat=1))
    assert estimates_by_repeat(fold([first]), SLO) == ()
    climbs = estimates_by_repeat(fold([first, second]), SLO)
    assert [climb["max(ttft)"].value for climb in climbs] == [56, 100]
    assert climbs[1] == of(second)


# ---------------------------------------------------------------- errors


def drifting(seed: int, n: int = 400, rho: float = 0.9) -> list[float]:
    """TTFTs around 50 ms that drift slowly, as those do that share a queue."""
    noise = np.random.default_rng(seed).standard_normal(n)
    state = np.empty(n)
    state[0] = noise[0]
    for at in range(1, n):
        state[at] = rho * state[at - 1] + math.sqrt(1 - rho**2) * noise[at]
    return [float(each) for each in 50 * np.exp(0.1 * state)]


@pytest.mark.parametrize("figure", ["p50(ttft)", "p90(ttft)", "mean(ttft)"])
def test_the_error_is_about_how_far_runs_of_the_same_kind_lie_apart(figure: str) -> None:
    """Correlated over 20 requests, blocks of 25: an error that took requests for independent would be a third of it."""
    step = Step(0, "concurrency", 25.0)
    found = [of(window(paced(drifting(seed)), step=step), slo=None)[figure] for seed in range(60)]
    apart = float(np.std([math.log(each.value) for each in found], ddof=1))
    told = float(np.median([each.log_error for each in found if each.log_error is not None]))
    assert told == pytest.approx(apart, rel=0.35)


def test_the_error_of_a_rate_comes_from_its_time_slices() -> None:
    steady = of(window(paced([50.0] * 200)))["rps"]
    bursts = [
        request(i, at_ms=second * 1000 + i % 20, ttft_ms=5.0, tokens=2)
        for i, second in enumerate(second for second in range(0, 40) for _ in range(20 if second < 20 else 2))
    ]
    uneven = of(window(bursts))["rps"]
    assert steady.log_error is not None
    assert uneven.log_error is not None
    assert steady.log_error < uneven.log_error / 2


def test_fewer_than_four_blocks_know_no_error() -> None:
    wide = Step(0, "concurrency", 60.0)
    found = of(window(paced(CALM), step=wide))
    assert {each.log_error for name, each in found.items() if "(" in name or name == "goodput"} == {None}
    assert of(window(paced(CALM), step=replace(wide, value=50.0)))["p50(ttft)"].log_error is not None


def test_a_maximum_has_no_error() -> None:
    found = of(window(paced(CALM)))
    assert {found[f"max({subject})"].log_error for subject in LATENCIES} == {None}


def test_what_never_varied_has_no_error_and_what_is_zero_no_logarithm() -> None:
    found = of(window(paced([50.0] * 200)))
    assert (found["p50(ttft)"].log_error, found["goodput"].log_error) == (0.0, 0.0)
    assert (found["error_rate"].value, found["error_rate"].log_error) == (0.0, None)


def test_the_same_windows_give_the_same_bytes() -> None:
    windows = [window(paced(drifting(1))), window(paced(drifting(2)), number=1)]
    assert repr(of(*windows)) == repr(of(*windows))


@given(
    ttfts=st.lists(st.one_of(st.floats(0.001, 1e5), st.just(NEVER)), max_size=80),
    concurrency=st.integers(1, 30),
    cut=st.integers(0, 80),
)
def test_no_error_is_ever_nan_infinite_or_negative(ttfts: list[float], concurrency: int, cut: int) -> None:
    step = Step(0, "concurrency", float(concurrency))
    parts: Sequence[list[RequestRecord]] = [paced(ttfts[:cut]), paced(ttfts[cut:], begin_ms=10_000)]
    found = of(*(window(records, number=i, step=step) for i, records in enumerate(parts)))
    errors = [each.log_error for each in found.values() if each.log_error is not None]
    assert all(math.isfinite(error) and error >= 0 for error in errors)
    assert not any(math.isnan(each.value) for each in found.values())


def test_cancelled_requests_are_in_no_block() -> None:
    records = paced(CALM)
    cancelled = [replace(request(500 + i, at_ms=i * 20.0 + 1), outcome=Outcome.CANCELLED) for i in range(50)]
    whole = window(records)
    assert of(replace(whole, records=(*whole.records, *cancelled)))["p50(e2e)"] == of(whole)["p50(e2e)"]


# ---------------------------------------------------------------- the bootstrap itself


@given(lengths=st.lists(st.integers(0, 100), max_size=5), least=st.integers(1, 40))
def test_blocks_are_whole_consecutive_and_cross_no_window(lengths: list[int], least: int) -> None:
    found = blocks_of(lengths, least)
    size = max(least, math.ceil(sum(lengths) / 20), 1)
    assert len(found) == sum(lengths)
    begun = 0
    for length in lengths:
        part = found[begun : begun + length]
        assert int((part != OUTSIDE).sum()) == length // size * size
        begun += length
    kept = [int(number) for number in found if number != OUTSIDE]
    assert kept == sorted(kept)
    assert all(kept.count(number) == size for number in set(kept))
    assert set(kept) == set(range(len(set(kept))))


@given(
    values=st.lists(st.one_of(st.floats(1, 1e4), st.just(NEVER)), min_size=20, max_size=60),
    least=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_percentiles_of_draws_are_those_of_the_requests_drawn(values: list[float], least: int, seed: int) -> None:
    """Against the plain way: put the drawn blocks together, and ask NumPy."""
    figures, blocks = np.array(values), blocks_of([len(values)], least)
    keep = np.random.default_rng(seed).random(len(values)) < 0.9  # some have no such latency
    figures, blocks = figures[keep], blocks[keep]
    drawn = draws(int(blocks.max(initial=OUTSIDE)) + 1) if len(blocks) else draws(0)
    for point, told in zip((50.0, 99.0), percentile_errors(figures, blocks, (50.0, 99.0)), strict=True):
        expected = _plain_error(figures, blocks, drawn, point)
        assert told == (None if expected is None else pytest.approx(expected, rel=1e-3, abs=1e-9))


def _plain_error(
    figures: np.ndarray[tuple[int], np.dtype[np.float64]],
    blocks: np.ndarray[tuple[int], np.dtype[np.int64]],
    drawn: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    point: float,
) -> float | None:
    count = drawn.shape[1]
    if count < 4:
        return None
    logs = []
    for row in drawn:
        sample = np.concatenate([np.repeat(figures[blocks == block], int(times)) for block, times in enumerate(row)])
        ordered = np.sort(sample)
        if not len(ordered):
            return None
        place = (len(ordered) - 1) * point / 100
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        value = low if low == high else low + (high - low) * (place - math.floor(place))
        if not math.isfinite(value):
            return None
        logs.append(math.log(value))
    return float(np.std(logs, ddof=1)) * math.sqrt(count / (count - 1))


def test_draws_are_the_same_every_time_and_each_takes_as_many_blocks_as_there_are() -> None:
    drawn = draws(20)
    assert drawn.shape == (RESAMPLES, 20)
    assert set(drawn.sum(axis=1)) == {20.0}
    assert drawn.sum(axis=0) == pytest.approx(np.full(20, RESAMPLES), rel=0.35)
    assert [int(times) for times in drawn[0]] == [1, 1, 0, 3, 1, 0, 4, 3, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 3, 0]


def test_the_error_of_a_mean_is_the_one_of_the_textbook_where_blocks_are_alike() -> None:
    sums = np.random.default_rng(3).normal(100, 5, 20)
    expected = float(sums.std(ddof=1)) / math.sqrt(20) / float(sums.mean())
    assert ratio_error(sums, np.ones(20)) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("count", range(4))
def test_fewer_than_four_slices_know_no_error(count: int) -> None:
    assert ratio_error(np.ones(count), np.ones(count)) is None
