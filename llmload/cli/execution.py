"""What `apply` and `run` share: one scenario from its first byte to its reports, whatever interrupts it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TypeVar, assert_never

from llmload import __version__
from llmload.analysis.baselines import Refer
from llmload.analysis.futility import is_futile
from llmload.analysis.judgement import STOPPED
from llmload.analysis.looks import steps_of
from llmload.analysis.row_use import check_rows
from llmload.analysis.sample_size import check_reachable
from llmload.analysis.turns import alone
from llmload.baseline import SIDE_LABEL
from llmload.cells import cell_of
from llmload.cli.references import refer_for
from llmload.cli.report_files import Written, write_reports
from llmload.cli.stopping import StopRequest, listening
from llmload.domain import Observation, RunHeader, RunResult, TargetFacts
from llmload.errors import StoreError, UsageError
from llmload.load.child import Here
from llmload.load.pool import Place, Pool
from llmload.load.ray_cluster import RayCluster
from llmload.load.window import Window
from llmload.progress import Progress, Waiting
from llmload.reporters.texts import Language, texts_in
from llmload.runner import Earlier, Edges, Side, run
from llmload.scenario.asked import Local, Ray, Scenario
from llmload.scenario.secrets import Scrubber, check_secrets, secrets_of
from llmload.store.database import Store, new_run_id, open_store
from llmload.store.judgement import cut_short, judged, remembering
from llmload.target.identity import identify
from llmload.target.place import Opened, open_target
from llmload.target.probe import Probed, probe
from llmload.telemetry.environment import environment_facts
from llmload.telemetry.gpu import GpuReader, machine_facts, watched_gpus
from llmload.telemetry.sources import watch_server
from llmload.verdict import Caveat
from llmload.workload.counting import count_answers
from llmload.workload.planning import longest_request
from llmload.workload.tokens import check_tokenizer, counter_for

Ended = TypeVar("Ended", bound=BaseException)


def forget(_: Executed) -> None:
    """Keep nothing of what was told."""


STORE_EVERY_S = 1.0
"""How often the store learns where a window stands; the display hears it four times as often."""

SERVER_LOG = "server.log"
"""What a launched server printed, beside the reports."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A run that ended and the reports that tell of it."""

    result: RunResult
    reports: Written


@dataclass(frozen=True, slots=True)
class Order:
    """How one scenario is executed: where it is remembered and told, and which run it goes on with."""

    store: Path
    out: Path | None
    resume: str | None
    env: Mapping[str, str]
    show: Callable[[Progress | Waiting], None]
    baseline: str | None = None  # as --baseline names it
    language: Language = Language.EN  # of its reports
    server_log: str = SERVER_LOG
    keep: Callable[[Executed], None] = forget  # takes what is told of a run, also of one that ended early


def execute(scenario: Scenario, order: Order) -> Executed:
    """Run, judge, store and report one scenario.

    Whatever ends it early (Ctrl-C, SIGTERM, a defect of ours), the windows measured until then are in the store and
    in the reports before the exception goes on.
    """
    check_reachable(scenario)
    check_rows(scenario)
    check_tokenizer(scenario.workload.tokenizer_file)
    check_secrets(scenario, order.env)
    load = scenario.load
    with (
        open_store(order.store) as store,
        listening() as stop,
        place_of(load.engine) as place,
        Pool(load.workers, place) as pool,
        watched_gpus(scenario.telemetry.gpu, scenario.target) as gpus,
    ):
        store.recover()
        refer = refer_for(scenario, order.baseline, store)
        header, earlier = _begin(store, scenario, order, gpus)
        stop.run_id = header.run_id
        session = Session(scenario, header, order, World(store, pool, stop, gpus), refer)
        try:
            (measured,) = run([Side(scenario, header, session.edges(), earlier)], alone(scenario))
            result = remembering(store, measured.judged(cut_short=why_unfinished(header, stop)), scenario)
        except BaseException as error:
            session.keep("interrupted" if stop.signum else "failed", error)
            raise
        store.finish(header.run_id, result, status_of(result, stop))
        reports = tell(result, scenario, order)
    if stop.signum:
        raise noted(stop.error(), reports)
    return Executed(result, reports)


def place_of(engine: Local | Ray) -> AbstractContextManager[Place]:
    """Where workers run, for as long as the run takes."""
    match engine:
        case Local():
            return nullcontext(Here())
        case Ray(address):
            return RayCluster(address)
        case _:
            assert_never(engine)


def tell(result: RunResult, scenario: Scenario, order: Order) -> Written:
    """Write the scenario's reports; all files of a run are replaced together."""
    formats = scenario.reports.formats
    reports = write_reports(result, directory_of(scenario, order.out), formats, texts_in(order.language))
    order.keep(Executed(result, reports))
    return reports


def noted(error: Ended, reports: Written) -> Ended:
    """The error that ends a run, and with it which reports could not be written."""
    for trouble in reports.troubles:
        error.add_note(f"and {trouble}")
    return error


def directory_of(scenario: Scenario, out: Path | None) -> Path:
    """Where the files of the scenario's runs are; each cell of a matrix has a folder of its own."""
    return (out or Path(scenario.reports.directory)) / scenario.name / cell_of(scenario.labels)


def status_of(result: RunResult, stop: StopRequest) -> str:
    """How the store remembers the end; what a server cut short may be resumed once the server is back."""
    if stop.signum:
        return "interrupted"
    return "failed" if any(caveat.rule == STOPPED for caveat in result.caveats) else "finished"


def why_unfinished(header: RunHeader, stop: StopRequest) -> Caveat | None:
    """What a run that somebody stopped says of the windows that it lacks."""
    return cut_short(header, "interrupted") if stop.signum else None


def _begin(store: Store, scenario: Scenario, order: Order, gpus: GpuReader) -> tuple[RunHeader, Earlier]:
    if order.resume is None:
        header = header_of(scenario, gpus)
        store.begin(header)
        return header, Earlier()
    run_id = store.find(order.resume)
    stored = store.load(run_id)
    if side := stored.header.labels.get(SIDE_LABEL):
        problem = f"run {run_id} is side {side} of an A/B, whose windows are measured in turns"
        raise UsageError("--resume", problem, "Measure both sides again with `llmload ab`")
    if stored.header.document_hash != scenario.document.sha256:
        raise UsageError(
            "--resume",
            f"run {run_id} was made from another document ({stored.header.source})",
            "Resume with the very file and flags that began it, or start a new run",
        )
    if stored.status in ("finished", "running"):
        raise UsageError("--resume", f"run {run_id} is {stored.status}", "Only a run that ended early can go on")
    store.resume(run_id)
    return stored.header, Earlier(stored.observations, stored.facts)


def header_of(scenario: Scenario, gpus: GpuReader) -> RunHeader:
    """A new run of the scenario, begun now."""
    now = datetime.now(UTC)
    return RunHeader(
        run_id=new_run_id(now, os.urandom(4)),
        scenario=scenario.name,
        created=_iso(now),
        version=__version__,
        document_text=scenario.document.text,
        document_hash=scenario.document.sha256,
        resolved=scenario.document.resolved,
        source=scenario.document.source,
        labels=scenario.labels,
        environment={**environment_facts(), **machine_facts(gpus)},
    )


@dataclass(frozen=True, slots=True)
class World:
    """What a run is measured with, and where it is remembered; several runs may share all but the GPUs."""

    store: Store
    pool: Pool
    stop: StopRequest
    gpus: GpuReader


class Session:
    """One run with everything around it: what the runner calls, and what is left when it is interrupted."""

    def __init__(
        self,
        scenario: Scenario,
        header: RunHeader,
        order: Order,
        world: World,
        refer: Refer,
    ) -> None:
        self._scenario, self._header, self._order, self._refer = scenario, header, order, refer
        self._store, self._pool, self._stop, self._gpus = world.store, world.pool, world.stop, world.gpus
        self._stored_s = -STORE_EVERY_S

    def edges(self) -> Edges:
        """The functions that the runner reaches the world through."""
        target, env, run_id = self._scenario.target, self._order.env, self._header.run_id
        scrub = Scrubber(secrets_of(self._scenario, env)).scrub
        log = directory_of(self._scenario, self._order.out) / self._order.server_log
        return Edges(
            open_target=lambda: open_target(target, env=env, log=log, scrub=scrub),
            probe=self._probe,
            identify=identify,
            observe=self._observe,
            count_tokens=self._count,
            scrub=scrub,
            describe=lambda facts: self._store.describe(run_id, facts),
            remember=lambda seen, metrics: self._store.remember(run_id, seen, metrics),
            is_stopped=self._stop.event.is_set,
            now=lambda: _iso(datetime.now(UTC)),
            refer=self._refer,
            watch=lambda probed: watch_server(self._scenario.telemetry, probed.endpoint, self._gpus),
        )

    def keep(self, status: str, error: BaseException) -> None:
        """Report and store what an interrupted run measured; a full disk must not hide the first error."""
        try:
            result = judged(self._store, self._header.run_id, against=lambda _: self._refer, ending=status)
            self._store.finish(self._header.run_id, result, status)
            noted(error, tell(result, self._scenario, self._order))
        except (StoreError, OSError) as second:
            error.add_note(f"and what was measured could not be kept whole: {second}")

    def _probe(self, server: Opened) -> Probed:
        scenario, env = self._scenario, self._order.env
        longest = longest_request(scenario)
        with self._stop.interruptible():
            return server.when_ready(
                lambda: probe(scenario.target, server.url, workload=scenario.workload, env=env, longest=longest),
                self._order.show,
            )

    def _observe(self, window: Window) -> Observation:
        return self._pool.observe(window, on_progress=self._show, stop=self._stop.event, is_futile=is_futile)

    def _show(self, progress: Progress) -> None:
        progress = replace(progress, gpus=self._gpus.now())
        now_s = monotonic()
        if now_s - self._stored_s >= STORE_EVERY_S:
            self._stored_s = now_s
            with suppress(StoreError):  # a row for onlookers is not worth a window; what matters fails by itself
                self._store.progress(self._header.run_id, progress)
        self._order.show(replace(progress, step=self._place(progress.step)))

    def _place(self, step: str) -> str:
        """The load for people, who know the ladder: what is not of it was chosen by the search for the capacity."""
        ladder = [each.label for each in steps_of(self._scenario)]
        return f"step {ladder.index(step) + 1} of {len(ladder)}, {step}" if step in ladder else f"search, {step}"

    def _count(self, seen: Observation, facts: TargetFacts) -> Observation:
        return count_answers(seen, counter_for(facts.model, self._scenario.workload.tokenizer_file))


def _iso(now: datetime) -> str:
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
