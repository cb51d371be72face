"""The tables of `ab` and `calibrate`, on a terminal of 80 columns."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from llmload.analysis.calibration import calibration_of
from llmload.analysis.pairs import paired_figures, paired_with
from llmload.baseline import Design, Estimate, Estimates
from llmload.domain import RunResult
from llmload.promises import Change, Gate
from llmload.reporters.pair_tables import render_calibration, render_pairs
from llmload.verdict import Caveat, Status, Verdict
from tests.recorded_runs import CLEAN

GATE = Gate("e2e", Change(0.05), "p99")
LATE = Caveat("the client was late", "9 ms", "Try again", is_fatal=True)


def climb(factor: float, error_rate: float = 0.0) -> Estimates:
    figures = {"p50(ttft)": 20.0, "p99(e2e)": 1200.0, "goodput": 0.98 / factor, "output_tps": 500.0 / factor}
    return {
        **{name: Estimate(value * (factor if "(" in name else 1)) for name, value in figures.items()},
        "error_rate": Estimate(error_rate),
    }


def side(*factors: float, caveats: tuple[Caveat, ...] = ()) -> RunResult:
    repeats = tuple(climb(factor) for factor in factors)
    verdict = Verdict(GATE, "concurrency 1", Status.FAIL, "slower")
    step = replace(
        CLEAN.steps[0],
        estimates=climb(sum(factors) / len(factors)),
        repeats=repeats,
        verdicts=(verdict,),
        caveats=caveats,
    )
    return replace(CLEAN, steps=(step,))


def shown(a: RunResult, b: RunResult) -> list[str]:
    out = io.StringIO()
    render_pairs(paired_figures(a, b, 0.95), 0.95, Console(file=out, width=80))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_b_stands_beside_a_with_the_change_and_how_sure_it_is() -> None:
    lines = shown(side(1.0, 1.02, 0.98), side(1.1, 1.12, 1.08))
    assert lines[0] == "B against A at concurrency 1, 3 pairs, each bound at 95% confidence"
    told = {line.split()[0]: line for line in lines[2:] if line}
    assert told["p99(e2e)"].split("  ")[0] == "p99(e2e)"
    assert "+10.0%" in told["p99(e2e)"]
    assert told["p99(e2e)"].endswith("fail")
    assert told["p50(ttft)"].endswith("not judged")
    assert "-9.1%" in told["output_tps"]
    assert "n/a" in told["error_rate"]
    assert all(len(line) <= 80 for line in lines)


def test_one_pair_has_no_interval() -> None:
    lines = shown(side(1.0), side(1.1))
    assert "1 pair," in lines[0]
    assert "n/a" in next(line for line in lines if line.startswith("p50(ttft)"))


def test_an_invalid_step_is_not_compared() -> None:
    assert shown(side(1.0, 1.0, caveats=(LATE,)), side(1.0, 1.0)) == []


def test_the_climbs_of_a_are_the_runs_that_b_is_judged_against() -> None:
    found = paired_with(side(1.0, 1.02))
    assert found.design is Design.PAIRED
    assert [run.steps["concurrency 1"]["p50(ttft)"].value for run in found.runs] == pytest.approx([20.0, 20.4])
    assert paired_with(side(1.0, 1.02, caveats=(LATE,))).runs == ()


def test_a_calibration_fits_a_terminal_with_every_margin() -> None:
    out = io.StringIO()
    found = calibration_of(side(1.0, 1.02, 0.98), side(1.01, 1.0, 0.99), 0.95)
    render_calibration(found, ["p99(e2e)"], Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert "the same server against itself, 3 pairs" in lines[0]
    row = next(line for line in lines if line.startswith("p99(e2e)"))
    assert len([cell for cell in row.split() if cell.endswith("%")]) == 7
    assert "error_rate" not in out.getvalue()


def test_two_pairs_that_say_the_opposite_have_no_bound_and_still_a_table() -> None:
    out = io.StringIO()
    found = paired_figures(side(1.0, 500.0), side(500.0, 1.0), 0.999)
    render_pairs(found, 0.999, Console(file=out, width=80))
    row = next(line for line in out.getvalue().splitlines() if line.startswith("p50(ttft)"))
    assert "n/a" in row
    assert "inf" not in row
