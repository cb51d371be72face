"""Why there is no recommendation: what broke, or was not measured, and what would have to change."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.analysis.attempts import NO_CONNECTION, slo_terms
from llmload.analysis.wording import milliseconds
from llmload.domain import UNFINISHED, RunResult, StepResult
from llmload.verdict import Caveat, Status, Verdict

_MEASURE_LIGHTER = "Measure lighter loads as well: begin load.concurrency at 1"
_PROMISE_LESS = (
    "One request at a time misses it already: take a faster GPU, a smaller or quantised model, or tensor parallelism, "
    "or promise less in spec.slo"
)

_REFUSED = "Read the error counts of this load, which the server may refuse"
_GONE = "Most of these lost their connection or found none: see whether the server was still there, then measure again"
_LONGER = "Its time was up before all requests were sent: raise load.max_duration"


def no_recommendation(run: RunResult) -> str:
    """The headline of a run of which no load surely holds the SLO. Nothing that was measured is taken for a capacity.

    A server that could not be measured is told before a load that breaks, and what is missing in the run before both.
    """
    return f"No recommendation: {_why(run)}"


def _why(run: RunResult) -> str:
    measured = sorted((result for result in run.steps if result.looks), key=lambda result: result.step.value)
    fatal = next((caveat for caveat in run.caveats if caveat.is_fatal), None)
    if run.is_imported:
        return "an imported run has no requests behind its figures. Measure the server with `llmload recommend`"
    if fatal is not None:
        return _unmeasured(fatal)
    if not measured:
        return "no load was measured. Give the same command again with `--resume RUN`, or measure anew"
    if run.slo is None:
        return "without an SLO no request is good or bad. Write spec.slo, or --ttft-target and --tpot-target"
    if any(result.step.axis != "concurrency" for result in measured):
        return "a peak is a concurrency, and this load is none. Measure with load.concurrency"
    return _of_the_lightest(run, measured)


def _unmeasured(caveat: Caveat) -> str:
    return f"could not measure: {caveat.rule}: {caveat.figure}. {caveat.remedy}"


def _of_the_lightest(run: RunResult, measured: Sequence[StepResult]) -> str:
    """What became of the lightest load: while it does not hold, nothing above it counts."""
    lightest = measured[0]
    fatal = next((caveat for caveat in lightest.caveats if caveat.is_fatal), None)
    verdict, label = lightest.capacity, lightest.step.label
    if fatal is not None:
        told = f"{fatal.rule}: {fatal.figure}. {fatal.remedy}"
        return f"{label} is the lightest load, and it could not be measured: {told}"
    if verdict is None:
        return "no load that was measured surely holds the SLO"
    match verdict.status:
        case Status.FAIL:
            return _broken(run, lightest, verdict)
        case Status.INCONCLUSIVE:
            said = f"{label} is the lightest load, and it stayed undecided: {verdict.because}"
            return f"{said}. {_go_on(run) or (_LONGER if _was_cut(lightest) else verdict.remedy)}"
        case _:
            return f"{label} is the lightest load: {verdict.because}. {verdict.remedy}"


def _go_on(run: RunResult) -> str:
    """What ends a run that is not complete; "" where it is."""
    return next((caveat.remedy for caveat in run.caveats if caveat.rule == UNFINISHED), "")


def _broken(run: RunResult, lightest: StepResult, verdict: Verdict) -> str:
    """Which terms broke and by how far they have to come down."""
    if not lightest.metrics.ok:
        return f"{lightest.step.label} is the lightest load: {verdict.because}. {_REFUSED}"
    said = f"{lightest.step.label} is the lightest load, and it breaks the SLO: {verdict.because}"
    too_slow = _too_slow(run, lightest)
    remedy = _MEASURE_LIGHTER if lightest.step.value > 1 else _PROMISE_LESS if too_slow else verdict.remedy
    if 2 * lightest.metrics.errors.get(NO_CONNECTION, 0) > lightest.metrics.attempts - (lightest.metrics.good or 0):
        remedy = _GONE
    return "; ".join([said, *too_slow]) + f". {remedy}"


def _too_slow(run: RunResult, result: StepResult) -> list[str]:
    latency = result.metrics.latency
    found = ((metric, latency[metric].p95_ms, limit) for metric, limit in slo_terms(run.slo) if metric in latency)
    return [
        f"p95({metric}) was {milliseconds(p95_ms)} and has to come down to {milliseconds(limit)}"
        for metric, p95_ms, limit in found
        if p95_ms > limit
    ]


def _was_cut(result: StepResult) -> bool:
    """Whether fewer requests were sent than its looks asked for."""
    sent = result.metrics.attempts + (result.metrics.cancelled or 0)
    return sent < sum(look.requests for look in result.looks)
