"""What a scenario promises: the SLO that makes one request good, and the gates that a run must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from llmload.units import format_duration, format_number, format_share


class Level(StrEnum):
    """What a broken gate does to the exit code."""

    WARN = "warn"
    FAIL = "fail"


LATENCIES = ("ttft", "ttfo", "tpot", "itl_max", "e2e", "lag")
"""Latency metrics a gate may name with a statistic; METRICS.md defines each."""

STATS = ("p50", "p90", "p95", "p99", "mean", "max")
SHARES = ("goodput", "error_rate")
RATES = ("rps", "output_tps", "total_tps")


@dataclass(frozen=True, slots=True)
class Slo:
    """Bounds one request must keep to be good, in milliseconds; None = no such term."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SloByClass:
    """What requests of each class must keep; those of any other class, and of none, keep `usual`."""

    usual: Slo | None
    classes: Mapping[str, Slo | None]

    def of(self, traffic_class: str | None) -> Slo | None:
        """What a request of this class must keep."""
        return self.usual if traffic_class is None else self.classes.get(traffic_class, self.usual)


Promised = Slo | SloByClass | None
"""What makes a request good: the same for all, or by its class; None: that it completed."""


def slo_of(promised: Promised, traffic_class: str | None) -> Slo | None:
    """What a request of this class must keep."""
    return promised.of(traffic_class) if isinstance(promised, SloByClass) else promised


def slos_of(promised: Promised) -> tuple[Slo, ...]:
    """Every SLO that some request must keep, each once."""
    each = promised.classes.values() if isinstance(promised, SloByClass) else (promised,)
    return tuple(dict.fromkeys(slo for slo in each if slo is not None))


@dataclass(frozen=True, slots=True)
class At:
    """Which steps a gate speaks of: `at concurrency <= 50`; op is one of "==", "<=", ">="."""

    axis: str
    op: str
    value: float

    def __str__(self) -> str:
        op = "" if self.op == "==" else f"{self.op} "
        unit = "/s" if self.axis == "rate" else ""
        return f"at {self.axis} {op}{format_number(self.value)}{unit}"

    def covers(self, axis: str, value: float) -> bool:
        """Whether the step at `value` on `axis` is meant."""
        if axis != self.axis:
            return False
        if self.op == "==":
            return value == self.value
        return value <= self.value if self.op == "<=" else value >= self.value


@dataclass(frozen=True, slots=True)
class Bound:
    """An absolute promise: `op` is "<=" or ">="; `value` in ms (latency), share 0..1, or per second."""

    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Change:
    """A relative promise: at most this share worse than the baseline, and differences under `floor` do not count.

    `max_worse` is a ratio (0.05 = 5 %); `floor` in the metric's unit (ms, share, per second).
    """

    max_worse: float
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    """One promise the run must keep. `str(gate)` is its one-line form, which parses back to the same promise."""

    subject: str  # a member of LATENCIES, SHARES or RATES
    promise: Bound | Change
    stat: str | None = None  # a member of STATS, latencies only
    at: At | None = None
    id: str = ""
    level: Level = Level.FAIL
    line: int | None = None  # where the author wrote it, 1-based
    traffic_class: str | None = None  # speaks of the requests of this class alone

    def __str__(self) -> str:
        subject = f"{self.stat}({self.subject})" if self.stat else self.subject
        subject += f" of {self.traffic_class}" if self.traffic_class else ""
        where = f" {self.at}" if self.at else ""
        match self.promise:
            case Bound(op, value):
                return f"{subject} {op} {self.format_value(value)}{where}"
            case Change(max_worse, floor):
                beyond = f", floor {self.format_value(floor)}" if floor else ""
                return f"{subject} within {format_share(max_worse)} of baseline{beyond}{where}"

    @property
    def is_on_goodput(self) -> bool:
        """Whether it speaks of the share of good requests of all traffic."""
        return self.subject == "goodput" and self.traffic_class is None

    def format_value(self, value: float) -> str:
        """A figure of this gate's subject with its unit."""
        if self.subject in SHARES:
            return format_share(value)
        if self.subject in LATENCIES:
            return format_duration(value / 1000)
        return format_number(value) + ("/s" if self.subject == "rps" else " tok/s")
