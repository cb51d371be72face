"""The tables of `report.md`: gates, steps, errors, GPUs, what is advised, and where the figures come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmload.domain import StepResult
from llmload.reporters import sections
from llmload.reporters.aligned_table import Column, Side, table
from llmload.reporters.escaping import Markdown, markdown_code, markdown_prose
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent
from llmload.reporters.step_columns import Speed, latencies_of, speed_of, tokens_per_s
from llmload.reporters.texts import Texts
from llmload.reporters.wording import Reading, seen, step_label, worst
from llmload.verdict import Status

MARKS = {
    Status.PASS: "✅",
    Status.FAIL: "❌",
    Status.ERROR: "⛔",
    Status.INCONCLUSIVE: "🟡",
    Status.INCOMPARABLE: "🟡",
    Status.NOT_GATED: "⚪",
}
"""What a reader sees before any word."""


def gates(readings: Sequence[Reading], texts: Texts) -> Markdown:
    """Each verdict with all its figures; what requests were worth only where that is known of one."""
    worth = ("deff", "effective_n") if any(reading.effective_n != MISSING for reading in readings) else ()
    columns = [
        Column("", Side.CENTRE),
        *(Column(texts[f"column.{name}"]) for name in ("gate", "step")),
        *(Column(texts[f"column.{name}"], Side.RIGHT) for name in ("observed", "target", "interval")),
        *(Column(texts[f"column.{name}"], Side.RIGHT) for name in ("n", *worth)),
    ]
    return table(columns, [tuple(_gate(reading, texts))[: len(columns)] for reading in readings])


def _gate(reading: Reading, texts: Texts) -> Iterator[str]:
    yield MARKS[reading.status]
    gate = markdown_code(reading.gate)
    yield Markdown(f"{gate} ({markdown_prose(reading.weight)})") if reading.weight else gate
    yield reading.step
    yield seen(reading, texts)
    yield markdown_code(reading.target)
    yield reading.interval
    yield reading.n
    yield reading.deff
    yield reading.effective_n


def has_due(steps: Sequence[StepResult]) -> bool:
    """Whether requests were due by themselves, so that they may have waited before they were sent."""
    return any(step.step.axis != "concurrency" for step in steps)


def steps(results: Sequence[StepResult], texts: Texts) -> Markdown:
    """Each step with its counts, percentiles in ms and rates; TTFT since due only where something is due by itself."""
    speed = speed_of(results)
    is_due = has_due(results) and speed == "output_tps"
    latencies = ("ttft", "ttft_due", "tpot", "e2e") if is_due else latencies_of(results)
    columns = [
        Column("", Side.CENTRE),
        Column(texts["column.step"]),
        *(Column(texts[f"column.{name}"], Side.RIGHT) for name in ("requests", "errors", "goodput")),
        *(Column(texts["column.percentiles"].format(metric=texts[f"metric.{name}"]), Side.RIGHT) for name in latencies),
        *(Column(texts[f"column.{name}"], Side.RIGHT) for name in (speed, "rps")),
    ]
    return table(columns, [tuple(_step(each, speed, latencies, texts)) for each in results])


def _step(result: StepResult, speed: Speed, latencies: Sequence[str], texts: Texts) -> Iterator[str]:
    metrics = result.metrics
    yield MARKS[worst(result)]
    yield step_label(result.step, texts)
    yield amount(metrics.attempts)
    yield percent(metrics.error_rate)
    yield percent(metrics.goodput)
    yield from (_latency(result, name) for name in latencies)
    yield amount(tokens_per_s(result, speed))
    yield amount(metrics.rps)


def _latency(result: StepResult, metric: str) -> str:
    """p50 / p95 / p99 in ms, in one cell."""
    summary = result.metrics.latency.get(metric)
    if summary is None:
        return MISSING
    return " / ".join(bare_milliseconds(value) for value in (summary.p50_ms, summary.p95_ms, summary.p99_ms))


def errors(told: Sequence[tuple[str, str, int, str]], texts: Texts) -> Markdown:
    """Each kind of error at each step."""
    columns = [
        *(Column(texts[f"column.{name}"]) for name in ("step", "error")),
        *(Column(texts[f"column.{name}"], Side.RIGHT) for name in ("count", "of_attempts")),
    ]
    return table(columns, [(step, markdown_code(kind), amount(count), share) for step, kind, count, share in told])


def rows(told: sections.Table, most: int) -> Markdown:
    """So many rows of a table: their names and words begin at the left, figures end at the right."""
    sides = [Side.LEFT if not place or place in told.words else Side.RIGHT for place in range(len(told.columns))]
    return table([Column(name, side) for name, side in zip(told.columns, sides, strict=True)], told.rows[:most])


def pairs(told: sections.Pairs) -> Markdown:
    """Names and values, without a heading."""
    return table([Column(""), Column("")], [(name, markdown_code(value)) for name, value in told])
