"""What Markdown, HTML and Excel tell alike, besides verdicts: figures and places as rows, not yet escaped."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.domain import RunResult, StepResult, TargetFacts
from llmload.reporters.figures import MISSING, percent
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label

Pairs = list[tuple[str, str]]
"""Name and value, in the order of reading."""


def framework(target: TargetFacts) -> str:
    """Name and version, as far as they are known."""
    return " ".join(filter(None, (target.framework, target.version)))


def errors(steps: Sequence[StepResult], texts: Texts) -> list[tuple[str, str, int, str]]:
    """Step, error type, count and share of attempts, most frequent first within a step."""
    return [
        (
            step_label(step.step, texts),
            kind,
            count,
            percent(count / step.metrics.attempts if step.metrics.attempts else None),
        )
        for step in steps
        for kind, count in sorted(step.metrics.errors.items(), key=lambda each: (-each[1], each[0]))
    ]


def provenance(run: RunResult, texts: Texts, most: int) -> Pairs:
    """Where the figures come from; at most so many of each kind of fact."""
    header = run.header
    document = texts["provenance.document"].format(source=header.source, hash=header.document_hash)
    unfinished = MISSING if run.is_imported else texts["provenance.not_finished"]
    told = [
        (texts["provenance.imported_from" if run.is_imported else "provenance.scenario"], document),
        (texts["provenance.created"], header.created),
        (texts["provenance.finished"], run.finished or unfinished),
        (texts["provenance.imported_by" if run.is_imported else "provenance.llmload"], header.version),
    ]
    for key, pairs in (
        ("provenance.fingerprint", run.fingerprint),
        ("provenance.environment", header.environment),
        ("provenance.label", header.labels),
    ):
        told += [(texts[key].format(name=name), value) for name, value in sorted(pairs.items())[:most]]
    return [*told, *_target(run.target, texts)] if run.target else told


def _target(target: TargetFacts, texts: Texts) -> Pairs:
    told: Pairs = []
    if target.fit is not None:
        source, residual = target.fit.source.value, percent(target.fit.residual)
        told.append((texts["provenance.counted_by"], texts["provenance.fit"].format(source=source, residual=residual)))
    settings = target.in_force
    return told + [
        (texts["provenance.setting"].format(name=name), f"{settings[name]} ({_source(target, name, texts)})")
        for name in sorted(settings)
    ]


def _source(target: TargetFacts, name: str, texts: Texts) -> str:
    if name in target.actual:
        return texts["provenance.told"]
    return texts["provenance.declared" if name in target.declared else "provenance.assumed"]
