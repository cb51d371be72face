"""What `apply` and `run` share: one scenario from its first byte to its reports, whatever interrupts it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from llmload import __version__
from llmload.analysis.sample_size import check_reachable
from llmload.analysis.strategy import next_look
from llmload.cli.report_files import write_reports
from llmload.cli.stopping import StopRequest, listening
from llmload.cli.stored import judged
from llmload.domain import Observation, Progress, RunHeader, RunResult, StepMetrics, TargetFacts
from llmload.errors import StoreError, UsageError
from llmload.load.pool import Pool
from llmload.load.window import Window
from llmload.runner import Edges, run
from llmload.scenario.asked import Scenario
from llmload.scenario.secrets import Scrubber, secrets_of
from llmload.store.database import Store, new_run_id, open_store
from llmload.target.identity import identify
from llmload.target.place import open_target
from llmload.target.probe import probe
from llmload.telemetry.environment import environment_facts
from llmload.workload.counting import count_answers
from llmload.workload.tokens import counter_for

STORE_EVERY_S = 1.0
"""How often the store learns where a window stands; the display hears it four times as often."""


@dataclass(frozen=True, slots=True)
class Order:
    """How one scenario is executed: where it is remembered and told, and which run it goes on with."""

    store: Path
    out: Path | None
    resume: str | None
    env: Mapping[str, str]
    show: Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Executed:
    """A finished run and the report files that tell of it."""

    result: RunResult
    files: tuple[Path, ...]


def execute(scenario: Scenario, order: Order) -> Executed:
    """Run, judge, store and report one scenario.

    Whatever ends it early (Ctrl-C, SIGTERM, a defect of ours), the windows measured until then are in the store and
    in the reports before the exception goes on.
    """
    check_reachable(scenario)
    scrub = Scrubber(secrets_of(scenario, order.env)).scrub
    with open_store(order.store) as store, listening() as stop, Pool() as pool:
        store.recover()
        header, earlier = _begin(store, scenario, order)
        edges = _edges(scenario, header, store, pool, stop, order, scrub)
        try:
            result = run(scenario, header, edges, next_look, earlier)
        except BaseException as error:
            _keep(store, header, scenario, order, "interrupted" if stop.signum else "failed", error)
            raise
        status = "interrupted" if stop.signum else "finished"
        store.finish(header.run_id, result, status)
    files = tell(result, scenario, order)
    if stop.signum:
        raise stop.error()
    return Executed(result, files)


def tell(result: RunResult, scenario: Scenario, order: Order) -> tuple[Path, ...]:
    """Write the scenario's reports; all files of a run are replaced together."""
    directory = (order.out or Path(scenario.reports.directory)) / scenario.name
    return write_reports(result, directory, scenario.reports.formats)


def _begin(store: Store, scenario: Scenario, order: Order) -> tuple[RunHeader, Sequence[Observation]]:
    if order.resume is None:
        header = _header(scenario)
        store.begin(header)
        return header, ()
    run_id = store.find(order.resume)
    stored = store.load(run_id)
    if stored.header.document_hash != scenario.document.sha256:
        raise UsageError(
            "--resume",
            f"run {run_id} was made from another document ({stored.header.source})",
            "Resume with the very file that began it, or start a new run",
        )
    if stored.status in ("finished", "running"):
        raise UsageError("--resume", f"run {run_id} is {stored.status}", "Only a run that ended early can go on")
    store.resume(run_id)
    return stored.header, stored.observations


def _header(scenario: Scenario) -> RunHeader:
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
        environment=environment_facts(),
    )


def _edges(
    scenario: Scenario,
    header: RunHeader,
    store: Store,
    pool: Pool,
    stop: StopRequest,
    order: Order,
    scrub: Callable[[str], str],
) -> Edges:
    stored_s = -STORE_EVERY_S

    def show(progress: Progress) -> None:
        nonlocal stored_s
        if (now_s := monotonic()) - stored_s >= STORE_EVERY_S:
            stored_s = now_s
            store.progress(header.run_id, progress)
        order.show(progress)

    def observe(window: Window) -> Observation:
        stop.is_observing = True
        try:
            return pool.observe(window, on_progress=show, stop=stop.event)
        finally:
            stop.is_observing = False

    def remember(seen: Observation, metrics: StepMetrics) -> None:
        store.remember(header.run_id, seen, metrics)

    def count(seen: Observation, facts: TargetFacts) -> Observation:
        return count_answers(seen, counter_for(facts.model, scenario.workload.tokenizer_file))

    return Edges(
        open_target=lambda: open_target(scenario.target, env=order.env),
        probe=lambda url: probe(scenario.target, url, workload=scenario.workload, env=order.env),
        identify=identify,
        observe=observe,
        count_tokens=count,
        scrub=scrub,
        describe=lambda facts: store.describe(header.run_id, facts),
        remember=remember,
        now=lambda: _iso(datetime.now(UTC)),
    )


def _keep(store: Store, header: RunHeader, scenario: Scenario, order: Order, status: str, error: BaseException) -> None:
    """Store and report what an interrupted run measured; a full disk must not hide the first error."""
    try:
        result = judged(store, header.run_id)
        tell(result, scenario, order)
        store.finish(header.run_id, result, status)
    except (StoreError, OSError) as second:
        error.add_note(f"and what was measured could not be kept whole: {second}")


def _iso(now: datetime) -> str:
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
