"""How far another machine's clock is from ours, and how sure that is. Pure: the instants come from whoever asked.

Ping-pong, as in Cristian (1989): we ask at `asked_ns`, the other side reads its clock, we hear at `heard_ns`. It read
its clock somewhere in between, so one round bounds the offset from both sides by its round trip. All rounds bound the
same offset, so it lies where their bounds overlap (Marzullo 1984), which is never wider than the fastest round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Another monotonic clock against ours: theirs = ours + `offset_ns`, wrong by `error_ns` at most."""

    offset_ns: int
    error_ns: int

    @property
    def low_ns(self) -> int:
        """The smallest offset that it could be."""
        return self.offset_ns - self.error_ns

    @property
    def high_ns(self) -> int:
        """The largest offset that it could be."""
        return self.offset_ns + self.error_ns

    def admits(self, offset_ns: int) -> bool:
        """Whether the true offset could be this one."""
        return self.low_ns <= offset_ns <= self.high_ns

    def joined(self, later: Clock) -> Clock:
        """The clock over all the time between two estimates: what drifted in between is part of the error."""
        return _between(min(self.low_ns, later.low_ns), max(self.high_ns, later.high_ns))


SAME = Clock(0, 0)
"""The clock of a process on this machine: `monotonic_ns` is one clock for all of them."""


@dataclass(frozen=True, slots=True)
class Round:
    """One ping-pong: asked and heard on our clock, `theirs_ns` read on the other one in between."""

    asked_ns: int
    theirs_ns: int
    heard_ns: int

    @property
    def clock(self) -> Clock:
        """What this round alone says."""
        return _between(self.theirs_ns - self.heard_ns, self.theirs_ns - self.asked_ns)


def estimate(rounds: Sequence[Round]) -> Clock:
    """The offset that all rounds admit, and half the width of what they leave open.

    Where they admit none in common, a clock was set or drifts faster than the rounds can follow: then the error
    spans all of them. ValueError without a round.
    """
    clocks = [round_.clock for round_ in rounds]
    if not clocks:
        raise ValueError("no clock without a round")
    low, high = max(clock.low_ns for clock in clocks), min(clock.high_ns for clock in clocks)
    if low > high:
        low, high = min(clock.low_ns for clock in clocks), max(clock.high_ns for clock in clocks)
    return _between(low, high)


def _between(low_ns: int, high_ns: int) -> Clock:
    middle = round((low_ns + high_ns) / 2000) * 1000  # whole microseconds, as every instant of ours
    return Clock(middle, max(high_ns - middle, middle - low_ns))
