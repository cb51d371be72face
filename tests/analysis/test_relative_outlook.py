"""What a plan says of relative gates: METRICS's table of power, in the gate's own terms; when a margin is too small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmload.analysis.power import reachable_margin
from llmload.analysis.relative_outlook import RelativeOutlook, Variation, Variations, relative_outlooks
from llmload.baseline import Design
from llmload.promises import At, Bound, Change, Gate
from tests.analysis.builders import scenario

TTFT = Gate("ttft", Change(0.05), "p95")
KEY = ("concurrency 8", "p95(ttft)")


def outlook(gate: Gate, variations: Variations, *, repeats: int = 1) -> RelativeOutlook:
    planned = scenario(gate)
    planned = replace(planned, decision=replace(planned.decision, repeats=repeats))
    (found,) = relative_outlooks(planned, variations)
    return found


@pytest.mark.parametrize(
    ("cv", "pairs", "passes", "catches"),
    [
        pytest.param(0.02, 5, 0.93, 0.91, id="calm, few pairs"),
        pytest.param(0.03, 5, 0.68, 0.65, id="usual, few pairs"),
        pytest.param(0.03, 8, 0.90, 0.87, id="usual, eight pairs"),
        pytest.param(0.03, 12, 0.98, 0.97, id="usual, a dozen pairs"),
    ],
)
def test_pairs_promise_what_the_table_of_metrics_says(cv: float, pairs: int, passes: float, catches: float) -> None:
    ((_, prospects),) = outlook(TTFT, {KEY: Variation(cv, cv, "calibration", 20)}).prospects
    (found,) = [each for each in prospects if (each.design, each.n) == (Design.PAIRED, pairs)]
    assert (found.passes, found.catches) == (pytest.approx(passes, abs=0.01), pytest.approx(catches, abs=0.01))


def test_eight_earlier_runs_catch_ten_percent_at_three_percent_spread_37_times_in_100() -> None:
    ((_, prospects),) = outlook(TTFT, {KEY: Variation(0.03, 0.03, "the baseline", 8)}).prospects
    assert (prospects[0].design, prospects[0].n) == (Design.HISTORY, 8)
    assert prospects[0].catches == pytest.approx(0.37, abs=0.01)
    assert prospects[0].least_margin == pytest.approx(reachable_margin(0.03, 8, Design.HISTORY, alpha=0.05), rel=1e-6)


def test_a_spread_that_nobody_measured_is_assumed_and_says_so() -> None:
    found = outlook(TTFT, {("concurrency 8", "p99(ttft)"): Variation(0.01, 0.01, "calibration")})
    assert [(variation.cv, variation.source) for variation, _ in found.prospects] == [
        (0.02, ""),
        (0.03, ""),
        (0.05, ""),
    ]
    assert {prospects[0].n for _, prospects in found.prospects} == {20}


def test_the_repeats_of_the_scenario_are_among_the_pairs() -> None:
    ((_, prospects),) = outlook(TTFT, {KEY: Variation(0.03, 0.03, "calibration")}, repeats=3).prospects
    assert [(each.design.value, each.n) for each in prospects] == [
        ("history", 20),
        ("paired", 3),
        ("paired", 5),
        ("paired", 8),
        ("paired", 12),
    ]


def test_pairs_are_planned_with_what_the_runs_of_a_pair_do_not_share() -> None:
    ((_, prospects),) = outlook(TTFT, {KEY: Variation(0.05, 0.02, "calibration", 20)}).prospects
    history, five_pairs, *_ = prospects
    assert history.passes == pytest.approx(0.23, abs=0.01)
    assert five_pairs.passes == pytest.approx(0.93, abs=0.01)


def test_one_earlier_run_has_no_prospect_of_its_own_and_is_only_advisory() -> None:
    found = outlook(TTFT, {KEY: Variation(0.03, 0.03, "the baseline", 1)})
    ((_, prospects),) = found.prospects
    assert {each.design for each in prospects} == {Design.PAIRED}
    assert found.warnings[0].startswith("only 1 of 8 runs: a verdict against them is advisory")


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        pytest.param(TTFT, 0.10, id="ten percent"),
        pytest.param(replace(TTFT, promise=Change(0.2)), 0.40, id="twice a wide margin"),
        pytest.param(Gate("rps", Change(0.6)), 0.80, id="never everything"),
    ],
)
def test_the_change_to_be_caught_lies_beyond_the_margin(gate: Gate, change: float) -> None:
    assert outlook(gate, {}).change == pytest.approx(change)


def test_where_more_is_better_margins_are_shares_less() -> None:
    of_rate = outlook(Gate("rps", Change(0.05)), {("concurrency 8", "rps"): Variation(0.03, 0.03, "calibration")})
    of_latency = outlook(TTFT, {KEY: Variation(0.03, 0.03, "calibration")})
    for rate, latency in zip(of_rate.prospects[0][1], of_latency.prospects[0][1], strict=True):
        assert rate.least_margin == pytest.approx(latency.least_margin / (1 + latency.least_margin))
        assert rate.passes > latency.passes, "5 % less is 5.3 % more of the inverse"


def test_a_margin_out_of_reach_is_warned_of_with_the_least_one_and_the_pairs_it_takes() -> None:
    found = outlook(replace(TTFT, promise=Change(0.02)), {KEY: Variation(0.03, 0.03, "calibration", 20)})
    (warning,) = found.warnings
    assert warning.startswith(
        "at a CV of 3.0% a margin of 2.0% leaves an unchanged server undecided too often; 3.9% is"
    )
    pairs = int(warning.partition("`llmload ab` with ")[2].split()[0])
    again = outlook(replace(TTFT, promise=Change(0.02)), {KEY: Variation(0.03, 0.03, "calibration", 20)}, repeats=pairs)
    assert again.warnings == ()


def test_no_number_of_pairs_reaches_no_margin_at_all() -> None:
    (warning,) = outlook(replace(TTFT, promise=Change(0.0)), {}).warnings
    assert warning.endswith("no number of pairs reaches it")


def test_a_figure_that_never_differs_reaches_every_margin() -> None:
    found = outlook(
        Gate("goodput", Change(0.01)), {("concurrency 8", "goodput"): Variation(0.0, 0.0, "calibration", 20)}
    )
    ((_, prospects),) = found.prospects
    assert {(each.passes, each.catches, each.least_margin) for each in prospects} == {(1.0, 1.0, 0.0)}
    assert found.warnings == ()


def test_each_step_that_a_relative_gate_speaks_of_has_an_outlook_and_absolute_gates_have_none() -> None:
    planned = scenario(
        Gate("goodput", Bound(">=", 0.95)),
        replace(TTFT, at=At("concurrency", ">=", 8)),
        concurrency=[1, 8, 32],
    )
    assert [found.step.label for found in relative_outlooks(planned, {})] == ["concurrency 8", "concurrency 32"]
