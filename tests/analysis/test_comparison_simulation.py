"""Comparisons of simulated windows, from requests to verdicts: noise is no difference, and a slower server is one."""

from __future__ import annotations

import numpy as np

from llmload.analysis.comparison import ComparedRun, Comparison, Contrast, compare
from llmload.analysis.estimates import estimates_of
from llmload.analysis.folded import fold
from llmload.analysis.metrics import measure_folded
from llmload.domain import StepResult
from llmload.verdict import Status
from tests.analysis.builders import SLO, STEP, request, window


def measured(chance: np.random.Generator, slower: float = 1.0) -> ComparedRun:
    """400 requests, 20 ms apart, with a median TTFT of 60 ms and TPOT of 10 ms."""
    records = [
        request(
            seq,
            at_ms=20 * seq,
            ttft_ms=slower * 60 * float(np.exp(0.3 * chance.normal())),
            tpot_ms=slower * 10 * float(np.exp(0.1 * chance.normal())),
        )
        for seq in range(400)
    ]
    folded = fold([window(records)])
    metrics = measure_folded(folded, SLO)
    step = StepResult(STEP, (), metrics, (), (), estimates=estimates_of(folded, metrics, SLO))
    return ComparedRun("", "", "", "", Status.PASS, {}, (step,))


def figures(comparison: Comparison, contrast: Contrast) -> set[str]:
    return {row.figure for row in comparison.rows if row.cells[0].contrast is contrast}


def test_windows_of_one_server_do_not_differ() -> None:
    chance = np.random.default_rng(1)
    compared = [compare([measured(chance), measured(chance)]) for _ in range(30)]
    assert sum(each.is_different for each in compared) <= 1
    assert sum("p50(tpot)" in figures(each, Contrast.SAME) for each in compared) >= 25


def test_a_server_that_is_30_percent_slower_is_worse() -> None:
    chance = np.random.default_rng(2)
    compared = [compare([measured(chance), measured(chance, 1.3)]) for _ in range(15)]
    assert all(figures(each, Contrast.WORSE) >= {"p50(ttft)", "p50(tpot)", "mean(e2e)"} for each in compared)
    assert not any(figures(each, Contrast.BETTER) for each in compared)
