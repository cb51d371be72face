"""Runs that llm-loadtest measured, brought into the store: their figures, and that nothing stands behind them.

An imported run has no requests, so that its stored figures are all there is: nothing is measured or judged again.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from llmload import __version__
from llmload.domain import IMPORTED, RunHeader, RunResult, StepMetrics, StepResult, TargetFacts
from llmload.errors import DataFileError
from llmload.latency import LatencySummary
from llmload.planned import Step
from llmload.scenario.v1alpha1 import scenario_name
from llmload.store.foreign_file import bytes_of
from llmload.store.loadtest import TOOL, UNTOLD, Fault, Instant, Latency, Level, Loadtest, read
from llmload.store.runs import StoredRun, new_run_id
from llmload.verdict import Caveat, Status

LARGEST = 10_000_000
"""Bytes of a file that is read; a ladder of twenty levels has 20,000."""

_MOST_FAULTS = 20


def read_file(path: Path) -> RunResult:
    """The run that a result file tells of; DataFileError names every place of the file that cannot be trusted."""
    raw = bytes_of(path, LARGEST, f"Name a result file of {TOOL}, which has a few thousand bytes")
    return run_of(raw, str(path), datetime.fromtimestamp(path.stat().st_mtime, UTC))


def run_of(raw: bytes, source: str, modified: datetime) -> RunResult:
    """As `read_file`, of bytes that were read: `source` names their file, `modified` dates a run that tells no time."""
    loadtest, faults = read(raw)
    if loadtest is None:
        raise _error(source, faults)
    return _run(loadtest, source, hashlib.sha256(raw).hexdigest(), modified)


def _error(source: str, faults: tuple[Fault, ...]) -> DataFileError:
    first, more = faults[0], [f"{source}: {fault.path}: {fault.message}." for fault in faults[1:_MOST_FAULTS]]
    if len(faults) > _MOST_FAULTS:
        more.append(f"{source}: {len(faults) - _MOST_FAULTS:,} more.")
    remedy = f"Import what `{TOOL} run --output FILE` wrote, or what its GET /result/RUN answered"
    return DataFileError(f"{source}: {first.path}", first.message, remedy, more)


# ---------------------------------------------------------------- the run


def result_of(run: StoredRun) -> RunResult:
    """A stored run of status `imported` as every report tells it."""
    return _result(run.header, run.facts, run.steps, run.caveats, run.finished)


def _run(loadtest: Loadtest, source: str, sha256: str, modified: datetime) -> RunResult:
    created = loadtest.started.at if loadtest.started else modified
    header = RunHeader(
        run_id=new_run_id(created, bytes.fromhex(sha256[:8])),  # the same file has the same id in every store
        scenario=scenario_name("" if loadtest.model == UNTOLD else loadtest.model),
        created=_iso(created),
        version=__version__,
        document_text="",  # the file itself may hold an API key
        document_hash=sha256,
        resolved="{}",
        source=source,
        labels={},
        environment={},
    )
    facts = TargetFacts(
        url=loadtest.server_url,
        framework=loadtest.framework,
        api=None,
        model=loadtest.model,
        version=None,
        max_model_len=None,
        fit=None,
        settings=loadtest.settings,
        declared=tuple(loadtest.settings),
    )
    steps = tuple(_step(index, level) for index, level in enumerate(loadtest.levels))
    finished = _iso(loadtest.completed.at) if loadtest.completed else None
    return _result(header, facts, steps, _caveats(loadtest), finished)


def _result(
    header: RunHeader,
    facts: TargetFacts | None,
    steps: tuple[StepResult, ...],
    caveats: tuple[Caveat, ...],
    finished: str | None,
) -> RunResult:
    known = {"framework": facts.framework, "model": facts.model} if facts else {}
    return RunResult(
        header=header,
        finished=finished,
        target=facts,
        steps=steps,
        status=Status.NOT_GATED,
        exit_code=0,
        because=f"imported from {header.source}, not measured by this llmload",
        fingerprint={**known, "measured_by": TOOL},  # so that it is comparable with no run of ours
        caveats=caveats,
    )


def _caveats(loadtest: Loadtest) -> tuple[Caveat, ...]:
    """What every report tells: whose figures these are, when they were taken, and what is not here."""
    figure = f"{TOOL} measured it, by its own definitions (goodput is a share of the successful requests)"
    remedy = "Measure again with llmload to gate or to compare; docs/migration.md says what differs"
    caveats = [Caveat(IMPORTED, figure, remedy)]
    if unsure := _unsure(loadtest.started):
        caveats.append(Caveat("time of the run unsure", unsure, ""))
    if loadtest.left_out:
        caveats.append(Caveat("left out of the import", "; ".join(loadtest.left_out), ""))
    return tuple(caveats)


def _unsure(started: Instant | None) -> str:
    if started is None:
        return "the file has no started_at: its date is that of the file"
    return "" if started.is_zoned else "started_at names no time zone: taken as UTC"


def _step(index: int, level: Level) -> StepResult:
    metrics = StepMetrics(
        window_s=level.duration_s,
        attempts=level.total_requests,
        ok=level.successful_requests,
        good=level.satisfied_requests,
        cancelled=None,
        dropped=None,
        planned=None,
        goodput=level.goodput,
        goodput_low=None,
        goodput_high=None,
        goodput_rps=None,
        error_rate=level.error_rate,
        rps=level.request_rate_per_s,
        output_tps=level.throughput_tokens_per_s,
        total_tps=None,
        input_tokens=level.input_tokens,
        output_tokens=level.output_tokens,
        cached_tokens=None,
        failed_output_tokens=None,
        latency={name: _summary(latency) for name, latency in level.latency.items()},
        histograms={},
        errors={},
        token_sources={},
        shared_reads=None,
    )
    return StepResult(Step(index, "concurrency", level.concurrency), (), metrics, (), ())


def _summary(latency: Latency) -> LatencySummary:
    return LatencySummary(
        count=None,
        skipped=None,
        mean_ms=latency.mean,
        min_ms=latency.min,
        max_ms=latency.max,
        p50_ms=latency.p50,
        p90_ms=None,
        p95_ms=latency.p95,
        p99_ms=latency.p99,
    )


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
