"""The sheet of the recommendation: what is advised and why, for which demand, and how capacity grows with GPUs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from openpyxl.styles import Alignment
from openpyxl.worksheet.worksheet import Worksheet

from llmload.capacity import Advice, CurrentInfra, Demand, Recommendation
from llmload.reporters.capacity_chart import replica_of
from llmload.reporters.capacity_sections import installed
from llmload.reporters.excel_cells import (
    BLUE,
    BODY,
    HEADING,
    SKY,
    VERMILION,
    Column,
    Value,
    alike,
    count,
    head,
    lines_of,
    milliseconds,
    put,
    share,
    table,
    with_unit,
)
from llmload.reporters.excel_charts import Axis, Cells, Frame, Stroke, Trace, bars, marked, place, with_lines
from llmload.reporters.excel_loads import add_alternatives, add_hints, add_loads
from llmload.reporters.figures import MISSING
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence

_MOST_POINTS = 24
_COLUMNS = 12  # tables and curve
_WIDTHS = (("A", 40), ("B", 28), ("C", 14), ("D", 14))
_ROOM = 100  # characters over the three columns of the tables


def add_recommendation(sheet: Worksheet, found: Recommendation, settings: Mapping[str, str], texts: Texts) -> None:
    """The headline first; the tables one below the other, the curve beside them. `settings` are the measured ones."""
    row = head(sheet, texts["heading.recommendation"], texts["excel.note.recommendation"]) - 1
    row = add_hints(sheet, _told(sheet, row, found, texts), found, 4, texts)
    top = row
    if found.advice is not None:
        columns = [Column(texts[f"advice.{name}"], 40) for name in ("figure", "estimate")]
        columns += [Column(texts[f"excel.column.{name}"], 16) for name in ("low", "high")]
        row = table(sheet, row, columns, _estimates(found.advice, texts), "Advice").last + 2
    names = (Column(texts["excel.column.name"], 40), Column(texts["excel.column.value"], 26))
    for heading, rows, name in (
        ("demand", _demand(found.workload), "Demand"),
        ("measured", _measured(found.current_infra, texts), "Measured"),
    ):
        put(sheet, row, 1, texts[f"excel.heading.{heading}"]).font = HEADING
        named = [[texts[f"{heading}.{key}"], MISSING if value is None else value] for key, value in rows]
        row = table(sheet, row + 1, names, named, name).last + 2
    for letter, width in _WIDTHS:
        sheet.column_dimensions[letter].width = width
    for place_ in range(top, row):
        sheet.cell(place_, 2).alignment = Alignment(horizontal="right", vertical="center", indent=1, wrap_text=True)
    if found.advice is not None and found.advice.recommended_count > 0:
        row = _curve(sheet, row, top, found.advice, found.workload, texts)
    results = found.test_results
    row = add_loads(sheet, row, () if results is None else results.concurrency_results, texts)
    add_alternatives(sheet, row, found.alternatives, settings, texts)
    for letter, width in _WIDTHS:
        sheet.column_dimensions[letter].width = width


def _told(sheet: Worksheet, row: int, found: Recommendation, texts: Texts) -> int:
    """Headline, formula and reasoning."""
    advice = found.advice
    to_do = texts["excel.to_do"].format(remedy=texts["advice.to_do"])
    lines = [found.headline, *([advice.calculation_formula, advice.reasoning] if advice else ["", to_do])]
    for place_, line in enumerate(lines):
        told = in_language(line, texts)
        text = sentence(told) if place_ != 1 else told
        cell = put(sheet, row, 1, text)
        cell.font = BODY if place_ else HEADING
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=4)
        sheet.row_dimensions[row].height = (15.5 if place_ else 20) * lines_of(text, _ROOM - (0 if place_ else 24)) + 2
        row += 1
    return row + 1


def _estimates(advice: Advice, texts: Texts) -> list[list[Value]]:
    told: Sequence[tuple[str, Value]] = (
        ("recommended_count", count(advice.recommended_count)),
        ("replicas", count(advice.replicas)),
        ("gpus_per_replica", count(advice.gpus_per_replica)),
        ("tensor_parallelism", count(advice.tensor_parallelism)),
        ("estimated_max_concurrency", count(advice.estimated_max_concurrency)),
        ("estimated_goodput", _of_hundred(advice.estimated_goodput)),
        ("estimated_throughput", count(advice.estimated_throughput)),
        ("headroom_percent", _of_hundred(advice.headroom_percent)),
        ("usd_per_gpu_hour", alike(advice.usd_per_gpu_hour, "#,##0.00")),
        ("estimated_monthly_cost_usd", count(advice.estimated_monthly_cost_usd)),
        ("cost_per_million_tokens_usd", alike(advice.cost_per_million_tokens_usd, "#,##0.000")),
    )
    rows: list[list[Value]] = [[texts["excel.column.gpu_model"], advice.recommended_gpu, None, None]]
    for name, value in told:
        shown = texts["advice.unknown"] if value is None else value
        rows.append([texts[f"advice.{name}"], shown, *_bounds(advice, name, texts)])
    return rows


def _bounds(advice: Advice, name: str, texts: Texts) -> list[Value]:
    """Both ends; an open one in words, since an empty cell means that nothing is known."""
    interval = advice.intervals.get(name)
    show: Callable[[float | None], Value] = {
        "estimated_goodput": _of_hundred,
        "cost_per_million_tokens_usd": lambda usd: alike(usd, "#,##0.000"),
    }.get(name, count)
    if interval is None:
        return [None, None]
    return [show(interval.low), texts["advice.open"] if interval.high is None else show(interval.high)]


def _of_hundred(value: float | None) -> Value:
    return share(None if value is None else value / 100)


def _demand(demand: Demand) -> list[tuple[str, Value]]:
    return [
        ("peak_concurrency", count(demand.peak_concurrency)),
        ("daily_active_users", count(demand.daily_active_users)),
        ("requests_per_user_per_day", count(demand.requests_per_user_per_day)),
        ("expected_peak", count(demand.expected_peak)),
        ("avg_input_tokens", count(demand.avg_input_tokens)),
        ("avg_output_tokens", count(demand.avg_output_tokens)),
        ("ttft_target_ms", with_unit(milliseconds(demand.ttft_target_ms), "ms")),
        ("tpot_target_ms", with_unit(milliseconds(demand.tpot_target_ms), "ms")),
        ("e2e_target_ms", with_unit(milliseconds(demand.e2e_target_ms), "ms")),
        ("goodput_target_percent", _of_hundred(demand.goodput_target_percent)),
    ]


def _measured(infra: CurrentInfra, texts: Texts) -> list[tuple[str, Value]]:
    return [
        ("gpus", installed(infra, texts)),
        ("gpu_memory_gb", count(infra.gpu_memory_gb)),
        ("max_concurrency_at_slo", count(infra.max_concurrency_at_slo)),
        ("throughput_tokens_per_sec", count(infra.throughput_tokens_per_sec)),
        ("goodput_at_max_concurrency", _of_hundred(infra.goodput_at_max_concurrency)),
        ("saturation_concurrency", count(infra.saturation_concurrency)),
        ("saturation_goodput", _of_hundred(infra.saturation_goodput)),
    ]


# ---------------------------------------------------------------- capacity curve


def _curve(sheet: Worksheet, row: int, top: int, advice: Advice, demand: Demand, texts: Texts) -> int:
    """Concurrency within the SLO for each number of replicas, by what the advice says of its own; the next free row."""
    counts = _counts(advice)
    put(sheet, row, 1, texts["excel.heading.capacity"]).font = HEADING
    columns = [Column(texts[f"excel.capacity.{key}"], 40) for key in ("gpus", "capacity", "demand")]
    per_gpu = advice.estimated_max_concurrency / advice.recommended_count
    rows: list[list[Value]] = [[count(n), count(n * per_gpu), count(demand.peak_concurrency)] for n in counts]
    area = table(sheet, row + 1, columns, rows, "Capacity")
    for letter, width in _WIDTHS:
        sheet.column_dimensions[letter].width = width
    gpus, capacity, wanted = (Cells(sheet, column, area.heading, area.first, area.last) for column in (1, 2, 3))
    title = texts["excel.chart.capacity"].format(count=f"{advice.recommended_count:,}")
    x, y = Axis(texts["excel.capacity.gpus"]), Axis(texts["excel.axis.capacity"], least=0)
    chart = bars(title, gpus, [Trace(capacity, SKY)], x, y)
    marked(chart, counts.index(advice.recommended_count), BLUE)
    with_lines(chart, gpus, [Trace(wanted, VERMILION, Stroke.LIMIT)])
    place(chart, sheet, Frame(_COLUMNS, top, 19, 0.57))
    return max(area.last, top + 19) + 2


def _counts(advice: Advice) -> list[int]:
    """Numbers of GPUs to show, by whole replicas where that goes up, always with the recommended one."""
    step = replica_of(advice)
    last = advice.recommended_count + step
    while last / step > _MOST_POINTS:
        step *= 2
    return sorted({*range(step, last + 1, step), advice.recommended_count})
