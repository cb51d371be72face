"""One step of `result.json`: figures, histograms, estimates, verdicts with their evidence, caveats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite

from llmload.analysis.terms import in_own_terms, is_share_in_time
from llmload.baseline import Estimates
from llmload.domain import PartFigures, StepMetrics, StepResult, Workers
from llmload.latency import Histogram, LatencySummary
from llmload.plain_text import plain
from llmload.promises import LATENCIES, SHARES, Bound, Gate
from llmload.serving import Check, GpuFigures, ServerFigures
from llmload.verdict import Caveat, Evidence, Verdict

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True, slots=True)
class Room:
    """How much one layout of the document tells: `merged` histogram buckets are added into one, 0 = no histograms;
    of a step at most so many repeats and parts of its traffic, None = all; of the server's series at most so many
    points; of a written analysis at most so many letters.
    """

    merged: int
    most_repeats: int | None = None
    most_points: int = 240
    most_letters: int = 10_000
    most_parts: int | None = None


def step_document(result: StepResult, room: Room) -> Json:
    """Everything of a step; `repeats` is empty where the ladder was climbed once."""
    return {
        "index": result.step.index,
        "label": result.step.label,
        "axis": result.step.axis,
        "value": number(result.step.value),
        "looks": [look.requests for look in result.looks],
        "look_repeats": [look.repeat for look in result.looks],
        "workers": None if result.workers is None else _workers(result.workers),
        "metrics": _metrics(result.metrics, room.merged),
        "gpu": None if result.gpu is None else _told(result.gpu),
        "server": None if result.server is None else _told(result.server),
        "checks": [
            {**_told(check), "difference": number(check.difference), "agrees": check.agrees} for check in result.checks
        ],
        "estimates": _estimates(result.estimates),
        "repeats": [_estimates(each) for each in result.repeats[: room.most_repeats]],
        "verdicts": [_verdict(verdict) for verdict in result.verdicts],
        "caveats": [caveat_document(caveat) for caveat in result.caveats],
        "capacity": None if result.capacity is None else _verdict(result.capacity),
        **_parts(result.parts, room),
    }


def _parts(parts: Sequence[PartFigures], room: Room) -> dict[str, Json]:
    """Nothing where the traffic has no parts; how many are not told only where some are not."""
    if not parts:
        return {}
    kept = parts[: room.most_parts]
    told = [{"axis": part.axis, "name": plain(part.name), "metrics": _metrics(part.metrics, 0)} for part in kept]
    left = len(parts) - len(kept)
    return {"parts": told, "parts_left_out": left} if left else {"parts": told}


def _told(figures: GpuFigures | ServerFigures | Check) -> dict[str, Json]:
    """Every field by its name."""
    return {field.name: foreign(getattr(figures, field.name)) for field in fields(figures)}


def _workers(workers: Workers) -> Json:
    return {"count": workers.count, "because": plain(workers.because), "cpu_share": number(workers.cpu_share)}


def _metrics(metrics: StepMetrics, merged: int) -> Json:
    told: dict[str, Json] = {}
    for field in fields(metrics):
        value = getattr(metrics, field.name)
        if value is None or isinstance(value, int | float):
            told[field.name] = number(value)
    told["latency"] = {plain(name): _latency(summary) for name, summary in metrics.latency.items()}
    told["histograms"] = {plain(name): _histogram(each, merged) for name, each in metrics.histograms.items() if merged}
    told["errors"] = foreign(metrics.errors)
    told["token_sources"] = foreign(metrics.token_sources)
    return told


def _estimates(estimates: Estimates) -> Json:
    """By the words of a gate; a value that is infinite, since failed attempts are beyond every limit, is null."""
    return {
        plain(name): {"value": number(each.value), "log_error": number(each.log_error)}
        for name, each in estimates.items()
    }


def _latency(summary: LatencySummary) -> Json:
    return {field.name: number(getattr(summary, field.name)) for field in fields(summary)}


def _histogram(histogram: Histogram, merged: int) -> Json:
    """The buckets from one before the first that holds something to the last, `merged` neighbours added into one."""
    filled = [index for index, count in enumerate(histogram.counts) if count]
    if not filled:
        return {"bounds_ms": [], "counts": []}
    starts = range(max(0, filled[0] - 1), filled[-1] + 1, merged)
    last = len(histogram.bounds_ms) - 1
    return {
        "bounds_ms": [number(histogram.bounds_ms[min(start + merged - 1, last)]) for start in starts],
        "counts": [sum(histogram.counts[start : start + merged]) for start in starts],
    }


def _verdict(verdict: Verdict) -> Json:
    return {
        "gate": _gate(verdict.gate),
        "status": verdict.status.value,
        "because": plain(verdict.because),
        "remedy": plain(verdict.remedy),
        "kind": plain(verdict.kind),
        "evidence": None if verdict.evidence is None else _evidence(verdict.gate, verdict.evidence),
    }


def _gate(gate: Gate) -> Json:
    bound = gate.promise if isinstance(gate.promise, Bound) else None
    change = None if isinstance(gate.promise, Bound) else gate.promise
    return {
        "text": plain(str(gate)),
        "id": plain(gate.id),
        "subject": gate.subject,
        "stat": gate.stat,
        "op": bound.op if bound else None,
        "value": number(bound.value) if bound else None,
        "max_worse": number(change.max_worse) if change else None,
        "floor": number(change.floor) if change else None,
        "at": {"axis": gate.at.axis, "op": gate.at.op, "value": number(gate.at.value)} if gate.at else None,
        "level": gate.level.value,
        "line": gate.line,
        **({} if gate.traffic_class is None else {"class": plain(gate.traffic_class)}),
    }


def _evidence(gate: Gate, evidence: Evidence) -> Json:
    """In the gate's own terms. A percentile gate is judged by the share of attempts that keep its bound."""
    own = in_own_terms(gate, evidence)
    figures: dict[str, Json] = {field.name: number(getattr(own, field.name)) for field in fields(own)}
    return {**figures, "unit": _unit(gate, own)}


def _unit(gate: Gate, evidence: Evidence) -> str:
    if not isinstance(gate.promise, Bound):
        return "ratio"
    if gate.subject in SHARES or is_share_in_time(gate, evidence):
        return "share"
    return "ms" if gate.subject in LATENCIES else "per_s"


def caveat_document(caveat: Caveat) -> Json:
    return {
        "rule": plain(caveat.rule),
        "figure": plain(caveat.figure),
        "remedy": plain(caveat.remedy),
        "is_fatal": caveat.is_fatal,
        "kind": plain(caveat.kind),
    }


def number(value: float | None) -> float | None:
    """Whole numbers as they are, others to six places: a nanosecond where the unit is ms."""
    if value is None or isinstance(value, int):
        return value
    return round(value, 6) if isfinite(value) else None


def foreign(value: object) -> Json:
    """Settings and labels as JSON, whatever they hold."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return number(value)
        case str():
            return plain(value)
        case Mapping():
            return {plain(str(key)): foreign(each) for key, each in value.items()}
        case list() | tuple():
            return [foreign(each) for each in value]
        case _:
            return plain(str(value))
