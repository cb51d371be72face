"""`spec.load`: how requests arrive, and how long."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from llmload.scenario.document.quantities import (
    Count,
    Duration,
    Patience,
    RequestRate,
    Section,
    Sha256,
    Share,
    Text,
    Whole,
    wrong,
)

DEFAULT_LADDER = (1, 10, 50, 100, 200)
DEFAULT_REQUESTS = 200


def _want_list(value: object) -> object:
    if isinstance(value, list):
        return value
    shown = value if isinstance(value, str | int | float) and not isinstance(value, bool) else "1, 10"
    raise wrong("expected a list, one entry per step", f"Write [{shown}]")


def _different(values: list[float]) -> list[float]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise wrong(f"the step {value:g} stands twice", "Keep one; each step is measured once")
    return values


Concurrency = Annotated[
    list[Annotated[int, Ge(1), Le(100_000)]],
    BeforeValidator(_want_list),
    Field(min_length=1, max_length=200),
    AfterValidator(_different),
]
Rates = Annotated[
    list[RequestRate], BeforeValidator(_want_list), Field(min_length=1, max_length=200), AfterValidator(_different)
]


class Burstiness(Section):
    """1 = Poisson; smaller is burstier: the coefficient of variation of the gaps is 1 / sqrt(burstiness)."""

    burstiness: Annotated[float, Ge(0.01), Le(1000)]


class Gamma(Section):
    """Gamma-distributed gaps between requests."""

    gamma: Burstiness


def _arrival(value: object) -> str:
    return "arrival:gamma" if isinstance(value, dict | Gamma) else "arrival:named"


Arrival = Annotated[
    Annotated[Literal["poisson", "constant"], Tag("arrival:named")] | Annotated[Gamma, Tag("arrival:gamma")],
    Discriminator(_arrival),
]


class Trace(Section):
    """Recorded arrivals, played at `speed` times their pace."""

    file: Annotated[Text, Field(description="Mooncake's JSON lines or Azure's CSV, beside the scenario")]
    speed: Annotated[float, Ge(0.01), Le(10_000)] = 1.0
    sha256: Annotated[Sha256 | None, Field(description="The file's; another file is refused")] = None


class Warmup(Section):
    """Requests before the measured ones; left out, max(2 x concurrency, 8)."""

    requests: Whole | None = None


def _can_be_exceeded(share: float | None) -> float | None:
    if share is not None and share >= 1:
        raise wrong("no more than 100% can fail, so this guard would never trip", "Write less, such as 50%")
    return share


class Guards(Section):
    """When to give up early as "could not measure"; off unless written."""

    error_rate: Annotated[
        Share | None,
        AfterValidator(_can_be_exceeded),
        Field(description="Share of measured requests that failed, once max(20, 2 x concurrency) have ended"),
    ] = None
    no_first_token: Annotated[
        Patience | None, Field(description="So long no first token, while requests wait for theirs")
    ] = None
    dead_server: Annotated[
        Patience | None, Field(description="So long no answer and no event of one, while requests are tried")
    ] = None


def which_workers(value: object) -> str | None:
    if value == "auto":
        return "workers:auto"
    return "workers:count" if isinstance(value, int | float) and not isinstance(value, bool) else None


Workers = Annotated[
    Annotated[Literal["auto"], Tag("workers:auto")] | Annotated[int, Ge(1), Le(256), Tag("workers:count")],
    Discriminator(which_workers),
]


class Load(Section):
    """Exactly one of concurrency, rate and trace; none means the default ladder."""

    concurrency: Concurrency | None = None
    rate: Rates | None = None
    arrival: Arrival | None = None
    trace: Trace | None = None
    ramp: Annotated[Duration | None, Field(description="Time of the linear ramp between two steps")] = None
    requests: Count | None = None
    duration: Patience | None = None
    warmup: Warmup = Warmup.model_construct()
    cooldown: Duration = 0.0
    max_duration: Patience = 300.0
    max_in_flight: Count = 1000
    workers: Workers = "auto"
    engine: Literal["local", "ray"] = "local"
    address: Text | None = None
    guards: Guards = Guards.model_construct()

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        shapes = [name for name in ("concurrency", "rate", "trace") if getattr(self, name) is not None]
        if len(shapes) > 1:
            raise wrong(f"{' and '.join(shapes)} exclude each other", "Keep one of concurrency, rate and trace")
        if self.arrival is not None and self.rate is None:
            raise wrong(
                "arrival says how a rate arrives, and no rate is written", "Add rate: [2/s], or delete it", "arrival"
            )
        if self.ramp and self.trace is not None:
            raise wrong("a ramp leads from step to step, and a trace is one step", "Delete it", "ramp")
        if self.duration is not None and self.duration > self.max_duration:
            raise wrong("duration is longer than max_duration", "Raise max_duration, or shorten it", "duration")
        if self.address is not None and self.engine != "ray":
            raise wrong("address names a Ray cluster, and the engine is local", "Add engine: ray", "address")
        return self

    @property
    def axis(self) -> str | None:
        """The axis of the steps; None for a trace, which has one step without a level."""
        if self.trace is not None:
            return None
        return "rate" if self.rate is not None else "concurrency"

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels of the steps, in order."""
        if self.trace is not None:
            return ()
        return tuple(self.rate or self.concurrency or DEFAULT_LADDER)
