"""What `result.json` tells of load and hardware: the SLO, the knee, the GPUs, the profile, the recommendation."""

from __future__ import annotations

from dataclasses import asdict

from llmload.capacity import Knee, LoadResults, Profile, Recommendation
from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters.step_document import Json, foreign, number
from llmload.timeline import GpuSeries

_ELSEWHERE = frozenset(("run_id", "created", "scenario", "framework", "version", "model", "settings", "traffic", "slo"))
"""What the document tells of the run, its target and its SLO already, and the workload, which it names nowhere."""


def capacity_document(run: RunResult) -> dict[str, Json]:
    """Fields of the document, by name. Of a GPU only means and peaks: its samples lie in the store."""
    return {
        "profile": None if run.profile is None else _profile(run.profile),
        "slo": None if run.slo is None else foreign(asdict(run.slo)),
        **_slo_by_class(run),
        "knee": None if run.knee is None else _knee(run.knee),
        "gpus": [_gpu(gpu) for gpu in run.gpus],
        "recommendation": None if run.recommendation is None else recommendation_document(run.recommendation),
    }


def _slo_by_class(run: RunResult) -> dict[str, Json]:
    """Only where classes of traffic have SLOs of their own."""
    if not run.slo_by_class:
        return {}
    return {"slo_by_class": {plain(name): foreign(asdict(slo)) for name, slo in run.slo_by_class.items()}}


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
    """Demand, measurement, advice and what it rests on; "recommendation" is null where there can be none."""
    advice = recommendation.advice
    return {
        "headline": plain(recommendation.headline),
        "workload": foreign(asdict(recommendation.workload)),
        "current_infra": foreign(asdict(recommendation.current_infra)),
        "recommendation": None if advice is None else foreign(asdict(advice)),
        "test_results": None if recommendation.test_results is None else _test_results(recommendation.test_results),
        "hints": [foreign(asdict(hint)) for hint in recommendation.hints],
        "alternatives": [foreign(asdict(each)) for each in recommendation.alternatives],
    }


def _test_results(results: LoadResults) -> Json:
    point = results.saturation_point
    return {
        "concurrency_results": [{**asdict(each), "status": each.status.value} for each in results.concurrency_results],
        "saturation_point": None if point is None else foreign(asdict(point)),
    }


def _profile(profile: Profile) -> Json:
    """The installation and what it carries; what the run is and what was sent to it stands elsewhere."""
    told = {name: foreign(value) for name, value in asdict(profile).items() if name not in _ELSEWHERE}
    return {**told, "replicas": profile.replicas}
