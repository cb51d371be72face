"""What a run came to, as rows: figures of steps, verdicts, findings, caveats and the headline of the history."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict

from llmload.domain import RunResult, StepMetrics, StepResult
from llmload.errors import StoreError
from llmload.latency import Histogram, LatencySummary
from llmload.planned import Step
from llmload.store.comparison import put_estimates, put_reference
from llmload.store.kept_results import put_kept
from llmload.store.profiles import put_profile
from llmload.store.recommendations import put_recommendation
from llmload.store.runs import plain_row, to_json
from llmload.verdict import Caveat, Evidence, Verdict

_FIGURES = (
    "window_s", "attempts", "ok", "good", "cancelled", "goodput", "goodput_low", "goodput_high", "goodput_rps",
    "error_rate", "rps", "output_tps", "total_tps", "input_tokens", "output_tokens", "cached_tokens",
    "failed_output_tokens", "shared_reads", "dropped", "planned", "reasoned", "called_tools", "reasoning_tokens",
)  # fmt: skip
_DOCUMENTS = ("latency", "histograms", "errors", "token_sources")


def put_step(connection: sqlite3.Connection, run: int, step: Step, metrics: StepMetrics | None) -> None:
    """Insert or bring up to date one row of `steps`; without metrics, figures that are there stay."""
    connection.execute(
        "INSERT INTO steps (run, step, axis, value, label) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (run, step.index, step.axis, step.value, step.label),
    )
    if metrics is None:
        return
    whole = asdict(metrics)
    columns = ", ".join(f"{name} = ?" for name in (*_FIGURES, *_DOCUMENTS))
    values = [whole[name] for name in _FIGURES] + [to_json(whole[name]) for name in _DOCUMENTS]
    connection.execute(
        f"UPDATE steps SET {columns} WHERE run = ? AND step = ?",  # noqa: S608 - our own column names
        (*values, run, step.index),
    )


def put_result(connection: sqlite3.Connection, run: int, result: RunResult, status: str) -> None:
    """Replace what the store knows of a run's outcome."""
    connection.execute(
        "UPDATE runs SET status = ?, finished = ?, verdict = ?, exit_code = ?, because = ?, fingerprint = ?"
        " WHERE run = ?",
        plain_row(
            (
                status,
                result.finished,
                result.status.value,
                result.exit_code,
                result.because,
                to_json(result.fingerprint),
                run,
            )
        ),
    )
    for step in result.steps:
        put_step(connection, run, step.step, step.metrics)
    put_estimates(connection, run, result.steps)
    put_reference(connection, run, result.reference)
    put_kept(connection, run, result)
    put_recommendation(connection, run, result.recommendation)
    put_profile(connection, run, result.profile)
    _put_headline(connection, run, result)
    for table in ("verdicts", "findings", "caveats"):
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - three names of ours
    connection.executemany(
        f"INSERT INTO verdicts VALUES ({', '.join('?' * 20)})",  # noqa: S608
        (plain_row((run, place, *_verdict_row(verdict))) for place, verdict in enumerate(result.verdicts)),
    )
    connection.executemany(
        "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            plain_row((run, place, one.subject, one.expected, one.actual, one.cause, one.step, one.kind))
            for place, one in enumerate(result.findings)
        ),
    )
    caveats: list[tuple[str | None, Caveat]] = [(None, caveat) for caveat in result.caveats]
    caveats += [(step.step.label, caveat) for step in result.steps for caveat in step.caveats]
    connection.executemany(
        "INSERT INTO caveats VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (plain_row((run, place, *_caveat_row(step, caveat))) for place, (step, caveat) in enumerate(caveats)),
    )


def headline(result: RunResult) -> StepResult | None:
    """The step whose figures stand for the run in the history: the last one with a gate, else the last.

    Of a search for the capacity without gates it is the load that was found: the last one says only how far it looked.
    """
    gated = [step for step in result.steps if step.verdicts]
    if not gated and result.recommendation is not None and result.knee is not None:
        gated = [step for step in result.steps if step.step.value == result.knee.at_slo]
    return next(reversed(gated or result.steps), None)


def _put_headline(connection: sqlite3.Connection, run: int, result: RunResult) -> None:
    step = headline(result)
    if step is None:
        return
    metrics = step.metrics
    percentiles: list[float | None] = []
    for name in ("ttft", "tpot", "e2e"):
        summary = metrics.latency.get(name)
        percentiles += [None, None] if summary is None else [summary.p50_ms, summary.p99_ms]
    connection.execute(
        "UPDATE runs SET headline_step = ?, goodput = ?, goodput_low = ?, goodput_high = ?, error_rate = ?,"
        " output_tps = ?, rps = ?, attempts = ?, ttft_p50_ms = ?, ttft_p99_ms = ?, tpot_p50_ms = ?, tpot_p99_ms = ?,"
        " e2e_p50_ms = ?, e2e_p99_ms = ? WHERE run = ?",
        (
            step.step.label,
            metrics.goodput,
            metrics.goodput_low,
            metrics.goodput_high,
            metrics.error_rate,
            metrics.output_tps,
            metrics.rps,
            metrics.attempts,
            *percentiles,
            run,
        ),
    )


def _verdict_row(verdict: Verdict) -> tuple[str | float | int | None, ...]:
    gate, evidence = verdict.gate, verdict.evidence
    return (
        verdict.step,
        str(gate),
        gate.id,
        gate.level.value,
        verdict.status.value,
        verdict.because,
        verdict.remedy,
        verdict.kind,
        *_evidence_row(evidence),
        gate.line,
    )


def _evidence_row(evidence: Evidence | None) -> tuple[float | int | None, ...]:
    if evidence is None:
        return (None,) * 9
    return (
        evidence.observed,
        evidence.target,
        evidence.low,
        evidence.high,
        evidence.n,
        evidence.deff,
        evidence.effective_n,
        evidence.confidence,
        evidence.looks,
    )


def _caveat_row(step: str | None, caveat: Caveat) -> tuple[str | int | None, ...]:
    return (step, caveat.rule, caveat.figure, caveat.remedy, int(caveat.is_fatal), caveat.kind)


def steps_of(connection: sqlite3.Connection, run: int) -> tuple[StepResult, ...]:
    """The steps of a run by their stored figures alone, without windows and verdicts."""
    rows = connection.execute("SELECT * FROM steps WHERE run = ? AND attempts IS NOT NULL ORDER BY step", (run,))
    try:
        return tuple(
            StepResult(Step(row["step"], row["axis"], row["value"]), (), _metrics_of(row), (), ()) for row in rows
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        (run_id,) = connection.execute("SELECT run_id FROM runs WHERE run = ?", (run,)).fetchone()
        problem = f"the figures of its steps cannot be read ({type(error).__name__})"
        raise StoreError(f"run {run_id}", problem, "Look for what changed the store, or merge the run anew") from None


def _metrics_of(row: sqlite3.Row) -> StepMetrics:
    documents = {name: json.loads(row[name]) for name in _DOCUMENTS}
    documents["latency"] = {name: LatencySummary(**summary) for name, summary in documents["latency"].items()}
    documents["histograms"] = {name: _histogram(each) for name, each in documents["histograms"].items()}
    return StepMetrics(**{name: row[name] for name in _FIGURES}, **documents)


def _histogram(stored: dict[str, list[float]]) -> Histogram:
    return Histogram(tuple(stored["bounds_ms"]), tuple(int(count) for count in stored["counts"]))


def caveats_of_run(connection: sqlite3.Connection, run: int) -> tuple[Caveat, ...]:
    """What was held against the run as a whole when it ended."""
    rows = connection.execute(
        "SELECT rule, figure, remedy, is_fatal, kind FROM caveats WHERE run = ? AND step IS NULL ORDER BY place", (run,)
    )
    return tuple(Caveat(rule, figure, remedy, bool(fatal), kind) for rule, figure, remedy, fatal, kind in rows)
