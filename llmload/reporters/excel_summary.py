"""The first sheet: the verdict in a sentence, key figures, the two charts that show it, and what to do.

It is a grid of twelve columns of one width, so that it prints on landscape pages as it looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from llmload.domain import RunResult, StepResult
from llmload.plain_text import plain
from llmload.reporters import capacity_sections, sections
from llmload.reporters.changes import climbs, compared_with
from llmload.reporters.excel_cells import (
    BODY,
    FAINT,
    FAINT_STRONG,
    HEADING,
    LARGE,
    LINE,
    RULE,
    SHADE,
    SMALL,
    STRONG,
    Value,
    colour_statuses,
    colour_words,
    count,
    lines_of,
    milliseconds,
    put,
    share,
    status_words,
)
from llmload.reporters.excel_steps import axis_title, goodput_target, judged, latency_title, limits
from llmload.reporters.figures import MISSING
from llmload.reporters.reasons import in_language
from llmload.reporters.step_columns import speed_of, tokens_per_s
from llmload.reporters.texts import Texts
from llmload.reporters.wording import (
    caveats,
    figures,
    finding_cause,
    finding_figures,
    finding_remedy,
    finding_subject,
    readings,
    sentence,
    step_label,
    tally,
)
from llmload.verdict import Status

GRID = 12
WIDTH = 11.5  # characters of one column
CHARTS_HEIGHT = 15  # rows

_MOST = 12  # lines of each list; the other sheets have them all
_TITLE_ROW, _VERDICT_ROW = 1, 2


@dataclass(frozen=True, slots=True)
class Summary:
    """The sheet for those who add to it: the row that its charts begin at, the next free one, and its answer's cell."""

    sheet: Worksheet
    charts: int
    verdict: str


@dataclass(frozen=True, slots=True)
class _Tile:
    """One key figure: what it is, how much, and where or under which limit."""

    name: str
    value: Value
    note: str


def led_by(run: RunResult) -> str:
    """The latency that the first chart and the key figures show: the first that the SLO limits, else TTFT."""
    return next(iter(limits(run.slo)), "ttft")


def add_summary(sheet: Worksheet, run: RunResult, texts: Texts) -> Summary:
    """Fill the sheet but for its charts, which need the cells of the steps."""
    sheet.sheet_view.showGridLines = False
    for column in range(1, GRID + 1):
        sheet.column_dimensions[get_column_letter(column)].width = WIDTH
    row = _answer(sheet, run, texts)
    row = _heading(sheet, row, texts["excel.heading.key_figures"])
    row = _tiles(sheet, row, _key_figures(run, texts))
    if knee := sections.knee(run, texts):
        row = _line(sheet, row, sentence(knee))
    charts = _gap(sheet, row)
    row = charts + (CHARTS_HEIGHT + 1 if run.steps else 0)
    row = _advice(sheet, row, run, texts)
    row = _to_look_at(sheet, row, run, texts)
    row = _caveats(sheet, row, run, texts)
    row = _findings(sheet, row, run, texts)
    _list(sheet, row, texts["heading.notices"], [in_language(each, texts) for each in run.notices], texts)
    return Summary(sheet, charts, f"$A${_VERDICT_ROW}")


# ---------------------------------------------------------------- the answer


def _answer(sheet: Worksheet, run: RunResult, texts: Texts) -> int:
    _merged(sheet, _TITLE_ROW, 1, GRID, run.header.title).font = LARGE
    sheet.row_dimensions[_TITLE_ROW].height = 32
    mark = _merged(sheet, _VERDICT_ROW, 1, 2, status_words(run.status, texts))
    mark.font, mark.alignment = HEADING, Alignment("center", "center", wrap_text=True)
    colour_statuses(sheet, f"A{_VERDICT_ROW}:B{_VERDICT_ROW}", texts)
    because = sentence(in_language(run.because, texts))
    told = _merged(sheet, _VERDICT_ROW, 3, GRID, because)
    told.font, told.alignment = (
        HEADING,
        Alignment(horizontal="left", vertical="center", wrap_text=True, indent=1),
    )
    told.fill = PatternFill("solid", fgColor=SHADE)
    sheet.row_dimensions[_VERDICT_ROW].height = max(36.0, 18 * lines_of(because, 80) + 8)
    tallied = texts["excel.tally"].format(tally=tally(run, texts), code=run.exit_code)
    row = _line(sheet, 3, tallied)
    for words in _beside(run, texts):
        row = _line(sheet, row, words, font=FAINT)
    return _gap(sheet, row)


def _beside(run: RunResult, texts: Texts) -> Iterator[str]:
    header, target = run.header, run.target
    if target is not None:
        yield texts["excel.target"].format(
            model=plain(target.model, 120), framework=plain(sections.framework(target), 60), url=plain(target.url)
        )
    yield texts["excel.run"].format(run=plain(header.run_id, 60), created=plain(header.created, 40))
    yield from (sentence(words) for words in (compared_with(run, texts), climbs(run, texts)) if words)


# ---------------------------------------------------------------- key figures


def _key_figures(run: RunResult, texts: Texts) -> list[_Tile]:
    shown = _shown_step(run)
    at = texts["excel.at"].format(step=step_label(shown.step, texts)) if shown else ""
    return [*_loads(run, texts), _fastest(run, texts), *_quality(run, shown, at, texts), _requests(run, texts)]


def _shown_step(run: RunResult) -> StepResult | None:
    """The step of the highest load within the SLO, else the fastest one, else the last."""
    if run.knee is not None and run.knee.at_slo is not None:
        for step in run.steps:
            if (step.step.axis, step.step.value) == (run.knee.axis, run.knee.at_slo):
                return step
    return _fastest_step(run) or (run.steps[-1] if run.steps else None)


def _fastest_step(run: RunResult) -> StepResult | None:
    speed = speed_of(run.steps)
    known = [step for step in run.steps if tokens_per_s(step, speed) is not None]
    return max(known, key=lambda step: tokens_per_s(step, speed) or 0.0, default=None)


def _loads(run: RunResult, texts: Texts) -> list[_Tile]:
    unit = axis_title(run, texts)
    if run.knee is None:
        completed = max((step.metrics.rps for step in run.steps if step.metrics.rps is not None), default=None)
        return [
            _Tile(texts["heading.steps"], count(len(run.steps)), unit if run.steps else ""),
            _Tile(texts["excel.tile.rps"], count(completed), ""),
        ]
    saturation = unit if run.knee.saturation is not None else texts["excel.tile.not_seen"]
    return [
        _Tile(texts["excel.tile.at_slo"], count(run.knee.at_slo), unit),
        _Tile(texts["excel.tile.saturation"], count(run.knee.saturation), saturation),
    ]


def _fastest(run: RunResult, texts: Texts) -> _Tile:
    step, speed = _fastest_step(run), speed_of(run.steps)
    at = texts["excel.at"].format(step=step_label(step.step, texts)) if step else ""
    name = texts["excel.tile.throughput" if speed == "output_tps" else "excel.tile.input_throughput"]
    return _Tile(name, count(tokens_per_s(step, speed)) if step else None, at)


def _quality(run: RunResult, shown: StepResult | None, at: str, texts: Texts) -> list[_Tile]:
    metric, target = led_by(run), goodput_target(run)
    limit = limits(run.slo).get(metric)
    latency = shown.metrics.latency.get(judged(metric, run)) if shown else None
    goodput = shown.metrics.goodput if shown else None
    name = latency_title(judged(metric, run), "p95", texts)
    return [
        _Tile(name, milliseconds(latency.p95_ms, limit) if latency else None, at),
        _Tile(texts["column.goodput"], share(goodput, target), at),
    ]


def _requests(run: RunResult, texts: Texts) -> _Tile:
    attempts = sum(step.metrics.attempts for step in run.steps)
    failed = attempts - sum(step.metrics.ok for step in run.steps)
    return _Tile(texts["column.requests"], count(attempts), texts["excel.tile.failed"].format(count=f"{failed:,}"))


def _tiles(sheet: Worksheet, row: int, tiles: Sequence[_Tile]) -> int:
    """Side by side, each two columns wide; the numbers are real."""
    for place, tile in enumerate(tiles):
        left = 1 + 2 * place
        looks = ((tile.name, FAINT_STRONG), (tile.value, LARGE))
        for line, (value, font) in enumerate((*looks, (tile.note, SMALL))):
            cell = _merged(sheet, row + line, left, left + 1, MISSING if value is None else value)
            cell.font, cell.alignment = font, Alignment("center", "center", wrap_text=True)
        _frame(sheet, row, left)
    lines = max(lines_of(tile.name, 20) for tile in tiles)
    for line, height in enumerate((LINE * lines + 4, 30, LINE * max(lines_of(tile.note, 21) for tile in tiles) + 3)):
        sheet.row_dimensions[row + line].height = height
    return _gap(sheet, row + 3)


def _frame(sheet: Worksheet, row: int, left: int) -> None:
    edge = Side(style="thin", color=RULE)
    for line in range(3):
        for column in (left, left + 1):
            sheet.cell(row + line, column).fill = PatternFill("solid", fgColor=SHADE)
            sheet.cell(row + line, column).border = Border(
                top=edge if line == 0 else None,
                bottom=edge if line == 2 else None,
                left=edge if column == left else None,
                right=edge if column > left else None,
            )


# ---------------------------------------------------------------- lists


def _advice(sheet: Worksheet, row: int, run: RunResult, texts: Texts) -> int:
    found = capacity_sections.recommendation(run, texts)
    if found is None:
        return row
    row = _heading(sheet, row, texts["heading.recommendation"])
    row = _line(sheet, row, sentence(found.headline), font=STRONG)
    if found.reasoning:
        row = _line(sheet, row, sentence(found.reasoning))
    if found.to_do:
        row = _line(sheet, row, texts["excel.to_do"].format(remedy=sentence(found.to_do)))
    return _gap(sheet, row)


def _to_look_at(sheet: Worksheet, row: int, run: RunResult, texts: Texts) -> int:
    told = [reading for reading in readings(run, texts) if reading.status not in (Status.PASS, Status.NOT_GATED)]
    if not told:
        return row
    row = first = _heading(sheet, row, texts["heading.what_to_look_at"])
    for reading in told[:_MOST]:
        weight = f" ({reading.weight})" if reading.weight else ""
        why = [
            f"{reading.step}: {reading.gate}{weight}",
            sentence(in_language(reading.because, texts)),
            figures(reading, texts),
        ]
        row = _entry(sheet, row, status_words(reading.status, texts), why, in_language(reading.remedy, texts), texts)
    colour_statuses(sheet, f"A{first}:B{row - 1}", texts)
    return _more(sheet, row, len(told), "excel.sheet.gates", texts)


def _caveats(sheet: Worksheet, row: int, run: RunResult, texts: Texts) -> int:
    told = caveats(run, texts)
    if not told:
        return row
    row = first = _heading(sheet, row, texts["heading.caveats"])
    for where, caveat in told[:_MOST]:
        weight = texts["excel.fatal" if caveat.is_fatal else "excel.caveat"]
        why = [f"{in_language(caveat.rule, texts)} ({where})", sentence(in_language(caveat.figure, texts))]
        row = _entry(sheet, row, weight, why, in_language(caveat.remedy, texts), texts)
    looks = {texts["excel.fatal"]: Status.ERROR, texts["excel.caveat"]: Status.INCONCLUSIVE}
    colour_words(sheet, f"A{first}:B{row - 1}", looks)
    return _more(sheet, row, len(told), "excel.sheet.remarks", texts)


def _entry(sheet: Worksheet, row: int, mark: str, why: Sequence[str], remedy: str, texts: Texts) -> int:
    """A mark on the left, beside it what happened in lines of their own, and what to do below it."""
    lines = [*(line for line in why if line)]
    if remedy:
        lines.append(texts["excel.to_do"].format(remedy=sentence(plain(remedy))))
    left = _merged(sheet, row, 1, 2, mark, rows=len(lines))
    left.font, left.alignment = STRONG, Alignment("center", "top", wrap_text=True)
    for place, line in enumerate(lines):
        _line(sheet, row + place, line, left=3, font=BODY if place else STRONG)
    for column in range(1, GRID + 1):
        sheet.cell(row + len(lines) - 1, column).border = Border(bottom=Side(style="thin", color=RULE))
    return row + len(lines)


def _findings(sheet: Worksheet, row: int, run: RunResult, texts: Texts) -> int:
    if not run.findings:
        return row
    row = _heading(sheet, row, texts["heading.findings"])
    for finding in run.findings[:_MOST]:
        told = [f"{finding_subject(finding, texts)}: {finding_figures(finding, texts)}", finding_cause(finding, texts)]
        remedy = finding_remedy(finding, texts)
        row = _entry(sheet, row, texts["excel.finding"], [sentence(plain(each)) for each in told], remedy, texts)
    return _more(sheet, row, len(run.findings), "excel.sheet.remarks", texts)


def _list(sheet: Worksheet, row: int, heading: str, lines: Sequence[str], texts: Texts) -> int:
    if not lines:
        return row
    row = _heading(sheet, row, heading)
    for line in lines[:_MOST]:
        row = _line(sheet, row, sentence(plain(line)))
    return _more(sheet, row, len(lines), "excel.sheet.remarks", texts)


def _more(sheet: Worksheet, row: int, total: int, where: str, texts: Texts) -> int:
    if total > _MOST:
        told = texts["excel.more"].format(count=f"{total - _MOST:,}", sheet=texts[where])
        row = _line(sheet, row, told, font=FAINT)
    return _gap(sheet, row)


# ---------------------------------------------------------------- lines


def _heading(sheet: Worksheet, row: int, text: str) -> int:
    _merged(sheet, row, 1, GRID, text).font = HEADING
    for column in range(1, GRID + 1):
        sheet.cell(row, column).border = Border(bottom=Side(style="medium", color="34495E"))
    sheet.row_dimensions[row].height = 21
    return _gap(sheet, row + 1)


def _gap(sheet: Worksheet, row: int) -> int:
    """A little room."""
    sheet.row_dimensions[row].height = 6
    return row + 1


def _line(sheet: Worksheet, row: int, text: str, *, left: int = 1, font: Font = BODY) -> int:
    """A line of text over the rest of the grid, as high as it needs."""
    cell = _merged(sheet, row, left, GRID, text)
    cell.font = font
    cell.alignment = Alignment(vertical="top", wrap_text=True)
    room = int((GRID + 1 - left) * WIDTH * 1.06)  # letters are narrower than the digits that widths count
    sheet.row_dimensions[row].height = LINE * lines_of(text, room)
    return row + 1


def _merged(sheet: Worksheet, row: int, left: int, right: int, value: Value, *, rows: int = 1) -> Cell | MergedCell:
    cell = put(sheet, row, left, value)
    cell.alignment = Alignment(vertical="center", wrap_text=True)
    sheet.merge_cells(start_row=row, end_row=row + rows - 1, start_column=left, end_column=right)
    return cell
