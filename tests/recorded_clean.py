"""A recorded run in which all is well: a ladder past its knee, two GPUs and a recommendation. Fixed values."""

from __future__ import annotations

from dataclasses import replace

from llmload.capacity import Interval, Knee
from llmload.domain import RunHeader, RunResult, StepResult, TargetFacts, TokenFit, TokenSource
from llmload.samples import Source
from llmload.verdict import Status
from tests.recorded_advice import ANALYSIS, capacity_of, profile, recommendation
from tests.recorded_series import busy_gpu, idle_gpu, timeline_of
from tests.recorded_serving import agreeing_checks, gpu_figures, healthy_server, server_series
from tests.recorded_steps import SLO, metrics_of, passing_step


def _step_past(index: int, concurrency: int, good: int, goodput: Interval) -> StepResult:
    """A step of 800 requests that no gate but the one of throughput speaks of; so many of them are good."""
    ttft_ms, tpot_ms, output_tps = _LATE[concurrency]
    metrics = metrics_of(800, ttft_ms, tpot_ms, output_tps)
    share, rate = good / metrics.attempts, good / (metrics.window_s or 1.0)
    return passing_step(
        index,
        concurrency,
        replace(
            metrics,
            good=good,
            goodput=share,
            goodput_low=goodput.low,
            goodput_high=goodput.high,
            goodput_rps=round(rate, 6),
        ),
    )


_LATE = {120: (236.0, 25.5, 4310.0), 160: (430.0, 34.2, 4236.0)}

_MEASURED = (
    passing_step(0, 1, metrics_of(100, 18.25, 8.12, 118.4)),
    passing_step(1, 8, metrics_of(200, 24.9, 8.93, 842.75)),
    passing_step(2, 32, metrics_of(400, 61.0, 11.4, 2604.0)),
    passing_step(3, 64, metrics_of(400, 118.0, 15.9, 3705.0)),
    _step_past(4, 120, 791, Interval(0.9805, 0.9937)),
    _step_past(5, 160, 577, Interval(0.6941, 0.7473)),
)
_TIMELINE = timeline_of(_MEASURED, bin_s=1.0)
_GPUS = (busy_gpu(_TIMELINE, 70), idle_gpu(_TIMELINE, 70))
_STEPS = tuple(
    replace(
        step,
        gpu=gpu_figures(span, _GPUS, step.metrics.attempts * 128),
        server=healthy_server(step),
        checks=agreeing_checks(step),
        capacity=capacity_of(step),
    )
    for step, span in zip(_MEASURED, _TIMELINE.spans, strict=True)
)

_PROFILE = profile(_STEPS)

CLEAN = RunResult(
    header=RunHeader(
        run_id=_PROFILE.run_id,
        scenario=_PROFILE.scenario,
        created=_PROFILE.created,
        version="0.1.0",
        document_text="apiVersion: llmload/v1\n",
        document_hash="5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        resolved="{}",
        source="scenarios/quickstart.yaml",
        labels={"team": "serving", "tier": "pr"},
        environment={"python": "3.11.9", "platform": "Linux-x86_64", "cpus": "2"},
    ),
    finished="2026-03-01T09:34:31.402Z",
    target=TargetFacts(
        url="http://127.0.0.1:8000",
        framework="vllm",
        api="chat",
        model="qwen3-14b",
        version="0.9.1",
        max_model_len=8192,
        fit=TokenFit(4.0, 1.25, 0.004, TokenSource.USAGE),
        settings={"gpu_memory_utilization": 0.9, "max_num_seqs": 256, "quantization": None},
        declared=("max_num_seqs",),
    ),
    steps=_STEPS,
    status=Status.PASS,
    exit_code=0,
    because="Every gate holds",
    fingerprint={
        "framework": "vllm 0.9.1",
        "load": "concurrency [1, 8, 32, 64, 120, 160]",
        "model": "qwen3-14b",
        "workload": "9c1f",
    },
    findings=(),
    caveats=(),
    notices=("line 4: vllm_config is deprecated; write framework: vllm and framework_config.",),
    slo=SLO,
    knee=Knee("concurrency", at_slo=120, saturation=160, target=0.95),
    timeline=_TIMELINE,
    gpus=_GPUS,
    server=server_series(_TIMELINE, Source.METRICS, most_running=128.0),
    recommendation=recommendation(_STEPS),
    profile=_PROFILE,
    analyses=(ANALYSIS,),
)
