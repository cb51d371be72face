"""Numbers as they are written, so that whole things can be counted: 10 x 1.1 is 11, and not a little more."""

from __future__ import annotations

from fractions import Fraction


def exact(number: float) -> Fraction:
    """The number as it is written, since 0.1 is no binary fraction."""
    return Fraction(format(number, ".12g"))
