"""What one run measured of an installation: the profile that demands are answered from (METRICS.md "Capacity")."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from llmload.analysis.fingerprint import workload_terms
from llmload.analysis.knee import breaks, tells
from llmload.analysis.prices import usd_per_gpu_hour
from llmload.capacity import Carried, Profile, SaturationPoint
from llmload.domain import RunResult, StepResult, TargetFacts
from llmload.promises import SloByClass
from llmload.scenario.asked import Scenario, Simulator
from llmload.timeline import GpuSeries

_AT_WORK = 0.05
"""Mean utilisation from which a GPU of the machine counts as one of the server's."""

_OF_THE_BUSIEST = 0.25
"""And from which share of the busiest one's: replicas behind one address share the load, and a neighbour's few percent
are none of it."""

_OCCUPIED = 0.1
"""Of its memory, where a GPU does not tell its utilisation: the weights of a model are more."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """The GPUs of the measured installation; None where nobody told."""

    model: str | None
    count: int | None
    memory_gb: float | None


def profile_of(run: RunResult, scenario: Scenario) -> Profile | None:
    """The profile that this run measured; None without a ladder of concurrencies, an SLO, or a server that answered.

    Nor where classes of traffic have SLOs of their own: a profile tells one, and no load would be found by it.
    """
    knee, facts, slo = run.knee, run.target, run.slo
    if knee is None or knee.axis != "concurrency" or facts is None or slo is None:
        return None
    if isinstance(scenario.promised, SloByClass):
        return None
    found = {result.step.value: result for result in run.steps}
    each = gpus_per_replica(facts)
    hardware = hardware_of(run.gpus, scenario, each)
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
        gpus_per_replica=each,
        tensor_parallelism=_whole(facts.in_force, "tensor_parallel_size"),
        settings={name: str(value) for name, value in sorted(facts.known.items()) if value is not None},
        traffic=traffic_of(scenario),
        slo=slo,
        goodput_target=knee.target,
        confidence=scenario.decision.confidence,
        at_slo=None if knee.at_slo is None else _carried(found[knee.at_slo], scenario.decision.confidence),
        fails_at=_fails_at(run.steps, knee.at_slo, knee.target),
        saturation=None if knee.saturation is None else _saturation(found[knee.saturation]),
        usd_per_hour=None if recommend is None else usd_per_gpu_hour(hardware.model, recommend),
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
    workload = workload_terms(scenario.workload)
    del workload["seed"]
    return json.dumps(workload, sort_keys=True, separators=(",", ":"), default=str)


def gpus_per_replica(facts: TargetFacts) -> int:
    """tensor_parallel_size x pipeline_parallel_size, as the server told or the author declared; 1 where nobody did."""
    return _whole(facts.in_force, "tensor_parallel_size") * _whole(facts.in_force, "pipeline_parallel_size")


def hardware_of(gpus: Sequence[GpuSeries], scenario: Scenario, each: int = 1) -> Hardware:
    """The GPUs that did the work; what the author names wins, and the simulator has `each` for every replica.

    Telemetry watches every GPU of the machine. Those count that were at work (`gpus_at_work`). Where none was, the
    server runs on others, or on none.
    """
    recommend, place = scenario.recommend, scenario.target.place
    named = (
        Hardware(None, None, None) if recommend is None else Hardware(recommend.gpu_model, recommend.gpu_count, None)
    )
    if isinstance(place, Simulator):
        return Hardware(named.model or f"simulated {place.profile}", named.count or place.replicas * each, None)
    working = gpus_at_work(gpus)
    if not working:
        return named
    memory = working[0].memory_total_bytes
    return Hardware(
        named.model or _kind(working[0]), named.count or len(working), None if memory is None else memory / 2**30
    )


def gpus_at_work(gpus: Sequence[GpuSeries]) -> Sequence[GpuSeries]:
    """Those that serve the model, of the kind that did most of the work: a server spreads over GPUs of one kind.

    By utilisation where it is told, which no slice of a GPU does; else by the memory that is occupied.
    """
    told = [(gpu, gpu.mean_utilisation) for gpu in gpus]
    busiest = max((share for _, share in told if share is not None), default=0.0)
    least = max(_AT_WORK, _OF_THE_BUSIEST * busiest)
    working = [gpu for gpu, share in told if (_is_occupied(gpu) if share is None else share >= least)]
    kinds: dict[str, float] = {}
    for gpu in working:
        kinds[_kind(gpu)] = kinds.get(_kind(gpu), 0.0) + (gpu.mean_utilisation or 0.0)
    main = max(kinds, key=lambda kind: kinds[kind], default="")
    return [gpu for gpu in working if _kind(gpu) == main]


def _is_occupied(gpu: GpuSeries) -> bool:
    peak, total = gpu.peak_memory_bytes, gpu.memory_total_bytes
    return peak is not None and total is not None and peak >= _OCCUPIED * total


def _kind(gpu: GpuSeries) -> str:
    """A slice of a GPU is another kind than the whole."""
    return gpu.name if gpu.mig is None else f"{gpu.name} MIG {gpu.mig}"


def _fails_at(steps: Sequence[StepResult], holds: float | None, target: float) -> float | None:
    above = (result for result in steps if tells(result) and result.step.value > (holds or 0.0))
    return min((result.step.value for result in above if breaks(result, target)), default=None)


def _whole(settings: Mapping[str, object], name: str) -> int:
    value = settings.get(name)
    return value if isinstance(value, int) and value >= 1 else 1
