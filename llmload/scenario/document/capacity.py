"""`spec.recommend`: the demand that GPUs are to be counted for, and what one costs."""

from __future__ import annotations

import re
from typing import Annotated, Self

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field, model_validator

from llmload.scenario.document.quantities import Count, Growth, Positive, Section, Share, Text, wrong

MOST_USD = 100_000
"""Dearer hours are slips of a decimal point: the dearest eight-GPU machines cost some 100 USD an hour."""

MOST_HEADROOM = 10

Price = Annotated[float, Ge(0), Le(MOST_USD)]
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def _provable(share: float) -> float:
    if share >= 1:
        raise wrong("no sample proves that every request is good", "Write less, such as 99%")
    if share <= 0:
        raise wrong("0% is what any server keeps", "Write the share of requests that must be good, such as 95%")
    return share


def _imaginable(headroom: float) -> float:
    if headroom > MOST_HEADROOM:
        hint = "Write 1000% or less; where so much more is expected, it is peak_concurrency that grows"
        raise wrong("more than ten times the peak on top of it", hint)
    return headroom


def name_fault(name: str) -> str | None:
    """Why this cannot be the name of a GPU; None where it can."""
    return None if _ONE_LINE.fullmatch(name) and name.strip() else "not the name of a GPU"


def _each_once(prices: dict[str, float]) -> dict[str, float]:
    first: dict[str, str] = {}
    for name in prices:
        if fault := name_fault(name):
            raise wrong(fault, 'Write the name as the GPU tells it, like "NVIDIA H100", in one line', name)
        if (other := first.setdefault(name.casefold(), name)) != name:
            raise wrong(f"the same GPU as {other!r}", "Keep one; capitals make no difference", name)
    return prices


class Gpu(Section):
    """The GPUs that serve the model. All is optional: what llmload sees needs no telling."""

    model: Annotated[Text | None, Field(description="Name of the GPU, where llmload does not see it")] = None
    count: Annotated[
        Count | None, Field(description="GPUs that the measured server uses, where llmload does not see them")
    ] = None
    usd_per_hour: Annotated[Price | None, Field(description="USD per hour of one of these GPUs")] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.model is None and self.count is None and self.usd_per_hour is None:
            raise wrong("a gpu of which nothing is said", "Write model, count or usd_per_hour, or delete gpu")
        return self


class Recommend(Section):
    """How many GPUs does a demand need? The loads of the ladder are measured, then more of them until it is known."""

    peak_concurrency: Annotated[Count, Field(description="Requests in flight at the busiest time")]
    daily_active_users: Annotated[
        Count | None, Field(description="For a check of the peak by Little's law; it changes no figure")
    ] = None
    requests_per_user_per_day: Annotated[Positive, Field(description="For the same check")] = 10.0
    peak_factor: Annotated[
        Positive, Field(description="Arrivals at the busiest time over those of the mean; for the same check")
    ] = 3.0
    goodput_target: Annotated[
        Share, AfterValidator(_provable), Field(description="Share of requests that must keep the SLO; below 100%")
    ] = 0.95
    headroom: Annotated[
        Growth, AfterValidator(_imaginable), Field(description="Capacity on top of the peak; may pass 100%")
    ] = 0.2
    gpu: Gpu | None = None
    prices: Annotated[
        dict[str, Price],
        AfterValidator(_each_once),
        Field(description="USD per hour of one GPU, by its name or a part of it; they win over those of price_file"),
    ] = Field(default_factory=dict)
    price_file: Annotated[
        Text | None, Field(description="YAML or JSON with such a map, or CSV with the columns gpu,usd_per_hour")
    ] = None
