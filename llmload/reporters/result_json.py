"""`result.json`: the whole run for machines, `llmload/result/v1`, described by schemas/result-v1.schema.json.

Shares are 0..1, latencies ms, rates per second; a figure that could not be had is null. No raw requests, no document
text. It stays under 200 kB: histograms grow coarser, then the layout compact, before anything else is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import isfinite

from llmload.domain import (
    Caveat,
    Evidence,
    Histogram,
    LatencySummary,
    RunResult,
    StepMetrics,
    StepResult,
    TargetFacts,
    Verdict,
)
from llmload.promises import Bound, Gate
from llmload.reporters.escaping import plain

API_VERSION = "llmload/result/v1"
SIZE_LIMIT = 200_000  # bytes

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

_THRIFT = ((1, 2), (2, 2), (4, 2), (8, 2), (8, None), (0, None))
"""Ever smaller layouts: buckets merged into one (0 = no histograms), and the indentation."""
_NUMBER_LIST = re.compile(r"\[\n[\d\s.,e+-]*\]")  # no string can match: a raw newline never stands inside one


def render(run: RunResult) -> bytes:
    """The run as JSON with sorted keys: the first layout that keeps the size limit."""
    text = b""
    for merged, indent in _THRIFT:
        text = _encode(_document(run, merged), indent)
        if len(text) < SIZE_LIMIT:
            break
    return text


def _encode(document: Json, indent: int | None) -> bytes:
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(
        document, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
    )
    text = _NUMBER_LIST.sub(lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text)
    return (text + "\n").encode()


def _document(run: RunResult, merged: int) -> Json:
    header = run.header
    return {
        "apiVersion": API_VERSION,
        "kind": "RunResult",
        "run_id": plain(header.run_id),
        "scenario": plain(header.scenario),
        "created": plain(header.created),
        "finished": None if run.finished is None else plain(run.finished),
        "llmload_version": plain(header.version),
        "source": plain(header.source),
        "document_sha256": plain(header.document_hash),
        "labels": _foreign(header.labels),
        "environment": _foreign(header.environment),
        "target": None if run.target is None else _target(run.target),
        "verdict": run.status.value,
        "exit_code": run.exit_code,
        "because": plain(run.because),
        "fails_on": sorted(run.fails_on),
        "steps": [_step(step, merged) for step in run.steps],
        "histogram_buckets_merged": merged,
        "fingerprint": _foreign(run.fingerprint),
        "findings": [
            {
                "subject": plain(finding.subject),
                "expected": plain(finding.expected),
                "actual": plain(finding.actual),
                "cause": plain(finding.cause),
            }
            for finding in run.findings
        ],
        "caveats": [_caveat(caveat) for caveat in run.caveats],
        "notices": [plain(notice) for notice in run.notices],
    }


def _target(target: TargetFacts) -> Json:
    fit = target.fit
    return {
        "url": plain(target.url),
        "framework": plain(target.framework),
        "api": plain(target.api),
        "model": plain(target.model),
        "version": None if target.version is None else plain(target.version),
        "max_model_len": target.max_model_len,
        "settings": _foreign(target.settings),
        "declared": [plain(name) for name in target.declared],
        "left_out": [plain(name) for name in target.left_out],
        "token_fit": {
            "template": _number(fit.template),
            "per_word": _number(fit.per_word),
            "residual": _number(fit.residual),
            "source": fit.source.value,
        },
    }


def _step(result: StepResult, merged: int) -> Json:
    return {
        "index": result.step.index,
        "label": result.step.label,
        "axis": result.step.axis,
        "value": _number(result.step.value),
        "looks": [look.requests for look in result.looks],
        "metrics": _metrics(result.metrics, merged),
        "verdicts": [_verdict(verdict) for verdict in result.verdicts],
        "caveats": [_caveat(caveat) for caveat in result.caveats],
    }


def _metrics(metrics: StepMetrics, merged: int) -> Json:
    told: dict[str, Json] = {}
    for field in fields(metrics):
        value = getattr(metrics, field.name)
        if value is None or isinstance(value, int | float):
            told[field.name] = _number(value)
    told["latency"] = {plain(name): _latency(summary) for name, summary in metrics.latency.items()}
    told["histograms"] = {plain(name): _histogram(each, merged) for name, each in metrics.histograms.items() if merged}
    told["errors"] = _foreign(metrics.errors)
    told["token_sources"] = _foreign(metrics.token_sources)
    return told


def _latency(summary: LatencySummary) -> Json:
    return {field.name: _number(getattr(summary, field.name)) for field in fields(summary)}


def _histogram(histogram: Histogram, merged: int) -> Json:
    """The buckets from one before the first that holds something to the last; each bound is an upper edge."""
    filled = [index for index, count in enumerate(histogram.counts) if count]
    if not filled:
        return {"bounds_ms": [], "counts": []}
    first = max(0, filled[0] - 1) // merged * merged  # from a multiple, so that steps still share their edges
    counts = histogram.counts[first : filled[-1] + 1]
    starts = range(0, len(counts), merged)
    edges = [min(first + start + merged, len(histogram.bounds_ms)) - 1 for start in starts]
    return {
        "bounds_ms": [_number(histogram.bounds_ms[edge]) for edge in edges],
        "counts": [sum(counts[start : start + merged]) for start in starts],
    }


def _verdict(verdict: Verdict) -> Json:
    return {
        "gate": _gate(verdict.gate),
        "status": verdict.status.value,
        "because": plain(verdict.because),
        "remedy": plain(verdict.remedy),
        "kind": plain(verdict.kind),
        "evidence": None if verdict.evidence is None else _evidence(verdict.evidence),
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
        "value": _number(bound.value) if bound else None,
        "max_worse": _number(change.max_worse) if change else None,
        "floor": _number(change.floor) if change else None,
        "at": {"axis": gate.at.axis, "op": gate.at.op, "value": _number(gate.at.value)} if gate.at else None,
        "level": gate.level.value,
        "line": gate.line,
    }


def _evidence(evidence: Evidence) -> Json:
    return {field.name: _number(getattr(evidence, field.name)) for field in fields(evidence)}


def _caveat(caveat: Caveat) -> Json:
    return {
        "rule": plain(caveat.rule),
        "figure": plain(caveat.figure),
        "remedy": plain(caveat.remedy),
        "is_fatal": caveat.is_fatal,
        "kind": plain(caveat.kind),
    }


def _number(value: float | None) -> float | None:
    """Whole numbers as they are, others to six places: a nanosecond where the unit is ms."""
    if value is None or isinstance(value, int):
        return value
    return round(value, 6) if isfinite(value) else None


def _foreign(value: object) -> Json:
    """Settings and labels as JSON, whatever they hold."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return _number(value)
        case str():
            return plain(value)
        case Mapping():
            return {plain(str(key)): _foreign(each) for key, each in value.items()}
        case list() | tuple():
            return [_foreign(each) for each in value]
        case _:
            return plain(str(value))
