"""What `result.json` tells of load and hardware: the SLO, the knee, the GPUs, the recommendation."""

from __future__ import annotations

from dataclasses import asdict

from llmload.capacity import Knee, Recommendation
from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters.step_document import Json, foreign, number
from llmload.timeline import GpuSeries


def capacity_document(run: RunResult) -> dict[str, Json]:
    """Fields of the document, by name. Of a GPU only means and peaks: its samples lie in the store."""
    return {
        "slo": None if run.slo is None else foreign(asdict(run.slo)),
        "knee": None if run.knee is None else _knee(run.knee),
        "gpus": [_gpu(gpu) for gpu in run.gpus],
        "recommendation": None if run.recommendation is None else recommendation_document(run.recommendation),
    }


def _knee(knee: Knee) -> Json:
    """The loads in the unit of the axis, and by the names that capacity goes by where they are concurrencies."""
    at_slo, saturation = number(knee.at_slo), number(knee.saturation)
    is_concurrency = knee.axis == "concurrency"
    return {
        "axis": knee.axis,
        "target": number(knee.target),
        "at_slo": at_slo,
        "saturation": saturation,
        "max_concurrency_at_slo": at_slo if is_concurrency else None,
        "saturation_concurrency": saturation if is_concurrency else None,
    }


def _gpu(gpu: GpuSeries) -> Json:
    return {
        "index": gpu.index,
        "name": plain(gpu.name),
        "uuid": plain(gpu.uuid),
        "memory_total_bytes": gpu.memory_total_bytes,
        "power_limit_w": number(gpu.power_limit_w),
        "mean_utilisation": number(gpu.mean_utilisation),
        "peak_memory_bytes": gpu.peak_memory_bytes,
        "peak_temperature_c": number(gpu.peak_temperature_c),
        "mean_power_w": number(gpu.mean_power_w),
        "energy_j": number(gpu.energy_j),
        "driver": None if gpu.driver is None else plain(gpu.driver),
        "mig": None if gpu.mig is None else plain(gpu.mig),
    }


def recommendation_document(recommendation: Recommendation) -> Json:
    """Demand, measurement and advice; "recommendation" is null where there can be none."""
    advice = recommendation.advice
    return {
        "headline": plain(recommendation.headline),
        "workload": foreign(asdict(recommendation.workload)),
        "current_infra": foreign(asdict(recommendation.current_infra)),
        "recommendation": None if advice is None else foreign(asdict(advice)),
    }
