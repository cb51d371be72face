"""The same demand on other GPUs, from profiles that were measured with a like workload (METRICS.md "Capacity")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from llmload.analysis.capacity import HOURS_OF_A_MONTH, need_of
from llmload.capacity import Alternative, Profile, Recommendation
from llmload.scenario.asked import Recommend

_A_MILLION = 1e6


def beside_others(
    found: Recommendation, own: Profile | None, library: Sequence[Profile], recommend: Recommend
) -> Recommendation:
    """With what the demand would take on the other installations of `library`, cheapest first; unknown costs last."""
    if own is None:
        return found
    alike = {_key(each): each for each in sorted(library, key=lambda p: p.created) if _answers(each, own)}
    others = [_alternative(each, recommend) for key, each in alike.items() if key != _key(own)]
    return replace(found, alternatives=tuple(sorted((each for each in others if each is not None), key=_rank)))


def price_of(gpu: str | None, prices: Mapping[str, float]) -> float | None:
    """USD per hour of one GPU, by its name in any case, else by the longest name of the list that is part of it."""
    if gpu is None:
        return None
    name = gpu.casefold()
    known = {key.casefold(): value for key, value in prices.items()}
    parts = sorted((key for key in known if key in name), key=len)
    return known.get(name, known[parts[-1]] if parts else None)


def _answers(other: Profile, own: Profile) -> bool:
    """Whether the other one was measured with the same model, workload and SLO, and says what it carries."""
    return (
        other.run_id != own.run_id
        and other.at_slo is not None
        and other.gpu_model is not None
        and (other.model, other.traffic, other.slo, other.goodput_target)
        == (own.model, own.traffic, own.slo, own.goodput_target)
    )


def _key(profile: Profile) -> tuple[object, ...]:
    return profile.gpu_model, profile.framework, tuple(sorted(profile.settings.items()))


def _alternative(profile: Profile, recommend: Recommend) -> Alternative | None:
    carried = profile.at_slo
    if carried is None or profile.gpu_model is None:
        return None
    need = need_of(profile, carried.concurrency, recommend.peak_concurrency, recommend.headroom)
    usd = price_of(profile.gpu_model, recommend.prices)
    tps = None if carried.output_tps is None else carried.output_tps * need.replicas / profile.replicas
    monthly = None if usd is None else need.gpus * usd * HOURS_OF_A_MONTH
    return Alternative(
        gpu_model=profile.gpu_model,
        count=need.gpus,
        replicas=need.replicas,
        gpus_per_replica=profile.gpus_per_replica,
        settings=profile.settings,
        max_concurrency_at_slo=carried.concurrency,
        estimated_throughput=tps,
        calculation_formula=need.formula,
        run_id=profile.run_id,
        measured=profile.created,
        usd_per_gpu_hour=usd,
        estimated_monthly_cost_usd=monthly,
        cost_per_million_tokens_usd=None if usd is None or not tps else need.gpus * usd / (tps * 3600) * _A_MILLION,
    )


def _rank(alternative: Alternative) -> tuple[bool, float, int]:
    cost = alternative.estimated_monthly_cost_usd
    return cost is None, cost or 0.0, alternative.count
