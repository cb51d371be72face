"""How long prompts and answers are asked to be: a number, or a distribution of numbers, in tokens."""

from __future__ import annotations

from dataclasses import dataclass


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
