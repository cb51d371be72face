"""`steps.csv`: one row per step for spreadsheets. A missing value is an empty cell; no cell is ever a formula."""

from __future__ import annotations

import csv
import io
from math import isfinite

from llmload.domain import RunResult, StepResult
from llmload.reporters.escaping import spreadsheet
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import finding_subject, finding_words, worst
from llmload.serving import GpuFigures, ServerFigures
from llmload.verdict import Caveat, Finding

_ENGLISH = texts_in(Language.EN)

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
    "GPU Util (%)",
    "GPU Memory Peak (GiB)",
    "GPU Temperature Peak (°C)",
    "GPU Power (W)",
    "Energy (J)",
    "Energy (J/tok)",
    "GPU Slowed Down (%)",
    "Server Running",
    "Server Waiting",
    "Server Waiting Max",
    "KV Cache Peak (%)",
    "Prefix Cache Hits (%)",
    "Preemptions",
    "Server TTFT (ms)",
    "Server TPOT (ms)",
    "Server E2E (ms)",
    "Server Queue (ms)",
    "Server Figures From",
)
_GIB = 2**30


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
        cell(step.value) if step.axis == "concurrency" else "",
        cell(metrics.output_tps),
        *(_latency(result, metric, stat) for metric in ("ttft", "tpot", "e2e") for stat in ("p50", "p99")),
        cell(metrics.attempts),
        cell(metrics.ok),
        percent_cell(metrics.error_rate),
        percent_cell(metrics.goodput),
        cell(step.value) if step.axis == "rate" else "",
        percent_cell(metrics.goodput_low),
        percent_cell(metrics.goodput_high),
        cell(metrics.rps),
        cell(metrics.total_tps),
        *(_latency(result, metric, "p95") for metric in ("ttft", "tpot", "e2e")),
        _latency(result, "lag", "p99"),
        cell(metrics.output_tokens),
        cell(metrics.cancelled),
        cell(metrics.window_s),
        worst(result).value,
        spreadsheet("; ".join(f"{caveat.rule}: {caveat.figure}" for caveat in _caveats(run, result))),
        spreadsheet(run.header.scenario),
        spreadsheet(run.target.model) if run.target else "",
        spreadsheet(run.header.run_id),
        cell(step.value) if step.axis == "speed" else "",
        *(_latency(result, "ttft_due", stat) for stat in ("p50", "p95", "p99")),
        cell(metrics.planned),
        cell(metrics.dropped) if metrics.planned is not None else "",
        cell(result.workers.count) if result.workers else "",
        percent_cell(result.workers.cpu_share) if result.workers else "",
        spreadsheet("; ".join(map(_finding, _findings(run, step.label)))),
        *(_gpu(result.gpu or GpuFigures(0))),
        *(_server(result.server) if result.server else [""] * 11),
    ]


def _findings(run: RunResult, label: str) -> list[Finding]:
    """Those of the step first, since a cell is only so long; then those of the run."""
    return [each for where in (label, "") for each in run.findings if each.step == where]


def _finding(finding: Finding) -> str:
    return f"{finding_subject(finding, _ENGLISH)}: {finding_words(finding, _ENGLISH)}"


def _gpu(figures: GpuFigures) -> list[str]:
    return [
        percent_cell(figures.utilisation),
        cell(None if figures.memory_bytes is None else figures.memory_bytes / _GIB),
        cell(figures.temperature_c),
        cell(figures.power_w),
        cell(figures.energy_j),
        cell(figures.joules_per_token),
        percent_cell(figures.throttled),
    ]


def _server(figures: ServerFigures) -> list[str]:
    return [
        cell(figures.running),
        cell(figures.waiting),
        cell(figures.waiting_max),
        percent_cell(figures.kv_cache_share),
        percent_cell(figures.prefix_cache_hit_share),
        cell(figures.preemptions),
        cell(figures.ttft_ms),
        cell(figures.tpot_ms),
        cell(figures.e2e_ms),
        cell(figures.queue_ms),
        figures.source.value,
    ]


def _caveats(run: RunResult, result: StepResult) -> tuple[Caveat, ...]:
    """What a row by itself must tell: that it was imported, too."""
    return (*run.caveats, *result.caveats) if run.is_imported else result.caveats


def _latency(result: StepResult, metric: str, stat: str) -> str:
    summary = result.metrics.latency.get(metric)
    if summary is None:
        return ""
    return cell({"p50": summary.p50_ms, "p95": summary.p95_ms, "p99": summary.p99_ms}[stat])


def percent_cell(share: float | None) -> str:
    """A share 0..1 in percent."""
    return cell(None if share is None else share * 100)


def cell(value: float | None) -> str:
    """At most three places, no thousands marks, no exponent: what every locale's import understands."""
    if value is None or not isfinite(value):
        return ""
    text = f"{value:.3f}"
    return text.rstrip("0").rstrip(".")
