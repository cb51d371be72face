"""Judged: what became of each absolute gate at one step, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from llmload.analysis.attempts import Attempts, slo_terms
from llmload.analysis.claims import PERCENTILES, Claim, claim_of, judged_ms, missing_data, needs_tokens
from llmload.analysis.folded import Folded, fold
from llmload.analysis.looks import gates_at, look_level, planned_sizes, windows_at
from llmload.analysis.relative import Relate, no_relation
from llmload.analysis.shares import LEAST_EFFECTIVE, ShareDecision, least_block, replay_looks
from llmload.analysis.slices import SLICES, Sliced, rate_amounts, sliced_mean, sliced_rate
from llmload.analysis.stats import LEAST_BLOCKS, percentiles
from llmload.analysis.traffic import Amounts
from llmload.analysis.wording import counted, figure, level, name, percent
from llmload.domain import Observation
from llmload.planned import Step
from llmload.promises import RATES, Bound, Change, Gate, Promised, SloByClass, slo_of
from llmload.scenario.asked import ClosedLoop, Scenario, Trace
from llmload.verdict import Caveat, Evidence, Status, Verdict

READ_ERRORS = "Read the error counts of this step; the server may refuse this load"
"""The remedy where a promise broke for requests that failed, more than for slow ones."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one step left to be judged: its windows in order, and how the looks at them share the level.

    `folded` are the requests that are judged: those of `traffic_class`, where it is given. `all` is whatever was sent.
    """

    step: Step
    all: Folded
    scenario: Scenario
    looks: int
    traffic_class: str | None = None

    @property
    def folded(self) -> Folded:
        """The requests that are judged."""
        return self.all if self.traffic_class is None else self.all.of(self.traffic_class)

    @property
    def promised(self) -> Promised:
        """What makes a request of them good."""
        promised = self.scenario.promised
        return promised if self.traffic_class is None else slo_of(promised, self.traffic_class)

    @property
    def share(self) -> float:
        """Of the measured attempts, those that are judged: 0..1."""
        return len(self.attempts) / len(self.all.attempts) if len(self.all.attempts) else 1.0

    @property
    def block(self) -> int:
        """Judged requests that shared the server at one time: of a class, its share of all that did.

        To the nearest, since `sample_size` plans with the next whole number: a request more takes no verdict away.
        """
        return max(1, round(least_block(self.step, self.all.attempts) * self.share))

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The windows, first look first."""
        return self.folded.observations

    @property
    def attempts(self) -> Attempts:
        """The measured attempts of all windows."""
        return self.folded.attempts

    @property
    def alpha(self) -> float:
        """Level of each bound at one look."""
        return look_level(self.scenario, self.looks)


def sample_of(step: Step, observations: Sequence[Observation], scenario: Scenario) -> Sample:
    """Take the windows of `step` and fold them."""
    mine = windows_at(step, observations)
    looks = max(len(planned_sizes(scenario, step)), len(mine), 1)
    return Sample(step, fold(mine), scenario, looks)


def judge_step(
    gates: Sequence[Gate],
    step: Step,
    observations: Sequence[Observation],
    scenario: Scenario,
    caveats: Sequence[Caveat],
    relate: Relate = no_relation,
) -> tuple[Verdict, ...]:
    """A verdict for each of `gates` that speaks of `step`; any fatal caveat makes all of them errors.

    `relate` judges those that speak of a baseline.
    """
    return judge_sample(gates, sample_of(step, observations, scenario), caveats, relate)


def judge_sample(
    gates: Sequence[Gate], sample: Sample, caveats: Sequence[Caveat], relate: Relate = no_relation
) -> tuple[Verdict, ...]:
    """As `judge_step`, for a step that is folded already."""
    fatal = next((caveat for caveat in caveats if caveat.is_fatal), None)
    return tuple(
        _unmeasured(gate, sample.step, fatal) if fatal else _judge(gate, sample, relate)
        for gate in gates_at(tuple(gates), sample.step)
    )


def _judge(gate: Gate, sample: Sample, relate: Relate) -> Verdict:
    match gate.promise:
        case Bound() as bound:
            return judge_gate(gate, bound, sample)
        case Change() as change:
            return relate(gate, change)
        case _:
            assert_never(gate.promise)


def judge_gate(gate: Gate, bound: Bound, sample: Sample) -> Verdict:
    """Decide one absolute gate at one step from data that is valid."""
    mine = replace(sample, traffic_class=gate.traffic_class)
    return _without_figure(gate, mine) or _absolute(gate, bound, mine)


def _unmeasured(gate: Gate, step: Step, caveat: Caveat) -> Verdict:
    because = f"could not measure: {caveat.rule}: {caveat.figure}"
    return Verdict(gate, step.label, Status.ERROR, because, caveat.remedy, caveat.kind or "Invalid")


def _without_figure(gate: Gate, sample: Sample) -> Verdict | None:
    """The verdict where the gate's figure does not exist; None where it does."""
    attempts, label = sample.attempts, sample.step.label
    if not len(attempts):
        return no_data(gate, sample.step, "no request was measured")
    if not attempts.is_ok.any() and _wants_success(gate):
        because = f"none of {counted(len(attempts), 'request')} at {label} succeeded"
        return Verdict(gate, label, Status.FAIL, because, READ_ERRORS, "SloViolation", _count_evidence(gate, sample))
    slo = sample.promised
    if attempts.is_ok.any() and (missing := missing_data(gate, attempts, slo)):
        return no_data(gate, sample.step, f"the completed requests have no {missing}")
    if needs_tokens(gate, slo) and (attempts.is_estimated & attempts.is_ok).any():
        because = "output tokens are only estimated from characters, and an estimate never decides a gate"
        remedy = "Let the server report usage, or name the model's tokenizer.json in spec.workload.tokenizer"
        return Verdict(gate, label, Status.ERROR, because, remedy, "TokensEstimated")
    return None


def no_data(gate: Gate, step: Step, why: str) -> Verdict:
    """A gate without data is an error, never a pass."""
    remedy = "Take the gate out, or make the run produce this figure (stream, tokens, enough time)"
    return Verdict(gate, step.label, Status.ERROR, f"could not measure: {why}", remedy, "NoData")


def _wants_success(gate: Gate) -> bool:
    """Whether a step without any completed request breaks this promise, whatever the figures of the failed ones."""
    if not isinstance(gate.promise, Bound):
        return False
    if gate.subject in ("goodput", *RATES):
        return gate.promise.op == ">=" and gate.promise.value > 0
    if gate.subject == "error_rate":
        return gate.promise.op == "<=" and gate.promise.value < 1
    return True


def _absolute(gate: Gate, bound: Bound, sample: Sample) -> Verdict:
    claim = claim_of(gate, bound, sample.attempts, sample.promised)
    if claim is not None:
        return _judge_claim(gate, bound, claim, sample)
    if gate.stat == "max":
        return _judge_max(gate, bound, sample)
    return _judge_sliced(gate, bound, sample)


# ---------------------------------------------------------------- proportions


def _judge_claim(gate: Gate, bound: Bound, claim: Claim, sample: Sample) -> Verdict:
    windows = sample.attempts.by_window(claim.holds, claim.among)
    decision = replay_looks(windows, claim.target, block=sample.block, alpha=sample.alpha)
    evidence = Evidence(
        observed=decision.share,
        target=decision.target,
        low=decision.low,
        high=decision.high,
        n=decision.n,
        deff=decision.deff,
        effective_n=decision.effective_n,
        confidence=1 - sample.alpha,
        looks=sample.looks,
    )
    because = f"{_observed(gate, decision, claim, sample)}; {_bounds(decision, sample.alpha)}"
    match decision.status:
        case Status.PASS:
            return Verdict(gate, sample.step.label, Status.PASS, because, evidence=evidence)
        case Status.FAIL:
            because += _what_broke(gate, bound, sample)
            remedy = _remedy(claim, sample)
            return Verdict(gate, sample.step.label, Status.FAIL, because, remedy, "SloViolation", evidence)
        case _:
            remedy, kind = _undecided(decision, sample)
            return Verdict(gate, sample.step.label, Status.INCONCLUSIVE, because, remedy, kind, evidence)


def _remedy(claim: Claim, sample: Sample) -> str:
    """What to do about a broken share: where most of what broke it is errors, capacity is not the first thing."""
    attempts = sample.attempts
    broken = ~claim.holds & claim.among
    errors = int((broken & ~attempts.is_ok).sum()) - attempts.dropped
    if 2 * errors > int(broken.sum()):
        return READ_ERRORS
    return "Lower the load, or give the server more capacity"


def _observed(gate: Gate, decision: ShareDecision, claim: Claim, sample: Sample) -> str:
    counts = f"{decision.holding} of {counted(decision.n, 'request')} {claim.holding} ({percent(decision.share)})"
    if gate.stat not in PERCENTILES:
        return counts
    values = judged_ms(gate.subject, sample.attempts)[claim.among][: decision.n]
    point = percentiles(values, (PERCENTILES[gate.stat] * 100,))[0]
    return f"{name(gate)} was {figure(gate, point)}, {counts}"


def _bounds(decision: ShareDecision, alpha: float) -> str:
    wanted = f"{percent(decision.target)} wanted"
    sure = f"at {level(1 - alpha)} confidence"
    if decision.low is None or decision.high is None:
        blocks = counted(decision.blocks, "block")
        return f"{blocks} of {decision.block_size} are too few to bound the share, {wanted}"
    match decision.status:
        case Status.PASS:
            return f"{sure} at least {percent(decision.low)} are, {wanted}"
        case Status.FAIL:
            return f"{sure} at most {percent(decision.high)} are, {wanted}"
        case _:
            return f"{sure} between {percent(decision.low)} and {percent(decision.high)} are, {wanted}"


def _undecided(decision: ShareDecision, sample: Sample) -> tuple[str, str]:
    """Remedy and kind of an open verdict."""
    if decision.blocks < LEAST_BLOCKS:
        needed = math.ceil(LEAST_BLOCKS * decision.block_size / sample.share)
        return f"Measure at least {needed} requests in one window at {sample.step.label} (load.requests)", (
            "TooFewRequests"
        )
    if decision.low is not None and decision.low >= decision.target:
        return (
            f"{_longer(sample)}: a pass needs {LEAST_EFFECTIVE} requests' worth of independent evidence",
            "TooFewRequests",
        )
    return _longer(sample), "TooCloseToCall"


def _longer(sample: Sample) -> str:
    """How this load gives more evidence."""
    load = sample.scenario.load
    if isinstance(load.shape, Trace):
        return "Replay more of the trace, or a longer one"
    more = "load.duration" if load.requests is None else "decision.max_requests or load.requests"
    no_more = "; more concurrency does not help" if isinstance(load.shape, ClosedLoop) else ""
    return f"Raise {more}{no_more}"


def _what_broke(gate: Gate, bound: Bound, sample: Sample) -> str:
    """For a goodput gate, which terms the requests broke that were not good; each may break several."""
    if gate.subject != "goodput" or bound.op != ">=":
        return ""
    attempts = sample.attempts
    broken = [f"{count} over {term}" for term, count in _beyond(gate, sample).items()]
    dropped = attempts.dropped
    failed = int((~attempts.is_ok).sum()) - dropped
    broken += [f"{count} {fate}" for count, fate in ((failed, "failed"), (dropped, "dropped")) if count]
    return f"; not good: {', '.join(broken)}" if broken else ""


def _beyond(gate: Gate, sample: Sample) -> dict[str, int]:
    """How many completed requests are over each term, by its words; each is held against the SLO of its class."""
    promised, found = sample.promised, dict[str, int]()
    names = tuple(sample.all.classes) if isinstance(promised, SloByClass) else ()
    parts = [(slo_of(promised, name), sample.all.of(name).attempts) for name in names] or [
        (slo_of(promised, None), sample.attempts)
    ]
    for slo, attempts in parts:
        for metric, limit in slo_terms(slo):
            values = attempts.latency_ms[attempts.judged(metric)]
            over = int((attempts.is_ok & (np.nan_to_num(values, nan=-1.0) > limit)).sum())
            term = f"{metric} {figure(replace(gate, subject=metric), limit)}"
            if over:
                found[term] = found.get(term, 0) + over
    return found


# ---------------------------------------------------------------- maxima


def _judge_max(gate: Gate, bound: Bound, sample: Sample) -> Verdict:
    """A maximum is a fact of the sample, not an estimate: one attempt beyond the bound breaks it, in any window.

    A failed attempt is beyond every limit. The promise is about these requests and says nothing of others.
    """
    values = judged_ms(gate.subject, sample.attempts)
    values = values[~np.isnan(values)]
    wants_more = bound.op == ">="
    judged = np.where(np.isinf(values), -np.inf, values) if wants_more else values
    largest = float(judged.max())
    holds = largest >= bound.value if wants_more else largest <= bound.value
    over = int((values > bound.value).sum())
    because = f"the largest {gate.subject} of {counted(len(values), 'request')} was {figure(gate, float(values.max()))}"
    evidence = Evidence(
        float(values.max()) if np.isfinite(values.max()) else None,
        bound.value,
        None,
        None,
        len(values),
        None,
        None,
        1 - sample.alpha,
        sample.looks,
    )
    if holds:
        return Verdict(gate, sample.step.label, Status.PASS, because, evidence=evidence)
    because += f", {figure(gate, bound.value)} wanted; {over} beyond it"
    remedy = "Look at the slowest request of this step; a percentile gate tolerates single outliers"
    return Verdict(gate, sample.step.label, Status.FAIL, because, remedy, "SloViolation", evidence)


# ---------------------------------------------------------------- means and rates


def _judge_sliced(gate: Gate, bound: Bound, sample: Sample) -> Verdict:
    """Bounds by t over 20 time slices, look by look; the first decision stays."""
    status, sliced = _slice_status(gate, bound, sample, 1)
    for upto in range(2, len(sample.observations) + 1):
        if status is not Status.INCONCLUSIVE:
            break
        status, sliced = _slice_status(gate, bound, sample, upto)
    low, high = (sliced.bounds.low, sliced.bounds.high) if sliced.bounds else (None, None)
    evidence = Evidence(sliced.middle, bound.value, low, high, sliced.n, None, None, 1 - sample.alpha, sample.looks)
    because = _sliced_reason(gate, bound, sliced, 1 - sample.alpha)
    if status is Status.PASS:
        return Verdict(gate, sample.step.label, status, because, evidence=evidence)
    if status is Status.FAIL:
        remedy = "Lower the load, or give the server more capacity"
        return Verdict(gate, sample.step.label, status, because, remedy, "SloViolation", evidence)
    return Verdict(gate, sample.step.label, status, because, _longer(sample), "TooFewRequests", evidence)


def _slice_status(gate: Gate, bound: Bound, sample: Sample, upto: int) -> tuple[Status, Sliced]:
    observations = sample.observations[:upto]
    if gate.subject in RATES:
        amounts = [_within(each, upto) for each in rate_amounts(gate.subject, sample.folded.traffic)]
        sliced = sliced_rate(amounts, observations, sample.alpha)
    else:
        sliced = sliced_mean(_within(_latency_amounts(gate, bound, sample), upto), observations, sample.alpha)
    if sliced.bounds is None or len(sample.attempts) < SLICES:
        return Status.INCONCLUSIVE, sliced
    low, high = sliced.bounds.low, sliced.bounds.high
    keeps, breaks = (low >= bound.value, high < bound.value)
    if bound.op == "<=":
        keeps, breaks = (high <= bound.value, low > bound.value)
    return (Status.PASS if keeps else Status.FAIL if breaks else Status.INCONCLUSIVE), sliced


def _latency_amounts(gate: Gate, bound: Bound, sample: Sample) -> Amounts:
    """One latency per attempt at its start; a failed attempt counts as what it took, and never less than the bound."""
    attempts = sample.attempts
    values = judged_ms(gate.subject, attempts)
    values = np.where(np.isinf(values), np.maximum(attempts.elapsed_ms, bound.value), values)
    applies = ~np.isnan(values)
    begun = np.where(attempts.sent_ns >= 0, attempts.sent_ns, attempts.due_ns)
    return Amounts(begun[applies], attempts.window[applies], values[applies])


def _within(amounts: Amounts, upto: int) -> Amounts:
    kept = amounts.window < upto
    if kept.all():
        return amounts
    return Amounts(amounts.at_ns[kept], amounts.window[kept], amounts.amount[kept])


def _sliced_reason(gate: Gate, bound: Bound, sliced: Sliced, confidence: float) -> str:
    if sliced.middle is None or sliced.bounds is None:
        return f"{name(gate)} could not be bounded, {figure(gate, bound.value)} wanted"
    low, high = figure(gate, max(sliced.bounds.low, 0.0)), figure(gate, max(sliced.bounds.high, 0.0))
    measured = f"{name(gate)} was {figure(gate, sliced.middle)}"
    return f"{measured}; at {level(confidence)} confidence between {low} and {high}, {figure(gate, bound.value)} wanted"


def _count_evidence(gate: Gate, sample: Sample) -> Evidence | None:
    target = gate.promise.value if isinstance(gate.promise, Bound) else 0.0
    n = len(sample.attempts)
    return Evidence(None, target, None, None, n, None, None, 1 - sample.alpha, sample.looks)
