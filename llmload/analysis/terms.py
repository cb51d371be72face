"""The two sets of terms that evidence comes in: those of the judgement, and those of the gate's own words."""

from __future__ import annotations

from dataclasses import replace

from llmload.promises import LATENCIES, SHARES, Bound, Gate
from llmload.verdict import Evidence


def in_own_terms(gate: Gate, evidence: Evidence) -> Evidence:
    """`error_rate <= 5%` is judged as "at least 95 % complete"; told, it speaks of errors again."""
    share = _turned_share(gate)
    return evidence if share is None else _turned(evidence, share)


def in_judged_terms(gate: Gate, evidence: Evidence) -> Evidence:
    """The way back: what `in_own_terms` told of this gate, as it was judged."""
    share = _turned_share(gate)
    return evidence if share is None else _turned(evidence, round(1 - share, 12))


def is_share_in_time(gate: Gate, evidence: Evidence) -> bool:
    """Percentile gates are claims about a share: `p95(ttft) <= X` says that 95 % of attempts are within X."""
    return gate.subject in LATENCIES and isinstance(gate.promise, Bound) and evidence.target != gate.promise.value


def _turned_share(gate: Gate) -> float | None:
    """What the gate promises of a share, where the judgement takes the one that is left of it; None elsewhere."""
    match gate.promise:
        case Bound("<=", value) if gate.subject in SHARES:
            return value
        case _:
            return None


def _turned(evidence: Evidence, target: float) -> Evidence:
    return replace(
        evidence,
        observed=_rest(evidence.observed),
        target=target,
        low=_rest(evidence.high),
        high=_rest(evidence.low),
    )


def _rest(share: float | None) -> float | None:
    return None if share is None else round(1 - share, 12)
