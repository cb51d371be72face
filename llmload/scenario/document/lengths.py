"""How long prompts and answers are to be, as a document says it."""

from __future__ import annotations

import math
from typing import Annotated, Self

from annotated_types import Ge
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from llmload.scenario.document.quantities import Count, Positive, Section, Sha256, Text, Whole, wrong


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


class LengthsFound(Section):
    """What the file held when it was read; written by llmload into the resolved document."""

    sha256: Sha256
    rows: Whole
    input_tokens: Annotated[float, Ge(0)]
    output_tokens: Annotated[float, Ge(0)]
    longest_input_tokens: Count
    longest_output_tokens: Count


class LengthFile(Section):
    """Lengths of prompts and answers from the rows of a file, drawn together: CSV with a header, or JSON lines."""

    path: Annotated[Text, Field(alias="from", description="The file: .csv, .jsonl or .json, beside the scenario")]
    input: Annotated[Text, Field(description="The column, or key, with the tokens of the prompt")] = "input_tokens"
    output: Annotated[Text, Field(description="The column, or key, with the tokens of the answer")] = "output_tokens"
    sha256: Annotated[Sha256 | None, Field(description="The file's; another file is refused")] = None
    found: Annotated[LengthsFound | None, Field(description="Written by llmload; leave it out")] = None
