"""Steps of the recorded runs: fixed figures that fit together, and verdicts on them."""

from __future__ import annotations

from math import floor

from llmload.analysis.wording import figure, milliseconds
from llmload.domain import StepMetrics, StepResult, Workers
from llmload.planned import Look, Step
from llmload.promises import At, Bound, Gate, Level, Slo
from llmload.verdict import Evidence, Status, Verdict
from tests.recorded_latencies import histogram, summary


def metrics_of(requests: int, ttft_ms: float, tpot_ms: float, output_tps: float) -> StepMetrics:
    medians = {"ttft": ttft_ms, "tpot": tpot_ms, "itl": tpot_ms, "itl_max": 3 * tpot_ms, "e2e": ttft_ms + 128 * tpot_ms}
    medians["lag"] = 0.04
    window_s = round(requests * 128 / output_tps, 6)
    return StepMetrics(
        window_s=window_s,
        attempts=requests,
        ok=requests,
        good=requests,
        cancelled=0,
        dropped=0,
        planned=None,
        goodput=1.0,
        goodput_low=round(0.05 ** (1 / requests), 4),
        goodput_high=1.0,
        goodput_rps=round(requests / window_s, 6),
        error_rate=0.0,
        rps=round(requests / window_s, 6),
        output_tps=output_tps,
        total_tps=3 * output_tps,
        input_tokens=requests * 256,
        output_tokens=requests * 128,
        cached_tokens=0,
        failed_output_tokens=0,
        latency={name: summary(median, count=requests) for name, median in medians.items()},
        histograms={name: histogram(median, requests) for name, median in medians.items()},
        errors={},
        token_sources={"usage": requests},
        shared_reads=0.004,
    )


def looks_of(step: Step, *sizes: int) -> tuple[Look, ...]:
    return tuple(Look(step, number, size) for number, size in enumerate(sizes))


_GOODPUT = Gate("goodput", Bound(">=", 0.95), at=At("concurrency", "<=", 32), line=31)
_TTFT_TAIL = Gate("ttft", Bound("<=", 500.0), stat="p95", at=At("concurrency", "<=", 64), id="ttft-tail", line=32)
_THROUGHPUT = Gate("output_tps", Bound(">=", 100.0), line=36, level=Level.WARN)
_DEFF = 1.32
SLO = Slo(ttft_ms=500.0, tpot_ms=50.0)
"""What the clean runs ask of one request."""


def passing_step(index: int, concurrency: int, metrics: StepMetrics) -> StepResult:
    """A step in which every gate that speaks of it holds."""
    step = Step(index, "concurrency", concurrency)
    attempts = metrics.attempts
    least = round(0.05 ** (_DEFF / attempts), 4)
    in_time = Evidence(1.0, 0.95, least, 1.0, attempts, _DEFF, attempts / _DEFF, 0.95, 1)
    rate, n = metrics.output_tps or 0.0, f"{attempts} of {attempts} requests"
    sure = f"at 95% confidence at least {floor(least * 1e4) / 100:g}% are, 95% wanted"
    tail = milliseconds(metrics.latency["ttft"].p95_ms)
    low, middle, high = (figure(_THROUGHPUT, rate * share) for share in (0.97, 1.0, 1.03))
    steady = f"output_tps was {middle}; at 95% confidence between {low} and {high}, 100 tok/s wanted"
    speed = Evidence(rate, 100.0, rate * 0.97, rate * 1.03, 20, None, None, 0.95, 1)
    verdicts = (
        Verdict(_GOODPUT, step.label, Status.PASS, f"{n} good (100%); {sure}", evidence=in_time),
        Verdict(
            _TTFT_TAIL,
            step.label,
            Status.PASS,
            f"p95(ttft) was {tail}, {n} within 500ms (100%); {sure}",
            evidence=in_time,
        ),
        Verdict(_THROUGHPUT, step.label, Status.PASS, steady, evidence=speed),
    )
    here = tuple(v for v in verdicts if v.gate.at is None or v.gate.at.covers(step.axis, step.value))
    workers = Workers(
        1,
        f"{concurrency} streams of about 50 events/s make {50 * concurrency:,}/s, and a worker is given up to 25,000",
        round(0.004 * concurrency, 2),
    )
    return StepResult(step, looks_of(step, metrics.attempts), metrics, here, (), workers)
