"""How long prompts and answers are asked to be: a number, or a distribution of numbers, in tokens."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import assert_never


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every length the same."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal lengths, cut to minimum..maximum."""

    mean: float
    stdev: float
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Uniform:
    """Whole lengths from low to high, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Lengths whose logarithm is normal; `mean` and `stdev` are of the lengths themselves, cut to minimum..maximum."""

    mean: float
    stdev: float
    minimum: int
    maximum: int


Lengths = Fixed | Normal | Uniform | Lognormal


def mean_length(lengths: Lengths) -> float:
    """Mean tokens before lengths are cut to their minimum and maximum."""
    match lengths:
        case Fixed(tokens):
            return float(tokens)
        case Uniform(low, high):
            return (low + high) / 2
        case Normal(mean=mean) | Lognormal(mean=mean):
            return mean
        case _:
            assert_never(lengths)


def variance_of(lengths: Lengths) -> float:
    """Variance before lengths are cut; of whole numbers from low to high ((high - low + 1)^2 - 1) / 12."""
    match lengths:
        case Fixed():
            return 0.0
        case Uniform(low, high):
            return ((high - low + 1) ** 2 - 1) / 12
        case Normal(stdev=stdev) | Lognormal(stdev=stdev):
            return stdev**2
        case _:
            assert_never(lengths)


@dataclass(frozen=True, slots=True)
class LengthsFound:
    """What a file of measured lengths held: means over its rows, and the row that needs most room, in tokens."""

    sha256: str
    rows: int
    input_tokens: float
    output_tokens: float
    longest_input_tokens: int
    longest_output_tokens: int


NO_LENGTHS = LengthsFound("", 0, 0.0, 0.0, 0, 0)
"""Before the file was read."""


@dataclass(frozen=True, slots=True)
class LengthFile:
    """Lengths that were measured elsewhere: each row of a file is one request's prompt and answer, drawn together.

    Long prompts and long answers come together, or apart, as they did where they were measured: drawn one by one,
    their correlation would be lost.
    """

    path: str
    input_column: str
    output_column: str
    found: LengthsFound


@dataclass(frozen=True, slots=True)
class LengthPairs:
    """The rows of such a file, a column each: light enough to travel to every worker."""

    input_tokens: array[int]
    output_tokens: array[int]

    def draw(self, number: float) -> tuple[int, int]:
        """Prompt and answer of one row, each row as likely as any other; `number` is uniform in (0, 1]."""
        rows = len(self.input_tokens)
        row = min(rows - 1, int((1 - number) * rows))
        return self.input_tokens[row], self.output_tokens[row]
