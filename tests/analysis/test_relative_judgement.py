"""A whole run against a baseline: verdicts to exit codes, and what the run says of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from llmload.analysis.judgement import judge
from llmload.baseline import (
    Baseline,
    Design,
    Difference,
    Estimate,
    Estimates,
    Incomparable,
    NoBaseline,
    PastRun,
    Reference,
)
from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.promises import Change, Gate, Level
from llmload.scenario.asked import Policy, Scenario
from llmload.verdict import Status
from tests.analysis.builders import FACTS, GOODPUT_95, HEADER, good_and_bad, paced, scenario, window
from tests.analysis.test_strategy import observed

TTFT = Gate("ttft", Change(0.05), "p50")
WARNED = replace(TTFT, level=Level.WARN)
LABEL = "concurrency 8"
ABSENT = NoBaseline("no baseline of this scenario is committed", "Record one with `llmload baseline update`")
OTHER = Incomparable("reports/baselines/test.json", (Difference("gpu", "H100", "A100"),))

SAME, SLOWER, NEAR = 50.0, 60.0, 52.5
GOOD = good_and_bad(200, 0)


def estimates(ttft: float) -> Estimates:
    """A run of the baseline."""
    return {"p50(ttft)": Estimate(ttft, 0.01)}


def runs(count: int, spread: float = 0.01) -> Baseline:
    """Earlier runs around a p50 of 50 ms."""
    past = tuple(
        PastRun(f"id-{i}", "2026-11-01T00:00:00.000Z", "", {LABEL: estimates(50 * math.exp(spread * ((i % 3) - 1)))})
        for i in range(count)
    )
    return Baseline("reports/baselines/test.json", "test", {}, past)


def asked(*gates: Gate, policy: Policy = "warn", missing: Policy = "warn", other: Policy = "warn") -> Scenario:
    """One look of 200 requests."""
    plain = scenario(*gates, max_requests=200, on_inconclusive=policy)
    return replace(plain, decision=replace(plain.decision, on_missing_baseline=missing, on_incomparable=other))


def run(wanted: Scenario, reference: Reference, ttft: float = SAME) -> RunResult:
    """Judge a run with this median TTFT."""
    records = paced([ttft + 0.01 * (i % 5 - 2) for i in range(200)])
    observations = observed(wanted, records)
    return judge(HEADER, wanted, FACTS, observations, finished="later", refer=lambda _: reference)


@pytest.mark.parametrize(
    ("result", "status", "exit_code"),
    [
        pytest.param(run(asked(TTFT), runs(9)), Status.PASS, 0, id="as before"),
        pytest.param(run(asked(TTFT), runs(9), SLOWER), Status.FAIL, 3, id="a regression"),
        pytest.param(run(asked(WARNED), runs(9), SLOWER), Status.PASS, 0, id="a regression of a warn-level gate"),
        pytest.param(run(asked(TTFT), runs(9), NEAR), Status.INCONCLUSIVE, 0, id="undecided, policy warn"),
        pytest.param(
            run(asked(TTFT, policy="fail"), runs(9), NEAR), Status.INCONCLUSIVE, 4, id="undecided, policy fail"
        ),
        pytest.param(run(asked(TTFT), ABSENT), Status.INCOMPARABLE, 0, id="no baseline, policy warn"),
        pytest.param(run(asked(TTFT, missing="fail"), ABSENT), Status.INCOMPARABLE, 4, id="no baseline, policy fail"),
        pytest.param(run(asked(TTFT, other="fail"), ABSENT), Status.INCOMPARABLE, 0, id="no baseline, another policy"),
        pytest.param(run(asked(TTFT), OTHER), Status.INCOMPARABLE, 0, id="incomparable, policy warn"),
        pytest.param(run(asked(TTFT, other="fail"), OTHER), Status.INCOMPARABLE, 4, id="incomparable, policy fail"),
        pytest.param(
            run(asked(TTFT, missing="fail"), OTHER), Status.INCOMPARABLE, 0, id="incomparable, another policy"
        ),
        pytest.param(run(asked(TTFT, policy="fail"), runs(5), SLOWER), Status.PASS, 0, id="five runs never fail"),
        pytest.param(run(asked(TTFT, policy="fail"), runs(1), SLOWER), Status.PASS, 0, id="one run never fails"),
        pytest.param(run(asked(TTFT), replace(runs(1), runs=())), Status.INCOMPARABLE, 0, id="a baseline without runs"),
        pytest.param(
            run(asked(TTFT, GOODPUT_95, missing="fail"), ABSENT, 200.0),
            Status.FAIL,
            3,
            id="a broken SLO over no baseline",
        ),
    ],
)
def test_the_outcome_of_a_run_with_relative_gates_is_its_exit_code(
    result: RunResult, status: Status, exit_code: int
) -> None:
    assert (result.status, result.exit_code) == (status, exit_code), result.because


def test_a_run_without_the_figure_could_not_measure() -> None:
    wanted = asked(replace(TTFT, subject="tpot"))
    observations = observed(wanted, [replace(record, output_tokens=1) for record in GOOD])
    result = judge(HEADER, wanted, FACTS, observations, finished="later", refer=lambda _: runs(9))
    assert (result.status, result.exit_code) == (Status.ERROR, 5)
    assert [verdict.kind for verdict in result.verdicts] == ["NoData"]


@pytest.mark.parametrize(
    ("gates", "count", "ttft", "because"),
    [
        pytest.param(
            [TTFT],
            5,
            SAME,
            "No gate here can break a build; 1 of 1 verdict only advisory: p50(ttft) within",
            id="alone",
        ),
        pytest.param(
            [GOODPUT_95, TTFT],
            5,
            SLOWER,
            "Every binding gate holds; 1 of 2 verdicts only advisory: p50(ttft) within 5% of baseline at concurrency 8:"
            " p50(ttft) was 60ms, the 5 baseline runs had 49.9ms in the middle: 20.2% worse",
            id="beside one that binds",
        ),
        pytest.param(
            [GOODPUT_95, TTFT], 1, SAME, "Every binding gate holds; 1 of 2 verdicts only advisory", id="one run"
        ),
        pytest.param([GOODPUT_95, TTFT], 9, SAME, "Every gate holds", id="nine runs"),
    ],
)
def test_what_is_only_advisory_is_said_loudly(gates: Sequence[Gate], count: int, ttft: float, because: str) -> None:
    result = run(asked(*gates), runs(count), ttft)
    assert result.because.startswith(because), result.because
    assert (result.because == "Every gate holds") == (count >= 8)


def test_the_worst_advice_is_told_first_and_beside_what_is_open() -> None:
    mean = replace(TTFT, stat="mean")
    past = [replace(each, steps={LABEL: {**each.steps[LABEL], "mean(ttft)": Estimate(60.0)}}) for each in runs(5).runs]
    result = run(asked(mean, TTFT), replace(runs(5), runs=tuple(past)), SLOWER)
    assert "2 of 2 verdicts only advisory: p50(ttft)" in result.because
    undecided = good_and_bad(190, 10)
    wanted = asked(GOODPUT_95, TTFT)
    open_too = judge(HEADER, wanted, FACTS, observed(wanted, undecided), finished="later", refer=lambda _: runs(5))
    assert open_too.status is Status.INCONCLUSIVE
    told = "; 1 of 2 verdicts only advisory, at worst pass: p50(ttft) within 5% of baseline at concurrency 8"
    assert open_too.because.endswith(told), open_too.because
    assert plain(open_too.because) == open_too.because  # reporters cut what is longer


def test_who_has_no_relative_gate_is_not_asked_for_a_baseline() -> None:
    def refer(_: Mapping[str, str]) -> Reference:
        raise AssertionError("nobody should look")

    wanted = asked(GOODPUT_95)
    result = judge(HEADER, wanted, FACTS, observed(wanted, GOOD), finished="later", refer=refer)
    assert result.reference is None


def test_climbs_are_judged_in_pairs_each_against_the_run_beside_it() -> None:
    wanted = asked(TTFT)
    climbs = [
        replace(window(paced([60.0 + i + 0.01 * (j % 5) for j in range(200)]), number=i), look=look)
        for i, look in ((i, replace(window(GOOD, number=i).look, repeat=i)) for i in range(4))
    ]
    past = tuple(replace(each, steps={LABEL: estimates(50.0 + i)}) for i, each in enumerate(runs(4).runs))
    paired = replace(runs(4), runs=past, design=Design.PAIRED)
    result = judge(HEADER, wanted, FACTS, climbs, finished="later", refer=lambda _: paired)
    assert (result.status, result.exit_code) == (Status.FAIL, 3)
    assert "in the middle of 4 runs, 51.49ms in those measured in turn with them: 19.5% worse" in result.because
    assert result.reference == paired
