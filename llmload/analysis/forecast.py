"""What a scenario will send and how long that may take, told before the first byte."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from llmload.analysis.conversations import SessionForecast, forecast_sessions, mean_context
from llmload.analysis.looks import first_sizes, gates_at, planned_sizes, steps_of
from llmload.analysis.search import cap_of, capacity_gate, most_loads
from llmload.planned import Step
from llmload.promises import Bound, Slo
from llmload.scenario.asked import ClosedLoop, OpenLoop, Scenario, Trace
from llmload.scenario.lengths import LengthFile, mean_length
from llmload.scenario.recording import Recording
from llmload.scenario.traffic import Mixture, PromptFile, Synthetic, Workload


@dataclass(frozen=True, slots=True)
class StepForecast:
    """One step in all climbs: `requests` measured if the first look decides, `warmup` before; `most_requests` at most.

    None where the load says only how long; at a rate that is the mean number. `at_slo_s` is how long those
    `requests` take on a server that just keeps the SLO, None where the SLO does not bound a request; `at_most_s` bounds
    all measured windows of the step. `arrivals_s` is how long `requests` take to come in open loop, warm-up and ramp
    included, whatever the server does.
    """

    step: Step
    warmup: int
    requests: int | None
    most_requests: int | None
    input_tokens: float | None
    output_tokens: float | None
    at_slo_s: float | None
    at_most_s: float
    arrivals_s: float | None = None


@dataclass(frozen=True, slots=True)
class TraceForecast:
    """What is measured of a trace: `requests` of the `recorded` ones, over `span_s` at the speed that was asked for.

    `warmup` requests come before them. `repeated_share` is the share of prompt tokens in blocks that came before, 0..1:
    what an endless prefix cache would save. None where the trace does not say which prompts begin alike.
    """

    recorded: int
    requests: int
    warmup: int
    span_s: float
    input_tokens: int
    output_tokens: int
    repeated_share: float | None

    @property
    def rate_per_s(self) -> float | None:
        """Mean arrivals per second; None where all came at once."""
        return (self.requests - 1) / self.span_s if self.span_s > 0 else None


@dataclass(frozen=True, slots=True)
class SearchForecast:
    """How far a search for the capacity may go beyond the ladder, whatever the server carries.

    At most `most_loads` further loads, none above `heaviest`, each of at most `most_requests` measured requests at the
    heaviest; all their measured windows together end within `at_most_s`. None where the load says only how long.
    GPUs that only the run gets to see may be replicas, and take it further (`search.cap_of`).
    """

    most_loads: int
    heaviest: float
    most_requests: int | None
    at_most_s: float


def forecast_search(scenario: Scenario) -> SearchForecast | None:
    """The search that this scenario asks for; None where it asks for none, or its ladder leaves nothing to seek."""
    shape = scenario.load.shape
    if capacity_gate(scenario) is None or not isinstance(shape, ClosedLoop) or scenario.decision.repeats > 1:
        return None
    cap = cap_of(scenario)
    loads = most_loads(shape.concurrency, cap)
    if not loads:
        return None
    heaviest = max(cap, float(max(shape.concurrency)))
    step = _forecast_step(scenario, Step(len(shape.concurrency), "concurrency", heaviest))
    return SearchForecast(loads, heaviest, step.most_requests, loads * step.at_most_s)


def forecast(scenario: Scenario) -> tuple[StepForecast, ...]:
    """Every step of the ladder; tokens are means over the declared lengths, warm-up included."""
    return tuple(_forecast_step(scenario, step) for step in steps_of(scenario))


def forecast_trace(scenario: Scenario, recording: Recording) -> TraceForecast:
    """The stretch of `recording` that the scenario replays."""
    shape, requests = scenario.load.shape, scenario.load.requests or len(recording)
    speed = shape.speed if isinstance(shape, Trace) else 1.0
    prompts = sum(recording.input_tokens[:requests])
    shares = recording.has_blocks and not scenario.workload.unique
    return TraceForecast(
        recorded=len(recording),
        requests=requests,
        warmup=scenario.load.warmup_for(max(1, round(recording.level(speed)))),
        span_s=recording.at_ns[requests - 1] / speed / 1e9,
        input_tokens=prompts,
        output_tokens=sum(recording.output_tokens[:requests]),
        repeated_share=recording.repeated_tokens(requests) / prompts if shares else None,
    )


def _forecast_step(scenario: Scenario, step: Step) -> StepForecast:
    load, climbs = scenario.load, scenario.decision.repeats
    warmup = load.warmup_for(max(1, round(step.value)))
    looks = len(first_sizes(scenario, step))
    is_judged = scenario.recommend is not None or any(
        isinstance(g.promise, Bound) for g in gates_at(scenario.gates, step)
    )
    can_go_on = looks > 1 and is_judged
    first: int | None = first_sizes(scenario, step)[0] if load.requests else None
    arrivals_s = None
    if isinstance(load.shape, OpenLoop):
        first = max(first or 0, round(step.value * (load.duration_s or 0.0)))
        before = load.shape.rate_per_s[step.index - 1] if step.index else 0.0
        arrivals_s = climbs * (load.ramp_s + (warmup + first) / step.value)
        warmup += round((before + step.value) / 2 * load.ramp_s)
    more = sum(planned_sizes(scenario, step)) if can_go_on and load.requests else 0
    sent = None if first is None else first + warmup
    is_drawn = not isinstance(load.shape, Trace)  # a trace has its own lengths, see forecast_trace
    input_mean, output_mean = mean_input(scenario.workload), mean_output(scenario.workload)
    at_slo_s = _at_slo_s(scenario, step, sent, _mean_at_slo(scenario))
    return StepForecast(
        step=step,
        warmup=climbs * warmup,
        requests=None if first is None else climbs * first,
        most_requests=None if first is None else max(climbs * first, more),
        input_tokens=climbs * sent * input_mean if sent and is_drawn and input_mean is not None else None,
        output_tokens=climbs * sent * output_mean if sent and is_drawn else None,
        at_slo_s=None if at_slo_s is None else climbs * at_slo_s,
        # another look begins only before max_duration is spent, and lasts no longer than that itself
        at_most_s=load.max_duration_s * (climbs + can_go_on),
        arrivals_s=arrivals_s,
    )


def _at_slo_s(scenario: Scenario, step: Step, sent: int | None, each_s: float | None) -> float | None:
    """In closed loop the server sets the pace: so many waves of answers that each just keep the SLO.

    In conversations users think in between, and slots begin within one think time.
    """
    if not isinstance(scenario.load.shape, ClosedLoop) or sent is None or each_s is None:
        return None
    waves, sessions = math.ceil(sent / step.value), sessions_of(scenario.workload)
    if sessions is None:
        return waves * each_s
    return sessions.think_s / 2 + waves * (each_s + sessions.think_s_per_request)


def mean_input(workload: Workload) -> float | None:
    """Mean tokens of a prompt as asked; None where a file says what prompts are, and not how many tokens."""
    means = [(share, _mean_prompt(prompts)) for share, prompts in _kinds(workload)]
    known = [share * mean for share, mean in means if mean is not None]
    if len(known) != len(means):
        return None
    sessions = sessions_of(workload)
    return sum(known) if sessions is None or workload.sessions is None else mean_context(workload.sessions, sessions)


def sessions_of(workload: Workload) -> SessionForecast | None:
    """What its conversations come to; None where requests are none."""
    if workload.sessions is None or isinstance(workload.prompts, Mixture):
        return None
    return forecast_sessions(workload.sessions, _mean_prompt(workload.prompts), mean_output(workload))


def mean_output(workload: Workload) -> float:
    """Mean tokens of an answer as asked."""
    return sum(share * _mean_answer(prompts) for share, prompts in _kinds(workload))


def _kinds(workload: Workload) -> tuple[tuple[float, Synthetic | PromptFile], ...]:
    """What requests are asked from, each with its share of them."""
    if isinstance(workload.prompts, Mixture):
        return tuple((each.share, each.prompts) for each in workload.prompts.classes)
    return ((1.0, workload.prompts),)


def _mean_prompt(prompts: Synthetic | PromptFile) -> float | None:
    match prompts:
        case PromptFile():
            return None
        case Synthetic(lengths=LengthFile(found=found)):
            return found.input_tokens
        case Synthetic(input_tokens=lengths):
            return mean_length(lengths)
        case _:
            assert_never(prompts)


def _mean_answer(prompts: Synthetic | PromptFile) -> float:
    match prompts:
        case PromptFile(output_tokens=None, found=found):
            return found.output_tokens
        case Synthetic(lengths=LengthFile(found=measured)):
            return measured.output_tokens
        case Synthetic(output_tokens=lengths) | PromptFile(output_tokens=lengths):
            assert lengths is not None  # noqa: S101 - the first case
            return mean_length(lengths)
        case _:
            assert_never(prompts)


def _mean_at_slo(scenario: Scenario) -> float | None:
    """How long one answer takes on average where each just keeps its SLO; None where one has no bound."""
    workload = scenario.workload
    if not workload.classes:
        return _seconds_at_slo(scenario.slo, mean_output(workload))
    each = [(c.share, _seconds_at_slo(c.slo or scenario.slo, _mean_answer(c.prompts))) for c in workload.classes]
    known = [share * seconds for share, seconds in each if seconds is not None]
    return sum(known) if len(known) == len(each) else None


def _seconds_at_slo(slo: Slo | None, output_tokens: float) -> float | None:
    """How long one answer takes that just keeps the SLO."""
    if slo is None:
        return None
    if slo.ttft_ms is not None and slo.tpot_ms is not None:
        paced = (slo.ttft_ms + slo.tpot_ms * max(output_tokens - 1, 0)) / 1000
        return paced if slo.e2e_ms is None else min(paced, slo.e2e_ms / 1000)
    return None if slo.e2e_ms is None else slo.e2e_ms / 1000
