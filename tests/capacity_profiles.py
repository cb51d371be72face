"""Profiles for tests: one GPU model at a time, with a load that it carries. Fixed values."""

from __future__ import annotations

from collections.abc import Mapping

from llmload.capacity import Carried, Profile, SaturationPoint
from llmload.promises import Slo

_INTERACTIVE = Slo(ttft_ms=500.0, tpot_ms=50.0)


def profile(
    run_id: str = "20260301T080000-own0",
    *,
    created: str = "2026-03-01T08:00:00.000Z",
    gpu: str | None = "NVIDIA H100",
    carries: float | None = 120.0,
    gpu_count: int | None = 1,
    gpus_per_replica: int = 1,
    model: str = "qwen3-14b",
    framework: str = "vllm",
    settings: Mapping[str, str] | None = None,
    traffic: str = '{"input_tokens":256}',
    slo: Slo = _INTERACTIVE,
    output_tps: float | None = 2400.0,
) -> Profile:
    """A plain profile; `carries` None: no load that was measured surely holds the SLO."""
    carried = None
    if carries is not None:
        low, high = (None, None) if output_tps is None else (0.9 * output_tps, 1.1 * output_tps)
        carried = Carried(carries, 0.98, 0.96, 0.99, output_tps, low, high, 4000.0)
    return Profile(
        run_id=run_id,
        created=created,
        scenario="quickstart",
        framework=framework,
        version="0.9.1",
        model=model,
        gpu_model=gpu,
        gpu_count=gpu_count,
        gpu_memory_gb=80.0,
        gpus_per_replica=gpus_per_replica,
        tensor_parallelism=gpus_per_replica,
        settings={"max_num_seqs": "256"} if settings is None else settings,
        traffic=traffic,
        slo=slo,
        goodput_target=0.95,
        confidence=0.95,
        at_slo=carried,
        fails_at=None if carries is None else 1.5 * carries,
        saturation=None if carries is None else SaturationPoint(2 * carries, output_tps, 60.0),
    )
