"""The story of one run, top to bottom, and the only loop over load.

asked -> planned -> observed -> measured -> judged: a strategy names the next look, `measure` observes it, and what
was observed is remembered before the next one begins, so that a run that dies loses one window at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import structlog

from llmload.analysis.declared import disagreements, written
from llmload.analysis.judgement import judge
from llmload.analysis.metrics import measure as fold
from llmload.domain import Ending, Look, Observation, RequestRecord, RunHeader, RunResult, StepMetrics, TargetFacts
from llmload.endpoint import Endpoint
from llmload.errors import TargetError
from llmload.load.window import Window
from llmload.scenario.asked import Scenario
from llmload.target.identity import Identity, change
from llmload.target.place import Opened
from llmload.target.probe import Probed
from llmload.target.route import slower_transport
from llmload.workload.planning import pace_of, plan_look, warmup_of

Strategy = Callable[[Scenario, Sequence[Observation]], Look | None]

_USUAL_FINISH = (None, "stop", "length")
_LONGEST_FINISH = 40

_log = structlog.get_logger("llmload.runner")


@dataclass(frozen=True, slots=True)
class Edges:
    """Everything a run touches outside of itself, as plain functions; `cli` fills it in."""

    open_target: Callable[[], AbstractContextManager[Opened]]
    probe: Callable[[Opened], Probed]
    identify: Callable[[Endpoint], Identity | None]
    observe: Callable[[Window], Observation]
    count_tokens: Callable[[Observation, TargetFacts], Observation]  # where the server did not
    scrub: Callable[[str], str]
    describe: Callable[[TargetFacts], None]
    remember: Callable[[Observation, StepMetrics], None]
    is_stopped: Callable[[], bool]
    now: Callable[[], str]  # UTC, ISO 8601


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a run that is resumed has already: the windows, and the server that they were measured on."""

    observations: tuple[Observation, ...] = ()
    facts: TargetFacts | None = None


def run(
    scenario: Scenario, header: RunHeader, edges: Edges, strategy: Strategy, earlier: Earlier = Earlier()
) -> RunResult:
    """Measure until the strategy is content or somebody asks to stop, then judge what there is.

    A server that cannot be used ends as a result ("could not measure"), not as an exception.
    """
    log = _log.bind(run_id=header.run_id, scenario=scenario.name)
    observations = [seen for seen in earlier.observations if seen.is_whole]
    facts = earlier.facts
    trouble: TargetError | None = None
    try:
        with edges.open_target() as server:
            probed = _same_server(edges.probe(server), earlier)
            facts = probed.facts
            edges.describe(facts)
            log = log.bind(model=facts.model)
            for found in disagreements(facts):
                log.warning("declared otherwise", subject=found.subject, expected=found.expected, actual=found.actual)
            while not edges.is_stopped() and (look := strategy(scenario, observations)) is not None:
                log.info("window begins", step=look.step.label, look=look.number, requests=look.requests)
                seen = measure(scenario, look, probed, edges, run_id=header.run_id)
                death = server.death()
                observations.append(seen if death is None else replace(seen, ending=Ending.INTERRUPTED))
                metrics = fold(_of_step(observations, look), scenario.slo)
                edges.remember(observations[-1], metrics)
                log.info("window ended", step=look.step.label, attempts=metrics.attempts)
                if death is not None:
                    raise death
    except TargetError as error:
        trouble = TargetError(edges.scrub(error.where), edges.scrub(error.problem), error.remedy, kind=error.kind)
        log.error("target cannot be used", reason=str(trouble))
    return judge(header, scenario, facts, observations, finished=edges.now(), trouble=trouble)


def measure(scenario: Scenario, look: Look, probed: Probed, edges: Edges, *, run_id: str) -> Observation:
    """Observe one window: plan it, send it, count what the server did not count, scrub what it said.

    Who the server is, is asked before and after: a window during which it changed measures nothing. The run's id
    salts the prompts, so that a server's cache of an earlier run with the same seed cannot answer them.
    """
    fit = probed.facts.fit
    assert fit is not None  # noqa: S101 - only imported runs lack it, and they are not measured
    before = edges.identify(probed.endpoint)
    seen = edges.observe(
        Window(
            look=look,
            endpoint=probed.endpoint,
            plan=plan_look(scenario, look, fit, run=run_id),
            slo=scenario.slo,
            pace=pace_of(scenario, look),
            warmup=warmup_of(scenario, look),
            duration_s=scenario.load.duration_s,
            cooldown_s=scenario.load.cooldown_s,
            max_duration_s=scenario.load.max_duration_s,
            max_in_flight=scenario.load.max_in_flight,
        )
    )
    changed = change(before, edges.identify(probed.endpoint)) if seen.is_whole else None
    counted = edges.count_tokens(seen, probed.facts)
    records = tuple(_scrubbed(record, edges.scrub) for record in counted.records)
    found = (caveat for caveat in (changed, slower_transport(probed.endpoint)) if caveat is not None)
    told = tuple(replace(caveat, figure=edges.scrub(caveat.figure)) for caveat in (*counted.caveats, *found))
    return replace(counted, records=records, caveats=told)


def _scrubbed(record: RequestRecord, scrub: Callable[[str], str]) -> RequestRecord:
    """Servers repeat what they were sent, in errors and in answers; most records hold no word of theirs."""
    if record.error_text is None and record.text is None and record.finish_reason in _USUAL_FINISH:
        return record
    return replace(
        record,
        error_text=scrub(record.error_text) if record.error_text is not None else None,
        text=scrub(record.text) if record.text is not None else None,
        finish_reason=scrub(record.finish_reason)[:_LONGEST_FINISH] if record.finish_reason is not None else None,
    )


def _same_server(probed: Probed, earlier: Earlier) -> Probed:
    """The windows of one run are one server's: TargetError where a resumed run meets another one.

    The fit of words to tokens stays the one that the earlier windows were planned with.
    """
    then, now = earlier.facts, probed.facts
    if then is None or not earlier.observations:
        return probed
    if (then.model, then.version, then.max_model_len) != (now.model, now.version, now.max_model_len):
        raise TargetError(
            now.url,
            f"the run began on {then.model} ({then.version or 'unknown version'}), and this is {now.model}"
            f" ({now.version or 'unknown version'})",
            "Start a new run instead of resuming this one",
            kind="ServerChanged",
        )
    changed = [name for name, value in sorted(then.actual.items()) if now.actual.get(name, value) != value]
    if changed:
        differences = ", ".join(f"{n} {written(then.actual[n])}, now {written(now.actual[n])}" for n in changed)
        raise TargetError(
            now.url,
            f"the run began on a server with other settings ({differences})",
            "Start a new run instead of resuming this one, or start the server as it was",
            kind="ServerChanged",
        )
    return replace(probed, facts=replace(now, fit=then.fit))


def _of_step(observations: Sequence[Observation], look: Look) -> list[Observation]:
    return [seen for seen in observations if seen.look.step.index == look.step.index]
