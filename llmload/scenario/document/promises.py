"""`spec.slo`, `spec.gates`, `spec.decision`: what is promised, and how sure a verdict must be."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from llmload.scenario.document.quantities import (
    ClassName,
    Confidence,
    Count,
    Latency,
    Section,
    Text,
    wrong,
)

Policy = Literal["warn", "fail"]
Figure = str | int | float
"""Read by `gates` with the metric at hand, which decides the unit."""


class Slo(Section):
    """What one request must keep to be good."""

    ttft: Latency | None = None
    tpot: Latency | None = None
    e2e: Latency | None = None

    @model_validator(mode="after")
    def _some_term(self) -> Self:
        if self.ttft is None and self.tpot is None and self.e2e is None:
            raise wrong("an SLO without a term", "Write at least one, like {ttft: 500ms, tpot: 50ms}, or delete slo")
        return self


class Relative(Section):
    """At most so much worse than the baseline, in one line `p50(tpot) within 5% of baseline, floor 1ms`.

    `max_decrease` where more is better (goodput, rps, output_tps, total_tps), else `max_increase`; differences below
    the floor do not count. `error_rate` takes none: a ratio of rates near zero means nothing.
    """

    to: Literal["baseline"] = "baseline"
    max_increase: Figure | None = None
    max_decrease: Figure | None = None
    floor: Figure | None = None


class AtStep(Section):
    """The steps that a gate speaks of: a level, or a text such as "<= 50"."""

    concurrency: str | int | None = None
    rate: str | int | float | None = None


class GateForm(Section):
    """The long form of a gate: exactly one of `min`, `max` and `relative`. The short one is a text such as
    `goodput >= 95% at concurrency <= 50` or `p95(ttft) within 5% of baseline`.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)] | None = None
    metric: Text
    stat: Text | None = None
    min: Figure | None = None
    max: Figure | None = None
    relative: Relative | None = None
    at: AtStep | None = None
    level: Literal["warn", "fail"] = "fail"
    traffic_class: Annotated[
        ClassName | None, Field(alias="class", description="Of the mixture; its requests alone are judged")
    ] = None


def which_gate(value: object) -> str | None:
    if isinstance(value, str):
        return "gate:line"
    return "gate:form" if isinstance(value, dict | GateForm) else None


GateItem = Annotated[
    Annotated[str, Tag("gate:line")] | Annotated[GateForm, Tag("gate:form")],
    Discriminator(which_gate),
]


class Decision(Section):
    """How sure a verdict must be, and how far sampling may go to get there."""

    confidence: Confidence = 0.95
    max_requests: Count | None = None
    repeats: Count = 1
    on_inconclusive: Policy = "warn"
    on_missing_baseline: Policy = "warn"
    on_incomparable: Policy = "warn"
