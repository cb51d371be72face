"""A whole run, judged: fold what was observed into the one value that every report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from llmload.analysis.baselines import Refer, no_baseline
from llmload.analysis.capacity import before_its_end, recommended
from llmload.analysis.client import OUT_OF_FILES, OUT_OF_PORTS
from llmload.analysis.crosscheck import checks_of, findings_of
from llmload.analysis.declared import disagreements
from llmload.analysis.estimates import estimates_by_repeat, estimates_of
from llmload.analysis.fingerprint import fingerprint_of
from llmload.analysis.gates import Sample, judge_sample, sample_of
from llmload.analysis.gpu_series import gpu_figures_of, gpu_series_of
from llmload.analysis.knee import knee_of
from llmload.analysis.looks import gates_of, steps_of, windows_at
from llmload.analysis.measured import Measured
from llmload.analysis.metrics import measure_folded
from llmload.analysis.parts import parts_of
from llmload.analysis.prefix_hits import missed_hits, unchecked_hits
from llmload.analysis.profile import profile_of
from llmload.analysis.relative import Candidate, Relate, judge_change, no_relation
from llmload.analysis.search import capacity_gate
from llmload.analysis.server_series import server_figures_of, server_series_of
from llmload.analysis.strategy import next_look
from llmload.analysis.timeline import timeline_of
from llmload.analysis.validity import check_measured
from llmload.analysis.wording import counted
from llmload.baseline import Reference
from llmload.capacity import Knee
from llmload.domain import Ending, Observation, Outcome, Phase, RunHeader, RunResult, StepResult, TargetFacts, Workers
from llmload.errors import TargetError
from llmload.planned import Step
from llmload.promises import Change, Level, Promised, Slo, SloByClass
from llmload.scenario.asked import Decision, Policy, Scenario
from llmload.verdict import ADVISORY, GUARD_TRIPPED, NO_BASELINE, Caveat, Finding, Status, Verdict

PASSED, FAILED, OPEN, UNMEASURED = 0, 3, 4, 5
"""Exit codes of a judged run, METRICS "Verdict and exit code"."""

STOPPED = "the server could not be used"
"""The rule of the caveat that a `TargetError` leaves behind; the stored run is judged with it again."""


def judge(
    header: RunHeader,
    scenario: Scenario,
    facts: TargetFacts | None,
    observations: Sequence[Observation],
    *,
    finished: str | None,
    trouble: TargetError | None = None,
    refer: Refer = no_baseline,
    cut_short: Caveat | None = None,
) -> RunResult:
    """Measure and judge every step on its whole windows, then the run; `trouble` is what stopped it, if anything.

    `cut_short` is why the run has no more windows than these, for where some are missing: it makes errors of the gates
    of steps that were never measured, and speaks against nothing that was.

    `refer` finds what relative gates are held against; it is asked only where there are some.

    A gated step that was never measured carries its gates as errors: no data is never a pass.
    """
    whole = [observation for observation in observations if observation.is_whole]
    guarded, nothing = _guarded(whole), _nothing_succeeded(whole)
    fingerprint = fingerprint_of(header, scenario, facts)
    reference = refer(fingerprint) if any(isinstance(gate.promise, Change) for gate in scenario.gates) else None
    observed = _Observed(whole, scenario, facts, _cpus(header), reference)
    is_complete = trouble is not None or next_look(scenario, whole) is None
    of_run, unfinished = nothing or _stopped(trouble), None if is_complete else cut_short
    steps = tuple(
        result
        for step in _ladder(scenario, whole)
        if (
            result := _step_result(
                step, observed, of_run if windows_at(step, whole) else guarded or of_run or unfinished
            )
        )
    )
    caveats = tuple(caveat for caveat in (_stopped(trouble), guarded, nothing) if caveat is not None)
    knee = knee_of(steps, scenario)
    outcome = _overall(scenario, steps, caveats, knee)
    because = outcome.because
    if not is_complete:
        because += f" (not complete: judged on {_extent(scenario, steps)})"
    judged = RunResult(
        header=header,
        finished=finished,
        target=facts,
        steps=steps,
        status=outcome.status,
        exit_code=outcome.exit_code,
        because=because,
        fingerprint=fingerprint,
        findings=_findings(steps, observed, knee),
        caveats=caveats if unfinished is None else (*caveats, replace(unfinished, is_fatal=False)),
        notices=(*scenario.notices, *_notes(whole), *unchecked_hits(whole, scenario)),
        fails_on=_strict_policies(scenario.decision),
        reference=reference,
        slo=None if isinstance(scenario.promised, SloByClass) else scenario.slo,
        slo_by_class=_slo_by_class(scenario.promised),
        knee=knee,
        timeline=timeline_of(whole),
        gpus=gpu_series_of(whole),
        server=server_series_of(whole),
    )
    judged = recommended(replace(judged, profile=profile_of(judged, scenario)), scenario)
    return judged if is_complete else before_its_end(judged)


def _slo_by_class(promised: Promised) -> dict[str, Slo]:
    """Of each class of traffic, where some have SLOs of their own; a class may have none."""
    each = promised.classes.items() if isinstance(promised, SloByClass) else ()
    return {name: slo for name, slo in each if slo is not None}


def _findings(steps: Sequence[StepResult], observed: _Observed, knee: Knee | None) -> tuple[Finding, ...]:
    """What was declared otherwise, then what client and server tell differently, step by step.

    A search for the capacity overloads the server on purpose: that requests queue beyond the knee is what it seeks,
    and no finding. Below the knee, or where no load holds, it is.
    """
    if observed.facts is None:
        return ()
    found = list(disagreements(observed.facts))
    sought = None if observed.scenario.recommend is None or knee is None else knee.at_slo
    for result in steps:
        mine = windows_at(result.step, observed.windows)
        told = findings_of(result, mine, observed.scenario, observed.facts)
        found += missed_hits(result.step, mine, observed.scenario)
        found += [each for each in told if each.kind != "server_queue" or sought is None or result.step.value <= sought]
    return tuple(found)


def _notes(windows: Sequence[Observation]) -> tuple[str, ...]:
    """What was said while the server was watched, each once."""
    return tuple(dict.fromkeys(note for window in windows for note in window.watched.notes))


def _strict_policies(decision: Decision) -> tuple[str, ...]:
    """What breaks the build although no gate failed."""
    policies = {
        "inconclusive": decision.on_inconclusive,
        "incomparable": decision.on_incomparable,
        "missing_baseline": decision.on_missing_baseline,
    }
    return tuple(name for name, policy in policies.items() if policy == "fail")


# ---------------------------------------------------------------- what speaks against the whole run


def _stopped(trouble: TargetError | None) -> Caveat | None:
    """What ended the run before its time."""
    if trouble is None:
        return None
    figure = f"{trouble.where}: {trouble.problem}"
    return Caveat(STOPPED, figure, trouble.remedy, is_fatal=True, kind=trouble.kind)


def _guarded(whole: Sequence[Observation]) -> Caveat | None:
    """The guard that ended the run: what it left unmeasured was not measured, whatever the gates before it say."""
    carried = (caveat for o in whole if o.ending is Ending.GUARD for caveat in o.caveats)
    return next((caveat for caveat in carried if caveat.kind == GUARD_TRIPPED), None)


def _nothing_succeeded(whole: Sequence[Observation]) -> Caveat | None:
    """A run without one success measured nothing; a later step in which all fail is a fail instead."""
    measured = [record for o in whole for record in o.records if record.phase is Phase.MEASURED]
    attempts = [record for record in measured if record.outcome is not Outcome.CANCELLED]
    if not attempts or any(record.outcome is Outcome.OK for record in attempts):
        return None
    if any(record.error_type in (OUT_OF_FILES, OUT_OF_PORTS) for record in attempts):
        return None  # our own machine refused them, which the step says itself
    kinds = ", ".join(sorted({record.error_type or record.outcome.value for record in attempts})[:3])
    figure = f"all {counted(len(attempts), 'request')} of the run failed ({kinds})"
    remedy = "Send one request by hand to the target's url, model and api, then run again"
    return Caveat("nothing succeeded", figure, remedy, is_fatal=True, kind="NoData")


# ---------------------------------------------------------------- steps


def _ladder(scenario: Scenario, whole: Sequence[Observation]) -> list[Step]:
    """The steps that were planned, then those that were observed all the same, under an earlier scenario."""
    by_level = {(step.axis, step.value): step for step in (*steps_of(scenario), *(o.look.step for o in whole))}
    planned = {(step.axis, step.value): step for step in steps_of(scenario)}
    ladder = [planned.get(level, step) for level, step in by_level.items()]
    return ladder if scenario.recommend is None else sorted(ladder, key=lambda step: step.value)


@dataclass(frozen=True, slots=True)
class _Observed:
    """What every step is judged from: the whole windows of the run and what they were made with."""

    windows: Sequence[Observation]
    scenario: Scenario
    facts: TargetFacts | None
    cpus: int | None
    reference: Reference | None


def _step_result(step: Step, observed: _Observed, of_run: Caveat | None) -> StepResult | None:
    """One step; None where it was neither measured nor promised anything."""
    mine, scenario, facts = windows_at(step, observed.windows), observed.scenario, observed.facts
    gates = gates_of(scenario, step)
    if not mine and not gates:
        return None
    sample = sample_of(step, mine, scenario)
    folded = sample.folded
    metrics = measure_folded(folded, scenario.promised)
    caveats: tuple[Caveat, ...] = ()
    if mine and facts is not None:
        caveats = check_measured(Measured(mine, folded.attempts, metrics, scenario, facts, observed.cpus))
    against = caveats if metrics.ok else (*caveats, of_run) if of_run is not None else caveats
    estimates, repeats = (
        estimates_of(folded, metrics, scenario.promised),
        estimates_by_repeat(folded, scenario.promised),
    )
    verdicts = judge_sample(gates, sample, against, _relation(Candidate(step, estimates, repeats), observed))
    looks = tuple(o.look for o in mine)
    return StepResult(
        step,
        looks,
        metrics,
        verdicts,
        caveats,
        _workers_of(mine),
        estimates,
        repeats,
        gpu=gpu_figures_of(mine, metrics),
        server=server_figures_of(mine),
        checks=checks_of(mine),
        capacity=_capacity(sample, against),
        parts=parts_of(mine, scenario.promised),
    )


def _capacity(sample: Sample, against: Sequence[Caveat]) -> Verdict | None:
    """Whether this load holds what capacity is measured by; None where none is wanted, or nothing was measured."""
    gate = capacity_gate(sample.scenario)
    if gate is None or not sample.observations:
        return None
    gone = (_gone(sample),) if sample.attempts.found_nobody else ()
    return next(iter(judge_sample((gate,), sample, (*against, *gone))), None)


def _gone(sample: Sample) -> Caveat:
    """A crash says nothing of the loads after it: gates count their failures, and a capacity has no figure."""
    figure = f"none of {counted(len(sample.attempts), 'request')} at {sample.step.label} found a connection"
    remedy = "See why the server is gone, start it, then measure again"
    return Caveat("the server was gone", figure, remedy, is_fatal=True, kind="NotMeasured")


def _relation(candidate: Candidate, observed: _Observed) -> Relate:
    """How a relative gate is judged at this step."""
    if observed.reference is None:
        return no_relation
    confidence = observed.scenario.decision.confidence
    return partial(judge_change, candidate=candidate, reference=observed.reference, confidence=confidence)


def _workers_of(windows: Sequence[Observation]) -> Workers | None:
    """Who sent a step; where its windows differ, the one with most workers tells. None where nobody told."""
    most = max(windows, key=lambda o: len(o.workers), default=None)
    if most is None or not most.workers:
        return None
    shares = [w.cpu_share for o in windows for w in o.workers if w.cpu_share is not None]
    return Workers(len(most.workers), most.workers_because, max(shares, default=None))


def _cpus(header: RunHeader) -> int | None:
    """CPUs of the machine that sent the load, as the run's environment tells them."""
    told = header.environment.get("cpu_count", "")
    return int(told) if told.isdecimal() else None


def _extent(scenario: Scenario, steps: Sequence[StepResult]) -> str:
    measured = [result for result in steps if result.looks]
    planned, windows = len(steps_of(scenario)), counted(sum(len(result.looks) for result in measured), "window")
    if scenario.recommend is not None and scenario.decision.repeats == 1 and len(measured) >= planned:
        return f"{windows} of {counted(len(measured), 'step')}, before the search for the capacity was over"
    return f"{windows} of {len(measured)} of {planned} steps"


# ---------------------------------------------------------------- the run


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: Status
    exit_code: int
    because: str


def _overall(scenario: Scenario, steps: Sequence[StepResult], caveats: Sequence[Caveat], knee: Knee | None) -> _Outcome:
    """3 > 5 > 4 > 0 over fail-level gates; warn-level ones are told, and change nothing."""
    verdicts = [verdict for step in steps for verdict in step.verdicts]
    binding = [verdict for verdict in verdicts if verdict.gate.level is Level.FAIL]
    failed = [verdict for verdict in binding if verdict.status is Status.FAIL]
    erred = [verdict for verdict in binding if verdict.status is Status.ERROR]
    if failed:
        return _Outcome(Status.FAIL, FAILED, _told(failed))
    if caveats:
        return _Outcome(Status.ERROR, UNMEASURED, f"could not measure: {caveats[0].rule}: {caveats[0].figure}")
    if erred:
        return _Outcome(Status.ERROR, UNMEASURED, _told(erred))
    if scenario.gates:
        return _unbroken(scenario.decision, verdicts, binding)
    has_capacity = scenario.recommend is not None and knee is not None and knee.at_slo is not None
    return _measured(steps) if has_capacity else _ungated(steps)


def _unbroken(decision: Decision, verdicts: Sequence[Verdict], binding: Sequence[Verdict]) -> _Outcome:
    if not verdicts:
        return _Outcome(Status.ERROR, UNMEASURED, "could not measure: no gate speaks of any step of this run")
    still_open = [verdict for verdict in binding if verdict.status is not Status.PASS]
    if still_open:
        return _open(decision, still_open, verdicts)
    advisory = _advisory(verdicts)
    warned = [verdict for verdict in verdicts if verdict.status is not Status.PASS and verdict.kind != ADVISORY]
    if warned:
        because = f"No binding gate is broken; only warned of: {_told(warned)}{_in_brief(advisory, verdicts)}"
    elif advisory:
        holds = "Every binding gate holds" if binding else "No gate here can break a build"
        because = f"{holds}; {len(advisory)} of {counted(len(verdicts), 'verdict')} only advisory: {_told(advisory)}"
    else:
        because = "Every gate holds"
    return _Outcome(Status.PASS, PASSED, because)


def _advisory(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """What rests on too few runs to break anything, the worst first."""
    worst_first = (Status.FAIL, Status.INCONCLUSIVE, Status.PASS)
    return sorted((v for v in verdicts if v.kind == ADVISORY), key=lambda verdict: worst_first.index(verdict.status))


def _in_brief(advisory: Sequence[Verdict], verdicts: Sequence[Verdict]) -> str:
    """What is only advisory, beside something worse that is told in full; "" where nothing is."""
    if not advisory:
        return ""
    worst = advisory[0]
    told = f"{len(advisory)} of {counted(len(verdicts), 'verdict')} only advisory"
    return f"; {told}, at worst {worst.status.value}: {worst.gate} at {worst.step}"


def _ungated(steps: Sequence[StepResult]) -> _Outcome:
    invalid = next((caveat for step in steps for caveat in step.caveats if caveat.is_fatal), None)
    if invalid is not None:
        return _Outcome(Status.ERROR, UNMEASURED, f"could not measure: {invalid.rule}: {invalid.figure}")
    return _measured(steps)


def _measured(steps: Sequence[StepResult]) -> _Outcome:
    """What was asked for is there. The capacity of a run rests on valid steps alone, whatever an overload spoils."""
    attempts = sum(step.metrics.attempts for step in steps)
    if not attempts:
        return _Outcome(Status.ERROR, UNMEASURED, "could not measure: no request was measured")
    return _Outcome(Status.NOT_GATED, PASSED, f"measured {counted(attempts, 'request')}; the scenario has no gates")


def _open(decision: Decision, still_open: Sequence[Verdict], verdicts: Sequence[Verdict]) -> _Outcome:
    strict = any(_policy(decision, verdict) == "fail" for verdict in still_open)
    inconclusive = any(verdict.status is Status.INCONCLUSIVE for verdict in still_open)
    status = Status.INCONCLUSIVE if inconclusive else Status.INCOMPARABLE
    return _Outcome(status, OPEN if strict else PASSED, _told(still_open) + _in_brief(_advisory(verdicts), verdicts))


def _policy(decision: Decision, verdict: Verdict) -> Policy:
    if verdict.status is Status.INCONCLUSIVE:
        return decision.on_inconclusive
    return decision.on_missing_baseline if verdict.kind == NO_BASELINE else decision.on_incomparable


def _told(found: Sequence[Verdict]) -> str:
    """The first of these verdicts in its own words, and how many more there are; reporters tell the counts."""
    first, more = found[0], len(found) - 1
    where = "" if first.gate.at is not None and first.gate.at.op == "==" else f" at {first.step}"
    return f"{first.gate}{where}: {first.because}" + (f" (and {more} more)" if more else "")
