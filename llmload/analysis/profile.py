"""What one run measured of an installation: the profile that demands are answered from (METRICS.md "Capacity")."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist

from llmload.capacity import Carried, Profile, SaturationPoint
from llmload.domain import RunResult, StepResult, TargetFacts
from llmload.scenario.asked import Scenario, Simulator
from llmload.timeline import GpuSeries
from llmload.verdict import Status

_AT_WORK = 0.05
"""Mean utilisation from which a GPU of the machine counts as one of the server's."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """The GPUs of the measured installation; None where nobody told."""

    model: str | None
    count: int | None
    memory_gb: float | None


def profile_of(run: RunResult, scenario: Scenario) -> Profile | None:
    """The profile that this run measured; None without a ladder of concurrencies, an SLO, or a server that answered."""
    knee, facts, slo = run.knee, run.target, run.slo
    if knee is None or knee.axis != "concurrency" or facts is None or slo is None:
        return None
    found = {result.step.value: result for result in run.steps}
    hardware = hardware_of(run.gpus, scenario)
    recommend = scenario.recommend
    return Profile(
        run_id=run.header.run_id,
        created=run.header.created,
        scenario=run.header.scenario,
        framework=facts.framework,
        version=facts.version,
        model=facts.model,
        gpu_model=hardware.model,
        gpu_count=hardware.count,
        gpu_memory_gb=hardware.memory_gb,
        gpus_per_replica=gpus_per_replica(facts),
        tensor_parallelism=_whole(facts.in_force, "tensor_parallel_size"),
        settings={name: str(value) for name, value in sorted(facts.in_force.items()) if value is not None},
        traffic=traffic_of(scenario),
        slo=slo,
        goodput_target=knee.target,
        confidence=scenario.decision.confidence,
        at_slo=None if knee.at_slo is None else _carried(found[knee.at_slo], scenario.decision.confidence),
        fails_at=_fails_at(run.steps, knee.at_slo),
        saturation=None if knee.saturation is None else _saturation(found[knee.saturation]),
        usd_per_hour=None if recommend is None else recommend.gpu_usd_per_hour,
    )


def _carried(result: StepResult, confidence: float) -> Carried:
    metrics, e2e = result.metrics, result.metrics.latency.get("e2e")
    low, high = _output_bounds(result, confidence)
    return Carried(
        concurrency=result.step.value,
        goodput=metrics.goodput,
        goodput_low=metrics.goodput_low,
        goodput_high=metrics.goodput_high,
        output_tps=metrics.output_tps,
        output_tps_low=low,
        output_tps_high=high,
        mean_e2e_ms=None if e2e is None else e2e.mean_ms,
    )


def _output_bounds(result: StepResult, confidence: float) -> tuple[float | None, float | None]:
    """One-sided each, from the error of the logarithm within the run."""
    estimate, value = result.estimates.get("output_tps"), result.metrics.output_tps
    if value is None or estimate is None or estimate.log_error is None:
        return None, None
    reach = math.exp(NormalDist().inv_cdf(confidence) * estimate.log_error)
    return value / reach, value * reach


def _saturation(result: StepResult) -> SaturationPoint:
    goodput = result.metrics.goodput
    return SaturationPoint(result.step.value, result.metrics.output_tps, None if goodput is None else 100 * goodput)


def traffic_of(scenario: Scenario) -> str:
    """What the workload asks for, in canonical JSON: equal texts are like workloads. The seed says nothing of it."""
    workload = asdict(scenario.workload)
    del workload["seed"]
    return json.dumps(workload, sort_keys=True, separators=(",", ":"), default=str)


def gpus_per_replica(facts: TargetFacts) -> int:
    """tensor_parallel_size x pipeline_parallel_size, as the server told or the author declared; 1 where nobody did."""
    return _whole(facts.in_force, "tensor_parallel_size") * _whole(facts.in_force, "pipeline_parallel_size")


def hardware_of(gpus: Sequence[GpuSeries], scenario: Scenario) -> Hardware:
    """The GPUs that did the work, else those that the author names; the simulator's are its replicas."""
    recommend, place = scenario.recommend, scenario.target.place
    named = (
        Hardware(None, None, None) if recommend is None else Hardware(recommend.gpu_model, recommend.gpu_count, None)
    )
    if isinstance(place, Simulator):
        return Hardware(named.model or f"simulated {place.profile}", named.count or place.replicas, None)
    working = [gpu for gpu in gpus if (gpu.mean_utilisation or 0.0) >= _AT_WORK] or list(gpus)
    if not working:
        return named
    memory = working[0].memory_total_bytes
    return Hardware(
        named.model or working[0].name, named.count or len(working), None if memory is None else memory / 2**30
    )


def _fails_at(steps: Sequence[StepResult], holds: float | None) -> float | None:
    failing = (
        result.step.value
        for result in steps
        if result.capacity is not None and result.capacity.status is Status.FAIL and result.step.value > (holds or 0.0)
    )
    return min(failing, default=None)


def _whole(settings: Mapping[str, object], name: str) -> int:
    value = settings.get(name)
    return value if isinstance(value, int) and value >= 1 else 1
