"""What Markdown, HTML and Excel tell alike, besides verdicts: figures and places as rows, not yet escaped."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.domain import RunResult, StepResult, TargetFacts
from llmload.reporters.figures import MISSING, percent

Pairs = list[tuple[str, str]]
"""Name and value, in the order of reading."""


def framework(target: TargetFacts) -> str:
    """Name and version, as far as they are known."""
    return " ".join(filter(None, (target.framework, target.version)))


def errors(steps: Sequence[StepResult]) -> list[tuple[str, str, int, str]]:
    """Step, error type, count and share of attempts, most frequent first within a step."""
    return [
        (step.step.label, kind, count, percent(count / step.metrics.attempts if step.metrics.attempts else None))
        for step in steps
        for kind, count in sorted(step.metrics.errors.items(), key=lambda each: (-each[1], each[0]))
    ]


def provenance(run: RunResult, most: int) -> Pairs:
    """Where the figures come from; at most so many of each kind of fact."""
    header = run.header
    told = [
        ("imported from" if run.is_imported else "scenario", f"{header.source}, sha256 {header.document_hash}"),
        ("created", header.created),
        ("finished", run.finished or (MISSING if run.is_imported else "not finished")),
        ("imported by llmload" if run.is_imported else "llmload", header.version),
    ]
    for prefix, pairs in (
        ("fingerprint", run.fingerprint),
        ("environment", header.environment),
        ("label", header.labels),
    ):
        told += [(f"{prefix}: {name}", value) for name, value in sorted(pairs.items())[:most]]
    return [*told, *_target(run.target)] if run.target else told


def _target(target: TargetFacts) -> Pairs:
    told: Pairs = []
    if target.fit is not None:
        told.append(("tokens counted by", f"{target.fit.source.value}, fit within {percent(target.fit.residual)}"))
    settings = target.in_force
    return told + [(f"setting: {name}", f"{settings[name]} ({_source(target, name)})") for name in sorted(settings)]


def _source(target: TargetFacts, name: str) -> str:
    if name in target.actual:
        return "told by the server"
    return "declared, not verified" if name in target.declared else "assumed, not declared"
