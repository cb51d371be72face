"""A comparison calls different only what is more than noise, the same only what surely is, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, t, ttest_ind

from llmload.analysis.comparison import FIGURES, Cell, Comparison, Contrast, compare
from llmload.analysis.differences import Basis, effective_requests
from llmload.baseline import Difference, Estimate
from llmload.domain import StepResult
from llmload.latency import LatencySummary
from llmload.planned import Step
from llmload.verdict import Caveat
from tests.analysis.compared import around, estimates, metrics, run, step


def only(comparison: Comparison, figure: str) -> Cell:
    (cell,) = (cell for row in comparison.rows for cell in row.cells if row.figure == figure)
    return cell


@pytest.mark.parametrize(
    ("figure", "base", "other", "log_error", "contrast"),
    [
        pytest.param("p50(ttft)", 100.0, 100.5, 0.002, Contrast.SAME, id="same: all of the interval within 5 %"),
        pytest.param("p50(ttft)", 100.0, 120.0, 0.01, Contrast.WORSE, id="worse: a latency that grew"),
        pytest.param("p50(ttft)", 120.0, 100.0, 0.01, Contrast.BETTER, id="better: a latency that fell"),
        pytest.param("output_tps", 100.0, 120.0, 0.01, Contrast.BETTER, id="better: a throughput that grew"),
        pytest.param("output_tps", 120.0, 100.0, 0.01, Contrast.WORSE, id="worse: a throughput that fell"),
        pytest.param("rps", 120.0, 100.0, 0.01, Contrast.WORSE, id="worse: a rate that fell"),
        pytest.param("p50(ttft)", 100.0, 120.0, 0.2, Contrast.UNDECIDED, id="undecided: too much noise"),
        pytest.param("p50(ttft)", 100.0, 104.0, 0.01, Contrast.UNDECIDED, id="undecided: across the margin"),
        pytest.param("p50(ttft)", 100.0, 107.0, 0.001, Contrast.WORSE, id="worse: just beyond the margin"),
        pytest.param("p50(ttft)", 5.0, 5.5, 0.001, Contrast.SAME, id="same: 10 %, and half a millisecond"),
        pytest.param("p50(ttft)", 5.0, 6.5, 0.001, Contrast.WORSE, id="worse: 1.5 ms of 5"),
        pytest.param("output_tps", 5.0, 5.9, 0.001, Contrast.BETTER, id="better: the floor is for latencies"),
        pytest.param("p50(ttft)", 0.5, 0.01, 0.001, Contrast.SAME, id="same: all of half a millisecond gone"),
    ],
)
def test_a_figure_is_called(figure: str, base: float, other: float, log_error: float, contrast: Contrast) -> None:
    sides = (step(estimates({figure: value}, log_error)) for value in (base, other))
    cell = only(compare([run(each) for each in sides]), figure)
    assert cell.contrast is contrast
    assert cell.difference == pytest.approx(other / base - 1)
    assert cell.basis is Basis.WITHIN


@pytest.mark.parametrize(
    ("figure", "n", "contrast"),
    [
        pytest.param("p99(itl_max)", 999, Contrast.UNDECIDED, id="nine requests beyond the 99th percentile"),
        pytest.param("p99(itl_max)", 1000, Contrast.WORSE, id="ten requests beyond it"),
        pytest.param("p95(ttft)", 199, Contrast.UNDECIDED, id="nine beyond the 95th"),
        pytest.param("p95(ttft)", 200, Contrast.WORSE, id="ten beyond it"),
        pytest.param("mean(ttft)", 100, Contrast.WORSE, id="a mean rests on all of them"),
    ],
)
def test_what_few_requests_lie_beyond_is_no_difference_within_one_climb(
    figure: str, n: int, contrast: Contrast
) -> None:
    """Twelve runs of one simulated server, 200 requests each: p99(itl_max) alone told 8 of 66 pairs apart."""
    few, many = (
        step(estimates({figure: value}, 0.02), of=metrics(count)) for value, count in ((80.0, n), (120.0, 4000))
    )
    assert only(compare([run(few), run(many)]), figure).contrast is contrast
    if contrast is Contrast.UNDECIDED:
        cell = only(compare([run(many), run(few)]), figure)
        assert (cell.contrast, cell.basis, cell.low) == (contrast, Basis.NOTHING, None)
        assert cell.difference == pytest.approx(80 / 120 - 1)


def test_a_relative_interval_is_that_of_the_logarithms_at_the_shared_level() -> None:
    sides = [step(estimates({"p50(ttft)": value, "rps": 9.0}, 0.03), of=metrics(8 * 11)) for value in (100.0, 130.0)]
    comparison = compare([run(each) for each in sides])
    assert (comparison.intervals, comparison.confidence) == (2, 1 - 0.05 / 2)
    cell = only(comparison, "p50(ttft)")
    reach = t.ppf(1 - 0.025 / 2, 20) * 0.03 * math.sqrt(2)  # 11 blocks of 8 requests on either side
    assert cell.low == pytest.approx(1.3 * math.exp(-reach) - 1)
    assert cell.high == pytest.approx(1.3 * math.exp(reach) - 1)


@pytest.mark.parametrize(
    ("axis", "value", "figure", "degrees"),
    [
        pytest.param("concurrency", 8.0, "p50(ttft)", 20, id="88 requests in blocks of 8"),
        pytest.param("concurrency", 1.0, "p50(ttft)", 32, id="in blocks of 5, of which there are at most 20"),
        pytest.param("concurrency", 64.0, "p50(ttft)", 6, id="never fewer than 4 blocks"),
        pytest.param("rate", 20.0, "p50(ttft)", 14, id="20 a second, each for half a second: blocks of 10"),
        pytest.param("speed", 1.0, "p50(ttft)", 32, id="a trace of 8.8 a second: blocks of 5"),
        pytest.param("concurrency", 8.0, "rps", 38, id="a rate is known from 20 slices of time"),
    ],
)
def test_what_the_noise_is_known_from_decides_how_far_the_interval_reaches(
    axis: str, value: float, figure: str, degrees: int
) -> None:
    e2e = LatencySummary(88, 0, 400.0, 300.0, 520.0, 400.0, 450.0, 480.0, 500.0)
    told = replace(metrics(88), latency={"e2e": e2e})
    side = replace(step(estimates({figure: 100.0}, 0.03), of=told), step=Step(0, axis, value))
    cell = only(compare([run(side), run(side)]), figure)
    assert cell.high == pytest.approx(math.expm1(t.ppf(0.975, degrees) * 0.03 * math.sqrt(2)))


def test_repeats_go_before_the_noise_within_a_run_and_give_welchs_interval() -> None:
    ours, theirs = around(100.0, 0.02, 6), around(110.0, 0.05, 4)
    sides = [
        step(estimates({"p50(ttft)": 100.0}, 0.0001), repeats=[estimates({"p50(ttft)": each}) for each in values])
        for values in (ours, theirs)
    ]
    cell = only(compare([run(each) for each in sides]), "p50(ttft)")
    assert cell.basis is Basis.REPEATS
    found = ttest_ind(np.log(theirs), np.log(ours), equal_var=False)
    exact = found.confidence_interval(0.95)
    assert cell.difference == pytest.approx(0.1)
    assert cell.low is not None
    assert cell.high is not None
    assert cell.low == pytest.approx(math.expm1(exact.low))
    assert cell.high == pytest.approx(math.expm1(exact.high))


@pytest.mark.parametrize(
    "repeats",
    [
        pytest.param([], id="none"),
        pytest.param([100.0], id="one"),
        pytest.param([100.0, math.inf], id="one that never ended"),
        pytest.param([100.0, 100.0], id="equal ones"),
    ],
)
def test_repeats_that_tell_no_spread_give_way_to_the_noise_within(repeats: list[float]) -> None:
    side = step(estimates({"p50(ttft)": 100.0}), repeats=[estimates({"p50(ttft)": value}, None) for value in repeats])
    assert only(compare([run(side), run(side)]), "p50(ttft)").basis is Basis.WITHIN


def test_runs_that_do_not_differ_are_seldom_called_different() -> None:
    """300 comparisons of 5 repeats each, of three figures, at a CV of 5 %."""
    chance = np.random.default_rng(1)

    def side() -> StepResult:
        names = ("rps", "p50(ttft)", "p99(e2e)")
        repeats = [estimates({name: 100 * math.exp(0.05 * chance.normal()) for name in names}) for _ in range(5)]
        return step(repeats[0], repeats=repeats)

    wrong = sum(compare([run(side()), run(side())]).is_different for _ in range(300))
    assert wrong <= 3


# ---------------------------------------------------------------- shares


@pytest.mark.parametrize(
    ("base", "other", "n", "contrast"),
    [
        pytest.param(1.0, 1.0, 400, Contrast.SAME, id="all good on both sides, and many"),
        pytest.param(1.0, 1.0, 60, Contrast.UNDECIDED, id="all good on both sides, and few"),
        pytest.param(0.0, 0.0, 400, Contrast.SAME, id="none good on either side"),
        pytest.param(1.0, 0.0, 40, Contrast.WORSE, id="all good, then none"),
        pytest.param(0.99, 0.85, 800, Contrast.WORSE, id="fourteen points fewer"),
        pytest.param(0.85, 0.99, 800, Contrast.BETTER, id="fourteen points more"),
        pytest.param(0.99, 0.93, 800, Contrast.UNDECIDED, id="six points fewer, give or take two"),
        pytest.param(0.99, 0.985, 4000, Contrast.SAME, id="half a point fewer"),
    ],
)
def test_a_share_is_called_by_points(base: float, other: float, n: int, contrast: Contrast) -> None:
    sides = (step(estimates({"goodput": value}, None), of=metrics(n, goodput=value)) for value in (base, other))
    cell = only(compare([run(each) for each in sides]), "goodput")
    assert cell.contrast is contrast
    assert cell.difference == pytest.approx(other - base)
    assert cell.low is not None
    assert cell.high is not None
    assert -1 <= cell.low < other - base + 1e-12
    assert other - base - 1e-12 < cell.high <= 1


def test_more_errors_are_worse() -> None:
    sides = (step({"error_rate": Estimate(errors / 800)}, of=metrics(800, errors=errors)) for errors in (0, 120))
    assert only(compare([run(each) for each in sides]), "error_rate").contrast is Contrast.WORSE


def test_the_interval_of_two_shares_is_made_of_the_exact_bounds_of_each() -> None:
    sides = (step({"goodput": Estimate(share)}, of=metrics(200, goodput=share)) for share in (0.9, 0.99))
    cell = only(compare([run(each) for each in sides]), "goodput")
    bounds = [(beta.ppf(0.025, k, 201 - k), beta.ppf(0.975, k + 1, 200 - k)) for k in (180, 198)]
    assert cell.low == pytest.approx(0.09 - math.hypot(0.99 - bounds[1][0], bounds[0][1] - 0.9), abs=1e-6)
    assert cell.high == pytest.approx(0.09 + math.hypot(bounds[1][1] - 0.99, 0.9 - bounds[0][0]), abs=1e-6)


def test_the_interval_of_two_shares_covers_their_true_difference_as_often_as_it_says() -> None:
    chance = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        shares = [chance.binomial(150, truth) / 150 for truth in (0.97, 0.94)]
        sides = (step({"goodput": Estimate(share)}, of=metrics(150, goodput=share)) for share in shares)
        cell = only(compare([run(each) for each in sides]), "goodput")
        covered += (cell.low or 0) <= -0.03 <= (cell.high or 0)
    assert covered >= 380


@pytest.mark.parametrize("goodput", [0.0, 0.01, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("worth", [12.5, 100.0, 300.0])
def test_the_bounds_of_goodput_tell_how_many_requests_it_is_worth(goodput: float, worth: float) -> None:
    assert effective_requests(metrics(400, goodput=goodput, worth=worth)) == pytest.approx(worth, rel=1e-6)


def test_dependent_requests_make_a_wider_interval() -> None:
    few, many = (
        compare([run(step({"goodput": Estimate(0.9)}, of=metrics(400, goodput=0.9, worth=worth)))] * 2)
        for worth in (50.0, 400.0)
    )
    assert (only(few, "goodput").high or 0) > 2 * (only(many, "goodput").high or 0)


def test_errors_in_bursts_make_their_rate_less_sure_than_goodput() -> None:
    def width(log_error: float | None) -> float:
        side = step({"error_rate": Estimate(0.1, log_error)}, of=metrics(400, errors=40))
        cell = only(compare([run(side), run(side)]), "error_rate")
        return (cell.high or 0) - (cell.low or 0)

    assert width(0.5) > 2 * width(None)


def test_repeats_can_only_widen_what_counts_say_of_a_share() -> None:
    def side(*shares: float) -> Cell:
        repeats = [{"goodput": Estimate(share)} for share in shares]
        one = step({"goodput": Estimate(0.95)}, repeats=repeats, of=metrics(400, goodput=0.95))
        return only(compare([run(one), run(one)]), "goodput")

    counts, steady, wild = side(), side(0.95, 0.95, 0.95), side(0.99, 0.8, 0.97)
    assert counts == steady
    assert counts.basis is Basis.COUNTS
    assert wild.basis is Basis.REPEATS
    assert (wild.high or 0) > (counts.high or 0)


# ---------------------------------------------------------------- what is missing


def test_a_figure_that_one_side_lacks_is_not_available_and_never_the_same() -> None:
    comparison = compare([run(step(estimates({"p50(ttft)": 9.0, "rps": 3.0}))), run(step(estimates({"rps": 3.0})))])
    cell = only(comparison, "p50(ttft)")
    assert (cell.contrast, cell.value, cell.difference, cell.low) == (Contrast.MISSING, None, None, None)


def test_a_figure_that_no_side_has_is_no_row() -> None:
    comparison = compare([run(step(estimates({"rps": 3.0}))), run(step(estimates({"rps": 3.0})))])
    assert [row.figure for row in comparison.rows] == ["rps"]


@pytest.mark.parametrize("other", [math.inf, 200.0])
def test_a_latency_that_never_ended_is_undecided(other: float) -> None:
    sides = (step({"p99(ttft)": Estimate(value, 0.01)}) for value in (math.inf, other))
    cell = only(compare([run(each) for each in sides]), "p99(ttft)")
    assert (cell.contrast, cell.value, cell.difference, cell.low) == (Contrast.UNDECIDED, other, None, None)


@pytest.mark.parametrize(("base", "other"), [(0.0, 0.0), (0.0, 3.0), (3.0, 0.0)])
def test_a_rate_of_nothing_is_undecided(base: float, other: float) -> None:
    sides = (step({"rps": Estimate(value, 0.01)}) for value in (base, other))
    assert only(compare([run(each) for each in sides]), "rps").contrast is Contrast.UNDECIDED


def test_without_a_known_noise_nothing_is_decided() -> None:
    sides = (step(estimates({"p50(ttft)": value}, None)) for value in (100.0, 900.0))
    comparison = compare([run(each) for each in sides])
    assert only(comparison, "p50(ttft)").contrast is Contrast.UNDECIDED
    assert not comparison.is_different
    assert comparison.intervals == 0


def test_an_older_run_is_compared_by_its_summaries_where_no_attempt_failed() -> None:
    clean, failed = (run(step({}, of=metrics(400, errors=errors))) for errors in (0, 1))
    cell = only(compare([clean, clean]), "p95(ttft)")
    assert (cell.value, cell.contrast, cell.basis) == (80.0, Contrast.UNDECIDED, Basis.NOTHING)
    assert only(compare([clean, failed]), "p95(ttft)").contrast is Contrast.MISSING


def test_an_older_run_in_open_loop_is_compared_by_ttft_since_requests_were_due() -> None:
    since_due = LatencySummary(400, 0, 95.0, 80.0, 130.0, 90.0, 110.0, 120.0, 128.0)
    told = replace(metrics(), latency={**metrics().latency, "ttft_due": since_due})
    at_rate = replace(step({}, of=told), step=Step(0, "rate", 8.0))
    assert only(compare([run(at_rate), run(at_rate)]), "p50(ttft)").value == 90.0
    assert only(compare([run(step({}, of=told))] * 2), "p50(ttft)").value == 50.0


def test_tokens_that_were_only_estimated_give_no_figure() -> None:
    guessed = replace(metrics(), output_tps=90.0, token_sources={"estimate": 400})
    figures = [row.figure for row in compare([run(step({}, of=guessed))] * 2).rows]
    assert "output_tps" not in figures
    assert "p50(ttft)" in figures


def test_steps_that_only_one_run_has_are_told() -> None:
    low, high = step(concurrency=1), step(concurrency=64)
    comparison = compare([run(low, step()), run(step(), high)])
    assert {row.step.value for row in comparison.rows} == {8}
    told = [(each.run, each.step, each.is_spoilt) for each in comparison.absences]
    assert told == [(0, "concurrency 64", False), (1, "concurrency 1", False)]


def test_the_same_load_is_known_whatever_its_place_in_the_ladder() -> None:
    moved = replace(step(), step=Step(3, "concurrency", 8.0))
    assert compare([run(step()), run(step(concurrency=1), moved)]).rows


def test_a_rate_is_not_a_concurrency() -> None:
    other = replace(step(), step=Step(0, "rate", 8.0))
    comparison = compare([run(step()), run(other)])
    assert not comparison.rows
    assert len(comparison.absences) == 2


def test_a_step_that_could_not_be_measured_has_no_figures() -> None:
    late = step(caveats=[Caveat("client was late", "61 ms", "", is_fatal=True)])
    comparison = compare([run(step()), run(late)])
    assert comparison.is_spoilt
    (absence,) = comparison.absences
    assert (absence.run, absence.because) == (1, "could not measure: client was late")
    assert comparison.rows == ()
    third = compare([run(step()), run(late), run(step())])
    assert {row.cells[0].contrast for row in third.rows} == {Contrast.MISSING}
    assert {row.cells[1].contrast for row in third.rows} == {Contrast.SAME}


def test_a_run_without_a_step_could_not_be_measured() -> None:
    comparison = compare([run(step()), run()])
    assert comparison.is_spoilt
    assert comparison.rows == ()


def test_several_runs_are_each_held_against_the_first() -> None:
    fast, slow = (step(estimates({"p50(ttft)": value})) for value in (100.0, 150.0))
    (row,) = compare([run(fast), run(slow), run(fast), run(slow)]).rows
    assert [cell.contrast for cell in row.cells] == [Contrast.WORSE, Contrast.SAME, Contrast.WORSE]


def test_turning_two_runs_round_turns_better_and_worse_round() -> None:
    one, other = (step(estimates({"p50(ttft)": a, "rps": b})) for a, b in ((100.0, 50.0), (150.0, 51.0)))
    forth, back = compare([run(one), run(other)]), compare([run(other), run(one)])
    assert only(forth, "p50(ttft)").contrast is Contrast.WORSE
    assert only(back, "p50(ttft)").contrast is Contrast.BETTER
    assert only(forth, "rps").contrast is only(back, "rps").contrast


def test_keys_of_the_fingerprint_that_differ_are_told_and_the_runs_are_still_compared() -> None:
    other = run(step(), fingerprint={"gpu": "H100", "framework": "vllm", "model": "tiny"})
    comparison = compare([run(step()), other])
    assert comparison.differing == ((Difference("framework", "", "vllm"), Difference("gpu", "L4", "H100")),)
    assert comparison.rows


def test_every_figure_is_the_words_of_a_gate() -> None:
    from llmload.promises import LATENCIES, RATES, SHARES, STATS

    words = {f"{stat}({latency})" for stat in STATS for latency in LATENCIES} | {*SHARES, *RATES}
    assert words.issuperset(FIGURES)
