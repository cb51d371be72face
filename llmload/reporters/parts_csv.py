"""`parts.csv`: one row for each class and each turn of each step; in the form of `steps.csv`, beside which it lies."""

from __future__ import annotations

import csv
import io

from llmload.domain import PartFigures, RunResult, StepResult
from llmload.latency import LatencySummary
from llmload.reporters.escaping import spreadsheet
from llmload.reporters.part_sections import cached_share, mean_input_tokens
from llmload.reporters.steps_csv import cell, percent_cell

HEADERS = (
    "Step",
    "By",
    "Part",
    "Requests",
    "Success",
    "Error Rate (%)",
    "Goodput (%)",
    "Goodput low (%)",
    "Goodput high (%)",
    "TTFT p50 (ms)",
    "TTFT p95 (ms)",
    "TTFT p99 (ms)",
    "TPOT p50 (ms)",
    "TPOT p95 (ms)",
    "TPOT p99 (ms)",
    "E2E p50 (ms)",
    "E2E p95 (ms)",
    "E2E p99 (ms)",
    "Throughput (tok/s)",
    "Completed (req/s)",
    "Input Tokens (mean)",
    "Cached Input (%)",
    "Input Tokens",
    "Output Tokens",
    "Cached Tokens",
    "Errors",
    "Scenario",
    "Run",
)


def render(run: RunResult) -> bytes:
    """UTF-8 without a byte order mark, lines ended by a line feed; the headings alone where traffic has no parts."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS)
    writer.writerows(_row(run, step, part) for step in run.steps for part in step.parts)
    return text.getvalue().encode()


def _row(run: RunResult, step: StepResult, part: PartFigures) -> list[str]:
    metrics = part.metrics
    return [
        spreadsheet(step.step.label),
        part.axis,
        spreadsheet(part.name),
        cell(metrics.attempts),
        cell(metrics.ok),
        percent_cell(metrics.error_rate),
        percent_cell(metrics.goodput),
        percent_cell(metrics.goodput_low),
        percent_cell(metrics.goodput_high),
        *(each for name in ("ttft", "tpot", "e2e") for each in _percentiles(metrics.latency.get(name))),
        cell(metrics.output_tps),
        cell(metrics.rps),
        cell(mean_input_tokens(metrics)),
        percent_cell(cached_share(metrics)),
        cell(metrics.input_tokens),
        cell(metrics.output_tokens),
        cell(metrics.cached_tokens),
        spreadsheet("; ".join(f"{kind}: {count}" for kind, count in metrics.errors.items())),
        spreadsheet(run.header.scenario),
        spreadsheet(run.header.run_id),
    ]


def _percentiles(summary: LatencySummary | None) -> list[str]:
    return [""] * 3 if summary is None else [cell(each) for each in (summary.p50_ms, summary.p95_ms, summary.p99_ms)]
