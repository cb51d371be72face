"""What happened when: the sheets of GPUs and of the timeline, with their samples as cells and charts over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from openpyxl.worksheet.worksheet import Worksheet

from llmload.domain import RunResult
from llmload.reporters.excel_cells import (
    BLUE,
    BODY,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Area,
    Column,
    Figure,
    Value,
    count,
    head,
    head_cell,
    share,
    table,
)
from llmload.reporters.excel_charts import Axis, Cells, Frame, Trace, place, scatter
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in
from llmload.timeline import GpuSeries, Timeline

MOST_SAMPLES = 1_000
"""Of one GPU; more are taken together, neighbours by their mean or their peak."""

_GIB = 2**30
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK, "8C6D31")
_ROWS = 16
_SECONDS = "#,##0.0"
_LOW_ROWS = 12
"""Three charts one below the other end on the first page of a print."""
_TIMELINE_COLUMNS = 15  # table and charts


@dataclass(frozen=True, slots=True)
class _Measure:
    """One figure of a GPU over time: its key in the catalogue, its samples, and what becomes of neighbours."""

    key: str
    samples: Callable[[GpuSeries], Sequence[float | None]]
    merge: Callable[[Sequence[float]], float]
    shown: str  # the format of its numbers
    axis: Axis


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_MEASURES = (
    _Measure("utilisation", lambda gpu: gpu.utilisation, _mean, "0.0%", Axis("", "0%", 0, 1)),
    _Measure(
        "memory",
        lambda gpu: [None if size is None else size / _GIB for size in gpu.memory_bytes],
        max,
        "#,##0.0",
        Axis("", least=0),
    ),
    _Measure("temperature", lambda gpu: gpu.temperature_c, max, "0", Axis("")),
    _Measure("power", lambda gpu: gpu.power_w, _mean, "#,##0", Axis("", least=0)),
)


# ---------------------------------------------------------------- GPUs


def add_gpus(sheet: Worksheet, samples: Worksheet, run: RunResult, texts: Texts) -> Area:
    """One row for each GPU, charts below; their cells are the other sheet's."""
    top = head(sheet, texts["heading.gpu"], texts["excel.note.gpu"])
    keys = ("name", "utilisation", "memory", "memory_total", "temperature", "power", "power_limit")
    columns = [Column(texts["gpu.index"], 10), *(Column(_heading(key, texts), 30) for key in keys)]
    columns.append(Column("UUID", 44))
    area = table(sheet, top, columns, [_gpu(gpu) for gpu in run.gpus], "GPUs")
    sheet.freeze_panes = f"C{area.first}"
    blocks = _add_samples(samples, run.gpus, texts)
    for number, measure in enumerate(_MEASURES):
        pairs = [
            (block.at, Trace(cells, _COLOURS[at % len(_COLOURS)]))
            for at, block in enumerate(blocks)
            if (cells := block.of[number]) is not None
        ]
        if pairs:
            left = number % 2 / 2
            frame = Frame(
                area.columns, area.last + 2 + number // 2 * (_ROWS + 1), _ROWS, left + 0.005 * (number % 2), left + 0.5
            )
            title, axis = _heading_over_time(measure, texts)
            chart = scatter(title, pairs, Axis(texts["excel.axis.time"], least=0), axis)
            place(chart, sheet, frame)
    return area


def _heading(key: str, texts: Texts) -> str:
    entry = f"gpu.{key}"
    return texts[entry if entry in texts.entries else f"excel.gpu.{key}"]


def _heading_over_time(measure: _Measure, texts: Texts) -> tuple[str, Axis]:
    name = texts[f"excel.gpu.{measure.key}_axis"]
    axis = Axis(name, measure.axis.number_format, measure.axis.least, measure.axis.most)
    return texts["excel.chart.over_time"].format(figure=name), axis


def _gpu(gpu: GpuSeries) -> list[Value]:
    peak, total = (None if size is None else size / _GIB for size in (gpu.peak_memory_bytes, gpu.memory_total_bytes))
    return [
        Figure(gpu.index, "0"),
        gpu.name,
        share(gpu.mean_utilisation),
        count(peak, total),
        count(total),
        count(gpu.peak_temperature_c),
        count(gpu.mean_power_w, gpu.power_limit_w),
        count(gpu.power_limit_w),
        gpu.uuid,
    ]


@dataclass(frozen=True, slots=True)
class _Block:
    """Where the samples of one GPU lie: its seconds, and each measure, None where the device does not tell it."""

    at: Cells
    of: tuple[Cells | None, ...]


def _add_samples(sheet: Worksheet, gpus: Sequence[GpuSeries], texts: Texts) -> list[_Block]:
    """Side by side, five columns for each GPU; headings name it, since charts show them."""
    top = head(sheet, texts["excel.sheet.gpu_samples"], texts["excel.note.gpu_samples"])
    blocks, left = [], 1
    for gpu in gpus:
        at, *measured = _thinned(gpu)
        headings = [texts["excel.axis.time"], *(_sample_heading(gpu, measure, texts) for measure in _MEASURES)]
        for column, heading in enumerate(headings, start=left):
            cell = sheet.cell(top, column, heading)
            head_cell(cell)
            sheet.column_dimensions[cell.column_letter].width = 14
        _fill(sheet, top + 1, left, [(_SECONDS, at), *zip((m.shown for m in _MEASURES), measured, strict=True)])
        cells = [Cells(sheet, left + column, top, top + 1, top + len(at)) for column in range(len(headings))]
        told = (
            each if any(value is not None for value in values) else None
            for each, values in zip(cells[1:], measured, strict=True)
        )
        if at:
            blocks.append(_Block(cells[0], tuple(told)))
        left += len(headings)
    sheet.row_dimensions[top].height = 32
    sheet.freeze_panes = f"A{top + 1}"
    return blocks


def _sample_heading(gpu: GpuSeries, measure: _Measure, texts: Texts) -> str:
    return texts["excel.gpu.sample"].format(index=gpu.index, figure=texts[f"excel.gpu.{measure.key}_axis"])


def _fill(sheet: Worksheet, top: int, left: int, columns: Sequence[tuple[str, Sequence[float | None]]]) -> None:
    """Each column with one format, so that the points stand below each other."""
    for column, (number_format, values) in enumerate(columns, start=left):
        for row, value in enumerate(values, start=top):
            if value is not None:
                cell = sheet.cell(row, column, value)
                cell.number_format, cell.font = number_format, BODY


def _thinned(gpu: GpuSeries) -> list[list[float | None]]:
    """Seconds and the measures; neighbours taken together so that there are at most `MOST_SAMPLES`."""
    size = -(-len(gpu.at_s) // MOST_SAMPLES) or 1
    starts = range(0, len(gpu.at_s), size)
    merged = [
        [_merged(values[start : start + size], measure.merge) for start in starts]
        for measure in _MEASURES
        for values in (measure.samples(gpu),)
    ]
    return [[gpu.at_s[start] for start in starts], *merged]


def _merged(values: Sequence[float | None], merge: Callable[[Sequence[float]], float]) -> float | None:
    known = [value for value in values if value is not None]
    return merge(known) if known else None


# ---------------------------------------------------------------- timeline


def add_timeline(sheet: Worksheet, timeline: Timeline, texts: Texts) -> Area:
    """What was in flight, how fast tokens arrived and what failed, over the run."""
    note = texts["excel.note.timeline"].format(bin=f"{timeline.bin_s:g}")
    top = head(sheet, texts["excel.sheet.timeline"], note)
    keys = ("in_flight", "output_tps", "errors_per_s")
    columns = [Column(texts["excel.axis.time"], 14), Column(texts["column.step"], 24)]
    columns += [Column(texts[f"excel.timeline.{key}"], 18) for key in keys]
    area = table(sheet, top, columns, list(_bins(timeline, texts)), "Timeline")
    sheet.freeze_panes = f"A{area.first}"
    at = Cells(sheet, 1, area.heading, area.first, area.last)
    for number, (key, colour) in enumerate(zip(keys, (BLUE, GREEN, VERMILION), strict=True)):
        cells = Cells(sheet, 3 + number, area.heading, area.first, area.last)
        if not timeline.at_s:
            break
        y = Axis(texts[f"excel.timeline.{key}"], "#,##0.0" if key == "errors_per_s" else "#,##0", 0)
        title = texts["excel.chart.over_time"].format(figure=texts[f"excel.timeline.{key}"])
        chart = scatter(title, [(at, Trace(cells, colour))], Axis(texts["excel.axis.time"], least=0), y)
        place(chart, sheet, Frame(_TIMELINE_COLUMNS, area.first + number * (_LOW_ROWS + 1), _LOW_ROWS, 0.5))
    return area


def _bins(timeline: Timeline, texts: Texts) -> Iterator[list[Value]]:
    series = zip(timeline.at_s, timeline.in_flight, timeline.output_tps, timeline.errors_per_s, strict=True)
    for at, in_flight, speed, errors in series:
        step = _step_at(timeline, at, texts)
        yield [Figure(at, "#,##0.0"), step, _as(in_flight, "#,##0.0"), _as(speed, "#,##0"), _as(errors, "#,##0.00")]


def _as(value: float | None, number_format: str) -> Figure | None:
    """One format for the whole column, so that the points stand below each other."""
    return None if value is None else Figure(value, number_format)


def _step_at(timeline: Timeline, at: float, texts: Texts) -> str | None:
    """Which step was measured when most of the bin went by."""
    middle = at + timeline.bin_s / 2
    found = (span.label for span in timeline.spans if span.start_s <= middle < span.end_s)
    return next((label_in(label, texts) for label in found), None)
