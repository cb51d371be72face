"""The sheet of classes and turns: a row for each part of the traffic at each step, every figure a number."""

from __future__ import annotations

from openpyxl.worksheet.worksheet import Worksheet

from llmload.domain import PartFigures, RunResult, StepResult
from llmload.reporters.excel_cells import Area, Column, Value, count, head, milliseconds, share, table
from llmload.reporters.excel_steps import latency_title
from llmload.reporters.part_sections import AXES, cached_share, mean_input_tokens, parts_by
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label

_LATENCIES = ("ttft", "tpot", "e2e")


def has_parts(run: RunResult) -> bool:
    """Whether the traffic of any step has classes or turns."""
    return any(step.parts for step in run.steps)


def add_parts(sheet: Worksheet, run: RunResult, texts: Texts) -> Area:
    """Classes, then turns, each step by step; an empty cell: nobody told, or no request came to its end."""
    top = head(sheet, texts["excel.sheet.parts"], texts["excel.note.parts"])
    columns = [
        Column(texts["column.step"], 24),
        Column(texts["parts.class"], 32),
        Column(texts["parts.turn"]),
        *(Column(texts[f"column.{name}"]) for name in ("requests", "errors", "goodput")),
        *(Column(texts[f"excel.column.{name}"]) for name in ("low", "high")),
        *(Column(latency_title(name, stat, texts)) for name in _LATENCIES for stat in ("p50", "p95")),
        Column(texts["excel.column.output_tps"]),
        *(Column(texts[f"parts.{name}"]) for name in ("input", "cached")),
    ]
    rows = [_row(step, part, texts) for axis in AXES for step, part in parts_by(axis, run)]
    area = table(sheet, top, columns, rows, "Parts")
    sheet.freeze_panes = f"D{area.first}"
    return area


def _row(step: StepResult, part: PartFigures, texts: Texts) -> list[Value]:
    metrics = part.metrics
    is_class = part.axis == "class"
    return [
        step_label(step.step, texts),
        part.name if is_class else None,
        None if is_class else _turn(part.name),
        count(metrics.attempts),
        share(metrics.error_rate),
        share(metrics.goodput),
        share(metrics.goodput_low),
        share(metrics.goodput_high),
        *(each for name in _LATENCIES for each in _latency(part, name)),
        count(metrics.output_tps),
        count(mean_input_tokens(metrics)),
        share(cached_share(metrics)),
    ]


def _turn(name: str) -> Value:
    """A number where it is one: a document from elsewhere may call a turn by any name."""
    return count(int(name)) if name.isascii() and name.isdecimal() and len(name) <= 6 else name


def _latency(part: PartFigures, name: str) -> tuple[Value, Value]:
    summary = part.metrics.latency.get(name)
    return (None, None) if summary is None else (milliseconds(summary.p50_ms), milliseconds(summary.p95_ms))
