"""How long prompts and answers are to be, as a document says it."""

from __future__ import annotations

import math
from typing import Annotated, Self

from annotated_types import Ge
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from llmload.scenario.document.quantities import Count, Positive, Section, wrong


class Spread(Section):
    """Lengths around a mean, cut to min..max; without a max, four standard deviations above the mean."""

    mean: Annotated[Positive, Ge(1)]
    stdev: Annotated[float, Ge(0)]
    min: Count = 1
    max: Count | None = None

    @property
    def longest(self) -> int:
        """The longest length that can be drawn."""
        return self.max if self.max is not None else max(self.min, math.ceil(self.mean + 4 * self.stdev))

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.longest < self.min:
            raise wrong(f"max {self.longest} is below min {self.min}", "Write a larger max", "max")
        return self


def _in_order(bounds: list[int]) -> list[int]:
    if bounds[0] > bounds[1]:
        raise wrong(f"the range {bounds[0]} to {bounds[1]} runs backwards", f"Write [{bounds[1]}, {bounds[0]}]")
    return bounds


class UniformLengths(Section):
    """Every whole length from the first to the second, both included."""

    uniform: Annotated[list[Count], Field(min_length=2, max_length=2), AfterValidator(_in_order)]


class LognormalLengths(Section):
    """Lengths whose logarithm is normal; mean and stdev are of the lengths themselves."""

    lognormal: Spread


def which_length(value: object) -> str | None:
    """The tag of a length: tags carry a colon, so that none is ever the name of a key."""
    if isinstance(value, UniformLengths) or (isinstance(value, dict) and "uniform" in value):
        return "length:uniform"
    if isinstance(value, LognormalLengths) or (isinstance(value, dict) and "lognormal" in value):
        return "length:lognormal"
    if isinstance(value, Spread | dict):
        return "length:normal"
    return "length:fixed" if isinstance(value, int | float) and not isinstance(value, bool) else None


Length = Annotated[
    Annotated[Count, Tag("length:fixed")]
    | Annotated[Spread, Tag("length:normal")]
    | Annotated[UniformLengths, Tag("length:uniform")]
    | Annotated[LognormalLengths, Tag("length:lognormal")],
    Discriminator(which_length),
]
