"""`junit.xml`: the gates as test cases, so that a CI names the promise that was broken, where its author wrote it.

One flat suite per scenario and step; in it one case per gate and one named `measurement`. Red exactly when the exit
code is not 0: what the scenario's level or policy lets pass is skipped, with the reason.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # noqa: S405 - it writes here, it never parses
from dataclasses import dataclass

from llmload.domain import Caveat, RunResult, Status, StepResult, Verdict
from llmload.promises import Level
from llmload.reporters.escaping import plain
from llmload.reporters.wording import breaks_build, gate_name, read, tally

_MEASUREMENT = "measurement"
_TEXT_LIMIT = 2_000
_DEFAULT_TYPES = {
    Status.FAIL: "SloViolation",
    Status.ERROR: "NotMeasured",
    Status.INCONCLUSIVE: "Inconclusive",
    Status.INCOMPARABLE: "Incomparable",
}
_ENDINGS = {70: "InternalError", 130: "Interrupted", 143: "Terminated", 4: "Inconclusive", 3: "SloViolation"}


@dataclass(frozen=True, slots=True)
class _Case:
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
class _Suite:
    name: str
    classname: str
    cases: tuple[_Case, ...]
    properties: tuple[tuple[str, str], ...]
    notes: str = ""

    def count(self, tag: str) -> int:
        return sum(case.tag == tag for case in self.cases)


def render(run: RunResult) -> bytes:
    """The flavour that GitHub, GitLab and most viewers read: with file, line and the figures on each case."""
    return _bytes(_tree(run))


def render_strict(run: RunResult) -> bytes:
    """The flavour that validates against the Jenkins xunit schema, junit-10.xsd: no file, line or case properties."""
    root = _tree(run)
    root.attrib.pop("skipped")
    for case in root.iter("testcase"):
        for name in ("file", "line"):
            case.attrib.pop(name, None)
        for properties in case.findall("properties"):
            case.remove(properties)
    return _bytes(root)


def _suites(run: RunResult) -> list[_Suite]:
    suites = [_step_suite(run, step) for step in run.steps]
    is_red = any(suite.count("failure") + suite.count("error") for suite in suites)
    if not suites or (run.exit_code and not is_red):
        suites.append(_run_suite(run))
    return suites


def _step_suite(run: RunResult, step: StepResult) -> _Suite:
    name = f"{plain(run.header.scenario)} / {step.step.label}"
    cases = (*(_gate_case(run, step, verdict) for verdict in step.verdicts), _measurement_case(step))
    return _Suite(name, f"{plain(run.header.scenario)}.{step.step.label}", cases, _figures(run, step), _notes(step))


def _run_suite(run: RunResult) -> _Suite:
    """What is red about the run as a whole: it never began to measure, or it did not come to its end."""
    scenario = plain(run.header.scenario)
    fatal = next((caveat for caveat in run.caveats if caveat.is_fatal), None)
    kind = _ENDINGS.get(run.exit_code) or (fatal.kind if fatal and fatal.kind else "NotMeasured")
    remedies = " ".join(_sentence(caveat) for caveat in run.caveats)
    case = _Case(_MEASUREMENT, "error", plain(kind), plain(f"{run.because}. {remedies}".rstrip(), _TEXT_LIMIT))
    return _Suite(scenario, scenario, (case,), _provenance(run))


def _gate_case(run: RunResult, step: StepResult, verdict: Verdict) -> _Case:
    reading = read(verdict, step.metrics)
    tag = _tag(run, verdict)
    figures = {
        "observed": reading.observed,
        "target": reading.target,
        "interval": reading.interval,
        "confidence": reading.confidence,
        "n": reading.n,
        "deff": reading.deff,
        "effective_n": reading.effective_n,
        "looks": reading.looks,
    }
    measured = ", ".join(f"{name} {value}" for name, value in figures.items())
    excused = "Level warn: does not break the build. " if tag == "skipped" and reading.is_warning else ""
    todo = f" To do: {verdict.remedy}." if verdict.remedy else ""
    return _Case(
        name=plain(gate_name(verdict.gate)),
        tag=tag,
        kind=plain(verdict.kind) or _DEFAULT_TYPES.get(verdict.status, ""),
        text=plain(f"{excused}{verdict.because}.{todo} [{measured}]", _TEXT_LIMIT),
        file=plain(run.header.source),
        line=verdict.gate.line,
        properties=tuple(figures.items()),
    )


def _tag(run: RunResult, verdict: Verdict) -> str:
    if verdict.status in (Status.PASS, Status.NOT_GATED):
        return ""
    if not breaks_build(verdict, run.fails_on):
        return "skipped"
    return "error" if verdict.status is Status.ERROR else "failure"


def _measurement_case(step: StepResult) -> _Case:
    """Red for a fatal caveat, unless every gate of the step is of level warn."""
    fatal = next((caveat for caveat in step.caveats if caveat.is_fatal), None)
    if fatal is None:
        return _Case(_MEASUREMENT, time_s=step.metrics.window_s)
    may_break = not step.verdicts or any(verdict.gate.level is Level.FAIL for verdict in step.verdicts)
    return _Case(
        _MEASUREMENT,
        "error" if may_break else "skipped",
        plain(fatal.kind) or "NotMeasured",
        plain(_sentence(fatal), _TEXT_LIMIT),
        step.metrics.window_s,
    )


def _sentence(caveat: Caveat) -> str:
    todo = f" To do: {caveat.remedy}." if caveat.remedy else ""
    return f"{caveat.rule}: {caveat.figure}.{todo}"


def _provenance(run: RunResult) -> tuple[tuple[str, str], ...]:
    told = [("run_id", run.header.run_id), ("llmload", run.header.version), ("verdict", run.status.value)]
    told += [("exit_code", str(run.exit_code)), ("gates", tally(run))]
    if run.target:
        told += [("target.url", run.target.url), ("target.model", run.target.model)]
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
    }
    for name, summary in sorted(metrics.latency.items()):
        named |= {f"{name}_p50_ms": summary.p50_ms, f"{name}_p95_ms": summary.p95_ms, f"{name}_p99_ms": summary.p99_ms}
    told = tuple((name, f"{round(value, 6):.10g}") for name, value in named.items() if value is not None)
    errors = tuple((plain(f"errors.{kind}"), str(count)) for kind, count in sorted(metrics.errors.items()))
    return _provenance(run) + told + errors


def _notes(step: StepResult) -> str:
    return "\n".join(plain(_sentence(caveat), _TEXT_LIMIT) for caveat in step.caveats)


# ---------------------------------------------------------------- writing


def _tree(run: RunResult) -> ET.Element:
    suites = _suites(run)
    root = ET.Element("testsuites", name=plain(run.header.scenario))
    for suite in suites:
        root.append(_suite_element(run, suite))
    _write_counts(root, suites)
    return root


def _suite_element(run: RunResult, suite: _Suite) -> ET.Element:
    element = ET.Element("testsuite", name=suite.name)
    _write_counts(element, [suite])
    element.set("timestamp", plain(run.header.created))
    _write_properties(element, suite.properties)
    for case in suite.cases:
        element.append(_case_element(suite, case))
    if suite.notes:
        ET.SubElement(element, "system-out").text = suite.notes
    return element


def _case_element(suite: _Suite, case: _Case) -> ET.Element:
    element = ET.Element("testcase", classname=suite.classname, name=case.name, time=_seconds(case.time_s))
    if case.line is not None:
        element.set("file", case.file)
        element.set("line", str(case.line))
    _write_properties(element, case.properties)
    if case.tag:
        ET.SubElement(element, case.tag, type=case.kind, message=case.text).text = case.text
    return element


def _write_counts(element: ET.Element, suites: list[_Suite]) -> None:
    element.set("tests", str(sum(len(suite.cases) for suite in suites)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(suite.count(tag) for suite in suites)))
    element.set("time", _seconds(sum(case.time_s for suite in suites for case in suite.cases)))


def _write_properties(element: ET.Element, properties: tuple[tuple[str, str], ...]) -> None:
    if properties:
        parent = ET.SubElement(element, "properties")
        for name, value in properties:
            ET.SubElement(parent, "property", name=name, value=value)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode() + b"\n"
