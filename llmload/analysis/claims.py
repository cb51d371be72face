"""Gates as claims about a proportion: which attempts hold, and what share of them must."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmload.analysis.attempts import Attempts, slo_terms
from llmload.analysis.metrics import are_known
from llmload.analysis.stats import Bools, Floats
from llmload.promises import Bound, Gate, Promised, slos_of

MOST_WITHOUT_PACE = 0.2
_OF_TEXT = ("ttft", "ttfo", "e2e")
PERCENTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Claim:
    """At least `target` of the attempts `among` hold; `holding` says in words what that means for one request."""

    holds: Bools
    among: Bools
    target: float
    holding: str


def share_target(gate: Gate, bound: Bound) -> float | None:
    """Share that must hold for a goodput, error rate or percentile gate; None for a gate that is no such claim."""
    wants_more = bound.op == ">="
    if gate.subject == "goodput":
        return bound.value if wants_more else _rest(bound.value)
    if gate.subject == "error_rate":
        return bound.value if wants_more else _rest(bound.value)
    point = PERCENTILES.get(gate.stat or "")
    if point is None:
        return None
    return _rest(point) if wants_more else point


def claim_of(gate: Gate, bound: Bound, attempts: Attempts, slo: Promised) -> Claim | None:
    """The claim that this gate makes; None where it is about a mean, a maximum or a rate."""
    target = share_target(gate, bound)
    if target is None:
        return None
    wants_more = bound.op == ">="
    everyone = np.ones(len(attempts), dtype=np.bool_)
    if gate.subject == "goodput":
        good = attempts.good(slo)
        return Claim(good, everyone, target, "good") if wants_more else Claim(~good, everyone, target, "not good")
    if gate.subject == "error_rate":
        ok = attempts.is_ok
        return Claim(~ok, everyone, target, "failed") if wants_more else Claim(ok, everyone, target, "completed")
    values = judged_ms(gate.subject, attempts)
    among = ~np.isnan(values)
    since = "" if attempts.judged(gate.subject) == gate.subject else " of being due"
    if wants_more:
        holds = np.isfinite(values) & (np.nan_to_num(values) >= bound.value)
        return Claim(holds, among, target, f"at or over {gate.format_value(bound.value)}{since}")
    holds = among & (np.nan_to_num(values, nan=0.0, posinf=np.inf) <= bound.value)
    return Claim(holds, among, target, f"within {gate.format_value(bound.value)}{since}")


def judged_ms(subject: str, attempts: Attempts) -> Floats:
    """A latency over attempts: failed ones are over every limit (infinite), NaN where it does not apply.

    A completed answer without any text never came to its first or last word, so it is over every such limit too.
    """
    values = attempts.latency_ms[attempts.judged(subject)]
    if subject in _OF_TEXT:
        values = np.nan_to_num(values, nan=np.inf)
    return np.where(attempts.is_ok, values, np.inf)


def needs_tokens(gate: Gate, slo: Promised) -> bool:
    """Whether the gate's figure rests on counts of output tokens."""
    if gate.subject == "goodput":
        return _limits_tpot(slo)
    return gate.subject in ("tpot", "output_tps", "total_tps")


def needs_pace(gate: Gate, slo: Promised) -> bool:
    """Whether the gate's figure rests on the time between tokens."""
    return gate.subject == "tpot" or (gate.subject == "goodput" and _limits_tpot(slo))


def _limits_tpot(slo: Promised) -> bool:
    return any(term == "tpot" for each in slos_of(slo) for term, _ in slo_terms(each))


def _has_pace(attempts: Attempts) -> bool:
    """Whether most answers of several tokens show a TPOT: a proxy that holds text back leaves them none."""
    several = attempts.is_ok & (attempts.output_tokens >= 2)
    return not several.any() or float(np.isnan(attempts.latency_ms["tpot"][several]).mean()) <= MOST_WITHOUT_PACE


def missing_data(gate: Gate, attempts: Attempts, slo: Promised) -> str | None:
    """Which figure the gate needs and the completed requests do not have; None when there is data.

    Requests whose tokens nobody counted would keep a TPOT limit for want of a figure, so nearly all must be counted.
    """
    if needs_tokens(gate, slo) and not are_known(attempts.output_tokens[attempts.is_ok]):
        return "token count"
    terms = [gate.subject] if gate.subject in attempts.latency_ms else []
    if gate.subject == "goodput":
        terms = [term for each in slos_of(slo) for term, _ in slo_terms(each)]
    if missing := next((term for term in terms if not attempts.term_has_data(term)), None):
        return missing
    if needs_pace(gate, slo) and not _has_pace(attempts):
        return "pace between tokens, since answers came in one read"
    if gate.subject == "total_tps" and not are_known(attempts.input_tokens[attempts.is_ok]):
        return "count of input tokens"
    return None


def _rest(share: float) -> float:
    """1 - share without the last digit of floating point, so that 1 - 0.05 is 0.95."""
    return round(1 - share, 12)
