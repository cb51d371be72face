"""What the client saw over the run: the sheet of the timeline, with its bins as cells and charts over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openpyxl.worksheet.worksheet import Worksheet

from llmload.reporters.excel_cells import BLUE, GREEN, VERMILION, Area, Column, Figure, Value, alike, head, table
from llmload.reporters.excel_charts import Axis, Cells, Frame, Trace, place, scatter
from llmload.reporters.texts import Texts
from llmload.reporters.wording import label_in
from llmload.timeline import Span, Timeline

_LOW_ROWS = 12
"""Three charts one below the other end on the first page of a print."""
_TIMELINE_COLUMNS = 15  # table and charts


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
        step = step_at(timeline.spans, at + timeline.bin_s / 2, texts)  # during most of the bin
        yield [
            Figure(at, "#,##0.0"),
            step,
            alike(in_flight, "#,##0.0"),
            alike(speed, "#,##0"),
            alike(errors, "#,##0.00"),
        ]


def step_at(spans: Sequence[Span], at_s: float, texts: Texts) -> str | None:
    """Which step was measured then; None between windows."""
    found = (span.label for span in spans if span.start_s <= at_s < span.end_s)
    return next((label_in(label, texts) for label in found), None)
