"""Lengths of prompts and answers, from numbers that were drawn elsewhere."""

from __future__ import annotations

import math
from typing import assert_never

from llmload.scenario.lengths import Fixed, Lengths, Lognormal, Normal, Uniform


def draw(lengths: Lengths, first: float, second: float) -> int:
    """One length in tokens, at least 1; `first` and `second` are independent and uniform in (0, 1].

    A length beyond the bounds becomes the bound (it is not drawn again), so that the figure stays a function of the
    two numbers. The normal variate is Box and Muller's.
    """
    match lengths:
        case Fixed(tokens):
            return tokens
        case Uniform(low, high):
            return low + min(high - low, int((1 - first) * (high - low + 1)))
        case Normal(mean, stdev, minimum, maximum):
            return _cut(mean + stdev * _standard_normal(first, second), minimum, maximum)
        case Lognormal(mean, stdev, minimum, maximum):
            variance = math.log1p((stdev / mean) ** 2)
            location = math.log(mean) - variance / 2
            return _cut(math.exp(location + math.sqrt(variance) * _standard_normal(first, second)), minimum, maximum)
        case _:
            assert_never(lengths)


def longest(lengths: Lengths) -> int:
    """The greatest length that `draw` can give."""
    match lengths:
        case Fixed(tokens):
            return tokens
        case Uniform(_, high):
            return high
        case Normal(maximum=maximum) | Lognormal(maximum=maximum):
            return maximum
        case _:
            assert_never(lengths)


def _cut(length: float, minimum: int, maximum: int) -> int:
    return max(1, minimum, min(maximum, round(length)))


def _standard_normal(first: float, second: float) -> float:
    return math.sqrt(-2 * math.log(first)) * math.cos(2 * math.pi * second)
