"""The words all reports share: what a verdict says, how far off it is, how sure, and in which order to read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmload.analysis.terms import in_own_terms, is_share_in_time
from llmload.baseline import Reference
from llmload.domain import RunResult, StepResult, Workers
from llmload.planned import Step
from llmload.promises import SHARES, Bound, Change, Gate, Level
from llmload.reporters import changes
from llmload.reporters.figures import MISSING, amount, of_gate, percent
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.scenario.gates import derive_id
from llmload.verdict import ADVISORY, NO_BASELINE, Caveat, Evidence, Finding, Status, Verdict

SEVERITY = (Status.FAIL, Status.ERROR, Status.INCONCLUSIVE, Status.INCOMPARABLE, Status.PASS, Status.NOT_GATED)
"""Worst first: the order in which a reader needs them (METRICS: exit codes 3 > 5 > 4 > 0)."""

OF_BOTH_SIDES = frozenset(("requests", "input tokens", "output tokens", "mean TTFT", "mean TPOT", "mean E2E"))
"""Subjects of findings whose expected figure is the client's, and the other one the server's."""

KINDS = (
    *("network", "client_queue", "server_queue", "other_traffic", "elsewhere", "definition", "token_count"),
    *("prefix_cache", "prefix_hits", "preemption", "throttling", "declared"),
)
"""What findings are of: METRICS "Client-server cross-check", and settings or hits that were declared otherwise."""

_TALLY = ("fail", "error", "inconclusive", "incomparable", "no_baseline", "pass")


@dataclass(frozen=True, slots=True)
class Reading:
    """One verdict in words. Numbers carry their units; what is missing says n/a. `because` and `remedy` are raw."""

    gate: str
    promise: str  # the gate without its name and its place
    step: str
    status: Status
    is_warning: bool  # its gate is of level warn: it cannot break the build
    is_advisory: bool  # it was made to warn only, since too few runs stand behind it
    is_relative: bool  # its figures are changes against a baseline
    observed: str
    kept: str  # what the observed share of requests did, such as "within 500ms"; empty for other gates
    target: str
    interval: str
    off_by: str  # "3.8 points below the target"; empty where nothing was observed
    confidence: str
    n: str
    deff: str
    effective_n: str
    looks: str
    because: str
    remedy: str
    weight: str  # why it cannot break the build: "advisory", "warning only"; empty where it can


def status_word(status: Status, texts: Texts) -> str:
    """What a gate or a run came to, in the report's language."""
    return texts[f"status.{status.name.lower()}"]


def step_label(step: Step, texts: Texts) -> str:
    """A step by its load, in the report's language: "concurrency 50", "rate 5/s"."""
    return label_in(step.label, texts)


def label_in(label: str, texts: Texts) -> str:
    """The label of a step, as verdicts carry it, in the report's language; one of no axis that we know stays."""
    axis, _, value = label.partition(" ")
    entry = texts.entries.get(f"load.{axis}")
    return label if entry is None else entry.format(value=value.removesuffix("/s"))


def place_of(finding: Finding, texts: Texts) -> str:
    """The step that a disagreement was seen at, or the run."""
    return label_in(finding.step, texts) if finding.step else texts["place.run"]


def finding_words(finding: Finding, texts: Texts) -> str:
    """Both figures of a disagreement, why, and what to do: all of it in one paragraph."""
    remedy = finding_remedy(finding, texts)
    return f"{sentence(finding_seen(finding, texts))} {remedy}" if remedy else finding_seen(finding, texts)


def finding_seen(finding: Finding, texts: Texts) -> str:
    """Both figures of a disagreement, and why."""
    return texts["finding.words"].format(figures=finding_figures(finding, texts), cause=finding_cause(finding, texts))


def finding_cause(finding: Finding, texts: Texts) -> str:
    """Why two figures disagree, and the evidence for it."""
    return capital(in_language(_cause_and_remedy(finding)[0], texts))


def finding_remedy(finding: Finding, texts: Texts) -> str:
    """What to do about a disagreement; "" where we have no advice."""
    return capital(in_language(_cause_and_remedy(finding)[1], texts))


def _cause_and_remedy(finding: Finding) -> tuple[str, str]:
    """What our own analysis says ends with what to do; of a kind that we do not know, all of it is the cause."""
    cause, separator, remedy = finding.cause.rpartition("; ")
    return (cause, remedy) if separator and finding.kind in KINDS else (finding.cause, "")


def finding_figures(finding: Finding, texts: Texts) -> str:
    """Both figures of a disagreement alone, with whose they are."""
    expected, found = (in_language(text, texts) for text in (finding.expected, finding.actual))
    key = "finding.checked" if finding.subject in OF_BOTH_SIDES else "finding.figures"
    return texts[key].format(expected=expected, found=found)


def finding_subject(finding: Finding, texts: Texts) -> str:
    """What a finding speaks of, where, and the likely cause in a word: "requests at concurrency 50 (other traffic)"."""
    told, kind = in_language(finding.subject, texts), finding_kind(finding, texts)
    if finding.step:
        told = texts["finding.at"].format(subject=told, step=label_in(finding.step, texts))
    return texts["finding.of_kind"].format(subject=told, kind=kind) if kind else told


def finding_kind(finding: Finding, texts: Texts) -> str:
    """The likely cause in a word or two; "" where there is none that we know."""
    return texts[f"finding.kind.{finding.kind}"] if finding.kind in KINDS else ""


def read(verdict: Verdict, reference: Reference | None, texts: Texts) -> Reading:
    """A verdict with all its figures: observed value, target, interval, n, design effect and effective n.

    `reference` is what relative gates were held against.
    """
    gate = verdict.gate
    evidence = None if verdict.evidence is None else in_own_terms(gate, verdict.evidence)
    return Reading(
        gate=gate_name(gate),
        promise=str(replace(gate, at=None)),
        step=label_in(verdict.step, texts),
        status=verdict.status,
        is_warning=gate.level is Level.WARN,
        is_advisory=verdict.kind == ADVISORY,
        is_relative=isinstance(gate.promise, Change),
        observed=MISSING if evidence is None else _figure(gate, evidence, evidence.observed, texts),
        kept=_kept(gate, evidence, texts),
        target=_target(gate, evidence, texts),
        interval=_interval(gate, evidence, texts),
        off_by=_off_by(gate, evidence, texts),
        confidence=MISSING if evidence is None else percent(evidence.confidence),
        n=_sample(gate, evidence, reference, texts),
        deff=MISSING if evidence is None else amount(evidence.deff),
        effective_n=_effective(evidence),
        looks=MISSING if evidence is None else str(evidence.looks),
        because=verdict.because,
        remedy=verdict.remedy,
        weight=_weight(verdict, texts),
    )


def _weight(verdict: Verdict, texts: Texts) -> str:
    if verdict.kind == ADVISORY:
        return texts["weight.advisory"]
    return texts["weight.warning"] if verdict.gate.level is Level.WARN else ""


def seen(reading: Reading, texts: Texts) -> str:
    """What was observed, with what that share of requests did: "91% within 800ms"."""
    if not reading.kept:
        return reading.observed
    return texts["evidence.kept"].format(observed=reading.observed, kept=reading.kept)


def figures(reading: Reading, texts: Texts) -> str:
    """The evidence in one line: what was seen, how far off, how sure, from how much."""
    if reading.observed == MISSING:
        key = "evidence.missing" if reading.n == MISSING else "evidence.missing_of"
        return texts[key].format(observed=MISSING, target=reading.target, n=reading.n)
    told = texts["evidence.seen"].format(
        seen=seen(reading, texts),
        off_by=reading.off_by,
        target=reading.target,
        interval=reading.interval,
        confidence=reading.confidence,
        n=reading.n,
    )
    if reading.is_relative:
        return told
    looks = texts.counted("counted.look", reading.looks)
    if reading.effective_n == MISSING:
        return f"{told}, {looks}"
    return told + texts["evidence.worth"].format(effective_n=reading.effective_n, deff=reading.deff, looks=looks)


def at_loads(labels: Sequence[str]) -> str:
    """Steps in a line, those of one axis under one name: "concurrency 4, 8, rate 40/s"."""
    axes: dict[str, list[str]] = {}
    for label in labels:
        axis, _, value = label.partition(" ")
        axes.setdefault(axis, []).append(value)
    return ", ".join(" ".join(filter(None, (axis, ", ".join(values)))) for axis, values in axes.items())


def sentence(text: str) -> str:
    """The text with exactly one full stop, whoever wrote it."""
    return f"{text.strip().rstrip('.')}." if text.strip() else ""


def capital(text: str) -> str:
    """The text with its first letter as a sentence begins."""
    return text[:1].upper() + text[1:]


def gate_name(gate: Gate) -> str:
    """The promise itself, with the name that its author gave it; a name made of its own words adds nothing."""
    return str(gate) if gate.id in ("", derive_id(gate)) else f"{gate.id}: {gate}"


def readings(run: RunResult, texts: Texts) -> list[Reading]:
    """Every verdict of the run in words, what broke the build first; equals keep the order of the run."""
    return sorted((read(verdict, run.reference, texts) for verdict in run.verdicts), key=urgency)


def urgency(reading: Reading) -> int:
    """Rank among all verdicts, 0 the gravest; what only warns cannot outrank what breaks the build."""
    rank = SEVERITY.index(reading.status)
    return max(rank, SEVERITY.index(Status.INCONCLUSIVE)) if reading.is_warning else rank


def worst(step: StepResult) -> Status:
    """The gravest status among a step's verdicts; an error where a fatal caveat spoils a step without gates."""
    statuses = [verdict.status for verdict in step.verdicts]
    if not statuses:
        return Status.ERROR if any(caveat.is_fatal for caveat in step.caveats) else Status.NOT_GATED
    return min(statuses, key=SEVERITY.index)


def tally(run: RunResult, texts: Texts) -> str:
    """How many gates came to what, worst first: "10 gate checks: 2 failed, 1 inconclusive, 7 passed"."""
    counts = Counter(_came_to(verdict) for verdict in run.verdicts)
    if not counts:
        return texts["tally.no_gates"] if run.steps else texts["tally.nothing"]
    parts = [texts[f"tally.{each}"].format(count=counts[each]) for each in _TALLY if counts[each]]
    return f"{texts.counted('counted.gate_check', sum(counts.values()))}: {', '.join(parts)}"


def _came_to(verdict: Verdict) -> str:
    return "no_baseline" if verdict.kind == NO_BASELINE else verdict.status.name.lower()


def caveats(run: RunResult, texts: Texts) -> list[tuple[str, Caveat]]:
    """Where and what, fatal ones first; the same caveat at several steps is told once."""
    places: dict[Caveat, list[str]] = {caveat: [texts["place.run"]] for caveat in run.caveats}
    for step in run.steps:
        for caveat in step.caveats:
            places.setdefault(caveat, []).append(step_label(step.step, texts))
    told = [(", ".join(where), caveat) for caveat, where in places.items()]
    return sorted(told, key=lambda each: not each[1].is_fatal)


def senders(run: RunResult, texts: Texts, *, least: int = 1) -> list[tuple[str, str]]:
    """Where the load was sent by at least so many workers, by how many, why (at the last such step), and their CPU."""
    groups: dict[int, list[tuple[str, Workers]]] = {}
    for step in run.steps:
        if step.workers is not None and step.workers.count >= least:
            groups.setdefault(step.workers.count, []).append((step_label(step.step, texts), step.workers))
    return [(", ".join(label for label, _ in sent), _sender(count, sent, texts)) for count, sent in groups.items()]


def _sender(count: int, sent: Sequence[tuple[str, Workers]], texts: Texts) -> str:
    words = texts.counted("counted.worker", count)
    last, workers = sent[-1]
    if workers.because:
        is_same = all(each.because == workers.because for _, each in sent)
        key, because = "sender.because" if is_same else "sender.because_at", in_language(workers.because, texts)
        words += texts[key].format(because=because, step=last)
    shares = [each.cpu_share for _, each in sent if each.cpu_share is not None]
    return words + (texts["sender.busiest"].format(share=percent(max(shares))) if shares else "")


def _figure(gate: Gate, evidence: Evidence, value: float | None, texts: Texts) -> str:
    if isinstance(gate.promise, Change):
        return changes.change(value, evidence.target, texts)
    in_percent = gate.subject in SHARES or is_share_in_time(gate, evidence)
    return percent(value, evidence.target) if in_percent else of_gate(gate, value, evidence.target)


def _kept(gate: Gate, evidence: Evidence | None, texts: Texts) -> str:
    if evidence is None or evidence.observed is None or not isinstance(gate.promise, Bound):
        return ""
    if not is_share_in_time(gate, evidence):
        return ""
    key = "evidence.within" if gate.promise.op == "<=" else "evidence.at_or_over"
    return texts[key].format(bound=gate.format_value(gate.promise.value))


def _target(gate: Gate, evidence: Evidence | None, texts: Texts) -> str:
    if evidence is not None and is_share_in_time(gate, evidence):
        return f">= {percent(evidence.target)}"
    match gate.promise:
        case Bound(op, value):
            return f"{op} {gate.format_value(value)}"
        case Change(max_worse):
            return f"<= {texts['change.worse'].format(change=percent(max_worse))}"


def _interval(gate: Gate, evidence: Evidence | None, texts: Texts) -> str:
    if evidence is None or (evidence.low is None and evidence.high is None):
        return MISSING
    if isinstance(gate.promise, Change):
        return changes.interval(evidence.low, evidence.high, evidence.target, texts)
    low, high = _figure(gate, evidence, evidence.low, texts), _figure(gate, evidence, evidence.high, texts)
    _, _, unit = high.partition(" ")
    return changes.between(low.removesuffix(f" {unit}") if unit else low, high, texts)


def _off_by(gate: Gate, evidence: Evidence | None, texts: Texts) -> str:
    if evidence is None or evidence.observed is None:
        return ""
    gap = round(evidence.observed - evidence.target, 12)
    if not gap:
        return texts["off_by.exact"]
    if isinstance(gate.promise, Change) or gate.subject in SHARES or is_share_in_time(gate, evidence):
        told = texts.counted("counted.point", percent(abs(gap)).removesuffix("%"))
    else:
        relative = f" ({percent(abs(gap) / evidence.target)})" if abs(gap) <= evidence.target else ""
        told = f"{of_gate(gate, abs(gap))}{relative}"
    return texts["off_by.above" if gap > 0 else "off_by.below"].format(gap=told)


def _sample(gate: Gate, evidence: Evidence | None, reference: Reference | None, texts: Texts) -> str:
    if evidence is None:
        return MISSING
    return changes.sample(evidence.n, reference, texts) if isinstance(gate.promise, Change) else f"{evidence.n:,}"


def _effective(evidence: Evidence | None) -> str:
    if evidence is None or evidence.effective_n is None:
        return MISSING
    return f"{int(evidence.effective_n):,}"  # rounded down: half a request is no evidence
