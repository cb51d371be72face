"""Whether documents of results say what can be, whoever wrote them: pages, charts and formulas take it for granted.

The types alone are checked where a document is read (store/typed_json.py), which knows no infinity either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import astuple

from llmload.capacity import (
    Advice,
    Alternative,
    Carried,
    CurrentInfra,
    Demand,
    Interval,
    LoadResults,
    MeasuredLoad,
    Profile,
    Recommendation,
    SaturationPoint,
)
from llmload.written_analysis import WrittenAnalysis

_LANGUAGES = {"en", "ko"}
_TURN = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


def is_plausible_turn(name: str) -> bool:
    """The number of a turn in its conversation, from 1, which is reckoned with."""
    return _TURN.fullmatch(name) is not None


def is_plausible_profile(profile: Profile) -> bool:
    """Loads above 0, shares of 0..1, at least one GPU, and an SLO that begins to break above the load that holds."""
    holds, fails = profile.at_slo, profile.fails_at
    limits = (limit for limit in astuple(profile.slo) if limit is not None)
    return (
        _are_above_0((*limits, fails, profile.gpu_memory_gb))
        and (profile.gpu_count is None or profile.gpu_count >= 1)
        and min(profile.gpus_per_replica, profile.tensor_parallelism) >= 1
        and _are_shares((profile.goodput_target, profile.confidence))
        and (holds is None or _is_carried(holds))
        and (holds is None or fails is None or fails > holds.concurrency)
        and _is_saturation(profile.saturation)
        and _are_no_less_than_0((profile.usd_per_hour,))
    )


def is_plausible_recommendation(found: Recommendation) -> bool:
    """The same of a demand, what was measured and what is advised. Hints may be of kinds that a later version has."""
    return (
        _is_demand(found.workload)
        and _is_infra(found.current_infra)
        and (found.advice is None or _is_advice(found.advice))
        and (found.test_results is None or _are_results(found.test_results))
        and all(map(_is_alternative, found.alternatives))
    )


def is_plausible_analysis(analysis: WrittenAnalysis) -> bool:
    """Whether it is in a language that reports are told in; its text is foreign whatever it says."""
    return analysis.language in _LANGUAGES


def _is_carried(carried: Carried) -> bool:
    shares = (carried.goodput_low, carried.goodput, carried.goodput_high)
    rates = (carried.output_tps_low, carried.output_tps, carried.output_tps_high, carried.mean_e2e_ms)
    return _are_above_0((carried.concurrency,)) and _are_shares(shares) and _are_no_less_than_0(rates)


def _is_saturation(point: SaturationPoint | None) -> bool:
    return point is None or (
        _are_above_0((point.concurrency,))
        and _are_no_less_than_0((point.throughput_tokens_per_sec,))
        and _are_percent((point.goodput_percent,))
    )


def _is_demand(demand: Demand) -> bool:
    sizes = (
        demand.requests_per_user_per_day,
        demand.avg_input_tokens,
        demand.avg_output_tokens,
        demand.daily_active_users,
        demand.expected_peak,
    )
    targets = (demand.ttft_target_ms, demand.tpot_target_ms, demand.e2e_target_ms)
    return (
        _are_above_0((demand.peak_concurrency, *targets))
        and _are_no_less_than_0(sizes)
        and _are_percent((demand.goodput_target_percent,))
    )


def _is_infra(infra: CurrentInfra) -> bool:
    loads = (infra.max_concurrency_at_slo, infra.saturation_concurrency)
    sizes = (infra.gpu_count, infra.gpu_memory_gb, infra.throughput_tokens_per_sec)
    shares = (infra.goodput_at_max_concurrency, infra.saturation_goodput)
    return _are_above_0(loads) and _are_no_less_than_0(sizes) and _are_percent(shares)


def _is_advice(advice: Advice) -> bool:
    counts = (advice.recommended_count, advice.tensor_parallelism, advice.replicas, advice.gpus_per_replica)
    sizes = (
        advice.estimated_throughput,
        advice.headroom_percent,
        advice.estimated_monthly_cost_usd,
        advice.usd_per_gpu_hour,
        advice.cost_per_million_tokens_usd,
    )
    return (
        _are_above_0((*counts, advice.estimated_max_concurrency))
        and _are_percent((advice.estimated_goodput,))
        and _are_no_less_than_0(sizes)
        and all(map(_is_interval, advice.intervals.values()))
    )


def _is_interval(interval: Interval) -> bool:
    return interval.low >= 0 and (interval.high is None or interval.low <= interval.high)


def _are_results(results: LoadResults) -> bool:
    return all(map(_is_load, results.concurrency_results)) and _is_saturation(results.saturation_point)


def _is_load(load: MeasuredLoad) -> bool:
    sizes = (
        load.requests,
        load.throughput_tokens_per_sec,
        load.ttft_p95_ms,
        load.tpot_p95_ms,
        load.e2e_mean_ms,
    )
    shares = (load.goodput_low_percent, load.goodput_percent, load.goodput_high_percent)
    return _are_above_0((load.concurrency,)) and _are_no_less_than_0(sizes) and _are_percent(shares)


def _is_alternative(other: Alternative) -> bool:
    counts = (other.count, other.replicas, other.gpus_per_replica, other.max_concurrency_at_slo)
    costs = (other.usd_per_gpu_hour, other.estimated_monthly_cost_usd, other.cost_per_million_tokens_usd)
    return _are_above_0(counts) and _are_no_less_than_0((*costs, other.estimated_throughput))


def _are_above_0(values: Iterable[float | None]) -> bool:
    return all(value is None or value > 0 for value in values)


def _are_no_less_than_0(values: Iterable[float | None]) -> bool:
    return all(value is None or value >= 0 for value in values)


def _are_shares(values: Iterable[float | None]) -> bool:
    return all(value is None or 0 <= value <= 1 for value in values)


def _are_percent(values: Iterable[float | None]) -> bool:
    return all(value is None or 0 <= value <= 100 for value in values)
