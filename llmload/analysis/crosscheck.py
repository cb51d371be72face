"""What the client saw, held against what the server counted over the same requests (METRICS "cross-check").

Both sides are taken between the two quiet edges of each window: all that we sent there, warm-up and fillers included,
and how far the server's counters and histograms went. The limits are those of METRICS; under them lie floors for what
a share cannot bound: a request more or less, what became of requests that we gave up, and the few milliseconds that
the front end of a server takes before its own clock begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmload.analysis.at_work import share_at_work
from llmload.analysis.causes import RULES
from llmload.analysis.client_work import Amount, ClientWork, client_work
from llmload.analysis.server_work import counted_in, has_counts, has_growth, mean_ms_in, tpot_ms_in
from llmload.analysis.sides import Sides
from llmload.domain import Observation, StepResult, TargetFacts
from llmload.samples import CounterName
from llmload.scenario.asked import Scenario
from llmload.serving import Check
from llmload.verdict import Finding

COUNT_TOLERANCE, LATENCY_TOLERANCE = 0.05, 0.10
FRONT_END_MS = 5.0
"""Parsing HTTP, tokenising and waking a thread lie before the clock of a server that is well, and outside of it for
TTFT and E2E: a few milliseconds on a busy machine.
"""
PACE_FLOOR_MS = 0.5
"""Of TPOT, a mean over many tokens: how late a client wakes up at the first of them and at the last cancels out."""

SAMPLING_ERRORS = 2.0
"""By how many standard errors a figure of samples may be off, besides."""

_ENDINGS: tuple[CounterName, ...] = ("requests_succeeded", "requests_failed", "requests_cancelled")


def checks_of(windows: Sequence[Observation]) -> tuple[Check, ...]:
    """Each figure that both sides have of these windows of one step, whole observations with all their requests.

    A window of which the server tells a figure not is left out of that figure on both sides.
    """
    step = _Step(windows)
    found = (
        _requests(step),
        _tokens(step, "input_tokens", "prompt_tokens", lambda work: work.input_tokens),
        _tokens(step, "output_tokens", "output_tokens", lambda work: work.output_tokens),
        _ttft(step),
        _tpot(step),
        _e2e(step),
    )
    return tuple(check for check in found if check is not None)


class _Step:
    """The windows of a step; our side of a choice of them is folded once, however many figures it serves."""

    def __init__(self, windows: Sequence[Observation]) -> None:
        self.windows = windows
        self._folded: dict[tuple[int, ...], ClientWork] = {}

    def ours(self, among: Sequence[Observation]) -> ClientWork:
        """What we gave the server to do in these windows."""
        key = tuple(map(id, among))
        if key not in self._folded:
            self._folded[key] = client_work(among)
        return self._folded[key]


def findings_of(
    result: StepResult, windows: Sequence[Observation], scenario: Scenario, facts: TargetFacts
) -> tuple[Finding, ...]:
    """Where the checks of a step disagree, and what else the server's figures explain, each with its likely cause.

    One finding for each cause: what a rule explains, no later one speaks of. None of it changes a verdict.
    """
    found: list[Finding] = []
    remaining = {check.figure: check for check in result.checks if not check.agrees}
    for rule in RULES:
        told = rule(Sides(result, windows, scenario, facts, remaining, tuple(each.kind for each in found)))
        if told is not None:
            found.append(told.finding)
            remaining = {figure: check for figure, check in remaining.items() if figure not in told.figures}
    return tuple(found)


# ---------------------------------------------------------------- counts


def _requests(step: _Step) -> Check | None:
    told = has_counts(step.windows, "requests_succeeded")
    if not told:
        return None
    endings = [counted_in(told, name) for name in _ENDINGS]
    return _count("requests", "", step.ours(told).requests, sum(each or 0.0 for each in endings), least_floor=1.0)


def _tokens(step: _Step, figure: str, name: CounterName, of: Callable[[ClientWork], Amount | None]) -> Check | None:
    """The floor is one request's worth, as it is for requests themselves."""
    told = has_counts(step.windows, name)
    work = step.ours(told)
    ours, theirs = of(work), counted_in(told, name)
    if ours is None or theirs is None:
        return None
    return _count(figure, "tokens", ours, theirs, least_floor=ours.likely / max(work.answered, 1))


def _count(figure: str, unit: str, ours: Amount, theirs: float, *, least_floor: float) -> Check:
    """What may be missing or more because of requests that did not end as asked, comes on top of the tolerance."""
    slack = ours.likely - ours.least if theirs < ours.likely else ours.most - ours.likely
    floor = max(least_floor, slack + COUNT_TOLERANCE * max(ours.likely, theirs) if slack else 0.0)
    return Check(figure, unit, ours.likely, theirs, COUNT_TOLERANCE, floor)


# ---------------------------------------------------------------- latencies


def _ttft(step: _Step) -> Check | None:
    told = has_growth(step.windows, "ttft_s")
    return _latency("ttft", step.ours(told).ttft.value, mean_ms_in(told, "ttft_s"), FRONT_END_MS)


def _tpot(step: _Step) -> Check | None:
    """Over all tokens, else per request."""
    if told := has_growth(step.windows, "itl_s"):
        return _latency("tpot", step.ours(told).pace.value, tpot_ms_in(told), PACE_FLOOR_MS)
    told = has_growth(step.windows, "tpot_s")
    return _latency("tpot", step.ours(told).tpot.value, tpot_ms_in(told), PACE_FLOOR_MS)


def _e2e(step: _Step) -> Check | None:
    """Servers differ in whether the shorter time of a request that was given up is in their mean."""
    told = has_growth(step.windows, "e2e_s")
    if not told:
        return _sampled_e2e(step)
    work = step.ours(told)
    slack = work.open_share * (work.e2e.value or 0.0)
    return _latency("e2e", work.e2e.value, mean_ms_in(told, "e2e_s"), FRONT_END_MS + slack)


def _sampled_e2e(step: _Step) -> Check | None:
    """Of a server that times nothing: the share of our time in flight in which it had the request in hand."""
    at_work, ours_ms = share_at_work(step.windows), step.ours(step.windows).e2e.value
    if at_work is None or ours_ms is None:
        return None
    tolerance = LATENCY_TOLERANCE + SAMPLING_ERRORS * at_work.error
    return Check("e2e", "ms", ours_ms, at_work.share * ours_ms, tolerance, FRONT_END_MS)


def _latency(figure: str, ours_ms: float | None, theirs_ms: float | None, floor_ms: float) -> Check | None:
    if ours_ms is None or theirs_ms is None:
        return None
    return Check(figure, "ms", ours_ms, theirs_ms, LATENCY_TOLERANCE, floor_ms)
