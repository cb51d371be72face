"""What the GPUs did: each of them over the run, all of them at each step, and their samples with charts over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from llmload.domain import RunResult, StepResult
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
    subhead,
    table,
    warn_where,
)
from llmload.reporters.excel_charts import Axis, Cells, Frame, Trace, place, scatter
from llmload.reporters.reasons import phrase_in_language
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label
from llmload.serving import GpuFigures
from llmload.timeline import GpuSeries

MOST_SAMPLES = 1_000
"""Of one GPU; more are taken together, neighbours by their mean or their peak."""

_GIB = 2**30
_KILO = 1000
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK, "8C6D31")
_ROWS = 16
_SECONDS = "#,##0.0"


@dataclass(frozen=True, slots=True)
class _Measure:
    """One figure of a GPU over time: its key in the catalogue, its samples, and what becomes of neighbours."""

    key: str
    samples: Callable[[GpuSeries], Sequence[float | None]]
    merge: Callable[[Sequence[float]], float]
    shown: str  # the format of its numbers
    axis: Axis
    is_drawn: Callable[[Sequence[GpuSeries]], bool] = bool


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _some_slowed(gpus: Sequence[GpuSeries]) -> bool:
    return any(gpu.throttled_share for gpu in gpus)


def _never(gpus: Sequence[GpuSeries]) -> bool:
    del gpus
    return False


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
    _Measure("sm_clock", lambda gpu: gpu.sm_clock_mhz, _mean, "#,##0", Axis("", least=0), _some_slowed),
    _Measure("throttled", lambda gpu: gpu.throttled, _mean, "0%", Axis(""), _never),
)
"""The last two have columns where a device tells them; a clock is drawn where something held it back."""
_ALWAYS = 4


def add_gpus(sheet: Worksheet, samples: Worksheet, run: RunResult, texts: Texts) -> Area:
    """A row for each GPU and one for each step, charts below; their cells are the other sheet's."""
    top = head(sheet, texts["heading.gpu"], texts["excel.note.gpu"])
    rows, columns = _of_gpus(run.gpus, texts)
    area = table(sheet, top, columns, rows, "GPUs")
    last = area.last
    if steps := [(step, step.gpu) for step in run.steps if step.gpu is not None]:
        under = subhead(sheet, last + 2, texts["excel.heading.gpu_steps"], texts["excel.note.gpu_steps"])
        last = table(sheet, under, *_of_steps(steps, texts), "GpuSteps").last
    else:
        sheet.freeze_panes = f"C{area.first}"
    _draw(sheet, area.columns, last + 2, _add_samples(samples, run.gpus, texts), run.gpus, texts)
    return area


def _draw(
    sheet: Worksheet, columns: int, top: int, blocks: Sequence[_Block], gpus: Sequence[GpuSeries], texts: Texts
) -> None:
    """Two charts beside each other, or three where there are more than four: they end on the first page of a print."""
    told = [(measure, _pairs(blocks, number)) for number, measure in enumerate(_MEASURES) if measure.is_drawn(gpus)]
    drawn = [(measure, pairs) for measure, pairs in told if pairs]
    beside = 2 if len(drawn) <= _ALWAYS else 3
    for number, (measure, pairs) in enumerate(drawn):
        row, column = divmod(number, beside)
        left = column / beside
        frame = Frame(columns, top + row * (_ROWS + 1), _ROWS, left + (0.005 if column else 0), left + 1 / beside)
        title, axis = _heading_over_time(measure, texts)
        place(scatter(title, pairs, Axis(texts["excel.axis.time"], least=0), axis), sheet, frame)


def _pairs(blocks: Sequence[_Block], number: int) -> list[tuple[Cells, Trace]]:
    """The curve of each GPU that tells a measure."""
    return [
        (block.at, Trace(cells, _COLOURS[at % len(_COLOURS)]))
        for at, block in enumerate(blocks)
        if (cells := block.of[number]) is not None
    ]


# ---------------------------------------------------------------- tables

_KEPT = ("index", "name", "utilisation", "memory", "memory_total", "temperature", "power", "power_limit", "uuid")
"""Columns that are there even where no GPU tells them."""


_AS_ELSEWHERE = frozenset(("index", "name", "utilisation", "memory", "temperature", "power"))


def _of_gpus(gpus: Sequence[GpuSeries], texts: Texts) -> tuple[list[list[Value]], list[Column]]:
    """Rows and columns; those that no GPU tells are left out, but for the ones that readers look for."""
    told = [_gpu(gpu) for gpu in gpus]
    keys = [key for key in told[0] if key in _KEPT or any(each[key] is not None for each in told)]
    widths = {"index": 12, "uuid": 44}
    columns = [Column("UUID" if key == "uuid" else _heading(key, texts), widths.get(key, 30)) for key in keys]
    return [[each[key] for key in keys] for each in told], columns


def _gpu(gpu: GpuSeries) -> dict[str, Value]:
    peak, total = (None if size is None else size / _GIB for size in (gpu.peak_memory_bytes, gpu.memory_total_bytes))
    return {
        "index": Figure(gpu.index, "0"),
        "name": gpu.name,
        "utilisation": share(gpu.mean_utilisation),
        "memory": count(peak, total),
        "memory_total": count(total),
        "temperature": count(gpu.peak_temperature_c),
        "power": count(gpu.mean_power_w, gpu.power_limit_w),
        "power_limit": count(gpu.power_limit_w),
        "throttled": share(gpu.throttled_share),
        "energy": _kilo(gpu.energy_j),
        "sm_clock": count(gpu.mean_sm_clock_mhz),
        "driver": gpu.driver,
        "mig": gpu.mig,
        "uuid": gpu.uuid,
    }


def _of_steps(steps: Sequence[tuple[StepResult, GpuFigures]], texts: Texts) -> tuple[list[Column], list[list[Value]]]:
    """All GPUs of a step together."""
    told = [_step(step, gpu, texts) for step, gpu in steps]
    keys = [key for key in told[0] if key in ("step", "reasons") or any(each[key] is not None for each in told)]
    headings = {"step": texts["column.step"]}
    columns = [Column(headings.get(key) or texts[f"excel.gpu_step.{key}"], 30) for key in keys]
    return columns, [[each[key] for key in keys] for each in told]


def _step(step: StepResult, gpu: GpuFigures, texts: Texts) -> dict[str, Value]:
    memory = None if gpu.memory_bytes is None else gpu.memory_bytes / _GIB
    reasons = phrase_in_language(", ".join(gpu.throttle_reasons), "slow_downs", texts)
    return {
        "step": step_label(step.step, texts),
        "reasons": reasons or None,
        "utilisation": share(gpu.utilisation),
        "memory": count(memory),
        "throttled": share(gpu.throttled),
        "temperature": count(gpu.temperature_c),
        "power": count(gpu.power_w),
        "energy": _kilo(gpu.energy_j),
        "joules_per_token": count(gpu.joules_per_token),
    }


def _kilo(joules: float | None) -> Figure | None:
    return count(None if joules is None else joules / _KILO)


def _heading(key: str, texts: Texts) -> str:
    return texts[f"gpu.{key}" if key in _AS_ELSEWHERE else f"excel.gpu.{key}"]


# ---------------------------------------------------------------- samples


def _heading_over_time(measure: _Measure, texts: Texts) -> tuple[str, Axis]:
    name = texts[f"excel.gpu.{measure.key}_axis"]
    axis = Axis(name, measure.axis.number_format, measure.axis.least, measure.axis.most)
    return texts["excel.chart.over_time"].format(figure=name), axis


@dataclass(frozen=True, slots=True)
class _Block:
    """Where the samples of one GPU lie: its seconds, and each measure, None where the device does not tell it."""

    at: Cells
    of: tuple[Cells | None, ...]


def _add_samples(sheet: Worksheet, gpus: Sequence[GpuSeries], texts: Texts) -> list[_Block]:
    """Side by side, some columns for each GPU; headings name it, since charts show them."""
    top = head(sheet, texts["excel.sheet.gpu_samples"], texts["excel.note.gpu_samples"])
    blocks, left = [], 1
    for gpu in gpus:
        at, measured = _thinned(gpu)
        found: list[Cells | None] = []
        _fill(sheet, top, left, texts["excel.axis.time"], _SECONDS, at)
        column = left
        for number, (measure, values) in enumerate(zip(_MEASURES, measured, strict=True)):
            is_told = any(value is not None for value in values)
            if not is_told and number >= _ALWAYS:
                found.append(None)
                continue
            column += 1
            _fill(sheet, top, column, _sample_heading(gpu, measure, texts), measure.shown, values)
            found.append(Cells(sheet, column, top, top + 1, top + len(at)) if is_told else None)
            if measure.key == "throttled":
                cells = f"{get_column_letter(column)}{top + 1}"
                warn_where(sheet, f"{cells}:{get_column_letter(column)}{top + len(at)}", f"{cells}>0")
        if at:
            blocks.append(_Block(Cells(sheet, left, top, top + 1, top + len(at)), tuple(found)))
        left = column + 1
    sheet.row_dimensions[top].height = 32
    sheet.freeze_panes = f"A{top + 1}"
    return blocks


def _sample_heading(gpu: GpuSeries, measure: _Measure, texts: Texts) -> str:
    return texts["excel.gpu.sample"].format(index=gpu.index, figure=texts[f"excel.gpu.{measure.key}_axis"])


def _fill(sheet: Worksheet, top: int, column: int, heading: str, shown: str, values: Sequence[float | None]) -> None:
    """A column with one format, so that the points stand below each other."""
    title = sheet.cell(top, column, heading)
    head_cell(title)
    sheet.column_dimensions[title.column_letter].width = 14
    for row, value in enumerate(values, start=top + 1):
        if value is not None:
            cell = sheet.cell(row, column, value)
            cell.number_format, cell.font = shown, BODY


def _thinned(gpu: GpuSeries) -> tuple[list[float], list[list[float | None]]]:
    """Seconds and the measures; neighbours taken together so that there are at most `MOST_SAMPLES`."""
    size = -(-len(gpu.at_s) // MOST_SAMPLES) or 1
    starts = range(0, len(gpu.at_s), size)
    merged = [
        [_merged(values[start : start + size], measure.merge) for start in starts]
        for measure in _MEASURES
        for values in (measure.samples(gpu),)
    ]
    return [gpu.at_s[start] for start in starts], merged


def _merged(values: Sequence[float | None], merge: Callable[[Sequence[float]], float]) -> float | None:
    known = [value for value in values if value is not None]
    return merge(known) if known else None
