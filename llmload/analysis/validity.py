"""Whether a step's measurement may be trusted. Each rule is a yes or no, a figure and a remedy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from llmload.analysis.attempts import Attempts, Ints, attempts_of
from llmload.analysis.client import (
    client_core_is_full,
    client_fell_behind,
    client_is_late,
    client_machine_is_full,
    client_out_of_files,
    client_out_of_ports,
    client_stalled,
    heartbeats_ms,
    other_clocks,
    requests_were_dropped,
)
from llmload.analysis.measured import Measured
from llmload.analysis.stats import Floats
from llmload.analysis.throttling import throttling_in
from llmload.analysis.wording import counted, milliseconds, percent
from llmload.domain import Ending, Observation, StepMetrics, TargetFacts, TokenSource
from llmload.samples import POWER_CAP
from llmload.scenario.asked import Scenario
from llmload.units import format_number
from llmload.verdict import GUARD_TRIPPED, Caveat

CACHED_SHARE = 0.05
UNFITTED = 0.10
SHARED_READS = 0.20
DECILES = 10
THROTTLED = 0.05
LEAST_WARMED = 100
"""Attempts from which on the first tenth is compared with the rest."""


def check(
    observations: Sequence[Observation],
    metrics: StepMetrics,
    *,
    scenario: Scenario,
    facts: TargetFacts,
    cpus: int | None = None,
) -> tuple[Caveat, ...]:
    """Every rule of METRICS "Validity" that one step's windows break, fatal ones first; each at most once.

    A guard that tripped comes before all: it is why there is no more to judge.

    `cpus` are those of the machine that sent the load, for the remedies; None where it is not known.
    """
    return check_measured(Measured(observations, attempts_of(observations), metrics, scenario, facts, cpus))


def check_measured(measured: Measured) -> tuple[Caveat, ...]:
    """As `check`, for windows that are folded already."""
    found = [caveat for rule in _RULES if (caveat := rule(measured)) is not None]
    carried = [caveat for observation in measured.observations for caveat in observation.caveats]
    return tuple(
        sorted(dict.fromkeys([*found, *carried]), key=lambda each: (not each.is_fatal, each.kind != GUARD_TRIPPED))
    )


# ---------------------------------------------------------------- could not measure


def _no_heartbeat(measured: Measured) -> Caveat | None:
    if len(heartbeats_ms(measured.observations)) or (measured.metrics.window_s or 0) < 1:
        return None
    return Caveat("client lateness unknown", "the worker left no heartbeat", "Run the step again")


def _clock_is_sound(measured: Measured) -> Caveat | None:
    """Instants of one request must not run backwards; those it never reached are left out."""
    a = measured.attempts
    answer = np.array([-1 if r.answer_ns is None else r.answer_ns for r in a.records], dtype=np.int64)
    pairs = [
        (a.due_ns, a.sent_ns),
        (a.sent_ns, a.events.first_ns()),
        (a.events.first_ns(), answer),
        (a.events.last_ns(), a.done_ns),
        (a.sent_ns, a.done_ns),
        (a.due_ns, a.done_ns),
    ]
    bad = np.zeros(len(a), dtype=np.bool_)
    for earlier, later in pairs:
        bad |= _runs_backwards(earlier, later)
    bad[np.repeat(np.arange(len(a)), a.gap_counts)[a.gaps_ns < 0]] = True
    windows = sum(o.end_ns < o.start_ns for o in measured.observations)
    if not bad.any() and not windows:
        return None
    figure = f"{counted(int(bad.sum()), 'request')} with instants that run backwards"
    remedy = "Check the machine's clock source; a virtual machine that migrated shows this"
    return Caveat("clock trouble", figure, remedy, is_fatal=True, kind="ClockTrouble")


def _runs_backwards(earlier: Ints, later: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return (earlier >= 0) & (later >= 0) & (later < earlier)


def _prompts_are_cached(measured: Measured) -> Caveat | None:
    """Unique prompts share only the server's own template, and their prefix; a larger cached share flatters TTFT."""
    a, workload = measured.attempts, measured.scenario.workload
    told = a.is_ok & ~np.isnan(a.cached_tokens) & ~np.isnan(a.input_tokens)
    tokens = float(a.input_tokens[told].sum())
    if not workload.prompts.unique or workload.sessions is not None or not tokens:
        return None
    beyond = np.maximum(a.cached_tokens[told] - _shared_tokens(measured)[told], 0)
    share = float(beyond.sum()) / tokens
    if share <= CACHED_SHARE:
        return None
    remedy = "Restart the server, or write prompts.synthetic.unique: false to measure with its cache"
    figure = f"{percent(share)} of prompt tokens came from the cache, at most {percent(CACHED_SHARE)} allowed"
    if workload.prefixes:
        figure = f"beyond the shared prefix, {figure}"
    return Caveat("unique prompts hit the prefix cache", figure, remedy, is_fatal=True, kind="PrefixCacheHit")


def _shared_tokens(measured: Measured) -> Floats:
    """With how many tokens each attempt begins as others do."""
    template = 0.0 if measured.facts.fit is None else measured.facts.fit.template
    prefixes = {name: prefix.tokens for name, prefix in measured.scenario.workload.prefixes.items()}
    return np.array([template + prefixes.get(r.part.traffic_class, 0) for r in measured.attempts.records])


def _answers_are_empty(measured: Measured) -> Caveat | None:
    """An answer without any text completed, and shows nothing; where all are like that, nothing was measured."""
    a = measured.attempts
    completed, empty = int(a.is_ok.sum()), int((a.is_ok & (a.events.counts == 0)).sum())
    if not empty:
        return None
    figure = f"{empty} of {counted(completed, 'completed answer')} had no text"
    remedy = "Ask the server by hand what it answers; sampling.ignore_eos keeps a model from stopping at once"
    is_fatal = empty == completed
    return Caveat("answers without text", figure, remedy, is_fatal, "NoData" if is_fatal else "")


# ---------------------------------------------------------------- shown, not fatal


def _ended_early(measured: Measured) -> Caveat | None:
    early = [o for o in measured.observations if o.ending is Ending.MAX_DURATION]
    if not early:
        return None
    asked = sum(o.look.requests for o in measured.observations)
    figure = f"max_duration ended the window after {measured.metrics.attempts} of {asked or 'the'} requests"
    return Caveat("window ended early", figure, "Raise load.max_duration, or ask for fewer requests")


def _output_length_is_off(measured: Measured) -> Caveat | None:
    a = measured.attempts
    counts = a.is_ok & ~np.isnan(a.output_tokens)
    if not counts.any():
        return None
    asked = float(np.mean([r.asked_output_tokens for r, used in zip(a.records, counts, strict=True) if used]))
    got = float(a.output_tokens[counts].mean())
    if abs(got - asked) <= min(0.05 * asked, 50):
        return None
    figure = f"answers had {format_number(round(got, 1))} tokens on average, {format_number(round(asked, 1))} asked"
    return Caveat("output length off", figure, "Set sampling.ignore_eos where the server knows it")


def _reads_are_shared(measured: Measured) -> Caveat | None:
    share = measured.metrics.shared_reads
    if share is None or share <= SHARED_READS:
        return None
    figure = f"{percent(share)} of text events shared one read with another, so their gaps are not the server's"
    return Caveat(
        "several events per read",
        figure,
        "Take TPOT and ITL from a client nearer the server; a proxy between may hold text back",
    )


def _warmup_is_short(measured: Measured) -> Caveat | None:
    """By what the first requests met, and in open loop also by how long requests had been arriving before them."""
    if figure := _begins_before_steady(measured):
        step, e2e = measured.observations[0].look.step, measured.metrics.latency["e2e"]
        enough = math.ceil(step.value * e2e.p99_ms / 1000)
        return Caveat("warm-up too short", figure, f"Raise load.warmup.requests to {enough:,}, which arrive in one E2E")
    figure = _first_tenth_differs(measured)
    return Caveat("warm-up too short", figure, "Raise load.warmup.requests") if figure else None


def _first_tenth_differs(measured: Measured) -> str:
    """The first tenth of each window against the other nine, by medians, which outliers do not move."""
    for metric in ("ttft", "e2e"):
        medians = _decile_medians(measured.attempts, measured.attempts.latency_ms[metric])
        if medians is None:
            continue
        first, rest = medians[0], medians[1:]
        middle = statistics.median(rest)
        spread = statistics.median(abs(value - middle) for value in rest) * 1.4826
        if abs(first - middle) > max(0.1 * middle, 5 * spread) and not min(rest) <= first <= max(rest):
            return f"median {metric} of the first tenth {milliseconds(first)}, of the rest {milliseconds(middle)}"
    return ""


def _begins_before_steady(measured: Measured) -> str:
    """At a rate, as many requests are in flight as arrive in one E2E: before that, throughput is still climbing."""
    e2e = measured.metrics.latency.get("e2e")
    if e2e is None or measured.observations[0].look.step.axis != "rate":
        return ""
    leads_ms = [
        (o.start_ns - min((r.due_ns for r in o.records), default=o.start_ns)) / 1e6 for o in measured.observations
    ]
    if min(leads_ms) >= e2e.p50_ms:
        return ""
    return (
        f"requests arrived for {milliseconds(min(leads_ms))} before the window, one takes {milliseconds(e2e.p50_ms)}:"
        " throughput counts the climb to the steady load"
    )


def _decile_medians(attempts: Attempts, values: Floats) -> list[float] | None:
    """Median of each tenth of the windows in start order, the same tenth of all windows together."""
    tenths: list[list[Floats]] = [[] for _ in range(DECILES)]
    for column in attempts.by_window(values, attempts.is_ok & ~np.isnan(values)):
        for tenth, part in zip(tenths, np.array_split(column, DECILES), strict=True):
            tenth.append(part)
    pooled = [np.concatenate([np.empty(0), *tenth]) for tenth in tenths]
    if sum(map(len, pooled)) < LEAST_WARMED or min(map(len, pooled)) == 0:
        return None
    return [float(np.median(tenth)) for tenth in pooled]


def _tokens_are_estimated(measured: Measured) -> Caveat | None:
    estimated = measured.metrics.token_sources.get(TokenSource.ESTIMATE.value, 0)
    if not estimated:
        return None
    figure = f"{estimated} of {counted(measured.metrics.ok, 'answer')} have token counts of characters / 4"
    return Caveat("estimate of tokens", figure, "Name the model's tokenizer.json in spec.workload.tokenizer")


def _prompts_are_unfitted(measured: Measured) -> Caveat | None:
    fit = measured.facts.fit
    if fit is None or fit.source is TokenSource.ESTIMATE:
        figure = "the server does not tell how many tokens a prompt has"
    elif fit.residual > UNFITTED:
        figure = f"words and the server's tokens differ by {percent(fit.residual)} after fitting"
    else:
        return None
    return Caveat("input length unsure", figure, "Read the input tokens of the report, not those of the scenario")


def _gpu_was_throttled(measured: Measured) -> Caveat | None:
    """A power limit is none of it: it is there in every run at full load, and the figures of the GPUs tell it."""
    found = throttling_in(measured.observations, ignored=POWER_CAP)
    if found is None or found.share <= THROTTLED:
        return None
    figure = f"in {percent(found.share)} of the samples a GPU was slowed down ({', '.join(found.reasons)})"
    remedy = "Compare only with runs that were slowed down alike; look at cooling and power supply"
    return Caveat("GPU throttled", figure, remedy)


_RULES: tuple[Callable[[Measured], Caveat | None], ...] = (
    client_is_late,
    client_stalled,
    client_fell_behind,
    client_core_is_full,
    client_machine_is_full,
    client_out_of_files,
    client_out_of_ports,
    _clock_is_sound,
    other_clocks,
    _prompts_are_cached,
    _answers_are_empty,
    _no_heartbeat,
    requests_were_dropped,
    _ended_early,
    _output_length_is_off,
    _reads_are_shared,
    _warmup_is_short,
    _tokens_are_estimated,
    _prompts_are_unfitted,
    _gpu_was_throttled,
)
