"""When requests are due: as slots become free (closed loop), or at instants known beforehand (open loop). Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from random import Random

from llmload.scenario.asked import Arrival, Constant, Gamma, Poisson

_NS = 1e9


@dataclass(frozen=True, slots=True)
class Ramp:
    """A linear change of the load on the way to a step: from the level `start`, over `seconds`."""

    start: float
    seconds: float

    def level(self, after_s: float, end: float) -> float:
        """The level `after_s` into a ramp that leads to `end`."""
        return end if after_s >= self.seconds else self.start + (end - self.start) * after_s / self.seconds


@dataclass(frozen=True, slots=True)
class Slots:
    """Closed loop: so many requests in flight, each due the instant the one before it in its slot is done."""

    concurrency: int
    ramp: Ramp | None = None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Open loop: a renewal process of rate `rate_per_s`, endless. Same arguments, same instants, in every worker.

    During a ramp the rate itself is linear in time: the same process, in the time in which its rate is 1.
    """

    rate_per_s: float
    arrival: Arrival
    key: int
    ramp: Ramp | None = None

    @property
    def lead(self) -> int:
        """How many requests are due before the ramp is over; they are warm-up as well."""
        if self.ramp is None:
            return 0
        end_ns = self.ramp.seconds * _NS
        return sum(1 for _ in takewhile(lambda due_ns: due_ns < end_ns, self.offsets_ns()))

    def offsets_ns(self) -> Iterator[int]:
        """Due instants after the start of the window, in order."""
        random = Random(self.key)
        mass = 0.0
        while True:
            mass += _gap(self.arrival, random)
            yield round(self._seconds(mass) * _NS)

    def _seconds(self, mass: float) -> float:
        """When `mass` requests are expected to have come: the integral of the rate, inverted."""
        rate, ramp = self.rate_per_s, self.ramp
        if ramp is None:
            return mass / rate
        climbed = (ramp.start + rate) / 2 * ramp.seconds
        if mass >= climbed:
            return ramp.seconds + (mass - climbed) / rate
        slope = (rate - ramp.start) / ramp.seconds
        # start x t + slope x t^2 / 2 = mass, in the form that does not cancel
        divisor = ramp.start + math.sqrt(ramp.start**2 + 2 * slope * mass)
        return 2 * mass / divisor if divisor else 0.0  # the gaps of a very bursty process may be too small for a float


@dataclass(frozen=True, slots=True)
class Replay:
    """Open loop: recorded instants. `lead` warm-up requests come first, `lead_gap_ns` apart; then it ends."""

    due_ns: array[int]
    lead: int = 0
    lead_gap_ns: int = 0

    def offsets_ns(self) -> Iterator[int]:
        """Due instants after the start of the window, in order."""
        for number in range(self.lead):
            yield number * self.lead_gap_ns
        begin_ns = self.lead * self.lead_gap_ns
        for due_ns in self.due_ns:
            yield begin_ns + due_ns


Pace = Slots | Arrivals | Replay


def _gap(arrival: Arrival, random: Random) -> float:
    """One gap of mean 1."""
    match arrival:
        case Poisson():
            return random.expovariate(1.0)
        case Constant():
            return 1.0
        case Gamma(burstiness):
            return random.gammavariate(burstiness, 1 / burstiness)
