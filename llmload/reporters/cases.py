"""Gates as test cases: one flat suite per scenario and step, in it one case per gate and one named `measurement`.

Red exactly when the exit code is not 0: what the gate's level or the scenario's policy lets pass is skipped, with the
reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmload.analysis.conclusions import breaks_build
from llmload.domain import RunResult, StepResult
from llmload.plain_text import plain
from llmload.reporters.changes import climbs, compared_with
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import (
    figures,
    finding_subject,
    finding_words,
    gate_name,
    read,
    sentence,
    tally,
)
from llmload.verdict import NO_BASELINE, Caveat, Status, Verdict

_MEASUREMENT = "measurement"
_ENGLISH = texts_in(Language.EN)
_TEXT_LIMIT = 2_000

KINDS = {
    Status.FAIL: "SloViolation",
    Status.ERROR: "NotMeasured",
    Status.INCONCLUSIVE: "Inconclusive",
    Status.INCOMPARABLE: "Incomparable",
}
"""The type of a verdict that has no kind of its own."""

ENDINGS = {70: "InternalError", 130: "Interrupted", 143: "Terminated"}
"""The type of a run that ended early, by its exit code."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case; `tag` is "failure", "error", "skipped", or empty when all is well."""

    name: str
    tag: str = ""
    kind: str = ""
    text: str = ""
    time_s: float = 0.0
    file: str = ""
    line: int | None = None
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one step, with its figures as properties and its caveats as notes."""

    name: str
    classname: str
    cases: tuple[Case, ...]
    properties: tuple[tuple[str, str], ...]
    notes: str = ""

    def count(self, tag: str) -> int:
        """How many cases carry `tag`."""
        return sum(case.tag == tag for case in self.cases)


def suites_of(run: RunResult) -> list[Suite]:
    """A suite per step; one more for the run as a whole where no step can tell why it is red."""
    suites = [_step_suite(run, step) for step in run.steps]
    is_red = any(suite.count("failure") + suite.count("error") for suite in suites)
    if not suites or run.exit_code in ENDINGS or (run.exit_code and not is_red):
        suites.append(_run_suite(run))
    return suites


def _step_suite(run: RunResult, step: StepResult) -> Suite:
    title, label = plain(run.header.title), step.step.label
    cases = (*(_gate_case(run, verdict) for verdict in step.verdicts), _measurement_case(run, step))
    classname = f"{title.replace('.', '_')}.{label.replace('.', '_')}"  # viewers cut packages at dots
    return Suite(f"{title} / {label}", classname, cases, _figures(run, step), _notes(run, step))


def _run_suite(run: RunResult) -> Suite:
    """What is red about the run as a whole: it never began to measure, or it did not come to its end."""
    title = plain(run.header.title)
    fatal = next((caveat.kind for caveat in run.caveats if caveat.is_fatal and caveat.kind), "NotMeasured")
    text = " ".join((sentence(run.because), *(_caveat_text(caveat) for caveat in run.caveats)))
    tag, kind = ("failure", "Inconclusive") if run.exit_code == 4 else ("error", ENDINGS.get(run.exit_code, fatal))
    case = Case(_MEASUREMENT, tag, plain(kind), plain(text, _TEXT_LIMIT))
    return Suite(title, title.replace(".", "_"), (case,), _provenance(run))


def _gate_case(run: RunResult, verdict: Verdict) -> Case:
    reading = read(verdict, run.reference, _ENGLISH)
    tag, kind = _outcome(run, verdict)
    why = "Advisory" if reading.is_advisory else "Level warn"
    excuse = f"{why}, does not break the build." if tag and reading.is_warning else ""
    todo = f"To do: {sentence(verdict.remedy)}" if verdict.remedy else ""
    parts = (excuse, sentence(plain(verdict.because)), sentence(figures(reading, _ENGLISH)), plain(todo))
    told = {
        "observed": reading.observed,
        "target": reading.target,
        "interval": reading.interval,
        "confidence": reading.confidence,
        "n": reading.n,
        "deff": reading.deff,
        "effective_n": reading.effective_n,
        "looks": reading.looks,
    }
    return Case(
        name=plain(gate_name(verdict.gate)),
        tag=tag,
        kind=kind,
        text=plain(" ".join(filter(None, parts)), _TEXT_LIMIT) if tag else "",
        file=plain(run.header.file),
        line=verdict.gate.line,
        properties=tuple(told.items()),
    )


def _outcome(run: RunResult, verdict: Verdict) -> tuple[str, str]:
    """Tag and type: what the policy turned into a failure says which policy, whatever left it open."""
    kind = plain(verdict.kind) or KINDS.get(verdict.status, "")
    if verdict.status in (Status.PASS, Status.NOT_GATED):
        return "", ""
    if not breaks_build(verdict, run.fails_on):
        return "skipped", kind
    if verdict.status is Status.ERROR:
        return "error", kind
    is_its_own = verdict.status is Status.FAIL or verdict.kind == NO_BASELINE
    return "failure", kind if is_its_own else KINDS[verdict.status]


def _measurement_case(run: RunResult, step: StepResult) -> Case:
    """Red where a fatal caveat spoils the step, or where it never came to be measured."""
    against = step.caveats if step.looks else run.caveats
    fatal = next((caveat for caveat in against if caveat.is_fatal), None)
    if fatal is None and step.looks:
        return Case(_MEASUREMENT, time_s=step.metrics.window_s or 0)
    tag = "error" if run.exit_code else "skipped"
    kind = plain(fatal.kind) if fatal else ""
    text = _caveat_text(fatal) if fatal else "No window of this step was measured."
    if run.is_imported:
        text = f"{sentence(run.because)} {text}"
    return Case(_MEASUREMENT, tag, kind or "NotMeasured", plain(text, _TEXT_LIMIT), step.metrics.window_s or 0)


def _caveat_text(caveat: Caveat) -> str:
    todo = f" To do: {sentence(caveat.remedy)}" if caveat.remedy else ""
    return f"{caveat.rule}: {sentence(caveat.figure)}{todo}"


def _provenance(run: RunResult, label: str | None = None) -> tuple[tuple[str, str], ...]:
    """Of the run, with the findings that speak of it; of the step of that label only its own, where there is one."""
    told = [("run_id", run.header.run_id), ("llmload", run.header.version), ("verdict", run.status.value)]
    told += [("exit_code", str(run.exit_code)), ("gates", tally(run, _ENGLISH))]
    if run.target:
        told += [("target.url", run.target.url), ("target.model", run.target.model)]
    told += [
        (name, words)
        for name, words in (("reference", compared_with(run, _ENGLISH)), ("repeats", climbs(run, _ENGLISH)))
        if words
    ]
    told += [
        (f"finding: {finding_subject(finding, _ENGLISH)}", finding_words(finding, _ENGLISH))
        for finding in run.findings
        if label is None or finding.step in ("", label)
    ]
    told += [(f"fingerprint.{key}", value) for key, value in sorted(run.fingerprint.items())]
    return tuple((plain(name), plain(value)) for name, value in told)


def _figures(run: RunResult, step: StepResult) -> tuple[tuple[str, str], ...]:
    metrics = step.metrics
    named: dict[str, float | None] = {
        "attempts": metrics.attempts,
        "ok": metrics.ok,
        "good": metrics.good,
        "cancelled": metrics.cancelled,
        "goodput": metrics.goodput,
        "goodput_low": metrics.goodput_low,
        "goodput_high": metrics.goodput_high,
        "error_rate": metrics.error_rate,
        "rps": metrics.rps,
        "output_tps": metrics.output_tps,
        "planned": metrics.planned,
        "dropped": metrics.dropped if metrics.planned is not None else None,
    }
    if step.workers is not None:
        named |= {"workers": step.workers.count, "worker_cpu_share": step.workers.cpu_share}
    for name, summary in sorted(metrics.latency.items()):
        named |= {f"{name}_p50_ms": summary.p50_ms, f"{name}_p95_ms": summary.p95_ms, f"{name}_p99_ms": summary.p99_ms}
    told = tuple((name, f"{round(value, 6):.10g}") for name, value in named.items() if value is not None)
    errors = tuple((plain(f"errors.{kind}"), str(count)) for kind, count in sorted(metrics.errors.items()))
    return _provenance(run, step.step.label) + told + errors


def _notes(run: RunResult, step: StepResult) -> str:
    told = (*run.caveats, *step.caveats) if run.is_imported else step.caveats
    return "\n".join(plain(_caveat_text(caveat), _TEXT_LIMIT) for caveat in told)
