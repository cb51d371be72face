"""What `ab` and `calibrate` share: two runs measured in turns, remembered each by itself, whatever interrupts them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from llmload.analysis.baselines import Refer
from llmload.analysis.pairs import nothing_for_a, paired_with, unlike
from llmload.analysis.row_use import check_rows
from llmload.analysis.sample_size import check_reachable
from llmload.analysis.turns import in_pairs
from llmload.baseline import SIDE_LABEL
from llmload.cli.execution import Order, Session, World, header_of, noted, place_of, status_of, why_unfinished
from llmload.cli.report_files import Written
from llmload.cli.stopping import StopRequest, listening
from llmload.domain import RunHeader, RunResult
from llmload.errors import LlmloadError, ScenarioError, StoreError, TargetError, UsageError
from llmload.load.pool import Pool
from llmload.progress import Progress, Waiting
from llmload.runner import Measured, Side, run
from llmload.scenario.asked import Scenario, Trace
from llmload.scenario.loader import load
from llmload.scenario.secrets import Scrubber, check_secrets, secrets_of
from llmload.store.database import Store, open_store
from llmload.store.judgement import judged
from llmload.telemetry.gpu import GpuReader, watched_gpus
from llmload.verdict import GUARD_TRIPPED
from llmload.workload.tokens import check_tokenizer

_SIDES = ("A", "B")
_STOPPED = "What was measured is stored and judged; run it again for the pairs that are missing"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one side is written: a file, and the values that are put over those in it."""

    file: Path
    sets: Sequence[str]

    def __str__(self) -> str:
        return " ".join((str(self.file), *(f"--set {text}" for text in self.sets)))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs, judged: B against A, and the reports that tell of it."""

    a: RunResult
    b: RunResult
    reports: Written = field(default_factory=Written)


def load_side(source: Source, pairs: int | None, env: Mapping[str, str], usual: int) -> Scenario:
    """The scenario of one side, with one climb of the ladder for each pair and one window at each step of it.

    `pairs` None takes `decision.repeats` where that is more than one, else `usual`. What is changed for that is in the
    document of the run, so that it is judged again in the same way later.
    """
    asked = load(source.file, sets=source.sets, env=env)
    repeats = asked.decision.repeats
    sets = [*source.sets, f"spec.decision.repeats={pairs or (repeats if repeats > 1 else usual)}"]
    if asked.load.requests is not None and not isinstance(asked.load.shape, Trace):
        sets.append(f"spec.decision.max_requests={asked.load.requests}")
    if asked.recommend is not None:  # pairs compare, and climb the same ladder on both sides
        sets.append("spec.recommend=null")
    return load(source.file, sets=sets, env=env)


def check_sides(a: Scenario, b: Scenario) -> None:
    """UsageError where the two sides do not measure the same thing, ScenarioError where a gate of B can never pass."""
    found = unlike(a, b)
    if found:
        told = "; ".join(f"{each.key} {each.theirs}, and {each.ours}" for each in found)
        remedy = "Let the sides differ in spec.target only: workload, load and slo must be the same"
        raise UsageError("A and B", f"do not measure the same thing: {told}", remedy)
    try:
        check_reachable(b)
        check_rows(b)
        check_tokenizer(b.workload.tokenizer_file)
    except ScenarioError as error:
        hint = "Each pair brings one window: raise load.requests or --pairs, or take the gate out"
        raise ScenarioError([replace(problem, hint=hint) for problem in error.problems]) from None


def scrubber_of(scenarios: Sequence[Scenario], env: Mapping[str, str]) -> Callable[[str], str]:
    """Takes the secrets of all of them out of a text."""
    return Scrubber([secret for scenario in scenarios for secret in secrets_of(scenario, env)]).scrub


@contextmanager
def telling_errors(scrub: Callable[[str], str]) -> Iterator[None]:
    """Errors of the block without secrets on stderr, and the exit code that they stand for."""
    try:
        yield
    except LlmloadError as error:
        for text in (f"llmload: {error}", *getattr(error, "__notes__", ())):
            print(scrub(text), file=sys.stderr)
        raise typer.Exit(error.exit_code) from None


def measure_pairs(scenarios: tuple[Scenario, Scenario], names: tuple[str, str], order: Order, tell: Tell) -> Pair:
    """Measure, judge and store A and B in turns; `tell` writes what is to be kept, also of an early end.

    Interrupted or Terminated after the windows that were complete were judged, stored and told.
    """
    for scenario in scenarios:
        check_secrets(scenario, order.env)
    with (
        open_store(order.store) as store,
        listening() as stop,
        place_of(scenarios[1].load.engine) as place,
        Pool(scenarios[1].load.workers, place) as pool,
        watched_gpus(scenarios[0].telemetry.gpu, scenarios[0].target) as gpus_of_a,
        watched_gpus(scenarios[1].telemetry.gpu, scenarios[1].target) as gpus_of_b,
    ):
        store.recover()
        stop.remedy = _STOPPED
        worlds = [World(store, pool, stop, gpus) for gpus in (gpus_of_a, gpus_of_b)]
        sides = _begin(scenarios, names, order, worlds)
        try:
            pair = _judged(run(sides, in_pairs(*scenarios)), stop)
        except BaseException as error:
            _keep(sides, store, "interrupted" if stop.signum else "failed", error, tell)
            raise
        for result in (pair.a, pair.b):
            store.finish(result.header.run_id, result, status_of(result, stop))
        pair = replace(pair, reports=tell(pair))
    if stop.signum:
        raise noted(stop.error(), pair.reports)
    return pair


Tell = Callable[[Pair], Written]


def _begin(scenarios: Sequence[Scenario], names: Sequence[str], order: Order, worlds: Sequence[World]) -> list[Side]:
    sides = []
    for letter, scenario, name, world in zip(_SIDES, scenarios, names, worlds, strict=True):
        header = _header(scenario, letter, name, world.gpus)
        world.store.begin(header)
        mine = replace(order, show=_shown(letter, order.show), server_log=f"server-{letter.lower()}.log")
        session = Session(scenario, header, mine, world, nothing_for_a)
        sides.append(Side(scenario, header, session.edges()))
    return sides


def _header(scenario: Scenario, letter: str, name: str, gpus: GpuReader) -> RunHeader:
    """The side is in the source for people, and in a label for whoever collects runs."""
    header = header_of(scenario, gpus)
    return replace(header, source=f"{letter}: {name}", labels={**header.labels, SIDE_LABEL: letter})


def _shown(letter: str, show: Callable[[Progress | Waiting], None]) -> Callable[[Progress | Waiting], None]:
    def of_side(progress: Progress | Waiting) -> None:
        show(replace(progress, step=f"{letter} {progress.step}") if isinstance(progress, Progress) else progress)

    return of_side


def _judged(measured: Sequence[Measured], stop: StopRequest) -> Pair:
    """What stopped A stopped B too: there is nothing left to compare it with."""
    a, b = measured
    of_a = a.judged(cut_short=why_unfinished(a.side.header, stop))
    if b.trouble is None:
        b = replace(b, trouble=_ended_by(a, of_a))
    return Pair(of_a, b.judged(_against(of_a), why_unfinished(b.side.header, stop)))


def _ended_by(a: Measured, of_a: RunResult) -> TargetError | None:
    """What ended A before its time: its server, or a guard; None where nothing did."""
    if a.trouble is not None:
        return TargetError(f"A, {a.trouble.where}", a.trouble.problem, a.trouble.remedy, kind=a.trouble.kind)
    guard = next((caveat for caveat in of_a.caveats if caveat.kind == GUARD_TRIPPED), None)
    return None if guard is None else TargetError("A", f"{guard.rule}: {guard.figure}", guard.remedy, kind=guard.kind)


def _against(a: RunResult) -> Refer:
    return lambda _: paired_with(a)


def _keep(sides: Sequence[Side], store: Store, status: str, error: BaseException, tell: Tell) -> None:
    """Judge, store and tell what was measured until then; a full disk must not hide the first error."""
    ids = [side.header.run_id for side in sides]
    try:
        a = judged(store, ids[0], against=lambda _: nothing_for_a, ending=status)
        pair = Pair(a, judged(store, ids[1], against=lambda _: _against(a), ending=status))
        for result in (pair.a, pair.b):
            store.finish(result.header.run_id, result, status)
        noted(error, tell(pair))
    except (StoreError, OSError) as second:
        error.add_note(f"and what was measured could not be kept whole: {second}")
