"""Relative gates: what is decided from pairs, from many earlier runs and from one, and what people are told of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.ratios import far_out, log_margin, log_worse, of_pairs, worse_share
from llmload.analysis.relative import Candidate, judge_change
from llmload.baseline import Baseline, Design, Difference, Estimate, Incomparable, NoBaseline, PastRun, Reference
from llmload.planned import Step
from llmload.promises import Change, Gate, Level
from llmload.verdict import ADVISORY, Status, Verdict

STEP = Step(0, "concurrency", 50.0)
NEVER = float("inf")
LOWER = Gate("tpot", Change(0.05), "p50")
HIGHER = Gate("output_tps", Change(0.05))
FLOORED = Gate("tpot", Change(0.05, floor=3.0), "p50")
EIGHT = (19.6, 19.8, 19.9, 20.0, 20.0, 20.1, 20.2, 20.4)
"""Eight runs around 20, 1.2 % apart."""

Figures = Sequence[float | None]


def figure_of(gate: Gate) -> str:
    """The words of its estimate."""
    return f"{gate.stat}({gate.subject})" if gate.stat else gate.subject


def told(gate: Gate, value: float | None, log_error: float | None = None) -> dict[str, Estimate]:
    """What one run says."""
    return {} if value is None else {figure_of(gate): Estimate(value, log_error)}


def history(gate: Gate, values: Figures, log_error: float | None = None) -> Baseline:
    """Earlier runs with these figures at the step."""
    runs = [
        PastRun(f"id-{i}", "2026-11-21T00:00:00.000Z", f"c{i}" * 20, {STEP.label: told(gate, value, log_error)})
        for i, value in enumerate(values)
    ]
    return Baseline("reports/baselines/test.json", "test", {}, tuple(runs))


def judged(gate: Gate, ours: float | None, theirs: Reference | Figures, *, log_error: float | None = None) -> Verdict:
    """One candidate against earlier runs."""
    reference = theirs if isinstance(theirs, Baseline | Incomparable | NoBaseline) else history(gate, theirs)
    candidate = Candidate(STEP, told(gate, ours, log_error))
    return judge_change(gate, _change(gate), candidate=candidate, reference=reference, confidence=0.95)


def paired(gate: Gate, ours: Figures, theirs: Figures) -> Verdict:
    """A candidate whose climbs were measured in turn with these."""
    reference = replace(history(gate, theirs), design=Design.PAIRED)
    candidate = Candidate(STEP, told(gate, 21.0), tuple(told(gate, value) for value in ours))
    return judge_change(gate, _change(gate), candidate=candidate, reference=reference, confidence=0.95)


def _change(gate: Gate) -> Change:
    assert isinstance(gate.promise, Change)
    return gate.promise


# ---------------------------------------------------------------- one run against many


@pytest.mark.parametrize(
    ("gate", "ours", "status"),
    [
        pytest.param(LOWER, 20.0, Status.PASS, id="the same"),
        pytest.param(LOWER, 20.4, Status.PASS, id="a little slower"),
        pytest.param(LOWER, 15.0, Status.PASS, id="much faster"),
        pytest.param(LOWER, 21.0, Status.INCONCLUSIVE, id="on the margin"),
        pytest.param(LOWER, 22.0, Status.FAIL, id="ten percent slower"),
        pytest.param(HIGHER, 20.0, Status.PASS, id="as many tokens"),
        pytest.param(HIGHER, 25.0, Status.PASS, id="more tokens"),
        pytest.param(HIGHER, 19.0, Status.INCONCLUSIVE, id="five percent fewer tokens"),
        pytest.param(HIGHER, 18.0, Status.FAIL, id="ten percent fewer tokens"),
    ],
)
def test_a_run_is_held_against_eight_earlier_ones(gate: Gate, ours: float, status: Status) -> None:
    verdict = judged(gate, ours, EIGHT)
    assert verdict.status is status, verdict.because
    assert verdict.gate == gate
    assert verdict.step == "concurrency 50"


def test_the_reason_is_a_sentence_with_both_figures_the_difference_its_bounds_and_the_margin() -> None:
    verdict = judged(LOWER, 22.0, EIGHT)
    assert verdict.because == (
        "p50(tpot) was 22ms, the 8 baseline runs had 20ms in the middle: 10% worse; "
        "at 95% confidence between 7.3% and 12.7% worse, at most 5% allowed"
    )
    assert verdict.kind == "Regression"
    assert "llmload baseline accept" in verdict.remedy


def test_what_is_better_is_said_to_be_better() -> None:
    assert "11.1% better; at 95% confidence between 8.4% and 13.9% better" in judged(HIGHER, 20 / 0.9, EIGHT).because
    assert "between 2.4% better and 2.5% worse" in judged(LOWER, 20.0, EIGHT).because
    assert "no different" in judged(LOWER, 20.0, EIGHT).because


def test_evidence_is_in_shares_of_the_baseline_positive_where_worse() -> None:
    for gate, ours in ((LOWER, 22.0), (HIGHER, 18.0)):
        evidence = judged(gate, ours, EIGHT).evidence
        assert evidence is not None
        assert evidence.observed == pytest.approx(0.10, abs=0.001)
        assert evidence.low is not None
        assert evidence.high is not None
        assert evidence.target == 0.05 < evidence.low < evidence.observed < evidence.high
        assert (evidence.n, evidence.looks, evidence.deff, evidence.effective_n) == (8, 1, None, None)
        assert evidence.confidence == pytest.approx(0.95)


def test_the_bounds_are_those_of_metrics_md() -> None:
    logs = np.log(EIGHT)
    reach = 1.8945786 * logs.std(ddof=1) * math.sqrt(1 + 1 / 8)
    evidence = judged(LOWER, 21.0, EIGHT).evidence
    assert evidence is not None
    assert evidence.low == pytest.approx(math.exp(math.log(21) - logs.mean() - reach) - 1, rel=1e-6)
    assert evidence.high == pytest.approx(math.exp(math.log(21) - logs.mean() + reach) - 1, rel=1e-6)


def test_runs_without_any_noise_decide_by_the_figure_alone() -> None:
    assert judged(LOWER, 21.0, [20.0] * 8).status is Status.PASS  # exactly the margin is kept
    assert judged(LOWER, 21.01, [20.0] * 8).status is Status.FAIL
    assert "between 5.1% and 5.1% worse, at most 5% allowed" in judged(LOWER, 21.01, [20.0] * 8).because


# ---------------------------------------------------------------- fewer runs


@pytest.mark.parametrize("count", range(2, 8))
@pytest.mark.parametrize("ours", [19.0, 20.0, 21.0, 40.0, NEVER])
def test_fewer_than_eight_runs_warn_at_most(count: int, ours: float) -> None:
    verdict = judged(LOWER, ours, EIGHT[:count])
    assert (verdict.gate.level, verdict.kind) == (Level.WARN, ADVISORY)
    assert f"advisory: {count} of 8 runs" in verdict.because
    assert "more run" in verdict.remedy


def test_fewer_than_eight_runs_still_say_what_they_see() -> None:
    assert judged(LOWER, 40.0, EIGHT[:5]).status is Status.FAIL
    assert judged(LOWER, 20.0, [20.0, 20.1, 19.9, 20.0, 20.0]).status is Status.PASS


@pytest.mark.parametrize("ours", [1.0, 20.0, 21.0, 40.0, 1e6, NEVER])
@pytest.mark.parametrize("log_error", [None, 0.0, 0.01])
def test_one_baseline_run_alone_neither_fails_nor_passes_anything(ours: float, log_error: float | None) -> None:
    for verdict in (
        judged(LOWER, ours, history(LOWER, [20.0], log_error), log_error=log_error),
        paired(LOWER, [ours], [20.0]),
    ):
        assert (verdict.status, verdict.gate.level, verdict.kind) == (Status.INCONCLUSIVE, Level.WARN, ADVISORY)


def test_one_against_one_tells_the_noise_within_both_runs_where_it_is_known() -> None:
    verdict = judged(LOWER, 22.0, history(LOWER, [20.0], 0.03), log_error=0.04)
    reach = 1.6448536 * 0.05
    assert verdict.evidence is not None
    assert verdict.evidence.low == pytest.approx(1.1 * math.exp(-reach) - 1, rel=1e-6)
    assert verdict.evidence.high == pytest.approx(1.1 * math.exp(reach) - 1, rel=1e-6)
    assert "the one baseline run had 20ms: 10% worse" in verdict.because
    assert "advisory: 1 of 8 runs, and one does not tell how far runs lie apart" in verdict.because


def test_one_against_one_gives_no_bounds_where_a_run_was_too_short_to_know_its_noise() -> None:
    verdict = judged(LOWER, 22.0, history(LOWER, [20.0], 0.03))
    assert verdict.evidence is not None
    assert (verdict.evidence.observed, verdict.evidence.low) == (pytest.approx(0.1), None)
    assert "confidence" not in verdict.because


# ---------------------------------------------------------------- pairs


def test_pairs_decide_by_their_differences_whatever_drifts_with_both() -> None:
    drift = [20.0, 25.0, 30.0, 22.0, 28.0]
    slower = [each * factor for each, factor in zip(drift, (1.10, 1.11, 1.09, 1.10, 1.10), strict=True)]
    assert paired(LOWER, drift, drift).status is Status.PASS
    verdict = paired(LOWER, slower, drift)
    assert verdict.status is Status.FAIL
    assert verdict.because.startswith(
        "p50(tpot) was 27.2ms in the middle of 5 runs, 24.72ms in those measured in turn with them: 10% worse"
    )
    assert "in turn" in verdict.remedy


def test_two_pairs_are_enough_where_they_agree() -> None:
    assert paired(LOWER, [24.0, 24.1], [20.0, 20.1]).status is Status.FAIL


def test_the_bounds_of_pairs_are_those_of_metrics_md() -> None:
    found = of_pairs([0.05, 0.07, 0.09, 0.11], 0.05)
    spread = math.sqrt(sum((each - 0.08) ** 2 for each in (0.05, 0.07, 0.09, 0.11)) / 3)
    assert (found.middle, found.spread) == (pytest.approx(0.08), pytest.approx(spread))
    assert found.low == pytest.approx(0.08 - 2.3533634 * spread / 2)
    assert found.high == pytest.approx(0.08 + 2.3533634 * spread / 2)


def test_a_run_of_one_climb_is_paired_with_its_whole_step() -> None:
    reference = replace(history(LOWER, [20.0]), design=Design.PAIRED)
    candidate = Candidate(STEP, told(LOWER, 21.0))
    verdict = judge_change(LOWER, _change(LOWER), candidate=candidate, reference=reference, confidence=0.95)
    assert "advisory: 1 of 4 pairs" in verdict.because
    assert "--pairs" in verdict.remedy


def test_three_pairs_warn_and_four_may_fail_a_build() -> None:
    three = paired(LOWER, [22.0, 22.1, 22.2], [20.0, 20.1, 20.0])
    four = paired(LOWER, [22.0, 22.1, 22.2, 22.1], [20.0, 20.1, 20.0, 20.1])
    assert (three.status, three.gate.level, three.kind) == (Status.FAIL, Level.WARN, "Advisory")
    assert (four.status, four.gate.level, four.kind) == (Status.FAIL, Level.FAIL, "Regression")


def test_a_pair_of_which_one_side_has_no_figure_is_left_out_and_told() -> None:
    verdict = paired(LOWER, [22.0, 22.1, None, 22.2, 22.1], [20.0, 20.1, 20.0, None, 20.0])
    assert verdict.status is Status.FAIL
    assert "2 of 5 pairs left out, without this figure" in verdict.because
    assert verdict.evidence is not None
    assert verdict.evidence.n == 3


def test_climbs_that_were_never_paired_are_not_compared() -> None:
    verdict = paired(LOWER, [22.0, 22.1, 22.2], [20.0, 20.1])
    assert verdict.evidence is not None
    assert verdict.evidence.n == 2


def test_no_pair_with_both_figures_is_incomparable() -> None:
    verdict = paired(LOWER, [22.0, None], [None, 20.0])
    assert (verdict.status, verdict.kind) == (Status.INCOMPARABLE, "NoBaseline")
    assert "no pair has p50(tpot) on both sides" in verdict.because


# ---------------------------------------------------------------- figures that are missing, infinite or zero


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "kind", "words"),
    [
        pytest.param(None, EIGHT, Status.ERROR, "NoData", "the run has no p50(tpot)", id="the candidate lacks it"),
        pytest.param(None, [], Status.ERROR, "NoData", "the run has no p50(tpot)", id="neither side has it"),
        pytest.param(
            20.0,
            [None] * 9,
            Status.INCOMPARABLE,
            "NoBaseline",
            "none of the 9 baseline runs has p50(tpot) at concurrency 50",
            id="the baseline lacks it",
        ),
        pytest.param(20.0, [], Status.INCOMPARABLE, "NoBaseline", "the baseline has no runs", id="an empty baseline"),
        pytest.param(
            20.0,
            [NEVER] * 9,
            Status.INCOMPARABLE,
            "NoBaseline",
            "p50(tpot) was never reached in 9 baseline runs",
            id="the baseline never reached it",
        ),
        pytest.param(
            20.0, [0.0] * 9, Status.INCOMPARABLE, "NoBaseline", "to which nothing has a ratio", id="a baseline of zero"
        ),
        pytest.param(
            20.0,
            [*EIGHT, None, NEVER],
            Status.PASS,
            "",
            "2 of 10 baseline runs left out, 1 without this figure and 1 in which it was as bad as can be",
            id="eight of ten runs have it",
        ),
        pytest.param(
            40.0,
            [*EIGHT[:7], None],
            Status.FAIL,
            ADVISORY,
            "1 of 8 baseline runs left out, without this figure; advisory: 7 of 8 runs",
            id="seven of eight runs have it",
        ),
        pytest.param(
            NEVER,
            EIGHT,
            Status.FAIL,
            "Regression",
            "p50(tpot) was never reached, the 8 baseline runs had 20ms in the middle",
            id="the candidate never reached it",
        ),
        pytest.param(
            NEVER,
            [*EIGHT, NEVER],
            Status.INCONCLUSIVE,
            "TooNoisy",
            "1 of 9 baseline runs left out, in which it was as bad as can be",
            id="nor did one of the baseline",
        ),
        pytest.param(0.0, EIGHT, Status.PASS, "", "p50(tpot) was 0s", id="a candidate that took no time"),
    ],
)
def test_a_figure_that_gives_no_ratio_is_told_and_never_guessed(
    ours: float | None, theirs: Figures, status: Status, kind: str, words: str
) -> None:
    verdict = judged(LOWER, ours, theirs)
    assert (verdict.status, verdict.kind) == (status, kind), verdict.because
    assert words in verdict.because
    assert verdict.remedy or status is Status.PASS


def test_goodput_that_fell_to_zero_is_a_regression_of_100_percent() -> None:
    gate = Gate("goodput", Change(0.05))
    verdict = judged(gate, 0.0, [0.96, 0.97, 0.98, 0.97] * 2)
    assert verdict.status is Status.FAIL
    assert verdict.because == "goodput was 0%, the 8 baseline runs had 96.99% in the middle; at most 5% allowed"
    assert verdict.evidence is not None
    assert verdict.evidence.observed == 1.0


@pytest.mark.parametrize(
    ("ours", "status"),
    [
        pytest.param([NEVER] * 6, Status.FAIL, id="all"),
        pytest.param([20.0] * 5 + [NEVER], Status.INCONCLUSIVE, id="one of six"),
        pytest.param([20.0] + [NEVER] * 5, Status.FAIL, id="five of six"),
        pytest.param([0.0] + [NEVER] * 5, Status.INCONCLUSIVE, id="five, and one that took no time"),
    ],
)
def test_climbs_that_never_reached_it_weigh_as_ever_larger_figures_would(ours: Figures, status: Status) -> None:
    verdict = paired(LOWER, ours, [20.0, 20.1, 19.9, 20.0, 20.1, 19.9])
    assert verdict.status is status, verdict.because
    evidence = verdict.evidence
    assert evidence is not None
    assert all(each is None or math.isfinite(each) for each in (evidence.observed, evidence.low, evidence.high))
    assert "never reached" in verdict.because


@given(k=st.integers(1, 12), r=st.integers(2, 12))
def test_infinite_differences_decide_as_enormous_ones_do(k: int, r: int) -> None:
    k = min(k, r)
    infinite = of_pairs([NEVER] * k + [0.0] * (r - k), 0.05)
    enormous = of_pairs([1e12] * k + [0.0] * (r - k), 0.05)
    assert (infinite.low > 0) == (enormous.low > 1)


# ---------------------------------------------------------------- the floor


@pytest.mark.parametrize(
    ("ours", "status"),
    [
        pytest.param(22.9, Status.INCONCLUSIVE, id="within the floor, but not surely"),
        pytest.param(22.2, Status.PASS, id="surely within the floor"),
        pytest.param(23.5, Status.FAIL, id="beyond the floor and the margin"),
    ],
)
def test_a_difference_within_the_floor_is_no_regression(ours: float, status: Status) -> None:
    verdict = judged(FLOORED, ours, EIGHT)
    assert judged(LOWER, ours, EIGHT).status is Status.FAIL
    assert verdict.status is status, verdict.because
    assert "at most 5% allowed, and less than 3ms never counts" in verdict.because


def test_a_floor_of_a_rate_is_in_its_own_unit() -> None:
    gate = Gate("output_tps", Change(0.05, floor=3.0))
    assert judged(gate, 18.0, EIGHT).status is Status.PASS
    assert judged(gate, 15.0, EIGHT).status is Status.FAIL


# ---------------------------------------------------------------- remedies


def test_pairs_that_stay_open_say_how_many_would_not() -> None:
    verdict = paired(LOWER, [21.0, 22.5, 21.5, 22.3, 21.0], [20.0, 20.1, 19.9, 20.0, 20.1])
    assert (verdict.status, verdict.kind) == (Status.INCONCLUSIVE, "TooFewRuns")
    assert verdict.remedy == "About 12 pairs decide it, if it is as it seems: raise decision.repeats"


def test_a_run_that_stays_open_is_sent_to_pairs_where_these_would_decide() -> None:
    wide = [20 * math.exp(0.04 * z) for z in (-1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5)]
    verdict = judged(LOWER, 20.0, wide)
    assert (verdict.status, verdict.kind) == (Status.INCONCLUSIVE, "TooNoisy")
    assert verdict.remedy.startswith("One run against earlier ones is too noisy: `llmload ab` with about ")


def test_runs_that_vary_too_much_are_told_the_margin_that_they_could_hold() -> None:
    wild = [20 * math.exp(0.3 * z) for z in (-1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5)]
    verdict = judged(LOWER, 20.5, wild)
    assert verdict.kind == "TooNoisy"
    assert "Runs vary too much: with 8 baseline runs like these, " in verdict.remedy


def test_a_difference_of_just_the_margin_is_told_to_be_undecidable() -> None:
    assert "almost exactly what is allowed" in judged(LOWER, 21.0, [20.0, 20.01, 19.99, 20.0] * 2).remedy


def test_a_run_that_stands_out_is_named_and_never_dropped() -> None:
    verdict = judged(LOWER, 20.0, [*EIGHT, 40.0])
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.evidence is not None
    assert verdict.evidence.n == 9
    assert verdict.remedy.startswith(
        "Baseline run id-8 (commit c8c8c8c8c8c8) stands out with 40ms, where the others had 20ms in the middle"
    )


def test_a_pair_that_stands_out_is_named() -> None:
    verdict = paired(LOWER, [20.0, 20.1, 19.9, 20.0, 20.1, 40.0], [20.1, 20.0, 20.0, 20.1, 20.2, 20.0])
    assert verdict.remedy.startswith("Pair 6 stands out from all others")


def test_one_sound_baseline_in_a_hundred_has_a_run_that_seems_to_stand_out() -> None:
    chance = np.random.default_rng(5)
    named = sum(far_out(list(chance.normal(3.0, 0.03, 8))) is not None for _ in range(4000)) / 4000
    assert named == pytest.approx(0.01, abs=0.005)
    assert far_out([3.0, 3.0, 9.0]) is None  # of three, nobody can say which


def test_words_from_files_cannot_play_with_a_terminal() -> None:
    runs = [replace(run, run_id="\x1b[31mred", commit="\x1b]0;title\x07abc") for run in history(LOWER, [40.0]).runs]
    baseline = history(LOWER, EIGHT)
    verdict = judged(LOWER, 20.0, replace(baseline, runs=(*baseline.runs, *runs)))
    assert "Baseline run red (commit abc) stands out" in verdict.remedy


# ---------------------------------------------------------------- nothing to compare with


def test_without_a_baseline_the_reason_and_the_remedy_are_those_of_who_looked() -> None:
    verdict = judged(LOWER, 20.0, NoBaseline("nothing is committed", "Run `llmload baseline update`"))
    assert (verdict.status, verdict.kind, verdict.because) == (
        Status.INCOMPARABLE,
        "NoBaseline",
        "nothing is committed",
    )
    assert verdict.remedy == "Run `llmload baseline update`"


def test_another_gpu_is_incomparable_and_the_differing_keys_are_told() -> None:
    differing = (Difference("gpu", "H100", "A100"), Difference("driver", "", "570"))
    verdict = judged(LOWER, 40.0, Incomparable("reports/baselines/test.json", differing))
    assert (verdict.status, verdict.kind) == (Status.INCOMPARABLE, "Incomparable")
    assert verdict.because.endswith("gpu H100, now A100; driver unknown, now 570")


# ---------------------------------------------------------------- properties of the ratio

VALUES = st.floats(1e-3, 1e6)
SUBJECTS = st.sampled_from(["ttft", "goodput", "rps", "output_tps", "e2e"])


@given(subject=SUBJECTS, ours=VALUES, theirs=VALUES)
def test_there_and_back_again_is_no_difference(subject: str, ours: float, theirs: float) -> None:
    there, back = log_worse(subject, ours, theirs), log_worse(subject, theirs, ours)
    assert there is not None
    assert back is not None
    assert there + back == pytest.approx(0, abs=1e-9)


@given(subject=SUBJECTS, share=st.floats(0.001, 0.9))
def test_a_margin_is_the_difference_of_just_so_much_worse(subject: str, share: float) -> None:
    assert worse_share(subject, log_margin(subject, share)) == pytest.approx(share)


@given(values=st.lists(VALUES, min_size=8, max_size=20), ours=VALUES, factor=st.floats(0.01, 100))
def test_the_unit_of_a_figure_decides_nothing(values: list[float], ours: float, factor: float) -> None:
    verdicts = [judged(LOWER, ours, values), judged(LOWER, ours * factor, [each * factor for each in values])]
    lows = [verdict.evidence.low for verdict in verdicts if verdict.evidence is not None]
    assert lows[0] == (None if lows[1] is None else pytest.approx(lows[1], rel=1e-6, abs=1e-6))


@given(values=st.lists(st.floats(1, 1e3), min_size=2, max_size=12), ours=st.one_of(VALUES, st.just(NEVER)))
def test_every_verdict_has_a_sentence_and_finite_evidence(values: list[float], ours: float) -> None:
    for gate in (LOWER, HIGHER, FLOORED):
        verdict = judged(gate, ours, values)
        assert verdict.because
        assert "nan" not in verdict.because + verdict.remedy
        assert "inf" not in verdict.because + verdict.remedy
        evidence = verdict.evidence
        assert evidence is not None
        assert all(each is None or math.isfinite(each) for each in (evidence.observed, evidence.low, evidence.high))


def test_eight_runs_without_one_bad_request_do_not_make_two_bad_ones_a_regression() -> None:
    strict = Gate("goodput", Change(0.005))
    assert judged(strict, 0.99, [1.0] * 8, log_error=0.007).status is Status.INCONCLUSIVE
    assert judged(strict, 0.90, [1.0] * 8, log_error=0.02).status is Status.FAIL
    assert judged(strict, 1.0, [1.0] * 8, log_error=0.0).status is Status.PASS
