"""What an honest server tells of windows, and how it tells otherwise: the other side of a cross-check."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

from llmload.analysis.crosscheck import checks_of, findings_of
from llmload.analysis.metrics import measure
from llmload.domain import Observation, Outcome, StepResult, TargetFacts
from llmload.samples import Distribution, MetricName, SampleName, Series, ServerWork, Source, Watched
from llmload.scenario.asked import Scenario
from llmload.serving import ServerFigures
from llmload.verdict import Caveat, Finding
from tests.analysis.builders import FACTS, scenario

NS = 1e9


def honest(window: Observation, *, behind_ms: float = 0.0) -> ServerWork:
    """Counters and histograms, as vLLM has them, of exactly the requests of a window that it answered.

    Its clock begins `behind_ms` after ours: what lies between is the way.
    """
    whole = [record for record in window.records if record.outcome is Outcome.OK and record.sent_ns is not None]
    first = [(r.event_ns[0] - r.sent_ns) / NS - behind_ms / 1000 for r in whole if r.sent_ns is not None]
    spans = [(r.event_ns[-1] - r.event_ns[0]) / NS for r in whole]
    output = float(sum(r.output_tokens or 0 for r in whole))
    return ServerWork(
        start_ns=window.start_ns,
        end_ns=window.end_ns,
        counts={
            "requests_succeeded": float(len(whole)),
            "prompt_tokens": float(sum(r.input_tokens or 0 for r in whole)),
            "output_tokens": output,
            "preemptions": 0.0,
        },
        distributions={
            "ttft_s": Distribution(float(len(whole)), sum(first)),
            "itl_s": Distribution(output - len(whole), sum(spans)),
            "e2e_s": Distribution(float(len(whole)), sum(first) + sum(spans)),
        },
        running_before=0.0,
        running_after=0.0,
    )


def telling(window: Observation, work: ServerWork | None, *series: Series) -> Observation:
    """The window with what was read beside it."""
    return replace(window, watched=Watched(server=work, series=series))


def watched(window: Observation, **changed: float) -> Observation:
    """A window whose server is honest, but for the counters that are `changed` by these factors."""
    work = honest(window)
    counts = {name: value * changed.get(name, 1.0) for name, value in work.counts.items()}
    return telling(window, replace(work, counts=counts))


def slower(work: ServerWork, **factors: float) -> ServerWork:
    """The same with histograms that add up to so many times as much."""
    told = {name: Distribution(d.count, d.total * factors.get(name, 1.0)) for name, d in work.distributions.items()}
    return replace(work, distributions=told)


def also(work: ServerWork, name: MetricName, told: float | Distribution) -> ServerWork:
    """The same with one figure more."""
    if isinstance(told, Distribution):
        return replace(work, distributions={**work.distributions, name: told})
    return replace(work, counts={**work.counts, name: told})


def gauge(
    name: SampleName,
    window: Observation,
    values: Sequence[float],
    source: Source = Source.METRICS,
    device: str = "",
) -> Series:
    """Samples of a gauge, spread over the measured window."""
    every = (window.end_ns - window.start_ns) // (len(values) + 1)
    at_ns = [window.start_ns + (place + 1) * every for place in range(len(values))]
    return Series(source, name, device, array("q", at_ns), array("d", values))


def result_of(
    *windows: Observation,
    caveats: Sequence[Caveat] = (),
    server: ServerFigures | None = None,
) -> StepResult:
    """A step with its checks, as it is judged."""
    return StepResult(
        step=windows[0].look.step,
        looks=tuple(window.look for window in windows),
        metrics=measure(windows, None),
        verdicts=(),
        caveats=tuple(caveats),
        server=server,
        checks=checks_of(windows),
    )


def found(
    *windows: Observation,
    asked: Scenario | None = None,
    facts: TargetFacts = FACTS,
    caveats: Sequence[Caveat] = (),
    server: ServerFigures | None = None,
) -> tuple[Finding, ...]:
    """The findings of a step of these windows."""
    result = result_of(*windows, caveats=caveats, server=server)
    return findings_of(result, windows, asked or scenario(), facts)
