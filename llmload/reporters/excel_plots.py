"""The charts of steps: throughput and latency against load, goodput with its interval, percentiles."""

from __future__ import annotations

from collections.abc import Iterator

from openpyxl.chart import BarChart, LineChart

from llmload.domain import RunResult
from llmload.reporters.excel_cells import BLUE, GREEN, INK, ORANGE, SKY, VERMILION
from llmload.reporters.excel_charts import (
    Axis,
    Frame,
    Stroke,
    Trace,
    bars,
    lines,
    marked,
    on_second_axis,
    place,
    with_interval,
    with_lines,
)
from llmload.reporters.excel_steps import NAMES, Steps, axis_title, judged, latency_title
from llmload.reporters.excel_summary import CHARTS_HEIGHT, GRID, Summary, led_by
from llmload.reporters.step_columns import speed_of
from llmload.reporters.texts import Texts

_GAP = 0.008  # of the width, between charts
_SHADES = {"p50": SKY, "p95": BLUE, "p99": "0B3C5D"}


def draw(run: RunResult, steps: Steps, summary: Summary, texts: Texts) -> None:
    """Two charts on the first sheet, the percentiles below the table of steps."""
    answers = [chart for chart in (_throughput(run, steps, texts), _goodput(run, steps, texts)) if chart is not None]
    for number, chart in enumerate(answers):
        left, right = _span(number, len(answers))
        place(chart, summary.sheet, Frame(GRID, summary.charts, CHARTS_HEIGHT, left, right))
    percentiles = list(_percentiles(run, steps, texts))
    for number, chart in enumerate(percentiles):
        left, right = _span(number, len(percentiles))
        place(chart, steps.sheet, Frame(steps.printed, steps.area.last + 2, CHARTS_HEIGHT + 2, left, right))


def _span(number: int, of: int) -> tuple[float, float]:
    """From where to where the charts of one row go, in shares of the width, with a gap between them."""
    return number / of + (_GAP if number else 0), (number + 1) / of


def _throughput(run: RunResult, steps: Steps, texts: Texts) -> BarChart | None:
    """Columns for tokens per second, and on the right axis the p95 that the SLO limits with that limit."""
    in_text = speed_of(run.steps) == "output_tps"
    speed, x = steps.cells("output_tps" if in_text else "total_tps"), Axis(axis_title(run, texts))
    if speed is None:
        return None
    metric = led_by(run)
    latency, limit = steps.cells(f"p95({judged(metric, run)})"), steps.cells(f"slo({metric})")
    title = texts["excel.chart.throughput"].format(metric=NAMES[metric])
    if run.knee is not None and run.knee.at_slo is not None:
        title += "\n" + texts["excel.chart.knee"]
    y_title = texts["excel.column.output_tps" if in_text else "charts.axis.input_tps"]
    chart = bars(title, steps.load, [Trace(speed, SKY)], x, Axis(y_title, least=0))
    _mark_knee(run, chart)
    drawn = [Trace(latency, VERMILION)] if latency else []
    drawn += [Trace(limit, INK, Stroke.LIMIT)] if limit else []
    if drawn:
        y = Axis(latency_title(judged(metric, run), "p95", texts), least=0)
        on_second_axis(chart, lines("", steps.load, drawn, x, y), y)
    return chart


def _mark_knee(run: RunResult, chart: BarChart) -> None:
    """The highest load within the SLO has a darker column."""
    for place_, step in enumerate(run.steps):
        if run.knee is not None and (step.step.axis, step.step.value) == (run.knee.axis, run.knee.at_slo):
            marked(chart, place_, BLUE)


def _goodput(run: RunResult, steps: Steps, texts: Texts) -> LineChart | None:
    share, target = steps.cells("goodput"), steps.cells("target")
    if share is None or not any(value is not None for value in share.values):
        return None
    traces = [Trace(share, GREEN), *([Trace(target, INK, Stroke.LIMIT)] if target else [])]
    y = Axis(texts["excel.axis.goodput"], "0%", 0, 1)
    chart = lines(texts["excel.chart.goodput"], steps.load, traces, Axis(axis_title(run, texts)), y)
    below, above = steps.cells("below"), steps.cells("above")
    if below is not None and above is not None:
        with_interval(chart, below, above)
    return chart


def _percentiles(run: RunResult, steps: Steps, texts: Texts) -> Iterator[BarChart]:
    """One chart for each latency that any step has."""
    for metric in ("ttft", "tpot", "e2e"):
        found = [(stat, steps.cells(f"{stat}({judged(metric, run)})")) for stat in _SHADES]
        traces = [Trace(cells, _SHADES[stat]) for stat, cells in found if cells is not None]
        if not any(value is not None for trace in traces for value in trace.cells.values):
            continue
        title = texts["excel.chart.percentiles"].format(metric=NAMES[metric])
        y = Axis(texts["excel.axis.latency"].format(metric=NAMES[metric]), least=0)
        chart = bars(title, steps.load, traces, Axis(axis_title(run, texts)), y)
        limit = steps.cells(f"slo({metric})")
        with_lines(chart, steps.load, [Trace(limit, ORANGE, Stroke.LIMIT)] if limit else [])
        yield chart
