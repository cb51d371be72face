"""What the recorded clean run advises: five GPUs for a demand, from its own steps; and what a model wrote about it."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from llmload.capacity import (
    Advice,
    Alternative,
    Carried,
    CurrentInfra,
    Demand,
    Hint,
    Interval,
    LoadResults,
    MeasuredLoad,
    Profile,
    Recommendation,
    SaturationPoint,
)
from llmload.domain import StepResult
from llmload.promises import Bound, Gate, Level
from llmload.verdict import Evidence, Status, Verdict
from llmload.written_analysis import Close, WrittenAnalysis
from tests.recorded_steps import SLO

_GATE = Gate("goodput", Bound(">=", 0.95), level=Level.WARN, id="capacity")
_SETTINGS = {"gpu_memory_utilization": "0.9", "max_num_seqs": "256"}
_HOLDS, _BREAKS = 120.0, 160.0
_USD = 2.5
"""Of one NVIDIA H100 for an hour."""


def capacity_of(result: StepResult) -> Verdict:
    """Whether the goodput of a step surely reaches what is asked of a load that counts as carried."""
    metrics = result.metrics
    low, high = metrics.goodput_low or 0.0, metrics.goodput_high or 0.0
    seen = Evidence(metrics.goodput, 0.95, low, high, metrics.attempts, 1.2, metrics.attempts / 1.2, 0.95, 1)
    good = f"{metrics.good} of {metrics.attempts} requests good ({floor(1e4 * (metrics.goodput or 0)) / 100:g}%)"
    if low >= 0.95:
        sure = f"at 95% confidence at least {floor(low * 1e4) / 100:g}% are, 95% wanted"
        return Verdict(_GATE, result.step.label, Status.PASS, f"{good}; {sure}", evidence=seen)
    sure = f"at 95% confidence at most {high * 100:.4g}% are, 95% wanted"
    remedy = "Lower the load, or give the server more capacity"
    return Verdict(_GATE, result.step.label, Status.FAIL, f"{good}; {sure}", remedy, "SloViolation", seen)


def profile(steps: Sequence[StepResult]) -> Profile:
    """The installation that was measured."""
    metrics = _step_at(_HOLDS, steps).metrics
    return Profile(
        run_id="01JZK3V9Q8R7T6W5X4Y3Z2A1B0",
        created="2026-03-01T09:30:00.000Z",
        scenario="quickstart",
        framework="vllm",
        version="0.9.1",
        model="qwen3-14b",
        gpu_model="NVIDIA H100",
        gpu_count=1,
        gpu_memory_gb=80,
        gpus_per_replica=1,
        tensor_parallelism=1,
        settings=_SETTINGS,
        traffic='{"input_tokens":256,"output_tokens":128,"prompts":"synthetic"}',
        slo=SLO,
        goodput_target=0.95,
        confidence=0.95,
        at_slo=Carried(
            concurrency=_HOLDS,
            goodput=metrics.goodput,
            goodput_low=metrics.goodput_low,
            goodput_high=metrics.goodput_high,
            output_tps=metrics.output_tps,
            output_tps_low=4180,
            output_tps_high=4440,
            mean_e2e_ms=metrics.latency["e2e"].mean_ms,
        ),
        fails_at=_BREAKS,
        saturation=_saturation(steps),
        usd_per_hour=_USD,
    )


def recommendation(steps: Sequence[StepResult]) -> Recommendation:
    """What follows from the steps for a peak of 500: 500 × 1.2 / 120 = 5."""
    return Recommendation(
        headline="For DAU 400,000 and a peak of 500 concurrent users, qwen3-14b needs 5 × NVIDIA H100.",
        workload=Demand(
            peak_concurrency=500,
            requests_per_user_per_day=20,
            avg_input_tokens=256,
            avg_output_tokens=128,
            ttft_target_ms=500,
            tpot_target_ms=50,
            goodput_target_percent=95,
            daily_active_users=400_000,
            expected_peak=400_000 * 20 / 86_400 * 1.4 * 3.64,
        ),
        current_infra=CurrentInfra(
            gpu_model="NVIDIA H100",
            gpu_count=1,
            gpu_memory_gb=80,
            max_concurrency_at_slo=_HOLDS,
            throughput_tokens_per_sec=4310,
            goodput_at_max_concurrency=98.875,
            saturation_concurrency=_BREAKS,
            saturation_goodput=72.125,
        ),
        advice=_advice(),
        test_results=LoadResults(tuple(_measured(step) for step in steps), _saturation(steps)),
        hints=_HINTS,
        alternatives=_ALTERNATIVES,
    )


def _advice() -> Advice:
    return Advice(
        recommended_gpu="NVIDIA H100",
        recommended_count=5,
        tensor_parallelism=1,
        estimated_max_concurrency=600,
        estimated_goodput=98.875,
        estimated_throughput=21_550,
        headroom_percent=20,
        calculation_formula="ceil(500 × (1 + 0.2) / 120) = 5 replicas × 1 GPU = 5",
        reasoning=(
            "120 in flight is the heaviest load that surely holds the SLO: 98.87% of requests are good there, at least"
            " 98.05% at 95% confidence. At 160 it surely breaks"
        ),
        estimated_monthly_cost_usd=5 * _USD * 730,
        intervals={
            "estimated_goodput": Interval(98.05, 99.37),
            "estimated_max_concurrency": Interval(600, 800),
            "estimated_throughput": Interval(20_900, 22_200),
            "recommended_count": Interval(4, 5),
            "estimated_monthly_cost_usd": Interval(4 * _USD * 730, 5 * _USD * 730),
            "cost_per_million_tokens_usd": Interval(_per_million(22_200), _per_million(20_900)),
        },
        replicas=5,
        gpus_per_replica=1,
        usd_per_gpu_hour=_USD,
        cost_per_million_tokens_usd=_per_million(21_550),
    )


def _per_million(tps: float) -> float:
    """USD for a million output tokens of the five GPUs."""
    return 5 * _USD / (tps * 3600) * 1e6


def _measured(result: StepResult) -> MeasuredLoad:
    metrics, latency = result.metrics, result.metrics.latency
    goodput, low, high = (100 * (each or 0.0) for each in (metrics.goodput, metrics.goodput_low, metrics.goodput_high))
    return MeasuredLoad(
        concurrency=result.step.value,
        status=capacity_of(result).status,
        requests=metrics.attempts,
        goodput_percent=goodput,
        goodput_low_percent=low,
        goodput_high_percent=high,
        throughput_tokens_per_sec=metrics.output_tps,
        ttft_p95_ms=latency["ttft"].p95_ms,
        tpot_p95_ms=latency["tpot"].p95_ms,
        e2e_mean_ms=latency["e2e"].mean_ms,
    )


def _saturation(steps: Sequence[StepResult]) -> SaturationPoint:
    metrics = _step_at(_BREAKS, steps).metrics
    return SaturationPoint(_BREAKS, metrics.output_tps, 100 * (metrics.goodput or 0.0))


def _step_at(load: float, steps: Sequence[StepResult]) -> StepResult:
    return next(each for each in steps if each.step.value == load)


_HINTS = (
    Hint(
        "demand",
        "400,000 daily users make about 472 requests in flight at the busiest time, which agrees with the peak of 500",
    ),
    Hint(
        "bound",
        "Bound by the memory of the KV cache at concurrency 160: up to 94.7% full, up to 32 requests waiting",
    ),
    Hint("setting", "Try a gpu_memory_utilization above 0.9: the KV cache is up to 94.7% full at concurrency 160"),
    Hint("cost", "9 × NVIDIA L40S would do the same for 7,227 USD a month instead of 9,125"),
)

_ALTERNATIVES = (
    Alternative(
        gpu_model="NVIDIA L40S",
        count=9,
        replicas=9,
        gpus_per_replica=1,
        settings=_SETTINGS,
        max_concurrency_at_slo=70,
        estimated_throughput=16_290,
        calculation_formula="ceil(500 × (1 + 0.2) / 70) = 9 replicas × 1 GPU = 9",
        run_id="01JZ9Q0M3H1B8C5N7P2R4S6T0V",
        measured="2026-02-12T14:05:00.000Z",
        usd_per_gpu_hour=1.1,
        estimated_monthly_cost_usd=9 * 1.1 * 730,
        cost_per_million_tokens_usd=9 * 1.1 / (16_290 * 3600) * 1e6,
    ),
    Alternative(
        gpu_model="NVIDIA A100-SXM4-80GB",
        count=8,
        replicas=4,
        gpus_per_replica=2,
        settings={**_SETTINGS, "tensor_parallel_size": "2"},
        max_concurrency_at_slo=160,
        estimated_throughput=None,
        calculation_formula="ceil(500 × (1 + 0.2) / 160) = 4 replicas × 2 GPUs = 8",
        run_id="01JZ5D7E9F2G4H6J8K0M1N3P5Q",
        measured="2026-02-03T08:20:00.000Z",
    ),
)

ANALYSIS = WrittenAnalysis(
    model="qwen3-14b",
    server="http://127.0.0.1:8000",
    created="2026-03-01T09:41:07.000Z",
    language="en",
    text=(
        "The server keeps its promise up to 120 requests in flight: 98.87% of requests are good there, and output"
        " throughput has reached 4,310 tok/s.\n\n"
        "Beyond that it saturates. At 160 in flight throughput falls to 4,236 tok/s, p95 TPOT rises to 51.3 ms, which"
        " is over the 50 ms that were asked, and only 72.12% of requests are good.\n\n"
        "What to do:\n"
        "- Keep no more than 120 requests in flight on one GPU.\n"
        "- Plan with 5 GPUs for the peak of 500; that leaves about 17.5% in reserve."
    ),
    close=Close.WHOLE,
    unknown_figures=("17.5%",),
)
"""As a model writes: paragraphs, a list, and a figure that is nowhere in the result."""
