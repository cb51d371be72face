"""What reports tell of the parts of a run's traffic: figures of each class and of each turn, as rows not yet escaped.

Columns of which no part has anything are left out, and so is all of it where traffic has no parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from llmload.domain import PartFigures, RunResult, StepMetrics, StepResult
from llmload.promises import slo_of
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent, slo_words
from llmload.reporters.sections import Table, without_empty
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label

Axis = Literal["class", "turn"]

AXES: tuple[Axis, ...] = ("class", "turn")
"""What traffic has parts by, in the order of reading."""


_CLASS_WORDS = (1, 2)  # its name and its SLO are words


@dataclass(frozen=True, slots=True)
class PartTable:
    """The parts of one axis, under a heading of their own."""

    axis: Axis
    heading: str
    table: Table


def parts_by(axis: Axis, run: RunResult) -> list[tuple[StepResult, PartFigures]]:
    """Each part of that axis with its step, in the order of both."""
    return [(step, part) for step in run.steps for part in step.parts if part.axis == axis]


def part_tables(run: RunResult, texts: Texts) -> list[PartTable]:
    """Classes, then turns; those that there are."""
    tables = [PartTable(axis, texts[f"parts.by_{axis}"], _table(axis, run, texts)) for axis in AXES]
    return [each for each in tables if each.table.rows]


def _table(axis: Axis, run: RunResult, texts: Texts) -> Table:
    columns: tuple[tuple[str, Callable[[StepMetrics], str]], ...] = (
        (texts["column.requests"], lambda of: amount(of.attempts)),
        (texts["column.errors"], lambda of: percent(of.error_rate)),
        (texts["column.goodput"], lambda of: goodput_words(of, texts)),
        (texts["parts.percentiles"].format(metric=texts["metric.ttft"]), lambda of: latency_words(of, "ttft")),
        (texts["parts.percentiles"].format(metric=texts["metric.tpot"]), lambda of: latency_words(of, "tpot")),
        (texts["parts.p95"].format(metric=texts["metric.e2e"]), lambda of: p95_words(of, "e2e")),
        (texts["parts.input"], lambda of: amount(mean_input_tokens(of))),
        (texts["parts.cached"], lambda of: percent(cached_share(of))),
    )
    rows = [
        (step_label(step.step, texts), part.name, slo_of_part(run, part), *(show(part.metrics) for _, show in columns))
        for step, part in parts_by(axis, run)
    ]
    headings = (texts["column.step"], texts[f"parts.{axis}"], texts["parts.slo"], *(name for name, _ in columns))
    return without_empty(headings, rows, *(_CLASS_WORDS if axis == "class" else ()))


# ---------------------------------------------------------------- cells


def slo_of_part(run: RunResult, part: PartFigures) -> str:
    """By what a request of this class is good; "n/a" where all requests of the run are so by the same."""
    if part.axis != "class" or not run.slo_by_class:
        return MISSING
    return slo_words(slo_of(run.promised, part.name)) or MISSING


def goodput_words(metrics: StepMetrics, texts: Texts) -> str:
    """With its bounds, where they are known."""
    told = percent(metrics.goodput)
    if metrics.goodput_low is None or metrics.goodput_high is None:
        return told
    low, high = percent(metrics.goodput_low), percent(metrics.goodput_high)
    return f"{told} ({texts['interval.between'].format(low=low, high=high)})"


def latency_words(metrics: StepMetrics, name: str) -> str:
    """p50 / p95 in ms, in one cell."""
    summary = metrics.latency.get(name)
    return MISSING if summary is None else " / ".join(map(bare_milliseconds, (summary.p50_ms, summary.p95_ms)))


def p95_words(metrics: StepMetrics, name: str) -> str:
    """In ms."""
    summary = metrics.latency.get(name)
    return MISSING if summary is None else bare_milliseconds(summary.p95_ms)


def mean_input_tokens(metrics: StepMetrics) -> float | None:
    """Of a completed request; None where hardly any was counted, which is known of the rate of all tokens alone."""
    if metrics.total_tps is None or not metrics.input_tokens or not metrics.ok:
        return None
    return metrics.input_tokens / metrics.ok


def cached_share(metrics: StepMetrics) -> float | None:
    """Share of the input tokens that the server had in its cache, by its own word; None where it told nothing of it."""
    if metrics.cached_tokens is None or mean_input_tokens(metrics) is None or not metrics.input_tokens:
        return None
    return min(metrics.cached_tokens / metrics.input_tokens, 1.0)
