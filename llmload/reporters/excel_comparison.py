"""Several runs side by side as sheets: who they are, what differs and how surely, and charts of the main figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from openpyxl import Workbook
from openpyxl.styles import Alignment
from openpyxl.worksheet.worksheet import Worksheet

from llmload.analysis.comparison import Cell, Comparison, Contrast, Row
from llmload.promises import SHARES
from llmload.reporters import comparison_wording as words
from llmload.reporters.excel_cells import (
    BLUE,
    GREEN,
    HEADING,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Area,
    Column,
    Figure,
    Value,
    colour_statuses,
    colour_words,
    count,
    for_print,
    head,
    instant,
    lines_of,
    milliseconds,
    put,
    share,
    status_words,
    table,
    with_unit,
)
from llmload.reporters.excel_charts import Axis, Cells, Frame, Trace, bars, place
from llmload.reporters.texts import Texts
from llmload.reporters.wording import step_label
from llmload.verdict import Status

SHOWN = ("output_tps", "goodput", "p95(ttft)", "p95(tpot)", "p95(e2e)", "rps")
"""Figures that have a chart, where any run has them."""

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, "8C6D31", INK)
_MARKS = {
    Contrast.SAME: "=",
    Contrast.BETTER: "✔",
    Contrast.WORSE: "✖",
    Contrast.UNDECIDED: "?",
    Contrast.MISSING: "–",
}
_LOOKS = {
    Contrast.SAME: Status.INCOMPARABLE,
    Contrast.BETTER: Status.PASS,
    Contrast.WORSE: Status.FAIL,
    Contrast.UNDECIDED: Status.INCONCLUSIVE,
    Contrast.MISSING: Status.NOT_GATED,
}
"""Whose colours each has; the words are its own."""

_ROWS = 16
_COLUMNS, _ABREAST = 14, 3  # so many charts beside each other, over so many columns


def fill(book: Workbook, comparison: Comparison, texts: Texts) -> None:
    """Runs, Differences and, where anything can be drawn, Charts."""
    runs = book.create_sheet(texts["excel.sheet.runs"])
    row = _add_runs(runs, comparison, texts)
    _add_words(runs, row, comparison, texts)
    for_print(runs, "llmload", texts)
    differences = book.create_sheet(texts["excel.sheet.differences"])
    area = _add_differences(differences, comparison, texts)
    for_print(differences, "llmload", texts, repeated_row=area.heading)
    shown = [figure for figure in SHOWN if any(row.figure == figure for row in comparison.rows)]
    if shown:
        charts = book.create_sheet(texts["heading.charts"])
        _add_charts(charts, comparison, shown, texts)
        for_print(charts, "llmload", texts)


def _contrast(contrast: Contrast, texts: Texts) -> str:
    return f"{_MARKS[contrast]} {words.contrast_word(contrast, texts)}"


# ---------------------------------------------------------------- runs


def _add_runs(sheet: Worksheet, comparison: Comparison, texts: Texts) -> int:
    top = head(sheet, texts["comparison.title"], words.verdict(comparison, texts))
    sheet["A2"].font = HEADING
    headings = (
        texts["comparison.column.run"],
        texts["excel.comparison.run"],
        *(texts[f"comparison.column.{key}"] for key in ("scenario", "created", "verdict")),
    )
    columns = [Column(heading, 40) for heading in headings]
    rows: list[list[Value]] = [
        [words.letter(n), run.run_id, run.title, instant(run.created), status_words(run.status, texts)]
        for n, run in enumerate(comparison.runs)
    ]
    area = table(sheet, top, columns, rows, "Runs")
    colour_statuses(sheet, f"E{area.first}:E{area.last}", texts)
    row = area.last + 2
    if conditions := list(words.conditions(comparison, texts)):
        put(sheet, row, 1, texts["comparison.heading.conditions"]).font = HEADING
        run, key, own = (Column(texts[f"comparison.column.{name}"], 40) for name in ("run", "key", "own"))
        columns = [run, key, Column(words.letter(0), 40), own]
        row = table(sheet, row + 1, columns, [list(each) for each in conditions], "Conditions").last + 2
    for letter, width in (("A", 9), ("B", 40), ("C", 40), ("D", 40), ("E", 22)):
        sheet.column_dimensions[letter].width = width
    return row


def _add_words(sheet: Worksheet, row: int, comparison: Comparison, texts: Texts) -> None:
    """What could not be compared, and what the verdicts mean."""
    missing, rules = list(words.absences(comparison, texts)), words.rules(comparison, texts)
    for heading, lines in (("comparison.heading.absences", missing), ("excel.comparison.rules", rules)):
        if not lines:
            continue
        put(sheet, row, 1, texts[heading]).font = HEADING
        for line in lines:
            row += 1
            put(sheet, row, 1, line).alignment = Alignment(wrap_text=True, vertical="top")
            sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=5)
            sheet.row_dimensions[row].height = 15.5 * lines_of(line, 140)
        row += 2


# ---------------------------------------------------------------- differences


def _add_differences(sheet: Worksheet, comparison: Comparison, texts: Texts) -> Area:
    top = head(sheet, texts["excel.sheet.differences"], texts["excel.note.differences"])
    step, figure, run, own, difference, verdict, basis = (
        texts[f"comparison.column.{key}"] for key in ("step", "figure", "run", "own", "difference", "verdict", "basis")
    )
    ends = texts["excel.column.low"], texts["excel.column.high"]
    headings = (step, figure, run, words.letter(0), own, difference, *ends, verdict, basis)
    columns = [Column(heading, 22) for heading in headings]
    rows = [_difference(row, at, cell, texts) for row in comparison.rows for at, cell in enumerate(row.cells, start=1)]
    area = table(sheet, top, columns, rows, "Differences")
    sheet.freeze_panes = f"C{area.first}"
    if rows:
        colour_words(
            sheet, f"I{area.first}:I{area.last}", {_contrast(each, texts): look for each, look in _LOOKS.items()}
        )
    return area


def _difference(row: Row, at: int, cell: Cell, texts: Texts) -> list[Value]:
    return [
        step_label(row.step, texts),
        row.figure,
        words.letter(at),
        _figure(row.figure, row.value, texts),
        _figure(row.figure, cell.value, texts),
        *(_change(row.figure, value, texts) for value in (cell.difference, cell.low, cell.high)),
        _contrast(cell.contrast, texts),
        words.basis(cell, texts) or None,
    ]


def _figure(figure: str, value: float | None, texts: Texts) -> Value:
    if value is not None and math.isinf(value):
        return texts["comparison.never"]
    if figure in SHARES:
        return share(value)
    if figure.endswith(")"):
        return with_unit(milliseconds(value), "ms")
    return with_unit(count(value), "/s" if figure == "rps" else "tok/s")


def _change(figure: str, value: float | None, texts: Texts) -> Value:
    """A ratio as signed percent, a difference of shares as points: the cell holds it times one hundred.

    It has as many decimals as everywhere, so that none rounds onto the margin.
    """
    if value is None or not math.isfinite(value):
        return None
    digits = f"0.{'0' * max(1, len(words.signed(value).partition('.')[2]))}"
    if figure in SHARES:
        unit = texts["excel.comparison.points"]
        return Figure(value * 100, f'+{digits}" {unit}";-{digits}" {unit}";{digits}" {unit}"')
    return Figure(value, f"+#,##{digits}%;-#,##{digits}%;{digits}%")


# ---------------------------------------------------------------- charts


def _add_charts(sheet: Worksheet, comparison: Comparison, shown: Sequence[str], texts: Texts) -> None:
    """One chart for each figure, columns of the runs at every step, above the table whose cells they show."""
    head(sheet, texts["heading.charts"], texts["excel.note.compared_charts"])
    top = 4 + -(-len(shown) // _ABREAST) * (_ROWS + 1)
    put(sheet, top, 1, texts["excel.comparison.data"]).font = HEADING
    row = top + 1
    for number, figure in enumerate(shown):
        rows = [[_load(each, comparison, texts), *_sides(each)] for each in comparison.rows if each.figure == figure]
        name = texts["excel.comparison.figure_of"].format(figure=_titled(figure, texts))
        columns = [Column(name, 30), *(Column(words.letter(at), 14) for at in range(len(comparison.runs)))]
        area = table(sheet, row, columns, rows, f"Compared_{number + 1}")
        row = area.last + 2
        at = Cells(sheet, 1, area.heading, area.first, area.last)
        traces = [
            Trace(Cells(sheet, column, area.heading, area.first, area.last), _COLOURS[(column - 2) % len(_COLOURS)])
            for column in range(2, len(columns) + 1)
        ]
        y = Axis(_titled(figure, texts), "0%" if figure in SHARES else "#,##0", 0, 1 if figure in SHARES else None)
        chart = bars(_titled(figure, texts), at, traces, Axis(_axis_title(comparison, texts)), y)
        left = number % _ABREAST / _ABREAST
        place(chart, sheet, Frame(_COLUMNS, 4 + number // _ABREAST * (_ROWS + 1), _ROWS, left, left + 0.99 / _ABREAST))
    sheet.column_dimensions["A"].width = 30


def _axes(comparison: Comparison) -> set[str]:
    return {row.step.axis for row in comparison.rows}


def _load(row: Row, comparison: Comparison, texts: Texts) -> Value:
    """A number in a ladder of one axis, else a label."""
    return count(row.step.value) if len(_axes(comparison)) == 1 else step_label(row.step, texts)


def _axis_title(comparison: Comparison, texts: Texts) -> str:
    axes = _axes(comparison)
    (axis,) = axes if len(axes) == 1 else ("load",)
    return texts.entries.get(f"excel.axis.{axis}", texts["excel.axis.load"])


def _sides(row: Row) -> Iterator[Value]:
    for value in (row.value, *(cell.value for cell in row.cells)):
        finite = None if value is None or not math.isfinite(value) else value
        yield share(finite) if row.figure in SHARES else count(finite)


def _titled(figure: str, texts: Texts) -> str:
    if not figure.endswith(")"):
        return texts[f"excel.comparison.{figure}"]
    stat, _, metric = figure.rstrip(")").partition("(")
    return texts["excel.column.latency"].format(metric=metric.upper(), stat=stat)
