"""What `llmload plan` says of a search for the capacity: what each load can tell, how far it may go, which prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmload.analysis.forecast import forecast_search
from llmload.analysis.prices import price_of
from llmload.analysis.sample_size import capacity_outlooks
from llmload.analysis.wording import counted, level, percent
from llmload.plain_text import plain
from llmload.scenario.asked import Simulator
from llmload.units import format_number

if TYPE_CHECKING:
    from llmload.analysis.forecast import SearchForecast
    from llmload.analysis.sample_size import Outlook
    from llmload.scenario.asked import Recommend, Scenario

_MOST_LISTED = 8


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """The wish, its outlook at each load of the ladder, and the search beyond it (None where there is none).

    `gpu` is the GPU that is priced, as far as it is known before the run; `usd_per_hour` is that of one such.
    """

    scenario: Scenario
    recommend: Recommend
    outlooks: Sequence[Outlook]
    search: SearchForecast | None
    gpu: str | None
    usd_per_hour: float | None


def capacity_plan(scenario: Scenario) -> CapacityPlan | None:
    """What is to be measured for a recommendation; None where the scenario asks for none."""
    recommend, place = scenario.recommend, scenario.target.place
    if recommend is None:
        return None
    gpu = recommend.gpu_model or (f"simulated {place.profile}" if isinstance(place, Simulator) else None)
    usd = recommend.gpu_usd_per_hour
    usd = price_of(gpu, recommend.prices) if usd is None else usd
    return CapacityPlan(scenario, recommend, capacity_outlooks(scenario), forecast_search(scenario), gpu, usd)


def as_document(plan: CapacityPlan) -> Mapping[str, object]:
    """For programs: shares 0..1, seconds, USD per hour of one GPU; null is what is not known before the run."""
    recommend, search = plan.recommend, plan.search
    return {
        "peak_concurrency": recommend.peak_concurrency,
        "goodput_target": recommend.goodput_target,
        "headroom": recommend.headroom,
        "steps": [
            {
                "step": outlook.step.label,
                "max_requests": outlook.requests,
                "looks": outlook.looks,
                "can_pass": outlook.most_bad is not None,
                "most_bad_requests": outlook.most_bad,
                "warnings": outlook.warnings,
            }
            for outlook in plan.outlooks
        ],
        "search": None
        if search is None
        else {
            "most_loads": search.most_loads,
            "heaviest": search.heaviest,
            "most_requests": search.most_requests,
            "at_most_s": search.at_most_s,
        },
        "gpu": plan.gpu,
        "usd_per_gpu_hour": plan.usd_per_hour,
        "prices": dict(sorted(recommend.prices.items())),
    }


def as_text(plan: CapacityPlan, span: Callable[[float], str]) -> Iterator[str]:
    """For people; `span` writes seconds."""
    recommend = plan.recommend
    peak, headroom = counted(recommend.peak_concurrency, "request"), percent(recommend.headroom)
    yield (
        f"capacity, at {level(plan.scenario.decision.confidence)} confidence: GPUs for {peak} in flight and {headroom}"
        f" on top, with {percent(recommend.goodput_target)} of requests within {_slo(plan.scenario)}"
    )
    for outlook in plan.outlooks:
        yield f"  {outlook.step.label}: {_outlook(outlook)}"
        yield from (f"    warning: {warning}" for warning in outlook.warnings)
    yield f"  {_search(plan, span)}"
    yield f"  {_prices(plan)}"


def _slo(scenario: Scenario) -> str:
    slo = scenario.slo
    terms = {} if slo is None else {"ttft": slo.ttft_ms, "tpot": slo.tpot_ms, "e2e": slo.e2e_ms}
    return ", ".join(f"{name} {format_number(ms)}ms" for name, ms in terms.items() if ms is not None)


def _outlook(outlook: Outlook) -> str:
    if outlook.most_bad is None:
        return f"can never be known to hold with {outlook.requests:,} requests"
    return f"holds with at most {outlook.most_bad} bad of {outlook.requests:,} requests, in up to {outlook.looks} looks"


def _search(plan: CapacityPlan, span: Callable[[float], str]) -> str:
    search = plan.search
    if search is None:
        return "no further loads: the capacity is known as finely as these loads lie"
    each = "" if search.most_requests is None else f", each of at most {search.most_requests:,} requests"
    return (
        f"then up to {counted(search.most_loads, 'further load')} to find the capacity, none above"
        f" {format_number(search.heaviest)}{each}; at most {span(search.at_most_s)} of measured windows"
    )


def _prices(plan: CapacityPlan) -> str:
    prices = plan.recommend.prices
    if plan.usd_per_hour is not None:
        gpu = "the measured GPU" if plan.gpu is None else plain(plan.gpu)
        told = f"prices: {gpu} at {format_number(plan.usd_per_hour)} USD per hour"
        return f"{told}, and {counted(len(prices), 'price')} in the list" if prices else told
    if not prices:
        return "prices: none, so costs stay unknown (recommend.prices, price_file or gpu.usd_per_hour)"
    listed = ", ".join(f"{plain(name)} {format_number(usd)}" for name, usd in [*prices.items()][:_MOST_LISTED])
    more = f" and {len(prices) - _MOST_LISTED} more" if len(prices) > _MOST_LISTED else ""
    which = "which GPU is measured is known by the run" if plan.gpu is None else f"none for {plain(plan.gpu)}"
    return f"prices, USD per hour of one GPU: {listed}{more}; {which}"
