"""How figures are written in a reason: few digits, and rounded so that they never contradict the verdict."""

from __future__ import annotations

import math

from llmload.promises import LATENCIES, SHARES, Gate
from llmload.units import format_duration, format_number


def percent(share: float) -> str:
    """Percent with at most two decimals, rounded down: a bound just below its target must not read as the target."""
    return format_number(math.floor(round(share * 10_000, 6)) / 100) + "%"


def level(confidence: float) -> str:
    """A confidence such as 95% or 98.75%, written as every report writes it."""
    return percent(confidence)


def milliseconds(value_ms: float) -> str:
    """A latency with four digits; one that is infinite belongs to a request that never completed."""
    if math.isinf(value_ms):
        return "never reached"
    return format_duration(float(f"{value_ms / 1000:.4g}"))


def figure(gate: Gate, value: float) -> str:
    """A value of the gate's subject, with its unit."""
    if gate.subject in SHARES:
        return percent(value)
    if gate.subject in LATENCIES:
        return milliseconds(value)
    return gate.format_value(float(f"{value:.4g}"))


def name(gate: Gate) -> str:
    """What the gate speaks of: `goodput` or `p95(ttft)`."""
    return f"{gate.stat}({gate.subject})" if gate.stat else gate.subject


def counted(count: int, thing: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")
