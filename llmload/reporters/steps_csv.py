"""`steps.csv`: one row per step for spreadsheets. A missing value is an empty cell; no cell is ever a formula."""

from __future__ import annotations

import csv
import io
from math import isfinite

from llmload.domain import RunResult, StepResult
from llmload.reporters.escaping import spreadsheet
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import finding_words, worst
from llmload.verdict import Caveat

HEADERS = (
    "Concurrency",
    "Throughput (tok/s)",
    "TTFT p50 (ms)",
    "TTFT p99 (ms)",
    "TPOT p50 (ms)",
    "TPOT p99 (ms)",
    "E2E p50 (ms)",
    "E2E p99 (ms)",
    "Requests",
    "Success",
    "Error Rate (%)",
    "Goodput (%)",
    # further columns only after these twelve, which other tools read by name and place
    "Rate (req/s)",
    "Goodput low (%)",
    "Goodput high (%)",
    "Completed (req/s)",
    "Total Throughput (tok/s)",
    "TTFT p95 (ms)",
    "TPOT p95 (ms)",
    "E2E p95 (ms)",
    "Lag p99 (ms)",
    "Output Tokens",
    "Cancelled",
    "Window (s)",
    "Verdict",
    "Caveats",
    "Scenario",
    "Model",
    "Run",
    "Trace speed",
    "TTFT since due p50 (ms)",
    "TTFT since due p95 (ms)",
    "TTFT since due p99 (ms)",
    "Planned",
    "Dropped",
    "Workers",
    "Busiest worker (% of a core)",
    "Findings",
)


def render(run: RunResult) -> bytes:
    """UTF-8 without a byte order mark, lines ended by a line feed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS)
    writer.writerows(_row(run, step) for step in run.steps)
    return text.getvalue().encode()


def _row(run: RunResult, result: StepResult) -> list[str]:
    step, metrics = result.step, result.metrics
    return [
        _cell(step.value) if step.axis == "concurrency" else "",
        _cell(metrics.output_tps),
        *(_latency(result, metric, stat) for metric in ("ttft", "tpot", "e2e") for stat in ("p50", "p99")),
        _cell(metrics.attempts),
        _cell(metrics.ok),
        _percent(metrics.error_rate),
        _percent(metrics.goodput),
        _cell(step.value) if step.axis == "rate" else "",
        _percent(metrics.goodput_low),
        _percent(metrics.goodput_high),
        _cell(metrics.rps),
        _cell(metrics.total_tps),
        *(_latency(result, metric, "p95") for metric in ("ttft", "tpot", "e2e")),
        _latency(result, "lag", "p99"),
        _cell(metrics.output_tokens),
        _cell(metrics.cancelled),
        _cell(metrics.window_s),
        worst(result).value,
        spreadsheet("; ".join(f"{caveat.rule}: {caveat.figure}" for caveat in _caveats(run, result))),
        spreadsheet(run.header.scenario),
        spreadsheet(run.target.model) if run.target else "",
        spreadsheet(run.header.run_id),
        _cell(step.value) if step.axis == "speed" else "",
        *(_latency(result, "ttft_due", stat) for stat in ("p50", "p95", "p99")),
        _cell(metrics.planned),
        _cell(metrics.dropped) if metrics.planned is not None else "",
        _cell(result.workers.count) if result.workers else "",
        _percent(result.workers.cpu_share) if result.workers else "",
        spreadsheet(
            "; ".join(f"{each.subject}: {finding_words(each, texts_in(Language.EN))}" for each in run.findings)
        ),
    ]


def _caveats(run: RunResult, result: StepResult) -> tuple[Caveat, ...]:
    """What a row by itself must tell: that it was imported, too."""
    return (*run.caveats, *result.caveats) if run.is_imported else result.caveats


def _latency(result: StepResult, metric: str, stat: str) -> str:
    summary = result.metrics.latency.get(metric)
    if summary is None:
        return ""
    return _cell({"p50": summary.p50_ms, "p95": summary.p95_ms, "p99": summary.p99_ms}[stat])


def _percent(share: float | None) -> str:
    return _cell(None if share is None else share * 100)


def _cell(value: float | None) -> str:
    """At most three places, no thousands marks, no exponent: what every locale's import understands."""
    if value is None or not isfinite(value):
        return ""
    text = f"{value:.3f}"
    return text.rstrip("0").rstrip(".")
