"""The words all reports share: what a verdict says, how far off it is, how sure, and in which order to read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmload.baseline import Reference
from llmload.domain import RunResult, StepResult, Workers
from llmload.promises import LATENCIES, SHARES, Bound, Change, Gate, Level
from llmload.reporters import changes
from llmload.reporters.figures import MISSING, amount, of_gate, percent
from llmload.scenario.gates import derive_id
from llmload.verdict import Caveat, Evidence, Finding, Status, Verdict

SEVERITY = (Status.FAIL, Status.ERROR, Status.INCONCLUSIVE, Status.INCOMPARABLE, Status.PASS, Status.NOT_GATED)
"""Worst first: the order in which a reader needs them (METRICS: exit codes 3 > 5 > 4 > 0)."""

ADVISORY = "Advisory"
"""The kind of a relative verdict that rests on too few runs to break a build."""

NO_BASELINE = "NoBaseline"
"""The kind of a relative verdict that had nothing to be held against; it has a policy of its own."""

_POLICIES = {Status.INCONCLUSIVE: "inconclusive", Status.INCOMPARABLE: "incomparable"}
_TALLY = {
    Status.FAIL: "failed",
    Status.ERROR: "could not be measured",
    Status.INCONCLUSIVE: "inconclusive",
    Status.INCOMPARABLE: "incomparable",
    Status.PASS: "passed",
}
_WITHOUT_BASELINE = "without a baseline"


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

    @property
    def weight(self) -> str:
        """Why it cannot break the build; "" where it can."""
        if self.is_advisory:
            return "advisory"
        return "warning only" if self.is_warning else ""


def finding_words(finding: Finding) -> str:
    """Both figures of a disagreement, and why."""
    return f"expected {finding.expected}, found {finding.actual}: {finding.cause}"


def read(verdict: Verdict, reference: Reference | None = None) -> Reading:
    """A verdict with all its figures: observed value, target, interval, n, design effect and effective n.

    `reference` is what relative gates were held against.
    """
    gate = verdict.gate
    evidence = None if verdict.evidence is None else in_own_terms(gate, verdict.evidence)
    return Reading(
        gate=gate_name(gate),
        promise=str(replace(gate, at=None)),
        step=verdict.step,
        status=verdict.status,
        is_warning=gate.level is Level.WARN,
        is_advisory=verdict.kind == ADVISORY,
        is_relative=isinstance(gate.promise, Change),
        observed=MISSING if evidence is None else _figure(gate, evidence, evidence.observed),
        kept=_kept(gate, evidence),
        target=_target(gate, evidence),
        interval=_interval(gate, evidence),
        off_by=_off_by(gate, evidence),
        confidence=MISSING if evidence is None else percent(evidence.confidence),
        n=_sample(gate, evidence, reference),
        deff=MISSING if evidence is None else amount(evidence.deff),
        effective_n=_effective(evidence),
        looks=MISSING if evidence is None else str(evidence.looks),
        because=verdict.because,
        remedy=verdict.remedy,
    )


def figures(reading: Reading) -> str:
    """The evidence in one line: what was seen, how far off, how sure, from how much."""
    if reading.observed == MISSING:
        return f"Observed {MISSING}, target {reading.target}" + (f", n {reading.n}" if reading.n != MISSING else "")
    kept = f" {reading.kept}" if reading.kept else ""
    seen = (
        f"Observed {reading.observed}{kept}, {reading.off_by} ({reading.target}); "
        f"interval {reading.interval} at {reading.confidence} confidence; "
    )
    if reading.is_relative:
        return f"{seen}n {reading.n}"
    looks = "1 look" if reading.looks == "1" else f"{reading.looks} looks"
    return f"{seen}n {reading.n}, effective n {reading.effective_n} (deff {reading.deff}), {looks}"


def sentence(text: str) -> str:
    """The text with exactly one full stop, whoever wrote it."""
    return f"{text.strip().rstrip('.')}." if text.strip() else ""


def gate_name(gate: Gate) -> str:
    """The promise itself, with the name that its author gave it; a name made of its own words adds nothing."""
    return str(gate) if gate.id in ("", derive_id(gate)) else f"{gate.id}: {gate}"


def readings(run: RunResult) -> list[Reading]:
    """Every verdict of the run in words, what broke the build first; equals keep the order of the run."""
    return sorted((read(verdict, run.reference) for verdict in run.verdicts), key=urgency)


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


def breaks_build(verdict: Verdict, fails_on: Sequence[str]) -> bool:
    """Whether this verdict alone makes the exit code other than 0."""
    if verdict.gate.level is Level.WARN:
        return False
    if verdict.status in (Status.FAIL, Status.ERROR):
        return True
    policy = "missing_baseline" if verdict.kind == NO_BASELINE else _POLICIES.get(verdict.status)
    return policy in fails_on


def tally(run: RunResult) -> str:
    """How many gates came to what, worst first: "2 of 9 failed, 1 inconclusive, 6 passed"."""
    counts = Counter(_came_to(verdict) for verdict in run.verdicts)
    if not counts:
        return "no gates" if run.steps else "nothing was measured"
    order = [*list(_TALLY.values())[:-1], _WITHOUT_BASELINE, _TALLY[Status.PASS]]
    parts = [f"{counts[words]} {words}" for words in order if counts[words]]
    total = sum(counts.values())
    return f"{total} gate {'check' if total == 1 else 'checks'}: {', '.join(parts)}"


def _came_to(verdict: Verdict) -> str:
    return _WITHOUT_BASELINE if verdict.kind == NO_BASELINE else _TALLY[verdict.status]


def caveats(run: RunResult) -> list[tuple[str, Caveat]]:
    """Where and what, fatal ones first; the same caveat at several steps is told once."""
    places: dict[Caveat, list[str]] = {caveat: ["the run"] for caveat in run.caveats}
    for step in run.steps:
        for caveat in step.caveats:
            places.setdefault(caveat, []).append(step.step.label)
    told = [(", ".join(where), caveat) for caveat, where in places.items()]
    return sorted(told, key=lambda each: not each[1].is_fatal)


def senders(run: RunResult, *, least: int = 1) -> list[tuple[str, str]]:
    """Where the load was sent by at least so many workers, by how many, why (at the last such step), and their CPU."""
    groups: dict[int, list[tuple[str, Workers]]] = {}
    for step in run.steps:
        if step.workers is not None and step.workers.count >= least:
            groups.setdefault(step.workers.count, []).append((step.step.label, step.workers))
    return [(", ".join(label for label, _ in sent), _sender(count, sent)) for count, sent in groups.items()]


def _sender(count: int, sent: Sequence[tuple[str, Workers]]) -> str:
    words = f"{count:,} worker{'' if count == 1 else 's'}"
    last, workers = sent[-1]
    if workers.because:
        is_same = all(each.because == workers.because for _, each in sent)
        words += f": {workers.because}" if is_same else f", at {last} because {workers.because}"
    shares = [each.cpu_share for _, each in sent if each.cpu_share is not None]
    return words + (f"; the busiest used {percent(max(shares))} of a core" if shares else "")


def in_own_terms(gate: Gate, evidence: Evidence) -> Evidence:
    """`error_rate <= 5%` is judged as "at least 95 % complete"; told, it speaks of errors again."""
    if gate.subject not in SHARES or not isinstance(gate.promise, Bound) or gate.promise.op == ">=":
        return evidence
    return replace(
        evidence,
        observed=_rest(evidence.observed),
        target=gate.promise.value,
        low=_rest(evidence.high),
        high=_rest(evidence.low),
    )


def _rest(share: float | None) -> float | None:
    return None if share is None else round(1 - share, 12)


def is_share_in_time(gate: Gate, evidence: Evidence) -> bool:
    """Percentile gates are claims about a share: `p95(ttft) <= X` says that 95 % of attempts are within X."""
    return gate.subject in LATENCIES and isinstance(gate.promise, Bound) and evidence.target != gate.promise.value


def _figure(gate: Gate, evidence: Evidence, value: float | None) -> str:
    if isinstance(gate.promise, Change):
        return changes.change(value, evidence.target)
    in_percent = gate.subject in SHARES or is_share_in_time(gate, evidence)
    return percent(value, evidence.target) if in_percent else of_gate(gate, value, evidence.target)


def _kept(gate: Gate, evidence: Evidence | None) -> str:
    if evidence is None or evidence.observed is None or not isinstance(gate.promise, Bound):
        return ""
    if not is_share_in_time(gate, evidence):
        return ""
    return f"{'within' if gate.promise.op == '<=' else 'at or over'} {gate.format_value(gate.promise.value)}"


def _target(gate: Gate, evidence: Evidence | None) -> str:
    if evidence is not None and is_share_in_time(gate, evidence):
        return f">= {percent(evidence.target)}"
    match gate.promise:
        case Bound(op, value):
            return f"{op} {gate.format_value(value)}"
        case Change(max_worse):
            return f"<= {percent(max_worse)} worse"


def _interval(gate: Gate, evidence: Evidence | None) -> str:
    if evidence is None or (evidence.low is None and evidence.high is None):
        return MISSING
    if isinstance(gate.promise, Change):
        return changes.interval(evidence.low, evidence.high, evidence.target)
    low, high = _figure(gate, evidence, evidence.low), _figure(gate, evidence, evidence.high)
    _, _, unit = high.partition(" ")
    return f"{low.removesuffix(f' {unit}') if unit else low} to {high}"


def _off_by(gate: Gate, evidence: Evidence | None) -> str:
    if evidence is None or evidence.observed is None:
        return ""
    gap = round(evidence.observed - evidence.target, 12)
    if not gap:
        return "exactly the target"
    side = "above" if gap > 0 else "below"
    if isinstance(gate.promise, Change) or gate.subject in SHARES or is_share_in_time(gate, evidence):
        points = percent(abs(gap)).removesuffix("%")
        return f"{points} {'point' if points == '1' else 'points'} {side} the target"
    relative = f" ({percent(abs(gap) / evidence.target)})" if abs(gap) <= evidence.target else ""
    return f"{of_gate(gate, abs(gap))}{relative} {side} the target"


def _sample(gate: Gate, evidence: Evidence | None, reference: Reference | None) -> str:
    if evidence is None:
        return MISSING
    return changes.sample(evidence.n, reference) if isinstance(gate.promise, Change) else f"{evidence.n:,}"


def _effective(evidence: Evidence | None) -> str:
    if evidence is None or evidence.effective_n is None:
        return MISSING
    return f"{int(evidence.effective_n):,}"  # rounded down: half a request is no evidence
