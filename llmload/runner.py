"""The story of a run, or of several that are measured in turns, top to bottom, and the only loop over load.

asked -> planned -> observed -> measured -> judged: a strategy names the next turn, `measure` observes it, and what
was observed is remembered before the next one begins, so that a run that dies loses one window at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import structlog

from llmload.analysis.baselines import Refer, no_baseline
from llmload.analysis.declared import disagreements, written
from llmload.analysis.futility import futile_below
from llmload.analysis.judgement import judge
from llmload.analysis.metrics import measure as fold
from llmload.analysis.row_use import stretch_of
from llmload.analysis.turns import NextTurn, Turn
from llmload.domain import Ending, Observation, RequestRecord, RunHeader, RunResult, StepMetrics, TargetFacts
from llmload.endpoint import Endpoint
from llmload.errors import TargetError
from llmload.load.window import Window
from llmload.planned import Look
from llmload.samples import Watched
from llmload.scenario.asked import Scenario
from llmload.target.identity import Identity, change
from llmload.target.place import Opened
from llmload.target.probe import Probed
from llmload.target.route import slower_transport
from llmload.telemetry.watching import Unwatched, Watch
from llmload.verdict import Caveat
from llmload.workload.planning import pace_of, plan_look, warmup_of

_USUAL_FINISH = (None, "stop", "length")
_LONGEST_FINISH = 40

_log = structlog.get_logger("llmload.runner")


def _unwatched(_probed: Probed) -> AbstractContextManager[Watch]:
    return nullcontext(Unwatched())


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
    refer: Refer = no_baseline  # what relative gates are held against
    watch: Callable[[Probed], AbstractContextManager[Watch]] = _unwatched


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a run that is resumed has already: the windows, and the server that they were measured on."""

    observations: tuple[Observation, ...] = ()
    facts: TargetFacts | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One run to be measured, alone or in turns with others."""

    scenario: Scenario
    header: RunHeader
    edges: Edges
    earlier: Earlier = Earlier()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one side came to: its windows, the server that they were measured on, and what stopped it, if anything."""

    side: Side
    observations: tuple[Observation, ...]
    facts: TargetFacts | None
    trouble: TargetError | None

    def judged(self, refer: Refer | None = None, cut_short: Caveat | None = None) -> RunResult:
        """Judge what there is; `refer` comes before the side's own, `cut_short` says why windows are missing."""
        side = self.side
        return judge(
            side.header,
            side.scenario,
            self.facts,
            self.observations,
            finished=side.edges.now(),
            trouble=self.trouble,
            refer=refer or side.edges.refer,
            cut_short=cut_short,
        )


def run(sides: Sequence[Side], next_turn: NextTurn) -> tuple[Measured, ...]:
    """Measure until no side has a turn or somebody asks to stop.

    The target is opened anew whenever the turn goes to another side or to another climb of the ladder, so that a
    server of ours is a fresh one, and one that runs already is looked at again. A server that cannot be used ends all
    of it: as something that stopped its side ("could not measure"), not as an exception.
    """
    courses = [_Course(side) for side in sides]
    turn = _next(courses, next_turn)
    while turn is not None:
        course, place = courses[turn.side], turn.place
        try:
            with course.opened() as server:
                while turn is not None and turn.place == place:
                    course.take(turn.look, server)
                    turn = _next(courses, next_turn)
        except TargetError as error:
            course.stop(error)
            break
    return tuple(course.measured() for course in courses)


def _next(courses: Sequence[_Course], next_turn: NextTurn) -> Turn | None:
    if any(course.side.edges.is_stopped() for course in courses):
        return None
    return next_turn([course.observations for course in courses])


@dataclass(frozen=True, slots=True)
class _Server:
    """A server under test while its target is open."""

    opened: Opened
    probed: Probed
    watch: Watch


class _Course:
    """One side as it goes."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.observations = [seen for seen in side.earlier.observations if seen.is_whole]
        self._facts = side.earlier.facts
        self._trouble: TargetError | None = None
        self._log = _log.bind(run_id=side.header.run_id, scenario=side.scenario.name)

    @contextmanager
    def opened(self) -> Iterator[_Server]:
        """The server of this side, probed; TargetError where it is not the one of the earlier windows."""
        edges = self.side.edges
        with edges.open_target() as opened:
            probed = _same_server(edges.probe(opened), self._facts if self.observations else None)
            self._facts = probed.facts
            edges.describe(probed.facts)
            for found in disagreements(probed.facts):
                told = {"subject": found.subject, "expected": found.expected, "actual": found.actual}
                self._log.warning("declared otherwise", model=probed.facts.model, **told)
            with edges.watch(probed) as watch:
                yield _Server(opened, probed, watch)

    def take(self, look: Look, server: _Server) -> None:
        """Measure one window and remember it; TargetError where the server died in it."""
        scenario, edges, log = self.side.scenario, self.side.edges, self._log.bind(model=server.probed.facts.model)
        log.info("window begins", step=look.step.label, look=look.number, repeat=look.repeat, requests=look.requests)
        server.watch.begin()
        seen = measure(scenario, look, server.probed, edges, run_id=self.side.header.run_id)
        seen = replace(seen, watched=_clean(server.watch.end(), edges.scrub))
        death = server.opened.death()
        self.observations.append(seen if death is None else replace(seen, ending=Ending.INTERRUPTED))
        metrics = fold(_of_step(self.observations, look), scenario.promised)
        edges.remember(self.observations[-1], metrics)
        log.info("window ended", step=look.step.label, attempts=metrics.attempts)
        if death is not None:
            raise death

    def stop(self, error: TargetError) -> None:
        """Keep what ended it before its time."""
        scrub = self.side.edges.scrub
        self._trouble = TargetError(scrub(error.where), scrub(error.problem), error.remedy, kind=error.kind)
        self._log.error("target cannot be used", reason=str(self._trouble))

    def measured(self) -> Measured:
        """What there is at the end."""
        return Measured(self.side, tuple(self.observations), self._facts, self._trouble)


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
            plan=plan_look(scenario, look, fit, run=run_id, rows=stretch_of(scenario, look)),
            slo=scenario.promised,
            pace=pace_of(scenario, look),
            warmup=warmup_of(scenario, look),
            duration_s=scenario.load.duration_s,
            cooldown_s=scenario.load.cooldown_s,
            max_duration_s=scenario.load.max_duration_s,
            max_in_flight=scenario.load.max_in_flight,
            guards=scenario.load.guards,
            futile_below=futile_below(scenario, look),
        )
    )
    is_asked = seen.is_whole and seen.ending is not Ending.GUARD  # nobody waits for a server that was just given up
    changed = change(before, edges.identify(probed.endpoint)) if is_asked else None
    counted = edges.count_tokens(seen, probed.facts)
    records = tuple(_scrubbed(record, edges.scrub) for record in counted.records)
    found = (caveat for caveat in (changed, slower_transport(probed.endpoint)) if caveat is not None)
    told = tuple(replace(caveat, figure=edges.scrub(caveat.figure)) for caveat in (*counted.caveats, *found))
    return replace(counted, records=records, caveats=told)


def _clean(watched: Watched, scrub: Callable[[str], str]) -> Watched:
    """Notes repeat what pages, logs and drivers said."""
    return replace(watched, notes=tuple(scrub(note) for note in watched.notes))


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


def _same_server(probed: Probed, then: TargetFacts | None) -> Probed:
    """The windows of one run are one server's, or like servers': TargetError where it goes on with another one.

    `then` is what the earlier windows were measured on, None where there are none. The fit of words to tokens stays
    the one that they were planned with.
    """
    now = probed.facts
    if then is None:
        return probed
    if (then.model, then.version, then.max_model_len) != (now.model, now.version, now.max_model_len):
        raise TargetError(
            now.url,
            f"the run began on {then.model} ({then.version or 'unknown version'}), and this is {now.model}"
            f" ({now.version or 'unknown version'})",
            "Measure a whole run on one server: start a new run",
            kind="ServerChanged",
        )
    changed = [name for name, value in sorted(then.actual.items()) if now.actual.get(name, value) != value]
    if changed:
        differences = ", ".join(f"{n} {written(then.actual[n])}, now {written(now.actual[n])}" for n in changed)
        raise TargetError(
            now.url,
            f"the run began on a server with other settings ({differences})",
            "Measure a whole run on one server: start a new run, or start the server as it was",
            kind="ServerChanged",
        )
    return replace(probed, facts=replace(now, fit=then.fit))


def _of_step(observations: Sequence[Observation], look: Look) -> list[Observation]:
    return [seen for seen in observations if seen.look.step.index == look.step.index]
