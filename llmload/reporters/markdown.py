"""`report.md`: what a reviewer reads in a pull request. The answer first, then how sure, then what to do.

Every string is escaped unless it is `Markdown` already, so that a template cannot forget it. It stays under 80 kB:
long lists are cut after a stated number of rows, worst first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import jinja2

from llmload.domain import Caveat, RunResult, Status, StepResult
from llmload.reporters.escaping import Markdown, markdown_code, markdown_prose
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent
from llmload.reporters.wording import caveats, figures, readings, sentence, tally, worst

_MOST_DETAILS = 20
_MOST_GATES = 80
_MOST_STEPS = 40
_MOST_LINES = 30
_MARKS = {
    Status.PASS: "✅",
    Status.FAIL: "❌",
    Status.ERROR: "⛔",
    Status.INCONCLUSIVE: "❔",
    Status.INCOMPARABLE: "❔",
    Status.NOT_GATED: "⚪",
}


def render(run: RunResult) -> bytes:
    """GitHub-flavoured Markdown."""
    told = readings(run)
    open_questions = [reading for reading in told if reading.status is not Status.PASS]
    spoilers = caveats(run)
    text = (
        _environment()
        .get_template("report.md.j2")
        .render(
            run=run,
            header=run.header,
            tally=tally(run),
            framework=" ".join(filter(None, (run.target.framework, run.target.version))) if run.target else "",
            open_questions=open_questions[:_MOST_DETAILS],
            open_left=max(0, len(open_questions) - _MOST_DETAILS),
            readings=told[:_MOST_GATES],
            readings_left=max(0, len(told) - _MOST_GATES),
            confidences=", ".join(sorted({each.confidence for each in told if each.confidence != MISSING})),
            steps=run.steps[:_MOST_STEPS],
            steps_left=max(0, len(run.steps) - _MOST_STEPS),
            caveats=spoilers[:_MOST_LINES],
            caveats_left=max(0, len(spoilers) - _MOST_LINES),
            errors=_errors(run.steps)[:_MOST_LINES],
            provenance=_provenance(run),
        )
    )
    return text.encode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - `finalize` escapes, for Markdown instead of HTML
        loader=jinja2.PackageLoader("llmload.reporters"),
        finalize=_escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "code": markdown_code,
        "percent": percent,
        "amount": amount,
        "mark": _mark,
        "figures": figures,
        "sentence": sentence,
    }
    environment.tests |= {"fatal": _is_fatal}
    environment.globals |= {"latency": _latency, "worst": worst, "break": Markdown("<br>")}
    return environment


def _escape(value: object) -> object:
    return value if isinstance(value, Markdown | int) else markdown_prose(str(value))


def _mark(status: Status) -> str:
    return _MARKS[status]


def _is_fatal(caveat: Caveat) -> bool:
    return caveat.is_fatal


def _latency(step: StepResult, metric: str) -> str:
    """p50 / p95 / p99 in ms, in one cell."""
    summary = step.metrics.latency.get(metric)
    if summary is None:
        return MISSING
    return " / ".join(bare_milliseconds(value) for value in (summary.p50_ms, summary.p95_ms, summary.p99_ms))


def _errors(steps: Sequence[StepResult]) -> list[tuple[str, str, int, str]]:
    """Step, error type, count and share of attempts, most frequent first within a step."""
    return [
        (step.step.label, kind, count, percent(count / step.metrics.attempts if step.metrics.attempts else None))
        for step in steps
        for kind, count in sorted(step.metrics.errors.items(), key=lambda each: (-each[1], each[0]))
    ]


def _provenance(run: RunResult) -> list[tuple[str, str]]:
    header = run.header
    told = [
        ("scenario", f"{header.source}, sha256 {header.document_hash}"),
        ("created", header.created),
        ("finished", "not finished" if run.finished is None else run.finished),
        ("llmload", header.version),
    ]
    for prefix, pairs in (
        ("fingerprint", run.fingerprint),
        ("environment", header.environment),
        ("label", header.labels),
    ):
        told += [(f"{prefix}: {name}", value) for name, value in sorted(pairs.items())[:_MOST_LINES]]
    if run.target:
        fit = run.target.fit
        told.append(("tokens counted by", f"{fit.source.value}, fit within {percent(fit.residual)}"))
        told += [
            (f"setting: {name}", _setting(run, name, value)) for name, value in sorted(run.target.settings.items())
        ]
    return told


def _setting(run: RunResult, name: str, value: object) -> str:
    declared = run.target is not None and name in run.target.declared
    return str(value) if declared else f"{value} (assumed, not declared)"
