"""How many GPUs a demand needs, from one measured profile (METRICS.md "Capacity recommendation")."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from llmload.analysis.forecast import mean_input, mean_output
from llmload.analysis.hints import hints_of
from llmload.analysis.prices import cost_of, usd_per_gpu_hour
from llmload.analysis.reasoning import NOT_OVER, reasoning_of
from llmload.analysis.shortfall import no_recommendation
from llmload.analysis.wholes import exact
from llmload.analysis.wording import counted
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
    found = recommendation_of(run, scenario, scenario.recommend)
    return replace(run, recommendation=replace(found, hints=(*found.hints, *hints_of(run, scenario, found.workload))))


def before_its_end(run: RunResult) -> RunResult:
    """The same of a run whose search was not over: the number is what is sure by now."""
    found = run.recommendation
    if found is None or found.advice is None:
        return run
    reasoning = f"{found.advice.reasoning}. {NOT_OVER}"
    return replace(run, recommendation=replace(found, advice=replace(found.advice, reasoning=reasoning)))


def recommendation_of(run: RunResult, scenario: Scenario, recommend: Recommend) -> Recommendation:
    """Demand, what was measured, and what follows from it; without any advice where no load surely holds the SLO."""
    profile = run.profile
    demand = _demand(run, scenario, recommend)
    loads = sorted((_measured_load(each) for each in run.steps if each.looks), key=lambda load: load.concurrency)
    results = LoadResults(tuple(loads), None if profile is None else profile.saturation)
    infra = _infra(profile)
    if profile is None or profile.at_slo is None:
        return Recommendation(no_recommendation(run), demand, infra, None, results)
    need = need_of(profile, profile.at_slo.concurrency, recommend.peak_concurrency, recommend.headroom)
    reasoning = reasoning_of(profile, profile.at_slo, results, need.replicas)
    advice = _advice(profile, profile.at_slo, recommend, need, reasoning)
    return Recommendation(_headline(profile, need, recommend), demand, infra, advice, results)


def _headline(profile: Profile, need: Need, recommend: Recommend) -> str:
    users = "" if recommend.daily_active_users is None else f"DAU {recommend.daily_active_users:,} and "
    peak = counted(recommend.peak_concurrency, "concurrent user")
    return f"For {users}a peak of {peak}, {profile.model} needs {_needed(profile, need)}."


def _needed(profile: Profile, need: Need) -> str:
    """So many GPUs by their name; where nobody names them, so many of what was measured.

    At most so many, where more are asked for than were measured and no heavier load is known to break the SLO.
    """
    most = "at most " if profile.fails_at is None and need.replicas > profile.replicas else ""
    if profile.gpu_model is not None:
        return f"{most}{need.gpus:,} × {profile.gpu_model}"
    if profile.gpu_count is not None:
        return f"{most}{need.gpus:,} × the measured GPU; name it with recommend.gpu.model"
    each = f" of {profile.gpus_per_replica} GPUs" if profile.gpus_per_replica > 1 else ""
    return f"{most}{need.replicas:,} × the measured server{each}; name its GPU with recommend.gpu.model"


def _advice(profile: Profile, carried: Carried, recommend: Recommend, need: Need, reasoning: str) -> Advice:
    share = need.replicas / profile.replicas
    tps = None if carried.output_tps is None else share * carried.output_tps
    usd = usd_per_gpu_hour(profile.gpu_model, recommend)
    cost = cost_of(need.gpus, usd, tps)
    return Advice(
        recommended_gpu=profile.gpu_model or UNKNOWN_GPU,
        recommended_count=need.gpus,
        tensor_parallelism=profile.tensor_parallelism,
        estimated_max_concurrency=share * carried.concurrency,
        estimated_goodput=None if carried.goodput is None else 100 * carried.goodput,
        estimated_throughput=tps,
        headroom_percent=float(100 * exact(recommend.headroom)),
        calculation_formula=need.formula,
        reasoning=reasoning,
        estimated_monthly_cost_usd=cost.monthly_usd,
        intervals=_intervals(profile, carried, recommend, need),
        replicas=need.replicas,
        gpus_per_replica=profile.gpus_per_replica,
        usd_per_gpu_hour=usd,
        cost_per_million_tokens_usd=cost.usd_per_million_tokens,
    )


def _intervals(profile: Profile, carried: Carried, recommend: Recommend, need: Need) -> dict[str, Interval]:
    """The bounds of each figure that is estimated, by its name; what has no bounds is left out.

    The capacity lies between the load that surely holds and the one that surely breaks, and so does what follows
    from it. A cheaper million tokens is one of more throughput.
    """
    share, breaks = need.replicas / profile.replicas, profile.fails_at
    least = profile.gpus_per_replica if breaks is None else _gpus_at(profile, breaks, recommend)
    usd = usd_per_gpu_hour(profile.gpu_model, recommend)
    slowest, fastest = (cost_of(need.gpus, usd, _times(share, tps)) for tps in _output_bounds(carried))
    found = {
        "recommended_count": Interval(least, need.gpus),
        "estimated_max_concurrency": Interval(share * carried.concurrency, _times(share, breaks)),
        "estimated_goodput": _between(_times(100, carried.goodput_low), _times(100, carried.goodput_high)),
        "estimated_throughput": _between(*(_times(share, tps) for tps in _output_bounds(carried))),
        "estimated_monthly_cost_usd": _between(cost_of(least, usd, None).monthly_usd, slowest.monthly_usd),
        "cost_per_million_tokens_usd": _between(fastest.usd_per_million_tokens, slowest.usd_per_million_tokens),
    }
    return {name: interval for name, interval in found.items() if interval is not None}


def _gpus_at(profile: Profile, breaks: float, recommend: Recommend) -> int:
    """GPUs that would do if the load at which the SLO surely breaks were still carried."""
    return need_of(profile, breaks, recommend.peak_concurrency, recommend.headroom).gpus


def _output_bounds(carried: Carried) -> tuple[float | None, float | None]:
    return carried.output_tps_low, carried.output_tps_high


def _times(share: float, value: float | None) -> float | None:
    return None if value is None else share * value


def _between(low: float | None, high: float | None) -> Interval | None:
    return None if low is None or high is None else Interval(low, high)


def _demand(run: RunResult, scenario: Scenario, recommend: Recommend) -> Demand:
    slo, workload = run.slo, scenario.workload
    return Demand(
        peak_concurrency=recommend.peak_concurrency,
        requests_per_user_per_day=recommend.requests_per_user_per_day,
        avg_input_tokens=mean_input(workload),
        avg_output_tokens=mean_output(workload),
        ttft_target_ms=None if slo is None else slo.ttft_ms,
        tpot_target_ms=None if slo is None else slo.tpot_ms,
        goodput_target_percent=float(100 * exact(recommend.goodput_target)),
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
        return CurrentInfra(UNKNOWN_GPU, None, None, None, None, None, None, None)
    carried, saturation = profile.at_slo, profile.saturation
    return CurrentInfra(
        gpu_model=profile.gpu_model or UNKNOWN_GPU,
        gpu_count=profile.gpu_count,
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
