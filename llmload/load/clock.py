"""How the clock of a worker's machine stands to ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Its monotonic clock minus ours, and the bound of the error of that difference, in nanoseconds."""

    offset_ns: int
    error_ns: int


SAME = Clock(0, 0)
"""On one machine the monotonic clock is everybody's."""
