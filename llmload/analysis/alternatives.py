"""The same demand on other GPUs, from profiles that were measured with a like workload (METRICS.md "Capacity")."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmload.analysis.capacity import need_of
from llmload.analysis.prices import cost_of, price_of, usd_per_gpu_hour
from llmload.capacity import Advice, Alternative, Hint, Profile, Recommendation
from llmload.scenario.asked import Recommend

MOST_ALTERNATIVES = 50
"""The cheapest ones: a store may know hundreds of installations, and nobody reads so many."""

_COST = "cost"
"""Kind of the hints that are made here."""


def beside_others(
    found: Recommendation, own: Profile | None, library: Sequence[Profile], recommend: Recommend
) -> Recommendation:
    """With what the demand would take on the other installations of `library`, cheapest first; unknown costs last."""
    if own is None:
        return found
    alike = {installation_of(each): each for each in sorted(library, key=lambda p: p.created) if _answers(each, own)}
    alike.pop(installation_of(own), None)
    others = [_alternative(each, _price_of(each, own, recommend), recommend) for each in alike.values()]
    ranked = sorted((each for each in others if each is not None), key=_rank)[:MOST_ALTERNATIVES]
    return replace(found, alternatives=tuple(ranked), hints=(*found.hints, *_cheaper(found.advice, ranked[:1])))


def _cheaper(advice: Advice | None, cheapest: Sequence[Alternative]) -> Iterator[Hint]:
    """The cheapest of them in a sentence, where it is known to cost less, or where this installation cannot do it."""
    for other in cheapest:
        usd, ours = other.estimated_monthly_cost_usd, None if advice is None else advice.estimated_monthly_cost_usd
        if usd is None:
            continue
        is_same = advice is not None and advice.recommended_gpu == other.gpu_model
        what = f"{other.count:,} × {other.gpu_model}" + (" with other settings" if is_same else "")
        if advice is None:
            yield Hint(_COST, f"{what} would do for {usd:,.0f} USD a month")
        elif ours is not None and usd < ours:
            yield Hint(_COST, f"{what} would do the same for {usd:,.0f} USD a month instead of {ours:,.0f}")


def without_others(found: Recommendation) -> Recommendation:
    """What was found before `beside_others`: what follows from the run and its scenario alone."""
    return replace(found, alternatives=(), hints=tuple(hint for hint in found.hints if hint.kind != _COST))


def question_of(profile: Profile) -> str:
    """What was asked of the installation, in canonical JSON: model, workload, SLO and goodput. Only profiles of equal
    questions answer each other's demands.
    """
    limits = (profile.slo.ttft_ms, profile.slo.tpot_ms, profile.slo.e2e_ms, profile.goodput_target)
    return _canonical([profile.model, profile.traffic, *map(_decimal, limits)])


def installation_of(profile: Profile) -> str:
    """What was measured, in canonical JSON: GPU, framework and settings. Of each, the newest profile counts."""
    return _canonical([profile.gpu_model, profile.framework, dict(profile.settings)])


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _decimal(limit: float | None) -> float | None:
    """500 and 500.0 are one limit."""
    return None if limit is None else float(limit)


def _answers(other: Profile, own: Profile) -> bool:
    """Whether the other one was measured with the same model, workload and SLO, and says what it carries."""
    return (
        other.run_id != own.run_id
        and other.at_slo is not None
        and other.gpu_model is not None
        and question_of(other) == question_of(own)
    )


def _price_of(other: Profile, own: Profile, recommend: Recommend) -> float | None:
    """USD per hour of one GPU: as the author says, else as the scenario said that it was measured by."""
    is_ours = other.gpu_model == own.gpu_model
    listed = usd_per_gpu_hour(other.gpu_model, recommend) if is_ours else price_of(other.gpu_model, recommend.prices)
    return other.usd_per_hour if listed is None else listed


def _alternative(profile: Profile, usd: float | None, recommend: Recommend) -> Alternative | None:
    carried = profile.at_slo
    if carried is None or profile.gpu_model is None:
        return None
    need = need_of(profile, carried.concurrency, recommend.peak_concurrency, recommend.headroom)
    tps = None if carried.output_tps is None else carried.output_tps * need.replicas / profile.replicas
    cost = cost_of(need.gpus, usd, tps)
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
        estimated_monthly_cost_usd=cost.monthly_usd,
        cost_per_million_tokens_usd=cost.usd_per_million_tokens,
    )


def _rank(alternative: Alternative) -> tuple[bool, float, int]:
    cost = alternative.estimated_monthly_cost_usd
    return cost is None, cost or 0.0, alternative.count
