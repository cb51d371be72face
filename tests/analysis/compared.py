"""Steps and runs to compare, with figures that are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from llmload.analysis.comparison import ComparedRun
from llmload.analysis.stats import clopper_pearson
from llmload.baseline import Estimate, Estimates
from llmload.domain import StepMetrics, StepResult
from llmload.latency import LatencySummary
from llmload.planned import Step
from llmload.verdict import Caveat, Status

FIGURES = {"p50(ttft)": 100.0, "p95(tpot)": 20.0, "output_tps": 500.0}


def estimates(values: Mapping[str, float], log_error: float | None = 0.01) -> Estimates:
    return {name: Estimate(value, log_error) for name, value in values.items()}


def metrics(n: int = 400, *, goodput: float = 1.0, errors: int = 0, worth: float | None = None) -> StepMetrics:
    """A step of `n` requests that are worth `worth` independent ones (as many, by default)."""
    bounds = clopper_pearson(goodput * (worth or n), worth or n, 0.05)
    return StepMetrics(
        window_s=10.0,
        attempts=n,
        ok=n - errors,
        good=round(goodput * n),
        cancelled=0,
        dropped=0,
        planned=None,
        goodput=goodput,
        goodput_low=bounds.low,
        goodput_high=bounds.high,
        goodput_rps=goodput * n / 10,
        error_rate=errors / n,
        rps=n / 10,
        output_tps=None,
        total_tps=None,
        input_tokens=None,
        output_tokens=None,
        cached_tokens=None,
        failed_output_tokens=None,
        latency={"ttft": LatencySummary(n - errors, 0, 55.0, 40.0, 90.0, 50.0, 70.0, 80.0, 88.0)},
        histograms={},
        errors={},
        token_sources={"usage": n - errors},
        shared_reads=None,
    )


def step(
    figures: Estimates | None = None,
    *,
    concurrency: float = 8,
    repeats: Sequence[Estimates] = (),
    of: StepMetrics | None = None,
    caveats: Sequence[Caveat] = (),
) -> StepResult:
    told = estimates(FIGURES) if figures is None else figures
    level = Step(0, "concurrency", concurrency)
    return StepResult(level, (), of or metrics(), (), tuple(caveats), estimates=told, repeats=tuple(repeats))


def run(*steps: StepResult, name: str = "run", fingerprint: Mapping[str, str] | None = None) -> ComparedRun:
    told = {"gpu": "L4", "model": "tiny"} if fingerprint is None else fingerprint
    return ComparedRun(name, name, "chat", "2026-11-21T00:00:00.000Z", Status.PASS, told, steps)


def around(value: float, cv: float, count: int) -> list[float]:
    """`count` values whose logarithms have this mean and this standard deviation."""
    places = [2 * place / (count - 1) - 1 for place in range(count)]
    spread = math.sqrt(sum(place**2 for place in places) / (count - 1))
    return [value * math.exp(cv * place / spread) for place in places]
