"""How many GPUs a demand needs, from one measured profile (METRICS.md "Capacity recommendation")."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from llmload.analysis.forecast import mean_length
from llmload.analysis.wholes import exact
from llmload.analysis.wording import counted, percent
from llmload.capacity import (
    Advice,
    Carried,
    CurrentInfra,
    Demand,
    Interval,
    LoadResults,
    MeasuredLoad,
    Profile,
    Recommendation,
)
from llmload.domain import RunResult, StepResult
from llmload.scenario.asked import Recommend, Scenario
from llmload.units import format_number
from llmload.verdict import Status

UNKNOWN_GPU = "GPU of unknown model"
_SECONDS_OF_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Need:
    """Whole replicas and their GPUs, and the sum that they come from."""

    replicas: int
    gpus: int
    formula: str


def replicas_for(peak: float, headroom: float, carried: float, measured_replicas: int) -> int:
    """ceil(peak x measured_replicas x (1 + headroom) / carried), in exact fractions: 10 x 1.1 is 11, and not 12."""
    return math.ceil(exact(peak) * measured_replicas * (1 + exact(headroom)) / exact(carried))


def need_of(profile: Profile, carried: float, peak: float, headroom: float) -> Need:
    """How many GPUs like the profile's, each replica of which carries its share of `carried`."""
    replicas = replicas_for(peak, headroom, carried, profile.replicas)
    gpus = replicas * profile.gpus_per_replica
    of_many = f" × {profile.replicas} measured replicas" if profile.replicas > 1 else ""
    load, wanted = format_number(carried), format_number(peak)
    formula = (
        f"ceil({wanted}{of_many} × (1 + {format_number(headroom)}) / {load}) = {counted(replicas, 'replica')}"
        f" × {counted(profile.gpus_per_replica, 'GPU')} = {gpus}"
    )
    return Need(replicas, gpus, formula)


def recommended(run: RunResult, scenario: Scenario) -> RunResult:
    """The run with what it recommends, where its scenario asks for that."""
    if scenario.recommend is None:
        return run
    return replace(run, recommendation=recommendation_of(run, scenario, scenario.recommend))


def recommendation_of(run: RunResult, scenario: Scenario, recommend: Recommend) -> Recommendation:
    """Demand, what was measured, and what follows from it; without any advice where no load surely holds the SLO."""
    profile = run.profile
    demand = _demand(run, scenario, recommend)
    results = LoadResults(tuple(_measured_load(each) for each in run.steps if each.looks), None)
    if profile is not None:
        results = replace(results, saturation_point=profile.saturation)
    infra = _infra(profile)
    if profile is None or profile.at_slo is None:
        headline = "No recommendation: no load that was measured surely holds the SLO"
        return Recommendation(headline, demand, infra, None, results)
    advice = _advice(profile, profile.at_slo, recommend)
    return Recommendation(_headline(profile, advice, recommend), demand, infra, advice, results)


def _headline(profile: Profile, advice: Advice, recommend: Recommend) -> str:
    users = "" if recommend.daily_active_users is None else f"DAU {recommend.daily_active_users:,} and "
    return (
        f"For {users}a peak of {recommend.peak_concurrency:,} concurrent users, {profile.model} needs"
        f" {advice.recommended_count:,} × {advice.recommended_gpu}."
    )


def _advice(profile: Profile, carried: Carried, recommend: Recommend) -> Advice:
    need = need_of(profile, carried.concurrency, recommend.peak_concurrency, recommend.headroom)
    share = need.replicas / profile.replicas
    intervals = {
        "recommended_count": Interval(_least_gpus(profile, recommend), need.gpus),
        "estimated_max_concurrency": Interval(
            share * carried.concurrency, None if profile.fails_at is None else share * profile.fails_at
        ),
    }
    if carried.goodput_low is not None and carried.goodput_high is not None:
        intervals["estimated_goodput"] = Interval(100 * carried.goodput_low, 100 * carried.goodput_high)
    if carried.output_tps_low is not None and carried.output_tps_high is not None:
        intervals["estimated_throughput"] = Interval(share * carried.output_tps_low, share * carried.output_tps_high)
    return Advice(
        recommended_gpu=profile.gpu_model or UNKNOWN_GPU,
        recommended_count=need.gpus,
        tensor_parallelism=profile.tensor_parallelism,
        estimated_max_concurrency=share * carried.concurrency,
        estimated_goodput=100 * (carried.goodput or 0.0),
        estimated_throughput=share * (carried.output_tps or 0.0),
        headroom_percent=100 * recommend.headroom,
        calculation_formula=need.formula,
        reasoning=_reasoning(profile, carried),
        intervals=intervals,
        replicas=need.replicas,
        gpus_per_replica=profile.gpus_per_replica,
    )


def _least_gpus(profile: Profile, recommend: Recommend) -> int:
    """GPUs that would do if the load at which the SLO surely breaks were still carried; one replica's without any."""
    if profile.fails_at is None:
        return profile.gpus_per_replica
    return need_of(profile, profile.fails_at, recommend.peak_concurrency, recommend.headroom).gpus


def _reasoning(profile: Profile, carried: Carried) -> str:
    return (
        f"{format_number(carried.concurrency)} in flight is the heaviest load that surely holds the SLO, where"
        f" {percent(carried.goodput or 0.0)} of requests are good"
    )


def _demand(run: RunResult, scenario: Scenario, recommend: Recommend) -> Demand:
    slo, workload = run.slo, scenario.workload
    return Demand(
        peak_concurrency=recommend.peak_concurrency,
        requests_per_user_per_day=recommend.requests_per_user_per_day,
        avg_input_tokens=mean_length(workload.input_tokens),
        avg_output_tokens=mean_length(workload.output_tokens),
        ttft_target_ms=None if slo is None else slo.ttft_ms,
        tpot_target_ms=None if slo is None else slo.tpot_ms,
        goodput_target_percent=100 * recommend.goodput_target,
        daily_active_users=recommend.daily_active_users,
        e2e_target_ms=None if slo is None else slo.e2e_ms,
        expected_peak=_expected_peak(run.profile, recommend),
    )


def _expected_peak(profile: Profile | None, recommend: Recommend) -> float | None:
    """Requests in flight at the busiest time, by Little's law: arrivals per second x seconds in the system."""
    carried = None if profile is None else profile.at_slo
    if recommend.daily_active_users is None or carried is None or carried.mean_e2e_ms is None:
        return None
    per_s = recommend.daily_active_users * recommend.requests_per_user_per_day / _SECONDS_OF_A_DAY
    return per_s * recommend.peak_factor * carried.mean_e2e_ms / 1000


def _infra(profile: Profile | None) -> CurrentInfra:
    if profile is None:
        return CurrentInfra(UNKNOWN_GPU, 0, None, None, None, None, None, None)
    carried, saturation = profile.at_slo, profile.saturation
    return CurrentInfra(
        gpu_model=profile.gpu_model or UNKNOWN_GPU,
        gpu_count=profile.gpu_count or 0,
        gpu_memory_gb=profile.gpu_memory_gb,
        max_concurrency_at_slo=None if carried is None else carried.concurrency,
        throughput_tokens_per_sec=None if carried is None else carried.output_tps,
        goodput_at_max_concurrency=None if carried is None or carried.goodput is None else 100 * carried.goodput,
        saturation_concurrency=None if saturation is None else saturation.concurrency,
        saturation_goodput=None if saturation is None else saturation.goodput_percent,
    )


def _measured_load(result: StepResult) -> MeasuredLoad:
    metrics, latency = result.metrics, result.metrics.latency
    low, high = metrics.goodput_low, metrics.goodput_high
    return MeasuredLoad(
        concurrency=result.step.value,
        status=Status.ERROR if result.capacity is None else result.capacity.status,
        requests=metrics.attempts,
        goodput_percent=None if metrics.goodput is None else 100 * metrics.goodput,
        goodput_low_percent=None if low is None else 100 * low,
        goodput_high_percent=None if high is None else 100 * high,
        throughput_tokens_per_sec=metrics.output_tps,
        ttft_p95_ms=latency["ttft"].p95_ms if "ttft" in latency else None,
        tpot_p95_ms=latency["tpot"].p95_ms if "tpot" in latency else None,
        e2e_mean_ms=latency["e2e"].mean_ms if "e2e" in latency else None,
    )
